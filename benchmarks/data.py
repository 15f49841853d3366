"""Where the data lies: a folder the user names, ``shared`` beside the checkout, or a download; and the splits."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .runner import ROOT, Bench, Skipped

# Rows of the tree cover there are to train on; the others are held out.
N_COVER = 150_000


@dataclass(frozen=True)
class Split:
    """Rows and targets to fit and to judge on."""

    X_train: Any
    X_test: Any
    y_train: Any
    y_test: Any


def find_folder(bench: Bench) -> Path | None:
    """The folder of ``--data``, else of ``INSTASHAP_DATA``, else ``shared`` beside the checkout; None if there is none."""
    named = os.environ.get("INSTASHAP_DATA")
    folder = bench.folder or (Path(named) if named else ROOT.parent / "shared")
    return folder if folder.is_dir() else None


def load_bike(bench: Bench, n_train: int | None = None) -> Split:
    """Bike sharing: 12 columns and the day of the month, ``log1p(cnt)``; the paper's fifth held out.

    Parameters
    ----------
    n_train : int, optional
        Keep the first so many training rows; all rows are held out as ever.
    """
    from sklearn.model_selection import train_test_split

    from instashap.datasets import load_bike_sharing

    bike = _load(bench, load_bike_sharing, "bike_sharing_hour.parquet")
    X_train, X_test, y_train, y_test = train_test_split(bike.data, bike.target, test_size=0.2, random_state=0)
    return Split(X_train[:n_train], X_test, y_train[:n_train], y_test)


def load_california(bench: Bench) -> tuple[Any, NDArray[np.float64]]:
    """California housing: 8 columns of 20,640 block groups, and their house values."""
    from instashap.datasets import load_california_housing

    housing = _load(bench, load_california_housing, "california_housing.parquet")
    return housing.data, np.asarray(housing.target, dtype=np.float64)


def load_adult(bench: Bench, n_train: int | None = None) -> Split:
    """Adult census: 14 columns, eight of them categories; labels 1 for more than 50 000 dollars; the file's own split.

    Raises
    ------
    Skipped
        If the table is not there, or comes from a source without the split.
    """
    from instashap.datasets import load_adult as load

    adult = _load(bench, load, "adult_census.parquet")
    if adult.is_train is None:
        raise Skipped("the downloaded adult census lacks the original split; see --data")
    is_rich = (adult.target == ">50K").to_numpy().astype(int)
    train, test = np.flatnonzero(adult.is_train)[:n_train], np.flatnonzero(~adult.is_train)
    return Split(adult.data.iloc[train], adult.data.iloc[test], is_rich[train], is_rich[test])


def load_cover(bench: Bench, n_train: int) -> Split:
    """Tree cover: ten numbers, wilderness area and soil in four zones, seven classes.

    Up to 150 000 rows to train on, drawn once; all rows beyond those 150 000 are held out.
    """
    from instashap.datasets import load_covertype

    cover = _load(bench, load_covertype, "covertype_sample190538.parquet")
    ranked = np.random.default_rng(0).permutation(len(cover.data))
    train, test = ranked[:n_train], ranked[N_COVER:]
    return Split(cover.data.iloc[train], cover.data.iloc[test], cover.target.iloc[train], cover.target.iloc[test])


def load_reviews(bench: Bench) -> Any:
    """Sentences of film reviews (SST-2): ``sentence``, ``label`` and ``split`` (train, validation or test)."""
    import pandas as pd

    folder = find_folder(bench)
    places = [] if folder is None else [folder / "data" / "sst2.parquet", folder / "sst2.parquet"]
    found = next((each for each in places if each.is_file()), None)
    if found is None:
        raise Skipped("sst2.parquet is not in the data folder; name the folder that holds it with --data")
    return pd.read_parquet(found)


def _load(bench: Bench, load: Callable[..., Any], file_name: str) -> Any:
    """A data set from the data folder or its subfolder ``data``, else downloaded."""
    folder = find_folder(bench)
    places = [] if folder is None else [folder / "data", folder]
    try:
        return load(next((each for each in places if (each / file_name).is_file()), None))
    except FileNotFoundError as error:
        raise Skipped(f"{file_name} is neither in the data folder nor could it be downloaded; see --data") from error


def find_truth(bench: Bench) -> list[Path]:
    """Files of exact Shapley values, sorted by name."""
    folder = find_folder(bench)
    files = [] if folder is None else sorted((folder / "truth").glob("*.npz"))
    if not files:
        raise Skipped("there are no truth/*.npz files; name the folder that holds truth/ with --data")
    return files


def load_truth(path: Path, n_train: int | None = None) -> dict[str, Any]:
    """Arrays of a truth file, and its rows as tables with integer categories."""
    import pandas as pd

    with np.load(path, allow_pickle=False) as file:
        truth: dict[str, Any] = {name: file[name] for name in file.files}
    names = [str(name) for name in truth["feature_names"]]
    truth["categorical"] = [name for name, flag in zip(names, truth["is_categorical"], strict=True) if flag]
    for part in ("X_train", "X_test"):
        truth[part] = pd.DataFrame(truth[part], columns=names).astype(dict.fromkeys(truth["categorical"], "int64"))
    return {**truth, "X_train": truth["X_train"][:n_train], "f_train": truth["f_train"][:n_train]}


def compute_error(model: Any, split: Split) -> float:
    """Share of the held-out variance left unexplained, in percent: ``100 (1 - R²)``."""
    return 100.0 * (1.0 - float(model.score(split.X_test, split.y_test)))


def compute_fidelity(estimate: NDArray[np.float64], outputs: NDArray[np.float64]) -> float:
    """``R²`` of an estimate to a black box's outputs."""
    return 1.0 - float(np.sum((estimate - outputs) ** 2) / np.sum((outputs - outputs.mean()) ** 2))
