"""Heat maps of images: the drawn numbers."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="nets of images need torch")


from instashap import plots
from instashap.neural import ImageExplanation


def make(values, base=0.5, names=("output",), images=None):
    values = np.asarray(values, dtype=np.float64)
    segments = np.array([[0, 0, 1], [0, 0, 1]])
    images = np.array([[[0, 50, 100], [150, 200, 250]]], dtype=np.uint8) if images is None else images
    base_values = np.full((len(values), *values.shape[2:]), base)
    return ImageExplanation(values, base_values, images, segments, names, "log-odds")


def test_every_pixel_has_the_value_of_its_patch_on_a_symmetric_scale():
    ax = plots.plot_heat_map(make([[2.0, -1.0]]))
    grey, heat = ax.images
    np.testing.assert_array_equal(heat.get_array(), [[2.0, 2.0, -1.0], [2.0, 2.0, -1.0]])
    assert heat.get_clim() == (-2.0, 2.0)
    assert ax.get_title() == "1.50 (base value 0.50)"
    shown = np.asarray(grey.get_array())
    np.testing.assert_allclose(np.diff(shown.ravel()), (shown.max() - shown.min()) / 5)  # evenly spaced, as the image is
    opacity = np.asarray(heat.get_alpha())
    assert opacity[0, 0] > opacity[0, 2] > 0


def test_the_class_of_the_largest_prediction_is_drawn_unless_another_is_named():
    explanation = make([[[2.0, 0.0], [-1.0, 3.0]]], names=("shoe", "bag"))
    assert plots.plot_heat_map(explanation).get_title() == "bag: 3.50 (base value 0.50)"
    ax = plots.plot_heat_map(explanation, output="shoe", limit=8.0)
    assert ax.images[1].get_clim() == (-8.0, 8.0)
    assert ax.get_title().startswith("shoe: 1.50")


def test_colours_are_drawn_as_bright_as_they_look():
    colour = np.zeros((1, 2, 3, 3))
    colour[0, 0, 0], colour[0, 0, 1] = [0, 1, 0], [0, 0, 1]  # green looks brighter than blue
    shown = np.asarray(plots.plot_heat_map(make([[1.0, 0.0]], images=colour)).images[0].get_array())
    assert shown[0, 0] > shown[0, 1] > shown[1, 1]


def test_nothing_to_show_is_no_error():
    assert plots.plot_heat_map(make([[0.0, 0.0]])).images[1].get_clim() == (-1.0, 1.0)


def test_texts_are_legible(find_flaws):
    from dataclasses import replace

    explanation = make([[[2.0, 0.0], [-1.0, 3.0]]], names=("a rather long name of a class", "bag"))
    long = "log-probability of each class minus the mean over classes, from probabilities, those below 0.001 cut (12 % of rows)"
    ax = plots.plot_heat_map(replace(explanation, output_transform=long), output=0)
    assert find_flaws(ax.figure) == []


def test_several_images_are_refused():
    with pytest.raises(ValueError, match=r"explanation\[0\]"):
        plots.plot_heat_map(make([[1.0, 2.0], [1.0, 2.0]], images=np.zeros((2, 2, 3))))
