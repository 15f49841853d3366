"""Real tables: a local Parquet file, or a download through scikit-learn and its cache."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import require

FOLDER_VARIABLE = "INSTASHAP_DATA"


_BIKE_COLUMNS = [
    *("season", "yr", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed", "day"),
]


_BIKE_SCALES = {"temp": 41.0, "atemp": 50.0, "windspeed": 67.0}


_WILDERNESS = ["Rawah", "Neota", "Comanche Peak", "Cache la Poudre"]


# First and last soil type of each of the four zones into which the paper merges the forty types.
_SOIL_ZONES = {"types 1-6": (1, 6), "types 7-18": (7, 18), "types 19-34": (19, 34), "types 35-40": (35, 40)}


def load_bike_sharing(folder: str | os.PathLike[str] | None = None) -> Any:
    """Hourly bike rentals of Washington, D.C., 2011 and 2012: 17,379 rows, 13 features, target ``log1p(cnt)``.

    Columns: season (1 = winter, from 21 December, … 4 = autumn), yr (0 = 2011, 1), mnth, hr, holiday, weekday (0 = Sunday),
    workingday, weathersit (1 clear … 4 heavy rain or snow), temp (°C / 41), atemp (°C / 50), hum (share), windspeed (/ 67),
    and ``day``, the day of the month. All are numbers.

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``bike_sharing_hour.parquet`` (the original ``hour.csv`` as Parquet, with ``dteday`` and ``cnt``).
        Default: the environment variable ``INSTASHAP_DATA``; without it, a download.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame), ``target`` (Series, natural logarithm of one plus the rentals in the hour), ``feature_names``,
        ``description``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.
    ValueError
        If the downloaded table is not the one described below.

    Notes
    -----
    The download is OpenML's ``Bike_Sharing_Demand``, version 2. It has the same hours in the same order, under other names
    (``year``, ``month``, ``hour``, ``weather``, ``feel_temp``, ``humidity``, ``count``), text for season (where "spring" is
    code 1), weather and the two yes/no columns, unscaled temperatures and wind, and **no date**. Names, codes and scales are
    mapped back here. The day of the month is recovered by counting changes of the weekday from 1 January 2011, which is exact
    because every one of the 731 days has rows; another count raises.

    Source: H. Fanaee-T, J. Gama, "Event labeling combining ensemble detectors and background knowledge", Progress in
    Artificial Intelligence, 2013, doi:10.1007/s13748-013-0040-3. Licence CC BY 4.0.

    Examples
    --------
    >>> bike = load_bike_sharing()  # doctest: +SKIP
    >>> bike.data.shape  # doctest: +SKIP
    (17379, 13)
    """
    file_name = "bike_sharing_hour.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        frame = _restore_bike(_fetch_openml("Bike_Sharing_Demand", 2, file_name))
    pandas = import_module("pandas")
    data = frame.assign(day=pandas.to_datetime(frame["dteday"]).dt.day)[_BIKE_COLUMNS]
    data = data.astype({name: "int64" for name in data.columns if data[name].dtype.kind in "iu"})
    target = np.log1p(frame["cnt"].astype("float64")).rename("log1p_cnt")
    return _make_bunch(data, target, "Bike sharing, hourly, Washington, D.C., 2011-2012; target log1p(rentals). CC BY 4.0.")


def load_covertype(folder: str | os.PathLike[str] | None = None) -> Any:
    """Forest cover types from maps: 12 features, target 1 … 7.

    Ten integer columns as published; ``Wilderness_Area`` (category of 4) from four one-hot columns; ``Soil_Zone`` (category
    of 4) from forty: soil types 1-6, 7-18, 19-34 and 35-40, as in the paper's experiment.

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``covertype_sample190538.parquet``. Default: the environment variable ``INSTASHAP_DATA``; without
        it, a download (scikit-learn's ``fetch_covtype``).

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame), ``target`` (Series, 1 Spruce/Fir, 2 Lodgepole Pine, 3 Ponderosa Pine, 4 Cottonwood/Willow,
        5 Aspen, 6 Douglas-fir, 7 Krummholz), ``feature_names``, ``description``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.
    ValueError
        If a row does not belong to exactly one wilderness area and one soil type.

    Notes
    -----
    The two sources differ in rows: the local file is a random sample of 190,538, the download is the full 581,012. Scores on
    the sample are not comparable with published ones on the full set.

    Source: J. A. Blackard, D. J. Dean, Computers and Electronics in Agriculture 24, 1999; doi:10.24432/C50K5N. Licence
    CC BY 4.0, copyright Jock A. Blackard and Colorado State University.

    Examples
    --------
    >>> covertype = load_covertype()  # doctest: +SKIP
    >>> covertype.data.shape  # doctest: +SKIP
    (581012, 12)
    """
    file_name = "covertype_sample190538.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        fetch = import_module("sklearn.datasets").fetch_covtype
        frame = _download(lambda: fetch(as_frame=True).frame, "the cover types", file_name)
    pandas = import_module("pandas")
    data = frame.iloc[:, :10].astype("int64")
    wilderness = np.array(_WILDERNESS, dtype=object)[_read_one_hot(frame, "Wilderness_Area", 4)]
    data["Wilderness_Area"] = pandas.Categorical(wilderness, categories=_WILDERNESS)
    last_types = [last for _, last in _SOIL_ZONES.values()]
    zones = np.searchsorted(last_types, _read_one_hot(frame, "Soil_Type", 40) + 1)
    data["Soil_Zone"] = pandas.Categorical.from_codes(zones, categories=list(_SOIL_ZONES))
    target = frame["Cover_Type"].astype("int64")
    return _make_bunch(data, target, f"Forest cover types, {len(data)} rows; soil in four zones. CC BY 4.0.")


def load_adult(folder: str | os.PathLike[str] | None = None) -> Any:
    """Adult census income: 48,842 rows, 14 features, target ``"<=50K"`` or ``">50K"``.

    Six integer columns and eight categories; unknown entries (``"?"`` in the original) are missing.

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``adult_census.parquet`` (target ``income``; a column ``split`` of "train" and "test" is optional).
        Default: the environment variable ``INSTASHAP_DATA``; without it, a download.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame), ``target`` (Series of text), ``feature_names``, ``description``, and ``is_train``: bool ndarray
        of shape (n_rows,), True for the rows of the original training file, or None where the source does not say.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.

    Notes
    -----
    The download is OpenML's ``adult``, version 2: the same rows without the original split, so ``is_train`` is None. Its row
    order need not be that of the local file.

    Source: B. Becker, R. Kohavi, "Adult", UCI Machine Learning Repository, 1996, doi:10.24432/C5XW20. Licence CC BY 4.0.

    Examples
    --------
    >>> adult = load_adult()  # doctest: +SKIP
    >>> adult.data.shape  # doctest: +SKIP
    (48842, 14)
    """
    file_name = "adult_census.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        frame = _fetch_openml("adult", 2, file_name).rename(columns={"class": "income"})
    is_train = (frame["split"] == "train").to_numpy(dtype=bool) if "split" in frame else None
    data = frame.drop(columns=["income", "split"], errors="ignore")
    for name in data.columns:
        kind = data[name].dtype.kind
        # Conversion to object first, so that text, and categories in the order of a file, become the same sorted categories.
        data[name] = data[name].astype("int64") if kind in "iuf" else data[name].astype(object).astype("category")
    target = frame["income"].astype(object)
    return _make_bunch(data, target, "Adult census income, United States 1994. CC BY 4.0.", is_train=is_train)


def load_california_housing(folder: str | os.PathLike[str] | None = None) -> Any:
    """House values of 20,640 Californian block groups in 1990: 8 features, target in units of 100,000 US dollars.

    Columns as in scikit-learn's ``fetch_california_housing``: MedInc (10,000 US dollars), HouseAge (years), AveRooms,
    AveBedrms (per household), Population, AveOccup (persons per household), Latitude, Longitude (degrees).

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``california_housing.parquet`` (the original counts per block group; averages are computed here).
        Default: the environment variable ``INSTASHAP_DATA``; without it, a download (``fetch_california_housing``).

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame of float64), ``target`` (Series ``MedHouseVal``, capped at 5.00001), ``feature_names``,
        ``description``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.

    Notes
    -----
    Source: R. K. Pace, R. Barry, "Sparse Spatial Autoregressions", Statistics & Probability Letters 33, 1997. No licence is
    stated with the data.

    Examples
    --------
    >>> housing = load_california_housing()  # doctest: +SKIP
    >>> housing.data.shape  # doctest: +SKIP
    (20640, 8)
    """
    file_name = "california_housing.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        fetch = import_module("sklearn.datasets").fetch_california_housing
        frame = _download(lambda: fetch(as_frame=True).frame, "California housing", file_name)
    else:
        frame = _average_housing(frame)
    description = "California housing, block groups of the 1990 census; target in 100,000 US dollars. No licence stated."
    return _make_bunch(frame.drop(columns="MedHouseVal"), frame["MedHouseVal"], description)


def _average_housing(frame: Any) -> Any:
    """Counts per block group as averages per household, under scikit-learn's names and in its order."""
    columns = {
        "MedInc": frame["medianIncome"],
        "HouseAge": frame["housingMedianAge"],
        "AveRooms": frame["totalRooms"] / frame["households"],
        "AveBedrms": frame["totalBedrooms"] / frame["households"],
        "Population": frame["population"],
        "AveOccup": frame["population"] / frame["households"],
        "Latitude": frame["latitude"],
        "Longitude": frame["longitude"],
        "MedHouseVal": frame["medianHouseValue"] / 100_000.0,
    }
    return import_module("pandas").DataFrame(columns).astype("float64")


