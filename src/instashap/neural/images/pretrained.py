"""Pretrained nets of torchvision and timm as classifiers of arrays, of whole images and of partly known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .masked_model import MaskedModel
from .patches import check_images, to_tensor
from .reading import BATCH_IMAGES, apply_module


class PretrainedClassifier(MaskedModel):
    """A net for tensors of one size, with normalised channels, as a classifier of arrays of any size.

    An absent pixel has the mean colour of the images on which the net was trained: 0 after its normalisation. This is a
    baseline, not a conditional mean. It needs no training, and nets trained without masks answer it with some surprise.

    Parameters
    ----------
    net : Module
        Maps tensors of shape (n_images, n_channels, height, width) to scores of classes.
    classes : sequence of str
    mean, std : sequence of float
        Of each channel, for pixels from 0 to 1.
    size : (int, int), optional
        Height and width that the net needs; images of another size are resized. Default: images are left as they are.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> _ = nn.init.ones_(net[1].weight)
    >>> model = PretrainedClassifier(net, ["cat", "dog"], mean=[0.5], std=[0.5])
    >>> model.predict_proba(np.ones((1, 2, 2)))
    array([[0.5, 0.5]])
    """

    def __init__(
        self,
        net: nn.Module,
        classes: Sequence[str],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        size: tuple[int, int] | None = None,
    ) -> None:
        self.net, self.size = net, size
        self.classes_ = np.array(list(classes))
        self.mean, self.std = (torch.tensor(numbers, dtype=torch.float32)[:, None, None] for numbers in (mean, std))

    def predict_masked(self, images: Any, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Probabilities where only some pixels are known: masks of shape (n_images, height, width), True = known."""
        array = check_images(images)
        n_channels = 1 if array.ndim == 3 else array.shape[3]
        if n_channels != len(self.mean):
            raise ValueError(f"images have {n_channels} channels, the net was trained on {len(self.mean)}")
        found = []
        for start in range(0, len(array), BATCH_IMAGES):
            some = slice(start, start + BATCH_IMAGES)
            known = torch.as_tensor(np.asarray(masks[some], dtype=np.float32)).unsqueeze(1)
            found.append(apply_module(self.net, self._prepare(to_tensor(array[some]), known)))
        scores = torch.as_tensor(np.concatenate(found))
        if scores.shape[1] != len(self.classes_):
            raise ValueError(f"the net returns {scores.shape[1]} scores for {len(self.classes_)} classes; name each of them")
        return np.asarray(scores.softmax(dim=1).numpy())

    def _prepare(self, images: Tensor, known: Tensor) -> Tensor:
        """What the net reads: normalised, 0 where unknown, resized."""
        seen = (images - self.mean) / self.std * known
        if self.size is None or seen.shape[2:] == torch.Size(self.size):
            return seen
        return nn.functional.interpolate(seen, size=self.size, mode="bilinear", antialias=True)


def wrap_pretrained(net: nn.Module, weights: Any = None, *, classes: Sequence[str] | None = None) -> PretrainedClassifier:
    """A net of torchvision or timm as a classifier of arrays, with the size, channels and classes of its weights.

    Neither package is imported: the description of the weights is read where the package puts it. The whole image is resized to
    the size of the net's crops.

    Parameters
    ----------
    net : Module
        ``torchvision.models.get_model(name, weights=weights)`` or ``timm.create_model(name, pretrained=True)``.
    weights : optional
        Of torchvision: a member such as ``ResNet18_Weights.DEFAULT``. Nets of timm hold their own description.
    classes : sequence of str, optional
        Names of the classes. Default: those of the weights, else numbers.

    Raises
    ------
    TypeError
        If neither the net nor the weights describe the images.

    Examples
    --------
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    >>> net.pretrained_cfg = {"input_size": (3, 8, 8), "mean": (0.5,) * 3, "std": (0.5,) * 3, "num_classes": 2}  # as timm does
    >>> wrap_pretrained(net).predict_proba(np.zeros((5, 10, 10, 3))).shape
    (5, 2)
    """
    if weights is not None and hasattr(weights, "transforms"):
        preset, names = weights.transforms(), weights.meta.get("categories")
        side = int(np.ravel(preset.crop_size)[0])
        size, mean, std = (side, side), preset.mean, preset.std
    elif isinstance(facts := getattr(net, "pretrained_cfg", None), Mapping):
        size, mean, std = tuple(facts["input_size"][1:]), facts["mean"], facts["std"]
        names = facts.get("label_names") or range(int(facts["num_classes"]))
    else:
        raise TypeError(
            f"{type(net).__name__} does not describe its images: pass weights of torchvision or a net of timm, or give mean "
            "and std to PretrainedClassifier"
        )
    names = names if classes is None else classes
    if names is None:
        raise TypeError("the weights name no classes: pass classes=")
    return PretrainedClassifier(net.eval(), [str(name) for name in names], mean=mean, std=std, size=size)
