"""Rows of an audit made of a table and outputs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.trust.held_rows import Rows


def _make_rows(X: Any, outputs: np.ndarray, weights: np.ndarray | None = None) -> Rows:
    table = read_table(X)
    weights = np.ones(table.n_rows) if weights is None else weights
    encoder, _ = learn_table(table, weights)
    n_columns = len(encoder.columns)
    columns, players = tuple(encoder.columns), tuple(range(n_columns))
    return Rows(
        encoder.encode(table), outputs.reshape(table.n_rows, -1), weights, columns, players, table.schema.names
    )


@pytest.fixture
def make_rows() -> Callable[..., Rows]:
    return _make_rows