def _restore_bike(frame: Any) -> Any:
    """OpenML's bike table under the original names, codes and scales, with the date recovered."""
    names = {"year": "yr", "month": "mnth", "hour": "hr", "weather": "weathersit", "feel_temp": "atemp"}
    frame = frame.rename(columns={**names, "humidity": "hum", "count": "cnt"})
    codes = {
        "season": {"spring": 1, "summer": 2, "fall": 3, "winter": 4},
        "weathersit": {"clear": 1, "misty": 2, "rain": 3, "heavy_rain": 4},
        "holiday": {"False": 0, "True": 1},
        "workingday": {"False": 0, "True": 1},
    }
    # Through text: the yes/no columns come as text or as booleans, depending on the parser.
    frame = frame.assign(**{name: frame[name].astype(str).map(table).astype("int64") for name, table in codes.items()})
    # The original has at most four decimals; without rounding the quotients would miss them by an ulp.
    frame = frame.assign(**{name: (frame[name] / scale).round(4) for name, scale in _BIKE_SCALES.items()})
    integers = dict.fromkeys(("yr", "mnth", "hr", "weekday", "cnt"), "int64")
    return frame.astype(integers).assign(dteday=_count_days(frame["weekday"].to_numpy()))


def _count_days(weekdays: NDArray[Any]) -> NDArray[np.datetime64]:
    """Date of each row, from the changes of the weekday in rows ordered by time."""
    days = np.concatenate([[0], np.cumsum(weekdays[1:] != weekdays[:-1])])
    if days[-1] != 730:
        raise ValueError(
            f"by its weekdays the downloaded bike table has {days[-1] + 1} days, expected 731: its rows are not in the order "
            "of time; use folder= with bike_sharing_hour.parquet"
        )
    return np.datetime64("2011-01-01") + days.astype("timedelta64[D]")


