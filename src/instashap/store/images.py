"""Declaration of a saved image explainer's content, in lines like those of :mod:`.schema`."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kinds import flag, integer, list_of, number, one_of, record, text
from .members import Member, Rule, Scope, filled, finite, not_negative, positive

CONTENT = record(
    {
        "kind": one_of("image explainer"),
        "terms": list_of(list_of(integer(0), 1), 1),
        "has_all_pairs": flag,
        "size": list_of(integer(0), 3, 3),
        "image_shape": list_of(integer(1), 2, 3),
        "output_names": list_of(text, 1),
        "output_transform": text,
        "value_function": text,
        "output": text,
        "floors?": list_of(number, 1),
        "context?": record({"widths": list_of(integer(1, 4096), 1, 16), "stride": integer(1, 64), "rank?": integer(0, 4096)}),
    }
)
# Limits of a segmentation: pixels in all players' boxes together, and pixels that are read to find the boxes.
_BOX_PIXELS, _LOOKS = 2**25, 2**31


def _numbered(segments: NDArray[Any], scope: Scope) -> str | None:
    """Require players numbered 0, 1, … without gaps, whose bounding boxes are within the limits."""
    found = np.unique(segments)
    if not np.array_equal(found, np.arange(scope["n_players"])) or len(found) < 2:
        return "does not number the players 0, 1, … as the terms do"
    if len(found) * segments.size > _LOOKS:
        return "has too many players for its pixels"
    sides = []
    for places in np.indices(segments.shape).reshape(2, -1):
        low, high = np.full(len(found), segments.size), np.zeros(len(found), dtype=np.int64)
        np.minimum.at(low, segments.ravel(), places)
        np.maximum.at(high, segments.ravel(), places)
        sides.append(int((high - low).max()) + 1)
    if len(found) * sides[0] * sides[1] > _BOX_PIXELS:
        return "has players whose pixels lie too far apart"
    scope["n_most"] = sides[0] * sides[1]
    return None


_Line = tuple[str, tuple[str, ...], tuple[Rule, ...]]


def _name(prefix: str, lines: tuple[_Line, ...]) -> tuple[_Line, ...]:
    """Lines of arrays whose names begin with a prefix."""
    return tuple((f"{prefix}{name}", shape, rules) for name, shape, rules in lines)


_RESIDUAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("norm.weight", ("width",)),
    ("norm.bias", ("width",)),
    ("inner.weight", ("width", "width")),
    ("inner.bias", ("width",)),
    ("outer.weight", ("width", "width")),
    ("outer.bias", ("width",)),
)
_NET: tuple[_Line, ...] = (
    ("base", ("n_outputs",), ()),
    ("spread", (), (positive,)),
    ("part_means", ("n_sets", "n_modes", "n_outputs"), ()),
    ("pair_means", ("n_paired", "n_paired", "n_modes", "n_outputs"), ()),
    ("net.mean", ("n_channels", "1"), ()),
    ("net.scale", ("n_channels", "1"), (positive,)),
    ("net.stem.weight", ("width", "n_channels * n_most"), ()),
    ("net.stem.bias", ("width",), ()),
    ("net.place", ("n_players", "width"), ()),
    *((f"net.trunk.{k}.{name}", shape, ()) for k in (0, 1) for name, shape in (*_RESIDUAL, ("place", ("n_players", "width")))),
    ("net.embed_place", ("n_players", "rank"), ()),
    ("net.signs", ("n_modes", "n_outputs", "rank"), ()),
)
_EMBED: tuple[_Line, ...] = (("net.embed.weight", ("rank", "width"), ()), ("net.embed.bias", ("rank",), ()))
_HEAD: tuple[_Line, ...] = (
    ("weights", ("n_of_size", "width", "n_modes * n_outputs"), ()),
    ("biases", ("n_of_size", "n_modes * n_outputs"), ()),
)
_MIX: tuple[_Line, ...] = (
    ("mix.weight", ("width", "n_joined * width"), ()),
    ("mix.bias", ("width",), ()),
    *((f"inner.{name}", shape, ()) for name, shape in (*_RESIDUAL, ("place", ("n_of_size", "width")))),
)
_SCALED: tuple[_Line, ...] = (("weight", ("width",), ()), ("bias", ("width",), ()))
_NORM: tuple[_Line, ...] = (*_SCALED, ("running_mean", ("width",), ()), ("running_var", ("width",), (not_negative,)))
_CONTEXT: tuple[_Line, ...] = (
    ("spread", (), (not_negative,)),
    ("place", ("n_players", "width"), ()),
    ("inner.weight", ("width", "2 * width"), ()),
    ("inner.bias", ("width",), ()),
    ("last.weight", ("n_outputs", "width"), ()),
    ("last.bias", ("n_outputs",), ()),
    ("trunk.mean", ("n_channels", "1", "1"), ()),
    ("trunk.scale", ("n_channels", "1", "1"), (positive,)),
)
_INTERACTIONS: tuple[_Line, ...] = (
    ("inner.weight", ("width", "2 * width"), ()),
    ("inner.bias", ("width",), ()),
    ("place", ("n_players", "width"), ()),
    ("slopes.weight", ("3 * n_outputs", "width"), ()),
    ("slopes.bias", ("3 * n_outputs",), ()),
    ("factors.weight", ("rank", "width"), ()),
    ("factors.bias", ("rank",), ()),
    ("factor_place", ("n_players", "rank"), ()),
    ("curves.weight", ("3 * n_outputs", "width"), ()),
    ("curves.bias", ("3 * n_outputs",), ()),
    ("weights.weight", ("rank * n_outputs", "width"), ()),
    ("weights.bias", ("rank * n_outputs",), ()),
)
_STEM: tuple[_Line, ...] = (("0.weight", ("width", "n_channels + 1", "side", "side"), ()), *_name("1.", _NORM))
_STAGE: tuple[_Line, ...] = (
    ("first.weight", ("width", "before", "3", "3"), ()),
    ("second.weight", ("width", "width", "3", "3"), ()),
    *_name("norms.0.", _NORM),
    *_name("norms.1.", _NORM),
)
_SKIP: tuple[_Line, ...] = (("skip.0.weight", ("width", "before", "1", "1"), ()), *_name("skip.1.", _NORM))


def expect_images(content: Any, _: Sequence[str]) -> list[Member]:
    """The arrays that the manifest of an image explainer calls for.

    Raises
    ------
    ValueError
        If the content is not as declared; the message names the place.
    """
    if not isinstance(content, dict) or content.get("kind") != "image explainer":
        raise ValueError("it does not hold an image explainer; see instashap.load")
    CONTENT(content, "content")
    terms = content["terms"]
    _check_terms(terms)
    file = _measure(content)
    members = [Member("segments", "<i8", ("height", "width_of_images"), (filled, _numbered), file)]
    lines = [("net.", file, _NET + (_EMBED if file["rank"] else ()))]
    sizes = list(dict.fromkeys(map(len, terms)))
    for place, size in enumerate(sizes):
        scope = {**file, "n_of_size": sum(len(each) == size for each in terms), "n_joined": size}
        lines.append((f"net.net.heads.{place}.", scope, _HEAD + (_MIX if size > 1 else ())))
    lines += _expect_context(content["context"], file) if "context" in content else []
    return members + [
        Member(f"{prefix}{name}", "<f4", shape, (finite, *rules), scope)
        for prefix, scope, part in lines
        for name, shape, rules in part
    ]


def _expect_context(trunk: Mapping[str, Any], file: Scope) -> list[tuple[str, Scope, tuple[_Line, ...]]]:
    """Prefixes, sizes and lines of the arrays of a context net."""
    widths, stride = trunk["widths"], trunk["stride"]
    lines: list[tuple[str, Scope, tuple[_Line, ...]]] = [
        ("context.", {**file, "width": widths[-1]}, _CONTEXT),
        ("context.trunk.stem.", {**file, "width": widths[0], "side": 2 * stride + 1}, _STEM),
    ]
    if trunk.get("rank"):
        scope = {**file, "width": widths[-1], "rank": trunk["rank"]}
        lines.append(("context.interactions.", scope, _INTERACTIONS))
    for place, (before, width) in enumerate(pairwise((widths[0], *widths))):
        scope = {**file, "before": before, "width": width}
        lines.append((f"context.trunk.stages.{place}.", scope, _STAGE + (_SKIP if before != width else ())))
    return lines


def _measure(content: Mapping[str, Any]) -> Scope:
    shape, (n_modes, width, rank) = content["image_shape"], content["size"]
    n_players = 1 + max(max(each) for each in content["terms"])
    rank = rank if content["has_all_pairs"] else 0
    if not (1 <= n_modes <= 1000 and width >= 1):
        raise ValueError(f"content.size {content['size']} must be modes (1 to 1000), width (1 or more) and rank of a net")
    return {
        **{"height": shape[0], "width_of_images": shape[1], "n_channels": shape[2] if len(shape) == 3 else 1},
        **{"n_sets": len(content["terms"]), "n_modes": n_modes, "width": width, "rank": rank},
        **{"n_players": n_players, "n_paired": n_players if rank else 0, "n_outputs": len(content["output_names"])},
    }


def _check_terms(terms: Sequence[Sequence[int]]) -> None:
    """Require distinct terms with strictly increasing players, and a term for every single player."""
    if not all(a < b for term in terms for a, b in pairwise(term)) or len(set(map(tuple, terms))) < len(terms):
        raise ValueError("content.terms must be distinct sets of players in increasing order")
    alone = sorted(term[0] for term in terms if len(term) == 1)
    if alone != list(range(len(alone))) or max(max(term) for term in terms) >= len(alone):
        raise ValueError("content.terms must include a term for every single player")
