"""Insertion and deletion curves: a model's output as patches are added or removed, the most important first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image_explanation import ImageExplanation, spread_values


@dataclass(frozen=True)
class Curves:
    """Mean output of the explained class over images.

    Attributes
    ----------
    shares : ndarray of shape (n_players + 1,), float64
        Share of the patches that were inserted or deleted.
    insertion, deletion : ndarray of shape (n_players + 1,), float64
        Mean output after this share of patches was inserted into an unknown image, or deleted from the whole image.
    insertion_area, deletion_area : float
        Areas below the curves; for a good explanation insertion rises fast and deletion falls fast.
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
        Maps images and masks of pixels, bool of shape (n_images, height, width), True = known, to outputs (n_images,
        n_outputs), usually probabilities, as :meth:`MaskedClassifier.predict_masked` does. Called ``n_players + 1`` times for
        each curve.
    outputs : array of shape (n_images,), int, optional
        Output of each image whose values order the patches and whose curve is computed. Default: the output with the largest
        value for the whole image.

    Examples
    --------
    >>> values, segments = np.array([[3.0, 1.0]]), np.array([[0, 1]])
    >>> explanation = ImageExplanation(values, np.zeros(1), np.ones((1, 1, 2)), segments, ("output",), "sum of pixels")
    >>> count = lambda images, masks: (3 * masks[:, 0, :1] + masks[:, 0, 1:]).astype(float)
    >>> compute_curves(explanation, count).insertion
    array([0., 3., 4.])
    """
    values, images = explanation.values, explanation.images
    n, d = values.shape[:2]
    if outputs is None:
        chosen = predict_masked(images, np.ones(images.shape[:3], dtype=bool)).argmax(axis=1)
    else:
        chosen = np.asarray(outputs, dtype=np.int64)
    own = values if values.ndim == 2 else values[np.arange(n), :, chosen]
    ranks = np.argsort(np.argsort(-own, axis=1, kind="stable"), axis=1)
    curves = np.empty((2, d + 1))
    for step in range(d + 1):
        for which, masks in enumerate((ranks < step, ranks >= step)):
            found = predict_masked(images, spread_values(masks, explanation.segments))
            curves[which, step] = found[np.arange(n), chosen].mean()
    return Curves(np.arange(d + 1) / d, curves[0], curves[1])
