"""The estimated error of Shapley values, against errors that are known."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import instashap
from instashap import Explainer
from instashap.datasets import make_factor
from instashap.game.coalitions import enumerate_coalitions
from instashap.trust.attribution import _measure_shared, _share_out, raise_correlation, share_error
from instashap.trust.comparison import walk_values
from instashap.trust.held_rows import Rows
from instashap.trust.masked import choose_sizes
from instashap.trust.references import make_probes

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

SIMULATOR = make_factor(6, rank=3, random_state=2)
X = SIMULATOR.sample(1500, random_state=0)[0]
FRESH = SIMULATOR.sample(400, random_state=1)[0]
EXACT = SIMULATOR.shap_values(FRESH)


@pytest.fixture(scope="module")
def weak() -> Explainer:
    """Single features and their pairs of known features alone: too little for three latent factors."""
    explainer = Explainer(SIMULATOR.predict, order=1, presence_order=2).fit(X)
    explainer.audit()
    return explainer


def test_a_walk_gives_each_player_what_it_adds_when_it_comes() -> None:
    # v = 1, 10, 100 for players 0, 1, 2, and 1000 more for 0 and 2 together; the order of arrival is 2, 0, 1.
    masks = np.array([[[False, False, True], [True, False, True]]])
    inner, full, empty = np.array([[[100.0], [1101.0]]]), np.array([[1111.0]]), np.array([[0.0]])
    assert walk_values(inner, full, empty, masks)[0, :, 0].tolist() == [1001.0, 10.0, 100.0]


@pytest.mark.parametrize(("own", "other", "correlation"), [(2.0, 1.0, 0.0), (1.0, 4.0, 0.3), (3.0, 0.5, 0.6), (1.0, 1.0, 0.9)])
def test_the_order_s_share_follows_from_the_distance_and_the_correlation(own: float, other: float, correlation: float) -> None:
    distance = own + other - 2 * correlation * np.sqrt(own * other)
    assert share_error((own - other) / distance, correlation) == pytest.approx(own / distance)


@pytest.mark.parametrize(("own", "other", "correlation"), [(1.0, 4.0, 0.9), (1.0, 2.0, 0.8), (0.5, 3.0, 0.7)])
def test_a_reference_that_is_worse_by_more_than_its_distance_proves_a_correlation(
    own: float, other: float, correlation: float
) -> None:
    distance = own + other - 2 * correlation * np.sqrt(own * other)
    difference = (own - other) / distance
    assert difference < -1
    least = raise_correlation(difference, 0.0)
    assert 0.5 < least <= correlation
    # Without it the order seemed to have no error at all.
    assert share_error(difference, 0.0) == pytest.approx(0.0, abs=1e-9)
    raised = raise_correlation(difference, (correlation - least) / (1 - least))
    assert raised == pytest.approx(correlation)
    assert share_error(difference, raised) >= own / distance - 1e-9  # the larger of two solutions


def test_the_estimated_r2_of_a_weak_fit_is_its_own(weak: Explainer) -> None:
    truth = 1 - ((weak.shap_values(FRESH) - EXACT) ** 2).sum() / (EXACT**2).sum()
    assert truth < 0.85  # a fit that must not be called safe
    report = weak.audit()
    found = report.attribution_r2
    assert found is not None
    assert found.value == pytest.approx(truth, abs=0.06)
    assert found.low < truth < found.high
    assert report.verdict != "safe"
    assert report.n_calls > 0
    assert f"an estimated R² of {found.value:.2f}" in report.summary()


def test_total_errors_count_the_bias_of_the_model_class(weak: Explainer, tmp_path: Path) -> None:
    explanation = weak(FRESH, errors=True)
    assert explanation.standard_errors is not None
    assert explanation.total_errors is not None
    off = np.abs(explanation.values - EXACT)
    assert (off < 1.645 * explanation.standard_errors).mean() < 0.7
    assert 0.85 <= (off < 1.645 * explanation.total_errors).mean() <= 0.97
    expected = np.sqrt((explanation.total_errors**2).sum(axis=1)) / np.sqrt((explanation.values**2).sum(axis=1))
    np.testing.assert_allclose(explanation.attribution_error, expected)
    weak.save(tmp_path / "weak.insta", errors=True)
    loaded = instashap.load(tmp_path / "weak.insta")(FRESH, errors=True)
    np.testing.assert_allclose(loaded.total_errors, explanation.total_errors, rtol=1e-12)
    assert explanation[3:5, :2].total_errors.tolist() == explanation.total_errors[3:5, :2].tolist()


def test_without_an_audit_there_are_no_total_errors() -> None:
    explanation = Explainer(order=1).fit(X[:300], outputs=SIMULATOR.predict(X[:300]))(FRESH[:5], errors=True)
    assert explanation.total_errors is None
    assert explanation.attribution_error is not None


def test_a_model_of_other_outputs_is_not_asked() -> None:
    from instashap.blackbox import wrap_model
    from instashap.questions.asking import make_asker

    fitted = Explainer(order=1).fit(X[:300], outputs=SIMULATOR.predict(X[:300]))._fitted
    outputs = SIMULATOR.predict(X[:300]).reshape(-1, 1)
    assert make_asker(fitted, wrap_model(SIMULATOR.predict, "auto"), X[:300], tuple(range(6)), outputs) is not None
    assert make_asker(fitted, wrap_model(lambda X: X[:, 0], "auto"), X[:300], tuple(range(6)), outputs) is None
    assert make_asker(fitted, wrap_model(SIMULATOR.predict, "auto"), X[300:600], tuple(range(6)), outputs) is None


def test_masked_predictions_read_known_features_only_and_share_out_as_shapley_values(weak: Explainer) -> None:
    rows, other = FRESH[:4], FRESH[4:8]
    masks = enumerate_coalitions(6)
    for mask in masks[[0, 5, 21, 62]]:
        mixed = np.where(mask, rows, other)
        np.testing.assert_allclose(weak.predict(mixed, masks=mask), weak.predict(rows, masks=mask), atol=1e-12)
    np.testing.assert_allclose(weak.predict(rows, masks=np.zeros(6, dtype=bool)), weak.expected_value)
    np.testing.assert_allclose(weak.predict(rows, masks=np.ones((4, 6), dtype=bool)), weak.predict(rows))
    from instashap.game.exact import compute_shapley_values

    table = np.stack([weak.predict(rows, masks=mask) for mask in masks])
    np.testing.assert_allclose(compute_shapley_values(table), weak.shap_values(rows).T, atol=1e-10)
    with pytest.raises(TypeError, match="masks must be boolean"):
        weak.predict(rows, masks=np.ones(6))
    with pytest.raises(ValueError, match="pass masks or errors, not both"):
        weak.predict(rows, masks=masks[3], errors=True)


def test_the_former_names_of_output_shares_stay_for_one_version(weak: Explainer) -> None:
    explanation = weak(FRESH[:3])
    with pytest.warns(FutureWarning, match=r"Explanation.trust is now Explanation.output_share"):
        assert explanation.trust is explanation.output_share
    with pytest.warns(FutureWarning, match="output_share_interval"):
        assert explanation.trust_interval is explanation.output_share_interval


def test_small_coalitions_are_looked_at_closely() -> None:
    assert choose_sizes(8).tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert choose_sizes(101)[:5].tolist() == [1, 2, 3, 5, 9]


def test_what_estimates_from_the_same_rows_have_in_common_falls_with_the_rows(make_rows: Callable[..., Rows]) -> None:
    result = SimpleNamespace(chosen=SimpleNamespace(strengths=SimpleNamespace(synthetic=0.0)), synthetic=None)
    held, risks = SimpleNamespace(record=SimpleNamespace(result=result)), np.array([0.5, 0.4])
    X = np.random.default_rng(0).normal(size=(100, 3))
    # Two unknowns a known column: 2 · .5 / 100 and 4 · .4 / 100, sizes 1 and 2 of the same weight.
    assert _measure_shared(held, make_rows(X, X[:, 0]), risks) == pytest.approx((0.01 + 0.016) / 2)  # type: ignore[arg-type]
    bits = np.random.default_rng(0).integers(0, 2, size=(400, 3)).astype(float)
    # One unknown for each of 2 and 4 combinations of values.
    assert _measure_shared(held, make_rows(bits, bits[:, 0]), risks) == pytest.approx((1.0 + 1.6) / 800)  # type: ignore[arg-type]
    fresh = SimpleNamespace(record=None)  # references of new rows learn from other rows than the fit did
    assert _measure_shared(fresh, make_rows(X, X[:, 0]), risks) == 0.0  # type: ignore[arg-type]


def test_every_walk_meets_every_other(make_rows: Callable[..., Rows]) -> None:
    X = np.random.default_rng(0).normal(size=(100, 3))
    masks = make_probes(make_rows(X, X[:, 0]), 36, 6, 1).masks
    met = {(own.tobytes(), other.tobytes()) for own, other in masks}
    firsts, seconds = ({each.tobytes() for each in masks[:, walk]} for walk in (0, 1))
    assert len(met) == len(firsts) * len(seconds) > 6


def test_errors_in_common_are_shared_out_to_the_features() -> None:
    shares = _share_out(np.array([[3.0, 0.0], [1.0, 0.0]]))
    assert shares.tolist() == [[0.625, 0.5], [0.375, 0.5]]
