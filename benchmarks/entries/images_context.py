"""Images of 16 patches: a net of the whole image, and refined values, beside exact enumeration, in few masked images."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Split
from ..pictures import load_images
from ..runner import Bench, Figure, judge, measure_seconds
from .images import train_black_box
from .images_exact import Game, compare, enumerate_exactly, make_game, to_scores

# Images, coalitions of each and epochs: within the seconds that FastSHAP had in ``images_exact``.
_N_IMAGES, _N_COALITIONS, _N_EPOCHS = 60_000, 34, 7
# Seconds of one masked image, and of FastSHAP, in the committed result of ``images_exact``.
_PACE, _FASTSHAP = 3.4371 / 65_536, 311.85
_D = 16


def run(bench: Bench) -> dict[str, Figure]:
    """R² to exact values, coverage, and seconds at the pace of the machine on which FastSHAP was measured."""
    split = load_images(bench, "fashion_mnist", bench.choose(None, 2000), bench.choose(None, 500))
    model, _ = train_black_box(bench, split)
    game = make_game(model)
    images = split.X_test[np.linspace(0, len(split.X_test) - 1, bench.choose(16, 1)).astype(int)]
    explainer, figures = _fit(bench, game, model, split)
    exact = np.stack([enumerate_exactly(game, image) for image in images])
    whole = game(images, np.ones((len(images), _D), dtype=bool))
    figures |= compare("context", explainer(images, outputs=whole).values, exact)
    one = {"one": lambda: explainer(images[:1], outputs=whole[:1])}
    figures["heat map of one image"] = judge(1e3 * statistics.median(measure_seconds(one, 50)["one"]), "ms")
    figures |= _measure_refined(bench, explainer, model, images, exact)
    return figures | _measure_without_fit(bench, explainer.segments_, model, images, exact)


def _fit(bench: Bench, game: Game, model: Any, split: Split) -> tuple[Any, dict[str, Figure]]:
    """The explainer and what its fit took: processor seconds, as the machine may have other work."""
    from instashap.neural import ImageExplainer, TrainingPlan

    plan = TrainingPlan(bench.choose(_N_EPOCHS, 1), batch_rows=128, learning_rate=3e-3, weight_decay=1e-3)
    options = {"patches": (4, 4), "interactions": "all", "value_function": model.predict_masked, "plan": plan}
    explainer = ImageExplainer(model, context=bench.choose(_N_COALITIONS, 18), device=bench.device, **options)
    pace = [_measure_pace(game, split.X_test)]
    start = time.process_time()
    explainer.fit(split.X_train[: bench.choose(_N_IMAGES, 500)])
    seconds = time.process_time() - start
    pace.append(_measure_pace(game, split.X_test))
    slowness = statistics.mean(pace) / _PACE
    bench.notes.append(f"a masked image took {slowness:.2f} times as long as when FastSHAP was measured")
    return explainer, {
        "fit, CPU": judge(seconds, "s"),
        "fit at the pace of images_exact, CPU": judge(seconds / slowness, "s"),
        "fit beside FastSHAP's": judge(seconds / slowness / _FASTSHAP),
    }


def _measure_pace(game: Game, images: NDArray[Any]) -> float:
    """Processor seconds of one masked image, in batches as small as those of ``images_exact``."""
    masks = np.random.default_rng(0).random((256, _D)) < 0.5
    start = time.process_time()
    for _ in range(64):
        game(images[:256], masks)
    return (time.process_time() - start) / (64 * 256)


def _measure_refined(
    bench: Bench, explainer: Any, model: Any, images: NDArray[Any], exact: NDArray[np.float64]
) -> dict[str, Figure]:
    """Refined values at the numbers of coalitions of KernelSHAP: R², seconds an image, coverage of 90 % intervals."""
    figures: dict[str, Figure] = {}
    for n_coalitions in bench.choose((64, 256, 1024), (64,)):
        for name, shrink in (("refined", False), ("refined and shrunken", True)):
            options = {"n_coalitions": n_coalitions, "shrink": shrink, "value_function": model.predict_masked, "model": model}
            start = time.process_time()
            found = explainer.refine(images, **options)
            seconds = time.process_time() - start
            title = f"{name}, {n_coalitions} coalitions"
            figures |= compare(title, found.values, exact) | {f"{title}: CPU an image": judge(seconds / len(images), "s")}
            if not shrink:
                inside = np.abs(found.values - exact) <= 1.645 * found.standard_errors
                figures[f"{title}: in 90 % intervals"] = judge(float(inside.mean()))
    return figures


def _measure_without_fit(
    bench: Bench, segments: NDArray[np.int64], model: Any, images: NDArray[Any], exact: NDArray[np.float64]
) -> dict[str, Figure]:
    """The same sampler without a fitted explainer, as KernelSHAP has none: R² and coverage of 90 % intervals."""
    from instashap.neural import explain_segments

    def ask(images: NDArray[Any], pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return to_scores(model.predict_masked(images, pixels))

    figures: dict[str, Figure] = {}
    for n_coalitions in bench.choose((64, 256, 1024), (64,)):
        found = explain_segments(ask, images, np.tile(segments, (len(images), 1, 1)), n_coalitions=n_coalitions)
        title = f"without a fit, {n_coalitions} coalitions"
        inside = np.abs(found.values - exact) <= 1.645 * found.standard_errors
        figures |= compare(title, found.values, exact) | {f"{title}: in 90 % intervals": judge(float(inside.mean()))}
    return figures
