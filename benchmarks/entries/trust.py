"""The trust report against functions, games and regions that are known."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instashap.questions.audit import get_audit

from ..data import load_bike
from ..runner import Bench, Figure, Skipped, judge

Array = NDArray[np.float64]


def run(bench: Bench) -> dict[str, Figure]:
    """Verdicts, masked risks, regions, and the coverage of every interval."""
    figures = _judge_known_functions(bench)
    figures |= _judge_drawn_functions(bench)
    figures |= _find_planted_regions(bench)
    figures |= _compare_masked_risks(bench)
    figures |= _cover_rows(bench)
    figures |= _cover_ladder(bench)
    figures |= _steady_shapes(bench)
    try:
        return figures | _audit_bike(bench)
    except Skipped as reason:
        bench.notes.append(str(reason))
        return figures


def _judge_known_functions(bench: Bench) -> dict[str, Figure]:
    """A product of three columns, of two, and a sum of correlated ones."""
    n_rows = bench.choose(20_000, 1500)
    X = np.random.default_rng(0).normal(size=(n_rows, 4))
    triple = _audit(lambda X: X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3], X, (1, 2, 3))
    pair = _audit(lambda X: X[:, 0] + X[:, 1] * X[:, 2], X)
    covariance = 0.9 * np.ones((4, 4)) + 0.1 * np.eye(4)
    Z = np.random.default_rng(0).multivariate_normal(np.zeros(4), covariance, n_rows)
    redundant = _audit(lambda Z: Z.sum(axis=1), Z)
    named = [[term.name for term in rung.missing[:1]] for rung in triple.rungs[1:3]]
    values = {
        "x1 x2 x3 + x4: verdicts right": triple.verdicts == {1: "unsafe", 2: "unsafe", 3: "safe"},
        "x1 x2 x3 + x4: (x1, x2, x3) named": named == [["x0 × x1 × x2"]] * 2,
        "x1 + x2 x3: verdicts right": pair.verdicts == {1: "unsafe", 2: "safe"},
        "x1 + x2 x3: (x2, x3) named first": [term.name for term in pair.rungs[1].missing[:1]] == ["x1 × x2"],
        "sum, correlation .9: safe at order 1": redundant.verdicts[1] == "safe",
        "sum, correlation .9: plain attributions are not": redundant.table.loc["order 1", "verdict, plain"] != "safe",
    }
    return {name: judge(float(value), "yes = 1") for name, value in values.items()} | {
        "x1 + x2 x3: R² of order 2": judge(pair.rungs[2].carried.value),
        "sum, correlation .9: attributions carried by plain order 1": judge(redundant.rungs[1].masked.plain),
    }


def _judge_drawn_functions(bench: Bench) -> dict[str, Figure]:
    """Twenty sums of curves and interactions of a known share; order 1 carries the rest."""
    wrong_safe = wrong_unsafe = 0
    errors = []
    for seed in range(bench.choose(20, 3)):
        share, X, f = draw_function(np.random.default_rng(1000 + seed), bench.choose(2000, 600))
        report = _audit_outputs(X, f)
        thresholds = report.thresholds
        wrong_safe += report.verdict == "safe" and 1 - share < thresholds.safe_carried
        wrong_unsafe += report.verdict == "unsafe" and 1 - share >= thresholds.unsafe_carried
        errors.append(abs(report.rungs[1].carried.value - (1 - share)))
    return {
        "20 drawn functions: false safe": judge(wrong_safe),
        "20 drawn functions: false unsafe": judge(wrong_unsafe),
        "20 drawn functions: largest error of the share carried": judge(max(errors)),
    }


def draw_function(rng: np.random.Generator, n_rows: int) -> tuple[float, Array, Array]:
    """Share of the interactions, rows, and outputs: unit-variance curves and products of such curves, columns independent."""
    X = rng.uniform(-1, 1, size=(n_rows, 6))
    curves: list[Callable[[Array], Array]] = [
        lambda x: np.sqrt(3.0) * x,
        lambda x: np.sqrt(45 / 4) * (x**2 - 1 / 3),
        lambda x: np.sqrt(2.0) * np.sin(np.pi * x),
        np.sign,
    ]

    def curve(column: int) -> Array:
        return curves[rng.integers(len(curves))](X[:, column])

    share = float(rng.uniform(0.0, 0.5))
    mains = np.sqrt((1 - share) * rng.dirichlet(np.ones(6)))
    main = sum(weight * curve(column) for column, weight in enumerate(mains))
    n_terms = int(rng.integers(1, 4))
    terms = {tuple(sorted(rng.choice(6, size=rng.integers(2, 4), replace=False).tolist())) for _ in range(n_terms)}
    weights = np.sqrt(share * rng.dirichlet(np.ones(len(terms))))
    products = [np.prod([curve(column) for column in term], axis=0) for term in sorted(terms)]
    return share, X, main + sum(weight * product for weight, product in zip(weights, products, strict=True))


def _find_planted_regions(bench: Bench) -> dict[str, Figure]:
    """A region of two to three conditions where four columns interact; overlap of the first segment with it."""
    overlaps = []
    for seed in range(bench.choose(20, 2)):
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, size=(bench.choose(6000, 2000), 7))
        columns = rng.choice(7, size=rng.integers(2, 4), replace=False)
        cuts = rng.uniform(-0.3, 0.3, size=len(columns))
        planted = (X[:, columns] > cuts).all(axis=1)
        others = np.setdiff1d(np.arange(7), columns)[:4]
        f = 2 * X[:, 0] + X[:, 1] * X[:, 2] + planted * np.sign(np.prod(X[:, others], axis=1))
        overlaps.append(_measure_overlap(X, f, planted))
    return {
        "planted regions: median overlap (IoU)": judge(float(np.median(overlaps)), samples=overlaps),
        "planted regions: overlap of .7 at least": judge(float(np.mean(np.array(overlaps) >= 0.7))),
    }


def _measure_overlap(X: Array, f: Array, planted: NDArray[np.bool_]) -> float:
    """Overlap of the first segment, read from its words, with the region."""
    segments = _explain(X, f, 2).audit().rungs[-1].segments
    if not segments:
        return 0.0
    found = np.ones(len(X), dtype=bool)
    for text in segments[0].conditions:
        words = text.split()
        column, numbers = int(words[0][1:]), [float(word) for word in words if word.lstrip("-").replace(".", "").isdigit()]
        found &= X[:, column] > numbers[0] if "above" in words else True
        found &= X[:, column] <= numbers[-1] if "most" in words else True
    return float((found & planted).sum() / (found | planted).sum())


def _compare_masked_risks(bench: Bench) -> dict[str, Figure]:
    """Largest relative error of the reported masked risk over coalition sizes, by simulator."""
    from instashap import datasets

    figures = {}
    simulators: dict[str, Any] = {
        "equicorrelated 0.6": datasets.make_equicorrelated(random_state=0),
        "factor of rank 3": datasets.make_factor(random_state=0),
        "latent classes": datasets.make_latent_class(n_levels=4, random_state=0),
    }
    for name, simulator in simulators.items():
        X, f = simulator.sample(bench.choose(20_000, 1500), 0)
        explainer = _explain(X.astype(float), f, 2)
        exact = _compute_exact_risks(explainer, simulator, bench)
        errors = [abs(each.risk.value / exact[each.size] - 1) for each in explainer.audit().rungs[-1].masked.sizes]
        figures[f"{name}: largest error of a masked risk"] = judge(max(errors), samples=errors)
    return figures


def _compute_exact_risks(explainer: Any, simulator: Any, bench: Bench) -> dict[int, float]:
    """``(E (f - F)² + E (F - v)²) / Var f`` by size, over every coalition, from many new rows."""
    from instashap.game.coalitions import enumerate_coalitions
    from instashap.trust.held_rows import iterate_masked

    fitted = explainer._fitted
    many, f = simulator.sample(bench.choose(100_000, 1000), 1)
    X = many[:4000].astype(float)
    masks = enumerate_coalitions(X.shape[1])[1:-1]
    everywhere = np.broadcast_to(masks, (len(X), *masks.shape))
    blocks = iterate_masked(fitted.model, fitted.encoder.encode(fitted.read(X)), everywhere)
    values = np.concatenate([each for _, each in blocks])
    risks: dict[int, list[float]] = {}
    for mask, own in zip(masks, values[:, :, 0].T, strict=True):
        game = simulator.value(many, mask)
        risk = float(((f - game) ** 2).mean() + ((game[: len(X)] - own) ** 2).mean())
        risks.setdefault(int(mask.sum()), []).append(risk / simulator.variance)
    return {size: float(np.mean(each)) for size, each in risks.items()}


def _cover_rows(bench: Bench) -> dict[str, Figure]:
    """How often the 90 % interval of a row's trust holds the share its values carry, on new rows."""
    from sklearn.datasets import make_friedman1
    from sklearn.ensemble import HistGradientBoostingRegressor

    from instashap import datasets

    X, y = make_friedman1(bench.choose(8000, 1500), n_features=10, noise=1.0, random_state=0)
    model = HistGradientBoostingRegressor(random_state=0).fit(X, y)
    simulator = datasets.make_factor(random_state=1)
    cases: dict[str, tuple[Array, Callable[[Array], Array], int]] = {
        "boosting of Friedman's function": (
            make_friedman1(bench.choose(8000, 1500), n_features=10, random_state=1)[0], model.predict, 2
        ),
        "factor of rank 3, order 1": (simulator.sample(bench.choose(8000, 1500), 0)[0], simulator.predict, 1),
    }  # fmt: skip
    figures = {}
    for name, (rows, predict, order) in cases.items():
        half = len(rows) // 2
        explanation = _explain(rows[:half], predict(rows[:half]), order)(rows[half:])
        bars = np.abs(explanation.values).sum(axis=1)
        share = bars / (bars + np.abs(predict(rows[half:]) - explanation.predictions))
        low, high = explanation.output_share_interval.T
        covered = float(((low <= share) & (share <= high)).mean())
        figures[f"{name}: coverage of row trust"] = judge(covered)
        figures[f"{name}: distance of that coverage from 90 %"] = judge(abs(covered - 0.9))
    return figures


