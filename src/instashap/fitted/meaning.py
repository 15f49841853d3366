"""What values of each game mean, in one line for readers of pictures, tables and reports."""

from __future__ import annotations

_KNOWING = "what knowing this column changes in the expected output, not what the model does with it"
_REPLACING = "what the model does with this column when the other columns keep values of other rows"
_STATED = "what the model does with this column, compared with a stated row"

_MEANINGS = {"conditional": _KNOWING, "marginal": _REPLACING, "baseline": _STATED, "product": _REPLACING}


def explain_game(game: str) -> str:
    """Meaning of a feature's value in a game, as one phrase that starts in lower case.

    Parameters
    ----------
    game : str
        As in :attr:`FittedGame.game`: ``"conditional"``, ``"marginal"``, ``"baseline"``, possibly with details after it.

    Examples
    --------
    >>> explain_game("conditional, copula")
    'what knowing this column changes in the expected output, not what the model does with it'
    """
    first = game.split()[0].strip(",(") if game.strip() else ""
    return _MEANINGS.get(first, f"what this column adds in the game {game!r}")


def is_about_information(game: str) -> bool:
    """Whether a game credits columns for what they say about others, so that one that the model ignores can have a value."""
    return explain_game(game) is _KNOWING
