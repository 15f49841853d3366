"""Explanations in sentences."""

from dataclasses import replace

import numpy as np
import pytest

from instashap._sentences import count, join, percent, write_change, write_interval, write_number
from instashap.fitted.explanation import Explanation


@pytest.fixture
def explanation():
    return Explanation(
        values=np.array([[0.5, -2.0, 0.01, 0.0], [0.25, 0.25, 0.0, 0.0]]),
        base_values=np.array([10.0, 10.0]),
        data=np.array([[3.0, 17.0, 1.0, 2.0], [4.0, 18.0, 1.0, 2.0]]),
        feature_names=("temp", "hour", "wind", "day"),
        output_names=("output",),
        output_transform="target units",
    )


def test_a_row_is_written_with_its_largest_values_first(explanation):
    text = explanation.to_text(max_features=2, max_rows=1)
    assert "Row 0: without any feature known the output is 10; with them the explained output is 8.51." in text
    assert "hour = 17 subtracts 2; temp = 3 adds 0.5; the other 2 features together add 0.01." in text
    assert text.endswith("1 more row, not written.")


def test_intervals_that_hold_zero_are_named(explanation):
    errors = np.array([[0.4, 0.1, 0.1, 0.0], [0.1, 0.1, 0.0, 0.0]])  # 1.73 · .4 > .5; 1.73 · .1 < .25
    first, second = replace(explanation, standard_errors=errors).to_text().splitlines()[1:]
    assert "The sign of temp and wind is uncertain" in first
    assert "uncertain" not in second


def test_the_models_own_output_and_strange_rows_are_said(explanation):
    known = explanation.add_outputs(np.array([9.0, 10.5]))
    known = replace(known, outside=((), ("hour",)))
    first, second = known.to_text().splitlines()[1:]
    assert "The model's own output is 9: the features leave 0.49 of it unexplained." in first
    assert "not like the rows of the fit (outside the data: hour)" in second


def test_rows_of_another_class_are_named(explanation):
    margins = replace(explanation, base_values=np.array([1.0, 1.0]), output_transform="log-odds of class 'yes'")
    known = margins.add_outputs(np.array([0.3, 2.0]))  # the additive model: 1 - 1.49 and 1.5
    assert known.classes_differ.tolist() == [True, False]
    assert known.to_text().splitlines()[-1].startswith("Row 0 is in another class by the additive model than by the model")
    assert "1 row in another class than the model's" in repr(known)
    assert "1 row in another class than the model&#x27;s" in known._repr_html_()
    assert "another class" not in margins.add_outputs(np.array([-0.3, 2.0])).to_text()
    assert explanation.add_outputs(np.array([-9.0, 2.0])).classes_differ is None  # no classes
    values = np.stack([explanation.values, -explanation.values], axis=2)
    three = replace(margins, values=values, base_values=np.zeros((2, 2)), output_names=("low", "high"))
    three = replace(three, output_transform="log-probability of each class minus the mean over classes")
    both = three.add_outputs(np.array([[0.0, 1.0], [0.0, 1.0]]))  # the additive model: high, low
    assert both.classes_differ.tolist() == [False, True]
    assert "Row 1 is in another class" in both.to_text()
    assert both[..., 0].classes_differ is None


def test_several_outputs_are_written_one_after_the_other(explanation):
    both = replace(
        explanation,
        values=np.stack([explanation.values, -explanation.values], axis=2),
        base_values=np.zeros((2, 2)),
        output_names=("low", "high"),
    )
    low, high = both.to_text(max_rows=1).split("\n\n")
    assert low.startswith("Output 'low'.")
    assert "temp = 3 adds 0.5" in low
    assert high.startswith("Output 'high'.")
    assert "temp = 3 subtracts 0.5" in high


def test_limits_are_checked(explanation):
    with pytest.raises(ValueError, match="max_features"):
        explanation.to_text(max_features=0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0004999, "−0.0005"), (1234567.0, "1,230,000"), (1e-7, "1e−07"), (0.999, "0.999"), (1e12, "1e+12")],
)
def test_numbers(value, text):
    assert write_number(value) == text


def test_parts_of_sentences():
    assert join(["a"]) == "a"
    assert (write_change(-0.123456), write_interval(1.0, 1.0)) == ("subtracts 0.123", "1 (−0.73 to 2.73)")
    assert (percent(0.5), percent(0.9995), count(0, "row")) == ("50 %", "99.95 %", "0 rows")
