"""Verdicts of the audit, its estimate of the R² of Shapley values, and its wider intervals, against exact values.

Each case does what a user does: ``Explainer(model).fit(X)``, ``.audit()``, ``explainer(rows, errors=True)``. Fits and what they
were compared with are kept in ``build/verdict``, so that a run goes on where the last one ended, and rules of judgement can be
measured anew without fitting again; without that folder everything is measured.
"""

from __future__ import annotations

import io
import pickle
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instashap.store import write_file

from ..known_games import KnownGame, list_games
from ..runner import ROOT, Bench, Figure, Skipped, judge

Array = NDArray[np.float64]
KEPT = ROOT / "build" / "verdict"
# Processor seconds after which a run ends; the next one goes on.
_PART = 1200.0
# 95 % of a normal distribution lie below.
_Z = 1.645
FITS: dict[str, dict[str, Any]] = {
    "default": {},
    "order=1": {"order": 1},
    "presence=1": {"order": 1, "presence_order": 1},
    "presence=2": {"presence_order": 2},
    "outputs": {"asks": False},
}
# Games of eight and more columns whose fits take minutes; games that are fitted to 2 000 rows as well; games under weak fits.
_SLOW = ("cop_trees", "dup", "six_blocks", "four_factors")
_DEFAULT_MANY = ("parity_of_four", "latent_levels", "t4_products", "total_kinked", "gaussian_trees")
_WEAK = {
    ("order=1", 300): ("total_kinked", "total_noisy", "product_column"),
    ("order=1", 2000): ("factor", "latent_levels", "t4_products", "mixture_smooth"),
    ("presence=1", 2000): ("parity_of_four", "copula_trees", "near_copies"),
    ("presence=2", 2000): ("factor", "mixture_smooth"),
}
_SAFE, _GOOD, _NEAR = 0.9, 0.95, 0.05
_LEAST, _MOST = 0.85, 0.97


def list_cases(games: dict[str, KnownGame], is_quick: bool) -> list[tuple[str, int, str]]:
    """Name, rows and fit of every case; without the shared folder those of the project's own simulators."""
    if is_quick:
        return [(name, 300, "default") for name in list(games)[:2]]
    copied = [name for name, game in games.items() if game.copies > 1]
    cases = [(name, 1200 if name in copied else 300, "default") for name in games if name not in _SLOW]
    cases += [(name, 2000, "default") for name in _DEFAULT_MANY]
    cases += [(name, n_rows, fit) for (fit, n_rows), names in _WEAK.items() for name in names]
    return [each for each in cases if each[0] in games]


def run(bench: Bench) -> dict[str, Figure]:
    """One fit and audit a case."""
    games = list_games()
    return run_cases(bench, games, list_cases(games, bench.quick))


def run_cases(bench: Bench, games: dict[str, KnownGame], cases: list[tuple[str, int, str]]) -> dict[str, Figure]:
    """Figures of some cases, each of which is measured unless it was in an earlier part of the run."""
    found: list[dict[str, Any]] = []
    start, n_kept = time.process_time(), 0
    for place, (name, n_rows, fit) in enumerate(cases):
        path = KEPT / f"{name}_{n_rows}_{fit}.pickle"
        n_kept += path.is_file()
        if not path.is_file():
            if time.process_time() - start > _PART:
                raise Skipped(f"{place} of {len(cases)} cases are measured; run it again to go on")
            KEPT.mkdir(parents=True, exist_ok=True)
            keep(measure_case(name, games[name], n_rows, FITS[fit]), path)
        found.append({"case": f"{name}, {n_rows:,} rows, {fit}", **judge_case(pickle.loads(path.read_bytes()))})
    bench.notes.append(f"fits and references of {n_kept} of {len(cases)} cases were kept from earlier parts of the run")
    bench.notes += [_describe(each) for each in found]
    return summarise(found)


