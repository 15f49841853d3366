"""Laws of random coalitions, and the masses the closed form needs from them.

A size law is an array ``mu`` of shape (n_features + 1,): the mass of each coalition size 0 … d; within one size every
coalition is equally likely. A law need not sum to one: the masses weigh the squared errors of the masked fit.
"""

import numpy as np
from numpy.typing import NDArray


def compute_shapley_size_law(n_features: int, full_weight: float = 1.0) -> NDArray[np.float64]:
    """Mass of each coalition size under the Shapley kernel, with extra mass on the full coalition.

    Interior sizes ``s = 1 … d-1`` have mass proportional to ``1 / (s (d - s))`` and sum to one (InstaSHAP, Eq. 8 and 20);
    the full coalition has mass ``full_weight`` on that scale. Interior sizes alone would leave the prediction at the full
    coalition undetermined, hence ``full_weight > 0``. With one feature there is no interior: all mass is on the full set.

    Parameters
    ----------
    n_features : int
        Number of players d, at least 1.
    full_weight : float
        Mass of the full coalition, relative to the interior's total of 1.

    Returns
    -------
    ndarray of shape (n_features + 1,), float64
        Mass of each size. The empty coalition has mass 0: there the model is its base value whatever is fitted.

    Examples
    --------
    >>> compute_shapley_size_law(3, full_weight=0.5)
    array([0. , 0.5, 0.5, 0.5])
    """
    law = np.zeros(n_features + 1)
    sizes = np.arange(1, n_features)
    if sizes.size:
        kernel = 1.0 / (sizes * (n_features - sizes))
        law[1:n_features] = kernel / kernel.sum()
    law[n_features] += full_weight if n_features > 1 else 1.0
    return law


def compute_containment_masses(size_law: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass of the coalitions that contain ``k`` given features, for every ``k``.

    ``pi_k = sum_s mu(s) C(d - k, s - k) / C(d, s)``

    Parameters
    ----------
    size_law : ndarray of shape (n_features + 1,), float64
        Mass of each coalition size; need not sum to one.

    Returns
    -------
    ndarray of shape (n_features + 1,), float64
        ``pi_0 … pi_d``; ``pi_0`` is the law's total mass, ``pi_d`` the mass of the full coalition.

    Examples
    --------
    >>> compute_containment_masses(np.array([0.0, 0.5, 0.5, 0.5]))
    array([1.5       , 1.        , 0.66666667, 0.5       ])
    """
    d = len(size_law) - 1
    sizes = np.arange(d + 1.0)
    shares = np.ones(d + 1)  # C(d - k, s - k) / C(d, s), for every size s
    masses = np.empty(d + 1)
    for k in range(d + 1):
        masses[k] = size_law @ shares
        if k < d:  # from k to k + 1 by the factor (s - k) / (d - k): no binomial coefficient is formed
            shares *= np.maximum(sizes - k, 0.0) / (d - k)
    return masses


def enumerate_coalitions(n_features: int) -> NDArray[np.bool_]:
    """Every coalition once, as masks (True = present); row ``b`` holds the binary digits of ``b``.

    Raises ``ValueError`` above 20 features (a million coalitions).

    Examples
    --------
    >>> enumerate_coalitions(2).astype(int)
    array([[0, 0],
           [1, 0],
           [0, 1],
           [1, 1]])
    """
    if n_features > 20:
        raise ValueError(f"{n_features} features have 2**{n_features} coalitions; enumeration stops at 20 features")
    codes = np.arange(2**n_features)[:, None]
    return np.asarray((codes >> np.arange(n_features)) & 1 == 1)


def sample_coalitions(size_law: NDArray[np.float64], n_pairs: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random coalitions by the interior of a size law, each paired with its complement (antithetic sampling).

    Sizes are drawn by the law, then members uniformly. As the law is symmetric, the complements follow it too.

    Parameters
    ----------
    size_law : ndarray of shape (n_features + 1,), float64
        Must be symmetric, ``mu(s) = mu(d - s)`` for ``0 < s < d``, as the Shapley kernel is; not checked. Sizes 0 and d are
        left out.
    n_pairs : int

    Returns
    -------
    ndarray of shape (2 * n_pairs, n_features), bool
        Row ``n_pairs + k`` is the complement of row k.
    """
    d = len(size_law) - 1
    interior = size_law[1:d] / size_law[1:d].sum()
    sizes = rng.choice(np.arange(1, d), size=n_pairs, p=interior)
    masks = draw_members(sizes, d, rng)
    return np.concatenate([masks, ~masks])


def draw_members(sizes: NDArray[np.int64], n_features: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Masks whose row k has ``sizes[k]`` members drawn uniformly; shape (len(sizes), n_features)."""
    ranks = rng.random((len(sizes), n_features)).argsort(axis=1).argsort(axis=1)
    return np.asarray(ranks < sizes[:, None])
