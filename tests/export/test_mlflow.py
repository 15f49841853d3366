"""Models of MLflow give the numbers of Python, hold no pickle, and run in Spark. ``make test-engines`` has MLflow."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.export import log_mlflow, save_mlflow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    mlflow: Any = pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
NAMES = ["base_value", "shap_a", "shap_town", "shap_is_new", "prediction"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.normal(size=300), "town": rng.choice(["x", "y"], 300), "is_new": rng.random(300) < 0.5})
    made.loc[::7, "a"] = np.nan
    made.loc[::11, "town"] = None
    return made


@pytest.fixture(scope="module")
def fitted(rows: pd.DataFrame) -> instashap.Explainer:
    outputs = rows["a"].fillna(0) + (rows["town"] == "x") * rows["is_new"]
    return instashap.Explainer(order=2, synthetic_rows=0).fit(rows, outputs=outputs)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # databases need more than mlflow-skinny
    mlflow.set_tracking_uri(f"file://{tmp_path}/runs")


def test_a_saved_model_gives_pythons_numbers_and_holds_no_pickle(fitted: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    save_mlflow(fitted, tmp_path / "model")
    files = {path.name for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert "explainer.insta" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib", ".cloudpickle"))]
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert model.metadata.signature.inputs.input_names() == ["a", "town", "is_new"]
    assert {each.type.name for each in model.metadata.signature.outputs.inputs} == {"double"}
    found = model.predict(rows)
    assert list(found.columns) == NAMES
    np.testing.assert_array_equal(found["prediction"], fitted.predict(rows))
    np.testing.assert_array_equal(found[NAMES[1:4]], fitted.shap_values(rows))


def test_rows_of_every_kind_that_the_fit_accepts_are_explained(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=200)
    table = pd.DataFrame(
        {
            "rooms": rng.integers(1, 6, 200),
            "code": pd.Categorical(rng.choice([1.5, 2.0], 200)),
            "town": pd.Categorical(rng.choice(["x", "y"], 200)),
            "is_new": rng.random(200) < 0.5,
        }
    )
    fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(table, outputs=numbers + table["rooms"])
    save_mlflow(fitted, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    gaps = table.assign(is_new=table["is_new"].astype("boolean").mask(table["rooms"] == 1))
    flags = gaps["is_new"].astype(object).where(gaps["is_new"].notna(), None)
    objects = gaps.assign(is_new=flags, rooms=table["rooms"].astype("Int64"))
    for rows in (table, gaps, objects, table[::-1].assign(more=1)):
        np.testing.assert_array_equal(model.predict(rows)["prediction"], fitted.predict(rows[list(table)]))
    with pytest.raises(Exception, match="code"):
        model.predict(table.drop(columns="code"))
    named = instashap.Explainer(order=1, synthetic_rows=0).fit(table[["rooms"]].set_axis([3], axis=1), outputs=numbers)
    save_mlflow(named, tmp_path / "numbered")
    found = mlflow.pyfunc.load_model(str(tmp_path / "numbered")).predict(table[["rooms"]].set_axis(["3"], axis=1))
    np.testing.assert_array_equal(found["prediction"], named.predict(table[["rooms"]].set_axis([3], axis=1)))


def test_the_audit_and_a_report_are_logged(fitted: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    report = instashap.write_report(fitted, rows, path=tmp_path / "report.html")
    with mlflow.start_run() as run:
        logged = log_mlflow(fitted, report=report)
    assert mlflow.pyfunc.load_model(logged.model_uri).predict(rows).shape == (300, 5)
    kept = mlflow.get_run(run.info.run_id).data
    assert kept.tags["instashap.verdict"] == fitted.audit().verdict
    assert kept.params["instashap.n_rows"] == "300"
    client = mlflow.MlflowClient()
    assert {each.path for each in client.list_artifacts(run.info.run_id)} >= {"audit.json", "audit.txt", "report.html"}
    text = Path(client.download_artifacts(run.info.run_id, "audit.json", str(tmp_path))).read_text(encoding="utf-8")
    assert json.loads(text)["verdict"] == fitted.audit().verdict


@pytest.mark.skipif("INSTASHAP_ENGINES" not in os.environ, reason="starts Spark, for a minute: make test-engines")
def test_a_function_of_spark_gives_the_same(fitted: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    save_mlflow(fitted, tmp_path / "model")
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.getOrCreate()
    try:
        frame = session.createDataFrame(rows.assign(number=np.arange(300)))
        explain = mlflow.pyfunc.spark_udf(session, str(tmp_path / "model"), env_manager="local")
        found = frame.select("number", explain("a", "town", "is_new").alias("v")).select("number", "v.*").toPandas()
    finally:
        session.stop()
    found = found.sort_values("number")
    np.testing.assert_allclose(found["prediction"], fitted.predict(rows), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found[NAMES[1:4]], fitted.shap_values(rows), rtol=0, atol=1e-12)
