"""A small explainer with a text column, served."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=400), "town": rng.choice(["north", "south"], 400), "b": rng.normal(size=400)})
    frame.loc[:30, "a"] = np.nan
    frame.loc[5:20, "town"] = None
    return frame


@pytest.fixture(scope="session")
def served(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> instashap.Explainer:
    outputs = rows["a"].fillna(2.0) * (rows["town"] == "north") + rows["b"]
    path = tmp_path_factory.mktemp("served") / "served.insta"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        instashap.Explainer(order=2, presence_order=2).fit(rows, outputs=outputs).save(path, errors=True)
    return instashap.load(path)


@pytest.fixture(scope="session")
def client(served: instashap.Explainer, rows: pd.DataFrame) -> Any:
    from fastapi.testclient import TestClient

    from instashap.server import Limits, make_app

    limits = Limits(max_rows=1000, max_bytes=200_000, timeout=20.0)
    return TestClient(make_app(served, rows, limits=limits, title="Served"), raise_server_exceptions=False)
