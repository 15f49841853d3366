"""The Python of the guides runs as it stands, and prints what their comments say."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize("name", ["games.md", "refine.md"])
def test_guide_runs_and_prints_what_it_says(name: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    code = "\n".join(blocks)
    promised = re.findall(r"^print\(.*\)  # (True|\[[^\]]*\])", code, flags=re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {})
    assert promised == printed.getvalue().splitlines()
