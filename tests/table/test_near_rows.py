"""Rows that are near copies of others count as one, and ordinary rows stay as they are."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from instashap import DataWarning, Explainer
from instashap.table.columns import read_table
from instashap.table.near_rows import merge_near_rows

WARNS = r"the 600 rows are 30 tight groups of near copies: each group counts as one row"


def make_rows(n_groups: int, copies: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    heads = rng.normal(size=(n_groups, 5))
    groups = np.repeat(np.arange(n_groups), copies)
    return heads[groups] + noise * rng.normal(size=(len(groups), 5)), groups


def compute(X: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3]


@pytest.mark.parametrize("noise", [1e-5, 1e-2])
@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_fit_to_noisy_copies_claims_what_it_does_on_exact_copies(noise: float) -> None:
    exact, _ = make_rows(30, 20, 0.0)
    claimed = Explainer(order=1).fit(exact, outputs=compute(exact)).fit_facts_["chosen"]["fidelity"]
    X, _ = make_rows(30, 20, noise)
    with pytest.warns(DataWarning, match=WARNS):
        chosen = Explainer(order=1).fit(X, outputs=compute(X)).fit_facts_["chosen"]
    assert chosen["fidelity"] == pytest.approx(claimed, abs=0.02)  # 1.000 with a near copy beside each held-out row
    assert claimed < 0.6


def test_a_group_takes_the_middle_of_its_numbers_and_the_mean_of_its_targets() -> None:
    X, groups = make_rows(40, 5, 1e-3)
    X[groups == 7, 2] = np.nan
    weights = 1.0 + np.arange(200) % 3
    with pytest.warns(DataWarning, match="40 tight groups"):
        table, target = merge_near_rows(read_table(X), compute(np.nan_to_num(X)), weights)
    for group in range(40):
        rows = groups == group
        np.testing.assert_array_equal(table.numbers[rows], np.tile(np.median(X[rows], axis=0), (5, 1)))
        np.testing.assert_allclose(target[rows], np.average(compute(np.nan_to_num(X[rows])), weights=weights[rows]))


def test_copies_in_another_precision_are_merged_without_a_word() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    copies = np.vstack([X, X.astype(np.float32), (X * 1.8 + 32 - 32) / 1.8])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table, _ = merge_near_rows(read_table(copies), np.zeros(150), np.ones(150))
    assert len(np.unique(table.numbers, axis=0)) == 50


def test_order_of_rows_does_not_matter() -> None:
    X, groups = make_rows(30, 20, 1e-2)
    mixed = np.random.default_rng(1).permutation(600)
    with pytest.warns(DataWarning, match=WARNS):
        plain, _ = merge_near_rows(read_table(X), groups, np.ones(600))
    with pytest.warns(DataWarning, match=WARNS):
        moved, _ = merge_near_rows(read_table(X[mixed]), groups[mixed], np.ones(600))
    np.testing.assert_array_equal(moved.numbers, np.asarray(plain.numbers)[mixed])


def test_groups_with_different_targets_inside_stay_and_are_named() -> None:
    table = read_table(make_rows(30, 20, 1e-2)[0])
    with pytest.warns(DataWarning, match="held-out figures are for more rows of the same groups, not for new groups"):
        kept, _ = merge_near_rows(table, np.random.default_rng(1).normal(size=600), np.ones(600))
    assert kept is table


@pytest.mark.parametrize("n_columns", [1, 2, 10])
def test_rows_of_a_density_stay(n_columns: int) -> None:
    rng = np.random.default_rng(n_columns)
    for n_rows in (12, 30, 1000):
        table = read_table(np.exp(rng.normal(size=(n_rows, n_columns))))
        assert merge_near_rows(table, np.zeros(n_rows), np.ones(n_rows))[0] is table


def test_rows_of_known_tables_stay() -> None:
    for X in (load_diabetes().data, load_iris().data, np.random.default_rng(0).integers(0, 9, size=(900, 3)).astype(float)):
        table = read_table(X)
        assert merge_near_rows(table, np.zeros(len(X)), np.ones(len(X)))[0] is table


def test_a_code_for_unknown_makes_no_groups_of_the_other_rows() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 5, 400), rng.normal(size=400)])
    X[:10, 1] = -999.0
    table = read_table(X)
    assert merge_near_rows(table, rng.normal(size=400), np.ones(400))[0] is table  # without a warning


def test_levels_keep_rows_apart() -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    levels = rng.integers(0, 30, size=(1000, 2)).astype(str)
    table = read_table(pd.DataFrame({"a": levels[:, 0], "b": levels[:, 1], "x": rng.normal(size=1000)}))
    assert merge_near_rows(table, np.zeros(1000), np.ones(1000))[0] is table


def test_columns_of_two_known_values_have_a_spread() -> None:
    X = np.full((40, 2), np.nan)
    X[:2, 0], X[:, 1] = (0.0, 1.0), np.random.default_rng(0).normal(size=40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = read_table(X)
        assert merge_near_rows(table, np.zeros(40), np.ones(40))[0] is table
