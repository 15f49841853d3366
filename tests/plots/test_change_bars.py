"""The waterfall of a change draws the numbers of the report."""

import numpy as np
import pytest

from instashap import plots
from instashap.questions.change_lines import ChangeLine
from instashap.questions.change_report import ChangeReport


def make_report(kind="cohorts"):
    spread = np.full(20, 0.01)
    lines = [ChangeLine("data", name, value, spread) for name, value in (("a", 2.0), ("b", -0.5), ("c", 0.001))]
    total = ChangeLine("data", "data moved", 1.501, spread, False)
    return ChangeReport("output", "euros", ("March", "April"), kind, (30, 40)).fill(10.0, [total], lines, {}, True)


def test_bars_lead_from_one_mean_to_the_other():
    ax = plots.plot_change(make_report())
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([2.0, -0.5, 0.001])
    assert [bar.get_x() for bar in ax.patches] == pytest.approx([10.0, 12.0, 11.5])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["March", "a", "b", "c", "April"]


def test_lines_within_noise_are_grey_and_the_others_by_direction():
    colours = [bar.get_facecolor()[:3] for bar in plots.plot_change(make_report()).patches]
    assert len({*colours}) == 3
    assert colours[2] == pytest.approx((0x8A / 255,) * 3)


def test_lines_that_are_not_shown_share_a_bar():
    ax = plots.plot_change(make_report(), max_features=1)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([2.0, -0.499])
    assert ax.get_yticklabels()[2].get_text() == "2 other lines"


def test_what_has_no_summands_is_refused():
    with pytest.raises(ValueError, match="plot_importance"):
        plots.plot_change(make_report("models"))
    with pytest.raises(TypeError, match="explain_change"):
        plots.plot_change([1.0])
