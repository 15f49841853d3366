"""Training of an image game from images and outputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...game.coalitions import compute_shapley_size_law
from ..devices import choose_device
from ..losses import compute_sampled_loss
from ..masks import draw_masks
from ..training import BatchLoss, Training, TrainingPlan, seed_weights, train
from .image_game import ImageGame
from .image_terms import TermChoice
from .pair_loss import compute_centred_loss, make_pair_masses
from .patches import Patches, split_rows, to_tensor

# Share of the images that is held out for early stopping, and the largest number of held-out images.
_HELD_OUT, _MOST_HELD_OUT = 0.1, 4000
# Number of images from whose pixels the scale is computed.
_SCALE_IMAGES = 10_000

# Maps row numbers and masks of players to the value function's outputs there.
Targets = Callable[[Tensor, NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True)
class Size:
    """Size of a net: number of modes of the coalition size, features of a patch, length of an embedding."""

    n_modes: int = 3
    width: int = 64
    rank: int = 16


@dataclass(frozen=True)
class Task:
    """The game to be learnt, and the images from which it is learnt.

    Attributes
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, n_channels)
    outputs : ndarray of shape (n_images, n_outputs), float64
        Outputs of whole images.
    patches : Patches
    full_weight : float
        Mass of the full coalition, relative to all others.
    targets : callable or None
        None: the loss is exact over all masks, and its minimiser is the conditional game of the outputs. A callable: masks are
        drawn at random, and the game is that of the targets.
    """

    images: NDArray[np.generic]
    outputs: NDArray[np.float64]
    patches: Patches
    full_weight: float
    targets: Targets | None = None

    @property
    def size_law(self) -> NDArray[np.float64]:
        return compute_shapley_size_law(self.patches.n_players, self.full_weight)

    def find_base(self) -> NDArray[np.float64]:
        """Mean of the value function where no patch is known."""
        if self.targets is None:
            return np.asarray(self.outputs.mean(axis=0))
        rows = torch.arange(min(len(self.images), _MOST_HELD_OUT))
        return np.asarray(self.targets(rows, np.zeros((len(rows), self.patches.n_players), dtype=bool)).mean(axis=0))


def fit_game(task: Task, terms: TermChoice, size: Size, plan: TrainingPlan) -> tuple[ImageGame, Training]:
    """Train the game of some images, and centre its parts."""
    images, device = task.images, choose_device(plan.device)
    game = _start_game(task, terms, size, plan.seed).to(device)

    def read(rows: Tensor) -> Tensor:
        return to_tensor(images[rows.numpy()]).to(device)

    measure = _make_exact_loss(task, terms, size, game, read) if task.targets is None else _make_sampled_loss(task, game, read)
    held_out, kept = hold_out(len(images), plan.seed)

    def measure_held_out() -> float:
        generator = torch.Generator().manual_seed(plan.seed)
        batches = (held_out[rows] for rows in split_rows(len(held_out)))
        return sum(float(measure(rows, generator)) * len(rows) for rows in batches) / len(held_out)

    training = train(game, lambda rows, generator: measure(kept[rows], generator), len(kept), measure_held_out, plan)
    game.centre(read(torch.as_tensor(rows)) for rows in split_rows(len(images)))
    return game, training


def hold_out(n_images: int, seed: int) -> tuple[Tensor, Tensor]:
    """Positions of the held-out images and of the others."""
    order = torch.randperm(n_images, generator=torch.Generator().manual_seed(seed))
    n_held = min(max(int(_HELD_OUT * n_images), 1), _MOST_HELD_OUT)
    return order[:n_held], order[n_held:]


def _start_game(task: Task, terms: TermChoice, size: Size, seed: int) -> ImageGame:
    """An untrained game with small values, on the scale of the outputs."""
    n_channels = 1 if task.images.ndim == 3 else task.images.shape[3]
    numbers = n_channels, size.n_modes, task.outputs.shape[1], size.width, size.rank if terms.has_all_pairs else 0
    with seed_weights(seed):
        game = ImageGame(task.patches, terms.presence_sets, *numbers)
    game.net.set_scale(to_tensor(task.images[:_SCALE_IMAGES]))
    base = task.find_base()
    game.base.copy_(torch.as_tensor(base))
    game.spread.fill_(float(np.sqrt(np.square(task.outputs - base).mean())) or 1.0)
    return game


def _make_exact_loss(task: Task, terms: TermChoice, size: Size, game: ImageGame, read: Callable[[Tensor], Tensor]) -> BatchLoss:
    device = game.base.device
    masses = make_pair_masses(terms.presence_sets, task.size_law, size.n_modes).to(device)
    outputs = torch.as_tensor(task.outputs, dtype=torch.float32)

    def measure(rows: Tensor, generator: torch.Generator) -> Tensor:
        parts, embeddings = game.net(read(rows))
        deviations = (outputs[rows].to(device) - game.base) / game.spread
        return compute_centred_loss(parts, embeddings, game.net.signs, deviations, masses)

    return measure


def _make_sampled_loss(task: Task, game: ImageGame, read: Callable[[Tensor], Tensor]) -> BatchLoss:
    device, targets, law = game.base.device, task.targets, task.size_law
    assert targets is not None

    def measure(rows: Tensor, generator: torch.Generator) -> Tensor:
        masks = draw_masks(law, len(rows), generator, device)
        wanted = torch.as_tensor(targets(rows, masks.cpu().numpy()), dtype=torch.float32).to(device)
        lacking = (game.predict(read(rows), masks) - wanted) / game.spread
        return compute_sampled_loss(lacking, torch.zeros_like(lacking), torch.ones_like(lacking[:, 0]))

    return measure
