"""The same rows in every container: the same explainer and the same Shapley values, to the last bit."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from instashap import AdditiveRegressor, Explainer

pl = pytest.importorskip("polars")
RNG = np.random.default_rng(0)
N = 400
NUMBERS = RNG.normal(size=(N, 3))
NUMBERS[::17, 1] = np.nan
COUNTS = RNG.integers(0, 50, N).astype(float)
COUNTS[::13] = np.nan
FLAGS = np.where(RNG.random(N) < 0.1, None, RNG.integers(0, 2, N).astype(bool))
TOWNS = np.where(RNG.random(N) < 0.1, None, RNG.choice(["north", "south", "east"], N))
OUTPUTS = NUMBERS[:, 0] + np.nan_to_num(NUMBERS[:, 1]) * (TOWNS == "north") + np.nan_to_num(COUNTS) / 50 + (FLAGS == True)  # noqa: E712

FRAME = pd.DataFrame({"a": NUMBERS[:, 0], "b": NUMBERS[:, 1], "count": COUNTS, "flag": FLAGS, "town": TOWNS})
COLUMNS: dict[str, list[Any]] = {
    "a": NUMBERS[:, 0].tolist(),
    "b": [None if value != value else value for value in NUMBERS[:, 1].tolist()],
    "count": [None if value != value else int(value) for value in COUNTS.tolist()],
    "flag": FLAGS.tolist(),
    "town": TOWNS.tolist(),
}
TYPES = {"a": pa.float64(), "b": pa.float64(), "count": pa.int64(), "flag": pa.bool_(), "town": pa.string()}
ARROW = pa.table(COLUMNS, schema=pa.schema(TYPES))


class Stream:
    """A table that only exports an Arrow stream, as DuckDB's relations and others do."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return ARROW.__arrow_c_stream__(requested_schema)


class Relation(Stream):
    """One with a length that is indexed by column."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise TypeError("indexed by one column name")
        return ARROW[name]


class Interchange:
    """A table that only speaks the dataframe interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return ARROW.__dataframe__(nan_as_null, allow_copy)


WHOLE = (Stream, Interchange)  # cannot be cut into batches of rows

CONTAINERS: dict[str, Callable[[], Any]] = {
    "pandas nullable": lambda: FRAME.convert_dtypes(),
    "pandas on Arrow": lambda: FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "pandas categorical": lambda: FRAME.astype({"town": "category"}),
    "pandas objects": lambda: FRAME.astype(object),
    "pandas Int8 and float32": lambda: FRAME.astype({"count": "Int8", "flag": "float32"}),
    "polars": lambda: pl.DataFrame(COLUMNS, strict=False),
    "polars categorical": lambda: pl.DataFrame(COLUMNS, schema_overrides={"town": pl.Categorical}, strict=False),
    "polars enum": lambda: pl.DataFrame(COLUMNS, schema_overrides={"town": pl.Enum(["west", "east", "south", "north"])}),
    "arrow": lambda: ARROW,
    "arrow in chunks": lambda: pa.concat_tables([ARROW.slice(0, 150), ARROW.slice(150)]),
    "arrow dictionary": lambda: ARROW.set_column(4, "town", ARROW["town"].dictionary_encode()),
    "arrow batch": lambda: ARROW.combine_chunks().to_batches()[0],
    "stream": Stream,
    "relation": Relation,
    "interchange": Interchange,
}


@pytest.fixture(scope="module")
def plain() -> Explainer:
    return Explainer(order=2).fit(FRAME, outputs=OUTPUTS)


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_of_named_columns_gives_the_same_bits(name: str, plain: Explainer) -> None:
    X = CONTAINERS[name]()
    explainer = Explainer(order=2).fit(X, outputs=OUTPUTS)
    assert explainer.feature_names_ == plain.feature_names_
    assert explainer.terms_ == plain.terms_
    assert np.array_equal(explainer.shap_values(X), plain.shap_values(FRAME))
    assert np.array_equal(plain.shap_values(X), plain.shap_values(FRAME))
    assert explainer.expected_value == plain.expected_value
    assert list(explainer(X).data[:, 4]) == list(plain(FRAME).data[:, 4])


@pytest.fixture(scope="module")
def regressor() -> AdditiveRegressor:
    return AdditiveRegressor(order=1).fit(FRAME, OUTPUTS)


