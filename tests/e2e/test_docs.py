"""The Python of the guides runs as it stands, and prints what their comments say."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def find_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def run(code: str, name: str) -> list[str]:
    """What code prints, line by line; packages it imports that are missing skip the test."""
    for package in re.findall(r"^(?:import|from) (\w+)", code, flags=re.MULTILINE):
        pytest.importorskip(package)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {})
    return printed.getvalue().splitlines()


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize("name", ["games.md", "refine.md", "rows.md"])
def test_guide_runs_and_prints_what_it_says(name: str) -> None:
    code = "\n".join(find_blocks(name))
    promised = re.findall(r"^print\(.*\)  # (True|\[[^\]]*\])", code, flags=re.MULTILINE)
    assert run(code, name) == promised


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize("number", range(1, len(find_blocks("models.md"))))
def test_every_kind_of_model_is_explained_as_the_guide_says(number: int) -> None:
    rows, *examples = find_blocks("models.md")
    example = examples[number - 1]
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", example, flags=re.MULTILINE)
    assert run(f"{rows}\n{example}", "models.md") == promised
