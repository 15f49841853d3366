"""One additive model of all pairs, trained by stochastic gradients and solved in closed form.

A net that falls short may be too poor a model, or badly trained; its loss does not tell. The closed form is the optimum of a
convex problem: whatever the rows' order, it is the same, and what a net of the same terms lacks beside it is no fault of the
terms.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Split, load_bike
from ..runner import Bench, Figure, Skipped, judge

# Optimiser and learning rates; the usual advice lies in the middle of either ladder.
RATES = {"SGD": (1e-3, 1e-2, 3e-2), "Adam": (3e-4, 3e-3, 3e-2)}
HIDDEN = (24, 12)
BATCH, EPOCHS, SEEDS = 256, 12, 2


def run(bench: Bench) -> dict[str, Figure]:
    """Held-out error of every run, and how far runs spread; beside it the closed form, rows in two orders."""
    torch = _import_torch()
    split = load_bike(bench, bench.choose(None, 1000))
    figures, errors = {}, []
    for optimiser, rates in RATES.items():
        for rate in rates:
            found = [_train(torch, split, optimiser, rate, seed, bench.choose(EPOCHS, 1)) for seed in range(SEEDS)]
            errors += found
            figures[f"net, {optimiser} {rate:g}: error"] = judge(float(np.mean(found)), "%", samples=found)
    solved = [_solve(split, order) for order in (1, -1)]
    shown = [float(100 * (1 - _fidelity(values, split.y_test))) for values in solved]
    figures["nets: worst less best error"] = judge(max(errors) - min(errors), "points")
    figures["closed form: error"] = judge(shown[0], "%", samples=shown)
    spread = np.abs(solved[0] - solved[1]).max() / np.std(solved[0])
    figures["closed form, rows in another order: largest change of a prediction"] = judge(float(spread), "of their spread")
    figures["best net less closed form"] = judge(min(errors) - shown[0], "points")
    return figures


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise Skipped("the nets need torch, which is not installed") from error
    return torch


def _solve(split: Split, step: int) -> NDArray[np.float64]:
    import instashap

    model = instashap.AdditiveRegressor(order=2, presence_order=2, interactions="all")
    return np.asarray(model.fit(split.X_train[::step], split.y_train[::step]).predict(split.X_test))


def _fidelity(predicted: NDArray[np.float64], target: Any) -> float:
    return float(1 - np.mean((predicted - target) ** 2) / np.var(target))


def _train(torch: Any, split: Split, optimiser: str, rate: float, seed: int, n_epochs: int) -> float:
    """Held-out error in per cent of one net for every column and pair, by the exact masked loss; 100 if it diverged."""
    torch.manual_seed(seed)
    train, test = (np.asarray(each, dtype=np.float64) for each in (split.X_train, split.X_test))
    means, scales = train.mean(axis=0), train.std(axis=0)
    X, X_test = (torch.tensor((each - means) / scales, dtype=torch.float32) for each in (train, test))
    mean, scale = float(np.mean(split.y_train)), float(np.std(split.y_train))
    y = torch.tensor((np.asarray(split.y_train) - mean) / scale, dtype=torch.float32)
    terms, masses = _weigh_terms(train.shape[1])
    nets = _make_nets(torch, len(terms))
    inputs = torch.tensor([[*term, term[0]][:2] for term in terms])  # a single column is read twice
    own, pairs = torch.tensor(np.diag(masses), dtype=torch.float32), torch.tensor(masses, dtype=torch.float32)
    make = torch.optim.SGD if optimiser == "SGD" else torch.optim.Adam
    descent = make(nets, lr=rate)
    for _ in range(n_epochs):
        for rows in torch.randperm(len(X)).split(BATCH):
            effects = _evaluate(torch, nets, X[rows][:, inputs])
            error = y[rows]
            # E over all masks of (e - sum of live terms)², without drawing one.
            loss = (error**2 - 2 * error * (effects @ own) + ((effects @ pairs) * effects).sum(dim=1)).mean()
            descent.zero_grad()
            loss.backward()
            descent.step()
    with torch.no_grad():
        effects = _evaluate(torch, nets, X[:, inputs]).mean(dim=0)
        predicted = (_evaluate(torch, nets, X_test[:, inputs]) - effects).sum(dim=1).numpy() * scale + mean
    return 100.0 * (1 - _fidelity(predicted, split.y_test)) if np.isfinite(predicted).all() else 100.0


def _weigh_terms(n_columns: int) -> tuple[list[tuple[int, ...]], NDArray[np.float64]]:
    """Columns and pairs, and the share of the masks in which two terms are live together."""
    from instashap.game.coalitions import compute_containment_masses, compute_shapley_size_law

    terms = [each for size in (1, 2) for each in combinations(range(n_columns), size)]
    masses = compute_containment_masses(compute_shapley_size_law(n_columns, 10.0))  # AdditiveRegressor's weight
    unions = np.array([[len({*left, *right}) for right in terms] for left in terms])
    return terms, masses[unions] / masses[0]


def _make_nets(torch: Any, n_terms: int) -> list[Any]:
    """Weights and offsets of one small ReLU net a term, side by side."""
    sizes = (2, *HIDDEN, 1)
    parameters = []
    for n_in, n_out in pairwise(sizes):
        bound = n_in**-0.5
        parameters.append(torch.empty(n_terms, n_in, n_out).uniform_(-bound, bound).requires_grad_())
        parameters.append(torch.empty(n_terms, 1, n_out).uniform_(-bound, bound).requires_grad_())
    return parameters


def _evaluate(torch: Any, nets: list[Any], inputs: Any) -> Any:
    """Every net on its own columns: (n_rows, n_terms, 2) to (n_rows, n_terms)."""
    values = inputs.transpose(0, 1)
    for layer in range(0, len(nets), 2):
        values = torch.bmm(values, nets[layer]) + nets[layer + 1]
        values = values if layer == len(nets) - 2 else torch.relu(values)
    return values[:, :, 0].T
