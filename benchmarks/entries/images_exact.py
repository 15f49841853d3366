"""Images of 16 patches: Shapley values beside exact enumeration of all 65 536 coalitions of a masked black box."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Split
from ..pictures import keep_explainer, load_images
from ..runner import Bench, Figure, judge
from .images import train_black_box

_GRID = (4, 4)
_D = 16
# Images whose explanations share the time of a fit with KernelSHAP.
_N_EXPLAINED = 1000

Game = Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float64]]


def run(bench: Bench) -> dict[str, Figure]:
    """R² and correlation with the exact values of additive models, FastSHAP and KernelSHAP, and their seconds."""
    import torch

    from instashap.neural import TrainingPlan

    split = load_images(bench, "fashion_mnist", bench.choose(None, 2000), bench.choose(None, 500))
    model, _ = train_black_box(bench, split)
    fitted_on = bench.choose(split.X_train, split.X_train[:500])
    game = make_game(model)
    images = split.X_test[np.linspace(0, len(split.X_test) - 1, bench.choose(16, 1)).astype(int)]
    start = time.perf_counter()
    exact = np.stack([enumerate_exactly(game, image) for image in images])
    figures = {"exact: seconds an image": judge((time.perf_counter() - start) / len(images), "s")}
    budget = 0.0
    for name, (n_epochs, options) in _list_fits(model).items():
        plan = TrainingPlan(bench.choose(n_epochs, 1), batch_rows=256, learning_rate=3e-3, weight_decay=1e-3)
        options = {"patches": _GRID, "plan": plan, **options}
        key = "fashion-16-" + name.replace(", ", "-").replace(" ", "-")
        explainer, seconds = keep_explainer(bench, key, model, fitted_on, **options)
        values, budget = explainer.shap_values(images), max(budget, seconds)
        figures |= compare(name, values, exact) | {f"{name}: fit": judge(seconds, "s")}
    split = Split(fitted_on, images, None, None)
    for start, net in (("", None), (", started from the black box", model.net)):
        torch.manual_seed(0)
        figures |= _measure_fastshap(bench, game, split, exact, budget, start, net)
    return figures | _measure_kernel(bench, game, images, exact, budget)


def _list_fits(model: Any) -> dict[str, tuple[int, dict[str, Any]]]:
    """Epochs and options of each additive model."""
    masked = {"value_function": model.predict_masked}
    return {
        "GAM-1": (8, {"order": 1}),
        "GAM-2": (8, {"interactions": "all"}),
        "GAM-1, masked targets": (30, {"order": 1, **masked}),
        "GAM-2, masked targets": (30, {"interactions": "all", **masked}),
        "hybrid, masked targets": (30, {"interactions": "hybrid", **masked}),
    }


def make_game(model: Any) -> Game:
    """Centred log-probabilities of the masked black box, of images and masks of players."""
    from instashap.neural.images.patches import make_patches

    segments = make_patches(_GRID, (28, 28)).segments

    def play(images: NDArray[Any], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        return to_scores(model.predict_masked(images, masks[:, segments]))

    return play


def to_scores(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred log-probabilities, those below the floor cut."""
    from instashap.blackbox.classes import to_log_odds
    from instashap.neural.images.reading import FLOOR

    return to_log_odds(np.log(np.maximum(probabilities, FLOOR)))


def enumerate_exactly(game: Game, image: NDArray[Any]) -> NDArray[np.float64]:
    """Shapley values of one image, shape (n_players, n_outputs): every coalition once."""
    from math import factorial

    from instashap.game.coalitions import enumerate_coalitions

    masks = enumerate_coalitions(_D)
    values = np.concatenate([game(np.repeat(image[None], len(some), axis=0), some) for some in np.split(masks, 16)])
    sizes = masks.sum(axis=1)
    weights = np.array([factorial(s) * factorial(max(_D - s - 1, 0)) / factorial(_D) for s in range(_D + 1)])
    found = np.empty((_D, values.shape[1]))
    for player in range(_D):
        without = np.flatnonzero(~masks[:, player])
        found[player] = weights[sizes[without]] @ (values[without + 2**player] - values[without])
    return found


def compare(name: str, values: NDArray[np.float64], exact: NDArray[np.float64]) -> dict[str, Figure]:
    error = np.square(values - exact).sum() / np.square(exact).sum()
    return {
        f"{name}: SHAP R²": judge(1.0 - error),
        f"{name}: correlation": judge(np.corrcoef(values.ravel(), exact.ravel())[0, 1]),
    }