def _cover_ladder(bench: Bench) -> dict[str, Figure]:
    """How often the ladder's 90 % interval holds the R² of the same explainer on 50 000 new rows; 2 000 rows a redraw."""

    def function(X: Array) -> Array:
        return np.asarray(X[:, 0] + np.sin(2 * X[:, 1]) + 0.7 * X[:, 2] * X[:, 3] + 0.5 * X[:, 0] * X[:, 2] * X[:, 4])

    fresh = np.random.default_rng(10**6).normal(size=(bench.choose(50_000, 5000), 5))
    truth = function(fresh)
    n_redraws = bench.choose(100, 5)
    covered = {1: 0, 2: 0}
    for seed in range(n_redraws):
        X = np.random.default_rng(seed).normal(size=(2000, 5))
        for order in covered:
            explainer = _explain(X, function(X), order)
            figure = get_audit(explainer._fitted).rungs[-1].carried
            exact = 1 - np.mean((truth - explainer.predict(fresh)) ** 2) / truth.var()
            covered[order] += figure.low <= exact <= figure.high
    return {
        f"ladder, order {order}: intervals that hold": judge(count / n_redraws) for order, count in covered.items()
    }


def _steady_shapes(bench: Bench) -> dict[str, Figure]:
    """Spread of main-effect shapes over redraws of 500 rows: fitted to the full coalition alone, over under masks."""
    from instashap.trust.stability import measure_stability

    figures = {}
    for correlation in (0.0, 0.9, 0.99):
        covariance = correlation * np.ones((4, 4)) + (1 - correlation) * np.eye(4)
        shapes: dict[str, list[Array]] = {"masked": [], "plain": []}
        told = []
        grid = np.repeat(np.linspace(-1.5, 1.5, 31)[:, None], 4, axis=1)
        for seed in range(bench.choose(20, 3)):
            rng = np.random.default_rng(seed)
            X = rng.multivariate_normal(np.zeros(4), covariance, 500)
            y = X.sum(axis=1) + rng.normal(size=500)
            for name, weight in (("masked", 1.0), ("plain", 1e6)):
                explainer = _explain(X, y, 1, presence_order=1, full_weight=weight)
                shapes[name].append(explainer.interaction_values(grid))
                if name == "masked":
                    told.append(measure_stability(explainer._fitted.record, _make_rows(explainer)))
        spread = {name: float(np.sqrt(np.var(each, axis=0).mean())) for name, each in shapes.items()}
        label = f"shapes of 500 rows, correlation {correlation:g}"
        figures[f"{label}: plain spread / masked spread"] = judge(spread["plain"] / spread["masked"], "×")
        figures[f"{label}: the same as reported"] = judge(float(np.median([each.ratio for each in told])), "×")
    return figures


