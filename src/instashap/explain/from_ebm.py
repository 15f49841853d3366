"""Explainers of explainable boosting machines (EBMs) of the interpret package: the same scores, with Shapley values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import name_outputs
from .._validation import check_choice, name_columns
from ..blackbox.classes import name_classes
from ..fits.conditional import describe_fit
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame
from ..game.coalitions import compute_shapley_size_law
from ..inference.remainder import fit_keeping
from ..model.additive_model import AdditiveModel
from ..model.orthogonal import make_plain_model
from ..questions.purify import purify_game
from ..table.bases import ColumnEncoder, LearntColumn
from ..table.bins import N_SIZES, bin_column, cut_numbers, fit_curves, name_categories
from ..table.columns import Schema, Table, read_table
from ..table.encoding import Encoded, TableEncoder, learn_table
from .explainer import Explainer

_FULL_WEIGHT = 1.0


def from_ebm(ebm: Any, X: Any, *, value_function: str = "conditional") -> Explainer:
    """An explainer that reproduces the raw scores of an EBM of the interpret package, and gives their Shapley values.

    Parameters
    ----------
    ebm : ExplainableBoostingRegressor or ExplainableBoostingClassifier
        Fitted, with terms of at most three columns.
    X : table of shape (n_rows, n_columns)
        Rows whose distribution defines the Shapley values, usually the training rows.
    value_function : {"conditional", "marginal"}
        Distribution of an absent feature: given the present ones, or that of the rows of X whatever the present ones are. The
        marginal game of an EBM is exact. The conditional game is an estimate, except at the full coalition: the part of the
        scores that the fit does not reproduce is added to the terms with the same columns. ``fit_facts_["remainder_share"]``
        is its share of the variance of the scores, for each output; ``repr`` of the explainer shows the largest.

    Returns
    -------
    Explainer
        It predicts the EBM's raw scores (log-odds, or the scores before the link), not centred, to 1e-10 on any row.

    Raises
    ------
    TypeError
        For a model that is not a fitted EBM.
    ValueError
        For an EBM with terms of more than three columns, or bad values in the table.

    Examples
    --------
    >>> from interpret.glassbox import ExplainableBoostingRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ebm = ExplainableBoostingRegressor(interactions=2, outer_bags=2, n_jobs=1).fit(X, y)
    >>> explainer = from_ebm(ebm, X)
    >>> bool(np.allclose(explainer.predict(X), ebm.predict(X)))
    True
    """
    check_choice(value_function, ("conditional", "marginal"), "value_function")
    _check_ebm(ebm)
    table = read_table(X, _make_schema(ebm, X))
    translated = _translate(ebm, table)
    order = max(map(len, translated.model.value_sets), default=1)
    explainer = Explainer(_Scores(ebm), order=order)
    fit = _fit_conditional if value_function == "conditional" else _fit_marginal
    explainer._fitted = fit(translated, table, _name_scores(ebm), _name_classes(ebm, translated.model.n_outputs))
    return explainer


@dataclass(frozen=True)
class _Translated:
    """An EBM as an additive model of this package; presence terms are not fitted yet."""

    encoder: TableEncoder
    model: AdditiveModel

    @property
    def players(self) -> tuple[int, ...]:
        return tuple(range(len(self.encoder.columns)))

    def learn_columns(self, table: Table, encoded: Encoded) -> tuple[LearntColumn, ...]:
        """The EBM's columns of bins, with the curves that an ordinary fit to these rows would use."""
        ordinary, columns = learn_table(table, np.ones(table.n_rows))
        places = ordinary.encode(table)
        return tuple(
            fit_curves(encoder, encoded.cells[:, position], column, places, position)
            for position, (encoder, column) in enumerate(zip(self.encoder.columns, columns, strict=True))
        )


@dataclass(frozen=True)
class _Scores:
    """Raw scores of an EBM as a function of rows, for :meth:`Explainer.refine`."""

    ebm: Any

    def __call__(self, X: Any) -> NDArray[np.float64]:
        return np.asarray(self.ebm.eval_terms(X).sum(axis=1) + self.ebm.intercept_)


def _check_ebm(ebm: Any) -> None:
    needed = ("term_scores_", "term_features_", "bins_", "intercept_", "feature_types_in_", "eval_terms")
    if any(not hasattr(ebm, name) for name in needed):
        raise TypeError(f"from_ebm takes a fitted ExplainableBoosting model of the interpret package, got {ebm!r:.80}")
    largest = max(map(len, ebm.term_features_), default=1)
    if largest > N_SIZES:
        raise ValueError(f"the EBM has a term of {largest} columns; terms of at most {N_SIZES} can be explained")


def _make_schema(ebm: Any, X: Any) -> Schema:
    """Names and kinds of the EBM's columns; matched by name if the table has the EBM's names, else by position."""
    labelled = {name: name for name in name_columns(getattr(X, "columns", ()))}
    names = tuple(labelled.get(name, name) for name in map(str, ebm.feature_names_in_))
    return Schema(names, tuple(kind != "continuous" for kind in ebm.feature_types_in_), labelled.keys() >= set(names))


