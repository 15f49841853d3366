"""Synthetic rows: against Gaussian formulas, densities by hand, and the model's own record of what it was asked."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from instashap import Explainer, FitWarning
from instashap.blackbox.mixture import learn_components
from instashap.blackbox.samplers import choose_shrinkage, learn_gaussian
from instashap.fits.synthetic_fit import Asking, choose_number, make_source
from instashap.masked import synthetic
from instashap.masked.candidate import Candidate, Judgement
from instashap.masked.drawn import DrawnMoments, blend_moments
from instashap.masked.fold_moments import Split
from instashap.masked.moments import CentredMoments
from instashap.masked.strengths import Strengths
from instashap.masked.synthetic import SyntheticSource
from instashap.masked.synthetic_search import SyntheticSearch
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table

R = 0.8


def make_rows(n_rows: int = 120, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    X[:, 1] = R * X[:, 0] + np.sqrt(1 - R**2) * X[:, 1]
    return X


def total(X: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, 0] + X[:, 1])


def make_source_of(X: np.ndarray, weights: np.ndarray | None = None) -> SyntheticSource:
    weights = np.ones(len(X)) if weights is None else weights
    table = read_table(X)
    encoded = learn_table(table, weights)[0].encode(table)

    def ask(places: np.ndarray) -> np.ndarray:
        return total(np.take_along_axis(X, places, axis=0))[:, None]

    return make_source(table, encoded, total(X)[:, None], weights, Asking(ask, 8192))


def wave(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(2 * X[:, 0]))


def compute_exact(X: np.ndarray) -> np.ndarray:
    """Shapley values of ``wave``: ``E[sin(2 x1) | x2] = sin(2 r x2) exp(-2 (1 - r²))`` is what the second column says."""
    half = np.sin(2 * R * X[:, 1]) * np.exp(-2 * (1 - R**2)) / 2
    return np.stack([wave(X) - half, half, np.zeros(len(X))], axis=1)


def test_few_rows_and_many_synthetic_ones_come_near_the_exact_values() -> None:
    X, new = make_rows(80), make_rows(400, seed=1)
    errors = {}
    for number in (0, 4096):
        explainer = Explainer(wave, order=1, synthetic_rows=number).fit(X)
        errors[number] = ((explainer.shap_values(new) - compute_exact(new)) ** 2).sum() / (compute_exact(new) ** 2).sum()
    assert explainer.fit_facts_["synthetic"]["share"] > 0
    assert errors[4096] < 0.5 * errors[0]
    assert errors[4096] < 0.03


def test_the_model_is_asked_as_often_as_is_said_about_values_that_columns_have() -> None:
    seen: list[pd.DataFrame] = []

    def model(rows: pd.DataFrame) -> np.ndarray:
        seen.append(rows)
        return np.asarray(rows["x"] * rows["y"] + (rows["c"] == "a") * 2.0)

    X = make_rows(200)
    frame = pd.DataFrame({"x": X[:, 0], "y": X[:, 1], "c": np.where(X[:, 2] > 0, "a", "b")})
    explainer = Explainer(model, synthetic_rows=3000).fit(frame)
    asked = pd.concat(seen[1:])
    assert len(seen[0]) == 200
    assert explainer.fit_facts_["synthetic"]["n_asked"] == len(asked) <= 3000
    assert all(asked[name].isin(frame[name]).all() for name in frame)
    assert not asked.duplicated().all()
    seen.clear()
    Explainer(model, synthetic_rows=0).fit(frame)
    assert [len(each) for each in seen] == [200]


@pytest.mark.parametrize(("least", "n_asked"), [(1e-3, range(1, 4097)), (0.0, range(4097, 65_537))])
def test_where_rows_are_many_a_few_synthetic_ones_show_that_more_would_save_nothing(
    least: float, n_asked: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "_MIN_GAIN_OF_MANY", least)
    explainer = Explainer(lambda rows: wave(rows) + np.cos(40 * rows[:, 2]) / 4, order=1).fit(make_rows(10_000))
    assert explainer.fit_facts_["synthetic"]["n_asked"] in n_asked


def stripes(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(3 * X[:, 0]) * X[:, 2] + X[:, 0])


def test_pairs_are_refined_by_what_the_model_says_of_synthetic_rows() -> None:
    X, new = make_rows(150), make_rows(400, seed=1)
    # The third column is independent and says nothing alone; E[sin(3 x0) | x1] = sin(3 r x1) exp(-4.5 (1 - r²)).
    shared = np.sin(3 * R * new[:, 1]) * np.exp(-4.5 * (1 - R**2)) * new[:, 2] / 6
    product, line = np.sin(3 * new[:, 0]) * new[:, 2] / 2, R * new[:, 1] / 2
    exact = np.stack([new[:, 0] - line + product - 2 * shared, line + shared, product + shared], axis=1)
    explainer = Explainer(stripes, synthetic_rows=4096).fit(X)
    result = explainer._fitted.record.result
    assert result.chosen.strengths.synthetic > 0
    # Without the refinement it is .68: products of low rank do not hold three waves.
    assert 1 - ((explainer.shap_values(new) - exact) ** 2).sum() / (exact**2).sum() > 0.8
    # Main effects are judged by rows, as the chosen model is: they know nothing of the product.
    assert len(result.mains.solved.fold_coefficients) == result.n_folds
    unknown = (np.sin(3 * X[:, 0]) * X[:, 2]).var() / stripes(X).var()
    assert result.mains.chosen.full_risk == pytest.approx(unknown, rel=0.15)


def test_a_distribution_that_is_wrong_has_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    X[:, 1] = np.abs(X[:, 0]) + 0.05 * X[:, 1]  # correlation of ranks near 0, and yet one column gives the other

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray(X[:, 1])

    monkeypatch.setattr(synthetic, "KINDS", ("copula",))
    with_copula, alone = (Explainer(model, synthetic_rows=each).fit(X) for each in (4096, 0))
    assert with_copula.fit_facts_["synthetic"]["n_asked"] > 0
    assert with_copula.fit_facts_["synthetic"]["share"] == 0
    np.testing.assert_array_equal(with_copula.shap_values(X), alone.shap_values(X))


def test_neither_order_nor_sign_nor_copies_of_rows_and_columns_matter() -> None:
    X, options = make_rows(), {"order": 1, "synthetic_rows": 2048}
    values = Explainer(total, **options).fit(X).shap_values(X)
    rows, columns = np.random.default_rng(1).permutation(len(X)), [2, 0, 1]
    mixed = Explainer(lambda X: X[:, 1] + X[:, 2], **options).fit(X[rows][:, columns])
    np.testing.assert_allclose(mixed.shap_values(X[:, columns]), values[:, columns], atol=1e-7)
    flipped = Explainer(lambda X: X[:, 0] - X[:, 1], **options).fit(X * [1, -1, 1])
    np.testing.assert_allclose(flipped.shap_values(X * [1, -1, 1]), values, atol=1e-7)
    negated = Explainer(lambda X: -total(X), **options).fit(X)  # it moved values by up to .4 standard deviations
    np.testing.assert_allclose(-negated.shap_values(X), values, atol=1e-7)
    counts = np.random.default_rng(2).integers(1, 4, len(X))
    repeated = Explainer(total, **options).fit(np.repeat(X, counts, axis=0))
    weighted = Explainer(total, **options).fit(X, sample_weight=counts)
    np.testing.assert_allclose(repeated.shap_values(X), weighted.shap_values(X), atol=1e-7)


def test_a_model_that_fails_on_synthetic_rows_is_explained_by_its_rows() -> None:
    X = make_rows()

    def model(rows: np.ndarray) -> np.ndarray:
        if len(rows) != len(X):
            raise RuntimeError("these rows cannot be")
        return total(rows)

    explainer = Explainer(model, order=1, synthetic_rows=2048).fit(X)
    assert "these rows cannot be" in explainer.fit_facts_["synthetic"]["refusal"]
    np.testing.assert_array_equal(explainer.shap_values(X), Explainer(total, order=1, synthetic_rows=0).fit(X).shap_values(X))


def test_moments_of_a_refit_are_of_rows_alone_which_is_said() -> None:
    explainer = Explainer(total, order=1, synthetic_rows=2048).fit(make_rows())
    with pytest.warns(FitWarning, match="fit with synthetic_rows=0"):
        explainer.refit(explainer.moments_)


def test_standard_errors_are_the_spread_of_fits_to_other_rows() -> None:
    at, values, errors, shares = np.array([[1.0, 0.0, 0.5]]), [], [], []
    for seed in range(8):
        explainer = Explainer(total, order=1, synthetic_rows=2048).fit(make_rows(150, seed))
        found = explainer(at, errors=True)
        values.append(found.values[0, 0])
        errors.append(found.standard_errors[0, 0])
        shares.append(explainer.fit_facts_["synthetic"]["share"])
    assert np.count_nonzero(shares) >= 6  # nearly all of the fits have synthetic rows
    assert 0.4 < np.mean(errors) / np.std(values, ddof=1) < 2.5


def test_weights_of_synthetic_rows_make_them_a_sample_of_the_other_rows_distribution() -> None:
    X = make_rows(300)
    drawn = make_source_of(X).draw("copula", 4096)
    left = np.ones(300)
    left[X[:, 0] > 0] = 0.2  # another correlation
    weights = drawn.weigh(left)
    scores = drawn.scores
    second = (scores * left[:, None]).T @ scores / left.sum()
    expected = second[0, 1] / np.sqrt(second[0, 0] * second[1, 1])
    latent = drawn.latent * np.sqrt(weights / weights.sum())[:, None]
    assert (latent.T @ latent)[0, 1] == pytest.approx(expected, abs=0.03)
    np.testing.assert_allclose(drawn.weigh(np.ones(300)), 1.0, atol=1e-9)


def test_each_rows_likelihood_given_the_others_is_found_without_fitting_again() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(25, 3)) @ rng.normal(size=(3, 3))
    X = X / np.sqrt((X**2).mean(axis=0))
    shares = (1e-6, 1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
    losses = []
    for share in shares:
        loss = 0.0
        for row in range(25):
            others = np.delete(X, row, axis=0)
            matrix = (1 - share) * others.T @ others / 24 + share * np.eye(3)
            loss += X[row] @ np.linalg.solve(matrix, X[row]) + np.linalg.slogdet(matrix)[1]
        losses.append(loss)
    assert choose_shrinkage(X, np.ones(25)) == shares[int(np.argmin(losses))]


def test_near_copies_of_columns_stay_near_copies() -> None:
    X = make_rows(200)
    X[:, 2] = X[:, 0] + 0.05 * X[:, 2]
    source = make_source_of(X)
    sampler = learn_gaussian(source.margins, source.scores, source.weights)
    assert sampler.covariances[0, 0, 2] > 0.995


def test_a_mixture_finds_groups_and_counts_weights_as_copies() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) * [0.5, 0.1]
    X[::2, 0] += 4.0
    shares, means, _ = learn_components(X, np.ones(400))
    order = np.argsort(means[:, 0])
    np.testing.assert_allclose(shares[order], [0.5, 0.5], atol=0.02)
    np.testing.assert_allclose(means[order, 0], [X[1::2, 0].mean(), X[::2, 0].mean()], atol=0.02)
    counts = rng.integers(1, 3, 400)
    for one, other in zip(
        learn_components(X, counts.astype(float)),
        learn_components(np.repeat(X, counts, axis=0), np.ones(counts.sum())),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-8)


def make_moments(values: list[float], outputs: list[float]) -> CentredMoments:
    x, f = np.array(values), np.array(outputs)
    mx, mf = x.mean(), f.mean()
    scatter, cross = ((x - mx) ** 2).sum(), ((x - mx) * (f - mf)).sum()
    return CentredMoments(
        len(x), np.array([mx]), np.array([[scatter]]), np.array([mf]), np.array([[cross]]), np.array([((f - mf) ** 2).sum()])
    )


def test_moments_are_blended_about_their_own_means() -> None:
    real, drawn = make_moments([0, 2], [0, 4]), make_moments([10, 10, 16], [1, 1, 4])
    gram, cross = blend_moments(real, drawn, 0.25)
    assert gram[0, 0] == pytest.approx(0.75 * 1 + 0.25 * 8)  # variances 1 and 8
    assert cross[0, 0] == pytest.approx(0.75 * 2 + 0.25 * 4)


def test_a_part_that_is_held_out_is_not_among_what_is_fitted() -> None:
    parts = make_moments([0, 2], [0, 4]), make_moments([10, 10, 16], [1, 1, 4])
    drawn = DrawnMoments(parts[0] + parts[1], parts, True, True)
    gram, cross = blend_moments(make_moments([5, 5], [1, 1]), drawn.total, 0.25, (None, drawn.get_outside(0)[1]))
    assert gram[0, 0] == pytest.approx(0.25 * 8)  # that of the second part alone
    assert cross[0, 0] == pytest.approx(0.25 * 4)
    rows = make_moments([0, 2, 9], [0, 4, 1])
    gram, cross = blend_moments(rows, drawn.total, 0.0, (make_moments([9], [1]), None))
    assert gram[0, 0] == pytest.approx(1)
    assert cross[0, 0] == pytest.approx(2)
    split = Split(make_moments([9], [1]), rows, drawn=drawn, number=0, synthetic=0.25)
    gram, cross, variance = split.held_out  # about the means of the other rows, 1 and 2, and of the other part, 12 and 2
    assert gram[0, 0] == pytest.approx(0.75 * 8**2 + 0.25 * (12**2 + 10**2) / 2)
    assert cross[0, 0] == pytest.approx(-0.75 * 8 + 0.25 * (12 * 2 - 10 * 2) / 2)
    assert variance[0] == pytest.approx(0.75 * 1 + 0.25 * 4)


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (("auto", 300, 1e-5), 18_432),
        (("auto", 10_000, 1e-5), 65_536),
        (("auto", 10_000, 5e-4), 16_384),
        (("auto", 300, 1e-3), 4608),
        (("auto", 300, 1.0), 0),
        (("auto", 60_000, 1e-5), 0),
        ((7, 60_000, 1.0), 7),
    ],
)
def test_a_slow_model_is_asked_about_fewer_rows(arguments: tuple[Any, ...], number: int) -> None:
    assert choose_number(*arguments) == number


def test_bad_numbers_of_synthetic_rows_are_refused() -> None:
    for bad, error in ((-1, ValueError), ("many", ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="synthetic_rows"):
            Explainer(total, order=1, synthetic_rows=bad).fit(make_rows())


@pytest.mark.parametrize(("risks", "chosen"), [({0.9: 0.3, 0.97: 0.4}, 0.9), ({0.9: 0.6, 0.97: 0.2}, 0.75)])
def test_a_higher_share_is_taken_while_it_lowers_the_risk_of_rows(risks: dict[float, float], chosen: float) -> None:
    judgement = Judgement(Candidate(1, 1, {}, (0, 0, 0)), Strengths(synthetic=0.75), 0.5, 0.5, 1)
    search: Any = object.__new__(SyntheticSearch)
    search.share, search.best = 0.75, (None, judgement, None)
    search.judge_candidate = lambda *_: (
        replace(judgement, strengths=Strengths(synthetic=search.share), risk=risks[search.share]),
        None,
    )
    search.raise_share()
    assert search.share == search.best[1].strengths.synthetic == chosen
