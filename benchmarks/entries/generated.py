"""Generated tables of every kind of trouble: laws hold, or the fit is refused by a message that names the column."""

from __future__ import annotations

import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..runner import Bench, Figure, judge

SEED = 20_260
N_TABLES = 3_000
# Relative to the spread of the outputs: sums of values, and the base value beside the weighted mean.
TOLERANCE = 1e-8


@dataclass
class Case:
    """A table, what is asked of it, and what is known of it.

    Attributes
    ----------
    X : DataFrame
    outputs : ndarray of shape (n_rows, n_outputs)
    weights : ndarray of shape (n_rows,) or None
    options : dict
    kind : str
        Which class is fitted.
    constant : list of int
        Columns of one value among the rows of positive weight.
    refused : list of str
        Names of columns that no fit can take; one of them must be in the message.
    """

    X: Any
    outputs: np.ndarray
    weights: np.ndarray | None
    options: dict[str, Any]
    kind: str
    constant: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def run(bench: Bench) -> dict[str, Figure]:
    """Counts of what went wrong, over seeded tables."""
    return summarise(check_tables(range(bench.choose(N_TABLES, 20))), bench)


def check_tables(numbers: range) -> list[tuple[int, str, str]]:
    """Number, outcome ("fitted", "refused", or what is wrong) and detail of each table."""
    return [(number, *check_table(number)) for number in numbers]


def summarise(found: list[tuple[int, str, str]], bench: Bench) -> dict[str, Figure]:
    """Outcomes as figures; details of what is wrong become notes."""
    counts = Counter(outcome for _, outcome, _ in found)
    wrong = [each for each in found if each[1] not in ("fitted", "refused")]
    bench.notes += [f"table {number}: {outcome}: {detail}" for number, outcome, detail in wrong[:20]]
    names = ("law broken", "raw error", "refusal without a name", "unexpected refusal", "foreign warning")
    return {
        "tables": judge(len(found)),
        "fitted, all laws hold": judge(counts["fitted"]),
        "refused by name": judge(counts["refused"]),
        **{name: judge(counts[name]) for name in names},
    }


def check_table(number: int) -> tuple[str, str]:
    """Fit one table and look for what is wrong."""
    import instashap

    case = make_case(number)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = _check_laws(case)
        except Exception as error:
            outcome = _judge_error(case, error)
    foreign = [each for each in caught if not issubclass(each.category, instashap.InstashapWarning)]
    if foreign and outcome[0] in ("fitted", "refused"):
        return "foreign warning", f"{foreign[0].category.__name__}: {foreign[0].message}"
    return outcome


def _judge_error(case: Case, error: Exception) -> tuple[str, str]:
    text = f"{type(error).__name__}: {error}"
    place = traceback.extract_tb(error.__traceback__)[-1].filename
    is_own = "instashap" in Path(place).parts
    if not (is_own and isinstance(error, (ValueError, TypeError, MemoryError))):
        return "raw error", text
    if case.refused:
        return ("refused", text) if any(repr(name) in text for name in case.refused) else ("refusal without a name", text)
    return "unexpected refusal", text


def _check_laws(case: Case) -> tuple[str, str]:
    import instashap

    explainer = _fit(case)
    explained = explainer.shap_values(case.X)
    if case.refused:
        return "law broken", f"columns {case.refused} were fitted and explained"
    values = explained.reshape(len(case.X), len(case.X.columns), -1)
    fitted, base = np.reshape(explainer.predict(case.X), (len(case.X), -1)), np.reshape(explainer.expected_value, (1, -1))
    scale = max(float(np.abs(fitted).max()), float(np.abs(base).max()))
    if not (np.isfinite(values).all() and np.isfinite(fitted).all()):
        return "law broken", "values are not finite"
    if np.abs(values.sum(axis=1) + base - fitted).max() > TOLERANCE * max(scale, 1e-300):
        return "law broken", "values and base value do not sum to the prediction"
    if case.kind in ("conditional", "regressor"):
        relative = None if case.weights is None else case.weights / case.weights.max()
        mean = np.average(case.outputs, axis=0, weights=relative)
        if np.abs(base - mean).max() > TOLERANCE * np.abs(case.outputs).max():
            return "law broken", "the base value is not the weighted mean output"
    if values[:, case.constant].any():
        return "law broken", "a column of one value has credit"
    with tempfile.TemporaryDirectory() as folder:
        explainer.save(Path(folder) / "fit.insta", errors=False)
        if not np.array_equal(instashap.load(Path(folder) / "fit.insta").shap_values(case.X), explained):
            return "law broken", "saving and loading changes bits"
    return "fitted", ""


