"""Shapley values from sampled pairs of coalitions."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.game.pairs import PairSample, allocate_pairs, count_pairs, sample_pairs


def ask(game: np.ndarray, sample: PairSample) -> tuple[np.ndarray, np.ndarray]:
    """Odd parts and total of a game given on all coalitions."""
    code = 1 << np.arange(sample.n_players)
    odd = (game[sample.masks @ code] - game[~sample.masks @ code]) / 2
    return odd, game[-1] - game[0]


def list_samples(n_players: int, counts: dict[int, int]) -> list[PairSample]:
    """Every sample with so many pairs of each size; all are equally likely."""
    codes = enumerate_coalitions(n_players)
    sizes = codes.sum(axis=1)
    choices = []
    for size, count in counts.items():
        alike = codes[(sizes == size) & (codes[:, 0] | (2 * size != n_players))]
        choices.append(list(combinations(alike, count)))
    order = np.repeat(list(counts), list(counts.values()))
    return [PairSample(np.concatenate(each), order, count_pairs(n_players)) for each in product(*choices)]


@pytest.mark.parametrize(
    ("n_players", "counts"), [(3, {1: 1}), (3, {1: 2}), (4, {1: 2, 2: 1}), (4, {1: 3, 2: 2}), (5, {1: 4, 2: 2})]
)
def test_the_mean_over_all_samples_is_exact(n_players: int, counts: dict[int, int]) -> None:
    game = np.random.default_rng(n_players).normal(size=(2**n_players, 2))
    estimates = [sample.estimate(*ask(game, sample))[0] for sample in list_samples(n_players, counts)]
    assert np.std(estimates, axis=0).max() > 0.05
    np.testing.assert_allclose(np.mean(estimates, axis=0), compute_shapley_values(game), atol=1e-12)


@pytest.mark.parametrize("n_players", range(1, 9))
def test_all_pairs_give_the_exact_values_without_error(n_players: int) -> None:
    game = np.random.default_rng(n_players).normal(size=(2**n_players, 3))
    sample = sample_pairs(2**n_players, n_players, np.random.default_rng(0))
    assert len(sample.masks) == 2 ** (n_players - 1) - 1
    values, variances = sample.estimate(*ask(game, sample))
    np.testing.assert_allclose(values, compute_shapley_values(game), atol=1e-12)
    assert not variances.any()


@pytest.mark.parametrize("n_players", range(2, 8))
def test_the_regression_of_all_pairs_on_their_members_has_the_values_as_coefficients(n_players: int) -> None:
    game = np.random.default_rng(n_players).normal(size=(2**n_players, 2))
    sample = sample_pairs(2**n_players, n_players, np.random.default_rng(0))
    odd, totals = ask(game, sample)
    root = np.sqrt(sample.weights)[:, None]
    found = np.linalg.lstsq(root * sample.members, root * sample.centre(odd, totals), rcond=None)[0]  # of sum zero: least norm
    np.testing.assert_allclose(found + totals / n_players, compute_shapley_values(game), atol=1e-10)


def test_the_mean_loss_of_samples_is_that_of_all_pairs() -> None:
    """With few pairs of each size too, the weighted squares have the mean of those over all pairs: sizes have equal weights."""
    game, values = np.random.default_rng(1).normal(size=(2**4, 1)), np.array([[0.5], [-1.0], [0.2], [0.3]])

    def measure(sample: PairSample) -> float:
        odd, totals = ask(game, sample)
        return float(sample.weights @ np.square(sample.centre(odd, totals) - sample.members @ values)[:, 0])

    every = sample_pairs(2**4, 4, np.random.default_rng(0))
    assert np.mean([measure(each) for each in list_samples(4, {1: 2, 2: 1})]) == pytest.approx(measure(every), abs=1e-12)


def test_values_sum_to_the_total_exactly() -> None:
    game = np.random.default_rng(0).normal(size=(2**7, 4))
    sample = sample_pairs(9, 7, np.random.default_rng(0))
    odd, totals = ask(game, sample)
    np.testing.assert_allclose(sample.estimate(odd, totals)[0].sum(axis=0), totals, atol=1e-13)


def test_variances_are_those_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    game = rng.normal(size=(2**8, 20)) + enumerate_coalitions(8) @ rng.normal(size=(8, 20))
    exact = compute_shapley_values(game)
    for n_pairs in (16, 60):
        samples = [sample_pairs(n_pairs, 8, rng) for _ in range(300)]
        found = [sample.estimate(*ask(game, sample)) for sample in samples]
        errors = np.array([values for values, _ in found]) - exact
        claimed = np.mean([variances for _, variances in found])
        assert claimed / np.mean(errors**2) == pytest.approx(1.0, abs=0.1)
        inside = np.abs(errors) < 1.96 * np.sqrt([variances for _, variances in found])
        assert 0.91 < inside.mean() < 0.97


def test_error_falls_at_least_with_the_square_root_of_the_sample() -> None:
    rng = np.random.default_rng(0)
    game = rng.normal(size=(2**12, 8))
    exact = compute_shapley_values(game)
    spreads = []
    for n_pairs in (50, 200, 800):
        samples = [sample_pairs(n_pairs, 12, rng) for _ in range(10)]
        errors = [sample.estimate(*ask(game, sample))[0] - exact for sample in samples]
        spreads.append(np.sqrt(np.mean(np.square(errors))))
    # four times the pairs, at most half the error; sizes that come to be enumerated make it fall faster
    assert spreads[0] / spreads[1] > 1.9
    assert spreads[1] / spreads[2] > 1.9


def test_a_linear_game_is_nearly_exact() -> None:
    weights = np.random.default_rng(0).normal(size=10)
    sample = sample_pairs(40, 10, np.random.default_rng(1))
    values, variances = sample.estimate(((sample.masks - 0.5) @ weights)[:, None], weights.sum(keepdims=True))
    np.testing.assert_allclose(values[:, 0], weights, atol=0.15)
    raw = (sample.masks - (sample.sizes / 10)[:, None]) * ((sample.masks - 0.5) @ weights)[:, None]
    assert variances.mean() < 0.2 * (raw**2).mean()


@pytest.mark.parametrize("prior", [0.1, 5.0])
def test_the_mean_over_all_samples_is_exact_with_every_prior(prior: float) -> None:
    game = np.random.default_rng(0).normal(size=(2**5, 2))
    samples = [replace(each, prior=prior) for each in list_samples(5, {1: 3, 2: 2})]
    estimates = [sample.estimate(*ask(game, sample))[0] for sample in samples]
    np.testing.assert_allclose(np.mean(estimates, axis=0), compute_shapley_values(game), atol=1e-12)


def test_a_game_that_levels_off_has_small_errors() -> None:
    """Slopes that fall with the size, and the size itself, are fitted: with a linear game alone the error is .3."""
    masks, weights = enumerate_coalitions(12), np.random.default_rng(0).normal(size=12)
    game = (8 * np.log1p(masks.sum(axis=1)) + (masks @ weights) / (1 + masks.sum(axis=1) / 6))[:, None]
    exact = compute_shapley_values(game)
    samples = [sample_pairs(60, 12, np.random.default_rng(seed)) for seed in range(20)]
    errors = [sample.estimate(*ask(game, sample))[0] - exact for sample in samples]
    assert np.sqrt(np.mean(np.square(errors))) < 0.06


@pytest.mark.parametrize(("n_pairs", "n_players"), [(3, 6), (10, 6), (30, 6), (31, 6), (99, 6), (40, 9), (64, 30), (200, 200)])
def test_samples_have_every_size_and_no_pair_twice(n_pairs: int, n_players: int) -> None:
    sample = sample_pairs(n_pairs, n_players, np.random.default_rng(0))
    assert len(sample.masks) == min(n_pairs, 2.0 ** (n_players - 1) - 1)
    np.testing.assert_array_equal(sample.masks.sum(axis=1), sample.sizes)
    assert set(sample.sizes) == set(range(1, n_players // 2 + 1))
    both = np.concatenate([sample.masks, ~sample.masks])
    assert len(np.unique(both, axis=0)) == len(both)


@pytest.mark.parametrize("n_players", [5, 6, 12])
def test_every_pair_of_a_size_is_equally_likely(n_players: int) -> None:
    rng = np.random.default_rng(0)
    masks = np.concatenate([sample_pairs(n_players, n_players, rng).masks for _ in range(1500)])
    for size in range(1, n_players // 2 + 1):
        own = masks[masks.sum(axis=1) == size]
        own = np.where(own[:, :1], own, ~own) if 2 * size == n_players else own
        _, counts = np.unique(own, axis=0, return_counts=True)
        population = int(count_pairs(n_players)[size])
        expected = len(own) / population
        assert (len(counts) == population) or expected < 12
        assert np.abs(counts - expected).max() < 6 * np.sqrt(expected) + 3


def test_pairs_go_where_they_lower_the_variance_most() -> None:
    np.testing.assert_array_equal(allocate_pairs(2, 4), [0, 1, 1])
    counts = allocate_pairs(400, 20)
    assert counts.sum() == 400
    assert counts[1] == 20  # all there are
    free = np.arange(3, 10)
    np.testing.assert_allclose(counts[3:10] * np.sqrt(free * (20 - free)) / (counts[3] * np.sqrt(51)), 1, atol=0.06)
    with pytest.raises(ValueError, match="4 pairs cannot hold one of each of 5 sizes"):
        allocate_pairs(4, 10)


def test_pairs_of_a_thousand_players_are_counted_and_those_beyond_every_float_count_as_many():
    counts = count_pairs(1100)
    assert counts[:4].tolist() == [0.0, 1100.0, 1100 * 1099 / 2, 1100 * 1099 * 1098 / 6]
    assert counts[-1] == 1e60  # C(1100, 550) is about 1e329
    masks = np.arange(1100) < np.array([1, 1, 550, 550])[:, None]
    masks[1::2] = masks[1::2, ::-1]
    sample = PairSample(masks, np.array([1, 1, 550, 550]), counts)
    values, variances = sample.estimate(np.arange(4.0)[:, None], np.array([5.0]))
    assert values.sum() == pytest.approx(5.0, rel=1e-9)
    assert np.isfinite(variances).all()
