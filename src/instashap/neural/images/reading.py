"""A black box of whole or partly known images, with outputs on a stated scale."""

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

# Number of images that a black box predicts at once; their hidden features take far more memory than rows of a table.
BATCH_IMAGES = 512

# Smaller probabilities are set to this value before taking logarithms (log-odds of ±6.9): nets give extreme probabilities to
# images of their training, and differences among these would dominate the loss.
FLOOR = 1e-3

# Maps images and masks of their pixels, bool of shape (n_images, height, width), to outputs like the model's.
MaskedModel = Callable[[NDArray[Any], NDArray[np.bool_]], Any]


class _Module:
    """A torch module as a classifier of arrays, with the softmax of its scores as probabilities."""

    def __init__(self, module: nn.Module, n_classes: int) -> None:
        self.module = module
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(torch.as_tensor(apply_module(self.module, images)).softmax(dim=1).numpy())


def apply_module(module: nn.Module, images: NDArray[Any]) -> NDArray[np.float64]:
    """Outputs of a module in evaluation mode on its own device; it gets images with channels first and values from 0 to 1."""
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
    """A black box of images, and the classes of its outputs.

    Attributes
    ----------
    box : BlackBox
    classes : tuple of str, or None
        Classes of a classifier.
    scale : {"log-odds", "probability", "score"}
    source : object
        The model as it was passed.
    """

    box: BlackBox
    classes: tuple[str, ...] | None
    scale: str
    source: Any = None

    def predict(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Outputs of whole images, shape (n_images, n_outputs)."""
        return self.box.predict(images, len(images))

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities of all classes from the model, shape (n_images, n_classes); for classifiers only."""
        given = self.box.ask(images, len(images)).probabilities
        assert given is not None
        return given

    def predict_masked(self, masked: MaskedModel, images: NDArray[Any], pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Outputs of another function for partly known images, on the scale of the model's outputs."""
        source = "value_function"
        return self.box.convert(check_outputs(masked(images, pixels), len(images), source))


def ask_masked(
    model: ImageModel | None, masked: MaskedModel, images: NDArray[Any], pixels: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Outputs of a masked black box, on the scale of the model's outputs if there is a model."""
    if model is None:
        return check_outputs(masked(images, pixels), len(images), "value_function")
    return model.predict_masked(masked, images, pixels)


def read_model(model: Any, images: NDArray[Any], output: str) -> ImageModel:
    """A model of images from an estimator, a function of arrays, or a torch module.

    Modules (of torchvision, timm, …) get float32 tensors of shape (n, n_channels, height, width) from 0 to 1: put a
    normalisation in front, in a ``Sequential``. Outputs of two or more columns are interpreted as scores of classes.
    """
    source = model
    if isinstance(model, nn.Module) and not hasattr(model, "predict_proba"):
        n_outputs = apply_module(model, images[:1]).shape[1]
        if n_outputs > 1:
            model = _Module(model, n_outputs)
        else:
            module = model
            model = lambda some: apply_module(module, some)  # noqa: E731 - outputs of a function are explained unchanged
    box = wrap_model(model, output, BATCH_IMAGES)
    text = f"{box.description}, from probabilities, those below {FLOOR:g} cut"
    box = box.restore({"floors": [FLOOR], "share_cut": 0.0, "description": text})
    found = getattr(model, "classes_", None)
    if found is None or not hasattr(model, "predict_proba"):
        return ImageModel(box, None if found is None else tuple(map(str, found)), "score", source)
    scale = "probability" if output == "probability" else "log-odds"
    return ImageModel(box, tuple(str(each) for each in np.asarray(found).ravel().tolist()), scale, source)
