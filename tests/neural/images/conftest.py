"""Digits of scikit-learn, and a small explainer of a function of them."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits():
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / 16, bunch.target


@pytest.fixture(scope="session")
def make_explainer(digits):
    """A function of options that fits four patches of digits to two functions of the pixels."""
    from instashap.neural import ImageExplainer, TrainingPlan

    def make(**options):
        images, _ = digits
        outputs = np.stack([images[:, :4].sum(axis=(1, 2)), images[:, 2, 2] * images[:, 5, 5]], axis=1)
        defaults = {"patches": (2, 2), "width": 8, "rank": 4, "plan": TrainingPlan(n_epochs=3, batch_rows=128), "device": "cpu"}
        return ImageExplainer(**{**defaults, **options}).fit(images[:512], outputs=outputs[:512])

    return make
