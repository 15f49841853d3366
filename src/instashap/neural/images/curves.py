"""Insertion and deletion: what becomes of a model's output as patches come or go, the most important first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .explanation import ImageExplanation


@dataclass(frozen=True)
class Curves:
    """Mean output of the explained class over images.

    Attributes
    ----------
    shares : ndarray of shape (n_players + 1,), float64
        Of the patches that were inserted or deleted.
    insertion, deletion : ndarray of shape (n_players + 1,), float64
        Mean output after so many patches were inserted into nothing, or deleted from the image.
    insertion_area, deletion_area : float
        Areas below: a good explanation's insertion rises fast, its deletion falls fast.
    """

    shares: NDArray[np.float64]
    insertion: NDArray[np.float64]
    deletion: NDArray[np.float64]

    @property
    def insertion_area(self) -> float:
        return float(np.trapezoid(self.insertion, self.shares))

    @property
    def deletion_area(self) -> float:
        return float(np.trapezoid(self.deletion, self.shares))


def compute_curves(
    explanation: ImageExplanation,
    predict_masked: Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float64]],
    outputs: Any = None,
) -> Curves:
    """Insertion and deletion curves of some images (Petsiuk et al. 2018, with known patches instead of blurred pixels).

    Parameters
    ----------
    explanation : ImageExplanation
    predict_masked : callable
        Images and masks of pixels, bool of shape (n_images, height, width), True = known, to outputs (n_images, n_outputs),
        as :meth:`MaskedClassifier.predict_masked`: probabilities, mostly. Asked ``n_players + 1`` times each.
    outputs : array of shape (n_images,), int, optional
        Output whose values order the patches of each image, and that is followed; the one predicted for the whole image if
        not given.

    Examples
    --------
    >>> values, segments = np.array([[3.0, 1.0]]), np.array([[0, 1]])
    >>> explanation = ImageExplanation(values, np.zeros(1), np.ones((1, 1, 2)), segments, ("output",), "sum of pixels")
    >>> count = lambda images, masks: (3 * masks[:, 0, :1] + masks[:, 0, 1:]).astype(float)
    >>> compute_curves(explanation, count).insertion
    array([0., 3., 4.])
    """
    values, images, segments = explanation.values, explanation.images, explanation.segments
    n, d = values.shape[:2]
    if outputs is None:
        chosen = predict_masked(images, np.ones((n, *segments.shape), dtype=bool)).argmax(axis=1)
    else:
        chosen = np.asarray(outputs, dtype=np.int64)
    own = values if values.ndim == 2 else values[np.arange(n), :, chosen]
    ranks = np.argsort(np.argsort(-own, axis=1, kind="stable"), axis=1)
    curves = np.empty((2, d + 1))
    for step in range(d + 1):
        for which, masks in enumerate((ranks < step, ranks >= step)):
            found = predict_masked(images, masks[:, segments])
            curves[which, step] = found[np.arange(n), chosen].mean()
    return Curves(np.arange(d + 1) / d, curves[0], curves[1])
