"""Unknowns, bytes and seconds of the masked fit, by number of features and presence order."""

from __future__ import annotations

import time
from itertools import combinations
from math import comb

import numpy as np

from instashap.game.coalitions import compute_shapley_size_law
from instashap.masked.design import make_value_functions
from instashap.masked.penalties import compute_axis_functions, compute_local_moments
from instashap.masked.problem import make_problem
from instashap.masked.search_limits import EXTRA_RANKS, MAX_FUNCTIONS
from instashap.masked.strengths import Strengths
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table

from ..runner import Bench, Figure, judge

# The basis the sizes are stated for: 12 functions a main effect, 6 × 6 a pair.
MAIN, SIDE = 12, 6
FEATURES = (10, 13, 30, 100)
ORDERS = (2, 3, 4)


def run(bench: Bench) -> dict[str, Figure]:
    """Sizes on paper for every case; seconds of one product for those whose value functions and presence sets fit."""
    figures = {}
    for d in bench.choose(FEATURES, FEATURES[:1]):
        for p in ORDERS:
            label = f"d = {d}, p = {p}"
            full = count_unknowns(d, p, (MAIN, SIDE**2))
            figures[f"{label}: unknowns, every function under every presence set"] = judge(full)
            figures[f"{label}: dense matrix of them"] = judge(8 * full**2 / 2**30, "GiB")
            for extra in EXTRA_RANKS[:2]:
                figures[f"{label}: unknowns, the first {extra[:2]} functions"] = judge(count_unknowns(d, p, extra[:2]))
    for d in bench.choose((10, 13), (10,)):
        for p in ORDERS:
            seconds, n_unknowns, gib = _time_product(d, p, bench.repeats)
            figures[f"d = {d}, p = {p}: unknowns of the product timed"] = judge(n_unknowns)
            figures[f"d = {d}, p = {p}: one product, matrix-free"] = judge(1e3 * seconds, "ms")
            figures[f"d = {d}, p = {p}: memory of the product"] = judge(gib, "GiB")
    return figures


def count_unknowns(n_features: int, presence_order: int, n_repeated: tuple[int, ...]) -> int:
    """Unknowns with ``n_repeated`` functions of each main effect and pair under every larger presence set."""
    own = (MAIN, SIDE**2)
    total = 0
    for size in range(1, presence_order + 1):
        n_sets = comb(n_features, size)
        for order in (1, 2):
            n_functions = own[order - 1] if size == order else n_repeated[order - 1]
            total += n_sets * comb(size, order) * n_functions if size >= order else 0
    return total


def _time_product(n_features: int, presence_order: int, repeats: int) -> tuple[float, int, float]:
    """Median seconds of a product with the matrix of all functions under all presence sets, its unknowns and memory."""
    X = np.random.default_rng(0).normal(size=(2000, n_features))
    weights = np.ones(len(X))
    encoder, columns = learn_table(read_table(X), weights)
    encoded = encoder.encode(read_table(X))
    axes = {}
    for size, limit in ((1, MAIN), (2, SIDE)):
        for column in range(n_features):
            axis = columns[column].axes[size - 1]
            moments = compute_local_moments(axis.basis, encoded.cells[:, column], encoded.offsets[:, column], weights)
            axes[size, column] = compute_axis_functions(axis, *moments, 3, limit)
    sets = [each for size in (1, 2) for each in combinations(range(n_features), size)]
    functions = make_value_functions(sets, axes, {2: SIDE**2, 3: 1})
    if len(functions) > MAX_FUNCTIONS:
        raise ValueError(f"{len(functions)} value functions are more than {MAX_FUNCTIONS}")
    offered = [each for size in range(1, presence_order + 1) for each in combinations(range(n_features), size)]
    law = compute_shapley_size_law(n_features)
    problem = make_problem(functions, offered, (MAIN, SIDE**2, 1), range(n_features), law)
    gram = np.eye(len(functions))
    coefficients = np.random.default_rng(1).normal(size=(len(problem), 1))
    penalty = Strengths().penalise(functions)
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        problem.multiply(gram, penalty, coefficients)
        samples.append(time.perf_counter() - start)
    entries = len(functions) ** 2 + len(problem.presence_sets) ** 2 + len(problem.presence_sets) * len(functions)
    return float(np.median(samples)), len(problem), 8 * entries / 2**30
