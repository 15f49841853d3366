"""The Python of the guides runs as it stands, and prints what their comments say."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from instashap.fits import synthetic_fit

DOCS = Path(__file__).parents[2] / "docs"
SLOW = {"big-data.md", "fastshap.md", "ebm.md", "time-series.md"}
GUIDES = [
    *("big-data.md", "classify.md", "cluster.md", "ebm.md", "fastshap.md", "from-shap.md", "gam.md", "games.md", "neural.md"),
    *("purify.md", "refine.md", "rows.md", "text.md", "time-series.md", "vision.md", "which-game.md", "../README.md"),
]


def find_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def run(code: str, name: str) -> list[str]:
    """What code prints, line by line; packages it imports that are missing skip the test."""
    for package in re.findall(r"^(?:import|from) (\w+)", code, flags=re.MULTILINE):
        pytest.importorskip(package)
    if "instashap.plots" in code:
        pytest.importorskip("matplotlib")
    if "instashap.neural" in code or "ImageExplainer" in code:
        pytest.importorskip("torch")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {})
    return printed.getvalue().splitlines()


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:shap.*")
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in GUIDES])
def test_guide_runs_and_prints_what_it_says(name: str) -> None:
    code = "\n".join(find_blocks(name))
    promised = re.findall(r"^print\(.*\)  # (True|\[[^\]]*\])", code, flags=re.MULTILINE)
    assert run(code, name) == promised


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize("number", range(1, len(find_blocks("models.md"))))
def test_every_kind_of_model_is_explained_as_the_guide_says(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_fit, "N_ROWS", 2048)  # any number will do for the kinds of models
    rows, *examples = find_blocks("models.md")
    example = examples[number - 1]
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", example, flags=re.MULTILINE)
    assert run(f"{rows}\n{example}", "models.md") == promised


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_five_minutes_run_as_written_and_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of text shows what the Python above it prints; figures may differ in their digits."""
    pytest.importorskip("matplotlib")
    import matplotlib.pyplot as plt

    def mask(text: str) -> str:
        return re.sub(r"-?[\d.]+", "#", " ".join(text.split()))

    monkeypatch.chdir(tmp_path)
    page, namespace, printed = (DOCS / "quickstart.md").read_text(encoding="utf-8"), {}, ""
    shown = 0
    for kind, block in re.findall(r"```(python|text)\n(.*?)```", page, flags=re.DOTALL):
        if kind == "text":
            assert mask(block) == mask(printed)
            shown += 1
            continue
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, "quickstart.md", "exec"), namespace)
        printed = out.getvalue()
        assert [line for line in printed.splitlines() if line in ("True", "False")] == re.findall(
            r"^print.*# (True)$", block, re.M
        )
    plt.close("all")
    assert shown == 3


def test_every_plot_has_a_picture_in_the_gallery_and_its_script_beside_it() -> None:
    from instashap import plots

    scripts = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "gallery").glob("*.py")}
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert set(re.findall(r'--8<-- "docs/gallery/(\w+)\.py"', page)) == set(scripts)
    for name, code in scripts.items():
        assert f"(images/gallery/{name}.png#only-light)" in page
        assert f"(images/gallery/{name}-dark.png#only-dark)" in page
        assert f'savefig("{name}.png")' in code
    drawn = set(re.findall(r"plots\.(plot_\w+)\(", "\n".join(scripts.values())))
    assert drawn == set(plots.__all__)


def test_every_page_is_in_the_sites_menu() -> None:
    menu = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:")[1]
    pages = [path.relative_to(DOCS).as_posix() for path in (*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"))]
    pages = sorted(page.replace(".ipynb", ".md") for page in pages)  # notebooks are pages of the site
    assert sorted(re.findall(r": ([\w/-]+\.md)$", menu, flags=re.MULTILINE)) == pages


def test_the_site_keeps_links_within_docs_and_makes_text_of_others() -> None:
    import runpy
    from types import SimpleNamespace

    hooks = runpy.run_path(str(DOCS / "hooks.py"))

    def render(uri: str, markdown: str) -> str:
        return hooks["on_page_markdown"](markdown, SimpleNamespace(file=SimpleNamespace(src_uri=uri)))

    assert (
        render("drift.md", "[a](fit.md#b) [c](../benchmarks/README.md) [d](https://e.f)") == "[a](fit.md#b) c [d](https://e.f)"
    )
    front = render("index.md", "")
    assert "[quick start](quickstart.md)" in front
    assert "(images/readme.png)" in front
    assert "](benchmarks/" not in front
    assert "](docs/" not in front
    assert front.index('<iframe src="images/gallery/report.html"') < front.index("## Measured")
    index, pages = render("api.md", ""), hooks["make_reference"]()
    assert pages["api/Explainer.md"] == "::: instashap.Explainer\n"
    assert pages["api/plots.plot_strip.md"] == "::: instashap.plots.plot_strip\n"
    assert set(re.findall(r"\]\((api/[\w.]+\.md)\)", index)) == set(pages)


def test_figures_are_those_of_committed_results() -> None:
    import runpy

    made = runpy.run_path(str(DOCS / "measured.py"))
    page, readme = (path.read_text(encoding="utf-8") for path in (DOCS / "measured.md", DOCS.parent / "README.md"))
    assert page == made["write_page"]()
    assert made["write_short"]() in readme
    assert len(readme.split()) <= 500
    bike = json.loads((DOCS.parent / "benchmarks" / "results" / "bike.json").read_text(encoding="utf-8"))
    assert f" · {bike['figures']['order 2: error']['figure']:.2f} · " in readme


def test_formulas_become_mathml() -> None:
    import runpy

    pytest.importorskip("latex2mathml")
    typeset = runpy.run_path(str(DOCS / "hooks.py"))["on_page_content"]
    page = typeset('<p>a <span class="arithmatex">\\(x &lt; 1\\)</span></p><div class="arithmatex">\\[\ny\n\\]</div>')
    assert "arithmatex" not in page
    assert re.sub(r"<[^>]*>", "", page) == "a x&#x0003C;1y"
    assert 'display="block"' in page
    with pytest.raises(ValueError, match="unknown to latex2mathml"):
        typeset('<span class="arithmatex">\\(\\nosuchcommand{x}\\)</span>')


@pytest.mark.parametrize(
    "path", [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md", DOCS.parent / "SECURITY.md"], ids=lambda path: path.stem
)
def test_pages_use_the_verbs_of_the_field(path: Path) -> None:
    """Functions explain, predict, report, measure; what a program prints is quoted in blocks or in italics."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\*\"[^*]*\"\*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"\b(?:foretells?|tells?|told|speaks?|speaking|carr(?:y|ies)|wanders?|climbs?|insists?)\b", text)
