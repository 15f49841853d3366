"""Reference answers by enumeration of all 2^d coalitions; for tests, audits and small games."""

from math import factorial

import numpy as np
from numpy.typing import NDArray


def compute_shapley_values(game: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values of a game given on all coalitions, by the definition.

    ``SHAP_i = sum_{S ∌ i} |S|! (d-|S|-1)! / d! (v(S ∪ i) - v(S))``

    Parameters
    ----------
    game : ndarray of shape (2**n_players, ...), float64
        Values ``v(S)`` in the order of :func:`instashap.game.coalitions.enumerate_coalitions`.

    Returns
    -------
    ndarray of shape (n_players, ...), float64

    Examples
    --------
    >>> compute_shapley_values(np.array([0.0, 1.0, 2.0, 5.0]))
    array([2., 3.])
    """
    n_players = len(game).bit_length() - 1
    codes = np.arange(len(game))
    sizes = np.array([int(code).bit_count() for code in codes])
    weights = np.array([factorial(s) * factorial(n_players - s - 1) for s in range(n_players)]) / factorial(n_players)
    values = np.zeros((n_players, *game.shape[1:]))
    for player in range(n_players):
        without = codes[(codes >> player) & 1 == 0]
        gains = game[without | (1 << player)] - game[without]
        values[player] = np.tensordot(weights[sizes[without]], gains, axes=1)
    return values


def compute_mobius_transform(game: NDArray[np.float64]) -> NDArray[np.float64]:
    """Möbius components ``sum_{R ⊆ T} (-1)^(|T|-|R|) v(R)`` of a game given on all coalitions.

    Parameters and order of coalitions as in :func:`compute_shapley_values`.

    Examples
    --------
    >>> compute_mobius_transform(np.array([0.0, 1.0, 2.0, 5.0]))
    array([0., 1., 2., 2.])
    """
    components = np.array(game, dtype=np.float64)
    codes = np.arange(len(components))
    for player in range(len(components).bit_length() - 1):
        present = codes[(codes >> player) & 1 == 1]
        components[present] -= components[present ^ (1 << player)]
    return components
