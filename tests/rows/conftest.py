"""One table of every common type, and the same rows as each kind of source."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyarrow", reason="row sources need pyarrow")

KINDS = ["file", "folder", "pattern", "dataset", "lazy frame", "relation", "function of frames", "function of batches"]


@pytest.fixture
def table() -> pd.DataFrame:
    """Numbers with gaps, integers, categories, text, booleans, and an output that depends on them."""
    return make_table()


def make_table() -> pd.DataFrame:
    """The same for fits that several tests share."""
    rng = np.random.default_rng(0)
    n = 600
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "rooms": rng.integers(0, 5, n),
            "kind": pd.Categorical(rng.choice(["flat", "house", "barn"], n)),
            "town": rng.choice(["north", "south"], n),
            "is new": rng.random(n) < 0.5,
        }
    )
    frame["price"] = predict(frame)
    frame.loc[::50, "size"] = np.nan
    return frame


def predict(frame: Any) -> Any:
    """A black box of two columns together and one alone."""
    return np.sin(frame["size"].fillna(0.0).to_numpy()) + frame["rooms"].to_numpy() * (frame["kind"] == "barn").to_numpy()


def write_parts(frame: pd.DataFrame, folder: Path, n_parts: int) -> Path:
    """The rows in so many Parquet files."""
    folder.mkdir()
    for number, places in enumerate(np.array_split(np.arange(len(frame)), n_parts)):
        frame.iloc[places].reset_index(drop=True).to_parquet(folder / f"{number:03d}.parquet")
    return folder


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[[pd.DataFrame, str], Any]:
    """Rows as a source of a kind; skips where its package is missing."""

    def make(frame: pd.DataFrame, kind: str) -> Any:
        import pyarrow as pa
        import pyarrow.dataset

        folder = tmp_path / "rows"
        if not folder.exists():
            write_parts(frame, folder, 7)
            frame.to_parquet(tmp_path / "one.parquet")
        pattern = str(folder / "*.parquet")
        if kind == "lazy frame":
            polars = pytest.importorskip("polars", reason="lazy frames need polars")
            if not hasattr(polars.LazyFrame, "collect_batches"):
                pytest.skip("this polars gives no batches of a LazyFrame")
            return polars.scan_parquet(pattern)
        if kind == "relation":
            return pytest.importorskip("duckdb", reason="relations need duckdb").connect().sql(f"select * from '{pattern}'")
        return {
            "file": tmp_path / "one.parquet",
            "folder": str(folder),
            "pattern": pattern,
            "dataset": pyarrow.dataset.dataset(folder),
            "function of frames": lambda: (frame.iloc[start : start + 90] for start in range(0, len(frame), 90)),
            "function of batches": lambda: iter(pa.Table.from_pandas(frame).to_batches(70)),
        }[kind]

    return make
