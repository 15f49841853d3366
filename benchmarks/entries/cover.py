"""Tree cover: log-odds of a LightGBM model of seven classes, explained; does the explainer name the same class?"""

from __future__ import annotations

import time
from importlib.util import find_spec

import numpy as np

from ..data import N_COVER, load_cover
from ..runner import Bench, Figure, Skipped, judge


def run(bench: Bench) -> dict[str, Figure]:
    """Agreement with the black box's class on held-out rows at orders 1 and 2, R² to its outputs, and seconds of the fit.

    Twelve players: ten numbers, wilderness area, soil in four zones. The explainer sees the rows the model was trained on.
    """
    if find_spec("lightgbm") is None:
        raise Skipped("needs lightgbm")
    from lightgbm import LGBMClassifier

    import instashap
    from instashap.blackbox import wrap_model

    split = load_cover(bench, bench.choose(N_COVER, 3000))
    X_train, y_train, X_test, y_test = split.X_train, split.y_train, split.X_test, split.y_test
    # LightGBM's own least Hessian of a leaf, .001, lets the leaves of rare classes diverge: 82 % instead of 91 %.
    model = LGBMClassifier(n_estimators=bench.choose(200, 20), num_leaves=63, min_child_weight=1.0, random_state=0, verbose=-1)
    model.fit(X_train, y_train)
    outputs = wrap_model(model).predict(X_test, len(X_test))
    classes = outputs.argmax(axis=1)
    figures = {"black box: accuracy": judge(100 * float(np.mean(model.classes_[classes] == y_test)), "%")}
    for order in (1, 2):
        start = time.perf_counter()
        explainer = instashap.Explainer(model, order=order).fit(X_train)
        figures[f"order {order}: fit, model calls included"] = judge(time.perf_counter() - start, "s")
        found = explainer.predict(X_test)
        labels = model.classes_[found.argmax(axis=1)]
        residual = ((found - outputs) ** 2).sum() / ((outputs - outputs.mean(axis=0)) ** 2).sum()
        figures[f"order {order}: class agreement"] = judge(100 * float(np.mean(found.argmax(axis=1) == classes)), "%")
        figures[f"order {order}: held-out R² to the log-odds"] = judge(1.0 - float(residual))
        figures[f"order {order}: accuracy of the explainer's class"] = judge(100 * float(np.mean(labels == y_test)), "%")
    return figures
