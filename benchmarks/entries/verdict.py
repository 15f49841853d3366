"""Verdicts of the audit, its estimate of the R² of Shapley values, and its wider intervals, against exact values.

Simulators with exact conditional expectations come from the shared folder of truth files; without it the project's own serve.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runner import Bench, Figure, judge

Array = NDArray[np.float64]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "truth"
SIZES = (300, 2_000, 20_000)
# Order and presence order of the fits: weak ones as well as the default.
FITS: tuple[tuple[int, Any], ...] = ((2, "auto"), (2, 2), (1, "auto"), (1, 1))
# 95 % of a normal distribution lie below.
_Z = 1.645


@dataclass(frozen=True)
class Case:
    """A simulator: training rows, the black box, rows to explain and their exact values."""

    name: str
    X: Array
    model: Callable[[Array], Array]
    rows: Array
    values: Array


def run(bench: Bench) -> dict[str, Figure]:
    """One audit a case, size and fit, with the model to ask and without it."""
    found = [
        each
        for case in list_cases(bench)
        for n_rows in bench.choose(SIZES, (300,))
        for each in judge_case(case, n_rows, bench.choose(FITS, FITS[:2]))
    ]
    return summarise(found)


def summarise(found: list[dict[str, Any]]) -> dict[str, Figure]:
    """Shares of wrong verdicts, errors of the estimate, and coverage, with and without a model to ask."""
    figures = {}
    for kind in ("model asked", "outputs alone"):
        own = [each for each in found if each["kind"] == kind and each["estimate"] is not None]
        truth, estimate = (np.array([each[name] for each in own]) for name in ("r2", "estimate"))
        verdicts = np.array([each["verdict"] for each in own])
        good = truth > 0.95
        coverage = np.array([each["coverage"] for each in own])
        figures |= {
            f"{kind}: safe with R² below .90": judge(int(((verdicts == "safe") & (truth < 0.9)).sum()), samples=own),
            f"{kind}: safe of those above .95": judge(float((verdicts == "safe")[good].mean()) if good.any() else 0.0),
            f"{kind}: unsafe of those above .95": judge(float((verdicts == "unsafe")[good].mean()) if good.any() else 0.0),
            f"{kind}: estimates within .05": judge(float((np.abs(estimate - truth) <= 0.05).mean())),
            f"{kind}: largest excess of the estimate": judge(float((estimate - truth).max())),
            f"{kind}: mean coverage of wider intervals": judge(float(coverage.mean())),
            f"{kind}: least and largest coverage": judge(float(coverage.min()), samples=sorted(coverage.tolist())),
        }
    return figures


def judge_case(case: Case, n_rows: int, fits: tuple[tuple[int, Any], ...]) -> Iterator[dict[str, Any]]:
    """Verdict, estimate and coverage of every fit; references are evaluated once for all of them."""
    import instashap
    from instashap.blackbox import wrap_model
    from instashap.questions.asking import make_asker
    from instashap.trust.attribution import find_references

    X = case.X[:n_rows]
    outputs = case.model(X)
    panels: dict[str, Any] = {}
    for order, presence_order in fits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", instashap.InstashapWarning)
            explainer = instashap.Explainer(order=order, presence_order=presence_order).fit(X, outputs=outputs)
        record = explainer._fitted.record
        rows = make_rows(explainer)
        if not panels:
            asker = make_asker(
                explainer._fitted, wrap_model(case.model, "auto"), X, record.players, outputs.reshape(n_rows, -1)
            )
            panels = {"model asked": find_references(rows, asker), "outputs alone": find_references(rows, None)}
        errors = explainer(case.rows, errors=True)
        r2 = 1 - ((errors.values - case.values) ** 2).sum() / (case.values**2).sum()
        for kind, panel in panels.items():
            yield {"set": case.name, "n": n_rows, "order": order, "presence": str(presence_order), "kind": kind,
                   "r2": float(r2), **_audit(explainer, rows, panel, errors, case)}  # fmt: skip


def make_rows(explainer: Any) -> Any:
    """The rows of a fit as its audit sees them."""
    from instashap.trust.held_rows import Rows

    record = explainer._fitted.record
    columns = tuple(column.encoder for column in record.columns)
    return Rows(record.encoded, record.outputs, record.weights, columns, record.players, explainer._fitted.varying_names)


def _audit(explainer: Any, rows: Any, panel: Any, explanation: Any, case: Case) -> dict[str, Any]:
    """What an audit says that has this panel of references."""
    from instashap.trust.attribution import compare, measure_attribution
    from instashap.trust.held_rows import hold_out
    from instashap.trust.masked import measure_masked
    from instashap.trust.report import Rung, TrustReport
    from instashap.trust.scores import measure_carried

    record = explainer._fitted.record
    chosen = record.result.chosen.candidate
    held = hold_out(chosen.order, record)
    fitted, base = held.predict(rows)
    compared = compare(held, rows, panel)
    attribution = measure_attribution(held, rows, panel, compared)
    rung = Rung(
        chosen.order,
        chosen.presence_order,
        measure_carried(rows, fitted, base),
        masked=measure_masked(held, rows, panel, compared),
        attribution=attribution,
    )
    how = "cross-fitted" if held.is_held_out else "fitted rows"
    report = TrustReport((Rung(0, 0, rung.carried), rung), len(rows), how, "f")
    total = np.sqrt(explanation.standard_errors**2 + np.array(attribution.biases)[:, 0] ** 2)
    off = np.abs(explanation.values - case.values)
    return {
        "verdict": report.verdict,
        "estimate": attribution.r2.value,
        "low": attribution.r2.low,
        "high": attribution.r2.high,
        "reference": attribution.reference,
        "n_calls": attribution.n_calls,
        "partly known": None if rung.masked is None else list(rung.masked.carried),
        "coverage": float((off <= _Z * total).mean()),
        "coverage of standard errors": float((off <= _Z * explanation.standard_errors).mean()),
    }


def list_cases(bench: Bench) -> Iterator[Case]:
    """Truth files with a black box that can be asked; the project's own simulators where these are not there."""
    if not SHARED.is_dir():
        bench.notes.append("the folder of truth files is not beside the project: its own simulators serve")
        yield from _list_own(bench)
        return
    for path in sorted(SHARED.glob("*.npz"))[: bench.choose(None, 2)]:
        with np.load(path) as file:
            X, f, rows, values = (file[name].astype(float) for name in ("X_train", "f_train", "X_test", "shap_test"))
        model = find_model(path.stem, X, f)
        if model is not None:
            yield Case(path.stem, X, model, rows, values)


