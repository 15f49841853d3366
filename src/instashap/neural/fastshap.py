"""FastSHAP: a net that predicts Shapley values of a value function, or corrects those of a fitted explainer as base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._alignment import align_rows, get_index, name_outputs
from .._errors import NotFittedError
from .._progress import show_progress
from .._row_arrays import check_weights
from .._validation import check_at_least
from ..blackbox import BlackBox
from ..blackbox.held_model import HeldModel
from ..blackbox.value_functions import Game
from ..explain.explainer import Explainer
from ..fits.asked import bind_game, describe_game
from ..fitted.explanation import Explanation, squeeze_outputs
from ..fitted.shown_rows import collect_data
from ..game.coalitions import compute_shapley_size_law
from ..table.columns import Table
from .devices import choose_device
from .held_out import compute_kept_share, split_rows
from .kernel_sample import KernelSample
from .masks import draw_paired_masks
from .mlp import ValueNet, scale_last, share_out
from .row_reader import BaseRows, RowReader, check_base, learn_reader, read_rows
from .surrogate import MaskedSurrogate, choose_plan
from .surrogate_game import apply_in_blocks
from .training import Training, TrainingPlan, seed_weights, train

# Learning rate of the default plan. As targets have no noise, a slower net ends nearer to them (equicorrelated_0.6: with 5e-3
# and 32 coalitions per row the SHAP R² was .0042 below that of the surrogate's exact values, with 2e-3 and 64 .0005).
_LEARNING_RATE = 2e-3
# A residual game below this share of the outputs' spread is rounding of single precision.
_NOTHING = 1e-5


class FastSHAPExplainer:
    """Shapley values by one net, trained on a value function's coalitions (FastSHAP, Jethani et al. 2022).

    The training solves ``min_φ E_x E_S (F(x; S) - F(x; ∅) - sum_{i in S} φ_i(x))²`` over the Shapley kernel, with coalitions in
    complementary pairs. The ``φ_i`` are made efficient: their difference from ``F(x; all) - F(x; ∅)`` is divided equally among
    them. Each ``φ_i`` depends on all of x, so F must be a masked value function; trained on unmasked outputs, the net would
    give every player a share of ``f(x)``.

    With a ``base`` the values are those of the base plus a net for the residual game ``F - g``, which is much smaller than F;
    the net is scaled to zero if it does not lower the error on held-out rows.

    Parameters
    ----------
    model : estimator, callable or None
        As in :class:`instashap.Explainer`; None if ``fit`` is given ``outputs`` or ``surrogate`` needs no model.
    surrogate : "auto", MaskedSurrogate, Marginal, Baseline, or callable ``F(X, masks)``
        The value function. "auto" trains a :class:`MaskedSurrogate` on the rows of ``fit``: the conditional game.
    base : Explainer, optional
        A fitted explainer of the same outputs. Columns, groups and categories are those of the base.
    output, groups, categorical
        As in :class:`instashap.Explainer`; a fitted surrogate or a base replaces them by its own.
    hidden : sequence of int
        Widths of the layers, of the explainer and of a surrogate it trains.
    n_masks : int
        Number of coalitions per row, an even number; they are drawn once, so F is evaluated ``n_rows × n_masks`` times.
    held_out : float
        Share of the rows that are held out to choose the epoch.
    plan, surrogate_plan : TrainingPlan, optional
        Default: about 3 000 steps each.
    device, random_state, verbose
        As in :class:`MaskedSurrogate`.

    Attributes
    ----------
    surrogate_ : MaskedSurrogate, or the given value function
    feature_names_, output_names_ : tuple of str
    expected_value : float or ndarray of shape (n_outputs,)
        ``F(x; ∅)``.
    training_ : Training or None
        Losses by epoch; None if no net was trained because the base equals F.
    kept_share_ : float
        The multiple of the trained net that is added to the base, 0 to 1; without a base 1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> plan = TrainingPlan(n_epochs=20, batch_rows=100, device="cpu")
    >>> explainer = FastSHAPExplainer(lambda X: X[:, 0] + X[:, 1], hidden=(16,), plan=plan, surrogate_plan=plan).fit(X)
    >>> explainer(X[:2])
    Explanation of 2 × 3 (rows, features); conditional, by a surrogate game; output of <lambda>
    """

    def __init__(
        self,
        model: Any = None,
        *,
        surrogate: Any = "auto",
        base: Explainer | None = None,
        output: str = "auto",
        groups: Any = None,
        categorical: Any = "auto",
        hidden: Sequence[int] = (128, 128, 128),
        n_masks: int = 64,
        held_out: float = 0.1,
        plan: TrainingPlan | None = None,
        surrogate_plan: TrainingPlan | None = None,
        device: str = "auto",
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.surrogate = surrogate
        self.base = base
        self.output = output
        self.groups = groups
        self.categorical = categorical
        self.hidden = hidden
        self.n_masks = n_masks
        self.held_out = held_out
        self.plan = plan
        self.surrogate_plan = surrogate_plan
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, *, outputs: Any = None, sample_weight: Any = None) -> FastSHAPExplainer:
        """Train the surrogate if none is given, evaluate it at coalitions of the rows, and train the explainer.

        Parameters and errors are those of :meth:`instashap.Explainer.fit`; ``outputs`` are for the training of a surrogate.
        """
        check_at_least(self.n_masks, 2, "n_masks", "coalitions come in pairs")
        self._base = None if self.base is None else check_base(self.base)
        self._prepare_surrogate(X, outputs, sample_weight)
        table, weights = self._prepare_reader(X, sample_weight)
        self._box: BlackBox | None = None
        game = self._bind(X, table.n_rows)
        self._base_value = np.array(game.reference_outputs.mean(axis=0))
        self._output_names = name_outputs(game.output_names, len(self._base_value))
        self._transform = game.output_transform
        if self._base is not None and self._base.model.n_outputs != len(self._base_value):
            raise ValueError(
                f"the value function gives {len(self._base_value)} outputs, the base was fitted on {self._base.model.n_outputs}"
            )
        self._learn(self._draw_sample(X, table, game, weights))
        return self

    def _prepare_surrogate(self, X: Any, outputs: Any, sample_weight: Any) -> None:
        if isinstance(self.surrogate, str):
            if self.surrogate != "auto":
                raise ValueError(f"surrogate={self.surrogate!r} is not known; use 'auto', a MaskedSurrogate or F(X, masks)")
            options = ("output", "groups", "categorical", "base", "hidden", "held_out", "device", "random_state", "verbose")
            chosen = {name: getattr(self, name) for name in options}
            surrogate = MaskedSurrogate(self.model, plan=self.surrogate_plan, **chosen)
            self.surrogate_: Any = surrogate.fit(X, outputs=outputs, sample_weight=sample_weight)
            return
        if outputs is not None:
            raise ValueError("outputs= are for the training of a surrogate, but a surrogate is given: leave them out")
        self.surrogate_ = self.surrogate

    def _prepare_reader(self, X: Any, sample_weight: Any) -> tuple[Table, NDArray[np.float64]]:
        """Take the conversion of rows from the surrogate or learn it; returns the rows of ``fit`` and their weights."""
        if isinstance(self.surrogate_, MaskedSurrogate):
            self._reader = self.surrogate_.reader_
            table = self._reader.read(X)
            weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
        else:
            table, feature_names, players = read_rows(X, self.base, self.groups, self.categorical)
            weights = check_weights(align_rows(sample_weight, get_index(X), "sample_weight"), table.n_rows)
            kept = np.flatnonzero(weights > 0)
            self._reader = learn_reader(table.take(kept), weights[kept], feature_names, players)
        if self._base is not None and self._base.feature_names != self._reader.feature_names:
            raise ValueError(
                f"the base explains the features {self._base.feature_names}, the surrogate {self._reader.feature_names}: "
                "fit both on the same columns and groups"
            )
        return table, weights

    def _bind(self, X: Any, n_rows: int) -> Game:
        """The value function as a game on rows."""
        if isinstance(self.surrogate_, MaskedSurrogate):
            return self.surrogate_.make_game(X)

        def make_box() -> BlackBox:
            if self._box is None:  # in fit; later rows are explained on the scale of the rows of fit
                self._box = HeldModel(self.model, self.output).wrap().prepare(X, n_rows)
            return self._box

        return bind_game(self.surrogate_, make_box, X, n_rows, self._reader.schema, self._reader.players)

    def _draw_sample(self, X: Any, table: Table, game: Game, weights: NDArray[np.float64]) -> KernelSample:
        """Coalitions of every row by the Shapley kernel, and the values of the game minus the base there."""
        kept = np.flatnonzero(weights > 0)
        n_players, n_pairs = len(self.feature_names_), self.n_masks // 2
        law = compute_shapley_size_law(n_players)
        law[-1] = 0.0 if n_players > 1 else 1.0
        generator = torch.Generator().manual_seed(choose_plan(self.plan, 1, self.device, self.random_state).seed)
        drawn = draw_paired_masks(law, len(kept) * n_pairs, generator, torch.device("cpu"))
        masks = drawn.reshape(2, len(kept), n_pairs, n_players).permute(1, 0, 2, 3).reshape(len(kept), -1, n_players)
        rows, asked = np.repeat(kept, masks.shape[1]), masks.reshape(-1, n_players)
        targets = game.evaluate(rows, asked.numpy()) - self._base_value
        totals = game.evaluate_full() - self._base_value
        scale = float(np.sqrt(np.average((totals**2).mean(axis=1), weights=weights))) or 1.0
        if self._base is not None:
            base_table = self._base.read(X)
            base_rows = BaseRows(self._base, base_table)
            numbers = torch.as_tensor(rows)
            targets -= apply_in_blocks(lambda part: base_rows.evaluate(numbers[part], asked[part]), len(rows))
            totals -= self._base.predict(base_table) - self._base.model.base_value
        return KernelSample(
            self._reader.evaluate(table.take(kept)),
            masks,
            torch.as_tensor(targets.reshape(len(kept), masks.shape[1], -1) / scale, dtype=torch.float32),
            torch.as_tensor(totals[kept] / scale, dtype=torch.float32),
            torch.as_tensor(weights[kept], dtype=torch.float32),
            scale,
        )

    def _learn(self, sample: KernelSample) -> None:
        n_rows = len(sample.inputs)
        plan = choose_plan(self.plan, n_rows, self.device, self.random_state, _LEARNING_RATE)
        device = choose_device(plan.device)
        n_players, n_outputs = len(self.feature_names_), len(self._base_value)
        with seed_weights(plan.seed):
            net = ValueNet(sample.inputs.shape[1], n_players, n_outputs, self.hidden).to(device)
        self._net, self._scale, self.kept_share_ = net, sample.scale, 1.0
        self.training_: Training | None = None
        if self._base is not None and float(sample.targets.abs().max()) < _NOTHING:
            self.kept_share_ = 0.0
            return
        rows = sample.to(device)
        trained, held_out = (each.to(device) for each in split_rows(n_rows, self.held_out, plan.seed))

        def compute_loss(numbers: Tensor, _: torch.Generator) -> Tensor:
            return rows.compute_loss(net, trained[numbers.to(device)])

        with show_progress(self.verbose) as progress:
            reported = plan if progress is None else replace(plan, progress=progress)
            self.training_ = train(net, compute_loss, len(trained), lambda: float(rows.compute_loss(net, held_out)), reported)
        if self._base is not None:
            self.kept_share_ = compute_kept_share(*rows.evaluate(net, held_out))
            scale_last(net.layers, self.kept_share_)

    def __call__(self, X: Any) -> Explanation:
        """Explain rows; a row's values and base value sum to ``F(x; all)``, the only value of F that is computed."""
        table, values, described = self._explain(X)
        return Explanation(
            values=squeeze_outputs(values),
            base_values=squeeze_outputs(np.tile(self._base_value, (table.n_rows, 1))),
            data=collect_data(table, self._reader.feature_names, self._reader.players),
            feature_names=self.feature_names_,
            output_names=self.output_names_,
            output_transform=self._transform,
            game=described,
            index=table.index,
        )

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_features) or (n_rows, n_features, n_outputs)."""
        return squeeze_outputs(self._explain(X)[1])

    def _explain(self, X: Any) -> tuple[Table, NDArray[np.float64], str]:
        net = self._get("_net")
        table = self._reader.read(X)
        totals = self._bind(X, table.n_rows).evaluate_full() - self._base_value
        device = next(net.parameters()).device
        inputs = self._reader.evaluate(table)
        values = self._scale * apply_in_blocks(lambda part: net(inputs[part].to(device)), table.n_rows)
        if self._base is not None:
            values += self._base.compute_shapley_values(self._base.read(X))
        shared = share_out(torch.as_tensor(values), torch.as_tensor(totals)).numpy()
        is_conditional = isinstance(self.surrogate_, MaskedSurrogate)
        return table, shared, "conditional, by a surrogate" if is_conditional else describe_game(self.surrogate_)

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

    @property
    def reader_(self) -> RowReader:
        """Conversion of rows to the net's inputs."""
        return self._get("_reader")  # type: ignore[no-any-return]

    def _get(self, name: str) -> Any:
        if not hasattr(self, name):
            raise NotFittedError("this FastSHAPExplainer is not fitted yet; call fit(X) first")
        return getattr(self, name)