def _translate(ebm: Any, table: Table) -> _Translated:
    numbers = iter(np.asarray(table.numbers, dtype=np.float64).T)
    columns, owners = [], []
    for name, kind, found in zip(table.schema.names, ebm.feature_types_in_, ebm.bins_, strict=True):
        is_category = kind != "continuous"
        levels = found or [{} if is_category else np.empty(0)]  # a column that the EBM does not use has none
        if is_category:
            encoder, bins = _read_categories(name, levels, is_ordered=kind == "ordinal")
        else:
            values = next(numbers)
            ends = (np.nanmin(values), np.nanmax(values)) if not np.isnan(values).all() else (0.0, 0.0)
            encoder, bins = cut_numbers(name, [np.asarray(each, dtype=np.float64) for each in _fill(levels)], *ends)
            bins += 1  # the EBM's bin 0 holds missing values
        column, own = bin_column(encoder, bins)
        columns.append(column)
        owners.append(own)
    binned = TableEncoder(table.schema, tuple(columns))
    return _Translated(binned, _make_model(ebm, binned, owners))


def _fill(levels: Sequence[Any]) -> list[Any]:
    """Cuts or categories for terms of one, two and three columns; the EBM's last entry applies to all larger terms."""
    return [levels[min(size, len(levels) - 1)] for size in range(N_SIZES)]


def _read_categories(
    name: str, levels: Sequence[Any], *, is_ordered: bool
) -> tuple[ColumnEncoder, NDArray[np.int64]]:
    """Encoder of a category column, and bins of its levels: one level for each value that the EBM reads as a category.

    Unseen values are in the EBM's last bin, missing ones in its first.
    """
    dictionaries = _fill(levels)
    # The texts come first: functions are numbered, and drawn, in their order.
    values = [(key, key) for key in dictionaries[0]]
    values += [(alias, key) for key in dictionaries[0] for alias in _find_aliases(key)]
    known = [[categories.get(key, -1) for categories in dictionaries] for _, key in values]
    bins = np.array([*known, [-1] * N_SIZES, [0] * N_SIZES], dtype=np.int64)
    encoder = name_categories(name, tuple(value for value, _ in values))
    return replace(encoder, order=tuple(dictionaries[0]) if is_ordered else ()), bins


def _find_aliases(key: str) -> list[Any]:
    """Other values that the EBM converts to this text: a number that is written so, and a boolean for 1 or 0."""
    found: list[Any] = []
    try:
        number = float(key)
    except ValueError:
        return found
    if str(number).removesuffix(".0") == key:
        found.append(number)
    if key in ("0", "1"):
        found.append(key == "1")
    return found


def _make_model(ebm: Any, encoder: TableEncoder, owners: list[list[NDArray[np.int64]]]) -> AdditiveModel:
    intercept = np.atleast_1d(np.asarray(ebm.intercept_, dtype=np.float64)).copy()
    tables: dict[tuple[int, ...], NDArray[np.float64]] = {}
    for features, scores in zip(ebm.term_features_, ebm.term_scores_, strict=True):
        size = len(features)
        order = np.argsort(features)
        values = tuple(int(features[axis]) for axis in order)
        scores = np.asarray(scores, dtype=np.float64).reshape(*scores.shape[:size], -1)
        tables[values] = np.transpose(scores, (*order, size))[np.ix_(*(owners[column][size - 1] for column in values))]
    return make_plain_model(encoder.bases, tables, intercept, range(len(encoder.columns)), len(encoder.columns))


def _name_scores(ebm: Any) -> str:
    link = getattr(ebm, "link_", "identity")
    return "raw score of an EBM" + ("" if link == "identity" else f" (before its {link} link)")


def _name_classes(ebm: Any, n_outputs: int) -> tuple[str, ...]:
    return name_outputs(name_classes(getattr(ebm, "classes_", ())), n_outputs)


def _fit_conditional(translated: _Translated, table: Table, transform: str, names: tuple[str, ...]) -> FittedGame:
    size_law = compute_shapley_size_law(len(translated.players), _FULL_WEIGHT)
    weights = np.ones(table.n_rows)
    encoded = translated.encoder.encode(table)
    columns = translated.learn_columns(table, encoded)
    kept = fit_keeping(translated.model, columns, translated.players, encoded, weights, size_law)
    facts = describe_fit(kept.result, table.n_rows, float(table.n_rows), _FULL_WEIGHT)
    facts["chosen"] = {**facts["chosen"], "fidelity": 1.0}
    facts["remainder_share"] = kept.remainder_shares.tolist()
    fitted = _collect(translated, kept.model, names, transform, "conditional", facts)
    return replace(fitted, kind=FitKind.REPRODUCED)


def _fit_marginal(translated: _Translated, table: Table, transform: str, names: tuple[str, ...]) -> FittedGame:
    order = max(map(len, translated.model.value_sets), default=1)
    chosen = {"order": order, "presence_order": order, "fidelity": 1.0}
    facts = {"n_rows": table.n_rows, "total_weight": float(table.n_rows), "chosen": chosen, "tried": []}
    plain = _collect(translated, translated.model, names, transform, "plain", facts)
    return purify_game(plain, table, "marginal")


def _collect(
    translated: _Translated, model: AdditiveModel, names: tuple[str, ...], transform: str, game: str, facts: dict[str, Any]
) -> FittedGame:
    encoder = translated.encoder
    return FittedGame(encoder, model, encoder.schema.names, translated.players, names, transform, game, facts)
