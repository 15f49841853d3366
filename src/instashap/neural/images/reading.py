"""A black box of images as outputs on a stated scale, seen whole or in part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..._validation import check_outputs
from ...blackbox import BlackBox, wrap_model
from .patches import to_tensor

# Images a black box is asked about at once: their inner features take far more room than rows of a table.
BATCH_IMAGES = 512

# Smaller probabilities are cut before taking logarithms: nets are as certain as they like of images they have seen, and a net
# that explains them would spend itself on the size of that certainty. Log-odds of ±6.9.
FLOOR = 1e-3

# Images and masks of their pixels, bool of shape (n_images, height, width), to what the model gives.
MaskedModel = Callable[[NDArray[Any], NDArray[np.bool_]], Any]


class _Module:
    """A torch module as a classifier of arrays: scores of two classes or more become probabilities."""

    def __init__(self, module: nn.Module, n_classes: int) -> None:
        self.module = module
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(torch.as_tensor(apply_module(self.module, images)).softmax(dim=1).numpy())


def apply_module(module: nn.Module, images: NDArray[Any]) -> NDArray[np.float64]:
    """What a module gives of images, channels first and from 0 to 1, in evaluation mode on its own device."""
    first = next(iter(module.parameters()), torch.zeros(()))
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            return np.asarray(module(to_tensor(images).to(first.device, first.dtype)).double().cpu().numpy())
    finally:
        module.train(was_training)


@dataclass(frozen=True)
class ImageModel:
    """A black box, and the classes behind its outputs.

    Attributes
    ----------
    box : BlackBox
    classes : tuple of str, or None
        Of a classifier.
    scale : {"log-odds", "probability", "score"}
    """

    box: BlackBox
    classes: tuple[str, ...] | None
    scale: str

    def predict(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Outputs of whole images, shape (n_images, n_outputs)."""
        return self.box.predict(images, len(images))

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of all classes as the model gives them, shape (n_images, n_classes); of classifiers only."""
        given = self.box.ask(images, len(images)).probabilities
        assert given is not None
        return given

    def predict_masked(self, masked: MaskedModel, images: NDArray[Any], pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Outputs of images in part by another function, on the same scale."""
        source = "value_function"
        return self.box.convert(check_outputs(masked(images, pixels), len(images), source))


def read_model(model: Any, images: NDArray[Any], output: str) -> ImageModel:
    """A model as one of images: an estimator or function of arrays as they are given, or a torch module.

    Modules (of torchvision, timm, …) are given float32 tensors of shape (n, n_channels, height, width) from 0 to 1: put a
    normalisation in front, in a ``Sequential``. What they give of two or more columns is taken for scores of classes.
    """
    if isinstance(model, nn.Module) and not hasattr(model, "predict_proba"):
        n_outputs = apply_module(model, images[:1]).shape[1]
        if n_outputs > 1:
            model = _Module(model, n_outputs)
        else:
            module = model
            model = lambda some: apply_module(module, some)  # noqa: E731 - a function of arrays is explained as it comes
    box = wrap_model(model, output, BATCH_IMAGES)
    text = f"{box.description}, from probabilities, those below {FLOOR:g} cut"
    box = box.restore({"floors": [FLOOR], "share_cut": 0.0, "description": text})
    found = getattr(model, "classes_", None)
    if found is None or not hasattr(model, "predict_proba"):
        return ImageModel(box, None if found is None else tuple(map(str, found)), "score")
    scale = "probability" if output == "probability" else "log-odds"
    return ImageModel(box, tuple(str(each) for each in np.asarray(found).ravel().tolist()), scale)
