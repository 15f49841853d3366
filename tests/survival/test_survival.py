"""Survival: periods by hand, a Kaplan–Meier curve, known hazards, and models of other packages."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import instashap
from instashap.survival import AdditiveSurvival, survive_at
from instashap.survival.periods import choose_ends, count_censored, measure_concordance, split_periods


def draw(n_rows, seed):
    """Hazard exp(x0 - 1) where group is a, three times that where it is b; censored uniformly."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x0": rng.normal(size=n_rows), "group": rng.choice(["a", "b"], n_rows)})
    rate = np.exp(X["x0"] - 1.0) * np.where(X["group"] == "b", 3.0, 1.0)
    times, ends = rng.exponential(1.0 / rate), rng.uniform(0.0, 4.0, n_rows)
    return X, np.minimum(times, ends), times <= ends, rate


@pytest.fixture(scope="module")
def fitted():
    X, times, events, rate = draw(400, 0)
    return AdditiveSurvival(n_periods=6, order=1, presence_order=1).fit(X, times, events), X, rate


def test_rows_of_periods_by_hand():
    periods = split_periods(np.array([1.0, 2.2, 3.0, 9.0]), np.array([True, False, True, False]), np.array([1.0, 2.0, 3.0]))
    assert periods.subjects.tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3]
    assert periods.numbers.tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2]
    assert periods.events.tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0]
    assert choose_ends(np.arange(1.0, 9.0), np.ones(8, dtype=bool), 4).tolist() == [3.0, 5.0, 7.0, 8.0]


def test_hazards_with_many_censored_are_those_of_kaplan_and_meier():
    rng = np.random.default_rng(0)
    times, ends_of_watch, weights = rng.exponential(1.0, 900), rng.exponential(0.7, 900), rng.integers(0, 3, 900).astype(float)
    times, events = np.ceil(20 * np.minimum(times, ends_of_watch)) / 20, times <= ends_of_watch  # with ties
    ends = choose_ends(times, events, 4)
    curve = {
        time: 1.0 - weights[(times == time) & events].sum() / weights[times >= time].sum() for time in np.unique(times[events])
    }
    expected = [np.prod([fall for time, fall in curve.items() if time <= end]) for end in ends]
    whole, (censored, shares) = split_periods(times, events, ends), count_censored(times, events, ends, weights)
    counts = np.append(weights[whole.subjects], weights[censored.subjects] * shares)
    numbers, own = np.append(whole.numbers, censored.numbers), np.append(whole.events, censored.events)
    hazards = np.bincount(numbers, weights=counts * own) / np.bincount(numbers, weights=counts)
    np.testing.assert_allclose(np.cumprod(1.0 - hazards), expected, rtol=1e-9)
    X = pd.DataFrame({"a": rng.normal(size=900)})
    model = AdditiveSurvival(n_periods=4, order=1, presence_order=1).fit(X, times, events)
    # The law is exp(-t); without the censored rows survival at the third end was .05 too low.
    assert np.abs(model.predict_survival(pd.DataFrame({"a": [0.0]}))[0, :3] - np.exp(-model.period_ends_[:3])).max() < 0.04


def test_periods_end_where_those_of_repeated_rows_do():
    rng = np.random.default_rng(0)
    times, weights = rng.exponential(1.0, 60), rng.integers(0, 3, 60)
    weights[times.argmax()] = 0  # the last event has no weight
    X, copies = pd.DataFrame({"a": rng.normal(size=60)}), np.repeat(np.arange(60), weights)
    options = {"n_periods": 3, "order": 1, "presence_order": 1}
    model = AdditiveSurvival(**options).fit(X, times, np.ones(60), weights)
    expected = np.quantile(times[copies], [1 / 3, 2 / 3, 1.0], method="higher")
    np.testing.assert_array_equal(model.period_ends_, expected)
    with pytest.raises(ValueError, match="positive sample_weight"):
        AdditiveSurvival(**options).fit(X, times, np.ones(60), np.arange(60) == 3)


