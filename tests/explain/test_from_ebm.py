"""EBMs as explainers: their own scores, and Shapley values checked by enumeration."""

import warnings
from itertools import combinations, product
from math import comb
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import instashap
from instashap import Explainer, Marginal, NotFittedError, from_ebm
from instashap.game.exact import compute_shapley_values

glassbox = pytest.importorskip("interpret.glassbox")
GAMES = ("conditional", "marginal")
TASKS = ("regression", "binary", "classes", "triple", "rates")


def make_rows(n_rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "kind": rng.choice(["u", "v", "w"], n_rows),
            "flag": rng.random(n_rows) < 0.5,
            "code": pd.Categorical(rng.choice([1, 2, 10], n_rows)),
            "wait": rng.exponential(size=n_rows),
        }
    )
    X.loc[::20, "size"] = np.nan
    X.loc[::33, "kind"] = None
    return X


def fit_ebm(task: str) -> Any:
    X = make_rows(800)
    target = X["size"].fillna(0.3) * X["flag"] + (X["kind"] == "u") * X["wait"] + X["code"].astype(int) / 5
    options: dict[str, Any] = {"outer_bags": 2, "max_rounds": 100, "max_bins": 48, "n_jobs": 1, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if task == "regression":
            return glassbox.ExplainableBoostingRegressor(interactions=4, **options).fit(X, target)
        if task == "rates":
            options["objective"] = "poisson_deviance"
            return glassbox.ExplainableBoostingRegressor(interactions=2, **options).fit(X, np.exp(target / 3))
        if task == "binary":
            return glassbox.ExplainableBoostingClassifier(interactions=4, **options).fit(X, target > 0.7)
        if task == "classes":
            return glassbox.ExplainableBoostingClassifier(interactions=2, **options).fit(X, np.digitize(target, [0.5, 1.0]))
        triple = [("wait", "size", "kind"), ("size", "flag")]
        return glassbox.ExplainableBoostingRegressor(interactions=triple, **options).fit(X, target)


def compute_scores(ebm: Any, X: pd.DataFrame) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(ebm.eval_terms(X).sum(axis=1) + ebm.intercept_)


@pytest.fixture(scope="module", params=TASKS)
def ebm(request: pytest.FixtureRequest) -> Any:
    return fit_ebm(request.param)


@pytest.fixture(scope="module", params=GAMES)
def explainer(ebm: Any, request: pytest.FixtureRequest) -> Explainer:
    return from_ebm(ebm, make_rows(600, seed=2), value_function=request.param)  # not the training rows


@pytest.fixture(scope="module")
def regressor() -> Any:
    return fit_ebm("regression")


@pytest.fixture(scope="module")
def conditional(regressor: Any) -> Explainer:
    return from_ebm(regressor, make_rows(800))


def test_scores_are_the_ebms_own_on_any_row(ebm: Any, explainer: Explainer) -> None:
    others = make_rows(400, seed=1)
    others["size"] *= 5
    others.loc[::7, "kind"] = "never seen"
    others.loc[::9, "wait"] = np.nan
    cuts = np.concatenate([level for column in (0, 4) for level in ebm.bins_[column]])
    others.loc[10:209, "size"] = np.resize(cuts, 200)
    others.loc[100:299, "wait"] = np.resize(np.nextafter(cuts, -np.inf), 200)
    expected = compute_scores(ebm, others)
    assert explainer.predict(others) == pytest.approx(expected, abs=1e-10)
    assert explainer.shap_values(others).sum(axis=1) + explainer.expected_value == pytest.approx(expected, abs=1e-10)


def test_categories_may_come_as_text_numbers_or_booleans() -> None:
    X = pd.DataFrame({"code": [1, 2, 10, 0] * 100, "other": np.arange(400.0)})
    target = X["code"] ** 2 + 0.0
    options: dict[str, Any] = {"feature_types": ["nominal", "continuous"], "interactions": 0, "outer_bags": 2, "n_jobs": 1}
    ebm = glassbox.ExplainableBoostingRegressor(max_rounds=50, **options).fit(X, target)
    explainer = from_ebm(ebm, X)
    for codes in (X["code"], X["code"].astype(float), X["code"].astype(str), X["code"] == 1, X["code"] + 0.5):
        Z = X.assign(code=codes)
        assert explainer.predict(Z) == pytest.approx(compute_scores(ebm, Z), abs=1e-10)


def test_categories_are_numbered_as_the_ebm_names_them(conditional: Explainer) -> None:
    column = conditional._fitted.encoder.columns[3]  # codes 1, 2 and 10
    assert column.levels == ("1", "2", "10", 1.0, True, 2.0, 10.0)
    assert column.bases[1].first.tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4]


