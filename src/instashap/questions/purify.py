"""Terms of a fitted game under another decomposition of the same predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._alignment import align_rows, get_index
from .._errors import DataWarning, warn_caller
from .._row_arrays import check_weights
from .._validation import check_choice
from ..fitted.fit_kind import FitKind
from ..fitted.game import FittedGame
from ..model.orthogonal import KINDS, purify_model
from ..table.columns import Table


def purify_rows(fitted: FittedGame, X: Any, kind: str, sample_weight: Any = None) -> FittedGame:
    """The game in another decomposition over rows of a user's table; see :meth:`instashap.Explainer.purify`."""
    return purify_game(fitted, fitted.read(X), kind, align_rows(sample_weight, get_index(X), "sample_weight"))


def purify_game(fitted: FittedGame, table: Table, kind: str, sample_weight: Any = None) -> FittedGame:
    """The game in another decomposition; ``"conditional"`` returns a conditional game unchanged.

    Parameters
    ----------
    fitted : FittedGame
    table : Table
        Rows over whose distribution expectations are taken.
    kind : {"conditional", "stone-hooker", "product", "marginal"}
    sample_weight : array of shape (n_rows,), optional
    """
    check_choice(kind, ("conditional", *KINDS), "kind")
    if kind == "conditional":
        if not fitted.game.startswith(kind):
            raise ValueError(f"kind='conditional' needs a fit of that game, and this explainer has the {fitted.game} game")
        return fitted
    weights = check_weights(sample_weight, table.n_rows)
    encoded = fitted.encoder.encode(table)
    model, confounded = purify_model(fitted.model, fitted.players, encoded, weights, kind)
    if confounded:
        pairs = ", ".join(" × ".join(fitted.schema.names[column] for column in pair) for pair in confounded[:5])
        warn_caller(
            f"on these rows, the columns of {len(confounded)} pairs share information ({pairs}): a function of one equals a "
            "function of the other, its split between their main effects is not unique, and the smallest change was taken; "
            "drop one column of each pair",
            DataWarning,
        )
    columns = tuple(replace(column, bases=own) for column, own in zip(fitted.encoder.columns, model.bases, strict=True))
    game = kind if kind != "marginal" else f"marginal, {table.n_rows} background rows"
    encoder = replace(fitted.encoder, columns=columns)
    answers = replace(fitted.answers, errors=None, audit=None, plan=None, sums=None, stored=None)
    fit_kind = FitKind.OTHER_GAME if fitted.kind is FitKind.EQUATIONS else fitted.kind
    return replace(fitted, encoder=encoder, model=model, game=game, kind=fit_kind, record=None, answers=answers)
