"""The matrix of a masked fit, prepared for many products with vectors.

Most value functions count under one presence set, their own players. Between those the matrix is dense and small enough to be
written out: ``H = G ∘ W``, of which a product reads one triangle. The few functions repeated under larger presence sets are
coupled by ``W C (G + P)`` on their own columns, and to the others through the presence sets of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsymv

from ..model.kernels import couple_repeated, fill_matrix
from .problem import MaskedProblem, Penalty


@dataclass(frozen=True)
class Coupling:
    """A problem's matrix for one Gram matrix; products take the penalty, which may change between them.

    Attributes
    ----------
    problem : MaskedProblem
    single : ndarray of shape (n_once, n_once), float64, Fortran order
        ``G ∘ W`` between the unknowns whose function has one presence set.
    between : ndarray of shape (n_once, n_repeated), float64
        Gram of their functions with the repeated ones.
    repeated : ndarray of shape (n_repeated, n_repeated), float64
        Gram of the repeated functions.
    """

    problem: MaskedProblem
    single: NDArray[np.float64] = field(repr=False)
    between: NDArray[np.float64] = field(repr=False)
    repeated: NDArray[np.float64] = field(repr=False)

    @classmethod
    def from_gram(cls, problem: MaskedProblem, gram: NDArray[np.float64]) -> Coupling:
        """The coupling of a problem by centred second moments of shape (n_functions, n_functions)."""
        layout = problem.layout
        once = problem.functions[layout.once]
        single = np.empty((len(once), len(once)))
        no_penalty = np.zeros(len(gram))
        known = np.ascontiguousarray(gram), no_penalty, once, layout.once_presence, np.ascontiguousarray(problem.union_masses)
        fill_matrix(*known, single)
        between = np.ascontiguousarray(gram[np.ix_(once, layout.wide)])
        # Symmetric: its transpose is in Fortran order without a copy.
        return cls(problem, single.T, between, np.ascontiguousarray(gram[np.ix_(layout.wide, layout.wide)]))

    def multiply(self, penalty: Penalty, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """The matrix times coefficients of shape (n_unknowns, n_outputs); what :meth:`MaskedProblem.multiply` gives."""
        problem, layout = self.problem, self.problem.layout
        result = np.empty_like(coefficients)
        diagonal = problem.own_masses[layout.once] * penalty.functions[problem.functions[layout.once]]
        own = np.ascontiguousarray(penalty.functions[layout.wide])
        for output in range(coefficients.shape[1]):
            once, often = coefficients[layout.once, output], coefficients[layout.often, output]
            singles = dsymv(1.0, self.single, once) + diagonal * once if len(once) else np.zeros(0)
            repeats = np.zeros(len(often))
            if len(often):
                couple_repeated(
                    *(problem.union_masses, self.between, self.repeated, own),
                    *(layout.sets, layout.set_of, layout.once_presence, once),
                    *(layout.often_presence, layout.where, often),
                    *(singles, repeats),
                )
            result[layout.once, output], result[layout.often, output] = singles, repeats
        if penalty.extra:
            result += problem.weigh_extra(penalty)[:, None] * coefficients
        return result

    def under(self, penalty: Penalty) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """The product with the penalty fixed."""
        return lambda coefficients: self.multiply(penalty, coefficients)
