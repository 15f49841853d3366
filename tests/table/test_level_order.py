"""Levels come by weight, then by the rest of their rows; names decide only where nothing else does."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.table.columns import read_table
from instashap.table.level_order import measure_rows, rank_levels


def test_rows_are_measured_by_distances_and_shares() -> None:
    table = read_table(pd.DataFrame({"x": [0.0, 4.0, 2.0, np.nan], "c": ["a", "a", "b", "b"]}))
    # x: mean 2, distances 2, 2, 0 with mean 4/3, so 1.5, 1.5, 0 and 0 for the missing value; c: half of the rows each.
    np.testing.assert_allclose(measure_rows(table, np.ones(4)), [1.0, 1.0, 0.25, 0.25], rtol=1e-12)


def test_levels_of_equal_weight_follow_their_rows() -> None:
    codes, weights = np.array([0, 1, 2, 2, 0, 1, 2, -1]), np.ones(8)
    marks = np.array([3.0, 1.0, 9.0, 9.0, 3.0, 1.5, 9.0, 0.0])
    for levels in (["a", "b", "c"], ["z", "y", "x"]):
        assert rank_levels(codes, levels, weights, lambda: marks) == [2, 1, 0]  # c is heaviest, b has the smaller marks


def test_units_do_not_change_the_measure() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(50, 3))
    measured = [measure_rows(read_table(each), np.ones(50)) for each in (numbers, -1e6 * numbers, numbers + 273.15)]
    np.testing.assert_allclose(measured[1:], [measured[0]] * 2, rtol=1e-9)


@pytest.mark.parametrize("synthetic_rows", [0, "auto"])
def test_renaming_balanced_levels_changes_no_value(synthetic_rows: object) -> None:
    rng = np.random.default_rng(3)
    n, effects = 240, np.array([1.0, -0.5, 0.7, -1.2])
    common = rng.normal(size=n)
    codes = [np.argsort(np.argsort(common + 0.7 * rng.normal(size=n))) * 4 // n for _ in range(2)]
    x = common + rng.normal(size=n)
    values = []
    for names in (np.array(["a", "b", "c", "d"]), np.array(["q", "r", "p", "o"])):
        place = {name: number for number, name in enumerate(names)}

        def predict(frame: pd.DataFrame, place: dict[str, int] = place) -> np.ndarray:
            own = [effects[frame[name].map(place).to_numpy(dtype=int)] for name in ("c", "d")]
            return np.asarray(own[0] * (1 + np.tanh(frame["x"].to_numpy())) + own[0] * own[1])

        X = pd.DataFrame({"c": names[codes[0]], "d": names[codes[1]], "x": x})
        explainer = instashap.Explainer(predict, synthetic_rows=synthetic_rows, verbose=0).fit(X)
        values.append(explainer.shap_values(X))
    np.testing.assert_allclose(values[1], values[0], atol=1e-6 * values[0].std())
