"""Sums of columns that are the same in all fitted rows, on tables made for it."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.reach import Reach, learn_reach


def _learn(X):
    table = read_table(X)
    encoder, _ = learn_table(table, np.ones(table.n_rows))
    reach = learn_reach(encoder, encoder.encode(table))

    def place(Z, reach=reach):
        rows = read_table(Z, table.schema)
        return reach.place(rows, encoder.encode(rows))

    return reach, place


def _draw(n, seed=0):
    """Indicators of a category as numbers, of another as booleans, a category of two levels, a total and its parts."""
    rng = np.random.default_rng(seed)
    town = rng.choice(list("abcd"), n, p=[0.5, 0.3, 0.15, 0.05])
    X = pd.DataFrame({name: (town == name).astype(float) for name in "abcd"})
    kind = rng.choice(list("pqr"), n)
    X["p"], X["q"], X["r"] = kind == "p", kind == "q", kind == "r"
    X["sex"] = rng.choice(["f", "m"], n)
    X["young"], X["old"] = rng.normal(size=n), rng.exponential(size=n)
    X["total"] = X["young"] + 2 * X["old"] + 7
    return X


def test_a_row_that_breaks_a_sum_is_new_in_the_columns_of_the_sum_alone():
    _, place = _learn(_draw(1000))
    rows = _draw(6, seed=1)
    rows.loc[0, list("abcd")] = 0.0
    rows.loc[1, ["p", "q", "r"]] = False
    rows.loc[2, "total"] += 1.0
    rows.loc[3, ["young", "total"]] += 0.25
    rows.loc[4, list("abcd")] = 0.0, 0.0, 0.0, np.nan
    found = place(rows)
    combined = [found.list_combinations(row) for row in range(6)]
    assert combined == [[(0, 1, 2, 3)], [(4, 5, 6)], [(8, 9, 10)], [], [], []]
    np.testing.assert_array_equal(np.flatnonzero(found.is_lone[0]), [0, 1, 2, 3])
    assert found.is_new.tolist() == [True, True, True, False, False, False]
    assert not (found.distances[:4] > 0).any()


def test_a_sum_of_numbers_whose_squares_overflow_is_known():
    X = _draw(1000)
    X[["young", "old", "total"]] *= 2.0**600
    _, place = _learn(X)
    rows = X[:2].reset_index(drop=True)
    rows.loc[1, "total"] += 2.0**600
    assert [place(rows).list_combinations(row) for row in range(2)] == [[], [(8, 9, 10)]]


def test_levels_of_two_columns_that_always_go_together_are_a_sum():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"sex": rng.choice(["f", "m"], 300), "size": rng.normal(size=300)})
    X["is_f"] = (X["sex"] == "f").astype(float)
    X["both"] = X["is_f"] + X["size"]
    _, place = _learn(X)
    rows = pd.DataFrame({"sex": ["f", "m"], "size": 0.25, "is_f": [1.0, 0.0], "both": [0.25, 0.25]})
    assert place(rows).list_combinations(1) == []
    assert any({1, 3} < set(each) for each in place(rows).list_combinations(0))


@pytest.mark.parametrize("law", ["rare flags", "few rows", "rare levels", "factors"])
def test_new_rows_of_the_same_kind_break_no_sum(law):
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(10, 40))

    def draw(n):
        if law == "rare flags":
            return pd.DataFrame((rng.random((n, 40)) < 0.02).astype(float))
        if law == "few rows":
            return pd.DataFrame(rng.normal(size=(n, 40)))
        if law == "rare levels":
            levels = np.minimum(rng.geometric(0.2, size=n), 40) - 1
            return pd.DataFrame((levels[:, None] == np.arange(40)).astype(float))
        return pd.DataFrame(rng.normal(size=(n, 10)) @ weights)

    _, place = _learn(draw(45 if law == "few rows" else 150))
    assert place(draw(5000)).is_broken.any(axis=1).mean() < 0.02


def test_a_rounded_total_is_a_sum_and_a_noisy_one_is_not():
    rng = np.random.default_rng(0)
    parts = rng.uniform(0, 100, size=(500, 3))
    for digits, n_sums in ((1, 1), (-1, 0)):
        reach, _ = _learn(np.column_stack([parts, np.round(parts.sum(axis=1), digits)]))
        assert len(reach.sums.constants) == n_sums


def test_a_file_holds_the_sums():
    reach, place = _learn(_draw(1000))
    facts, arrays = reach.pack()
    assert facts["n_fixed_sums"] == len(arrays["reach_constants"]) == 3
    again = Reach.unpack(facts, arrays)
    rows = _draw(3, seed=1)
    rows.loc[0, list("abcd")] = 0.0
    assert place(rows, again).is_broken.any(axis=1).tolist() == [True, False, False]
    facts, arrays = _learn(_draw(1000)[["a", "young", "old"]])[0].pack()
    assert "n_fixed_sums" not in facts
    assert "reach_constants" not in arrays


def test_a_row_with_no_level_at_all_is_no_such_row_and_its_levels_explain_nothing(tmp_path):
    X = _draw(800)
    outputs = X["b"] + 2 * X["c"] + 9 * X["d"] + 0.01 * X["young"]
    fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=outputs.to_numpy())
    rows = X[:1].assign(a=0.0, b=0.0, c=0.0, d=0.0)
    with pytest.warns(instashap.DataWarning, match="1 in a combination that no fitted row has"):
        explanation = fitted(rows)
    assert explanation.new_pairs == ((("a", "b", "c", "d"),),)
    assert fitted(X[:1]).output_share[0] > 0.9
    assert explanation.output_share[0] < 0.1
    assert explanation.output_share_interval[0, 0] == 0.0
    assert "no such row: a with b with c with d" in explanation.describe_place(0)
    fitted.save(tmp_path / "e.insta")
    with pytest.warns(instashap.DataWarning):
        assert instashap.load(tmp_path / "e.insta")(rows).new_pairs == explanation.new_pairs


def test_a_broken_sum_of_one_group_counts_as_an_unseen_level():
    X = _draw(800)
    outputs = (X["b"] + 2 * X["c"] + 9 * X["d"] + X["young"]).to_numpy()
    fitted = instashap.Explainer(order=1, synthetic_rows=0, groups={"town": list("abcd")}).fit(X, outputs=outputs)
    row = X[:1].assign(a=0.0, b=0.0, c=0.0, d=0.0, young=1.5)
    row["total"] = row["young"] + 2 * row["old"] + 7
    with pytest.warns(instashap.DataWarning):
        found = fitted(row)
    bars = dict(zip(found.feature_names, np.abs(found.values[0]), strict=True))
    known, every = sum(bars.values()) - bars["town"], sum(bars.values())
    # The town's bar is left, and so is one standard deviation of the outputs.
    assert found.new_pairs == ((("a", "b", "c", "d"),),)
    assert found.output_share[0] == pytest.approx(known / (every + outputs.std()), rel=0.05)
