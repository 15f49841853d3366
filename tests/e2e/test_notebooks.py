"""The notebooks of the docs run as they stand, and show what their files hold."""

import gc
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The kernel's client leaves sockets to the garbage collector, which is called here: elsewhere their warning is an error.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NAMES = [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
NEEDED = {"shap_user": ["shap"], "production": ["pyarrow"]}


def load_runner() -> Any:
    spec = importlib.util.spec_from_file_location("run_notebooks", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kernel() -> Iterator[list[Any]]:
    for package in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(package)
    held: list[Any] = []
    with load_runner().start_kernel() as started:
        held.append(started)
        del started
        yield held
    held.clear()
    gc.collect()


@pytest.fixture(autouse=True)
def collect() -> Iterator[None]:
    yield
    gc.collect()


def read_text(notebook: Any) -> list[str]:
    """What each cell prints or returns as text, with every number replaced by a mark."""
    texts = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            shown = output.get("text") or output.get("data", {}).get("text/plain", "")
            texts.append(re.sub(r"[-−]?\d[\d.,]*(e[-+]?\d+)?", "#", " ".join("".join(shown).split())))
    return texts


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_and_shows_what_its_file_holds(name: str, kernel: list[Any]) -> None:
    for package in NEEDED.get(name, ()):
        pytest.importorskip(package)
    path = FOLDER / f"{name}.ipynb"
    held = json.loads(path.read_text(encoding="utf-8"))
    # Rules of a table made of text vary in width with its numbers.
    assert read_text(load_runner().run_notebook(path, kernel[0])) == read_text(held)


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_small_and_holds_no_path_and_no_error(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text) < 300_000
    assert not re.search(r"/(home|tmp|root|work|usr)/", text)
    assert all(output["output_type"] != "error" for cell in json.loads(text)["cells"] for output in cell.get("outputs", ()))


def test_there_are_five() -> None:
    assert NAMES == ["correlated", "gam", "production", "shap_user", "trust"]
