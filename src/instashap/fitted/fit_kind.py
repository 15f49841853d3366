"""Kinds of fits, which decide what can be computed of a fitted game beside its values."""

from collections.abc import Mapping
from enum import Enum
from typing import Any


class FitKind(Enum):
    """How the terms of a game came about."""

    EQUATIONS = "normal equations of the masked squared error"
    LIKELIHOOD = "penalised likelihood of labels"
    EDITED = "shape functions changed after the fit"
    REPRODUCED = "the outputs of an additive model, reproduced exactly"
    OTHER_GAME = "values of another game than the conditional one"

    @property
    def is_exact(self) -> bool:
        """Whether the explained model is itself additive, so that its output is the game's at the full coalition."""
        return self in (FitKind.LIKELIHOOD, FitKind.EDITED, FitKind.REPRODUCED)

    def explain_missing(self, game: str) -> str:
        """Why a fit of this kind has no standard errors, ranking of terms or check(); empty if it has them."""
        return _MISSING.get(self, "").format(game=game)


_NO_EQUATIONS = (
    "standard errors and the ranking of terms of a fit by likelihood, or after an edit, need the rows and labels of the fit, "
    "which stay in the process that fitted (and those of an edited fit of the squared error are not known): call fit again"
)
_MISSING = {
    FitKind.LIKELIHOOD: _NO_EQUATIONS,
    FitKind.EDITED: _NO_EQUATIONS,
    FitKind.REPRODUCED: (
        "standard errors, check() and the ranking of terms describe a fit to a model's outputs; this explainer reproduces an "
        "additive model's outputs exactly"
    ),
    FitKind.OTHER_GAME: (
        "standard errors, the ranking of terms and check() are available for the conditional game only, not for {game}; "
        "refine(X) gives values of that game with standard errors"
    ),
}


def read_kind(facts: Mapping[str, Any], game: str) -> FitKind:
    """The kind of a fit by the facts and the game of its file."""
    if not facts.get("has_equations", True):
        return FitKind.LIKELIHOOD if "loss" in facts else FitKind.EDITED
    if "remainder_share" in facts:
        return FitKind.REPRODUCED
    return FitKind.EQUATIONS if game == "conditional" else FitKind.OTHER_GAME


def write_kind(facts: Mapping[str, Any], kind: FitKind) -> dict[str, Any]:
    """Facts for a file, with what :func:`read_kind` knows the kind by."""
    return {**facts, "has_equations": False} if kind in (FitKind.LIKELIHOOD, FitKind.EDITED) else dict(facts)
