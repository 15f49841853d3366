"""Shapley values of the patches of some images."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fitted.explanation_keys import find_named


def spread_values(values: NDArray[Any], segments: NDArray[np.int64]) -> NDArray[Any]:
    """Values of players, (n_images, n_players, …), as values of pixels, (n_images, height, width, …).

    Examples
    --------
    >>> spread_values(np.array([[5, 7], [8, 9]]), np.array([[[0, 0, 1]], [[1, 0, 0]]])).tolist()
    [[[5, 5, 7]], [[9, 8, 8]]]
    """
    if segments.ndim == 2:
        return np.asarray(values[:, segments])
    return np.asarray(values[np.arange(len(values))[:, None, None], segments])


@dataclass(frozen=True, repr=False)
class ImageExplanation:
    """Shapley values of images; slices like an array by image, and by class with :meth:`take_output`.

    Attributes
    ----------
    values : ndarray of shape (n_images, n_players) or (n_images, n_players, n_outputs), float64
        Shapley values on the scale of ``output_transform``; an image's values and its base value sum to the additive model's
        output, or with a context net, or refined, to the value function of the whole image.
    base_values : ndarray of shape (n_images,) or (n_images, n_outputs), float64
        Value of the game without any patch: the mean output of the fitted images.
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, n_channels)
        Images as they were passed.
    segments : ndarray of shape (height, width) or (n_images, height, width), int64
        Player of each pixel, the same in all images or each image's own.
    output_names : tuple of str
    output_transform : str
        The explained output and its scale.
    game : str
        Meaning of an absent patch.
    standard_errors : ndarray of the shape of ``values``, or None
        Of sampled coalitions, for values by :meth:`ImageExplainer.refine`.
    """

    values: NDArray[np.float64]
    base_values: NDArray[np.float64]
    images: NDArray[Any]
    segments: NDArray[np.int64]
    output_names: tuple[str, ...]
    output_transform: str
    game: str = "conditional"
    standard_errors: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``values``."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    @property
    def predictions(self) -> NDArray[np.float64]:
        """Explained output of each image: base value plus the image's values."""
        return np.asarray(self.base_values + self.values.sum(axis=1))

    @property
    def heat_maps(self) -> NDArray[np.float64]:
        """Shapley value of the patch of each pixel, shape (n_images, height, width) or (…, n_outputs)."""
        return spread_values(self.values, self.segments)

    def __getitem__(self, rows: Any) -> "ImageExplanation":
        """The explanation of some images; a single image keeps its axis."""
        kept = np.atleast_1d(np.arange(len(self))[rows])
        errors = None if self.standard_errors is None else self.standard_errors[kept]
        segments = self.segments[kept] if self.segments.ndim == 3 else self.segments
        values, base_values, images = self.values[kept], self.base_values[kept], self.images[kept]
        return replace(self, values=values, base_values=base_values, images=images, segments=segments, standard_errors=errors)

    def take_output(self, output: int | str) -> "ImageExplanation":
        """The values of one output, by position or name, without the axis of outputs.

        Raises ``KeyError`` for an unknown name.
        """
        if self.values.ndim == 2:
            return self
        place = find_named(output, self.output_names, "output")
        name = self.output_names[place]
        errors = None if self.standard_errors is None else self.standard_errors[:, :, place]
        values, base_values = self.values[:, :, place], self.base_values[:, place]
        return replace(self, values=values, base_values=base_values, output_names=(name,), standard_errors=errors)

    def __repr__(self) -> str:
        axes = "images, patches" + (", outputs" if self.values.ndim == 3 else "")
        return f"ImageExplanation of {' × '.join(map(str, self.shape))} ({axes}); {self.game} game; {self.output_transform}"
