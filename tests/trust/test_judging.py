"""What a fit and its references have in common makes an estimate doubtful: by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from instashap.trust import judging
from instashap.trust.attribution import Attribution
from instashap.trust.figures import Figure
from instashap.trust.masked import MaskedFidelity
from instashap.trust.reference_panel import find_references
from instashap.trust.references import make_probes
from instashap.trust.report import Rung, TrustReport

SURE = Attribution(Figure(0.98, 0.96, 0.99), "copula", ((0.1,),), 300, 160_000)


def make_held(share: float) -> Any:
    """What is asked of held-out rows: the share of synthetic rows in their fit."""
    chosen = SimpleNamespace(strengths=SimpleNamespace(synthetic=share))
    result = SimpleNamespace(chosen=chosen, synthetic=object() if share else None)
    return SimpleNamespace(record=SimpleNamespace(result=result))


def doubt(found: Attribution, n_rows: int = 100, share: float = 0.9) -> Attribution | None:
    return judging._doubt(found, make_held(share), SimpleNamespace(n_independent=n_rows))  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_rows", "low"), [(100, 0.83), (500, 0.94), (5000, 0.96)])
def test_a_distribution_in_common_may_lower_an_r2_by_more_than_the_rows_say(n_rows: int, low: float) -> None:
    # 20 rows' worth of the rows, .15 at most: .98 - .15, .98 - .04, and .98 - .004, above the end that was there.
    doubted = doubt(SURE, n_rows)
    assert doubted is not None
    assert doubted.r2 == pytest.approx((0.98, low, 0.99))
    assert doubt(SURE, n_rows, share=0.0) == SURE
    assert judging._doubt(SURE, SimpleNamespace(record=None), None) == SURE  # type: ignore[arg-type]


def test_nothing_is_said_where_an_estimate_is_at_the_lower_end_of_its_interval() -> None:
    assert doubt(Attribution(Figure(0.9, 0.9, 0.95), "copula", ((0.1,),), 300, 160_000)) is None


@pytest.mark.parametrize(
    ("r2", "is_said"),
    [((0.3, -1.1, 1.0), False), ((0.7, 0.3, 0.99), False), ((-1.0, -3.0, 0.2), True), ((0.9, 0.55, 0.97), True)],
)
def test_nothing_is_said_where_an_estimate_may_be_anything(
    r2: tuple[float, float, float], is_said: bool, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    estimate = Attribution(Figure(*r2), "copula", ((0.1,),), 300, 0)
    monkeypatch.setattr(judging, "measure_attribution", lambda *_: estimate)
    found = judging.judge_attribution(make_held(0.0), make_rows(X, X[:, 0]), object(), object(), SURE.r2)  # type: ignore[arg-type]
    assert found == (estimate if is_said else None)


def test_a_doubted_estimate_is_never_called_safe() -> None:
    for known, verdict in ((SURE, "safe"), (doubt(SURE), "caution")):
        rung = Rung(2, 2, Figure(0.99, 0.98, 0.995), attribution=known)
        assert TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 300, "cross-fitted", "f").verdict == verdict


@pytest.mark.parametrize(("power", "is_said"), [(1, True), (3, False)])
def test_nothing_is_said_of_tails_that_few_rows_have_seen(
    power: int, is_said: bool, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Cubes of normal numbers have a kurtosis of 46: 300 rows of them count as a dozen.
    X = np.random.default_rng(0).normal(size=(300, 2)) ** power
    monkeypatch.setattr(judging, "measure_attribution", lambda *_: SURE)
    found = judging.judge_attribution(make_held(0.0), make_rows(X, X[:, 0]), object(), object(), SURE.r2)  # type: ignore[arg-type]
    assert found == (SURE if is_said else None)


def test_a_report_says_that_tails_leave_nothing_to_estimate() -> None:
    masked = MaskedFidelity(Figure(0.9, 0.8, 0.95), None, (), 0.01)
    rung = Rung(2, 2, Figure(0.99, 0.98, 0.995), masked=masked)
    report = TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 300, "cross-fitted", "f")
    assert report.verdict == "caution"
    assert "no error of the Shapley values themselves can be estimated from these rows" in report.summary()
    assert "too few rows show how far off the division among the features (the Shapley values) is" in report.summary()


def test_copies_of_rows_are_no_rows_of_their_own(make_rows: Any) -> None:
    X = np.repeat(np.random.default_rng(0).normal(size=(30, 2)), 40, axis=0)
    rows = make_rows(X, X[:, 0])
    assert (len(rows), rows.n_independent) == (1200, 30)
    assert find_references(rows, None) is None  # fewer than 40 rows compare nothing
    few = np.repeat(np.random.default_rng(0).normal(size=(60, 2)), 20, axis=0)
    rows = make_rows(few, few[:, 0])
    probes = make_probes(rows, 1200, 4, 4)
    assert probes.n_different == 60
    for learners, places in probes.splits:  # no copy of a row that is asked about teaches
        assert not set(map(tuple, few[learners])) & set(map(tuple, few[probes.rows[places]]))
    halves = [set(map(tuple, few[probes.rows[own]])) for own in (probes.halves, ~probes.halves)]
    assert not halves[0] & halves[1]


def test_rows_of_few_levels_each_count(make_rows: Any) -> None:
    rng = np.random.default_rng(0)
    items = rng.integers(0, 2, size=(40, 8)).astype(float)[rng.integers(0, 40, 300)]  # 40 of 256 patterns, each some times
    for X in (rng.integers(0, 2, size=(400, 3)).astype(float), items):
        assert make_rows(X, X[:, 0]).n_independent == len(X)
