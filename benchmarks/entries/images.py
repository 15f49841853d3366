"""Fashion-MNIST: a masked black box, and what sums over 49 patches carry of it."""

from __future__ import annotations

import statistics
import time
from typing import Any

from ..data import Split
from ..pictures import keep_classifier, keep_explainer, load_images
from ..runner import Bench, Figure, judge, measure_seconds

# Additive models by name: which sets of patches have a part, and epochs of the fit.
KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "GAM-1": (3, {"order": 1}),
    "hybrid": (2, {"interactions": "hybrid"}),
    "GAM-2, all pairs": (2, {"interactions": "all"}),
    "GAM-2, neighbours": (2, {"interactions": "neighbours"}),
}


def train_black_box(bench: Bench, split: Split) -> tuple[Any, float]:
    """A small residual net that knows masks of 49 and of 16 patches."""
    from instashap.neural import TrainingPlan

    epochs = bench.choose(12, 1)
    plan = TrainingPlan(n_epochs=epochs, batch_rows=256, learning_rate=1e-2, weight_decay=1e-3, device=bench.device)
    options = {"patches": ((7, 7), (4, 4)), "widths": (16, 32, 64), "stride": 2, "flip": True, "plan": plan}
    return keep_classifier(bench, "fashion-black-box", split, **options)


def run(bench: Bench) -> dict[str, Figure]:
    """Accuracy of the black box and of each additive model, its report, curves, and the time of a heat map."""
    split = load_images(bench, "fashion_mnist", bench.choose(None, 2000), bench.choose(None, 500))
    model, seconds = train_black_box(bench, split)
    accuracy = float((model.predict(split.X_test) == split.y_test).mean())
    figures = {"black box: accuracy": judge(accuracy), "black box: training": judge(seconds, "s")}
    figures |= measure_kinds(bench, "fashion", model, split, KINDS)
    best = max(figures[f"{kind}: accuracy"]["figure"] for kind in KINDS)
    return figures | {"best additive: accuracy": judge(best), "best additive: gap to the black box": judge(accuracy - best)}


def measure_kinds(
    bench: Bench, name: str, model: Any, split: Split, kinds: dict[str, tuple[int, dict[str, Any]]]
) -> dict[str, Figure]:
    """Figures of every additive model of a black box."""
    from instashap.neural import TrainingPlan

    figures: dict[str, Figure] = {}
    for kind, (n_epochs, options) in kinds.items():
        plan = TrainingPlan(bench.choose(n_epochs, 1), batch_rows=256, learning_rate=3e-3, weight_decay=1e-3)
        key = f"{name}-{kind}".replace(", ", "-").replace(" ", "-")
        explainer, seconds = keep_explainer(bench, key, model, split.X_train, **{"patches": (7, 7), "plan": plan, **options})
        figures |= {f"{kind}: {what}": each for what, each in measure_explainer(bench, explainer, model, split, kind).items()}
        figures[f"{kind}: fit"] = judge(seconds, "s")
    return figures


def measure_explainer(bench: Bench, explainer: Any, model: Any, split: Split, kind: str) -> dict[str, Figure]:
    """What the trust report says of one explainer, its curves, and its speed."""
    from instashap.neural import compute_curves

    report = explainer.audit(split.X_test, split.y_test, model=model, value_function=model.predict_masked)
    rung = report.rungs[1]
    some = split.X_test[:: max(len(split.X_test) // 200, 1)]
    curves = compute_curves(explainer(some), model.predict_masked)
    bench.notes.append(f"{kind}: {report.verdict}. {report.summary().splitlines()[0]}")
    single, many = split.X_test[:1], split.X_test[: bench.choose(2000, 200)]
    actions = {"one": lambda: explainer(single), "many": lambda: explainer(many)}
    actions["one"]()
    start = time.process_time()
    seconds = measure_seconds({"one": actions["one"]}, 50)["one"]
    of_cpu = (time.process_time() - start) / 50
    rates = [len(many) / each for each in measure_seconds({"many": actions["many"]}, bench.repeats)["many"]]
    assert rung.masked is not None
    return {
        "accuracy": judge(rung.labels["accuracy"].value),
        "class agreement with the black box": judge(rung.classes["class agreement"].value),
        "R² to the black box": judge(rung.carried.value),
        "R² to its masked games": judge(rung.masked.carried.value),
        "insertion area": judge(curves.insertion_area),
        "deletion area": judge(curves.deletion_area),
        "heat map of one image": judge(1e3 * statistics.median(seconds), "ms"),
        "heat map of one image, CPU": judge(1e3 * of_cpu, "ms"),
        "heat maps": judge(statistics.median(rates), "images/s", samples=rates),
    }


