"""The strip of one row."""

import numpy as np
import pytest

from instashap import plots


def get_spans(ax):
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]


def get_texts(ax):
    return [text.get_text() for text in ax.texts if text.get_gid() != "notes"]


def test_pieces_meet_at_the_prediction(make_explanation):
    ax = plots.plot_strip(make_explanation([[2.0, -5.0, 0.5, -1.0]], base=10.0))
    # By hand: the prediction is 6.5; raising pieces end there, the largest last, lowering ones begin there.
    assert get_spans(ax) == [(4.5, 6.5), (4.0, 4.5), (6.5, 11.5), (11.5, 12.5)]
    colours = ["#d55e00", "#d55e00", "#0072b2", "#0072b2"]
    from matplotlib.colors import to_hex

    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == colours
    assert ax.get_title() == "Prediction: 6.50 (line), base value 10.00 (dashed)"
    marks = [lines.get_segments()[0][0, 0] for lines in ax.collections if len(lines.get_segments()[0]) == 2]
    assert marks[-2:] == [6.5, 10.0]


def test_labels_hold_names_values_and_numbers(make_explanation):
    data = np.array([[None, "red"]], dtype=object)
    ax = plots.plot_strip(make_explanation([[2.0, -5.0]], data=data, names=("age", "colour"), index=["row 7"]))
    assert sorted(get_texts(ax)) == ["age = missing  +2.00", "colour = red  −5.00"]
    assert ax.get_title().startswith("Prediction of row row 7")


def test_features_not_shown_are_a_piece_on_either_side(make_explanation):
    values = np.array([[4.0, -3.0, 0.5, 0.25, -0.5, 0.0, -0.125]])
    ax = plots.plot_strip(make_explanation(values, base=0.0), max_features=2)
    widths = [round(high - low, 9) for low, high in get_spans(ax)]
    assert widths == [4.0, 0.75, 3.0, 0.625]
    assert {text for text in get_texts(ax) if "other" in text} == {"2 others  +0.75", "2 others  −0.62"}


def test_one_of_several_outputs_and_one_row(make_explanation):
    explanation = make_explanation([[[1.0, -7.0], [2.0, 3.0]]] * 2, output_names=("yes", "no"))
    assert len(get_spans(plots.plot_strip(explanation[0], output="yes"))) == 2
    with pytest.raises(ValueError, match="one output, got 2 of them"):
        plots.plot_strip(explanation[0])
    with pytest.raises(ValueError, match="shows one row, got 2"):
        plots.plot_strip(explanation, output="no")


def test_nothing_to_draw_is_drawn(make_explanation, find_flaws):
    assert not find_flaws(plots.plot_strip(make_explanation(np.zeros((1, 3)))).figure)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_features", [3, 12, 100])
def test_labels_do_not_cross_each_other(make_explanation, find_flaws, n_features, seed):
    rng = np.random.default_rng(seed)
    names = [f"a rather long name, number {k}" for k in range(n_features)]
    explanation = make_explanation(rng.normal(size=(1, n_features)) ** 3, names=names, data=rng.normal(size=(1, n_features)))
    ax = plots.plot_strip(explanation)
    assert not find_flaws(ax.figure)
    lines = [line for lines in ax.collections for line in lines.get_segments() if lines.get_linewidth()[0] < 1]
    to_pixels = ax.transData.transform
    for text in ax.texts:  # no line to another piece runs through a label
        box = text.get_window_extent().padded(-1.0)
        for line in lines:
            (x, y0), (_, y1) = to_pixels(line)
            assert not (box.x0 < x < box.x1 and min(y0, y1) < box.y0 + box.height / 2 < max(y0, y1))
