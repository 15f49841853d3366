"""Rows of Ray datasets against the fit of one process. Starting Ray takes a minute: ``make test-engines``."""

import os
import sys

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import distributed

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif("INSTASHAP_ENGINES" not in os.environ, reason="starts Ray, for a minute: make test-engines"),
]
OPTIONS = {"order": 1, "synthetic_rows": 0, "n_jobs": 1, "plan_rows": 500}
FEATURES = ["a", "b", "t"]


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="ray is not installed")
    pytest.importorskip("ray.data", reason="ray is not installed")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.normal(size=1500), "b": rng.normal(size=1500), "t": rng.choice(["x", "y"], 1500)})
    made.loc[::17, "a"] = np.nan
    return made.assign(target=made["a"].fillna(-1) + made["b"] ** 2 + (made["t"] == "x"))


@pytest.fixture(scope="module")
def dataset(ray, rows):
    return ray.data.from_pandas([rows[:400], rows[400:900], rows[900:]])


@pytest.fixture(scope="module")
def one(rows):
    return instashap.Explainer(**OPTIONS).fit(rows, outputs="target")


def test_a_fit_on_blocks_is_that_of_one_process(rows, dataset, one):
    found = instashap.Explainer(**OPTIONS).fit(distributed.from_ray(dataset), outputs="target")
    assert found.fit_facts_["n_rows"] == one.fit_facts_["n_rows"] == 1500
    np.testing.assert_allclose(found.shap_values(rows[FEATURES]), one.shap_values(rows[FEATURES]), rtol=0, atol=1e-9)


def test_explaining_is_a_lazy_dataset_of_doubles(rows, dataset, one):
    made = distributed.explain(one, dataset, keep=["target"])
    found = made.to_pandas().sort_values("target", ignore_index=True)
    assert list(found.columns) == ["target", "base_value", "shap_a", "shap_b", "shap_t", "prediction"]
    order = np.argsort(rows["target"].to_numpy(), kind="stable")
    np.testing.assert_allclose(found["prediction"], one.predict(rows[FEATURES])[order], rtol=0, atol=1e-12)


def test_a_worker_that_is_killed_changes_nothing(rows, dataset, one, tmp_path):
    frame = dataset.map_batches(die_once, fn_args=(str(tmp_path / "died"),), batch_format="pandas", batch_size=None)
    found = instashap.Explainer(**OPTIONS).fit(distributed.from_ray(frame), outputs="target")
    assert (tmp_path / "died").exists()
    assert found.fit_facts_["n_rows"] == 1500
    np.testing.assert_allclose(found.shap_values(rows[FEATURES]), one.shap_values(rows[FEATURES]), rtol=0, atol=1e-9)


def die_once(part, path):
    """The part; the first worker that gets here is killed."""
    import signal

    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return part
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def test_a_dataset_by_itself_is_refused_with_what_to_call(dataset):
    with pytest.raises(TypeError, match=r"pass instashap\.distributed\.from_ray\(X\)"):
        instashap.Explainer().fit(dataset, outputs="target")
