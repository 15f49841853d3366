"""Shapley values of some rows, with the names, scales and errors needed to interpret them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._errors import warn_caller
from .._optional import require
from .explanation_html import render_explanation
from .explanation_keys import find_features, find_named, split_key
from .explanation_text import write_explanation
from .meaning import explain_game

if TYPE_CHECKING:
    import pandas as pd


# So many columns in one combination are named.
_MOST_JOINED = 4
# Where a single output of two classes passes from one to the other, by the first words of its scale.
_CLASS_CUTS = {"log-odds": 0.0, "probability of class": 0.5}


@dataclass(frozen=True, repr=False)
class Explanation:
    """Shapley values of rows; slices like an array, by position, by name or label of a feature, or by name of an output.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features) or (n_rows, n_features, n_outputs), float64
        Shapley values on the scale of ``output_transform``; a row's values and its base value sum to the additive model's
        output.
    base_values : ndarray of shape (n_rows,) or (n_rows, n_outputs), float64
        Value of the game without any feature, the same for every row: the weighted mean output of the fitted rows, or that
        of the background.
    data : ndarray of shape (n_rows, n_features)
        The rows explained; object dtype if columns are not all numbers.
    feature_names, output_names : tuple of str
    output_transform : str
        The explained output and its scale.
    standard_errors : ndarray like ``values``, or None
    model_outputs : ndarray like ``base_values``, or None
        What the explained model itself answers for each row, where it was given or asked.
    remainder : ndarray like ``base_values``, or None
        What the values leave unexplained: base value + values + remainder = the model's own output. None where some of the
        features were cut away.
    total_errors : ndarray like ``values``, or None
        Standard errors that count the bias of the model class too, as an audit estimated it: root of the sum of the squares
        of ``standard_errors`` and of each feature's typical distance from the best reference.
    output_share : ndarray of shape (n_rows,), or None
        Share of the row's output that the explanation reproduces, all outputs together: the length of the row's values over
        that length and the size residuals typically have where the row lies. For a model trained on labels: of the label.
        Values can sum to the output and still be shared out wrongly; see ``attribution_error``.
    output_share_interval : ndarray of shape (n_rows, 2), or None
        Between which ends that share lies in nine rows of ten.
    outside : tuple of tuple of str, or None
        For each row, the columns whose value lies outside the fitted rows: beyond their range, or a level (or missing) that
        none of them has. Mostly empty.
    new_pairs : tuple of tuple of tuple of str, or None
        For each row, columns whose values are each among the fitted ones, but in a combination that no fitted row has ("no
        such row"): two columns, or more whose weighted sum is the same in all fitted rows and another in this one.
    game : str
        Meaning of an absent feature: ``"conditional"`` and others.
    index : object
        Row labels of the table, or None.
    marginal_values, marginal_errors : ndarray like ``values``, or None
        Where they were asked for, the values in the marginal game, which are about what the model does with a column whatever
        it says of the others, and their standard errors.
    level_orders : dict of str to tuple
        For each feature that is an ordered category, its values in their order, as they are in ``data``.
    levels : dict of str to tuple
        For each feature that is a category, the values that the fit knows; long values are shortened to where they differ.

    Examples
    --------
    ``explanation[0]`` is one row, ``explanation[:, "age"]`` one feature, ``explanation[..., "setosa"]`` one output.
    """

    values: NDArray[np.float64]
    base_values: NDArray[np.float64]
    data: NDArray[Any]
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    output_transform: str
    standard_errors: NDArray[np.float64] | None = None
    model_outputs: NDArray[np.float64] | None = None
    remainder: NDArray[np.float64] | None = None
    total_errors: NDArray[np.float64] | None = None
    output_share: NDArray[np.float64] | None = None
    output_share_interval: NDArray[np.float64] | None = None
    outside: tuple[tuple[str, ...], ...] | None = None
    new_pairs: tuple[tuple[tuple[str, ...], ...], ...] | None = None
    game: str = "conditional"
    index: Any = None
    level_orders: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, repr=False)
    marginal_values: NDArray[np.float64] | None = None
    marginal_errors: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``values``."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_outputs(self) -> bool:
        """Whether the last axis of ``values`` is the outputs."""
        return self.values.ndim == 3

    @property
    def predictions(self) -> NDArray[np.float64]:
        """Output of the additive model on each row: base value plus the row's values."""
        return np.asarray(self.base_values + self.values.sum(axis=1))

    @property
    def meaning(self) -> str:
        """What a value means in this game, in one phrase."""
        return explain_game(self.game)

    @property
    def opposite_signs(self) -> NDArray[np.bool_] | None:
        """Where a value and the marginal one have opposite signs; like ``values``, None without marginal values.

        Both must be at least 2 % of the row's largest value, and the marginal one twice its standard error.
        """
        if self.marginal_values is None or self.marginal_errors is None:
            return None
        least = 0.02 * np.abs(self.values).max(axis=1, keepdims=True)
        notable = (np.abs(self.values) >= least) & (np.abs(self.marginal_values) >= np.maximum(least, 2 * self.marginal_errors))
        return np.asarray(notable & (self.values * self.marginal_values < 0))

    @property
    def attribution_error(self) -> NDArray[np.float64] | None:
        """Expected error of a row's values over their own length; shape (n_rows,) or (n_rows, n_outputs), None without errors.

        ``sqrt(sum_i error_i²) / sqrt(sum_i SHAP_i²)``, from ``total_errors`` where there are some, else from
        ``standard_errors``, which leave out the bias of the model class; infinite for a row whose values are all zero.
        """
        errors = self.standard_errors if self.total_errors is None else self.total_errors
        if errors is None:
            return None
        size = np.abs(self.values).max(initial=0.0) or 1.0
        lost, whole = (np.sqrt(np.square(each / size).sum(axis=1)) for each in (errors, self.values))
        return np.asarray(np.divide(lost, whole, out=np.where(lost > 0, np.inf, 0.0), where=whole > 0))

    @property
    def trust(self) -> NDArray[np.float64] | None:
        """The former name of ``output_share``, which goes with the next version."""
        warn_caller("Explanation.trust is now Explanation.output_share, and goes with the next version", FutureWarning)
        return self.output_share

    @property
    def trust_interval(self) -> NDArray[np.float64] | None:
        """The former name of ``output_share_interval``, which goes with the next version."""
        warn_caller(
            "Explanation.trust_interval is now Explanation.output_share_interval, and goes with the next version", FutureWarning
        )
        return self.output_share_interval

    def __getitem__(self, key: Any) -> Explanation:
        """The explanation of some rows, features and outputs; single rows and features keep their axis, a single output not.

        If the table's columns have numbers as labels, a number is a feature's label, as in pandas; slices are positions.
        Raises ``KeyError`` for an unknown name or label, or a number that can be read as either, and ``IndexError`` for too
        many axes or a name where rows are meant.
        """
        rows, features, outputs = split_key(key, self.values.ndim)
        kept_features = np.atleast_1d(np.arange(len(self.feature_names))[find_features(features, self.feature_names)])
        kept_rows = np.atleast_1d(np.arange(len(self))[rows])
        names = tuple(self.feature_names[position] for position in kept_features)
        # Some of the features do not add up to the model's output, with whatever remainder.
        is_whole = sorted(kept_features) == list(range(len(self.feature_names)))
        cut = replace(
            self,
            values=self.values[kept_rows][:, kept_features],
            base_values=self.base_values[kept_rows],
            data=self.data[kept_rows][:, kept_features],
            feature_names=names,
            standard_errors=None if self.standard_errors is None else self.standard_errors[kept_rows][:, kept_features],
            model_outputs=None if self.model_outputs is None else self.model_outputs[kept_rows],
            remainder=None if self.remainder is None or not is_whole else self.remainder[kept_rows],
            total_errors=None if self.total_errors is None else self.total_errors[kept_rows][:, kept_features],
            marginal_values=None if self.marginal_values is None else self.marginal_values[kept_rows][:, kept_features],
            marginal_errors=None if self.marginal_errors is None else self.marginal_errors[kept_rows][:, kept_features],
            output_share=None if self.output_share is None else self.output_share[kept_rows],
            output_share_interval=None if self.output_share_interval is None else self.output_share_interval[kept_rows],
            outside=None if self.outside is None else tuple(self.outside[row] for row in kept_rows),
            new_pairs=None if self.new_pairs is None else tuple(self.new_pairs[row] for row in kept_rows),
            index=None if self.index is None else self.index[kept_rows],
        )
        return cut if isinstance(outputs, slice) and outputs == slice(None) else cut._take_outputs(outputs)

    def _take_outputs(self, outputs: Any) -> Explanation:
        chosen = np.arange(len(self.output_names))[find_named(outputs, self.output_names, "output")]
        names = tuple(self.output_names[position] for position in np.atleast_1d(chosen))
        return replace(
            self,
            values=self.values[:, :, chosen],
            base_values=self.base_values[:, chosen],
            output_names=names,
            standard_errors=None if self.standard_errors is None else self.standard_errors[:, :, chosen],
            total_errors=None if self.total_errors is None else self.total_errors[:, :, chosen],
            marginal_values=None if self.marginal_values is None else self.marginal_values[:, :, chosen],
            marginal_errors=None if self.marginal_errors is None else self.marginal_errors[:, :, chosen],
            model_outputs=None if self.model_outputs is None else self.model_outputs[:, chosen],
            remainder=None if self.remainder is None else self.remainder[:, chosen],
        )

    def add_outputs(self, model_outputs: NDArray[np.float64]) -> Explanation:
        """The same explanation with the model's own outputs of its rows, and the remainder that its values leave.

        Parameters
        ----------
        model_outputs : ndarray like ``base_values``, float64
            On the scale of ``output_transform``. An explanation of some features only would give a wrong remainder.
        """
        return replace(self, model_outputs=model_outputs, remainder=model_outputs - self.predictions)

    def to_shap(self, interactions: bool = False) -> Any:
        """The same values as a ``shap.Explanation``, for shap's own plots.

        Raises ``NotImplementedError`` for ``interactions=True``: shap's plots take matrices of pairs, which an explanation
        of single features does not hold; use ``Explainer.interaction_values``.
        """
        if interactions:
            raise NotImplementedError("an explanation holds values of single features; see Explainer.interaction_values")
        shap = require("shap", "shap", "shap's plots")
        return shap.Explanation(
            values=self.values.copy(),
            base_values=self.base_values.copy(),
            data=self.data.copy(),
            feature_names=list(self.feature_names),
            output_names=list(self.output_names) if self.has_outputs else None,
        )

    def to_frame(self, *, totals: bool = False, data: bool = False) -> pd.DataFrame:
        """Values as a DataFrame: one column for each feature, or (output, feature) columns for several outputs.

        Parameters
        ----------
        totals : bool
            Also give ``(base value)`` before the features, ``(prediction)`` of the additive model after them, and
            ``(remainder)`` and ``(model output)`` where the model's outputs are known. Base value, values and remainder of
            a row sum to the model's output.
        data : bool
            Also give the features' own values, last: ``(value of age)`` for the feature ``age``; with several outputs
            ``("(values)", "age")``.
        """
        import pandas as pd

        names, values = list(self.feature_names), self.values if self.has_outputs else self.values[..., None]
        if totals:
            known = {"(prediction)": self.predictions, "(remainder)": self.remainder, "(model output)": self.model_outputs}
            after = {name: column for name, column in known.items() if column is not None}
            columns = [np.reshape(each, (len(self), 1, -1)) for each in (self.base_values, *after.values())]
            values = np.concatenate([columns[0], values, *columns[1:]], axis=1)
            names = ["(base value)", *names, *after]
        if self.has_outputs:
            outputs = pd.MultiIndex.from_product([self.output_names, names], names=["output", "feature"])
            frame = pd.DataFrame(values.transpose(0, 2, 1).reshape(len(self), -1), columns=outputs, index=self.index)
        else:
            frame = pd.DataFrame(values[..., 0], columns=names, index=self.index)
        return pd.concat([frame, self._frame_data()], axis=1) if data else frame

    def _frame_data(self) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame(self.data, index=self.index).infer_objects()
        if self.has_outputs:
            frame.columns = pd.MultiIndex.from_product([["(values)"], self.feature_names], names=["output", "feature"])
        else:
            frame.columns = pd.Index([f"(value of {name})" for name in self.feature_names])
        return frame

    def to_text(self, *, max_features: int = 8, max_rows: int = 10) -> str:
        """The rows in plain sentences, for people and for language models; the same values give the same sentences.

        Parameters
        ----------
        max_features : int
            Features of each row that have a phrase of their own, the largest values first; the others are summed.
        max_rows : int
            Rows that are written.

        Returns
        -------
        str
            One line on what is explained and what the values mean, then one for each row: base value, features, what is
            uncertain (intervals that hold zero), the model's own output where it is known, and whether the row is unlike the
            rows of the fit. With several outputs, the same for each.
        """
        return write_explanation(self, max_features, max_rows)

    @property
    def classes_differ(self) -> NDArray[np.bool_] | None:
        """Whether the additive model puts each row in another class than the model; shape (n_rows,).

        None if the model's outputs are not known or are not those of a classifier, or if classes were cut away.
        """
        if self.model_outputs is None or self.remainder is None:
            return None
        if self.has_outputs:
            is_class = "log-odds" in self.output_transform or "probabilit" in self.output_transform
            return self.predictions.argmax(axis=1) != self.model_outputs.argmax(axis=1) if is_class else None
        cuts = [cut for scale, cut in _CLASS_CUTS.items() if self.output_transform.startswith(scale)]
        return None if not cuts else np.asarray((self.predictions > cuts[0]) != (self.model_outputs > cuts[0]))

    def describe_classes(self) -> str:
        """Number of rows that the additive model puts in another class than the model, as a phrase; empty if there are none."""
        found = self.classes_differ
        n_rows = 0 if found is None else int(found.sum())
        return f"{n_rows:,} row{'s' * (n_rows != 1)} in another class than the model's" if n_rows else ""

    def __repr__(self) -> str:
        axes = "rows, features, outputs" if self.has_outputs else "rows, features"
        note = "; ".join(filter(None, (self.describe_rows_outside(), self.describe_classes())))
        return (
            f"Explanation of {' × '.join(map(str, self.shape))} ({axes}); {self.game} game; {self.output_transform}"
            f"{f'; {note}' if note else ''}"
        )

    def describe_rows_outside(self) -> str:
        """Number of rows that are not like the fitted ones, as a phrase; empty if there are none."""
        n_outside = sum(map(bool, self.outside or ()))
        n_new = sum(bool(pairs) and not names for pairs, names in zip(self.new_pairs or (), self.outside or (), strict=True))
        parts = [f"{n_outside:,} row{'s' * (n_outside != 1)} outside the data"] * bool(n_outside)
        parts += [f"{n_new:,} like no fitted row"] * bool(n_new)
        return ", ".join(parts)

    def describe_place(self, row: int) -> str:
        """How a row differs from the fitted ones, as a phrase; empty for an ordinary row."""
        names = self.outside[row] if self.outside else ()
        pairs = self.new_pairs[row] if self.new_pairs else ()
        phrases = [f"outside the data: {', '.join(names)}"] * bool(names)
        if pairs:
            phrases.append(f"no such row: {', '.join(map(_join_names, pairs[:3]))}")
        return "; ".join(phrases)

    def _repr_html_(self) -> str:
        """A small HTML table for notebooks: the first rows, features by mean absolute value, a choice of outputs."""
        return render_explanation(self)


def _join_names(names: tuple[str, ...]) -> str:
    """Names of columns in one combination; of many, the first ones."""
    rest = len(names) - _MOST_JOINED
    return " with ".join(names) if rest <= 0 else f"{' with '.join(names[:_MOST_JOINED])} and {rest} more"


def squeeze_outputs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values without their last axis, that of outputs, if there is a single output."""
    return values[..., 0] if values.shape[-1] == 1 else values
