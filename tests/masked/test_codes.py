"""Codes told from smooth quantities: simulated effects that are known, and what a mixed model's algebra gives."""

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveClassifier, AdditiveRegressor, Explainer
from instashap.masked.codes import find_codes
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table


def _find(values, outputs, weights=None):
    table = read_table(np.asarray(values, dtype=np.float64)[:, None])
    weights = np.ones(len(values)) if weights is None else weights
    encoder, columns = learn_table(table, weights)
    return find_codes(table, encoder, columns, np.asarray(outputs, dtype=np.float64)[:, None], weights, 20)


def _simulate(n_codes, n_rows=4000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_codes, n_rows), 2 * rng.normal(size=n_codes), rng.normal(size=n_rows)


@pytest.mark.parametrize("n_codes", [24, 52, 168, 400])
def test_random_effects_make_a_column_a_code_on_any_scale(n_codes):
    codes, effects, noise = _simulate(n_codes)
    for factor in (1.0, 1000.0, 0.01):
        assert _find(factor * codes, factor * (effects[codes] + noise)) == (0,)


@pytest.mark.parametrize("law", ["normal", "t", "lognormal", "rare"])
def test_smooth_effects_and_noise_never_do(law):
    rng = np.random.default_rng(1)
    for n_values, n_rows in ((30, 500), (75, 3000), (200, 6000)):
        age = rng.integers(0, n_values, n_rows)
        draws = {
            "normal": rng.normal(size=n_rows),
            "t": rng.standard_t(3, size=n_rows),
            "lognormal": np.exp(rng.normal(size=n_rows)),
            "rare": rng.random(n_rows) < 0.02,
        }
        for effect in (0.0 * age, np.sin(6 * age / n_values), np.abs(age / n_values - 0.5)):
            for size in (1.0, 0.01):
                assert _find(age, effect + size * draws[law]) == ()


def test_the_order_of_rows_and_a_repeated_table_change_nothing():
    codes, effects, noise = _simulate(60, 1200)
    outputs = effects[codes] + noise
    assert _find(codes[::-1], outputs[::-1]) == (0,)
    assert _find(codes, outputs, np.full(1200, 2.0)) == _find(np.tile(codes, 2), np.tile(outputs, 2)) == (0,)


def _r2(truth, found):
    return 1 - ((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()


@pytest.mark.parametrize("n_codes", [30, 168, 400])
def test_effects_of_codes_are_found(n_codes):
    codes, effects, noise = _simulate(n_codes, 20_000)
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"store": codes, "x": rng.normal(size=len(codes))})
    truth = effects[codes] + X["x"]
    regressor = AdditiveRegressor(order=1).fit(X, truth + 0.5 * noise)
    assert _r2(effects[codes], regressor.eval_terms(X)[:, 0]) > 0.99
    values = Explainer(order=1).fit(X, outputs=truth.to_numpy()).shap_values(X)[:, 0]
    assert _r2(effects[codes], values) > 0.99


def test_labels_of_a_thousand_codes_are_no_smooth_curve():
    codes, effects, _ = _simulate(1000, 20_000)
    rng = np.random.default_rng(2)
    labels = rng.random(len(codes)) < 1 / (1 + np.exp(-effects[codes]))
    model = AdditiveClassifier(order=1).fit(codes[:, None].astype(float), labels)
    # 20 rows a code: about the share of the variance that the best linear predictor of 20 binary labels keeps
    assert _r2(effects[codes], model.eval_terms(codes[:, None].astype(float))[:, 0]) > 0.8


def test_rare_levels_are_shrunk_to_the_mean_and_not_pooled():
    rng = np.random.default_rng(3)
    codes = np.concatenate([np.arange(40).repeat(100), np.arange(40, 400).repeat(3)])
    effects = rng.normal(size=400)
    outputs = effects[codes] + 2 * rng.normal(size=len(codes))
    X = pd.DataFrame({"town": [f"town {code}" for code in codes], "x": rng.normal(size=len(codes))})
    shape = AdditiveRegressor(order=1).fit(X, outputs).eval_terms(X)[:, 0]
    means = np.bincount(codes, outputs)[codes] / np.bincount(codes)[codes] - outputs.mean()
    rare = codes >= 40
    assert len(np.unique(shape[rare])) > 300
    kept = [float(shape[each] @ means[each] / (means[each] @ means[each])) for each in (rare, ~rare)]
    # the mixed model's shares n / (n + 4): 3 / 7 and 100 / 104; one strength of a grid by factors of ten serves both
    assert kept[0] == pytest.approx(3 / 7, abs=0.2)
    assert kept[1] == pytest.approx(100 / 104, abs=0.05)
