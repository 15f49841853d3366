"""Rows of Spark frames, classic and Connect, against the fit of one process. They take a minute: ``make test-engines``."""

import os
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import distributed

pytestmark = [
    pytest.mark.filterwarnings("ignore::instashap.FitWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:pyspark.*"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas >= 3:FutureWarning"),
    pytest.mark.skipif("INSTASHAP_ENGINES" not in os.environ, reason="starts Spark, for a minute: make test-engines"),
]
OPTIONS = {"order": 2, "synthetic_rows": 0, "n_jobs": 1, "plan_rows": 1000}
FEATURES = ["a", "b", "t.x"]


@pytest.fixture(scope="module", params=["classic", "connect"])
def session(request):
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java: install Debian's default-jre-headless")
    if request.param == "connect":
        pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'pyspark[connect]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = sql.SparkSession.builder
        builder = builder.master("local[2]") if request.param == "classic" else builder.remote("local[2]")
        builder = builder.config("spark.ui.enabled", "false").config("spark.driver.memory", "1g")
        made = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
        assert (".connect." in type(made).__module__) == (request.param == "connect")
        yield made
        made.stop()


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.normal(size=3000), "b": rng.normal(size=3000), "t.x": rng.choice(["x", "y"], 3000)})
    made.loc[::17, "a"] = np.nan
    return made.assign(target=made["a"].fillna(0) * made["b"] + (made["t.x"] == "x"))


@pytest.fixture(scope="module")
def frame(session, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows.to_parquet(path)
    return session.read.parquet(str(path)).repartition(4)


@pytest.fixture(scope="module")
def one(rows):
    return instashap.Explainer(**OPTIONS).fit(rows, outputs="target")


def test_a_fit_on_partitions_is_that_of_one_process(rows, frame, one):
    found = instashap.Explainer(**OPTIONS).fit(distributed.from_spark(frame), outputs="target")
    assert found.fit_facts_["n_rows"] == one.fit_facts_["n_rows"] == 3000
    np.testing.assert_allclose(found.shap_values(rows[FEATURES]), one.shap_values(rows[FEATURES]), rtol=0, atol=1e-9)


def test_explaining_is_a_lazy_frame_of_typed_columns(rows, frame, one):
    made = distributed.explain(one, frame, keep=["b"])
    values = ["shap_a", "shap_b", "shap_t.x"]
    assert made.dtypes == [(name, "double") for name in ("b", "base_value", *values, "prediction")]
    found = made.toArrow().to_pandas().sort_values("b", ignore_index=True)
    sorted_rows = rows.sort_values("b")[FEATURES]  # no two rows have the same
    np.testing.assert_allclose(found["prediction"], one.predict(sorted_rows), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[values], one.shap_values(sorted_rows), rtol=0, atol=1e-9)


def test_columns_that_cannot_be_read_are_refused_by_name(frame):
    functions = pytest.importorskip("pyspark.sql.functions")
    for column, message in (
        (functions.current_timestamp(), "column 'odd' is of Spark's type timestamp: make numbers of it"),
        (functions.array(functions.lit(1.0)), "column 'odd' is of Spark's type array<double>: make one column of each entry"),
    ):
        with pytest.raises(TypeError, match=message):
            instashap.Explainer().fit(distributed.from_spark(frame.withColumn("odd", column)), outputs="target")
    with pytest.raises(TypeError, match=r"pass instashap\.distributed\.from_spark\(X\)"):
        instashap.Explainer().fit(frame, outputs="target")