def find_model(name: str, X: Array, f: Array) -> Callable[[Array], Array] | None:
    """The black box of a truth file: the simulator's, or a polynomial that is the outputs exactly; None if neither is."""
    from sklearn.preprocessing import PolynomialFeatures

    specification = importlib.util.spec_from_file_location("families", SHARED / "families.py")
    assert specification is not None
    assert specification.loader is not None
    families = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(families)
    try:
        model: Callable[[Array], Array] = families.make(name).f
        return model
    except KeyError:
        pass
    powers = PolynomialFeatures(2)
    table = powers.fit_transform(X)
    slopes = np.linalg.lstsq(table, f, rcond=None)[0]
    if np.abs(table @ slopes - f).max() > 1e-8 * f.std():
        return None
    return lambda X: np.asarray(powers.transform(np.asarray(X, dtype=float)) @ slopes)


def _list_own(bench: Bench) -> Iterator[Case]:
    from instashap import datasets

    for name, simulator in {
        "equicorrelated": datasets.make_equicorrelated(6, 0.5, random_state=1),
        "factor": datasets.make_factor(6, rank=3, random_state=2),
    }.items():
        X, _ = simulator.sample(bench.choose(20_000, 300), 0)
        rows, _ = simulator.sample(200, 1)
        yield Case(name, X, simulator.predict, rows, simulator.shap_values(rows))