class _Keeper(pickle.Pickler):
    """Leaves functions that were made by others out: solvers of the fit, which no judgement asks."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType) and "<locals>" in obj.__qualname__:
            return type(None), ()
        return NotImplemented


def keep(known: dict[str, Any], path: Path) -> None:
    """Write what was measured, in one step."""
    with io.BytesIO() as content:
        _Keeper(content).dump(known)
        write_file(path, content.getvalue())


def measure_case(name: str, game: KnownGame, n_rows: int, options: dict[str, Any]) -> dict[str, Any]:
    """What one audit rests on, and values with standard errors beside exact ones, at rows of their own."""
    import instashap
    from instashap.trust.held_rows import hold_out

    seed = zlib.crc32(name.encode())
    X = np.repeat(game.draw(n_rows // game.copies, np.random.default_rng(seed)), game.copies, axis=0)
    fresh = game.draw(500 if X.shape[1] <= 6 else 200, np.random.default_rng(seed + 1))
    with warnings.catch_warnings(), keep_references() as panels:
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = _fit(game, X, **options)
        report = explainer.audit()
        explanation = explainer(fresh, errors=True)
    record = explainer._fitted.record
    return {
        "report": report,
        "held": hold_out(report.rungs[-1].order, record),
        "rows": make_rows(explainer),
        "panel": panels[-1],
        "values": explanation.values,
        "errors": explanation.standard_errors,
        "exact": game.compute_values(fresh),
    }


def _fit(game: KnownGame, X: Array, *, asks: bool = True, **options: Any) -> Any:
    """An explainer of the model, or of its outputs alone."""
    import instashap

    if asks:
        return instashap.Explainer(game.predict, **options).fit(X)
    return instashap.Explainer(**options).fit(X, outputs=game.predict(X))


@contextmanager
def keep_references() -> Iterator[list[Any]]:
    """A list to which audits made meanwhile add the references that they compare with."""
    from instashap.trust import judging

    panels: list[Any] = []
    find = judging.find_references

    def find_and_keep(*arguments: Any) -> Any:
        panels.append(find(*arguments))
        return panels[-1]

    judging.find_references = find_and_keep
    try:
        yield panels
    finally:
        judging.find_references = find


def make_rows(explainer: Any) -> Any:
    """The rows of a fit as its audit sees them."""
    from instashap.trust.held_rows import Rows

    record = explainer._fitted.record
    columns = tuple(column.encoder for column in record.columns)
    return Rows(record.encoded, record.outputs, record.weights, columns, record.players, explainer._fitted.varying_names)


def judge_case(known: dict[str, Any]) -> dict[str, Any]:
    """Verdict, estimate and coverage by today's rules."""
    from instashap.trust.comparison import compare
    from instashap.trust.judging import judge_attribution

    held, rows, panel, report = (known[name] for name in ("held", "rows", "panel", "report"))
    compared = None if panel is None else compare(held, rows, panel)
    attribution = judge_attribution(held, rows, panel, compared, report.rungs[-1].carried)
    report = replace(report, rungs=(*report.rungs[:-1], replace(report.rungs[-1], attribution=attribution)))
    off, exact, errors = np.abs(known["values"] - known["exact"]), known["exact"], known["errors"]
    found = {
        "verdict": report.verdict,
        "r2": float(1 - (off**2).sum() / (exact**2).sum()),
        "plain coverage": float((off <= _Z * errors).mean()),
        "estimate": None,
        "coverage": None,
    }
    if attribution is None:
        return found
    wide = np.hypot(errors, np.array(attribution.biases)[:, 0])
    return found | {"estimate": tuple(attribution.r2), "coverage": float((off <= _Z * wide).mean())}


def summarise(found: list[dict[str, Any]]) -> dict[str, Figure]:
    """Shares of wrong verdicts, errors of the estimate, and coverage."""
    r2, verdicts = np.array([each["r2"] for each in found]), np.array([each["verdict"] for each in found])
    known = [each for each in found if each["estimate"] is not None]
    over = np.array([each["estimate"][0] - each["r2"] for each in known])
    coverage = np.array([each["coverage"] for each in known])
    good = r2 > _GOOD

    def share(verdict: str) -> float:
        return float((verdicts == verdict)[good].mean()) if good.any() else 0.0

    return {
        "cases": judge(len(found)),
        "safe with R² below .90": judge(int(((verdicts == "safe") & (r2 < _SAFE)).sum())),
        "unsafe of those above .95": judge(share("unsafe")),
        "safe of those above .95": judge(share("safe"), samples=[good.sum()]),
        "cases without an estimate": judge(len(found) - len(known)),
        "estimates within .05": judge(float((np.abs(over) <= _NEAR).mean()), samples=np.sort(over)),
        "largest excess of the estimate": judge(float(over.max())),
        "mean coverage of wider intervals": judge(float(coverage.mean())),
        "cases of coverage .85 to .97": judge(
            float(((coverage >= _LEAST) & (coverage <= _MOST)).mean()), samples=np.sort(coverage)
        ),
        "mean coverage of standard errors": judge(float(np.mean([each["plain coverage"] for each in found]))),
    }


def _describe(each: dict[str, Any]) -> str:
    text = f"{each['case']}: {each['verdict']}, R² {each['r2']:.3f}"
    if each["estimate"] is None:
        return f"{text}, no estimate; standard errors cover {each['plain coverage']:.2f}"
    value, low, high = each["estimate"]
    return (
        f"{text}, estimate {value:.3f} ({low:.3f} to {high:.3f}); wider intervals cover {each['coverage']:.2f}, "
        f"standard errors {each['plain coverage']:.2f}"
    )
