"""The neural fit: its accuracy on known functions, and that its models need no torch."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import instashap
from instashap.datasets import make_equicorrelated
from instashap.neural import NetShape, NeuralFitter, TrainingPlan

PLAN = TrainingPlan(n_epochs=30, batch_rows=128, learning_rate=1e-2, device="cpu")
FITTER = partial(NeuralFitter, shape=NetShape(3, (8,), (6, 6, 4), (6, 6, 0)), plan=PLAN)


def compute_r2(values, truth):
    return 1 - ((values - truth) ** 2).sum() / (truth**2).sum()


@pytest.fixture(scope="module")
def simulated():
    """A fit of a correlated quadratic function of six columns, new rows, and their exact Shapley values."""
    game = make_equicorrelated(6, 0.5, random_state=1)
    X, outputs = game.sample(3000, random_state=0)
    rows, _ = game.sample(300, random_state=1)
    explainer = instashap.Explainer(fitter=FITTER).fit(X, outputs=outputs)
    return explainer, rows, game


def test_shapley_values_of_a_simulator_are_recovered(simulated):
    explainer, rows, game = simulated
    assert compute_r2(explainer.shap_values(rows), game.shap_values(rows)) > 0.9
    assert compute_r2(explainer.predict(rows) - game.expected_value, game.predict(rows) - game.expected_value) > 0.9


def test_errors_ranking_and_trust_are_there_as_of_any_fit(simulated):
    explainer, rows, game = simulated
    explanation = explainer(rows, errors=True)
    error = explanation.values - game.shap_values(rows)
    assert explanation.total_errors is None  # the bias of the nets is what an audit adds to the errors of the rows
    explainer.audit()
    total = explainer(rows, errors=True).total_errors
    assert 0.8 <= np.mean(np.abs(error) < 1.64 * total) <= 0.99
    assert explanation.output_share.shape == (300,)
    assert set(range(6)) <= {column for term in explainer.terms_ for column in term}
    assert len(explainer.rank_terms(3)) > 0


def test_a_saved_neural_explainer_needs_no_torch(simulated, tmp_path):
    explainer, rows, _ = simulated
    explainer.save(tmp_path / "net.insta", errors=False)
    np.save(tmp_path / "rows.npy", rows)
    code = (
        "import sys, numpy, instashap; rows = numpy.load(sys.argv[2]); "
        "values = instashap.load(sys.argv[1]).shap_values(rows); numpy.save(sys.argv[3], values); "
        "assert 'torch' not in sys.modules"
    )
    paths = [str(tmp_path / name) for name in ("net.insta", "rows.npy", "values.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    assert np.array_equal(np.load(paths[2]), explainer.shap_values(rows))


@pytest.mark.filterwarnings("ignore:the held-out R²")  # two epochs learn little
def test_the_seed_decides(simulated):
    _, _, game = simulated
    X, outputs = game.sample(300, random_state=3)
    first, again, other = (
        instashap.Explainer(order=1, fitter=partial(FITTER, plan=replace(PLAN, n_epochs=2, seed=seed)))
        .fit(X, outputs=outputs)
        .shap_values(X)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_asking_for_nets_without_torch_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    X = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(instashap.OptionalDependencyError, match=r"neural models need torch: pip install 'instashap\[neural\]'"):
        instashap.Explainer(fitter="neural").fit(X, outputs=X[:, 0])
    with pytest.raises(instashap.OptionalDependencyError, match="pip install"):
        instashap.neural.__getattr__("NeuralFitter")


def test_an_unknown_fitter_is_refused():
    with pytest.raises(ValueError, match=r"fitter.*closed-form.*neural"):
        instashap.Explainer(fitter="magic").fit(np.zeros((5, 2)), outputs=np.arange(5.0))


@pytest.mark.filterwarnings("ignore:richer interactions did not lower:instashap.FitWarning")
def test_groups_and_categories_take_part():
    rng = np.random.default_rng(0)
    size = rng.normal(size=600)
    level = rng.integers(0, 3, 600)
    X = {"size": size, "kind": np.array(["a", "b", "c"])[level], "spare": rng.normal(size=600)}
    outputs = size + np.array([0.0, 2.0, -1.0])[level]
    frame = pd.DataFrame(X)
    explainer = instashap.Explainer(fitter=FITTER, groups={"both": ["size", "kind"]}).fit(frame, outputs=outputs)
    values = explainer.shap_values(frame)
    assert explainer.feature_names_ == ("both", "spare")
    assert compute_r2(values[:, 0], outputs - outputs.mean()) > 0.99
    assert np.abs(values[:, 1]).mean() < 0.1 * np.abs(values[:, 0]).mean()
