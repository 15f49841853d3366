"""Shapley values of images of which each has its own segmentation, for example into superpixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...game.control_variate import Ask, Known, estimate_games
from ...game.pairs import check_coalitions
from .image_explainer import ImageExplainer
from .image_explanation import ImageExplanation, spread_values
from .patches import check_images, make_patches
from .reading import ImageModel, MaskedModel, ask_masked

_GAME = "masked, sampled"


def explain_segments(
    value_function: MaskedModel,
    images: Any,
    segments: Any,
    *,
    guide: ImageExplainer | None = None,
    output_names: Sequence[str] | None = None,
    n_coalitions: int = 256,
    random_state: int = 0,
) -> ImageExplanation:
    """Estimate the Shapley values of the segments of each image, without a fit, with standard errors.

    The estimates are unbiased, as those of :meth:`ImageExplainer.refine`, and exact from ``2**n_segments`` coalitions on.
    Values and base value of an image sum to the value function of the whole image.

    Parameters
    ----------
    value_function : callable
        Maps images and masks of pixels (bool, (n_images, height, width), True = known) to outputs (n_images, n_outputs), which
        are explained unchanged; with a guide, on the scale of its model.
    images : array of shape (n_images, height, width) or (n_images, height, width, n_channels)
    segments : array of shape (n_images, height, width), int, or callable
        The segment of each pixel, numbered 0, 1, … in each image. A callable maps one image to such numbers, as
        ``lambda image: skimage.segmentation.slic(image, start_label=0)`` does. Images may have different numbers of segments.
    guide : ImageExplainer, optional
        A fitted explainer of the same images: its heat maps, summed over each segment, are subtracted before the values are
        estimated and added afterwards. Errors are lower where it is right; the estimates are unbiased in any case. It must hold
        its model, which an explainer from a file does not.
    output_names : sequence of str, optional
    n_coalitions : int
        Masked images asked about for each image, at least ``2 + 2 * (n_segments // 2)``.
    random_state : int

    Returns
    -------
    ImageExplanation
        Its ``segments`` have shape (n_images, height, width). ``values`` have as many players as the image with most segments;
        those that an image does not have are 0.

    Examples
    --------
    >>> images = np.array([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]])
    >>> brightness = lambda images, masks: (images * masks).sum(axis=(1, 2))
    >>> explain_segments(brightness, images, np.array([[[0, 0, 1]], [[0, 1, 2]]])).values
    array([[3., 3., 0.],
           [4., 5., 6.]])
    """
    array = check_images(images)
    players = _read_segments(segments, array)
    counts = players.max(axis=(1, 2)) + 1
    most = int(counts.max())
    check_coalitions(n_coalitions, most, "segments")
    ask = _make_ask(value_function, guide, array, players)
    known = np.zeros((len(array), most, 1)) if guide is None else _sum_heat(guide, array, players, most)
    base = ask(np.arange(len(array)), np.zeros((len(array), most), dtype=bool))
    values, errors = np.zeros((2, len(array), most, base.shape[1]))
    for count in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == count)
        asked, control = partial(_ask_some, ask, rows), partial(_sum_linear, known[rows, :count])
        found = estimate_games(asked, control, (len(rows), count), n_coalitions, random_state)
        values[rows, :count], errors[rows, :count] = found.control + found.values, np.sqrt(found.variances)
    return _describe(ImageExplanation(values, base, array, players, (), "", _GAME, errors), guide, output_names)


def _read_segments(segments: Any, images: NDArray[Any]) -> NDArray[np.int64]:
    """Players of the pixels of every image, shape (n_images, height, width)."""
    shape = images.shape[1:3]
    found = [segments(image) for image in images] if callable(segments) else np.asarray(segments)
    if len(found) != len(images):
        raise ValueError(f"there are {len(found)} segmentations for {len(images)} images; give each image one")
    return np.stack([make_patches(np.asarray(each), shape).segments for each in found])


def _make_ask(masked: MaskedModel, guide: ImageExplainer | None, images: NDArray[Any], players: NDArray[np.int64]) -> Ask:
    """Outputs at masks of players, (n_asked, n_players), of the images with some numbers."""

    model = None if guide is None else _take_model(guide)
    return lambda numbers, masks: ask_masked(model, masked, images[numbers], spread_values(masks, players[numbers]))


def _ask_some(ask: Ask, rows: NDArray[np.int64], numbers: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Outputs at masks of the images that are numbered within some rows."""
    return ask(rows[numbers], masks)


def _sum_linear(values: NDArray[np.float64], numbers: NDArray[np.int64], masks: NDArray[np.bool_]) -> Known:
    """The games in which every player adds its value."""
    return Known(values[numbers], masks @ values[numbers])


def _take_model(guide: ImageExplainer) -> ImageModel | None:
    """The black box that defines the scale of the guide's values."""
    fitted = guide._get()
    if fitted.model is None and fitted.floors is not None:
        raise ValueError("the guide comes from a file and holds no model, which defines the scale of its values: fit one")
    return fitted.model


def _sum_heat(guide: ImageExplainer, images: NDArray[Any], players: NDArray[np.int64], most: int) -> NDArray[np.float64]:
    """Sums of the guide's heat maps over each segment, shape (n_images, most, n_outputs); patches spread values evenly."""
    own = guide.segments_.ravel()
    values = guide.shap_values(images).reshape(len(images), guide.n_players_, -1) / np.bincount(own)[:, None]
    members = np.arange(most)[:, None] == players.reshape(len(images), 1, -1)  # (n_images, most, n_pixels)
    return np.asarray(members @ values[:, own])


def _describe(found: ImageExplanation, guide: ImageExplainer | None, output_names: Sequence[str] | None) -> ImageExplanation:
    """The explanation with names, without the axis of outputs if there is one."""
    n_outputs = found.values.shape[2]
    names = guide.output_names_ if guide is not None else output_names or [f"output {k}" for k in range(n_outputs)]
    unit = "outputs of the value function" if guide is None else guide.output_transform_
    found = replace(found, output_names=("output",) if n_outputs == 1 else tuple(names), output_transform=unit)
    return found.take_output(0) if n_outputs == 1 else found
