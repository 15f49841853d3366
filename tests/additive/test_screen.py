"""Which interactions are offered."""

from itertools import combinations

import numpy as np
import pytest

from instashap.additive.design import make_value_functions
from instashap.additive.moments import accumulate_moments
from instashap.additive.screen import choose_value_sets, score_pairs
from instashap.additive.select import FoldMoments


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


def _choose(order, asked, n_spare=4000, live=range(5)):
    return choose_value_sets(5, list(live), lambda: SCORES, order, asked, n_spare)


def _refuse():
    raise AssertionError("nothing has to be scored here")


def test_sets_asked_for_are_closed_downwards_with_every_main_effect():
    assert _choose(3, [(0, 2, 3)]) == [*SINGLES, (0, 2), (0, 3), (2, 3), (0, 2, 3)]
    assert _choose(2, []) == SINGLES


def test_all_means_every_set_up_to_the_order():
    assert _choose(2, "all") == [*SINGLES, *combinations(range(5), 2)]
    assert _choose(3, "all") == [*SINGLES, *combinations(range(5), 2), *combinations(range(5), 3)]


def test_a_number_asks_for_the_best_pairs():
    assert _choose(2, 0) == SINGLES
    assert _choose(2, 1) == [*SINGLES, (1, 3)]
    assert _choose(2, 2) == [*SINGLES, (0, 2), (1, 3)]
    assert _choose(2, 99) == [*SINGLES, *combinations(range(5), 2)]


def test_auto_takes_all_pairs_while_they_are_few_without_scoring_them():
    assert choose_value_sets(5, range(5), _refuse, 2, "auto", 4000) == [*SINGLES, *combinations(range(5), 2)]


def test_auto_takes_the_best_pairs_where_they_are_many():
    assert _choose(2, "auto", n_spare=2 * 8) == [*SINGLES, (0, 2), (1, 3)]
    assert _choose(2, "auto", n_spare=-50) == [*SINGLES, (1, 3)]  # at least one


def test_columns_that_never_vary_interact_with_nothing():
    assert _choose(2, "auto", live=[0, 2, 4]) == [*SINGLES, (0, 2), (0, 4), (2, 4)]
    assert _choose(2, "all", live=[]) == SINGLES


def test_triples_have_all_their_pairs_and_the_strongest_come_first():
    chosen = _choose(3, "auto", n_spare=int(2.5 * 8 * 10) + 13 * 2)
    assert [values for values in chosen if len(values) == 2] == list(combinations(range(5), 2))
    triples = [values for values in chosen if len(values) == 3]
    weakest = {each: min(SCORES[pair] for pair in combinations(each, 2)) for each in combinations(range(5), 3)}
    assert len(triples) == 2
    assert min(weakest[each] for each in triples) >= sorted(weakest.values())[-2]
    few = _choose(3, 3)  # a number: pairs first, triples from what is left
    assert [len(values) for values in few].count(2) == 3
    assert not [values for values in few if len(values) == 3]
    some = _choose(3, 12)
    known = set(some)
    assert [len(values) for values in some].count(3) == 2
    assert all(pair in known for values in some if len(values) == 3 for pair in combinations(values, 2))


@pytest.mark.parametrize("asked", ["auto", 2])
def test_found_scores_choose_the_pairs_that_interact(asked, encode, make_axes):
    X = _independent(600)
    described = _describe(X, X[:, 1] * X[:, 3] + X[:, 0] * X[:, 2] / 2 + X[:, 4], encode, make_axes)
    chosen = choose_value_sets(5, range(5), lambda: score_pairs(*described), 2, asked, 2 * 8)
    assert chosen == [*SINGLES, (0, 2), (1, 3)]
