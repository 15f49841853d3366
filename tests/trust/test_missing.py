"""Terms that are missing: found where they were planted, with the gain they have, and nowhere else."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from instashap.trust.held_rows import Rows
from instashap.trust.missing import find_missing, make_bins

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4000, 5))


def test_a_product_of_two_columns_is_named_with_nearly_its_gain(make_rows: Callable[..., Rows]) -> None:
    residual = 0.6 * X[:, 1] * X[:, 3] + 0.3 * RNG.normal(size=4000)
    missing = find_missing(make_rows(X, residual), residual[:, None])
    assert [term.name for term in missing.terms] == ["x1 × x3"]
    assert 0.75 * 0.36 < missing.terms[0].gain < 0.36  # a step function says less than the product's variance
    assert missing.steps.shape == (1, 4000, 1)


def test_a_product_of_three_columns_is_found_though_no_pair_shows_it(make_rows: Callable[..., Rows]) -> None:
    residual = X[:, 0] * X[:, 2] * X[:, 4]
    missing = find_missing(make_rows(X, residual), residual[:, None])
    assert [term.name for term in missing.terms] == ["x0 × x2 × x4"]
    assert 0.4 < missing.terms[0].gain < 1.0


def test_steps_known_exactly_have_exactly_their_gain(make_rows: Callable[..., Rows]) -> None:
    table = pd.DataFrame({"town": RNG.choice(["north", "south"], 3000), "year": RNG.integers(0, 2, 3000).astype(float)})
    residual = np.where((table["town"] == "north") == (table["year"] == 1), 0.5, -0.5)
    missing = find_missing(make_rows(table, residual), residual[:, None])
    assert [term.columns for term in missing.terms] == [("town", "year")]
    assert missing.terms[0].gain == pytest.approx(0.25, rel=1e-3)


def test_noise_lacks_nothing(make_rows: Callable[..., Rows]) -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_t(4, size=(4000, 1))
        assert find_missing(make_rows(X, noise), noise).terms == ()


def test_a_second_pair_is_worth_what_it_adds_to_the_first(make_rows: Callable[..., Rows]) -> None:
    Z = np.hstack([X[:, :3], X[:, :1] + 0.1 * RNG.normal(size=(4000, 1))])  # x3 is nearly x0
    residual = Z[:, 0] * Z[:, 1]
    first, *others = find_missing(make_rows(Z, residual), residual[:, None]).terms
    assert first.name in ("x0 × x1", "x1 × x3")
    assert sum(term.gain for term in others) < 0.05


def test_bins_are_values_levels_or_quantiles() -> None:
    bins, n_bins = make_bins(np.arange(100.0), 4, False)
    assert (np.bincount(bins).tolist(), n_bins) == ([25, 25, 25, 25], 4)
    many = np.repeat([0.0, 1.0, 2.0, 3.0], [5, 50, 20, 1])
    bins, n_bins = make_bins(many, 3, True)
    assert (np.bincount(bins).tolist(), n_bins) == ([50, 20, 6], 3)
    bins, _ = make_bins(np.array([np.nan, 1.0, np.nan]), 3, False)
    assert bins.tolist() == [1, 0, 1]
