"""Features that never vary, and functions that never help, get exactly nothing."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import AdditiveClassifier, AdditiveRegressor, Baseline, Explainer, Marginal

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame(RNG.normal(size=(300, 3)), columns=["a", "b", "d"])
ROWS["a"] += ROWS["b"]
CONSTANTS = {"number": 7.0, "missing": np.nan, "text": "DE", "category": pd.Categorical(["x"] * 300, ["x", "y"])}

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def compute_outputs(table: pd.DataFrame) -> np.ndarray:
    numbers = table[["a", "b", "d"]].to_numpy(dtype=float)
    return numbers[:, 0] * numbers[:, 1] + np.abs(numbers[:, 2])


def evaluate_zeroed(table: pd.DataFrame, masks: np.ndarray) -> np.ndarray:
    numbers = np.where(masks[:, [0, 1, 3]], table[["a", "b", "d"]].to_numpy(dtype=float), 0.0)
    return numbers[:, 0] * numbers[:, 1] + np.abs(numbers[:, 2])


def add_constant(name: str) -> pd.DataFrame:
    rows = ROWS.copy()
    rows.insert(2, "c", CONSTANTS[name])
    return rows


CASES = [("number", {}), ("missing", {"order": 1, "presence_order": 4}), ("text", {"order": 3}), ("category", {"order": 1})]


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_a_column_of_one_value_gets_exactly_nothing_with_standard_error_0(name: str, options: dict) -> None:
    rows = add_constant(name)
    explanation = Explainer(**options).fit(rows, outputs=compute_outputs(rows))(rows, errors=True)
    assert not explanation.values[:, 2].any()
    assert not explanation.standard_errors[:, 2].any()
    assert explanation.feature_names == ("a", "b", "c", "d")
    assert (explanation.values[:, [0, 1, 3]] != 0).all()


@pytest.fixture(scope="module")
def plain_values() -> np.ndarray:
    return Explainer().fit(ROWS, outputs=compute_outputs(ROWS)).shap_values(ROWS)


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_column_of_one_value_changes_no_other_value(name: str, plain_values: np.ndarray) -> None:
    rows = add_constant(name)
    values = Explainer().fit(rows, outputs=compute_outputs(rows)).shap_values(rows)
    np.testing.assert_array_equal(values[:, [0, 1, 3]], plain_values)


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: Explainer(compute_outputs, value_function=Marginal(rows[:20])).fit(rows),
        lambda rows: Explainer(compute_outputs, value_function=Baseline(rows[:1])).fit(rows),
        lambda rows: Explainer(value_function=evaluate_zeroed).fit(rows),
        lambda rows: AdditiveRegressor().fit(rows, compute_outputs(rows)),
        lambda rows: AdditiveRegressor(monotone_constraints={"d": 1}).fit(rows, compute_outputs(rows)),
        lambda rows: AdditiveClassifier().fit(rows, compute_outputs(rows) > 0.5),
    ],
    ids=["marginal", "baseline", "function", "squares", "likelihood", "classifier"],
)
def test_every_game_and_estimator_gives_it_nothing(make: object) -> None:
    rows = add_constant("missing")
    assert not make(rows).shap_values(rows)[:, 2].any()  # type: ignore[operator]


@pytest.mark.parametrize("name", ["number", "missing"])
def test_a_column_of_one_value_takes_nothing_from_others_in_a_marginal_game(name: str) -> None:
    # The constant's own function was counted with the first feature, took half of its effect, and was dropped.
    rows = add_constant(name)[["c", "a", "d"]].assign(d=ROWS["d"] + 2.0)
    a, d = rows["a"].to_numpy(), rows["d"].to_numpy()
    explainer = Explainer(lambda table: (table["a"] * table["d"]).to_numpy(), value_function=Marginal(rows)).fit(rows)
    first = (a * d.mean() - (a * d).mean() + a * d - d * a.mean()) / 2
    expected = np.column_stack([np.zeros(300), first, a * d - (a * d).mean() - first])
    np.testing.assert_allclose(explainer.shap_values(rows), expected, atol=1e-5)


def test_a_marginal_game_of_constants_alone_is_its_base_value() -> None:
    rows = np.ones((40, 3))
    explainer = Explainer(lambda table: 3.0 * table[:, 0], value_function=Marginal(rows)).fit(rows)
    assert explainer.expected_value == 3.0
    assert not explainer.shap_values(rows[:2]).any()


def test_a_constant_that_the_background_does_not_share_has_an_effect() -> None:
    rows = add_constant("number")
    background = rows[:20].assign(c=9.0)
    explainer = Explainer(lambda table: (2.0 * table["c"] + table["a"]).to_numpy(), value_function=Marginal(background))
    np.testing.assert_allclose(explainer.fit(rows).shap_values(rows)[:, 2], 2.0 * (7.0 - 9.0), atol=1e-5)


def test_a_table_of_constants_is_its_base_value() -> None:
    explainer = Explainer().fit(np.ones((40, 3)), outputs=np.arange(40.0))
    assert explainer.expected_value == 19.5
    assert not explainer.shap_values(np.ones((5, 3))).any()


def test_an_audit_and_a_report_name_the_features_that_vary(tmp_path) -> None:
    rows = add_constant("text")
    explainer = Explainer().fit(rows, outputs=compute_outputs(rows))
    assert explainer.audit().summary()
    assert set(explainer.rank_terms(presence=True)["known"].sum()) == {"a", "b", "d"}
    instashap.write_report(explainer, rows, path=tmp_path / "report.html")


def test_a_column_of_one_value_and_the_order_of_rows_change_nothing_where_the_model_is_asked() -> None:
    # Synthetic rows were drawn with coordinates that depend on the number of columns: values moved by .2 standard deviations.
    def model(table: pd.DataFrame) -> np.ndarray:
        numbers = table[["a", "b", "d"]].to_numpy(dtype=float)
        return np.sin(2 * numbers[:, 0]) * numbers[:, 2] + (numbers[:, 1] > 0.3)

    def explain(table: pd.DataFrame) -> np.ndarray:
        explainer = Explainer(model, synthetic_rows=4096).fit(table)
        assert explainer.fit_facts_["synthetic"]["share"] > 0
        return explainer.shap_values(table)

    values = explain(ROWS)
    np.testing.assert_array_equal(explain(add_constant("number"))[:, [0, 1, 3]], values)
    mixed = np.random.default_rng(1).permutation(len(ROWS))
    np.testing.assert_allclose(explain(ROWS.iloc[mixed]), values[mixed], rtol=0, atol=1e-3)
