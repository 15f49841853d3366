"""Plots of an audit."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

from instashap import plots

Figure = namedtuple("Figure", ["value", "low", "high"])


def make_rung(order, carried, masked=None, same_class=None, risks=()):
    sizes = [SimpleNamespace(size=size, risk=Figure(*risk), gap=Figure(gap, 0, 1)) for size, risk, gap in risks]
    games = None if masked is None else SimpleNamespace(carried=Figure(*masked), sizes=sizes)
    classes = {} if same_class is None else {"class agreement": Figure(*same_class)}
    return SimpleNamespace(order=order, carried=Figure(*carried), masked=games, attribution=None, classes=classes)


def make_report(*rungs):
    verdicts = {rung.order: "safe" if rung.order > 1 else "caution" for rung in rungs if rung.order}
    return SimpleNamespace(rungs=rungs, verdicts=verdicts, verdict="safe", n_rows=1234)


def test_ladder_draws_every_share_with_its_interval(find_whiskers, find_flaws):
    base = make_rung(0, (0.0, 0.0, 0.0))
    low, high = make_rung(1, (0.8, 0.75, 0.82), (0.6, 0.5, 0.7)), make_rung(2, (0.97, 0.96, 0.98), (0.9, 0.88, 0.91))
    ax = plots.plot_ladder(make_report(base, low, high))
    prediction, games = ([bar.get_width() for bar in bars] for bars in [each for each in ax.containers if len(each) == 2])
    assert (prediction, games) == ([0.8, 0.97], [0.6, 0.9])
    assert find_whiskers(ax).round(9).tolist() == [[0.75, 0.82], [0.96, 0.98], [0.5, 0.7], [0.88, 0.91]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["order 1: caution", "order 2: safe"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["prediction (R²)", "partly known rows"]
    assert [text.get_text() for text in ax.texts] == ["80 %", "97 %", "60 %", "90 %"]
    assert "1,234 rows" in ax.get_xlabel()
    assert ax.get_title() == "Are the explanations safe to use? Order 2: safe"
    assert not find_flaws(ax.figure)


def test_ladder_of_a_classifier_has_a_bar_for_the_same_class_below_the_others():
    ax = plots.plot_ladder(make_report(make_rung(1, (0.9, 0.8, 0.95), same_class=(0.85, 0.8, 0.9))))
    assert [bar.get_width() for bar in ax.patches] == [0.9, 0.85]
    assert ax.patches[0].get_y() > ax.patches[1].get_y()


def test_a_share_below_zero_is_in_the_picture():
    ax = plots.plot_ladder(make_report(make_rung(1, (-0.3, -0.6, 0.1))))
    assert ax.get_xlim()[0] <= -0.6
    assert ax.texts[0].get_text() == "−30 %"


def test_masked_fidelity_is_one_minus_the_risk(find_whiskers, find_flaws):
    one = make_rung(1, (0.8, 0.8, 0.8), (0.5, 0.5, 0.5), risks=[(1, (0.9, 0.85, 0.95), 0.1), (2, (0.6, 0.5, 0.7), 0.3)])
    two = make_rung(2, (0.9, 0.9, 0.9), (0.9, 0.9, 0.9), risks=[(1, (0.85, 0.8, 0.9), 0.05), (2, (0.4, 0.3, 0.5), 0.1)])
    ax = plots.plot_masked_fidelity(make_report(one, two))
    drawn = [line.get_xydata() for line in ax.lines if line.get_linestyle() in ("-", ":") and len(line.get_xdata()) == 2]
    expected = [[[1, 0.1], [2, 0.4]], [[1, 0.15], [2, 0.6]], [[1, 0.2], [2, 0.7]]]  # 1 - risk, then 1 - risk + gap
    np.testing.assert_allclose(drawn, expected)
    np.testing.assert_allclose(find_whiskers(ax, axis=1), [[0.05, 0.15], [0.3, 0.5], [0.1, 0.2], [0.5, 0.7]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["order 1", "order 2", "reference"]
    assert not find_flaws(ax.figure)


def test_what_is_no_audit_is_refused():
    for plot in (plots.plot_ladder, plots.plot_masked_fidelity):
        with pytest.raises(TypeError, match="takes a TrustReport, got int; explainer"):
            plot(3)
    with pytest.raises(ValueError, match="which this audit did not measure"):
        plots.plot_masked_fidelity(make_report(make_rung(1, (0.9, 0.8, 1.0))))


def test_a_real_audit_is_drawn():
    pytest.importorskip("instashap.trust.report", reason="this version has no audits")
    import instashap

    X = np.random.default_rng(0).normal(size=(300, 3))
    report = instashap.audit(lambda rows: rows[:, 0] + rows[:, 1] * rows[:, 2], X)
    ax = plots.plot_ladder(report)
    widths = [bar.get_width() for bar in ax.patches]
    assert [rung.carried.value for rung in report.rungs if rung.order] == widths[: len(report.rungs) - 1]
    risks = report.masked_table.query("order == 1")["risk"].to_numpy(dtype=np.float64)
    line = next(each for each in plots.plot_masked_fidelity(report).lines if each.get_marker() == "o")
    np.testing.assert_allclose(line.get_ydata(), 1 - risks)
