"""Which interactions are offered."""

from itertools import combinations

import numpy as np
import pytest

from instashap.masked.design import make_value_functions
from instashap.masked.fold_moments import FoldMoments
from instashap.masked.moments import accumulate_moments
from instashap.masked.screen import choose_products, choose_triples, choose_value_sets, score_pairs


def _describe(X, f, encode, make_axes):
    """Fold moments of main effects, the least-squares main effects and the rows."""
    columns, encoded = encode(X)
    weights = np.ones(len(X))
    axes = make_axes(columns, encoded, weights, (6,))
    functions = make_value_functions([(column,) for column in range(X.shape[1])], axes, {2: 4, 3: 4})
    outputs = np.reshape(f, (len(X), -1)).astype(float)
    moments = accumulate_moments(functions.evaluate, encoded, outputs, weights, len(functions))
    coefficients = np.linalg.solve(moments.scatter, moments.cross)
    return FoldMoments.from_folds(functions, [moments]), coefficients, (encoded, outputs, weights)


def _independent(n=4000, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_a_product_gives_its_pair_a_score_of_one_and_the_others_nearly_nothing(encode, make_axes):
    X = _independent()
    scores = score_pairs(*_describe(X, X[:, 1] * X[:, 3], encode, make_axes))
    assert set(scores) == set(combinations(range(5), 2))
    # The product of two standardised columns is itself a product of leading functions: all of the variance.
    assert scores[1, 3] == pytest.approx(1.0, abs=0.1)
    assert max(score for pair, score in scores.items() if pair != (1, 3)) < 0.1


@pytest.mark.parametrize("column", [0, 1])
def test_correlated_main_effects_score_by_what_each_tells_of_the_other(column, encode, make_axes):
    X = _independent()
    X[:, 1] = 0.8 * X[:, 0] + 0.6 * X[:, 1]
    f = X[:, column] + X[:, 2]
    scores = score_pairs(*_describe(X, f, encode, make_axes))
    # The other column foretells 0.8² of the variance of this one, which is half the variance of f.
    assert scores[0, 1] == pytest.approx(0.32, abs=0.05)
    assert scores[column, 2] < 0.05


def test_scores_do_not_depend_on_the_outputs_unit(encode, make_axes):
    X = _independent(1000)
    f = X[:, 1] * X[:, 3] + X[:, 0]
    one = score_pairs(*_describe(X, f, encode, make_axes))
    other = score_pairs(*_describe(X, 1e9 * f, encode, make_axes))
    for pair in one:
        assert other[pair] == pytest.approx(one[pair], rel=1e-6)


def test_scores_count_rows_by_their_weight(encode, make_axes):
    X = _independent(500)
    f = X[:, 0] * X[:, 1] + 0.5 * X[:, 2]
    weights = np.random.default_rng(1).integers(1, 4, 500)
    moments, coefficients, (encoded, outputs, _) = _describe(X, f, encode, make_axes)
    functions = moments.functions

    def score(rows, row_weights):
        chosen = type(encoded)(encoded.cells[rows], encoded.offsets[rows])
        total = accumulate_moments(functions.evaluate, chosen, outputs[rows], row_weights, len(functions))
        return score_pairs(FoldMoments.from_folds(functions, [total]), coefficients, (chosen, outputs[rows], row_weights))

    weighted = score(np.arange(500), weights.astype(float))
    repeated = score(np.repeat(np.arange(500), weights), np.ones(weights.sum()))
    for pair in weighted:
        assert repeated[pair] == pytest.approx(weighted[pair], rel=1e-9)


SINGLES = [(0,), (1,), (2,), (3,), (4,)]
# The best pairs are (1, 3) and (0, 2), then those of column 4.
SCORES = {pair: 0.01 * sum(pair) for pair in combinations(range(5), 2)} | {(1, 3): 0.9, (0, 2): 0.5}


PAIRS = list(combinations(range(5), 2))
TRIPLES = list(combinations(range(5), 3))


def _choose(asked, n_spare=4000, live=range(5)):
    return choose_value_sets(5, list(live), lambda: SCORES, asked, n_spare)


def _refuse():
    raise AssertionError("nothing has to be scored here")


def test_sets_asked_for_are_closed_downwards_with_every_main_effect():
    assert _choose([(0, 2, 3)]) == [*SINGLES, (0, 2), (0, 3), (2, 3), (0, 2, 3)]
    assert _choose([]) == SINGLES
    assert choose_value_sets(5, range(5), _refuse, [(3, 4)], -50) == [*SINGLES, (3, 4)]  # whatever there is to spare


def test_all_means_every_pair_and_then_every_triple():
    assert choose_value_sets(5, range(5), _refuse, "all", 0) == [*SINGLES, *PAIRS]
    assert choose_triples([*SINGLES, *PAIRS], _refuse, "all", 0) == TRIPLES


def test_a_number_asks_for_the_best_pairs():
    assert _choose(0, n_spare=-50) == SINGLES
    assert _choose(1, n_spare=-50) == [*SINGLES, (1, 3)]  # asked for, whatever there is to spare
    assert _choose(2) == [*SINGLES, (0, 2), (1, 3)]
    assert _choose(4) == [*SINGLES, (0, 2), (1, 3), (2, 4), (3, 4)]
    assert _choose(99) == [*SINGLES, *PAIRS]


def test_equal_scores_go_to_the_first_columns():
    level = dict.fromkeys(PAIRS, 0.5)
    assert choose_value_sets(5, range(5), lambda: level, 3, 0) == [*SINGLES, *PAIRS[:3]]
    assert choose_triples(PAIRS, lambda: level, 12, 0) == TRIPLES[:2]


def test_auto_takes_all_pairs_while_they_are_few_without_scoring_them():
    assert choose_value_sets(5, range(5), _refuse, "auto", 8 * 10) == [*SINGLES, *PAIRS]


def test_auto_takes_the_best_pairs_where_they_are_many():
    assert _choose("auto", n_spare=2 * 8) == [*SINGLES, (0, 2), (1, 3)]
    assert _choose("auto", n_spare=-50) == [*SINGLES, (1, 3)]  # at least one


def test_columns_that_never_vary_interact_with_nothing():
    assert _choose("auto", live=[0, 2, 4]) == [*SINGLES, (0, 2), (0, 4), (2, 4)]
    assert _choose("all", live=[0, 2]) == [*SINGLES, (0, 2)]
    assert _choose("all", live=[]) == SINGLES


WEAKEST = {each: min(SCORES[pair] for pair in combinations(each, 2)) for each in TRIPLES}


@pytest.mark.parametrize(("asked", "n_spare"), [("auto", 13 * 2), ("auto", 13 * 3 - 1), (12, -50)])
def test_the_triples_of_the_strongest_weakest_pair_come_first(asked, n_spare):
    # A number counts the pairs that are taken: twelve leave two.
    chosen = choose_triples([*SINGLES, *PAIRS], lambda: SCORES, asked, n_spare)
    assert len(chosen) == 2
    assert chosen == sorted(chosen)
    assert min(WEAKEST[each] for each in chosen) >= sorted(WEAKEST.values())[-2]
    assert set(chosen) == {(1, 3, 4), (2, 3, 4)}


def test_triples_have_all_their_pairs_among_the_value_sets():
    pairs = [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4), (1, 4)]
    known = [each for each in TRIPLES if set(combinations(each, 2)) <= set(pairs)]
    assert known == [(0, 1, 2), (1, 2, 4), (2, 3, 4)]
    for asked in ("all", "auto", 99):
        assert choose_triples([*SINGLES, *pairs], _refuse, asked, 13 * 3) == known
    assert choose_triples([*SINGLES, *pairs], lambda: SCORES, "auto", 13) == [(2, 3, 4)]
    assert choose_triples([*SINGLES, (0, 1), (1, 2)], _refuse, "all", 999) == []