def _measure_fastshap(
    bench: Bench, game: Game, split: Split, exact: NDArray[np.float64], budget: float, suffix: str, source: Any
) -> dict[str, Figure]:
    """A residual net from whole images to values of 4 × 4 patches, trained on coalitions for as long as the longest fit.

    ``source`` is a net whose weights its trunk starts from, as that of our context net does; None starts from random ones.
    """
    import torch
    from torch import nn

    from instashap.game.coalitions import compute_shapley_size_law
    from instashap.neural.devices import choose_device
    from instashap.neural.images.black_box import MaskedResNet
    from instashap.neural.images.patches import to_tensor
    from instashap.neural.masks import draw_paired_masks

    device = choose_device(bench.device)
    whole_net = MaskedResNet(1, 10, (16, 32, 64), 2)
    pixels = to_tensor(split.X_train[:5000])
    whole_net.mean.fill_(float(pixels.mean()))
    whole_net.scale.fill_(float(pixels.std()))
    if source is not None:
        whole_net.load_state_dict(source.state_dict())
    net = nn.Sequential(whole_net.stem, whole_net.stages, nn.Conv2d(64, 10, 1)).to(device)  # 4 × 4 × 10
    law = compute_shapley_size_law(_D)
    law[_D] = 0.0
    nothing, everything = np.zeros((1, _D), dtype=bool), np.ones((1, _D), dtype=bool)
    base = game(split.X_train[:1], nothing)

    def explain(images: NDArray[Any], full: torch.Tensor) -> torch.Tensor:
        seen = (to_tensor(images).to(device) - whole_net.mean) / whole_net.scale
        values = net(torch.cat([seen, torch.ones_like(seen)], dim=1)).flatten(2).transpose(1, 2)
        lacking = full - values.sum(dim=1)
        return values + lacking.unsqueeze(1) / _D  # shared out equally: efficient

    def ask(images: NDArray[Any], masks: NDArray[np.bool_]) -> torch.Tensor:
        return torch.as_tensor(game(images, masks) - base, dtype=torch.float32, device=device)

    optimiser = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(0)
    whole = ask(split.X_train, np.repeat(everything, len(split.X_train), axis=0))
    start, share, n_steps = time.perf_counter(), 0.0, 0
    while share < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * min(share / 0.1 + 0.02, 1.0 - share + 1e-3)
        rows = torch.randint(len(split.X_train), (128,), generator=generator).numpy()
        images = split.X_train[rows]
        masks = draw_paired_masks(law, len(rows), generator, device)
        wanted = ask(np.concatenate([images, images]), masks.cpu().numpy())
        values = explain(images, whole[rows])
        found = torch.einsum("np,npc->nc", masks.float(), torch.cat([values, values]))
        optimiser.zero_grad()
        (found - wanted).square().sum(dim=1).mean().backward()
        optimiser.step()
        n_steps += 1
        share = min((time.perf_counter() - start) / max(budget, 5.0), 1.0)
    net.eval()
    with torch.no_grad():
        values = explain(split.X_test, ask(split.X_test, np.repeat(everything, len(split.X_test), axis=0)))
    bench.notes.append(f"FastSHAP{suffix}: {n_steps} steps of 128 images and 256 coalitions in the time of the longest fit")
    name = f"FastSHAP{suffix}"
    return compare(name, values.double().cpu().numpy(), exact) | {f"{name}: fit": judge(budget, "s")}


def _measure_kernel(
    bench: Bench, game: Game, images: NDArray[Any], exact: NDArray[np.float64], budget: float
) -> dict[str, Figure]:
    """KernelSHAP on the same game: at fixed numbers of coalitions, and where 1 000 images take the longest fit's seconds."""
    if find_spec("shap") is None:
        bench.notes.append("shap is not installed: no KernelSHAP")
        return {}
    figures: dict[str, Figure] = {}
    seconds = 0.0
    for n_coalitions in bench.choose((64, 256, 1024), (64,)):
        values, seconds = _run_kernel(game, images, n_coalitions)
        figures |= compare(f"KernelSHAP, {n_coalitions} coalitions", values, exact)
        figures[f"KernelSHAP, {n_coalitions} coalitions: seconds an image"] = judge(seconds, "s")
    n_equal = int(np.clip(n_coalitions * budget / _N_EXPLAINED / seconds, 20, 4096))
    values, _ = _run_kernel(game, images, n_equal)
    bench.notes.append(f"KernelSHAP at equal time: {n_equal} coalitions, the longest fit shared among {_N_EXPLAINED} images")
    return figures | compare("KernelSHAP at equal time", values, exact)


def _run_kernel(game: Game, images: NDArray[Any], n_coalitions: int) -> tuple[NDArray[np.float64], float]:
    import shap

    found = []
    start = time.perf_counter()
    for image in images:
        explainer = shap.KernelExplainer(
            lambda masks, image=image: game(np.repeat(image[None], len(masks), axis=0), masks > 0.5), np.zeros((1, _D))
        )
        found.append(explainer.shap_values(np.ones((1, _D)), nsamples=n_coalitions, l1_reg=0, silent=True)[0])
    return np.stack(found), (time.perf_counter() - start) / len(images)
