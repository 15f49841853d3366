"""Rows of Dask frames, partition by partition, against the fit of one process."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import distributed

dd = pytest.importorskip("dask.dataframe", reason="dask is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")
OPTIONS = {"order": 1, "synthetic_rows": 0, "n_jobs": 1}
FEATURES = ["a", "b", "t"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.normal(size=1500), "b": rng.normal(size=1500), "t": rng.choice(["x", "y"], 1500)})
    made.loc[::17, "a"] = np.nan
    made.loc[::19, "t"] = None
    made["target"] = made["a"].fillna(-1) + made["b"] ** 2 + (made["t"] == "x")
    made["weight"] = rng.integers(0, 3, 1500).astype(float)
    return made


@pytest.fixture(scope="module")
def one(rows):
    return instashap.Explainer(**OPTIONS, plan_rows=500).fit(rows, outputs="target", sample_weight="weight")


def compare(found, one, rows):
    assert found.fit_facts_["n_rows"] == one.fit_facts_["n_rows"]
    np.testing.assert_allclose(found.shap_values(rows[FEATURES]), one.shap_values(rows[FEATURES]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_parts", [1, 5])
def test_a_fit_on_partitions_is_that_of_one_process(rows, one, n_parts):
    source = distributed.from_dask(dd.from_pandas(rows, npartitions=n_parts))
    compare(instashap.Explainer(**OPTIONS, plan_rows=500).fit(source, outputs="target", sample_weight="weight"), one, rows)


def test_few_rows_give_the_same_bits_and_empty_partitions_nothing(rows):
    few = rows.drop(columns="weight")[:400]
    frame = dd.concat([dd.from_pandas(few[:150], npartitions=2), dd.from_pandas(few[150:], npartitions=2)])
    frame = frame[frame["a"].isna() | (frame["a"] < 9)]
    one = instashap.Explainer(**OPTIONS).fit(few, outputs="target")
    found = instashap.Explainer(**OPTIONS).fit(distributed.from_dask(frame), outputs="target")
    np.testing.assert_array_equal(found.shap_values(few[FEATURES]), one.shap_values(few[FEATURES]))


def test_the_black_box_runs_on_the_workers_and_moments_add(rows):
    source = distributed.from_dask(dd.from_pandas(rows[FEATURES], npartitions=3))
    explainer = instashap.Explainer(double, **OPTIONS, plan_rows=500).fit(source)
    moments = explainer.accumulate(distributed.from_dask(dd.from_pandas(rows[FEATURES][:300], npartitions=2)))
    own = explainer.accumulate(rows[FEATURES][:300])
    assert moments.n_rows == own.n_rows == 300
    np.testing.assert_allclose(moments.sums.products, own.sums.products, rtol=1e-12, atol=1e-9)


def double(X):
    return 2 * X["b"].to_numpy()


def test_explaining_is_a_lazy_frame_of_typed_columns(rows, one):
    frame = distributed.explain(one, dd.from_pandas(rows, npartitions=3), keep=["target"])
    names = ["target", "base_value", "shap_a", "shap_b", "shap_t", "prediction"]
    assert list(frame.columns) == names
    assert set(map(str, frame.dtypes)) == {"float64"}
    found = frame.compute()
    np.testing.assert_array_equal(found[["shap_a", "shap_b", "shap_t"]], one.shap_values(rows[FEATURES]))
    np.testing.assert_array_equal(found["prediction"], one.predict(rows[FEATURES]))
    with pytest.raises(ValueError, match=r"\['prediction'\] are named like what is given beside them: rename them"):
        distributed.explain(one, dd.from_pandas(rows.rename(columns={"target": "prediction"})), keep=["prediction"])


def test_wrong_objects_are_refused_with_what_to_call(rows):
    frame = dd.from_pandas(rows, npartitions=2)
    with pytest.raises(TypeError, match=r"are not in this process; pass instashap\.distributed\.from_dask\(X\)"):
        instashap.Explainer().fit(frame, outputs="target")
    with pytest.raises(TypeError, match=r"from_dask\(\) got a pandas DataFrame: a table in memory"):
        distributed.from_dask(rows)
    with pytest.raises(TypeError, match="outputs is an array, and a query may give its rows in another order each time"):
        instashap.Explainer().fit(distributed.from_dask(frame), outputs=np.ones(1500))
    with pytest.raises(TypeError, match=r"explain\(\) takes a Dask or Spark DataFrame or a Ray Dataset, got a list"):
        distributed.explain(instashap.Explainer(**OPTIONS).fit(rows[["a"]][:60], outputs=rows["b"][:60]), [])
    for module, ability, instead in (
        ("pyspark.pandas.frame", "to_spark", r"from_spark\(X.to_spark\(\)\)"),
        ("modin.pandas", "modin", r"X.modin.to_pandas\(\)"),
        ("bigframes.dataframe", "to_pandas", r"X.to_pandas\(\)"),
    ):
        strange = type("DataFrame", (), {"__module__": module, ability: None})()
        with pytest.raises(TypeError, match=instead):
            instashap.Explainer().fit(strange, outputs="target")
    # A frame of Spark Connect has every attribute: a column of that name, which may not exist.
    any_attribute = {"__module__": "pyspark.sql.connect.dataframe", "__getattr__": lambda self, name: None}
    with pytest.raises(TypeError, match=r"from_spark\(X\)"):
        instashap.Explainer().fit(type("DataFrame", (), any_attribute)(), outputs="target")
