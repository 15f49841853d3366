"""The training loop of every net: AdamW, one-cycle rate, early stopping on held-out rows, exactly resumable checkpoints."""

import io
import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._errors import FileFormatError
from ..store import write_file
from .devices import choose_device

# Largest norm of a step's gradient; it limits the effect of a single unusual batch.
_CLIP = 1.0
# Share of the steps in which the one-cycle rate rises.
_WARM_UP = 0.2
# First learning rate, relative to the peak of the cycle.
_FIRST_RATE = 0.04
# Number of steps, and smallest and largest number of epochs, if n_epochs is None.
_N_STEPS = 2000
_EPOCHS = 8, 400

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class TrainingPlan:
    """Options of the training of a net.

    Attributes
    ----------
    n_epochs : int, optional
        Number of passes over the rows; the learning rate rises over a fifth of them and falls to zero (one cycle). Default: the
        number that gives about two thousand steps, at least 8 and at most 400.
    batch_rows : int
    learning_rate : float
        Peak of the cycle.
    weight_decay : float
    patience : int, optional
        Training stops after this many epochs without a lower held-out loss. Default: half of all, because losses fall most at
        the end, while the rate decreases.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    precision : {"auto", "float32", "bfloat16"}
        Precision of the forward pass; "auto" is bfloat16 on CUDA, where it is faster, and float32 elsewhere.
    compile : bool
        Compile the net with ``torch.compile``, which takes minutes at the start and is faster in long training on CUDA.
    seed : int
        Seed of the initial weights, of the order of rows and of the loss's random draws.
    checkpoint : str, path or None
        File written after every epoch; if it exists at the start, training resumes from it and gives the same result.
    progress : callable or None
        Called with the share that is done (0 to 1) and a text with the held-out loss.
    """

    n_epochs: int | None = None
    batch_rows: int = 512
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    patience: int | None = None
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    seed: int = 0
    checkpoint: str | os.PathLike[str] | None = None
    progress: Progress | None = field(default=None, repr=False, compare=False)

    def complete(self, n_rows: int) -> "_CompletePlan":
        """The plan with the number of epochs, batches and patience for ``n_rows`` rows."""
        wanted = _N_STEPS * self.batch_rows / max(n_rows, 1)
        n_epochs = int(np.clip(np.ceil(wanted), *_EPOCHS)) if self.n_epochs is None else self.n_epochs
        patience = max(n_epochs // 2, 5) if self.patience is None else self.patience
        return _CompletePlan(self, n_epochs, patience, max(n_rows // self.batch_rows, 1))


@dataclass(frozen=True)
class _CompletePlan:
    """A plan with its number of epochs, its patience, and the number of batches in an epoch."""

    plan: TrainingPlan
    n_epochs: int
    patience: int
    n_batches: int


@dataclass(frozen=True)
class Training:
    """Record of a training run: losses by epoch, and the epoch whose weights were kept (from 0)."""

    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]
    best_epoch: int


@dataclass
class _State:
    """State from which a run can be resumed."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_epoch(self) -> int:
        return min(range(len(self.held_out)), key=self.held_out.__getitem__)


# Maps row numbers (on the CPU) and a generator for random draws to the scalar loss.
BatchLoss = Callable[[Tensor, torch.Generator], Tensor]


def train(
    net: nn.Module, compute_loss: BatchLoss, n_rows: int, compute_held_out_loss: Callable[[], float], plan: TrainingPlan
) -> Training:
    """Train a net in place and restore the weights of its best epoch.

    In every epoch the order of rows and the loss's random draws come from a generator seeded by the plan's seed and the epoch's
    number, so a run that was interrupted after any epoch resumes from its checkpoint to exactly the same weights.

    Parameters
    ----------
    net : Module
        Net on the plan's device.
    compute_loss : callable
        Called with row numbers, a Tensor of shape (n_batch,), int64, on the CPU, and a generator on the CPU to draw masks.
    n_rows : int
        Number of training rows, numbered from 0.
    compute_held_out_loss : callable
        Called after every epoch with the net in evaluation mode and no gradients.
    plan : TrainingPlan

    Raises
    ------
    ValueError
        If the checkpoint belongs to another net or plan.
    FloatingPointError
        If the loss is NaN.
    """
    complete = plan.complete(n_rows)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    n_steps = complete.n_epochs * complete.n_batches
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _follow_cycle(step / n_steps))
    if plan.compile:
        net.compile(dynamic=False)  # batches have two sizes, one row apart; code for dynamic sizes fails
    state = _resume(net, optimiser, schedule, complete)
    use_precision = _choose_precision(plan)
    while state.epoch < complete.n_epochs and not _is_done(state, complete):
        generator = torch.Generator().manual_seed(_mix(plan.seed, state.epoch))
        net.train()
        order = torch.randperm(n_rows, generator=generator)
        total = 0.0
        for batch in order.tensor_split(complete.n_batches):
            optimiser.zero_grad(set_to_none=True)
            with use_precision():
                loss = compute_loss(batch, generator)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        net.eval()
        with torch.no_grad(), use_precision():
            held_out = float(compute_held_out_loss())
        _record(state, net, total / complete.n_batches, held_out)
        _save(state, net, optimiser, schedule, complete)
        if plan.progress is not None:
            plan.progress(state.epoch / complete.n_epochs, f"held-out loss {min(state.held_out):.4g}")
    net.load_state_dict(state.best)
    net.eval()
    return Training(tuple(state.losses), tuple(state.held_out), state.best_epoch)


def seed_weights(seed: int) -> AbstractContextManager[None]:
    """A context in which new layers draw their weights from a seed; the caller's random state is restored after it."""
    return _Seeded(seed)


class _Seeded(AbstractContextManager[None]):
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        self.fork = torch.random.fork_rng(devices=[])
        self.fork.__enter__()
        torch.manual_seed(self.seed)

    def __exit__(self, *error: Any) -> None:
        self.fork.__exit__(*error)


def _follow_cycle(share: float) -> float:
    """Learning rate relative to its peak after a share of the steps: a linear rise, then half a cosine down to zero."""
    if share < _WARM_UP:
        return _FIRST_RATE + (1.0 - _FIRST_RATE) * share / _WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * min((share - _WARM_UP) / (1.0 - _WARM_UP), 1.0)))