def _make_rows(explainer: Any) -> Any:
    from instashap.trust.held_rows import Rows

    record = explainer._fitted.record
    columns = tuple(column.encoder for column in record.columns)
    return Rows(record.encoded, record.outputs, record.weights, columns, record.players, explainer.feature_names_)


def _audit_bike(bench: Bench) -> dict[str, Figure]:
    """Gradient boosting of hourly bike sharing: what is said of it, and how long all of it takes."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    import instashap

    split = load_bike(bench, bench.choose(None, 1500))
    X, y = split.X_train, split.y_train
    if not bench.quick:
        import pandas as pd

        X, y = pd.concat([X, split.X_test]), np.concatenate([y, split.y_test])
    model = HistGradientBoostingRegressor(random_state=0).fit(split.X_train, split.y_train)
    _audit_outputs(np.random.default_rng(0).normal(size=(200, 3)), np.arange(200.0))  # compiles
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        report = instashap.audit(model, X, y)
    seconds = time.perf_counter() - start
    first = report.rungs[1].missing[:1]
    return {
        "bike: order 1 is not safe": judge(float(report.verdicts[1] != "safe"), "yes = 1"),
        "bike: hr × workingday named first": judge(
            float(bool(first) and set(first[0].columns) == {"hr", "workingday"}), "yes = 1"
        ),
        "bike: R² of order 1": judge(report.rungs[1].carried.value),
        "bike: R² of order 2": judge(report.rungs[2].carried.value),
        f"bike: report of {len(X):,} rows": judge(seconds, "s"),
    }


def _audit(model: Callable[[Array], Array], X: Array, orders: tuple[int, ...] = (1, 2)) -> Any:
    import instashap

    return instashap.audit(model, X, orders=orders)


def _audit_outputs(X: Array, f: Array) -> Any:
    return _explain(X, f, 1).audit()


def _explain(X: Array, f: Array, order: int, **options: Any) -> Any:
    import instashap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.FitWarning)  # which terms were not worth having
        return instashap.Explainer(order=order, **options).fit(X, outputs=f)
