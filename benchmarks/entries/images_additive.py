"""Images of 16 patches: what each kind of term adds to a sum over patches fitted to masked targets, beside exact values."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..pictures import load_images
from ..runner import Bench, Figure, judge
from .images import train_black_box
from .images_exact import compare, enumerate_exactly, make_game

# Images and epochs of each fit.
_N_IMAGES, _N_EPOCHS = 10_000, 8
# Options of each additive model.
KINDS: dict[str, dict[str, Any]] = {
    "patches, the same at every size": {"order": 1, "size_modes": 1},
    "patches": {"order": 1},
    "patches and neighbours": {"interactions": "neighbours"},
    "patches and blocks of four": {"interactions": "blocks"},
    "patches and all pairs": {"interactions": "all"},
    "patches, blocks and all pairs": {"interactions": "hybrid"},
    "patches and all pairs, rank 32": {"interactions": "all", "rank": 32},
    "patches and all pairs, 128 features": {"interactions": "all", "width": 128},
}


def run(bench: Bench) -> dict[str, Figure]:
    """R² of Shapley values, R² to whole images and to masked games, accuracy, and seconds, of each additive model."""
    from instashap.neural import ImageExplainer, TrainingPlan

    split = load_images(bench, "fashion_mnist", bench.choose(None, 2000), bench.choose(None, 500))
    model, _ = train_black_box(bench, split)
    game = make_game(model)
    explained = split.X_test[np.linspace(300, len(split.X_test) - 200, bench.choose(16, 1)).astype(int)]
    exact = np.stack([enumerate_exactly(game, image) for image in explained])
    fitted_on, step = split.X_train[: bench.choose(_N_IMAGES, 500)], bench.choose(5, 1)
    plan = TrainingPlan(bench.choose(_N_EPOCHS, 1), batch_rows=128, learning_rate=3e-3, weight_decay=1e-3)
    figures: dict[str, Figure] = {}
    for kind, options in KINDS.items():
        masked = {"patches": (4, 4), "value_function": model.predict_masked, "plan": plan, "device": bench.device}
        start = time.process_time()
        explainer = ImageExplainer(model, **masked, **options).fit(fitted_on)
        figures[f"{kind}: fit, CPU"] = judge(time.process_time() - start, "s")
        rung = explainer.audit(split.X_test[::step], split.y_test[::step]).rungs[1]
        assert rung.masked is not None
        figures |= compare(kind, explainer.shap_values(explained), exact)
        figures[f"{kind}: R² to whole images"] = judge(rung.carried.value)
        figures[f"{kind}: R² to masked games"] = judge(rung.masked.carried.value)
        figures[f"{kind}: accuracy"] = judge(rung.labels["accuracy"].value)
    return figures
