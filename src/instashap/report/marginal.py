"""What the model does with the columns of the rows shown, beside what knowing them changes."""

from __future__ import annotations

import warnings
from typing import Any

from .._errors import InstashapWarning
from ..explain.explainer import Explainer

# Share of the rows in which a feature's marginal value has the opposite sign from which on it is named.
_MOSTLY = 0.3


def ask_marginal(explainer: Explainer, X: Any, marginal: Any) -> tuple[list[list[list[float]]], list[list[str]]]:
    """Marginal values of some rows by row, player and output; and by output the features mostly of the opposite sign."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InstashapWarning)
        found = explainer(X, marginal=marginal)
    assert found.marginal_values is not None
    assert found.opposite_signs is not None
    shape = (*found.marginal_values.shape[:2], -1)
    values, opposite = found.marginal_values.reshape(shape), found.opposite_signs.reshape(shape)
    is_mostly = opposite.mean(axis=0) > _MOSTLY  # (n_players, n_outputs)
    names = [[name for name, each in zip(found.feature_names, own, strict=True) if each] for own in is_mostly.T]
    return values.tolist(), names
