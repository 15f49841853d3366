"""Other decompositions of an additive model's prediction into terms.

A prediction ``f(x) = base + sum_T phi_T(x_T)`` determines the sum but not the terms: a function of one column can be part of
its main effect or of a pair. Each rule here defines one decomposition of the same f:

- ``"stone-hooker"``: ``E[phi_T psi(x_R)] = 0`` for every R strictly inside T and every function psi of x_R, under the joint
  distribution of the rows (Stone 1994; Hooker 2007). One sweep from the highest order down: a term is projected *jointly* on
  all functions of all but one of its columns, and the projections move to those terms.
- ``"product"``: the same with the columns treated as independent, ``E_j phi_T = 0`` along every column j of T.
- ``"marginal"``: the components of ``F(x; S) = E f(x_S, X_{-S})`` with X drawn from the rows. It differs from the product rule
  by expectations of several columns at once.

The functions psi are all those that the term's own table can represent, with its knots, bins or levels.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh
from scipy.sparse import block_array, csr_array

from .._status import warn_unless_converged
from ..game.terms import ValueSet, close_downwards, players_of
from ..linear.conjugate_gradients import conjugate_gradients
from ..table.encoding import Encoded
from .additive_model import AdditiveModel
from .nested import Bases, LocalRows, NestedBases, express, transform

KINDS = ("stone-hooker", "product", "marginal")

# Directions (of functions scaled to unit size) below this share of the largest eigenvalue do not vary on the rows.
_RANK_TOLERANCE = 1e-12
# Largest number of functions for which equations are solved by eigenvectors; only triples of many bins have more.
_MAX_DENSE = 1500
# Warn above this residual.
_POOR_RESIDUAL = 1e-6
_ADVICE = "ask for a lower order"

Tables = dict[ValueSet, NDArray[np.float64]]


class Purified(NamedTuple):
    """A model in another decomposition.

    Attributes
    ----------
    model : AdditiveModel
        One term for every value set and each of its subsets; a term counts once its own players are present.
    confounded : list of tuple of int
        Pairs of columns that share a function on these rows (a function of one equals a function of the other): its split
        between the two main effects is not unique, and the smallest change is taken.
    """

    model: AdditiveModel
    confounded: list[ValueSet]


def purify_model(
    model: AdditiveModel, players: Sequence[int], encoded: Encoded, weights: NDArray[np.float64], kind: str
) -> Purified:
    """The model with the same predictions and the terms of another decomposition.

    Parameters
    ----------
    model : AdditiveModel
        Its terms at the full coalition are decomposed.
    players : sequence of int
        Player of each column.
    encoded : Encoded
        Rows over whose distribution expectations are taken.
    weights : ndarray of shape (n_rows,), float64
    kind : {"stone-hooker", "product", "marginal"}
    """
    bases = NestedBases(model.bases, model.value_sets)
    tables = _collect_tables(model, bases)
    rows = LocalRows(bases.columns, encoded, weights)
    base = model.base_value.copy()
    confounded: list[ValueSet] = []
    if kind == "stone-hooker":
        _, confounded = make_orthogonal(tables, base, rows, bases)
    else:
        tables = _integrate_out(tables, base, rows, bases, is_joint=kind == "marginal")
    return Purified(make_plain_model(bases.columns, tables, base, players, model.n_players), confounded)


def make_plain_model(
    bases: Bases, tables: Tables, base_value: NDArray[np.float64], players: Sequence[int], n_players: int
) -> AdditiveModel:
    """Model of the given tables in which a term counts once its own players are present.

    Parameters
    ----------
    tables : dict of value set to ndarray of shape (n_nodes_1, …, n_outputs), float64
    """
    value_sets = tuple(sorted(tables, key=lambda values: (len(values), values)))
    own = np.eye(len(base_value))[:, None, :]
    return AdditiveModel(
        bases,
        value_sets,
        tuple((players_of(values, players),) for values in value_sets),
        tuple(tables[values] for values in value_sets),
        (own,) * len(value_sets),
        base_value,
        n_players,
    )


class Move(NamedTuple):
    """A function of fewer columns, subtracted from one term and added to another.

    Attributes
    ----------
    source, target : tuple of int
        Value sets; the target is a proper subset of the source, empty for a constant that is added to the base value.
    table : ndarray of shape (n_nodes_1, …, n_outputs), float64
        In the target's bases; its mean is zero unless it is a constant.
    """

    source: ValueSet
    target: ValueSet
    table: NDArray[np.float64]


def make_orthogonal(
    tables: Tables, base_value: NDArray[np.float64], rows: LocalRows, bases: NestedBases
) -> tuple[list[Move], list[ValueSet]]:
    """Moves of the Stone–Hooker sweep, and pairs whose split is not unique; changes the tables and base value in place.

    The tables must include every non-empty subset of each of their value sets.
    """
    moves: list[Move] = []
    confounded: list[ValueSet] = []
    for values in sorted(tables, key=lambda each: (-len(each), each)):
        parts: Tables = {}
        if len(values) > 1:
            parts, is_unique = _project(values, tables[values], rows, bases)
            confounded += [] if is_unique else [values]
        parts[()] = rows.average(len(values), values, tables[values])
        moves += _move(values, parts, tables, base_value, bases)
    return moves, confounded


def _project(
    values: ValueSet, table: NDArray[np.float64], rows: LocalRows, bases: NestedBases
) -> tuple[Tables, bool]:
    """Best approximation of a term by a sum of functions of all but one of its columns, and whether it is unique.

    Uniqueness is determined for pairs only.
    """
    size = len(values)
    subsets = list(combinations(values, size - 1))
    spans = [bases.make_span(size, subset) for subset in subsets]
    matrices = [rows.make_matrix(size, subset) for subset in subsets]
    matrices = [each if span is None else each @ span for each, span in zip(matrices, spans, strict=True)]
    weighted = [(matrix * rows.shares[:, None]).T.tocsr() for matrix in matrices]
    effect = rows.make_matrix(size, values) @ table.reshape(-1, table.shape[-1])
    gram = block_array([[left @ right for right in matrices] for left in weighted], format="csr")
    target = np.vstack([left @ effect for left in weighted])
    solution = _solve_smallest(gram, target)
    parts, start = {}, 0
    for subset, span, matrix in zip(subsets, spans, matrices, strict=True):
        stop = start + matrix.shape[1]
        free = solution[start:stop]
        part = (free if span is None else span @ free).reshape(*bases.shape(size, subset), -1)
        mean = rows.average(size, subset, part)
        parts[subset] = part - bases.lift(mean, (), subset, size)  # the term's own mean moves as a constant
        start = stop
    if size > 2:
        return parts, True
    half = matrices[0].shape[1]
    apart = _count_directions(gram[:half, :half]) + _count_directions(gram[half:, half:])
    return parts, _count_directions(gram) >= apart - 1  # both columns of a pair can represent the constant


def _solve_smallest(gram: csr_array, target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimum-norm solution of singular normal equations, the norm taken in functions of unit size."""
    scale: NDArray[np.float64] = _scale_to_unit(gram)[:, None]
    scaled = scale * target
    if gram.shape[0] > _MAX_DENSE:

        def multiply(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(scale * (gram @ (scale * coefficients)))

        found, status = conjugate_gradients(multiply, lambda residual: residual, scaled, tolerance=1e-13, max_steps=2000)
        warn_unless_converged(status.accept(_POOR_RESIDUAL).name("the projections on smaller terms", _ADVICE))
        return np.asarray(scale * found)
    lengths, directions = eigh(scale * gram.toarray() * scale.T)
    kept = lengths > _RANK_TOLERANCE * lengths[-1]
    inverse = (directions[:, kept] / lengths[kept]) @ directions[:, kept].T
    solution = inverse @ scaled
    solution += inverse @ (scaled - scale * (gram @ (scale * solution)))  # one step of refinement
    return np.asarray(scale * solution)


def _count_directions(gram: csr_array) -> int:
    scale = _scale_to_unit(gram)[:, None]
    lengths = eigvalsh(scale * gram.toarray() * scale.T)
    return int((lengths > _RANK_TOLERANCE * lengths[-1]).sum())


def _scale_to_unit(gram: csr_array) -> NDArray[np.float64]:
    """Reciprocal of each function's root mean square, 0 for functions that are zero on every row."""
    sizes = np.sqrt(gram.diagonal())
    return np.asarray(np.where(sizes > 0, 1.0 / np.where(sizes > 0, sizes, 1.0), 0.0))


def _integrate_out(
    tables: Tables, base_value: NDArray[np.float64], rows: LocalRows, bases: NestedBases, *, is_joint: bool
) -> Tables:
    """Tables of the components by inclusion and exclusion of expectations over absent columns; updates the base in place.

    ``h_R = sum_{A ⊆ R} (-1)^{|R| - |A|} E_{T - A} phi_T``, with the expectation over the joint distribution of the absent
    columns if ``is_joint``, else over the product of their distributions.
    """
    pure = {values: table.copy() for values, table in tables.items()}
    for values, table in tables.items():
        parts: Tables = {}
        for size in range(len(values)):
            for subset in combinations(values, size):
                expected = _expect(values, subset, table, rows, is_joint=is_joint)
                for smaller, part in parts.items():
                    if set(smaller) < set(subset):
                        expected = expected - bases.lift(part, smaller, subset, len(values))
                parts[subset] = expected
        _move(values, parts, pure, base_value, bases)
    return pure


def _expect(
    values: ValueSet, subset: ValueSet, table: NDArray[np.float64], rows: LocalRows, *, is_joint: bool
) -> NDArray[np.float64]:
    """Mean of a term over its columns that are not in the subset."""
    size = len(values)
    absent = tuple(column for column in values if column not in subset)
    axes = [values.index(column) for column in absent]
    if is_joint:
        return np.asarray(np.tensordot(rows.compute_means(size, absent), table, axes=(range(len(axes)), axes)))
    for axis in reversed(axes):
        table = np.tensordot(rows.compute_means(size, (values[axis],)), table, axes=(0, axis))
    return table


def _move(
    values: ValueSet, parts: Tables, tables: Tables, base_value: NDArray[np.float64], bases: NestedBases
) -> list[Move]:
    """Subtract parts, in the bases of a term, from that term and add them to the terms of their own columns."""
    size = len(values)
    moves = []
    for subset, part in parts.items():
        tables[values] = tables[values] - bases.lift(part, subset, values, size)
        moved = bases.lower(part, subset, size)
        if subset:
            tables[subset] = tables[subset] + moved
        else:
            base_value += moved
        moves.append(Move(values, subset, moved))
    return moves


def _collect_tables(model: AdditiveModel, bases: NestedBases) -> Tables:
    """Shape functions at the full coalition in the nested bases, with zeros for subsets that have no term."""
    shapes = dict(zip(model.value_sets, model.shapes, strict=True))
    tables = {}
    for values in close_downwards(model.value_sets):
        size = len(values)
        table = shapes.get(values, np.zeros((*bases.shape(size, values), model.n_outputs)))
        for axis, column in enumerate(values if values in shapes else ()):
            old, new = model.bases[column][size - 1], bases.columns[column][size - 1]
            if old is not new:
                table = transform(table, axis, express(old, new))
        tables[values] = table
    return tables
