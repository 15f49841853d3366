"""The neural form: noise of sampled masks that the exact loss has not, and additive nets of bike sharing."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ..data import compute_error, load_bike
from ..runner import Bench, Figure, judge, judge_seconds, measure_seconds


def run(bench: Bench) -> dict[str, Figure]:
    """Variance of the gradient by sampled masks; held-out errors ``100 (1 - R²)`` of bike sharing at orders 1, 2 and 3."""
    return {**_measure_noise(bench), **_measure_options(bench), **_measure_bike(bench)}


def _measure_noise(bench: Bench) -> dict[str, Figure]:
    """Variance of the gradient over draws of masks, summed over parameters, relative to the squared gradient itself."""
    import torch

    from instashap.datasets import make_equicorrelated
    from instashap.game.coalitions import compute_shapley_size_law
    from instashap.game.terms import make_presence_masks
    from instashap.neural.losses import compute_exact_loss, compute_sampled_loss, make_mask_masses, sum_live_parts
    from instashap.neural.masks import draw_masks
    from instashap.neural.nets import AdditiveNet, NetShape

    d, n_rows = 8, 512
    X, f = make_equicorrelated(d, 0.6, random_state=0).sample(n_rows, random_state=0)
    law = compute_shapley_size_law(d, 1.0)
    value_sets = [each for size in (1, 2) for each in combinations(range(d), size)]
    torch.manual_seed(0)
    net = AdditiveNet(np.arange(d), value_sets, range(d), list(combinations(range(d), 3)), 1, NetShape())
    rows, target, weights = (torch.as_tensor(each, dtype=torch.float32) for each in (X, f[:, None], np.ones(n_rows)))
    masses = make_mask_masses(net.presence_sets, law)
    members = torch.as_tensor(make_presence_masks(net.presence_sets, d))
    generator = torch.Generator().manual_seed(0)

    def differentiate(loss: Any) -> np.ndarray:
        gradients = torch.autograd.grad(loss, [each for each in net.parameters() if each.numel()], allow_unused=True)
        return torch.cat([each.ravel() for each in gradients if each is not None]).numpy()

    def compute_sampled(n_masks: int) -> Any:
        parts, loss = net(rows), 0.0
        for _ in range(n_masks):
            masks = draw_masks(law, n_rows, generator, torch.device("cpu"))
            loss = loss + law.sum() / n_masks * compute_sampled_loss(sum_live_parts(parts, masks, members), target, weights)
        return loss

    exact = [differentiate(compute_exact_loss(net(rows), target, weights, masses)) for _ in range(2)]
    size = float(np.sum(exact[0] ** 2))
    figures = {"variance of the gradient, exact loss": judge(float(np.sum((exact[0] - exact[1]) ** 2)) / size)}
    for n_masks in (1, 32):
        drawn = np.stack([differentiate(compute_sampled(n_masks)) for _ in range(bench.choose(100, 10))])
        figures[f"variance of the gradient, {n_masks} sampled masks a row"] = judge(float(drawn.var(axis=0).sum()) / size)
        bias = float(np.sum((drawn.mean(axis=0) - exact[0]) ** 2) / size)
        figures[f"squared distance of the mean gradient, {n_masks} sampled masks a row"] = judge(bias)
    bench.notes.append("variances over draws of masks for the same 512 rows, relative to the squared gradient")
    return figures


def _measure_options(bench: Bench) -> dict[str, Figure]:
    """Seconds of an epoch of the exact loss, and before the first ends, in float32, in bfloat16 and compiled."""
    options: dict[str, dict[str, Any]] = {
        "float32": {"precision": "float32"},
        "bfloat16": {"precision": "bfloat16"},
        "float32, compiled": {"precision": "float32", "compile": True},
    }
    figures = {}
    for name, option in options.items():
        seconds, held_out = _time_epochs(bench, option)
        figures[f"{name}: an epoch of 20 000 rows"] = judge(float(np.median(seconds[1:])), "s")
        figures[f"{name}: the first epoch"] = judge(seconds[0], "s")
        figures[f"{name}: held-out loss"] = judge(held_out)
    return figures


def _time_epochs(bench: Bench, option: dict[str, Any]) -> tuple[list[float], float]:
    """Seconds of every epoch of an additive net with pairs and presence triples, and the last held-out loss."""
    import torch

    from instashap.datasets import make_equicorrelated
    from instashap.game.coalitions import compute_shapley_size_law
    from instashap.neural import NetShape, TrainingPlan
    from instashap.neural.devices import choose_device
    from instashap.neural.losses import compute_exact_loss, make_mask_masses
    from instashap.neural.nets import AdditiveNet
    from instashap.neural.training import seed_weights, train

    d, n_rows, device = 12, bench.choose(20_000, 1000), choose_device(bench.device)
    made = make_equicorrelated(d, 0.6, random_state=0).sample(n_rows, random_state=0)
    rows, target = (torch.as_tensor(each.reshape(n_rows, -1), dtype=torch.float32, device=device) for each in made)
    weights = torch.ones(n_rows, device=device)
    value_sets = [each for size in (1, 2) for each in combinations(range(d), size)]
    with seed_weights(0):
        net = AdditiveNet(np.arange(d), value_sets, range(d), list(combinations(range(d), 3)), 1, NetShape()).to(device)
    masses = make_mask_masses(net.presence_sets, compute_shapley_size_law(d, 1.0)).to(device)
    marks = [time.perf_counter()]

    def compute_loss(batch: Any, _: Any) -> Any:
        chosen = batch.to(device)
        return compute_exact_loss(net(rows[chosen]), target[chosen], weights[chosen], masses)

    def note(share: float, what: str) -> None:
        marks.append(time.perf_counter())

    plan = TrainingPlan(bench.choose(6, 2), batch_rows=512, device=bench.device, progress=note, **option)
    some = torch.arange(1000)
    trained = train(net, compute_loss, n_rows, lambda: float(compute_loss(some, None)), plan)
    return np.diff(marks).tolist(), trained.held_out_losses[-1]


def _measure_bike(bench: Bench) -> dict[str, Figure]:
    from instashap.neural import NeuralAdditiveRegressor
    from instashap.neural.net_fitter import PLAN

    figures = {}
    split = load_bike(bench, bench.choose(None, 2000))
    plan = replace(PLAN, device=bench.device, n_epochs=bench.choose(None, 3))
    for order in (1, 2, 3):
        model = NeuralAdditiveRegressor(order=order, plan=plan)
        seconds = measure_seconds({"fit": lambda made=model: made.fit(split.X_train, split.y_train)}, 1)["fit"]
        figures[f"bike, order {order}: error"] = judge(compute_error(model, split), "%")
        figures[f"bike, order {order}: fit"] = judge_seconds(seconds)
    return figures
