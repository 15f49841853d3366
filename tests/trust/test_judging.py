"""What a fit and its references have in common makes an estimate doubtful: by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from instashap.trust import judging
from instashap.trust.attribution import Attribution
from instashap.trust.figures import Figure
from instashap.trust.report import Rung, TrustReport

SURE = Attribution(Figure(0.98, 0.96, 0.99), "copula", ((0.1,),), 300, 160_000)


def make_held(share: float) -> Any:
    """What is asked of held-out rows: the share of synthetic rows in their fit."""
    chosen = SimpleNamespace(strengths=SimpleNamespace(synthetic=share))
    return SimpleNamespace(record=SimpleNamespace(result=SimpleNamespace(chosen=chosen)))


def test_a_distribution_in_common_may_lower_an_r2_by_more_than_the_rows_say() -> None:
    doubted = judging._doubt(SURE)
    assert doubted is not None
    assert doubted.r2 == pytest.approx((0.98, 0.83, 0.99))
    wide = Attribution(Figure(0.9, 0.5, 0.95), "copula", ((0.1,),), 300, 160_000)
    assert judging._doubt(wide) == wide


def test_nothing_is_said_where_an_estimate_is_at_the_lower_end_of_its_interval() -> None:
    assert judging._doubt(Attribution(Figure(0.9, 0.9, 0.95), "copula", ((0.1,),), 300, 160_000)) is None


def test_a_doubted_estimate_is_never_called_safe() -> None:
    for known, verdict in ((SURE, "safe"), (judging._doubt(SURE), "caution")):
        rung = Rung(2, 2, Figure(0.99, 0.98, 0.995), attribution=known)
        assert TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 300, "cross-fitted", "f").verdict == verdict


@pytest.mark.parametrize(
    ("share", "n_rows", "is_doubted"), [(0.9, 999, True), (0.9, 1000, False), (0.0, 300, False), (None, 300, False)]
)
def test_fits_to_few_rows_with_synthetic_ones_are_doubted(
    share: float | None, n_rows: int, is_doubted: bool, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    rows = make_rows(X, X[:, 0])
    held = SimpleNamespace(record=None) if share is None else make_held(share)
    monkeypatch.setattr(judging, "measure_attribution", lambda *_: SURE)
    found = judging._measure_attribution(held, rows, object(), object(), SURE.r2)  # type: ignore[arg-type]
    assert found == (judging._doubt(SURE) if is_doubted else SURE)
