"""What MkDocs does not do by itself: draw the gallery, list the public names, take the README as front page.

Named in ``mkdocs.yml``; ``python docs/hooks.py`` draws the gallery alone.
"""

import contextlib
import os
import posixpath
import re
import runpy
import tempfile
import warnings
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "gallery"
# Styles a picture is drawn in, by what its name ends in; the theme shows the one that fits.
STYLES = {"": "default", "-dark": "dark_background"}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")

_ROLE = re.compile(r":(?:class|func|meth|mod):\s*<code>~?([\w.]+)</code>")


def on_startup(command: str, **_: Any) -> None:
    """While pages are edited (``mkdocs serve``) pictures are drawn once."""
    if command == "build" or not PICTURES.exists():
        draw_gallery()


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the front page and the reference; links to files outside ``docs`` become plain text."""
    uri = page.file.src_uri
    if uri == "index.md":
        return _relink((DOCS.parent / "README.md").read_text(encoding="utf-8"), "..")
    if uri == "api.md":
        markdown += list_names()
    return _relink(markdown, posixpath.dirname(uri))


def on_page_content(html: str, **_: Any) -> str:
    """Names that docstrings point to as Sphinx has it become links."""
    return _ROLE.sub(r'<autoref identifier="\1" optional><code>\1</code></autoref>', html)


def _relink(markdown: str, folder: str) -> str:
    """Links as seen from ``docs``, of text that stood in a folder (relative to ``docs``)."""

    def replace(match: re.Match[str]) -> str:
        mark, text, path, anchor = match[1], match[2], match[3], match[4] or ""
        target = posixpath.normpath(posixpath.join("docs", folder, path))
        if not target.startswith("docs/"):
            return text
        start = posixpath.normpath(posixpath.join("docs", folder if folder != ".." else ""))
        return f"{mark}[{text}]({posixpath.relpath(target, start)}{anchor})"

    return _LINK.sub(replace, markdown)


def list_names() -> str:
    """The reference: every public name, as mkdocstrings takes it."""
    import instashap

    modules = [name for name in instashap.__all__ if type(getattr(instashap, name)).__name__ == "module"]
    names = [name for name in instashap.__all__ if name not in modules]
    errors = [name for name in names if isinstance(getattr(instashap, name), type) and _is_raised(getattr(instashap, name))]
    parts = {"instashap": [name for name in names if name not in errors], "Errors and warnings": errors}
    text = "".join(f"\n## {title}\n\n" + "".join(f"::: instashap.{name}\n\n" for name in own) for title, own in parts.items())
    for module in modules:
        own = getattr(getattr(instashap, module), "__all__", ())
        text += f"\n## instashap.{module}\n\n" + "".join(f"::: instashap.{module}.{name}\n\n" for name in own)
    return text


def _is_raised(kind: type) -> bool:
    return issubclass(kind, (Exception, Warning))


def draw_gallery() -> None:
    """Run the scripts of the gallery, once for each style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    PICTURES.mkdir(parents=True, exist_ok=True)
    for script in sorted((DOCS / "gallery").glob("*.py")):
        for ending, style in STYLES.items():
            with plt.style.context([style, {"savefig.dpi": 110}]), tempfile.TemporaryDirectory() as folder:
                _run(script, Path(folder))
                (PICTURES / f"{script.stem}{ending}.png").write_bytes((Path(folder) / f"{script.stem}.png").read_bytes())
            plt.close("all")


def _run(script: Path, folder: Path) -> None:
    """Run a script that writes its picture where it stands."""
    before = os.getcwd()
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("error")  # a gallery that warns teaches to ignore warnings
        os.chdir(folder)
        stack.callback(os.chdir, before)
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    draw_gallery()
