"""A masked surrogate: one net that estimates a model's mean output given any part of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._alignment import align_rows, get_index, name_outputs, order_masks
from .._errors import NotFittedError
from .._progress import show_progress
from .._row_arrays import check_masks, check_weights
from .._validation import check_at_least, check_choice
from ..blackbox.held_model import HeldModel
from ..blackbox.hybrid import take_rows
from ..explain.explainer import Explainer
from ..fitted.explanation import squeeze_outputs
from ..fitted.game import FittedGame
from ..game.coalitions import compute_shapley_size_law
from ..table.columns import Table
from .devices import choose_device
from .held_out import compute_kept_share, split_rows
from .losses import compute_sampled_loss
from .masks import draw_masks
from .mlp import MaskedNet
from .row_reader import BaseRows, RowReader, check_base, learn_reader, read_rows, refit_base
from .surrogate_game import SurrogateGame, apply_in_blocks
from .training import TrainingPlan, seed_weights, train

# Number of steps of the default plan: for surrogates of 18 000 rows of eight to ten columns more steps than 3 000 no longer
# lowered the held-out loss. Smallest and largest number of epochs.
N_STEPS = 3000
_EPOCHS = 10, 400
# Number of masks of each held-out row.
_HELD_OUT_MASKS = 8


class MaskedSurrogate:
    """A net ``F(x; S)`` of ``[x ∘ S, S]`` that estimates a model's mean output given ``x_S``.

    It is trained by ``E_x E_S (f(x) - F(x; S))²`` on the model's outputs for whole rows. As F depends on ``x_S`` only, the
    minimiser is ``E[f(X) | X_S = x_S]``, the conditional game; the model predicts each row once. (FastSHAP, Jethani et al.
    2022, trains its surrogate on the same masks; InstaSHAP section 4 chooses its terms on a surrogate.) At the empty coalition
    it is exactly the mean output.

    Parameters
    ----------
    model : estimator, callable or None
        As in :class:`instashap.Explainer`; None if ``fit`` is given ``outputs``. With a base its model is the default.
    output, groups, categorical
        As in :class:`instashap.Explainer`.
    base : Explainer, optional
        A fitted explainer of the conditional game on the same scale. Its additive game ``g(x; S)`` and the net are then
        combined, ``F = g + share (net - g)``, with the share of least held-out error, and 0 unless the decrease of the error is
        significant. (For this choice the base is fitted again without the held-out rows.) Columns, groups and categories are
        those of the base.
    hidden : sequence of int
        Widths of the layers.
    mask_law : {"uniform", "kernel"}
        Law of the coalitions in training: equal mass on every size 0 to d (as in FastSHAP), or the Shapley kernel with equal
        total mass on the full coalition (as in InstaSHAP).
    n_masks : int
        Number of coalitions of each row in a step.
    held_out : float
        Share of the rows that are held out to choose the epoch.
    plan : TrainingPlan, optional
        Default: about 3 000 steps, whatever the number of rows.
    device : str
        "auto", "cpu", "cuda", "mps"; "auto" uses the device of a given plan.
    random_state : int, optional
        Seed; the default is that of the plan, 0.
    verbose : int
        1 shows progress.

    Attributes
    ----------
    feature_names_, output_names_ : tuple of str
        Names of players and outputs.
    output_transform_ : str
        Meaning and scale of the outputs.
    expected_value : float or ndarray of shape (n_outputs,)
    training_ : Training
        Losses by epoch, in squared standard deviations of the outputs.
    kept_share_ : float
        The net's share in the combination with a base, 0 to 1; without a base 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> plan = TrainingPlan(n_epochs=20, batch_rows=100, device="cpu")
    >>> surrogate = MaskedSurrogate(lambda X: X[:, 0] + X[:, 1], hidden=(16,), plan=plan).fit(X)
    >>> surrogate(X[:4], np.array([True, False, True])).shape
    (4,)
    """

    def __init__(
        self,
        model: Any = None,
        *,
        output: str = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        base: Explainer | None = None,
        hidden: Sequence[int] = (128, 128, 128),
        mask_law: str = "uniform",
        n_masks: int = 4,
        held_out: float = 0.1,
        plan: TrainingPlan | None = None,
        device: str = "auto",
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.output = output
        self.groups = groups
        self.categorical = categorical
        self.base = base
        self.hidden = hidden
        self.mask_law = mask_law
        self.n_masks = n_masks
        self.held_out = held_out
        self.plan = plan
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, *, outputs: Any = None, sample_weight: Any = None) -> MaskedSurrogate:
        """Train on the model's predictions of rows, or on its ``outputs`` if given.

        Parameters and errors are those of :meth:`instashap.Explainer.fit`.
        """
        table, feature_names, players = read_rows(X, self.base, self.groups, self.categorical)
        law = make_size_law(self.mask_law, len(feature_names))
        check_at_least(self.n_masks, 1, "n_masks", "a step needs coalitions to train on")
        weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
        model = self.base.model if self.model is None and self.base is not None else self.model
        answer = HeldModel(model, self.output, verbose=self.verbose).ask(X, table.n_rows, outputs)
        values, self._transform = answer.values, answer.box.description
        kept = np.flatnonzero(weights > 0)
        table, values, weights = table.take(kept), values[kept], weights[kept]
        self._base = None if self.base is None else _check_conditional(self.base, values.shape[1])
        self._output_names = name_outputs(answer.output_names, values.shape[1])
        self._reader = learn_reader(table, weights, feature_names, players)
        held_out = self._learn(table, values, weights, law)
        self.kept_share_ = 1.0
        if self._base is not None:
            self.kept_share_ = self._judge(take_rows(X, kept), values, weights, held_out.numpy(), law)
        return self

    def _learn(
        self, table: Table, values: NDArray[np.float64], weights: NDArray[np.float64], law: NDArray[np.float64]
    ) -> Tensor:
        """Train the net; returns positions of the held-out rows."""
        mean = np.average(values, axis=0, weights=weights)
        self._base_value = mean if self._base is None else self._base.model.base_value
        deviations = values - self._base_value
        self._scale = float(np.sqrt(np.average(((values - mean) ** 2).mean(axis=1), weights=weights))) or 1.0
        plan = choose_plan(self.plan, table.n_rows, self.device, self.random_state)
        self._seed = plan.seed
        device = choose_device(plan.device)
        with seed_weights(plan.seed):
            net = MaskedNet(self._reader.owners, len(self.feature_names_), values.shape[1], self.hidden).to(device)
        rows = _Rows(
            self._reader.evaluate(table).to(device),
            torch.as_tensor(deviations / self._scale, dtype=torch.float32, device=device),
            torch.as_tensor(weights, dtype=torch.float32, device=device),
        )
        trained, held_out = split_rows(table.n_rows, self.held_out, plan.seed)

        def compute_loss(numbers: Tensor, generator: torch.Generator) -> Tensor:
            chosen = trained[numbers].repeat_interleave(self.n_masks)
            masks = draw_masks(law, len(chosen), generator, torch.device("cpu"))
            return rows.compute_loss(net, chosen, masks)

        tested = held_out.repeat_interleave(_HELD_OUT_MASKS)
        masks = draw_masks(law, len(tested), torch.Generator().manual_seed(plan.seed + 1), torch.device("cpu"))

        def compute_held_out_loss() -> float:
            return float(rows.compute_loss(net, tested, masks))

        with show_progress(self.verbose) as progress:
            reported = plan if progress is None else replace(plan, progress=progress)
            self.training_ = train(net, compute_loss, len(trained), compute_held_out_loss, reported)
        self._net = net
        return held_out

    def _judge(
        self,
        X: Any,
        values: NDArray[np.float64],
        weights: NDArray[np.float64],
        held_out: NDArray[np.int64],
        law: NDArray[np.float64],
    ) -> float:
        """The share of the net in the combination, from held-out rows on which neither it nor the refitted base was fitted."""
        assert self.base is not None
        seen = np.setdiff1d(np.arange(len(values)), held_out)
        refitted = refit_base(self.base, take_rows(X, seen), values[seen], weights[seen])
        rows = take_rows(X, held_out)
        game = SurrogateGame(self, rows, share=1.0)
        places = np.repeat(np.arange(len(held_out)), _HELD_OUT_MASKS)
        generator = torch.Generator().manual_seed(self._seed + 2)
        masks = draw_masks(law, len(places), generator, torch.device("cpu"))
        base_rows, numbers = BaseRows(refitted, refitted.read(rows)), torch.as_tensor(places)
        gains = apply_in_blocks(lambda part: base_rows.evaluate(numbers[part], masks[part]), len(places))
        predicted = refitted.model.base_value + gains
        shape = len(held_out), _HELD_OUT_MASKS, -1
        corrections, residuals = game.evaluate(places, masks.numpy()) - predicted, values[held_out][places] - predicted
        return compute_kept_share(corrections.reshape(shape), residuals.reshape(shape), weights[held_out])

    def __call__(self, X: Any, masks: Any) -> NDArray[np.float64]:
        """``F(x; S)``, shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        masks : bool array of shape (n_rows, n_features) or (n_features,)
            True = present; one mask serves every row.
        """
        game, masks = self.make_game(X), order_masks(masks, self.feature_names_, get_index(X))
        return squeeze_outputs(game.evaluate(np.arange(game.n_rows), check_masks(masks, game.n_rows, len(self.feature_names_))))

    def make_game(self, X: Any) -> SurrogateGame:
        """The surrogate as a game on some rows, which are encoded once for any number of coalitions."""
        return SurrogateGame(self, X)

    def to(self, device: str) -> MaskedSurrogate:
        """Move the net to a device; returns the surrogate itself."""
        self._check_fitted().to(choose_device(device))
        return self

    @property
    def reader_(self) -> RowReader:
        """Conversion of rows to the net's inputs."""
        self._check_fitted()
        return self._reader

    @property
    def feature_names_(self) -> tuple[str, ...]:
        return self._get("_reader").feature_names  # type: ignore[no-any-return]

    @property
    def output_names_(self) -> tuple[str, ...]:
        return self._get("_output_names")  # type: ignore[no-any-return]

    @property
    def output_transform_(self) -> str:
        return self._get("_transform")  # type: ignore[no-any-return]

    @property
    def expected_value(self) -> Any:
        value = self._get("_base_value")
        return float(value[0]) if len(value) == 1 else value

    def _check_fitted(self) -> MaskedNet:
        return self._get("_net")  # type: ignore[no-any-return]

    def _get(self, name: str) -> Any:
        if not hasattr(self, name):
            raise NotFittedError("this MaskedSurrogate is not fitted yet; call fit(X) first")
        return getattr(self, name)


