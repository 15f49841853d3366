"""Rows encoded as for fits by likelihood, and dense twins of designs and priors assembled from stored bases alone."""

import numpy as np
import pytest

from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.grain import make_fine_grain


@pytest.fixture
def encode():
    """Learnt columns and encoded rows of a table, on the grain of fits by likelihood."""

    def encode(X, weights=None):
        table = read_table(X)
        weights = np.ones(table.n_rows) if weights is None else weights
        encoder, columns = learn_table(table, weights, make_fine_grain(float(weights.sum())))
        return columns, encoder.encode(table)

    return encode


@pytest.fixture
def spread_term(evaluate_local):
    """All products of the local functions of some columns on rows, shape (n_rows, n_nodes), from the polynomials alone."""

    def spread_term(columns, values, encoded, size=None):
        rows = np.ones((len(encoded.cells), 1))
        for column in values:
            basis = columns[column].axes[(size or len(values)) - 1].basis
            local = evaluate_local(basis, encoded.cells[:, column], encoded.offsets[:, column])
            rows = (rows[:, :, None] * local[:, None, :]).reshape(len(rows), -1)
        return rows

    return spread_term


@pytest.fixture
def make_dense_prior():
    """``roughness Σ_axes DᵀD + ridge`` of one term, one output, by Kronecker products of dense second differences."""

    def make_dense_prior(columns, values, roughness, ridge):
        pieces = []
        for column in values:
            axis = columns[column].axes[len(values) - 1]
            n, n_curve = axis.basis.n_functions, axis.expansion.shape[1]
            bent = np.zeros((n, n))
            if axis.roughness and n_curve >= 3:
                differences = axis.roughness[2]
                scaled = differences * np.sqrt(6 * len(differences) / (differences**2).sum())
                bent[n - n_curve :, n - n_curve :] = scaled.T @ scaled
            pieces.append(bent)
        total = ridge * np.eye(int(np.prod([len(piece) for piece in pieces])))
        for place, bent in enumerate(pieces):
            product = np.ones((1, 1))
            for other, piece in enumerate(pieces):
                product = np.kron(product, bent if other == place else np.eye(len(piece)))
            total += roughness * product
        return total

    return make_dense_prior