def test_a_row_of_a_whole_weight_is_so_many_rows():
    X, times, events, _ = draw(250, 3)
    weights = np.random.default_rng(0).integers(0, 3, 250)
    copies = np.repeat(np.arange(250), weights)
    options = {"n_periods": 5, "order": 1, "presence_order": 1}
    weighted = AdditiveSurvival(**options).fit(X, times, events, weights)
    repeated = AdditiveSurvival(**options).fit(X.iloc[copies], times[copies], events[copies])
    np.testing.assert_allclose(weighted.predict_survival(X), repeated.predict_survival(X), rtol=1e-6)


def test_concordance_by_hand():
    # Known orders: 0 before 1, 2, 3; 2 before 3. Of these 0-1 is wrong, 2-3 equal.
    risk, times, events = np.array([2.0, 3.0, 1.0, 1.0]), np.array([1.0, 2.0, 2.5, 3.0]), np.array([True, False, True, False])
    assert measure_concordance(risk, times, events) == pytest.approx(2.5 / 4)


def test_survival_is_near_the_truth_and_falls(fitted):
    model, X, rate = fitted
    times = np.array([0.2, 0.5, 1.0])
    found = model.predict_survival(X, times)
    truth = np.exp(-rate.to_numpy()[:, None] * times)
    assert np.abs(found - truth).mean() < 0.06
    whole = model.predict_survival(X)
    assert (np.diff(whole, axis=1) <= 0).all()
    np.testing.assert_allclose(whole, np.cumprod(1.0 - model.predict_hazards(X), axis=1))
    np.testing.assert_allclose(model.predict_survival(X, [0.0]), 1.0)


def test_mean_survival_is_that_of_kaplan_and_meier(fitted):
    model, X, _ = fitted
    _, times, events, _ = draw(400, 0)
    known, step = [], 1.0
    for time in np.sort(times[events]):
        step *= 1.0 - 1.0 / (times >= time).sum()
        known.append(step)
    at_ends = np.array(known)[np.searchsorted(np.sort(times[events]), model.period_ends_[:-1], side="right") - 1]
    np.testing.assert_allclose(model.predict_survival(X).mean(axis=0)[:-1], at_ends, atol=0.05)


def test_risk_orders_new_rows_as_well_as_the_truth_does(fitted):
    X, times, events, rate = draw(300, 1)
    best = measure_concordance(rate.to_numpy(), times, events)
    assert fitted[0].score(X, times, events) > best - 0.02


def test_survival_at_some_times_is_explained_as_outputs(fitted):
    model, X, _ = fitted
    explainer = instashap.Explainer(survive_at(model, [0.5, 1.0]), order=1, presence_order=1, synthetic_rows=0).fit(X)
    assert explainer.output_names_ == ("survival at 0.5", "survival at 1")
    values = explainer.shap_values(X[:50])
    assert np.corrcoef(values[:, 0, 1], -X["x0"][:50])[0, 1] > 0.9
    np.testing.assert_allclose(explainer.expected_value, model.predict_survival(X, [0.5, 1.0]).mean(axis=0))


def test_columns_may_be_numbered_and_one_row_is_a_table(fitted):
    model, X, _ = fitted
    _, times, events, _ = draw(400, 0)
    numbered = AdditiveSurvival(n_periods=6, order=1, presence_order=1).fit(X.set_axis([0, 1], axis=1), times, events)
    np.testing.assert_array_equal(numbered.predict(X.set_axis([0, 1], axis=1)[:5]), model.predict(X[:5]))
    with pytest.raises(ValueError, match=r"X has 1 dimension\(s\); pass a table"):
        model.predict(X.iloc[0])


class Steps:
    """As scikit-survival: steps at known times."""

    unique_times_ = np.array([1.0, 2.0])

    def predict_survival_function(self, X, return_array=False):
        assert return_array
        return np.tile([0.8, 0.5], (len(X), 1))


class Columns:
    """As lifelines: one column a row."""

    def predict_survival_function(self, X, times=None):
        return pd.DataFrame(np.outer(1.0 / (1.0 + np.asarray(times)), np.ones(len(X))), index=times)


