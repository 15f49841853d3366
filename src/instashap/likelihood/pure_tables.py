"""Orthogonal decomposition of fitted scores into terms, which changes no score.

A fit by likelihood gives value tables whose sum is the score of a row. It determines neither how the terms share the score nor
the score when features are absent. Two steps determine both, and neither changes the score at the full coalition:

1. *Between nested value sets* (this file): the part of an interaction that is a function of fewer columns is moved to the term
   of those columns, from the highest order down, by one joint projection each (the decomposition of Stone 1994 and Hooker
   2007).
2. *Between nested presence sets* (:mod:`.presence`): a part of a function counts only under a larger set R than its own
   columns U, ``b(x_U) (1[R ⊆ S] - 1[U ⊆ S])``. The coefficients of least masked risk make ``g(x; S)`` the best estimate of
   the scores' conditional mean that leaves ``g(x; [d])`` as it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.nested import Bases, LocalRows, NestedBases
from ..model.orthogonal import Tables, make_orthogonal
from ..table.encoding import Encoded
from .tables import TableDesign


@dataclass(frozen=True)
class PureTables:
    """Tables of mean zero, each orthogonal to all functions of fewer of its columns, and the mean score.

    Attributes
    ----------
    tables : dict of value set to ndarray of shape (n_nodes_1, …, n_outputs)
    base_value : ndarray of shape (n_outputs,), float64
    """

    tables: Tables
    base_value: NDArray[np.float64]


def purify_tables(
    design: TableDesign, vector: NDArray[np.float64], encoded: Encoded, weights: NDArray[np.float64]
) -> PureTables:
    """Centred tables in which every part of an interaction that is a function of fewer columns is in the term of those.

    Parameters
    ----------
    design : TableDesign
        Value sets with all their subsets.
    vector : ndarray of shape (size,), float64
        Tables and intercepts. The sum of all terms does not change on any row.
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
    """
    tables = {values: design.view(vector, term).copy() for term, values in enumerate(design.value_sets)}
    base = vector[design.starts[-1] :].copy()
    columns = tuple(column.encoder.bases for column in design.columns)
    make_orthogonal(tables, base, LocalRows(columns, encoded, weights), NestedBases(columns, design.value_sets))
    return PureTables(tables, base)


def centre_tables(
    tables: Tables,
    base_value: NDArray[np.float64],
    columns: Bases,
    encoded: Encoded,
    weights: NDArray[np.float64],
) -> PureTables:
    """Tables of mean zero on rows, with their former means added to the base value."""
    rows, centred, base = LocalRows(columns, encoded, weights), {}, base_value.copy()
    for values, table in tables.items():
        mean = rows.average(len(values), values, table)
        centred[values] = table - mean
        base += mean
    return PureTables(centred, base)