def _fit(case: Case) -> Any:
    import instashap

    if case.kind == "regressor":
        target = case.outputs if case.outputs.shape[1] > 1 else case.outputs[:, 0]
        return instashap.AdditiveRegressor(**case.options).fit(case.X, target, case.weights).to_explainer()
    if case.kind == "classifier":
        labels = case.outputs[:, 0] > np.median(case.outputs[:, 0])
        heavy = np.argsort(np.zeros(len(labels)) if case.weights is None else -case.weights)[:2]
        labels[heavy] = [True, False]  # two classes among the rows that count
        return instashap.AdditiveClassifier(**case.options).fit(case.X, labels, case.weights).to_explainer()
    if case.kind == "conditional":
        return instashap.Explainer(**case.options).fit(case.X, outputs=case.outputs, sample_weight=case.weights)
    background = case.X.iloc[:5] if case.kind == "marginal" else case.X.iloc[:1]
    game = instashap.Marginal(background) if case.kind == "marginal" else instashap.Baseline(background)
    return instashap.Explainer(_compute_sums, value_function=game, **case.options).fit(case.X, sample_weight=case.weights)


def _compute_sums(X: Any) -> np.ndarray:
    """A model of any table: each column's ranks among all its values here would not do for hybrid rows, so hashes of values."""
    import pandas as pd

    columns = [pd.util.hash_array(X[name].astype(str).to_numpy(dtype=object)) / 2.0**64 for name in X.columns]
    return columns[0] + columns[0] * columns[-1] + sum(columns[1:], start=np.zeros(len(X)))


# --- tables ------------------------------------------------------------------------------------------------------------


def make_case(number: int) -> Case:
    """The table of a number; the same at every call."""
    import pandas as pd

    rng = np.random.default_rng([SEED, number])
    n_columns = int(np.floor(np.exp(rng.uniform(0, np.log(41)))))
    n_rows = int(np.floor(np.exp(rng.uniform(0, np.log(250 if n_columns > 12 else 500)))))
    makers = [COLUMNS[place] for place in rng.choice(len(COLUMNS), n_columns, p=_SHARES / _SHARES.sum())]
    frame = pd.DataFrame({f"c{place}": make(n_rows, rng) for place, make in enumerate(makers)})
    if n_columns > 1 and rng.random() < 0.2:
        frame["c1"] = frame["c0"]
    weights = WEIGHTS[rng.integers(len(WEIGHTS))](n_rows, rng)
    kept = np.ones(n_rows, dtype=bool) if weights is None else weights >= 1e-12 * weights.max()
    constant = [place for place, name in enumerate(frame) if frame.loc[kept, name].astype(object).nunique(dropna=False) == 1]
    kind = str(rng.choice(["conditional", "marginal", "baseline", "regressor", "classifier"], p=[0.6, 0.1, 0.1, 0.1, 0.1]))
    options: dict[str, Any] = {"order": int(rng.integers(1, 4 if n_columns <= 4 else 3))}
    if kind in ("conditional", "regressor") and rng.random() < 0.3:
        options["presence_order"] = max(int(rng.integers(1, 5)), options["order"])
    if kind in ("marginal", "baseline"):  # their references may have another value
        constant = [place for place in constant if frame.iloc[:, place].astype(object).nunique(dropna=False) == 1]
    elif kind == "classifier" and kept.sum() < 4:
        kind = "conditional"
    refused = [name for name in frame if _must_be_refused(frame.loc[kept, name]) or _holds_infinity(frame[name])]
    return Case(frame, _make_outputs(frame, rng), weights, options, kind, constant, refused)


def _holds_infinity(column: Any) -> bool:
    """Rows of no weight are explained too."""
    return column.dtype.kind == "f" and bool(np.isinf(column).any())


