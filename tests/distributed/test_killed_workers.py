"""A worker that is killed in the middle of a fit changes nothing. Starting clusters takes a minute: ``make test-engines``."""

import os
import shutil
import signal
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import instashap
from instashap.distributed import from_dask, from_spark

pytestmark = [
    pytest.mark.filterwarnings("ignore::instashap.FitWarning"),
    pytest.mark.skipif("INSTASHAP_ENGINES" not in os.environ, reason="starts a cluster, for a minute: make test-engines"),
]


def test_a_worker_of_dask_that_is_killed_changes_nothing(tmp_path):
    dd = pytest.importorskip("dask.dataframe", reason="dask is not installed")
    engine = pytest.importorskip("distributed", reason="distributed is not installed")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"a": rng.normal(size=1500), "b": rng.normal(size=1500)})
    rows["target"] = rows["a"] + rows["b"] ** 2
    options = {"order": 1, "synthetic_rows": 0, "n_jobs": 1, "plan_rows": 500}
    one = instashap.Explainer(**options).fit(rows, outputs="target")
    with (
        warnings.catch_warnings(),
        engine.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        engine.Client(cluster),
    ):
        warnings.simplefilter("ignore")
        frame = dd.from_pandas(rows, npartitions=4).map_partitions(die_once, str(tmp_path / "died"), meta=rows[:0])
        found = instashap.Explainer(**options).fit(from_dask(frame), outputs="target")
    assert (tmp_path / "died").exists()
    assert found.fit_facts_["n_rows"] == 1500
    X = rows[["a", "b"]]
    np.testing.assert_allclose(found.shap_values(X), one.shap_values(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("master", "is_executor"),
    [
        ("local[2,4]", False),  # a task is tried four times: the Python process that computes it is killed at the first
        ("local-cluster[2,1,1024]", True),  # the executor is killed, with what its tasks had written for others
    ],
)
def test_a_worker_of_spark_that_is_killed_changes_nothing(tmp_path, master, is_executor):
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"a": rng.normal(size=1500), "b": rng.normal(size=1500)})
    rows["target"] = rows["a"] + rows["b"] ** 2
    options = {"order": 1, "synthetic_rows": 0, "n_jobs": 1, "plan_rows": 500}
    one = instashap.Explainer(**options).fit(rows, outputs="target")
    rows.to_parquet(tmp_path / "rows.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = sql.SparkSession.builder.master(master).config("spark.ui.enabled", "false")
        places = map(str, (Path(instashap.__file__).parents[1], Path(__file__).parents[2]))
        builder = builder.config("spark.executorEnv.PYTHONPATH", os.pathsep.join(places))  # executors run in other folders
        session = builder.config("spark.sql.shuffle.partitions", "2").config("spark.driver.memory", "1g").getOrCreate()
        try:
            read = session.read.parquet(str(tmp_path / "rows.parquet")).repartition(4)
            frame = read.mapInArrow(partial(die_once_in_arrow, str(tmp_path / "died"), is_executor), read.schema)
            found = instashap.Explainer(**options).fit(from_spark(frame), outputs="target")
        finally:
            session.stop()
            shutil.rmtree(Path(sql.__file__).parents[1] / "work", ignore_errors=True)  # logs of a local cluster
    assert (tmp_path / "died").read_text().startswith("java" if is_executor else "python")
    assert found.fit_facts_["n_rows"] == 1500
    X = rows[["a", "b"]]
    np.testing.assert_allclose(found.shap_values(X), one.shap_values(X), rtol=0, atol=1e-9)


def die_once_in_arrow(path, is_executor, batches):
    """The batches; the first worker that has read one is killed, or the Java process of its executor is."""
    for batch in batches:
        yield batch
        die_once(None, path, is_executor)


def die_once(part, path, is_executor=False):
    """The part; the first worker that gets here is killed, or the process that started the one that started it."""
    killed = psutil.Process().parent().parent() if is_executor else psutil.Process()
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(killed.name())
    except FileExistsError:
        return part
    os.kill(killed.pid, signal.SIGKILL)
    return part
