"""What every classifier of partly known images is: one of whole images, too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .patches import check_images


class MaskedModel(ABC):
    """A classifier of arrays: of images of which only some pixels are known, and so of whole images.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    """

    classes_: NDArray[Any]

    @abstractmethod
    def predict_masked(self, images: Any, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Probabilities where only some pixels are known: masks of shape (n_images, height, width), True = known."""

    def predict_proba(self, images: Any) -> NDArray[np.float64]:
        """Probabilities of whole images, shape (n_images, n_classes)."""
        array = check_images(images)
        return self.predict_masked(array, np.ones(array.shape[:3], dtype=bool))

    def predict(self, images: Any) -> NDArray[Any]:
        """Class of each image."""
        return np.asarray(self.classes_[self.predict_proba(images).argmax(axis=1)])
