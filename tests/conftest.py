"""Small encoded tables and models that tests of several rooms share."""

import gc

import numpy as np
import pandas as pd
import pytest

from instashap.fits import synthetic_fit
from instashap.masked.penalties import compute_axis_functions, compute_local_moments
from instashap.model.additive_model import AdditiveModel
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.trust import reference_panel, references

# Files that take longest: two processes end at about the same time if these come first.
LONGEST = {
    "test_truth.py",
    "test_docs.py",
    "test_audit.py",
    "test_estimators.py",
    "test_page.py",
    "test_laws.py",
    "test_classifier.py",
    "test_explainer.py",
    "test_cli.py",
    "test_first_screen.py",
    "test_weights.py",
}


# Modules and tests, a million objects, stay to the end: looking among them for what can go took a tenth of the time.
gc.disable()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module")
def few_calls():
    """Fewer synthetic rows of a fit, and a smaller budget of the references of an audit.

    For files whose assertions hold for any of these numbers; floors of accuracy, and figures of references, are tested with
    those that users have.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_fit, "N_ROWS", 4096)
        patch.setattr(references, "_N_TAUGHT", 8000)
        patch.setattr(reference_panel, "_CALLS", 40_000)
        yield


def _make_frame(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "smooth": rng.normal(size=n_rows),
            "text": rng.choice(["a", "b", "c"], n_rows, p=[0.5, 0.3, 0.2]),
            "zeros": np.where(rng.random(n_rows) < 0.6, 0.0, rng.exponential(size=n_rows)),
            "level": rng.integers(0, 4, n_rows).astype(float),
        }
    )
    frame.loc[rng.random(n_rows) < 0.1, "smooth"] = np.nan
    frame.loc[rng.random(n_rows) < 0.1, "text"] = None
    return frame


@pytest.fixture
def make_frame():
    """A table of a smooth column and a text column, both with missing values, a column with a spike and one of levels."""
    return _make_frame


@pytest.fixture
def encode():
    """Learnt columns and encoded rows of a table."""

    def encode(X, weights=None):
        table = read_table(X)
        encoder, columns = learn_table(table, np.ones(table.n_rows) if weights is None else weights)
        return columns, encoder.encode(table)

    return encode


@pytest.fixture
def make_axes():
    """Axis functions by (size, column), few of each."""

    def make_axes(columns, encoded, weights, limits, order=3):
        axes = {}
        for size, limit in enumerate(limits, start=1):
            for number, column in enumerate(columns):
                axis = column.axes[size - 1]
                moments = compute_local_moments(axis.basis, encoded.cells[:, number], encoded.offsets[:, number], weights)
                axes[size, number] = compute_axis_functions(axis, *moments, order, limit)
        return axes

    return make_axes


@pytest.fixture
def evaluate_local():
    """All local functions of one column's basis on rows, from the stored polynomials alone."""

    def evaluate_local(basis, cells, offsets):
        values = np.zeros((len(cells), basis.n_functions))
        for row, (cell, t) in enumerate(zip(cells.tolist(), offsets.tolist(), strict=True)):
            for m in range(basis.polynomials.shape[1]):
                values[row, basis.first[cell] + m] += np.polyval(basis.polynomials[cell, m, ::-1], t)
        return values

    return evaluate_local


@pytest.fixture
def make_model():
    """A model from tables of shape (n_nodes_1, …, n_presence_sets, n_outputs), one a value set."""

    def make_model(bases, value_sets, presence_sets, tables, base_value, n_players):
        flat, mixings = [], []
        for table in tables:
            n_parts = table.shape[-2] * table.shape[-1]
            flat.append(table.reshape(*table.shape[:-2], n_parts))
            mixings.append(np.eye(n_parts).reshape(n_parts, *table.shape[-2:]))
        return AdditiveModel(
            bases, tuple(value_sets), tuple(presence_sets), tuple(flat), tuple(mixings), np.asarray(base_value), n_players
        )

    return make_model