def _must_be_refused(column: Any) -> bool:
    """Whether a column holds infinite numbers, or numbers no power of two brings into range."""
    if column.dtype.kind != "f":
        return False
    sizes = np.abs(column.to_numpy(dtype=np.float64))
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return False
    return bool(np.isinf(sizes).any() or sizes.max() > 1e301 or sizes.max() < 1e-271 or sizes.max() / sizes.min() > 1e270)


def _make_outputs(frame: Any, rng: np.random.Generator) -> np.ndarray:
    """Ranks of some columns and their products, with noise or none, at a scale of their own."""
    ranks = np.column_stack([_rank(frame[name]) for name in frame])
    picked = rng.integers(0, ranks.shape[1], 4)
    values = ranks[:, picked[0]] + ranks[:, picked[1]] * ranks[:, picked[2]] + np.sin(6 * ranks[:, picked[3]])
    if rng.random() < 0.1:
        values = np.zeros(len(frame))
    values = values + (0.0 if rng.random() < 0.7 else rng.normal(size=len(frame)))
    outputs = np.column_stack([values, values**2, -values]) if rng.random() < 0.15 else values[:, None]
    return np.asarray(outputs * 10.0 ** rng.choice([0, 0, 0, 3, -3, 12, -12, 40, -40]) + rng.choice([0.0, 0.0, 5.0]))


def _rank(column: Any) -> np.ndarray:
    import pandas as pd

    codes = pd.factorize(column.astype(str), sort=True)[0].astype(np.float64)
    return codes / max(codes.max(), 1.0)


def _spoil(values: np.ndarray, share: float, what: Any, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(values)) < share, what, values)


def _make_text(n_levels: int) -> Callable[[int, np.random.Generator], Any]:
    return lambda n, rng: rng.choice([f"level {each}" for each in range(n_levels)], n).astype(object)


def _make_wild(n: int, rng: np.random.Generator) -> np.ndarray:
    values = rng.normal(size=n)
    values[rng.integers(n)] = rng.choice([1e30, -1e60, 1e150, 1e250, 1.7e308, np.inf])
    return values


def _make_categories(n: int, rng: np.random.Generator) -> Any:
    import pandas as pd

    return pd.Categorical(rng.choice(["a", "b"], n), categories=["a", "b", "never"])


COLUMNS: tuple[Callable[[int, np.random.Generator], Any], ...] = (
    lambda n, rng: rng.normal(size=n),
    lambda n, rng: np.round(np.exp(3 + 2 * rng.normal(size=n)), -1),
    lambda n, rng: rng.integers(0, 5, n),
    lambda n, rng: rng.random(n) < 0.5,
    lambda n, rng: _spoil(rng.normal(size=n), 0.3, np.nan, rng),
    lambda n, rng: np.full(n, 7.0),
    lambda n, rng: np.full(n, np.nan),
    lambda n, rng: np.full(n, "one", dtype=object),
    _make_text(3),
    _make_text(1000),
    lambda n, rng: _spoil(_make_text(4)(n, rng), 0.2, None, rng),
    _make_categories,
    lambda n, rng: rng.normal(size=n) * 10.0 ** rng.integers(-250, 250),
    lambda n, rng: rng.standard_cauchy(n),
    lambda n, rng: _spoil(rng.normal(size=n), 0.7, 0.0, rng),
    lambda n, rng: 1e9 + rng.normal(size=n),
    lambda n, rng: rng.normal(size=n).astype(np.float32),
    lambda n, rng: np.where(rng.random(n) < 0.02, 1.0, 0.0),
    _make_wild,
    lambda n, rng: rng.normal(size=n) * 5e-320,
)
_SHARES = np.array([4, 2, 2, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 0.3, 0.1])

WEIGHTS: tuple[Callable[[int, np.random.Generator], np.ndarray | None], ...] = (
    lambda n, rng: None,
    lambda n, rng: None,
    lambda n, rng: rng.random(n) + 0.1,
    lambda n, rng: rng.integers(1, 4, n).astype(float),
    lambda n, rng: np.append(rng.integers(0, 2, n - 1), 1).astype(float),
    lambda n, rng: np.full(n, 1.0 / n),
    lambda n, rng: 10.0 ** rng.uniform(-12, 12, n),
    lambda n, rng: np.full(n, 10.0 ** rng.choice([-300, -100, 100, 300])),
    lambda n, rng: np.append(np.ones(n - 1), 10.0 ** rng.choice([6, 16, 300])),
)