def _mix(seed: int, epoch: int) -> int:
    """Seed of an epoch, different for all epochs of neighbouring seeds, so that they do not share random draws."""
    return (seed * 1_000_003 + epoch * 7_919 + 17) % 2**63


def _is_done(state: _State, complete: _CompletePlan) -> bool:
    return bool(state.held_out) and state.epoch - 1 - state.best_epoch >= complete.patience


def _choose_precision(plan: TrainingPlan) -> Callable[[], AbstractContextManager[Any]]:
    device = choose_device(plan.device)
    wanted = plan.precision
    if wanted not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision={wanted!r} must be 'auto', 'float32' or 'bfloat16'")
    if wanted == "bfloat16" or (wanted == "auto" and device.type == "cuda"):
        return lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext


def _record(state: _State, net: nn.Module, loss: float, held_out: float) -> None:
    if not (loss == loss and held_out == held_out):
        raise FloatingPointError(
            f"the loss is NaN in epoch {state.epoch + 1}; lower learning_rate, or look for huge values in the outputs"
        )
    state.losses.append(loss)
    state.held_out.append(held_out)
    if state.best_epoch == state.epoch:
        state.best = deepcopy(net.state_dict())
    state.epoch += 1


def _describe(net: nn.Module, complete: _CompletePlan) -> dict[str, Any]:
    """Facts that must be equal for a checkpoint to belong to this run."""
    shapes = {name: list(value.shape) for name, value in net.state_dict().items()}
    schedule = {name: getattr(complete.plan, name) for name in ("batch_rows", "learning_rate", "weight_decay", "seed")}
    return {"shapes": shapes, "n_epochs": complete.n_epochs, "n_batches": complete.n_batches, **schedule}


def _save(state: _State, net: nn.Module, optimiser: Any, schedule: Any, complete: _CompletePlan) -> None:
    """Write the checkpoint atomically: a run interrupted while writing leaves that of the epoch before."""
    if complete.plan.checkpoint is None:
        return
    content = {
        "run": _describe(net, complete),
        "epoch": state.epoch,
        "losses": state.losses,
        "held_out": state.held_out,
        "best": state.best,
        "net": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_file(complete.plan.checkpoint, buffer.getvalue())


def _resume(net: nn.Module, optimiser: Any, schedule: Any, complete: _CompletePlan) -> _State:
    checkpoint = complete.plan.checkpoint
    if checkpoint is None or not Path(checkpoint).exists():
        return _State()
    data = io.BytesIO(Path(checkpoint).read_bytes())
    try:
        content = torch.load(data, map_location=next(net.parameters()).device, weights_only=True)  # runs no code
        is_own = content["run"] == _describe(net, complete)
        if is_own:
            net.load_state_dict(content["net"])
            optimiser.load_state_dict(content["optimiser"])
            schedule.load_state_dict(content["schedule"])
            return _State(content["epoch"], content["losses"], content["held_out"], content["best"])
    except Exception as error:  # torch can raise any exception on damaged bytes
        raise FileFormatError(
            f"the checkpoint {os.fspath(checkpoint)!r} is damaged or not a checkpoint ({type(error).__name__}): remove it, "
            "or name another file"
        ) from error
    raise ValueError(f"the checkpoint {os.fspath(checkpoint)!r} belongs to another net, seed or schedule: name another file")