def _read_one_hot(frame: Any, prefix: str, n_levels: int) -> NDArray[np.int64]:
    """Position of the one in each row among the columns that start with ``prefix``."""
    names = [name for name in frame.columns if name.startswith(prefix)]
    block = frame[names].to_numpy()
    if block.shape[1] != n_levels or not (block.sum(axis=1) == 1).all():
        raise ValueError(f"expected {n_levels} columns {prefix}… with a single 1 in each row, got {len(names)} columns")
    return np.asarray(block.argmax(axis=1), dtype=np.int64)


def _read_local(folder: str | os.PathLike[str] | None, file_name: str) -> Any:
    """The table in ``folder``, or in the folder that the environment variable names; None if neither is given."""
    place = folder if folder is not None else os.environ.get(FOLDER_VARIABLE) or None
    if place is None:
        return None
    path = Path(place) / file_name
    if not path.is_file():
        source = "folder=" if folder is not None else FOLDER_VARIABLE
        raise FileNotFoundError(
            f"{str(path)!r} does not exist ({source} names the folder); put {file_name} there, "
            f"or give no folder and unset {FOLDER_VARIABLE} to download the data"
        )
    require("pyarrow", extra="cli", purpose="Parquet files")
    return import_module("pandas").read_parquet(path, engine="pyarrow")


def _fetch_openml(name: str, version: int, file_name: str) -> Any:
    fetch = import_module("sklearn.datasets").fetch_openml
    return _download(lambda: fetch(name, version=version, as_frame=True, parser="auto").frame, name, file_name)


def _download(fetch: Callable[[], Any], title: str, file_name: str) -> Any:
    """The fetched table; if the connection fails, the error names the alternative to a download."""
    try:
        return fetch()
    except OSError as error:
        raise FileNotFoundError(
            f"{title} could not be downloaded ({error}); connect, or put {file_name} in a folder and pass folder=, "
            f"or name the folder in the environment variable {FOLDER_VARIABLE}"
        ) from error


def _make_bunch(data: Any, target: Any, description: str, **more: Any) -> Any:
    names = [str(name) for name in data.columns]
    return import_module("sklearn.utils").Bunch(data=data, target=target, feature_names=names, description=description, **more)
