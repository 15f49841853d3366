"""From images and outputs to a trained game: which sets of patches count, and the loss that teaches them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...game.coalitions import compute_shapley_size_law
from ...game.terms import PresenceSet
from ..devices import choose_device
from ..losses import compute_sampled_loss
from ..masks import draw_masks
from ..training import Training, TrainingPlan, seed_weights, train
from .game import ImageGame
from .pair_loss import average_pairs, compute_centred_loss, make_pair_masses
from .patches import Patches, to_tensor

# Images of one pass outside of training.
BATCH = 256
# A share of the images, but no more than so many, is held out to stop early.
_HELD_OUT, _MOST_HELD_OUT = 0.1, 4000
# Images whose pixels set the scale.
_SCALE_IMAGES = 10_000

# Row numbers and masks of players, to the value function's outputs there.
Targets = Callable[[Tensor, NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True)
class TermChoice:
    """Which sets of patches have a part of their own, and whether every pair has a low-rank one."""

    presence_sets: tuple[PresenceSet, ...]
    has_all_pairs: bool

    @property
    def order(self) -> int:
        """Patches that the largest term reads."""
        return max(max(map(len, self.presence_sets)), 2 if self.has_all_pairs else 1)


def choose_terms(patches: Patches, order: Any, interactions: Any) -> TermChoice:
    """Terms by name; see :class:`ImageExplainer`. A number of distant pairs is chosen later, by :func:`rank_pairs`."""
    if order not in (1, 2) or isinstance(order, bool):
        raise ValueError(f"order={order!r} must be 1 (patches by themselves) or 2 (with interactions)")
    mains = [(player,) for player in range(patches.n_players)]
    if order == 1 or (isinstance(interactions, Integral) and interactions == 0):
        if interactions not in ("auto", 0):
            raise ValueError(f"order=1 has no interactions, got interactions={interactions!r}; use order=2")
        return TermChoice(tuple(mains), False)
    if isinstance(interactions, str):
        by_name: dict[str, tuple[list[Any], bool]] = {
            "auto": ([], True),
            "all": ([], True),
            "neighbours": (patches.find_neighbours(), False),
            "blocks": (patches.find_blocks(), False),
            "hybrid": (patches.find_blocks(), True),
        }
        if interactions not in by_name:
            raise ValueError(f"interactions={interactions!r} is not known; use one of {', '.join(map(repr, by_name))}, a list of tuples of patches or a number of distant pairs")
        sets, has_pairs = by_name[interactions]
        return TermChoice((*mains, *sets), has_pairs)
    if isinstance(interactions, Integral) and not isinstance(interactions, bool):
        if interactions < 0:
            raise ValueError(f"interactions={interactions} must not be negative")
        return TermChoice((*mains, *patches.find_neighbours()), False)
    return TermChoice((*mains, *_check_sets(interactions, patches.n_players)), False)


def _check_sets(interactions: Any, n_players: int) -> list[PresenceSet]:
    try:
        sets = sorted({tuple(sorted({int(player) for player in each})) for each in interactions}, key=lambda each: (len(each), each))
    except (TypeError, ValueError) as error:
        raise TypeError(f"interactions must be a name, a number or a list of tuples of patches, got {interactions!r}") from error
    for each in sets:
        if len(each) < 2 or each[0] < 0 or each[-1] >= n_players:
            raise ValueError(f"interactions holds {each}; each must be two or more patches from 0 to {n_players - 1}")
    return sets


@dataclass(frozen=True)
class Size:
    """How large the net is: modes of the coalition size, features of a patch, numbers of an embedding."""

    n_modes: int = 3
    width: int = 64
    rank: int = 16


def fit_game(
    images: NDArray[Any],
    outputs: NDArray[np.float64],
    patches: Patches,
    terms: TermChoice,
    size: Size,
    full_weight: float,
    plan: TrainingPlan,
    targets: Targets | None = None,
) -> tuple[ImageGame, Training]:
    """Train the game of some images.

    Without ``targets`` the loss is exact over all masks and its optimum the conditional game of the outputs; with them masks
    are drawn, and the game is that of the targets.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, n_channels)
    outputs : ndarray of shape (n_images, n_outputs), float64
        Of whole images.
    patches, terms, size
    full_weight : float
        Mass of the full coalition, relative to all others.
    plan : TrainingPlan
    targets : callable, optional
    """
    device = choose_device(plan.device)
    law = compute_shapley_size_law(patches.n_players, full_weight)
    n_channels = 1 if images.ndim == 3 else images.shape[3]
    with seed_weights(plan.seed):
        rank = size.rank if terms.has_all_pairs else 0
        game = ImageGame(patches, terms.presence_sets, n_channels, size.n_modes, outputs.shape[1], size.width, rank)
    game.net.set_scale(to_tensor(images[:_SCALE_IMAGES]))
    base = outputs.mean(axis=0) if targets is None else _find_base(targets, len(images), patches.n_players)
    spread = float(np.sqrt(np.square(outputs - base).mean())) or 1.0
    game.base.copy_(torch.as_tensor(base))
    game.spread.fill_(spread)
    game.to(device)
    deviations = torch.as_tensor((outputs - base) / spread, dtype=torch.float32)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(plan.seed))
    n_held = min(max(int(_HELD_OUT * len(images)), 1), _MOST_HELD_OUT)
    held_out, kept = order[:n_held], order[n_held:]

    def read(rows: Tensor) -> Tensor:
        return to_tensor(images[rows.numpy()]).to(device)

    if targets is None:
        masses = make_pair_masses(terms.presence_sets, law, size.n_modes).to(device, torch.float32)

        def measure(rows: Tensor, generator: torch.Generator) -> Tensor:
            parts, embeddings = game.net(read(rows))
            return compute_centred_loss(parts, embeddings, game.net.signs, deviations[rows].to(device), masses)

    else:

        def measure(rows: Tensor, generator: torch.Generator) -> Tensor:
            masks = draw_masks(law, len(rows), generator, device)
            wanted = torch.as_tensor((targets(rows, masks.cpu().numpy()) - base) / spread, dtype=torch.float32, device=device)
            found = (game.predict(read(rows), masks) - game.base) / game.spread
            return compute_sampled_loss(found, wanted, torch.ones(len(rows), device=device))

    def measure_held_out() -> float:
        generator = torch.Generator().manual_seed(plan.seed)
        batches = held_out.split(BATCH)
        return sum(float(measure(rows, generator)) * len(rows) for rows in batches) / len(held_out)

    training = train(game, lambda rows, generator: measure(kept[rows], generator), len(kept), measure_held_out, plan)
    game.centre([read(rows) for rows in torch.arange(len(images)).split(BATCH)])
    return game, training


def _find_base(targets: Targets, n_images: int, n_players: int) -> NDArray[np.float64]:
    """Mean of the value function where no patch is known."""
    rows = torch.arange(min(n_images, _MOST_HELD_OUT))
    return np.asarray(targets(rows, np.zeros((len(rows), n_players), dtype=bool)).mean(axis=0))


def rank_pairs(game: ImageGame, images: NDArray[Any], n_pairs: int, known: Sequence[PresenceSet]) -> list[PresenceSet]:
    """Pairs that vary most in a game with all pairs, without those already known; the strongest first."""
    device = game.base.device
    with torch.no_grad():
        second = torch.zeros(game.n_players, game.n_players)
        for rows in torch.arange(len(images)).split(BATCH):
            _, embeddings = game(to_tensor(images[rows.numpy()]).to(device))
            pairs = torch.einsum("npk,nqk,ck->npqc", embeddings, embeddings, game.net.signs[0])
            second += (pairs - game.pair_means[:, :, 0]).square().sum(dim=(0, 3)).cpu()
    taken = set(known)
    first, other = np.triu_indices(game.n_players, 1)
    ranked = np.argsort(-second.numpy()[first, other], kind="stable")
    pairs_by_strength = [(int(first[place]), int(other[place])) for place in ranked]
    return [pair for pair in pairs_by_strength if pair not in taken][:n_pairs]
