"""Short names of an output's scale for one line of an axis, and notes in small print below the axes."""

import re
import textwrap
from typing import Any, NamedTuple

from .style import shorten

# Approximate width of a character of small print, in inches.
_CHARACTER = 0.052
# Scales with a short name: a pattern of the scale's text, its name with the output's name, and the note that defines it.
_CLASS_MEAN = "log-odds: the class's log-probability minus the mean over all classes"
_PATTERNS = (
    (r"log-odds of class '(?P<own>.+?)'(?P<rest>.*)", "log-odds of {own}", ""),
    (r"probability of class '(?P<own>.+?)'(?P<rest>.*)", "probability of {own}", ""),
    (r"log-probability of each class minus the mean over classes(?P<rest>.*)", "log-odds, {name}", _CLASS_MEAN),
    (r"centred log-probabilities(?P<rest>.*)", "log-odds, {name}", _CLASS_MEAN),
    (r"log-odds(?P<rest>)", "log-odds of {name}", ""),
    (r"probability of each class(?P<rest>.*)", "probability, {name}", ""),
    (r"log of the mean(?P<rest>.*)", "log of the mean {name}", ""),
    (r"(?:outputs as given|output of [^,;]+)(?P<rest>.*)", "{name}", ""),
    (r"target units(?P<rest>.*)", "{name}", ""),
)
# Where an output comes from needs no note; what was done to it does.
_OWN_MARGIN = re.compile(r",? ?the model's own margin( \([\w.]+\))?")
# Names where the output has none of its own.
_NAMELESS = {"target units": "target units", "log of the mean": "log of the mean"}


class Scale(NamedTuple):
    """An output's scale: a name of at most one line, and a note with all else that the scale's text says (often empty)."""

    label: str
    note: str


def name_scale(transform: str, output_name: str | None = None) -> Scale:
    """Name of a scale with the output's name, and a note that says the rest.

    Parameters
    ----------
    transform : str
        Text of the scale, as in ``output_transform``.
    output_name : str, optional
        None if several outputs share the axis; ``"output"`` is no name.

    Examples
    --------
    >>> name_scale("log-probability of each class minus the mean over classes, from probabilities", "Grignolino").label
    'log-odds, Grignolino'
    >>> name_scale("output of predict", "price")
    Scale(label='price', note='')
    """
    name = None if output_name is None or output_name == "output" else output_name
    for pattern, form, note in _PATTERNS:
        found = re.fullmatch(pattern, transform)
        if found:
            rest = _OWN_MARGIN.sub("", found["rest"]).lstrip(" ,;")
            own = found.groupdict().get("own")
            return Scale(_fill(form, transform, name, own), "; ".join(part for part in (note, rest) if part))
    head = transform if len(transform) <= 40 else shorten(re.split(r"[,;]", transform)[0], 40)
    is_named = name is None or repr(name) in transform
    label = head.replace("$", r"\$") if is_named else f"{head}, {shorten(name)}".replace("$", r"\$")
    return Scale(label, "" if head == transform else transform)


def _fill(form: str, transform: str, name: str | None, own: str | None) -> str:
    if own is not None:
        return form.format(own=shorten(own))
    if name is not None:
        return form.format(name=shorten(name))
    bare = re.sub(r",? ?(of )?\{name\}", "", form)
    return bare or next((text for start, text in _NAMELESS.items() if transform.startswith(start)), "model output")


def write_notes(ax: Any, *notes: str) -> None:
    """Write notes in small print below the label of the horizontal axis, wrapped to the width of the figure.

    Empty notes are left out; each begins with a capital letter and ends with a full stop.
    """
    sentences = [note[0].upper() + note[1:].rstrip(".") + "." for note in notes if note]
    if not sentences:
        return
    inches = min(0.56 * ax.figure.get_figwidth(), 1.25 * ax.get_window_extent().width / ax.figure.dpi)
    text = "\n".join(textwrap.wrap(" ".join(sentences), max(int(inches / _CHARACTER), 30))).replace("$", r"\$")
    place = {"xycoords": ax.xaxis.label, "textcoords": "offset points", "ha": "center", "va": "top", "linespacing": 1.25}
    ax.annotate(text, (0.5, 0.0), (0, -5), fontsize="x-small", alpha=0.8, annotation_clip=False, gid="notes", **place)


def read_notes(ax: Any) -> str:
    """The notes below the axes on one line; empty without any."""
    return " ".join(text.get_text().replace("\n", " ") for text in ax.texts if text.get_gid() == "notes")
