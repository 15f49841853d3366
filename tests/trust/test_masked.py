"""Masked risks against games known exactly."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from instashap import Explainer, TrustReport
from instashap.datasets import GaussianQuadratic, make_latent_class
from instashap.game.coalitions import enumerate_coalitions
from instashap.model.additive_model import AdditiveModel
from instashap.questions.audit import fit_lower_orders
from instashap.trust.held_rows import Rows, hold_out, iterate_masked, keep_held, take_encoded
from instashap.trust.masked import draw_masks

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def make_simulator() -> GaussianQuadratic:
    covariance = 0.5 * np.ones((4, 4)) + 0.5 * np.eye(4)
    quadratic = np.zeros((4, 4))
    quadratic[0, 1] = quadratic[1, 0] = 0.5
    return GaussianQuadratic(covariance, np.array([1.0, 0.5, 0.0, -1.0]), quadratic)


SIMULATOR = make_simulator()


def compute_least_risk(mask: np.ndarray) -> float:
    """``E Var(f | x_S) / Var f``, from many rows."""
    X, f = SIMULATOR.sample(200_000, 7)
    return float(((f - SIMULATOR.value(X, mask)) ** 2).mean() / SIMULATOR.variance)


def average_by_size(compute: Callable[[np.ndarray], float]) -> dict[int, float]:
    masks = enumerate_coalitions(4)
    return {size: float(np.mean([compute(mask) for mask in masks if mask.sum() == size])) for size in (1, 2, 3)}


@cache
def compute_least_risks() -> dict[int, float]:
    return average_by_size(compute_least_risk)


def compute_exact_risk(explainer: Explainer, model: AdditiveModel, X: np.ndarray) -> dict[int, float]:
    """``E (f - v)² = E (f - F)² + E (F - v)²`` by size, over every coalition and fresh rows, as shares of ``Var f``."""
    encoded = explainer._fitted.encoder.encode(explainer._fitted.read(X))

    def measure(mask: np.ndarray) -> float:
        own = model.predict(encoded, np.tile(mask, (len(X), 1)))[:, 0]
        return float(((SIMULATOR.value(X, mask) - own) ** 2).mean() / SIMULATOR.variance)

    return {size: compute_least_risks()[size] + error for size, error in average_by_size(measure).items()}


@pytest.fixture(scope="module")
def audited() -> tuple[TrustReport, dict[int, dict[int, float]]]:
    """A report, and the exact risks of its models by order and size."""
    X, _ = SIMULATOR.sample(20_000, 0)
    explainer = Explainer(SIMULATOR.predict, order=2).fit(X)
    fresh = SIMULATOR.sample(20_000, 1)[0]
    models = {order: record.result.model for order, record in fit_lower_orders(explainer._fitted).items()}
    exact = {order: compute_exact_risk(explainer, model, fresh) for order, model in models.items()}
    return explainer.audit(), exact


@pytest.mark.parametrize("order", [1, 2])
def test_masked_risk_is_that_of_the_exact_game(audited: Any, order: int) -> None:
    report, exact = audited
    rung = report.rungs[order]
    for each in rung.masked.sizes:
        assert each.risk.value == pytest.approx(exact[order][each.size], rel=0.05)
        assert each.risk.low < exact[order][each.size] < 1.03 * each.risk.high
    assert rung.gradient == pytest.approx(0.0, abs=1e-9)


@pytest.mark.slow
def test_masked_risk_of_a_table_that_repeats_its_rows_is_that_of_new_rows() -> None:
    simulator = make_latent_class(n_levels=4, random_state=0)
    X, f = simulator.sample(8000, 0)
    explainer = Explainer(presence_order=2).fit(X.astype(float), outputs=f)
    fresh, truth = simulator.sample(20_000, 1)
    fresh, truth = fresh.astype(float), truth / np.sqrt(simulator.variance)
    fitted = explainer._fitted
    encoded = fitted.encoder.encode(fitted.read(fresh))
    for each in explainer.audit().rungs[-1].masked.sizes:
        masks = [mask for mask in enumerate_coalitions(X.shape[1]) if mask.sum() == each.size]
        own = [fitted.model.predict(encoded, np.tile(mask, (len(fresh), 1)))[:, 0] for mask in masks]
        exact = np.mean([((truth - found / np.sqrt(simulator.variance)) ** 2).mean() for found in own])
        assert each.risk.value == pytest.approx(exact, rel=0.05)


def test_repeats_are_all_but_the_rows_seen_once(make_rows: Any) -> None:
    X = np.array([[0.0], [1.0], [1.0], [2.0], [2.0], [3.0]])
    counts = make_rows(X, np.zeros((6, 1)), np.array([1.0, 1.0, 1.0, 1.0, 1.0, 4.0]))
    assert counts.repeats == pytest.approx(8 / 9)  # only 0 was seen once; 3 was seen four times
    importance = make_rows(X, np.zeros((6, 1)), np.array([1.0, 1.0, 1.0, 0.5, 0.5, 4.0]))
    assert importance.repeats == pytest.approx(4 / 6)  # weights that are no counts: 0 and 3 are one row each


def test_copies_of_a_table_are_no_repeats(make_rows: Any) -> None:
    X = np.repeat(np.random.default_rng(0).normal(size=(100, 2)), 3, axis=0)
    rows = make_rows(X, X[:, :1], np.ones(300))
    assert rows.repeats == 0.0
    for dealt in (rows.halves, rows.groups):  # copies stay together, so none is judged by another
        assert (dealt.reshape(100, 3) == dealt[::3, None]).all()


def test_a_gap_is_what_the_order_leaves_of_the_exact_game(audited: Any) -> None:
    report, exact = audited
    poor, rich = report.rungs[1].masked, report.rungs[2].masked
    truth = {size: exact[1][size] - least for size, least in compute_least_risks().items()}
    assert truth[3] > 0.03
    gap = poor.sizes[2].gap
    assert gap.low < truth[3] < gap.high  # references are compared on 2 000 rows
    assert gap.value == pytest.approx(truth[3], rel=0.2)
    missed = [each.size for each in poor.sizes if not each.gap.low < truth[each.size] < each.gap.high]
    assert len(missed) <= 1  # of five intervals that hold nine in ten
    for each in poor.sizes:
        assert each.representation + each.estimation == pytest.approx(max(each.gap.value, 0.0))
    assert max(each.gap.value for each in rich.sizes) < 0.005
    assert rich.carried.value > 0.99 > 0.97 > poor.carried.value


def test_masked_values_are_the_models_own() -> None:
    X, f = SIMULATOR.sample(600, 0)
    record = Explainer(order=2).fit(X, outputs=f)._fitted.get_record("test")
    drawn = draw_masks(600, np.array([1, 3]), 4)
    assert drawn.sum(axis=3).tolist() == [[[1, 3]] * 4] * 600
    assert (drawn.sum(axis=1)[:, 0] == 1).all()  # each player alone once
    masks = drawn[:, 0]
    model = record.result.model
    found = np.concatenate([values for _, values in iterate_masked(model, record.encoded, masks)])
    for number in range(2):
        np.testing.assert_allclose(found[:, number], model.predict(record.encoded, masks[:, number]), atol=1e-12)


def test_the_models_held_out_have_not_seen_their_rows() -> None:
    """Without a fold's rows the fit, at fixed strengths, is that fold's model."""
    from instashap.masked.fitter import ClosedFormFitter
    from instashap.masked.strengths import Strengths

    X, f = SIMULATOR.sample(500, 0)
    record = Explainer(order=1, presence_order=1).fit(X, outputs=f)._fitted.get_record("test")
    fitter = ClosedFormFitter(record.columns, record.players, order=1, smoothness=Strengths())
    fixed = fitter.fit(record.encoded, record.outputs, record.weights, record.size_law)
    held = hold_out(1, type(record)(**{**record.__dict__, "result": fixed}))
    assert held.is_held_out
    places, model = held.parts[2]
    others = np.setdiff1d(np.arange(500), places)
    alone = fitter.fit(
        take_encoded(record.encoded, others), record.outputs[others], record.weights[others], record.size_law
    ).model
    encoded = take_encoded(record.encoded, places)
    # The functions are learnt on all rows, hence not the very same spans; to a thousandth of the spread they agree.
    np.testing.assert_allclose(model.predict(encoded), alone.predict(encoded), atol=2e-2 * f.std())
    assert model.base_value == pytest.approx(f[others].mean())


def test_a_few_folds_are_judged_as_among_all() -> None:
    X, f = SIMULATOR.sample(600, 0)
    record = Explainer(order=1, presence_order=1).fit(X, outputs=f)._fitted.get_record("test")
    columns = tuple(column.encoder for column in record.columns)
    rows = Rows(record.encoded, record.outputs, record.weights, columns, record.players, ("a", "b", "c", "d"))
    whole = hold_out(1, record)
    fitted, base = whole.predict(rows)
    (one,), part = keep_held([hold_out(1, record, 1)], rows)
    (all_again,), same = keep_held([whole], rows)
    assert (len(one.parts), len(all_again.parts)) == (1, 5)
    assert same is rows
    kept = np.sort(whole.parts[0][0])
    assert 600 / 8 < len(kept) == len(part) < 600 / 3
    np.testing.assert_array_equal(part.outputs, f[kept, None])
    found, start = one.predict(part)
    np.testing.assert_array_equal(found, fitted[kept])
    np.testing.assert_array_equal(start, base[kept])
    (first, second), mixed = keep_held([hold_out(1, record, 1), whole], rows)
    assert len(mixed) == len(kept)
    np.testing.assert_array_equal(first.predict(mixed)[0], second.predict(mixed)[0])
