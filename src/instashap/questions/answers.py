"""Answers about a fitted game that are computed on first use and then kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..fitted.game import FittedGame
from ..inference.residuals import ResidualReference
from ..model.deviations import Deviations
from ..model.lookup import Lookup, LookupTerm, make_lookup
from ..model.replicates import ModelReplicates
from ..table.encoding import Encoded
from ..table.reach import Reach, learn_reach

_NO_ERRORS = "this explainer holds no standard errors (save(path, errors=True) after the fit stores them); computing them needs"


def get_errors(fitted: FittedGame) -> Deviations | ModelReplicates:
    """Tables of standard errors, computed on first use or read from the file.

    Those of a fit by likelihood, or after an edit, come from refits without each group of rows.

    Raises
    ------
    NotFittedError
        If there are none and the rows of the fit are gone: in a loaded or unpickled game.
    """
    if fitted.answers.errors is None and fitted.rows is not None and fitted.rows.replicate is not None:
        fitted.answers.errors = fitted.rows.replicate()
    if fitted.answers.errors is None:
        from ..inference.uncertainty import compute_deviations

        # Players of the fit are the features that vary; the model of ``fitted`` has all features.
        unit, found = fitted.output_unit, compute_deviations(fitted.get_record(_NO_ERRORS))
        fitted.answers.errors = replace(found, model=fitted.model.scale(1.0 / unit), unit=unit)
    return fitted.answers.errors


def get_biases(fitted: FittedGame) -> NDArray[np.float64] | None:
    """Typical error of each feature's value that other rows would not have changed, shape (n_features, n_outputs).

    As the last audit of the fit's own rows estimated it; None if there was none, or it compared the values with nothing.
    """
    known = fitted.answers.audit
    if known is None:
        return None
    if isinstance(known, Mapping):  # as a file holds it
        found = (known["rungs"][-1].get("attribution") or {}).get("biases")
    else:
        found = known.rungs[-1].attribution and known.rungs[-1].attribution.biases
    if not found:
        return None
    biases = np.zeros((len(fitted.feature_names), fitted.model.n_outputs))
    if len(found) == len(biases):
        return np.array(found, dtype=np.float64)
    is_varying = fitted.model.is_player if fitted.model.is_player.any() else np.arange(len(biases)) == 0
    biases[is_varying] = np.asarray(found) * fitted.output_unit
    return biases


def get_residuals(fitted: FittedGame) -> ResidualReference:
    """Usual residuals of the model from this game, computed on first use or read from the file.

    Raises
    ------
    NotFittedError
        If there are none and the rows of the fit are gone: in a loaded or unpickled game.
    """
    if fitted.answers.residuals is None:
        from ..inference.holdout import describe_residuals

        fitted.answers.residuals = describe_residuals(fitted.get_record("check() needs")).scale(fitted.output_unit)
    return fitted.answers.residuals


def get_scales(fitted: FittedGame) -> Lookup:
    """Look-up of the effect of where a row lies on the log size of its residual; one slot, made on first use.

    Raises
    ------
    NotFittedError
        See :func:`get_residuals`.
    """
    if fitted.answers.scales is None:
        first, one = [np.zeros(1, dtype=np.int64)], [np.ones(1)]
        curves = enumerate(get_residuals(fitted).curves)
        terms = [LookupTerm((column,), each[:, :1], first, one) for column, each in curves]
        fitted.answers.scales = make_lookup(fitted.model.bases, terms, 1, 1)
    return fitted.answers.scales


def get_reach(fitted: FittedGame) -> Reach | None:
    """Region of the fitted rows, computed on first use or read from the file; None if neither is possible."""
    if fitted.answers.reach is None and (fitted.rows or fitted.record):
        fitted.answers.reach = learn_reach(fitted.encoder, fitted.get_rows().encoded)
    return fitted.answers.reach


def compute_shape_errors(fitted: FittedGame, values: tuple[int, ...], encoded: Encoded) -> NDArray[np.float64]:
    """Standard errors of a shape function at places of its columns, shape (n_places, n_outputs).

    Parameters
    ----------
    values : tuple of int
        The term, one of ``fitted.model.value_sets``.
    encoded : Encoded
        Cells and offsets of the term's columns, in their order: shapes (n_places, len(values)).
    """
    shape = len(encoded.cells), len(fitted.players)
    full = Encoded(np.zeros(shape, dtype=np.int32), np.zeros(shape))
    full.cells[:, values], full.offsets[:, values] = encoded
    return get_errors(fitted).make_shape_lookup(values).apply(full)[:, 0]
