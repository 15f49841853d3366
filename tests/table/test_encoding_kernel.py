"""The compiled encoder against its NumPy twin."""

import numpy as np

from instashap.table.encoding_kernel import encode_numbers


def _twin(numbers, columns, edges, starts, lows, scales, missing, cells, offsets):
    """The kernel's contract in NumPy: ``edge[k-1] < x <= edge[k]``, ``t = (x - low) scale`` cut to [0, 1]."""
    for j, target in enumerate(columns):
        x = numbers[:, j]
        own = edges[starts[j] : starts[j + 1]]
        cell = (own[None, :] < np.nan_to_num(x)[:, None]).sum(axis=1)
        t = np.clip((x - lows[starts[j] + j + cell]) * scales[starts[j] + j + cell], 0, 1)
        cells[:, target] = np.where(np.isnan(x), missing[j], cell)
        offsets[:, target] = np.where(np.isnan(x), 0.0, t)


def _plan(rng, n_edges):
    edges = [np.sort(rng.normal(size=n)).round(1) for n in n_edges]
    edges = [np.unique(each) for each in edges]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in edges])]).astype(np.int64)
    n_cells = starts[-1] + len(edges)
    lows, scales = rng.normal(size=n_cells), rng.uniform(0, 2, size=n_cells)
    missing = np.array([len(each) + 1 for each in edges], dtype=np.int32)
    columns = rng.permutation(len(edges) + 1)[: len(edges)].astype(np.int64)  # one column is for a category
    return columns, np.concatenate(edges), starts, lows, scales, missing


def test_kernel_agrees_with_its_numpy_twin():
    rng = np.random.default_rng(0)
    plan = _plan(rng, [0, 1, 5, 40])
    numbers = rng.normal(size=(500, 4)).round(1)  # many values fall on an edge
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    numbers[0] = [1e300, -1e300, 5e-324, -0.0]
    results = []
    for encode in (encode_numbers, _twin):
        cells, offsets = np.full((500, 5), -7, dtype=np.int32), np.full((500, 5), -7.0)
        results.append((encode(numbers, *plan, cells, offsets), cells, offsets))
    assert results[0][0] == -1
    np.testing.assert_array_equal(results[0][1], results[1][1])
    np.testing.assert_array_equal(results[0][2], results[1][2])
    assert ((results[0][1] == -7).sum(axis=0) > 0).sum() == 1  # the category's column is left alone


def test_kernel_reports_the_column_of_the_first_infinity():
    plan = _plan(np.random.default_rng(1), [2, 2, 2])
    for column in range(3):
        for value in (np.inf, -np.inf):
            numbers = np.zeros((4, 3))
            numbers[2, column] = value
            assert encode_numbers(numbers, *plan, np.zeros((4, 4), np.int32), np.zeros((4, 4))) == column
