"""Bad parts of the rows: planted ones are found and put in words."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from instashap.trust.held_rows import Rows
from instashap.trust.segments import compare, find_segments

N = 6000


def measure_overlap(found: np.ndarray, planted: np.ndarray) -> float:
    return float((found & planted).sum() / (found | planted).sum())


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_region_is_found(seed: int, make_rows: Callable[..., Rows]) -> None:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(N, 6))
    planted = (X[:, 1] > 0.4) & (X[:, 4] < -0.3)  # 10 % of the rows, where four columns interact
    rest = np.prod(np.sign(X[:, [0, 2, 3, 5]]), axis=1)
    residual = 0.15 * rng.normal(size=N) + planted * rest * 0.8
    output = X[:, 0] + X[:, 2] + residual
    rows = make_rows(X, output)
    (segment, *_), (inside, *_) = find_segments(rows, residual[:, None], output[:, None])
    assert measure_overlap(inside, planted) >= 0.7
    assert segment.share == pytest.approx(inside.mean())
    own = inside & ~rows.halves
    assert segment.carried.value == pytest.approx(1 - (residual[own] ** 2).sum() / (output[own] ** 2).sum(), abs=1e-9)
    assert {text.split()[0] for text in segment.conditions} == {"x1", "x4"}


def test_words_use_the_tables_own_values_and_levels(make_rows: Callable[..., Rows]) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "hour": rng.integers(0, 24, N).astype(float),
            "town": rng.choice(["Aden", "Bern", "Cork", "Dover"], N),
            "area": rng.uniform(0, 100, N),
        }
    )
    planted = table["hour"].between(7, 9) & table["town"].isin(["Bern", "Dover"])
    residual = np.where(planted, 1.0, 0.1) * rng.normal(size=N)
    rows = make_rows(table, residual)
    (segment, *_), (inside, *_) = find_segments(rows, residual[:, None], np.ones((N, 1)))
    assert segment.conditions == ("hour is from 7 to 9", "town is Bern or Dover")
    assert measure_overlap(inside, planted.to_numpy()) == 1.0


def test_a_missing_value_is_a_place_to_fail(make_rows: Callable[..., Rows]) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=N)
    values[:600] = np.nan
    residual = np.where(np.isnan(values), 1.0, 0.1) * rng.normal(size=N)
    X = np.column_stack([values, rng.normal(size=N)])
    segments, _ = find_segments(make_rows(X, residual), residual[:, None], np.ones((N, 1)))
    assert segments[0].conditions == ("x0 is missing",)


def test_even_residuals_have_no_worst_part(make_rows: Callable[..., Rows]) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, residual = rng.normal(size=(N, 6)), rng.normal(size=(N, 1))
        segments, _ = find_segments(make_rows(X, residual), residual, residual)
        assert segments == ()


def test_comparing_is_a_difference_of_means() -> None:
    squared = np.array([4.0, 2.0, 1.0, 1.0])
    inside = np.array([True, True, False, False])
    ratio, sureness = compare(squared, np.ones(4), inside, ~inside)
    assert ratio == pytest.approx(3.0)
    assert sureness == pytest.approx(2.0 / np.sqrt(1.0 / 2))  # variance 1 of two values, none of the others


def test_what_most_rows_have_in_common_is_no_segment(make_rows: Callable[..., Rows]) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(N, 2))
    residual = np.where(X[:, 0] < 0.95, 1.0, 0.1) * rng.normal(size=N)
    assert find_segments(make_rows(X, residual), residual[:, None], np.full((N, 1), 2.0)) == ((), ())