def test_terms_keep_the_ebms_values_centred(ebm: Any, explainer: Explainer) -> None:
    if explainer(make_rows(2)).game != "conditional":
        return  # the marginal game has terms of its own
    X = make_rows(600, seed=2)
    values = explainer.interaction_values(X)
    own = ebm.eval_terms(X)
    positions = [explainer.terms_.index(tuple(sorted(features))) for features in ebm.term_features_]
    assert values[:, positions] == pytest.approx(own - own.mean(axis=0), abs=1e-10)
    others = [term for term in range(len(explainer.terms_)) if term not in positions]
    assert np.abs(values[:, others]).max(initial=0.0) < 1e-10


def make_grid(sizes: tuple[int, ...], correlation: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cells of a discretised Gaussian, and their probabilities."""
    cells = np.array(list(product(*map(range, sizes))), dtype=float)
    z = (cells - (np.array(sizes) - 1) / 2) / (np.array(sizes) / 4)
    covariance = np.full((len(sizes),) * 2, correlation) + (1 - correlation) * np.eye(len(sizes))
    density = np.exp(-0.5 * np.einsum("ni,ij,nj->n", z, np.linalg.inv(covariance), z))
    return cells, density / density.sum()


def enumerate_conditional(outputs: NDArray[np.float64], density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values of ``E[f | x_S]`` by enumeration, shape (n_cells, n_players)."""
    d = density.ndim
    values = {}
    for size in range(d + 1):
        for present in combinations(range(d), size):
            absent = tuple(axis for axis in range(d) if axis not in present)
            means = (outputs * density).sum(axis=absent, keepdims=True) / density.sum(axis=absent, keepdims=True)
            values[present] = np.broadcast_to(means, density.shape).ravel()
    shares = np.zeros((density.size, d))
    for player in range(d):
        for present, value in values.items():
            if player not in present:
                joined = values[tuple(sorted((*present, player)))]
                shares[:, player] += (joined - value) / (d * comb(d - 1, len(present)))
    return shares


def test_conditional_values_are_those_of_the_enumerated_game() -> None:
    sizes = 8, 8, 8, 8
    cells, density = make_grid(sizes, 0.6)
    rng = np.random.default_rng(0)
    X = cells[rng.choice(len(cells), 8000, p=density)]
    target = (X[:, 0] - 4) * (X[:, 1] - 3) / 4 + np.sin(X[:, 2]) + 0.3 * rng.normal(size=len(X))
    ebm = glassbox.ExplainableBoostingRegressor(interactions=2, outer_bags=2, max_rounds=500, n_jobs=1).fit(X, target)
    expected = enumerate_conditional(compute_scores(ebm, cells).reshape(sizes), density.reshape(sizes))

    def score(explainer: Explainer) -> float:
        missed = density @ ((explainer.shap_values(cells) - expected) ** 2).sum(axis=1)
        return float(1 - missed / (density @ (expected**2).sum(axis=1)))

    explainer = from_ebm(ebm, X)
    assert score(explainer) > 0.99
    assert score(from_ebm(ebm, X, value_function="marginal")) < 0.9  # another game
    share = explainer.fit_facts_["remainder_share"][0]
    assert 0 < share < 0.01
    assert f"the masked fit alone leaves {share:.2%} of their variance" in repr(explainer)


def test_shapley_values_are_those_of_the_masked_predictions(conditional: Explainer) -> None:
    X = make_rows(800)
    fitted = conditional._fitted
    encoded = fitted.encoder.encode(fitted.read(X[:5]))
    masks = np.array(list(product([False, True], repeat=5)))[:, ::-1]  # row b holds the binary digits of b
    games = np.stack([fitted.model.predict(encoded, np.tile(mask, (5, 1)))[:, 0] for mask in masks], axis=1)
    for row in range(5):
        expected = compute_shapley_values(games[row])
        assert fitted.compute_shapley_values(fitted.read(X[:5]))[row, :, 0] == pytest.approx(np.ravel(expected), abs=1e-10)


def test_marginal_values_are_those_of_every_coalition_asked(regressor: Any) -> None:
    X = make_rows(800)
    explainer = from_ebm(regressor, X[:30], value_function="marginal")
    assert explainer(X[:2]).game == "marginal, 30 background rows"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        exact = explainer.refine(X[40:43], value_function=Marginal(X[:30]), n_coalitions=32)
    assert explainer.shap_values(X[40:43]) == pytest.approx(exact.values, abs=1e-10)
    assert explainer.expected_value == pytest.approx(exact.base_values[0], abs=1e-10)


def test_columns_are_matched_by_name_or_position(regressor: Any) -> None:
    X = make_rows(300)
    expected = compute_scores(regressor, X)
    explainer = from_ebm(regressor, X[["wait", "flag", "kind", "code", "size"]], value_function="marginal")
    assert explainer.feature_names_ == ("size", "kind", "flag", "code", "wait")
    assert explainer.predict(X[["kind", "wait", "code", "size", "flag"]]) == pytest.approx(expected, abs=1e-10)
    nameless = from_ebm(regressor, X.to_numpy(dtype=object), value_function="marginal")
    assert nameless.predict(X.to_numpy(dtype=object)) == pytest.approx(expected, abs=1e-10)


def test_columns_the_ebm_does_not_use_get_nothing() -> None:
    X = make_rows(300)[["size", "kind", "wait", "flag"]]
    options: dict[str, Any] = {"interactions": 0, "outer_bags": 2, "max_rounds": 50, "n_jobs": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ebm = glassbox.ExplainableBoostingRegressor(**options).fit(X, X["size"].fillna(0.0) + X["wait"])
    ebm = ebm.remove_terms([1, 2, 3]).sweep()
    assert ebm.bins_[1] == ebm.bins_[2] == []
    explainer = from_ebm(ebm, X, value_function="marginal")
    assert explainer.predict(X) == pytest.approx(compute_scores(ebm, X), abs=1e-10)
    assert not explainer.shap_values(X)[:, 1:].any()


def test_outputs_are_named_by_class(ebm: Any, explainer: Explainer) -> None:
    n_classes = len(getattr(ebm, "classes_", ()))
    assert explainer.output_names_ == {0: ("output",), 2: ("True",), 3: ("0", "1", "2")}[n_classes]


def test_saved_and_loaded_it_gives_the_same_bits(explainer: Explainer, tmp_path) -> None:
    X = make_rows(100)
    explainer.save(tmp_path / "ebm.insta")
    loaded = instashap.load(tmp_path / "ebm.insta")
    assert np.array_equal(loaded.shap_values(X), explainer.shap_values(X))
    assert np.array_equal(loaded.predict(X), explainer.predict(X))


def test_it_purifies_like_any_explainer(regressor: Any, conditional: Explainer) -> None:
    purify = pytest.importorskip("interpret.utils").purify
    X = make_rows(800).dropna()
    pair = max((features for features in regressor.term_features_ if len(features) == 2), key=lambda each: each == (0, 2))
    pure = conditional.purify("stone-hooker", X)
    position = list(regressor.term_features_).index(pair)
    # The EBM's own table and bins, and the joint density of the rows in them.
    bins = [regressor.bins_[column][-1] for column in pair]
    values = [X.iloc[:, column].astype(float) for column in pair]
    places = [np.searchsorted(cuts, each, side="right") + 1 for cuts, each in zip(bins, values, strict=True)]
    scores = regressor.term_scores_[position]
    density = np.zeros(scores.shape)
    np.add.at(density, tuple(places), 1.0)
    expected = purify(scores, density)[0][tuple(places)]
    found = pure.interaction_values(X)[:, pure.terms_.index(pair)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_wrong_arguments_are_told(regressor: Any, conditional: Explainer) -> None:
    X = make_rows(50)
    with pytest.raises(TypeError, match="fitted ExplainableBoosting model"):
        from_ebm(glassbox.ExplainableBoostingRegressor(), X)
    names = ("term_scores_", "bins_", "intercept_", "feature_types_in_", "eval_terms")
    large = SimpleNamespace(term_features_=[(0, 1, 2, 3)], **dict.fromkeys(names))
    with pytest.raises(ValueError, match="a term of 4 columns"):
        from_ebm(large, X)
    with pytest.raises(ValueError, match="value_function"):
        from_ebm(regressor, X, value_function="baseline")
    with pytest.raises(NotFittedError, match="reproduces an additive model's outputs"):
        conditional(X, errors=True)


def test_labels_that_are_numbers_and_orders_of_intervals_are_kept() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({0: rng.normal(size=300), 5: pd.cut(rng.uniform(0, 40, 300), [0, 10, 20, 40])})
    y = X[0] + X[5].cat.codes
    ebm = glassbox.ExplainableBoostingRegressor(interactions=0, outer_bags=1, n_jobs=1, max_rounds=50).fit(X, y)
    explainer = from_ebm(ebm, X)
    np.testing.assert_allclose(explainer.predict(X), ebm.predict(X), atol=1e-10)
    assert explainer(X)[:, 5].feature_names == ("5",)
    assert explainer(X).level_orders == {"5": ("(0, 10]", "(10, 20]", "(20, 40]")}
