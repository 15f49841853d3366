"""A black box of whole or partly known images, with outputs on a stated scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._row_arrays import check_outputs
from ...blackbox import BlackBox, wrap_model
from ...blackbox.classes import ClassBox
from .patches import to_tensor

# Number of images that a black box predicts at once; their hidden features take far more memory than rows of a table.
BATCH_IMAGES = 512

# Smaller probabilities are set to this value before taking logarithms (log-odds of ±6.9): nets give extreme probabilities to
# images of their training, and differences among these would dominate the loss. A class whose mean probability is below half of
# the average class has a proportionally lower floor, else all its images could lie below.
FLOOR, _RARE = 1e-3, 0.5
# Images from which the floors are learnt, evenly spaced: a class of one in a thousand has four of them.
_FLOOR_IMAGES = 4096

# Maps images and masks of their pixels, bool of shape (n_images, height, width), to outputs like the model's.
MaskedModel = Callable[[NDArray[Any], NDArray[np.bool_]], Any]


class _Module:
    """A torch module as a classifier of arrays, with the softmax of its scores as probabilities."""

    def __init__(self, module: nn.Module, n_classes: int) -> None:
        self.module = module
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, images: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(torch.as_tensor(apply_module(self.module, to_tensor(images))).softmax(dim=1).numpy())


def apply_module(module: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """Outputs of a module in evaluation mode on its own device for images with channels first."""
    first = next(iter(module.parameters()), torch.zeros(()))
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            return np.asarray(module(images.to(first.device, first.dtype)).double().cpu().numpy())
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

    @property
    def floors(self) -> tuple[float, ...] | None:
        """Least probability of each class, below which log-odds are cut; None for outputs that are not log-odds."""
        return None if self.box.scale is None else tuple(self.box.scale["floors"])

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


def learn_floors(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least probability of each class from those of images, shape (n_images, n_classes).

    Examples
    --------
    >>> learn_floors(np.array([[0.9999, 0.0001], [0.9997, 0.0003]])).tolist()
    [0.001, 8e-07]
    """
    shares = probabilities.mean(axis=0)
    floors = FLOOR * np.minimum(shares * len(shares) / _RARE, 1.0)
    return np.where(floors > 0, floors, FLOOR)


def _scale_classes(box: BlackBox, images: NDArray[Any], floors: Sequence[float] | None) -> BlackBox:
    """A box of a classifier's log-odds with its floors, those given or else learnt from images, in its description."""
    step = -(-len(images) // _FLOOR_IMAGES)
    given = box.ask(images[::step], len(images[::step])).probabilities
    if given is None:
        return box
    least_of = learn_floors(given) if floors is None else np.asarray(floors, dtype=np.float64)
    share = float((given < least_of).any(axis=1).mean())
    least, most = f"{least_of.min():.2g}", f"{least_of.max():.2g}"
    where = least if least == most else f"{least} to {most} by class"
    text = f"{box.description}, from probabilities, those below {where} cut ({100 * share:.1f} % of images)"
    return box.restore({"floors": least_of.tolist(), "share_cut": share, "description": text})


def read_model(model: Any, images: NDArray[Any], output: str, floors: Sequence[float] | None = None) -> ImageModel:
    """A model of images from an estimator, a function of arrays, or a torch module.

    ``floors`` are those of an earlier fit, shape (n_classes,); by default they are learnt from the images.

    Modules (of torchvision, timm, …) get float32 tensors of shape (n, n_channels, height, width) from 0 to 1: put a
    normalisation in front, in a ``Sequential``. Outputs of two or more columns are interpreted as scores of classes.
    """
    source = model
    if isinstance(model, nn.Module) and not hasattr(model, "predict_proba"):
        n_outputs = apply_module(model, to_tensor(images[:1])).shape[1]
        if n_outputs > 1:
            model = _Module(model, n_outputs)
        else:
            module = model
            model = lambda some: apply_module(module, to_tensor(some))  # noqa: E731 - outputs of a function are explained unchanged
    box = wrap_model(model, output, BATCH_IMAGES)
    if isinstance(box, ClassBox):
        box = _scale_classes(box, images, floors)
    found = getattr(model, "classes_", None)
    if found is None or not hasattr(model, "predict_proba"):
        return ImageModel(box, None if found is None else tuple(map(str, found)), "score", source)
    scale = "probability" if output == "probability" else "log-odds"
    return ImageModel(box, tuple(str(each) for each in np.asarray(found).ravel().tolist()), scale, source)