@dataclass(frozen=True)
class _Rows:
    """Training rows on the device: inputs (n_rows, n_inputs), deviations (n_rows, n_outputs), weights (n_rows,)."""

    inputs: Tensor
    deviations: Tensor
    weights: Tensor

    def compute_loss(self, net: MaskedNet, rows: Tensor, masks: Tensor) -> Tensor:
        """Mean squared difference between the net's values at masks and the rows' outputs; rows and masks on the CPU."""
        places = rows.to(self.inputs.device)
        predicted = net(self.inputs[places], masks.to(self.inputs.device))
        return compute_sampled_loss(predicted, self.deviations[places], self.weights[places])


def make_size_law(name: str, n_players: int) -> NDArray[np.float64]:
    """A law of coalition sizes by name: "uniform", or "kernel" with the same mass on the full as on all smaller coalitions."""
    check_choice(name, ("uniform", "kernel"), "mask_law")
    return np.ones(n_players + 1) if name == "uniform" else compute_shapley_size_law(n_players)


def choose_plan(
    plan: TrainingPlan | None, n_rows: int, device: str, random_state: int | None, learning_rate: float = 5e-3
) -> TrainingPlan:
    """The given plan, or one of about ``N_STEPS`` steps; a device other than "auto" and a seed replace those of the plan."""
    if plan is None:
        plan = TrainingPlan(batch_rows=min(512, max(n_rows // 4, 1)), learning_rate=learning_rate)
        n_epochs = int(np.clip(round(N_STEPS * plan.batch_rows / n_rows), *_EPOCHS))
        plan = replace(plan, n_epochs=n_epochs, patience=n_epochs)  # no early stopping, as the last epochs are the best
    elif not isinstance(plan, TrainingPlan):
        raise TypeError(f"plan must be an instashap.neural.TrainingPlan, got {type(plan).__name__}")
    seed = plan.seed if random_state is None else random_state
    return replace(plan, device=plan.device if device == "auto" else device, seed=seed)


def _check_conditional(base: Explainer, n_outputs: int) -> FittedGame:
    fitted = check_base(base)
    if fitted.game != "conditional":
        raise ValueError(f"the base explains the {fitted.game} game; a surrogate needs a base of the conditional game")
    if fitted.model.n_outputs != n_outputs:
        raise ValueError(f"the model gives {n_outputs} outputs, the base was fitted on {fitted.model.n_outputs}")
    return fitted
