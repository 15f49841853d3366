"""Attributes of a fit under scikit-learn's naming convention: they end in ``_``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import NotFittedError
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame
from ..game.terms import spell_out


class FittedAttributes:
    """Read-only attributes of a fitted game; :class:`instashap.Explainer` lists them."""

    _fitted: FittedGame | None = None

    def _check_fitted(self) -> FittedGame:
        if self._fitted is None:
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit(X) first")
        return self._fitted

    @property
    def expected_value(self) -> Any:
        """Base value: a float, or an ndarray of shape (n_outputs,)."""
        base = self._check_fitted().model.base_value
        return float(base[0]) if len(base) == 1 else base.copy()

    @property
    def terms_(self) -> list[tuple[int, ...]]:
        return list(self._check_fitted().model.value_sets)

    @property
    def term_names_(self) -> list[str]:
        return list(self._check_fitted().term_names)

    @property
    def presence_terms_(self) -> list[tuple[int, ...]]:
        model = self._check_fitted().model
        tied = {each for sets in model.presence_sets for each in sets}
        found = {players for each in tied for players in spell_out(each, model.n_players)}
        found = {players for players in found if not set(players) & set(model.null_players)}
        return sorted(found, key=lambda each: (len(each), each))

    @property
    def feature_names_(self) -> tuple[str, ...]:
        return self._check_fitted().feature_names

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        return np.array(self._check_fitted().schema.names, dtype=object)

    @property
    def output_names_(self) -> tuple[str, ...]:
        return self._check_fitted().output_names

    @property
    def output_transform_(self) -> str:
        return self._check_fitted().output_transform

    @property
    def n_features_in_(self) -> int:
        return len(self._check_fitted().schema.names)

    @property
    def fit_facts_(self) -> dict[str, Any]:
        """Details of the fit: the chosen order, presence order and penalties, cross-validated fidelity, candidates tried."""
        return self._check_fitted().facts


def name_fidelity(chosen: Mapping[str, Any]) -> str:
    """What the fidelity of a fit was measured on; held-out rows, but where the few different rows are in every fold."""
    return f"{'held-out R²' if chosen.get('is_held_out', True) else 'R² on the fitted rows, none held out,'} to the model"


def summarise_game(fitted: FittedGame) -> str:
    """One line on a fitted game: its terms, how well they predict the model, and which game it is."""
    chosen = fitted.facts["chosen"]
    fidelity = "" if chosen["fidelity"] is None else f", {name_fidelity(chosen)} {chosen['fidelity']:.3f}"
    if fitted.kind is FitKind.REPRODUCED:
        remainder = max(fitted.facts["remainder_share"])
        fidelity = f", outputs reproduced exactly (the masked fit alone leaves {remainder:.2%} of their variance)"
    total, n_rows = fitted.facts.get("total_weight", 0.0), fitted.facts.get("n_rows", 0)
    weighted = "" if abs(total - n_rows) <= 1e-6 * n_rows else f"; weights worth {total:,.0f} of {n_rows:,} rows"
    return (
        f"{len(fitted.feature_names)} features: {len(fitted.model.value_sets)} terms of order "
        f"{chosen['order']}, presence order {chosen['presence_order']}{fidelity}; {fitted.output_transform}"
        f"{'' if fitted.game == 'conditional' else f'; {fitted.game}'}{weighted}"
    )
