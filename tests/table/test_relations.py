"""Relations between columns: tables whose sums are known."""

import numpy as np
import pandas as pd

from instashap.table.columns import read_table
from instashap.table.relations import Relation, find_relations


def find(frame: pd.DataFrame) -> list[str]:
    return [str(each) for each in find_relations(read_table(frame), np.ones(len(frame)))]


def make_parts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.gamma(2.0, size=(200, 4)) * [1.0, 5.0, 20.0, 3.0], columns=list("abcd"))


def test_a_total_is_named_with_its_parts_and_no_others() -> None:
    frame = make_parts()
    assert find(frame) == []
    frame.insert(0, "total", frame["a"] + frame["b"] + frame["c"])
    frame["text"] = "x"
    assert find(frame) == ["total = a + b + c"]


def test_several_relations_copies_and_units_are_each_named_once() -> None:
    frame = make_parts()
    frame["net"] = frame["a"] - frame["b"]
    frame["fahrenheit"] = 1.8 * frame["c"] + 32
    found = find(frame)
    assert len(found) == 2
    assert any(each in ("fahrenheit = 1.8 c + 32", "c = 0.556 fahrenheit - 17.8") for each in found)
    assert any(sorted(each.replace("=", "+").split(" + ")[0]) for each in found)
    (net,) = [each for each in found if "net" in each]
    assert net in ("net = a - b", "b = a - net")


def test_noisy_sums_and_columns_with_missing_values_are_not_named() -> None:
    frame = make_parts()
    frame["noisy"] = frame["a"] + frame["b"] + 0.05 * np.random.default_rng(1).normal(size=200)
    frame["holes"] = np.where(np.arange(200) == 7, np.nan, frame["a"])
    assert find(frame) == []


def test_factors_are_written_as_people_do() -> None:
    assert str(Relation("y", ("a", "b"), (-1.0, 0.25), 3.0)) == "y = - a + 0.25 b + 3"
