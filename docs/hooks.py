"""What MkDocs does not do by itself: pictures, a page for each public object, typeset formulas, the README as front page.

Named in ``mkdocs.yml``; ``python docs/hooks.py`` draws the pictures alone.
"""

import ast
import contextlib
import html as escapes
import inspect
import json
import os
import posixpath
import re
import tempfile
import warnings
from operator import attrgetter
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "gallery"
# Styles a picture is drawn in, by what its name ends in; the theme shows the one that fits.
STYLES = {"": "default", "-dark": "dark_background"}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
# Shown on the front page, which GitHub cannot do in the README.
_LIVE_REPORT = """## A report to try

A model of scikit-learn's diabetes data; the page works without a connection ([how it is written](report.md)).

<iframe src="images/gallery/report.html" title="A live report" loading="lazy"
style="width: 100%; height: 40rem; border: 1px solid #8884"></iframe>

"""
_ROLE = re.compile(r":(?:class|func|meth|mod):\s*<code>~?([\w.]+)</code>")
# What pymdownx.arithmatex makes of $…$ and $$…$$.
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL)


def on_startup(command: str, **_: Any) -> None:
    """While pages are edited (``mkdocs serve``) pictures are drawn once."""
    if command == "build" or not PICTURES.exists():
        draw_gallery()
        write_example_report()


def on_config(config: Any, **_: Any) -> None:
    """The menu of the reference: its index, then a page for each object."""
    for entry in config["nav"]:
        if entry.get("Reference") == "api.md":
            parts = [{part: [{_shorten(name): _find_page(name)} for name in names]} for part, names in group_names().items()]
            entry["Reference"] = ["api.md", *parts]


def on_files(files: Any, config: Any, **_: Any) -> None:
    """The pages of the reference, which mkdocstrings fills from the docstrings, and those of the notebooks."""
    from mkdocs.structure.files import File

    for path, text in {**make_reference(), **make_notebooks()}.items():
        files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the front page and the index of the reference; links to files outside ``docs`` become plain text."""
    uri = page.file.src_uri
    if uri == "index.md":
        head, tail = _relink((DOCS.parent / "README.md").read_text(encoding="utf-8"), "..").split("## Measured")
        return f"{head}{_LIVE_REPORT}## Measured{tail}"
    if uri == "api.md":
        markdown += list_names()
    return _relink(markdown, posixpath.dirname(uri))


def on_page_content(html: str, **_: Any) -> str:
    """Names that docstrings point to as Sphinx has it become links; formulas become MathML, which browsers draw."""
    html = _ROLE.sub(r'<autoref identifier="\1" optional><code>\1</code></autoref>', html)
    return _FORMULA.sub(_typeset, html)


def _typeset(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    typeset: str = convert(escapes.unescape(match[2]), display="block" if match[1] == "div" else "inline")
    if "\\" in typeset:
        raise ValueError(f"a command of this formula is unknown to latex2mathml: {match[2]}")
    return typeset


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


def group_names() -> dict[str, list[str]]:
    """Public names behind ``instashap.``, by part of the reference."""
    import instashap

    modules = [name for name in instashap.__all__ if inspect.ismodule(getattr(instashap, name))]
    names = [name for name in instashap.__all__ if name not in modules]
    errors = [name for name in names if _is_raised(getattr(instashap, name))]
    parts = {"instashap": [name for name in names if name not in errors]}
    for module in modules:
        own = getattr(getattr(instashap, module), "__all__", ())
        parts[f"instashap.{module}"] = [f"{module}.{name}" for name in own]
    return {**parts, "Errors and warnings": errors}


def make_reference() -> dict[str, str]:
    """Pages of the reference and their text."""
    return {_find_page(name): f"::: instashap.{name}\n" for names in group_names().values() for name in names}


def make_notebooks() -> dict[str, str]:
    """Pages of the notebooks and their text: Markdown, code, and what the code showed when it was run last."""
    pages = {}
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        heading, rest = "\n\n".join(map(_write_cell, cells)).replace(".ipynb)", ".md)").split("\n", 1)
        file = f"<a href='../{path.name}' download>This page as a notebook</a>"
        pages[f"notebooks/{path.stem}.md"] = f"{heading}\n\n{file}\n{rest}"
    return pages


def _write_cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *map(_write_output, cell["outputs"])])


def _write_output(output: dict[str, Any]) -> str:
    """One output of a cell: a picture, HTML, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f"<img alt='What the code above draws' src='data:image/png;base64,{picture}'>"
    if "text/html" in data:
        page = "".join(data["text/html"])
        return "<div>" + re.sub(r"\n\s*", " ", page) + "</div>"  # Markdown would take an empty line for the end of the HTML
    text = "".join(output.get("text") or data.get("text/plain", ""))
    return f"```text\n{text.rstrip()}\n```"


def list_names() -> str:
    """The index of the reference: every public name with the first line of its docstring."""
    import instashap

    text = ""
    for part, names in group_names().items():
        text += f"\n## {part}\n\n"
        for name in names:
            first = (inspect.getdoc(attrgetter(name)(instashap)) or "").split("\n", 1)[0].replace("``", "`")
            text += f"- [`{_shorten(name)}`]({_find_page(name)}): {first}\n"
    return text


def _find_page(name: str) -> str:
    return f"api/{name}.md"


def _shorten(name: str) -> str:
    return name.rpartition(".")[2]


def _is_raised(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


def draw_gallery() -> None:
    """Run the scripts of the gallery: what comes before a plot once, also where scripts share it, the plot in each style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    PICTURES.mkdir(parents=True, exist_ok=True)
    prepared: dict[str, dict[str, Any]] = {}
    for script in sorted((DOCS / "gallery").glob("*.py")):
        before, drawing = split_script(script.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            if before not in prepared:
                prepared[before] = _run(before, {}, Path(folder))
            for ending, style in STYLES.items():
                with plt.style.context([style, {"savefig.dpi": 110}]):
                    _run(drawing, prepared[before], Path(folder))
                plt.close("all")
                (PICTURES / f"{script.stem}{ending}.png").write_bytes((Path(folder) / f"{script.stem}.png").read_bytes())


def split_script(source: str) -> tuple[str, str]:
    """A script's lines before its plot, the first statement that names ``ax``, and the others."""
    start = next(node.lineno for node in ast.parse(source).body if re.match(r"ax\b", ast.unparse(node))) - 1
    lines = source.splitlines(keepends=True)
    return "".join(lines[:start]).strip(), "".join(lines[start:])


def write_example_report() -> None:
    """The live report that the site embeds."""
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import train_test_split

    import instashap

    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
    model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, random_state=0).fit(X_train, y_train)
    explainer = instashap.Explainer(model, synthetic_rows=0).fit(X_test)
    instashap.write_report(explainer, X_test, y_test, str(PICTURES / "report.html"), title="Progression of diabetes")


def _run(source: str, names: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run lines that may write a picture where they stand; the given names and those that the lines define."""
    before = os.getcwd()
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("error")  # a gallery that warns teaches to ignore warnings
        os.chdir(folder)
        stack.callback(os.chdir, before)
        names = {"__name__": "__main__", **names}
        exec(source, names)
    return names


if __name__ == "__main__":
    draw_gallery()
    write_example_report()
