"""Explanations made by hand, and figures closed after each test."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from instashap import Explanation


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def make_explanation():
    """A function of values (and more) that makes an explanation; data are zeros if not given."""

    def make(values, *, names=None, output_names=("output",), data=None, base=1.0, errors=None, index=None):
        values = np.asarray(values, dtype=np.float64)
        n_rows, n_features = values.shape[:2]
        names = tuple(names or (f"f{k}" for k in range(n_features)))
        base_values = np.full((n_rows, *values.shape[2:]), base)
        data = np.zeros((n_rows, n_features)) if data is None else data
        errors = None if errors is None else np.asarray(errors, dtype=np.float64)
        fields = {"standard_errors": errors, "index": index}
        return Explanation(values, base_values, data, names, tuple(output_names), "target units", **fields)

    return make


@pytest.fixture
def find_whiskers():
    """A function of axes: the drawn intervals as (low, high) of each, along the axis 0 (horizontal) or 1."""

    def find(ax, axis=0):
        bars = [container for container in ax.containers if type(container).__name__ == "ErrorbarContainer"]
        return np.array([segment[:, axis] for bar in bars for segment in bar.lines[2][0].get_segments()])

    return find


@pytest.fixture
def find_flaws():
    """A function of a figure: texts that overlap each other, or stick out of the figure."""

    def find(figure):
        figure.canvas.draw()
        axes = [each for parent in figure.axes for each in (parent, *parent.child_axes)]
        texts = {id(text): text for ax in axes for text in _collect_texts(ax)}
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts.values() if text.get_text().strip()]
        overlaps = [
            (name, other)
            for k, (name, box) in enumerate(boxes)
            for other, its in boxes[:k]
            if box.padded(-1.0).overlaps(its.padded(-1.0))
        ]
        cut = [name for name, box in boxes if not _lies_inside(box, figure.bbox)]
        return overlaps + cut

    def _collect_texts(ax):
        if not ax.axison:
            return [*ax.texts, ax.title]
        # Ticks beyond the limits have labels that are never drawn; turned ones have boxes with empty corners.
        shown = [
            tick.label1
            for axis in (ax.xaxis, ax.yaxis)
            for tick in axis.get_major_ticks()
            if min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
            and tick.label1.get_visible()
            and tick.label1.get_rotation() == 0
        ]
        legend = ax.get_legend()
        offsets = (axis.offsetText for axis in (ax.xaxis, ax.yaxis))
        labels = [ax.title, ax.xaxis.label, ax.yaxis.label, *(legend.get_texts() if legend else ())]
        return [*shown, *offsets, *ax.texts, *labels]

    def _lies_inside(box, area):
        return area.x0 - 1 <= box.x0 and box.x1 <= area.x1 + 1 and area.y0 - 1 <= box.y0 and box.y1 <= area.y1 + 1

    return find
