"""A classifier of partly known images: a small residual net, trained under masks of patches."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..devices import choose_device
from ..losses import compute_cross_entropy
from ..masks import draw_masks
from ..training import Training, TrainingPlan, seed_weights, train
from .masked_model import MaskedModel
from .patches import BATCH, Patches, check_images, make_patches, split_rows, to_tensor

_PLAN = TrainingPlan(batch_rows=256, learning_rate=1e-2, weight_decay=1e-3)
# Share of the training images that are not masked, because a classifier is judged by its accuracy on whole images.
_WHOLE = 0.5


class MaskedResNet(nn.Module):
    """Scores of classes from pixels and a mask: absent pixels are set to the mean, and the mask is an additional channel.

    Parameters
    ----------
    n_channels, n_classes : int
    widths : sequence of int
        Channels of each stage; every stage but the first halves height and width.
    stride : int
        Stride of the first convolution.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_channels: int, n_classes: int, widths: Sequence[int] = (32, 64), stride: int = 2) -> None:
        super().__init__()
        self.widths, self.stride = tuple(widths), stride
        self.register_buffer("mean", torch.zeros(n_channels, 1, 1))
        self.register_buffer("scale", torch.ones(n_channels, 1, 1))
        self.stem = nn.Sequential(
            nn.Conv2d(n_channels + 1, widths[0], 2 * stride + 1, stride, stride, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        for before, width in zip((widths[0], *widths), widths, strict=False):
            stages.append(_Block(before, width, 1 if before == width else 2))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(widths[-1], n_classes)

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Scores (n_images, n_classes) of images (n_images, n_channels, height, width) and masks of pixels (n_images, 1, …)."""
        scores: Tensor = self.head(self.read(images, present).mean(dim=(2, 3)))
        return scores

    def fold(self) -> "MaskedResNet":
        """A copy for evaluation in which the norms are folded into the convolutions, which takes a quarter less time."""
        net = deepcopy(self).eval()
        net.stem = _fold_pair(net.stem)
        for stage in net.stages:
            assert isinstance(stage, _Block)
            stage.first, stage.second = map(_fold_norm, (stage.first, stage.second), stage.norms)
            stage.norms = nn.ModuleList([nn.Identity(), nn.Identity()])
            stage.skip = _fold_pair(stage.skip) if isinstance(stage.skip, nn.Sequential) else stage.skip
        return net

    def read(self, images: Tensor, present: Tensor) -> Tensor:
        """Features of images and masks of pixels, shape (n_images, widths[-1], height of the map, width of the map)."""
        seen = (images - self.mean) / self.scale * present
        joined = torch.cat([seen, present], dim=1).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.stages(self.stem(joined))
        return features


def _fold_norm(convolution: Any, norm: Any) -> nn.Conv2d:
    folded: nn.Conv2d = fuse_conv_bn_eval(convolution, norm)
    return folded


def _fold_pair(layers: nn.Sequential) -> nn.Sequential:
    """A convolution and its norm as one convolution, and what follows them."""
    convolution, norm, *rest = layers
    return nn.Sequential(_fold_norm(convolution, norm), *rest)


class _Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.skip: nn.Module = nn.Identity()
        if before != width or stride != 1:
            self.skip = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        inner = torch.relu(self.norms[0](self.first(features)))
        return torch.relu(self.norms[1](self.second(inner)) + self.skip(features))


class MaskedClassifier(MaskedModel):
    """A trained net as a classifier of arrays: of whole images, and of images of which only some pixels are known.

    Attributes
    ----------
    net : Module
        Maps images and masks of pixels to scores of classes.
    classes_ : ndarray of shape (n_classes,)
    training : Training or None
    """

    def __init__(self, net: nn.Module, classes: NDArray[Any], training: Training | None = None) -> None:
        self.net, self.classes_, self.training = net, classes, training

    def predict_masked(self, images: Any, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Probabilities where only some pixels are known: masks of shape (n_images, height, width), True = known."""
        array = check_images(images)
        device = next(self.net.parameters()).device
        net = self.net
        if isinstance(net, MaskedResNet) and len(array) > BATCH:  # folding takes a few milliseconds
            net = net.fold()
        found = []
        with torch.no_grad():
            for some in split_rows(len(array)):
                present = torch.as_tensor(masks[some]).unsqueeze(1).to(device, torch.float32)
                found.append(net(to_tensor(array[some]).to(device), present).double().softmax(dim=1).cpu())
        return torch.cat(found).numpy()


def train_masked_classifier(
    images: Any,
    labels: Any,
    *,
    patches: Sequence[Any] = ((7, 7),),
    widths: Sequence[int] = (16, 32, 64),
    stride: int = 2,
    flip: bool = False,
    plan: TrainingPlan | None = None,
) -> MaskedClassifier:
    """Train a small residual net on labels, with half of the images whole and half under random masks of patches.

    The minimiser of the cross-entropy under masks is ``P(y | x_S)``: absent patches are averaged over, not replaced. So the net
    is both a black box and the value function of its conditional game.

    Parameters
    ----------
    images : array of shape (n_images, height, width) or (n_images, height, width, n_channels)
        uint8, or float from 0 to 1; channels last.
    labels : array of shape (n_images,)
    patches : sequence
        Segmentations as in :class:`ImageExplainer`; each batch is masked by one of them.
    widths, stride
        As in :class:`MaskedResNet`.
    flip : bool
        Mirror a random half of the batches.
    plan : TrainingPlan, optional
        A tenth of the images is held out to stop early.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or not as many labels as images.
    """
    array, plan = check_images(images), plan or _PLAN
    classes, numbers = np.unique(np.asarray(labels).ravel(), return_inverse=True)
    if len(numbers) != len(array) or len(classes) < 2:
        raise ValueError(
            f"got {len(numbers)} labels of {len(classes)} classes for {len(array)} images; give each image one, of two or more"
        )
    device = choose_device(plan.device)
    data, target = torch.as_tensor(array), torch.as_tensor(numbers, dtype=torch.int64)
    games = [make_patches(each, (array.shape[1], array.shape[2])) for each in patches]
    with seed_weights(plan.seed):
        net = MaskedResNet(1 if array.ndim == 3 else array.shape[3], len(classes), widths, stride)
    _set_scale(net, to_tensor(array[:10_000]))
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    order = torch.randperm(len(array), generator=torch.Generator().manual_seed(plan.seed))
    held_out, kept = order[: len(array) // 10], order[len(array) // 10 :]

    def score(rows: Tensor, present: Tensor, mirrored: bool = False) -> Tensor:
        seen = to_tensor(data[rows].numpy()).to(device)
        scores = net(seen.flip(3) if mirrored else seen, present)
        shares = nn.functional.one_hot(target[rows], len(classes)).to(device, torch.float32)
        return compute_cross_entropy(scores, shares, torch.ones(len(rows), device=device))

    def compute_loss(rows: Tensor, generator: torch.Generator) -> Tensor:
        choice = int(torch.randint(len(games), (1,), generator=generator))
        mirrored = flip and bool(torch.randint(2, (1,), generator=generator))
        present = _draw_pixel_masks(games[choice], len(rows), generator).to(device)
        return score(kept[rows], present, mirrored)

    def compute_held_out_loss() -> float:
        whole = torch.ones(1, 1, *array.shape[1:3], device=device)
        batches = (held_out[rows] for rows in split_rows(len(held_out)))
        return sum(float(score(rows, whole.expand(len(rows), -1, -1, -1))) * len(rows) for rows in batches) / len(held_out)

    training = train(net, compute_loss, len(kept), compute_held_out_loss, plan)
    return MaskedClassifier(net, classes, training)


def _draw_pixel_masks(patches: Patches, n_images: int, generator: torch.Generator) -> Tensor:
    """Masks of pixels: half of them full; in the others every number of known patches from 0 to d - 1 is equally likely."""
    d = patches.n_players
    law = np.ones(d + 1)
    law[d] = 0.0
    masks = draw_masks(law, n_images, generator, torch.device("cpu"))
    masks[: int(_WHOLE * n_images)] = True
    return patches.spread_masks(masks)


def _set_scale(net: MaskedResNet, images: Tensor) -> None:
    """Set the mean and scale that standardise pixels by channel; absent pixels are then at the mean."""
    net.mean.copy_(images.mean(dim=(0, 2, 3))[:, None, None])
    net.scale.copy_(images.std(dim=(0, 2, 3)).clamp_min(1e-6)[:, None, None])
