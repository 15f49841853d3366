"""Which interactions are offered: hand-computed shares, planted products, and what was asked for."""

import numpy as np
import pandas as pd
import pytest

from instashap.likelihood.propose import propose_interactions, score_products

CORNERS = np.tile([[-1.0, -1.0, -1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [-1.0, 1.0, 1.0],
                   [1.0, -1.0, -1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0], [1.0, 1.0, 1.0]], (20, 1))  # fmt: skip
SCORES = {(0, 1): 0.1, (0, 2): 0.9, (0, 3): 0.2, (1, 2): 0.5, (1, 3): 0.3, (2, 3): 0.4}
MAINS = [(0,), (1,), (2,), (3,)]


def propose(size, known, asked, n_affordable=2, scores=SCORES):
    return propose_interactions(size, known, asked, lambda: scores, lambda candidates: n_affordable)


def test_a_product_of_two_signs_is_told_by_its_own_pair_alone(encode):
    columns, encoded = encode(CORNERS)
    a, b, c = CORNERS.T
    told = score_products(columns, encoded, (0.6 * a * b + 0.8 * b * c)[:, None], np.ones(len(a)))
    assert told[0, 1] == pytest.approx(0.36, abs=1e-9)  # shares of variance
    assert told[1, 2] == pytest.approx(0.64, abs=1e-9)
    assert told[0, 2] == pytest.approx(0.0, abs=1e-9)


def test_shares_add_over_outputs_and_rows_count_by_weight(encode):
    columns, encoded = encode(CORNERS)
    a, b, c = CORNERS.T
    two = score_products(columns, encoded, np.column_stack([a * b, 5 * a * b]), np.ones(len(a)))
    assert two[0, 1] == pytest.approx(2.0, abs=1e-9)
    # With half the corners left out what was b · c is b there.
    left = score_products(columns, encoded, (a * b * c)[:, None], np.where(c > 0, 1.0, 1e-13))
    assert left[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_columns_that_do_not_vary_have_no_pairs(encode):
    frame = pd.DataFrame({"a": CORNERS[:, 0], "one": 1.0, "b": CORNERS[:, 1]})
    columns, encoded = encode(frame)
    told = score_products(columns, encoded, (CORNERS[:, 0] * CORNERS[:, 1])[:, None], np.ones(len(frame)))
    assert list(told) == [(0, 2)]


def test_planted_products_are_found_among_many_columns(encode):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 12))
    X[:, 5] += 0.7 * X[:, 2]
    residual = X[:, 3] * X[:, 8] + np.sign(X[:, 0]) * np.sign(X[:, 11]) + rng.normal(size=3000)
    frame = pd.DataFrame(X).astype({4: float})
    frame["town"] = rng.choice(["a", "b", "c"], 3000)
    residual += np.where(frame["town"] == "a", 1.0, -0.5) * X[:, 6]
    frame.columns = frame.columns.astype(str)
    columns, encoded = encode(frame)
    told = score_products(columns, encoded, residual[:, None], np.ones(3000))
    assert len(told) == 13 * 12 // 2
    assert set(sorted(told, key=told.get)[-3:]) == {(3, 8), (0, 11), (6, 12)}


def test_best_pairs_come_first_as_many_as_affordable():
    assert propose(2, MAINS, "auto") == [(0, 2), (1, 2)]
    assert propose(2, MAINS, "auto", 3) == [(0, 2), (1, 2), (2, 3)]


def test_all_means_all_and_a_number_so_many():
    assert propose(2, MAINS, "all") == sorted(SCORES)
    assert propose(2, MAINS, 1) == [(0, 2)]
    assert propose(2, MAINS, 0) == []
    assert propose(2, MAINS, 99) == sorted(SCORES)


def test_equal_scores_are_taken_in_the_order_of_columns():
    assert propose(2, MAINS, 2, scores=dict.fromkeys(SCORES, 1.0)) == [(0, 1), (0, 2)]


def test_a_triple_needs_its_three_pairs_and_is_worth_the_least_of_them():
    known = [*MAINS, (0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert propose(3, known, "all") == [(0, 1, 2), (1, 2, 3)]
    assert propose(3, known, "auto", 1) == [(1, 2, 3)]  # .3 against .1
    assert propose(3, known, 6) == [(1, 2, 3)]  # five pairs are there
    assert propose(3, known, 5) == []


def test_a_list_is_taken_with_all_subsets_at_once():
    assert propose(2, MAINS, [(0, 1, 3), (2, 3)]) == [(0, 1), (0, 3), (1, 3), (2, 3), (0, 1, 3)]
    assert propose(3, MAINS, [(0, 1, 3)]) == []
    never = propose_interactions(2, MAINS, [(0, 1)], lambda: 1 / 0, lambda candidates: 1 / 0)
    assert never == [(0, 1)]
