"""Nets trained on values of games, against exact Shapley values of these games."""

from functools import partial

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import instashap
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.neural import MaskedSurrogate, NetShape, NeuralFitter, TrainingPlan

FITTER = partial(
    NeuralFitter, shape=NetShape(3, (8,), (6, 6, 4), (2, 2, 0)), plan=TrainingPlan(40, 64, learning_rate=1e-2, device="cpu")
)


def compute_r2(values, truth):
    return 1 - ((values - truth) ** 2).sum() / (truth**2).sum()


def model(X):
    return X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 5.0


@pytest.fixture(scope="module")
def rows():
    X = np.random.default_rng(0).normal(size=(800, 3))
    X[:, 1] += 0.8 * X[:, 0]
    return X


def test_marginal_values_are_those_of_enumeration(rows):
    background = rows[:30]
    explainer = instashap.Explainer(model, fitter=FITTER, value_function=instashap.Marginal(background)).fit(rows)
    values = np.empty((8, 200))
    for number, mask in enumerate(enumerate_coalitions(3)):
        mixed = np.where(mask, rows[:200, None], background[None])
        values[number] = model(mixed.reshape(-1, 3)).reshape(200, -1).mean(axis=1)
    assert compute_r2(explainer.shap_values(rows[:200]), compute_shapley_values(values).T) > 0.97
    assert explainer.expected_value == pytest.approx(model(background).mean())
    assert explainer(rows[:1]).game == "marginal, 30 background rows"


def test_a_column_of_one_value_gets_no_net(rows):
    few = np.insert(rows[:400], 0, 7.0, axis=1)
    chosen = instashap.Marginal(few[:30])
    explainer = instashap.Explainer(lambda X: 4.0 * X[:, 1] + X[:, 2], fitter=FITTER, value_function=chosen).fit(few)
    expected = (few - few[:30].mean(axis=0)) * [0.0, 4.0, 1.0, 0.0]
    assert compute_r2(explainer.shap_values(few), expected) > 0.97


def test_a_function_of_rows_and_masks_is_a_target_of_nets(rows):
    def value(X, masks):
        return np.where(masks[:, 0], X[:, 0], 0.0) + np.where(masks[:, 0] & masks[:, 2], X[:, 0] * X[:, 2], 0.0)

    explainer = instashap.Explainer(None, fitter=FITTER, value_function=value).fit(rows)
    expected = np.stack([rows[:, 0] * (1 + rows[:, 2] / 2), 0 * rows[:, 1], rows[:, 0] * rows[:, 2] / 2], axis=1)
    assert compute_r2(explainer.shap_values(rows), expected) > 0.97


def test_a_masked_surrogate_is_a_target_of_nets(rows):
    surrogate = MaskedSurrogate(model, hidden=(16,), plan=TrainingPlan(10, 64, learning_rate=1e-2, device="cpu")).fit(rows)
    explainer = instashap.Explainer(None, fitter=FITTER, value_function=surrogate).fit(rows)
    coalitions = enumerate_coalitions(3)
    values = np.stack([surrogate(rows, np.tile(mask, (len(rows), 1))) for mask in coalitions]).reshape(8, -1)
    assert compute_r2(explainer.shap_values(rows), compute_shapley_values(values).T) > 0.9


def test_other_fitters_say_that_they_fit_the_conditional_game_only(rows):
    from instashap.masked.fitter import ClosedFormFitter

    with pytest.raises(ValueError, match="ClosedFormFitter fits the conditional game only"):
        instashap.Explainer(model, fitter=ClosedFormFitter, value_function=instashap.Baseline(rows[0])).fit(rows)