def test_models_of_other_packages_give_survival_at_times():
    X = pd.DataFrame({"a": [1.0, 2.0]})
    np.testing.assert_allclose(survive_at(Steps(), [0.5, 1.0, 2.0])(X), [[1.0, 0.8, 0.5]] * 2)
    with pytest.raises(ValueError, match="Steps knows survival up to 2, the last time of its fit, and 5 was asked for"):
        survive_at(Steps(), [0.5, 5.0])(X)
    np.testing.assert_allclose(survive_at(Columns(), [0.0, 1.0])(X), [[1.0, 0.5]] * 2)
    with pytest.raises(TypeError, match="one column for each time"):
        survive_at(object(), [1.0])
    with pytest.raises(ValueError, match="rise"):
        survive_at(Steps(), [2.0, 1.0])


def test_a_model_of_scikit_survival_is_asked_at_times():
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, times, events, _ = draw(120, 2)
    y = np.array(list(zip(events, times, strict=True)), dtype=[("event", bool), ("time", float)])
    model = linear_model.CoxPHSurvivalAnalysis().fit(X[["x0"]], y)
    expected = [step(0.7) for step in model.predict_survival_function(X[["x0"]])]
    np.testing.assert_allclose(survive_at(model, [0.7])(X[["x0"]])["survival at 0.7"], expected)
    late = times.max() + 1.0
    with pytest.raises(ValueError, match="must be within"):  # its own functions refuse what is not known
        model.predict_survival_function(X[["x0"]])[0](late)
    with pytest.raises(ValueError, match="CoxPHSurvivalAnalysis knows survival up to"):
        survive_at(model, [0.7, late])(X[["x0"]])


@pytest.mark.parametrize(
    ("times", "events", "words"),
    [
        ([0.0, 1.0, 2.0], [1, 1, 1], "above 0"),
        ([1.0, 1.0, 2.0], [1, 2, 0], "True or 1"),
        ([1.0, 1.0, 2.0], [1, 0, 0], "fewer than two"),
        ([1.0, 1.0], [1, 1], "inconsistent"),
        ([1.0, 1.0, 2.0], ["yes", "no", "yes"], "events must be True or 1 .* got 'no', 'yes': pass events == 'yes'"),
        ([1.0, 1.0, 2.0], ["False", "True", "True"], "got 'False', 'True': pass events == 'True'"),
        ([1.0, 1.0, 2.0], ["left", "quit", "quit"], "got 'left', 'quit': pass events == the word for an event that was seen"),
        ([1.0, np.nan, 2.0], [1, 1, 1], "Input times contains 1 NaN"),
    ],
)
def test_times_and_events_that_make_no_sense_are_refused(times, events, words):
    with pytest.raises(ValueError, match=words):
        AdditiveSurvival().fit(pd.DataFrame({"a": [1.0, 2.0, 3.0]}), times, events)


def test_times_beyond_the_last_event_are_refused(fitted):
    with pytest.raises(ValueError, match="to the last event of the fit"):
        fitted[0].predict_survival(fitted[1], [99.0])


def test_tables_of_other_libraries_keep_their_names():
    X, times, events, _ = draw(200, 1)
    other = pytest.importorskip("polars").from_pandas(X)
    model = AdditiveSurvival(n_periods=4, order=1, presence_order=1).fit(other, times, events)
    expected = AdditiveSurvival(n_periods=4, order=1, presence_order=1).fit(X, times, events).predict(X)
    for rows in (other, other.select(["group", "x0"]), other.to_arrow(), X[["group", "x0"]], X.to_numpy()):
        np.testing.assert_array_equal(model.predict(rows), expected)


def test_arrays_have_the_columns_of_the_fit():
    X, times, events, _ = draw(200, 1)
    numbers = X.assign(group=(X["group"] == "b").astype(float))
    model = AdditiveSurvival(n_periods=4, order=1, presence_order=1).fit(numbers, times, events)
    np.testing.assert_array_equal(model.predict(numbers.to_numpy()), model.predict(numbers))
    np.testing.assert_array_equal(model.predict(scipy.sparse.csr_array(numbers.to_numpy())), model.predict(numbers))
