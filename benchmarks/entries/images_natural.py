"""CIFAR-10 sample: natural images, where sums over patches carry less; the gap and the verdict."""

from __future__ import annotations

from typing import Any

from ..pictures import keep_classifier, load_images
from ..runner import Bench, Figure, judge
from .images import measure_kinds

_KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "GAM-1": (10, {"order": 1, "patches": (8, 8)}),
    "hybrid": (6, {"interactions": "hybrid", "patches": (8, 8)}),
}


def run(bench: Bench) -> dict[str, Figure]:
    """Accuracy of the black box and of each additive model, and its report."""
    from instashap.neural import TrainingPlan

    split = load_images(bench, "cifar10_sample", bench.choose(None, 1000), bench.choose(None, 200))
    plan = TrainingPlan(bench.choose(10, 1), batch_rows=128, learning_rate=1e-2, weight_decay=1e-2, device=bench.device)
    options = {"patches": ((8, 8), (4, 4)), "widths": (24, 48, 96), "stride": 2, "flip": True, "plan": plan}
    model, seconds = keep_classifier(bench, "cifar-black-box", split, **options)
    accuracy = float((model.predict(split.X_test) == split.y_test).mean())
    figures = {"black box: accuracy": judge(accuracy), "black box: training": judge(seconds, "s")}
    figures |= measure_kinds(bench, "cifar", model, split, _KINDS)
    best = max(figures[f"{kind}: accuracy"]["figure"] for kind in _KINDS)
    return figures | {"best additive: gap to the black box": judge(accuracy - best)}
