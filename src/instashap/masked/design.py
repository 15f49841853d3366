"""The value functions of a fit: for every value set, products of its columns' axis functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..game.terms import ValueSet
from ..model.index_part import IndexPart
from ..table.encoding import Encoded
from .penalties import AxisFunctions

# axis functions by (number of columns of the term, column)
Axes = Mapping[tuple[int, int], AxisFunctions]


@dataclass(frozen=True)
class ValueFunctions:
    """Functions a model's values are linear combinations of.

    Attributes
    ----------
    value_sets : tuple of tuple of int
        Columns read, one entry a set.
    axes : mapping of (size, column) to AxisFunctions
    choices : tuple of ndarray of shape (n_functions_of_set, size), int
        Of each set, which axis functions are multiplied.
    owners : ndarray of shape (n_functions,), int
        Value set of each function.
    ranks : ndarray of shape (n_functions,), int
        Product of the axis functions' ranks (1 = smoothest): the resolution a function belongs to.
    roughness, ridge : ndarray of shape (n_functions,), float64
        Diagonal penalties: roughness adds over the axes, prior precision multiplies.
    indices : IndexPart or None
        Linear predictions of columns, whose functions belong to the value set without columns, the last; ``choices`` has their
        numbers, index after index.
    """

    value_sets: tuple[ValueSet, ...]
    axes: Axes
    choices: tuple[NDArray[np.int64], ...]
    owners: NDArray[np.int64]
    ranks: NDArray[np.int64]
    roughness: NDArray[np.float64]
    ridge: NDArray[np.float64]
    indices: IndexPart | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of columns each function reads."""
        return np.array([len(values) for values in self.value_sets], dtype=np.int64)[self.owners]

    def evaluate(self, encoded: Encoded) -> NDArray[np.float64]:
        """Values on rows, one function a row of the result: shape (n_functions, n_rows), C order."""
        values = np.empty((len(self), len(encoded.cells)))
        self.write_values(encoded, values)
        return values

    def tabulate(self, encoded: Encoded) -> dict[tuple[int, int], NDArray[np.float64]]:
        """Values of the axis functions that are multiplied, each of shape (n_axis_functions, n_rows)."""
        return {
            (size, column): axis.basis.tabulate(
                encoded.cells[:, column], encoded.offsets[:, column], axis.coefficients[:, : self.n_used[size, column]]
            )
            for (size, column), axis in self.axes.items()
        }

    def write_values(self, encoded: Encoded, values: NDArray[np.float64]) -> None:
        """Write the values on rows to an array of shape (n_functions, n_rows), C order."""
        axis_values = self.tabulate(encoded)
        places = iter(range(len(self)))
        for columns, chosen in zip(self.value_sets, self.choices, strict=True):
            if not columns:
                self._write_indices(encoded, values)
                continue
            factors = [axis_values[len(columns), column] for column in columns]
            for numbers in chosen.tolist():  # function by function: a row of values stays in the cache
                first, *others = (factor[number] for factor, number in zip(factors, numbers, strict=True))
                row = values[next(places)]
                row[:] = first
                for other in others:
                    row *= other

    def _write_indices(self, encoded: Encoded, values: NDArray[np.float64]) -> None:
        assert self.indices is not None
        bases = {column: [axis.basis] for (size, column), axis in self.axes.items() if size == 1}
        found = self.indices.evaluate(bases, encoded).reshape(len(encoded.cells), -1)
        values[-len(self.choices[-1]) :] = found.T[self.choices[-1][:, 0]]

    @property
    def index_numbers(self) -> NDArray[np.int64]:
        """Numbers of the functions of indices, index after index; empty without any."""
        return np.empty(0, dtype=np.int64) if self.indices is None else self.choices[-1][:, 0]

    def add_indices(self, indices: IndexPart) -> "ValueFunctions":
        """These functions and those of linear predictions, which have rank 0."""
        count = indices.values.shape[0] * indices.values.shape[2]
        none = np.zeros(count)
        return ValueFunctions(
            (*self.value_sets, ()),
            self.axes,
            (*self.choices, np.arange(count)[:, None]),
            np.append(self.owners, np.full(count, len(self.value_sets))),
            np.append(self.ranks, none.astype(np.int64)),
            np.append(self.roughness, none),
            np.append(self.ridge, none + 1.0),
            indices=indices,
        )

    @cached_property
    def n_used(self) -> dict[tuple[int, int], int]:
        """How many of the first functions of each axis are multiplied."""
        used = dict.fromkeys(self.axes, 0)
        for columns, chosen in zip(self.value_sets, self.choices, strict=True):
            for column, numbers in zip(columns, chosen.T, strict=bool(columns)):
                key = len(columns), column
                used[key] = max(used[key], int(numbers.max(initial=-1)) + 1)
        return used

    def select(self, is_kept: NDArray[np.bool_]) -> "ValueFunctions":
        """The functions where ``is_kept``; sets without any are dropped."""
        counts = np.bincount(self.owners[is_kept], minlength=len(self.value_sets))
        stays = np.flatnonzero(counts)
        kept_choices = []
        for owner in stays:
            kept_choices.append(self.choices[owner][is_kept[self.owners == owner]])
        renumber = np.full(len(self.value_sets), -1)
        renumber[stays] = np.arange(len(stays))
        sets = tuple(self.value_sets[owner] for owner in stays)
        used = {(len(columns), column) for columns in sets for column in columns}
        return ValueFunctions(
            sets,
            {key: functions for key, functions in self.axes.items() if key in used},
            tuple(kept_choices),
            renumber[self.owners[is_kept]],
            self.ranks[is_kept],
            self.roughness[is_kept],
            self.ridge[is_kept],
            indices=self.indices if () in sets else None,
        )

    def match(self, other: "ValueFunctions") -> NDArray[np.int64]:
        """Position of each function among another's, -1 where it has none; shape (n_functions,)."""
        found = np.full(len(self), -1, dtype=np.int64)
        places = {values: owner for owner, values in enumerate(other.value_sets)}
        for owner, values in enumerate(self.value_sets):
            if values not in places:
                continue
            strides = 10_000 ** np.arange(max(len(values), 1))
            own, others = self.choices[owner] @ strides, other.choices[places[values]] @ strides
            _, mine, theirs = np.intersect1d(own, others, assume_unique=True, return_indices=True)
            starts = np.searchsorted(self.owners, owner), np.searchsorted(other.owners, places[values])
            found[starts[0] + mine] = starts[1] + theirs
        return found

    def expand(self, owner: int, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table of a value set on its local nodes.

        Parameters
        ----------
        owner : int
            Position of the value set.
        coefficients : ndarray of shape (n_functions_of_set, ...), float64

        Returns
        -------
        ndarray of shape (n_nodes_1, …, n_nodes_size, ...), float64
        """
        columns = self.value_sets[owner]
        size = len(columns)
        first, *others = (self.axes[size, column].coefficients for column in columns)
        chosen = self.choices[owner]
        nodes = first[:, chosen[:, 0]]
        for axis, local in enumerate(others, start=1):
            nodes = nodes[..., None, :] * local[:, chosen[:, axis]]
        return np.tensordot(nodes, coefficients, axes=1)


def make_value_functions(value_sets: Sequence[ValueSet], axes: Axes, resolution: Mapping[int, int]) -> ValueFunctions:
    """All products of axis functions whose ranks multiply to at most ``resolution[size]``.

    A main effect has all functions of its axis. In a pair the ranks ``a b <= resolution`` form a hyperbolic cross: fine
    detail along one column is kept where the other is smooth.
    """
    choices = []
    for columns in value_sets:
        size = len(columns)
        functions = [axes[size, column] for column in columns]
        grids = np.meshgrid(*(np.arange(len(each)) for each in functions), indexing="ij")
        ranked = [each.ranks[grid.ravel()] for each, grid in zip(functions, grids, strict=True)]
        rank = np.prod(ranked, axis=0).astype(np.int64)
        order = np.argsort(rank, kind="stable")
        order = order[rank[order] <= resolution[size]] if size > 1 else order
        choices.append(np.stack([grid.ravel()[order] for grid in grids], axis=1).astype(np.int64))
    return gather_functions(value_sets, axes, choices)


def gather_functions(value_sets: Sequence[ValueSet], axes: Axes, choices: Sequence[NDArray[np.int64]]) -> ValueFunctions:
    """The products of chosen axis functions; value sets without any are dropped.

    Parameters
    ----------
    value_sets : sequence of tuple of int
    axes : mapping of (size, column) to AxisFunctions
    choices : sequence of ndarray of shape (n_functions_of_set, size), int64
    """
    owners, ranks, roughness, ridge = [], [], [], []
    for owner, (columns, chosen) in enumerate(zip(value_sets, choices, strict=True)):
        functions = [axes[len(columns), column] for column in columns]
        factors = list(zip(functions, chosen.T, strict=True))
        owners.append(np.full(len(chosen), owner))
        ranks.append(np.prod([each.ranks[own] for each, own in factors], axis=0))
        roughness.append(sum(each.roughness[own] for each, own in factors))
        ridge.append(np.prod([each.ridge[own] for each, own in factors], axis=0))
    if not choices:
        owners, ranks, roughness, ridge = ([np.empty(0)] for _ in range(4))
    return ValueFunctions(
        tuple(value_sets),
        axes,
        tuple(choices),
        np.concatenate(owners).astype(np.int64),
        np.concatenate(ranks).astype(np.int64),
        np.concatenate(roughness),
        np.concatenate(ridge),
    ).select(np.ones(sum(map(len, choices)), dtype=bool))
