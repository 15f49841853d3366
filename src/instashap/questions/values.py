"""Plain arrays of a fitted game on rows: Shapley values, effects of terms, Möbius values, predictions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import get_index, order_masks
from .._registries import INDICES
from .._row_arrays import check_masks
from .._validation import find_column
from ..fitted.explanation import squeeze_outputs
from ..fitted.game import FittedGame
from .answers import get_errors


def compute_shap_values(fitted: FittedGame, X: Any, n_jobs: int | None = None) -> NDArray[np.float64]:
    """See :meth:`instashap.Explainer.shap_values`."""
    return squeeze_outputs(fitted.compute_shapley_values(fitted.read(X), n_jobs))


def compute_index_values(
    fitted: FittedGame, X: Any, index: Any, structure: Any = None, n_jobs: int | None = None
) -> NDArray[np.float64]:
    """See :meth:`instashap.Explainer.index_values`."""
    credits = fitted.model.make_credits(_make_index(index, structure, fitted.feature_names))
    return squeeze_outputs(fitted.look_up(credits, fitted.read(X), n_jobs))


def _make_index(index: Any, structure: Any, names: tuple[str, ...]) -> Any:
    """An index by name or a user's own; with the groups of features that some are defined by."""
    found = INDICES.find(index) if isinstance(index, str) else None
    if found is None or "structure" not in getattr(found, "__dataclass_fields__", {}):
        if structure is not None:
            raise ValueError(f"index={index!r} has no structure of features; 'asymmetric' and 'owen' do")
        return INDICES.make(index, "split")
    if structure is None or isinstance(structure, str) or not len(structure):
        raise ValueError(f"index={index!r} needs structure=[[names of a group], [names of the next], ...], got {structure!r}")
    groups = [[each] if isinstance(each, (str, int)) else list(each) for each in structure]
    places = tuple(tuple(find_column(each, names, "structure") for each in group) for group in groups)
    flat = [place for group in places for place in group]
    twice = sorted({names[place] for place in flat if flat.count(place) > 1})
    if twice or not all(places):
        what = f"names {', '.join(map(repr, twice))} more than once" if twice else "has an empty group"
        raise ValueError(f"structure {what}: each feature may be in one group only, and each group has a feature")
    return found(places)


def compute_interaction_values(fitted: FittedGame, X: Any, errors: bool = False, n_jobs: int | None = None) -> Any:
    """See :meth:`instashap.Explainer.interaction_values`."""
    table = fitted.read(X)
    values = squeeze_outputs(fitted.compute_effects(table, n_jobs))
    if not errors:
        return values
    spread = fitted.look_up(get_errors(fitted).effects, table, n_jobs)
    return values, squeeze_outputs(spread[:, : len(fitted.model.value_sets)])


def compute_mobius_values(
    fitted: FittedGame, X: Any, players: Iterable[Any], errors: bool = False, n_jobs: int | None = None
) -> Any:
    """See :meth:`instashap.Explainer.mobius_values`."""
    chosen = tuple(sorted(find_column(player, fitted.feature_names, "players") for player in players))
    if len(set(chosen)) < len(chosen):
        names = [fitted.feature_names[player] for player in chosen]
        raise ValueError(f"players names a feature twice: {names}; a Möbius value belongs to a set of different features")
    table = fitted.read(X)
    model = fitted.model

    def repeat(base: NDArray[np.float64]) -> NDArray[np.float64]:
        return squeeze_outputs(np.tile(base, (table.n_rows, 1)))

    def look_up(lookup: Any) -> NDArray[np.float64]:
        return squeeze_outputs(fitted.look_up(lookup, table, n_jobs)[:, 0])

    values = look_up(model.make_mobius_lookup(chosen)) if chosen else repeat(model.base_value)
    if not errors:
        return values
    deviations = get_errors(fitted)
    return values, look_up(deviations.make_mobius_lookup(chosen)) if chosen else repeat(deviations.base_errors)


def predict_outputs(
    fitted: FittedGame, X: Any, masks: Any = None, errors: bool = False, n_jobs: int | None = None
) -> Any:
    """See :meth:`instashap.Explainer.predict`."""
    if masks is not None:
        return _predict_masked(fitted, X, masks, errors)
    table = fitted.read(X)
    values = squeeze_outputs(fitted.predict(table, n_jobs))
    if not errors:
        return values
    return values, squeeze_outputs(fitted.look_up(get_errors(fitted).prediction, table, n_jobs)[:, 0])


def _predict_masked(fitted: FittedGame, X: Any, masks: Any, errors: bool) -> Any:
    """Outputs where some features are unknown."""
    if errors:
        raise ValueError("standard errors of predictions are there for all features known: pass masks or errors, not both")
    table, masks = fitted.read(X), order_masks(masks, fitted.feature_names, get_index(X))
    return squeeze_outputs(fitted.predict_masked(table, check_masks(masks, table.n_rows, len(fitted.feature_names))))
