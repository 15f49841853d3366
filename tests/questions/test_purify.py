"""Explainers of other decompositions of the same predictions."""

from itertools import combinations, product
from math import comb

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import instashap
from instashap import DataWarning, Explainer, NotFittedError

KINDS = ("stone-hooker", "product", "marginal")


def make_rows(n_rows: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n_rows, 3))
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    kind = np.where(z[:, 0] + rng.normal(size=n_rows) > 0, "up", "down")
    X = pd.DataFrame({"a": z[:, 0], "b": z[:, 1], "c": np.round(z[:, 2] * 2) / 2, "kind": kind})
    X.loc[::50, "b"] = np.nan
    return X


def compute(X: pd.DataFrame) -> NDArray[np.float64]:
    b = X["b"].fillna(1.0)
    return np.asarray(X["a"] * b + np.sin(2 * X["a"]) + X["c"] * (X["kind"] == "up") + X["a"] * b * X["c"])


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return make_rows()


@pytest.fixture(scope="module", params=[2, 3])
def explainer(rows: pd.DataFrame, request: pytest.FixtureRequest) -> Explainer:
    return Explainer(order=request.param, presence_order=3, interactions="all").fit(rows, outputs=compute(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_terms_and_base_value_sum_to_the_same_predictions(explainer: Explainer, rows: pd.DataFrame, kind: str) -> None:
    purified = explainer.purify(kind, rows)
    others = make_rows(300).assign(a=lambda X: 3 * X["a"])
    expected = explainer.predict(others)
    assert purified.predict(others) == pytest.approx(expected, abs=1e-10)
    assert purified.interaction_values(others).sum(axis=1) + purified.expected_value == pytest.approx(expected, abs=1e-10)
    assert purified.shap_values(others).sum(axis=1) + purified.expected_value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_purifying_twice_changes_nothing(explainer: Explainer, rows: pd.DataFrame, kind: str) -> None:
    once = explainer.purify(kind, rows)
    again = once.purify(kind, rows)
    assert again.interaction_values(rows) == pytest.approx(once.interaction_values(rows), abs=1e-10)


def test_stone_hooker_terms_are_orthogonal_to_all_functions_of_their_columns_parts(
    explainer: Explainer, rows: pd.DataFrame
) -> None:
    weights = np.random.default_rng(1).integers(1, 4, len(rows)).astype(float)
    purified = explainer.purify("stone-hooker", rows, sample_weight=weights)
    encoded = purified._fitted.encoder.encode(purified._fitted.read(rows))
    effects = purified.interaction_values(rows)
    for term, values in enumerate(purified.terms_):
        # Every product of the columns' functions at this term's resolution, evaluated one by one.
        sides = []
        for column in values:
            basis = purified._fitted.model.bases[column][len(values) - 1]
            local = basis.combine(encoded.cells[:, column], encoded.offsets[:, column], np.eye(basis.n_functions))
            sides.append(local)
        for left_out in range(len(values)):
            functions = np.ones((len(rows), 1))
            for side in (each for axis, each in enumerate(sides) if axis != left_out):
                functions = (functions[:, :, None] * side[:, None, :]).reshape(len(rows), -1)
            sizes = np.sqrt(weights @ functions**2 / weights.sum())
            products = (weights * effects[:, term]) @ functions / weights.sum()
            assert np.abs(products[sizes > 0] / sizes[sizes > 0]).max() < 1e-8


def test_all_decompositions_agree_on_a_full_grid() -> None:
    axes = np.linspace(-1, 1, 12), np.arange(5.0), np.array([0.0, 1.0])
    X = np.array(list(product(*axes)))
    outputs = X[:, 0] * X[:, 1] + np.exp(X[:, 0]) * X[:, 2] + X[:, 1] ** 2
    explainer = Explainer(order=2, presence_order=3).fit(X, outputs=outputs)
    conditional = explainer.purify("conditional", X)
    for kind in KINDS:
        purified = explainer.purify(kind, X)
        for term, values in enumerate(purified.terms_):
            own = conditional.mobius_values(X, values)
            assert purified.interaction_values(X)[:, term] == pytest.approx(own, abs=1e-8)
        assert purified.shap_values(X) == pytest.approx(explainer.shap_values(X), abs=1e-8)


def test_correlated_columns_set_them_apart(explainer: Explainer, rows: pd.DataFrame) -> None:
    parts = [explainer.purify(kind, rows).shap_values(rows) for kind in ("conditional", *KINDS)]
    for left, right in combinations(parts, 2):
        assert np.abs(left - right).max() > 1e-3


def test_marginal_values_are_those_of_the_enumerated_game(explainer: Explainer, rows: pd.DataFrame) -> None:
    background, some = rows[:40], rows[60:63]
    found = explainer.purify("marginal", background).shap_values(some)
    d = 4
    for position in range(len(some)):
        values = {}
        for size in range(d + 1):
            for present in combinations(range(d), size):
                hybrid = background.copy()
                for column in present:
                    hybrid[rows.columns[column]] = some.iloc[position, column]
                values[present] = explainer.predict(hybrid).mean()
        for player in range(d):
            expected = 0.0
            for present, value in values.items():
                if player not in present:
                    joined = tuple(sorted((*present, player)))
                    expected += (values[joined] - value) / (d * comb(d - 1, len(present)))
            assert found[position, player] == pytest.approx(expected, abs=1e-10)


def test_conditional_is_the_fit_itself(explainer: Explainer, rows: pd.DataFrame) -> None:
    same = explainer.purify("conditional", rows)
    assert np.array_equal(same.shap_values(rows), explainer.shap_values(rows))
    with pytest.raises(ValueError, match="kind='conditional' needs a fit of that game, and this explainer has the product"):
        explainer.purify("product", rows).purify("conditional", rows)


def test_saved_and_loaded_it_gives_the_same_bits(explainer: Explainer, rows: pd.DataFrame, tmp_path) -> None:
    purified = explainer.purify("stone-hooker", rows)
    purified.save(tmp_path / "pure.insta")
    loaded = instashap.load(tmp_path / "pure.insta")
    assert np.array_equal(loaded.interaction_values(rows), purified.interaction_values(rows))
    assert loaded(rows).game == "stone-hooker"


def test_missing_prerequisites_are_named(explainer: Explainer, rows: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError, match="not for stone-hooker"):
        explainer.purify("stone-hooker", rows)(rows, errors=True)
    with pytest.raises(ValueError, match="kind"):
        explainer.purify("sobol", rows)


def test_copied_columns_are_named() -> None:
    a = np.random.default_rng(0).normal(size=400)
    X = pd.DataFrame({"a": a, "copy": a})
    explainer = Explainer(order=2, interactions="all").fit(X, outputs=a**2)
    assert (0, 1) in explainer.terms_
    with pytest.warns(DataWarning, match="a × copy"):
        explainer.purify("stone-hooker", X)
