"""A fitted explainer of every kind of column, its report, and a browser to read it with."""

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap


def _make_table(n_rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    smooth = rng.normal(size=n_rows)
    smooth[rng.random(n_rows) < 0.1] = np.nan
    spiked = np.where(rng.random(n_rows) < 0.3, 0.0, rng.gamma(2.0, 10.0, n_rows))
    town = rng.choice(["north", "south", "east </script>"], n_rows).astype(object)
    town[:1], town[1:8] = "a rare place", None
    return pd.DataFrame(
        {
            "smooth": smooth,
            "spiked": spiked,
            "rooms": rng.integers(1, 7, n_rows),
            "town": town,
            "is_new": pd.Series(rng.random(n_rows) < 0.4, dtype="category"),
            "=long name of a column that no phone can show on a single line": rng.uniform(-1, 1, n_rows),
        }
    )


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    return _make_table()


@pytest.fixture(scope="session")
def explainer(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> instashap.Explainer:
    """As loaded from a file: with standard errors, residuals and a short audit."""
    smooth, last = table["smooth"].fillna(-1.0), table.iloc[:, -1]
    first = np.sin(smooth) + smooth * table["rooms"] / 4 + (table["town"] == "north") * last + (table["spiked"] == 0)
    second = np.exp(-smooth) * (table["is_new"] == True) + table["spiked"] / 20  # noqa: E712
    offered = [("smooth", "rooms"), ("town", "smooth"), ("is_new", "smooth"), ("rooms", "spiked"), ("smooth", "rooms", "town")]
    outputs = pd.DataFrame({"price": first, "days <to> sell": second})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        made = instashap.Explainer(order=3, presence_order=3, interactions=offered, groups={"house": ["rooms", "is_new"]})
        path = tmp_path_factory.mktemp("saved") / "houses.insta"
        made.fit(table, outputs=outputs).save(path)
    return instashap.load(path)


@pytest.fixture(scope="session")
def report(explainer: instashap.Explainer, table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    return instashap.write_report(explainer, table, path=path, title="Houses & <homes>")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright, which is not installed")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no browser: install Debian's chromium to test the page")
    with playwright.sync_playwright() as started:
        # Containers run as root, where Chromium refuses its sandbox; the page tested is our own file.
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors and warnings of the pages opened, and their requests to the network."""
    return []


@pytest.fixture
def open_page(browser: Any, request: pytest.FixtureRequest, complaints: list[str]) -> Iterator[Any]:
    contexts = []

    def open_report(path: Path | None = None, link: str = "", **options: Any) -> Any:
        path = path or request.getfixturevalue("report")
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri() + link)
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert complaints == []