@pytest.mark.parametrize("name", CONTAINERS)
def test_an_additive_regressor_reads_every_container_alike(name: str, regressor: AdditiveRegressor) -> None:
    X = CONTAINERS[name]()
    assert np.array_equal(regressor.predict(X), regressor.predict(FRAME))
    assert np.array_equal(regressor.shap_values(X), regressor.shap_values(FRAME))
    model = AdditiveRegressor(order=1).fit(X, OUTPUTS)
    assert list(model.feature_names_in_) == list(FRAME.columns)
    assert np.array_equal(model.predict(X), regressor.predict(FRAME))


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_outputs_are_named_by_the_columns_of_their_table(make: Callable[[Any], Any]) -> None:
    outputs = make({"mean": OUTPUTS, "spread": OUTPUTS**2})
    explainer = Explainer(order=1).fit(FRAME, outputs=outputs)
    assert explainer.output_names_ == ("mean", "spread")
    np.testing.assert_allclose(explainer.expected_value, [OUTPUTS.mean(), (OUTPUTS**2).mean()])


def make_arrays(folder: Any) -> dict[str, Any]:
    """Three number columns with NaN, in every kind of array."""
    np.save(folder / "rows.npy", NUMBERS)
    masked = np.ma.masked_array(np.nan_to_num(NUMBERS, nan=1e9), mask=np.isnan(NUMBERS))
    objects = NUMBERS.astype(object)
    objects[np.isnan(NUMBERS)] = None
    return {
        "list": NUMBERS.tolist(),
        "memory map": np.load(folder / "rows.npy", mmap_mode="r"),
        "by columns": np.asfortranarray(NUMBERS),
        "masked": masked,
        "objects": objects,
        "long double": NUMBERS.astype(np.longdouble),
    }


def test_every_array_gives_the_same_bits(tmp_path: Any) -> None:
    expected = Explainer(order=1).fit(NUMBERS, outputs=OUTPUTS).shap_values(NUMBERS)
    for name, X in make_arrays(tmp_path).items():
        assert np.array_equal(Explainer(order=1).fit(X, outputs=OUTPUTS).shap_values(X), expected), name


@pytest.mark.parametrize("name", [*CONTAINERS, "memory map", "masked", "list"])
def test_the_model_gets_the_container_it_was_given(name: str, tmp_path: Any) -> None:
    X = CONTAINERS[name]() if name in CONTAINERS else make_arrays(tmp_path)[name]
    kinds = []

    def predict(batch: Any) -> Any:
        kinds.append(type(batch))
        if isinstance(X, pd.DataFrame):
            assert list(batch.dtypes) == list(X.dtypes)
            assert batch.index.name == X.index.name
        start = predict.seen
        predict.seen += N if isinstance(batch, WHOLE) else len(batch)
        return OUTPUTS[start : predict.seen]

    predict.seen = 0
    if isinstance(X, pd.DataFrame):
        X.index.name = "row"
    explainer = Explainer(predict, order=1, batch_rows=150, synthetic_rows=0).fit(X)
    assert kinds == [type(X)] * (1 if isinstance(X, WHOLE) else 3)
    assert predict.seen == N
    assert explainer.expected_value == pytest.approx(OUTPUTS.mean())


def test_synthetic_rows_of_every_kind_of_table_lead_to_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=300)
    frame = pd.DataFrame({"size": size, "rooms": np.round(size + rng.normal(size=300)).astype(int)})
    frame["town"] = rng.choice(["north", "south"], 300)

    def predict(rows: Any) -> Any:
        size, rooms = (np.asarray(rows[name], dtype=float) for name in ("size", "rooms"))
        return np.sin(3 * size) * rooms + 2.0 * (np.asarray(rows["town"]).astype(object) == "north")

    tables = [frame, pl.DataFrame(frame), pa.table(frame), pa.concat_tables([pa.table(frame[:100]), pa.table(frame[100:])])]
    tables.append(pa.Table.from_pandas(frame.set_index(pd.Index([f"row {row}" for row in range(300)]))))
    fits = [Explainer(predict, synthetic_rows=4096).fit(table) for table in tables]
    assert fits[0].fit_facts_["synthetic"]["share"] > 0
    for explainer in fits[1:]:
        assert np.array_equal(explainer.shap_values(frame), fits[0].shap_values(frame))


def test_memory_maps_are_explained_without_a_copy(tmp_path: Any) -> None:
    np.save(tmp_path / "rows.npy", np.asfortranarray(np.random.default_rng(1).normal(size=(100_000, 10)).astype(np.float32)))
    X = np.load(tmp_path / "rows.npy", mmap_mode="r")
    explainer = Explainer(order=1).fit(X[:500], outputs=np.asarray(X[:500, 0]))
    explainer.predict(X[:5000])  # compiles
    tracemalloc.start()
    explainer.predict(X)
    explained = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    fitted = explainer._check_fitted()
    encoded = fitted.encoder.encode(fitted.read(X))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert explained < 4e6  # as float64 the rows take 8 MB, the predictions .8
    assert peak < encoded.cells.nbytes + encoded.offsets.nbytes + 2e6