@pytest.mark.parametrize(("asked", "n_spare"), [(3, 4000), (10, 4000), ("auto", 12), ("auto", -50)])
def test_nothing_to_spare_leaves_no_triples(asked, n_spare):
    assert choose_triples([*SINGLES, *PAIRS], lambda: SCORES, asked, n_spare) == []


@pytest.mark.parametrize("asked", ["auto", 2])
def test_found_scores_choose_the_pairs_that_interact(asked, encode, make_axes):
    X = _independent(600)
    described = _describe(X, X[:, 1] * X[:, 3] + X[:, 0] * X[:, 2] / 2 + X[:, 4], encode, make_axes)
    chosen = choose_value_sets(5, range(5), lambda: score_pairs(*described), asked, 2 * 8)
    assert chosen == [*SINGLES, (0, 2), (1, 3)]


def test_products_are_chosen_that_go_with_what_is_left_over_and_none_by_chance(encode, make_axes):
    X = _independent(n=2000, d=3)
    columns, encoded = encode(X)
    axes = make_axes(columns, encoded, np.ones(len(X)), (6, 6))
    pairs = [(0, 1), (0, 2), (1, 2)]
    offered = make_value_functions(pairs, axes, {2: 36})
    known = dict(zip(pairs, make_value_functions(pairs, axes, {2: 4}).choices, strict=True))
    one, other = (
        axes[2, column].basis.tabulate(encoded.cells[:, column], encoded.offsets[:, column], axes[2, column].coefficients)
        for column in (0, 2)
    )
    left_over = 0.3 * one[4] * other[3] + 0.2 * one[2] * other[5] + 0.01 * np.random.default_rng(1).normal(size=len(X))
    found = choose_products(offered, known, encoded, left_over[:, None], 2)
    assert list(found) == [(0, 2)]
    assert found[0, 2][: len(known[0, 2])].tolist() == known[0, 2].tolist()
    assert sorted(found[0, 2][len(known[0, 2]) :].tolist()) == [[2, 5], [4, 3]]
    chance = np.random.default_rng(2).normal(size=(len(X), 1))
    by_chance = choose_products(offered, known, encoded, chance, 100)
    n_new = sum(len(chosen) - len(known[pair]) for pair, chosen in by_chance.items())
    assert n_new < 0.15 * len(offered)  # two standard errors: one in twenty
    assert choose_products(offered, known, encoded, 0.0 * chance, 100) == {}
