"""Any predictor as numbers on a stated scale."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from instashap import Explainer, ModelOutputError
from instashap.blackbox import wrap_model
from instashap.blackbox.classes import to_log_odds

IRIS, IRIS_CLASS = load_iris(return_X_y=True)
CANCER, CANCER_CLASS = load_breast_cancer(return_X_y=True)


def test_a_regressor_is_explained_on_predict() -> None:
    model = LinearRegression().fit(IRIS[:, :3], IRIS[:, 3])
    box = wrap_model(model)
    assert np.array_equal(box.predict(IRIS[:, :3], 150)[:, 0], model.predict(IRIS[:, :3]))
    assert box.description == "output of predict"


def test_a_binary_classifier_is_one_output_of_log_odds() -> None:
    model = LogisticRegression(max_iter=10_000).fit(CANCER, np.where(CANCER_CLASS == 1, "benign", "malignant"))
    box = wrap_model(model)
    answer = box.ask(CANCER, len(CANCER))
    np.testing.assert_allclose(answer.values[:, 0], model.decision_function(CANCER), atol=1e-9)
    assert answer.output_names == ("malignant",)
    assert answer.box.description == "log-odds of class 'malignant', the model's own margin (decision_function)"


def test_probability_output_is_not_transformed() -> None:
    model = LogisticRegression(max_iter=10_000).fit(CANCER, CANCER_CLASS)
    values = wrap_model(model, "probability").predict(CANCER, len(CANCER))
    assert np.array_equal(values[:, 0], model.predict_proba(CANCER)[:, 1])


def test_three_classes_are_centred_log_probabilities() -> None:
    model = LogisticRegression(max_iter=10_000).fit(IRIS, IRIS_CLASS)
    values = wrap_model(model).predict(IRIS, 150)
    logs = np.log(model.predict_proba(IRIS))
    np.testing.assert_allclose(values, logs - logs.mean(axis=1, keepdims=True), atol=1e-12)
    np.testing.assert_allclose(values.sum(axis=1), 0, atol=1e-12)


def test_log_odds_by_hand() -> None:
    np.testing.assert_allclose(to_log_odds(np.log([[0.2, 0.8]])), [[np.log(4)]])
    np.testing.assert_allclose(to_log_odds(np.log([[0.2, 0.4, 0.4]])), np.log([[2 ** (-2 / 3), 2 ** (1 / 3), 2 ** (1 / 3)]]))


def test_without_probabilities_the_decision_function_is_used() -> None:
    model = LinearSVC().fit(IRIS[:100], IRIS_CLASS[:100])
    assert np.array_equal(wrap_model(model).predict(IRIS, 150)[:, 0], model.decision_function(IRIS))
    with pytest.raises(TypeError, match="needs class probabilities, but LinearSVC has no predict_proba"):
        wrap_model(model, "probability")


def test_a_callable_is_never_transformed() -> None:
    box = wrap_model(lambda X: np.column_stack([X[:, 0] > 5, X[:, 1]]))
    assert np.array_equal(box.predict(IRIS, 150), np.column_stack([IRIS[:, 0] > 5, IRIS[:, 1]]))


def test_the_model_sees_rows_in_the_users_container_and_types() -> None:
    frame = pd.DataFrame({"colour": pd.Categorical(["red", "blue"] * 20), "size": np.arange(40)})
    steps = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    model = make_pipeline(steps, LinearRegression()).fit(frame, np.arange(40) % 2)
    seen = []

    def predict(X: pd.DataFrame) -> np.ndarray:
        seen.append(X)
        return model.predict(X)

    np.testing.assert_allclose(wrap_model(predict).predict(frame, 40)[:, 0], np.arange(40) % 2, atol=1e-9)
    pd.testing.assert_frame_equal(seen[0], frame)


@pytest.mark.parametrize("as_frame", [True, False])
def test_a_model_that_changes_its_rows_in_place_changes_no_rows_of_the_user(as_frame: bool) -> None:
    numbers = np.random.default_rng(0).normal(size=(200, 2))
    rows = pd.DataFrame(numbers, columns=["a", "b"]) if as_frame else numbers.copy()

    def scale(given):
        given *= 10.0
        if as_frame:
            given["sum"] = given["a"] + given["b"]
        return np.asarray(given)[:, 0]

    explainer = Explainer(scale, order=1, synthetic_rows=0).fit(rows)
    np.testing.assert_array_equal(np.asarray(rows), numbers)
    expected = Explainer(order=1).fit(numbers, outputs=10.0 * numbers[:, 0])
    np.testing.assert_allclose(explainer.predict(numbers), expected.predict(numbers), atol=1e-9)


def test_many_rows_come_in_batches() -> None:
    sizes = []

    def predict(X: np.ndarray) -> np.ndarray:
        sizes.append(len(X))
        return X[:, 0]

    for container in (IRIS, pd.DataFrame(IRIS)):
        box = wrap_model(predict if container is IRIS else lambda X: predict(X.to_numpy()), batch_rows=40)
        assert np.array_equal(box.predict(container, 150)[:, 0], IRIS[:, 0])
    assert sizes == [40, 40, 40, 30] * 2


def test_a_forest_certain_of_itself_is_cut_at_half_of_its_smallest_probability() -> None:
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(CANCER, CANCER_CLASS)
    answer = wrap_model(model).ask(CANCER, len(CANCER))
    probability = model.predict_proba(CANCER)[:, 1]
    certain = np.mean((probability == 0) | (probability == 1))
    assert set(np.unique(probability.round(9))) == {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}  # five pure trees
    # 0 is explained as .1 beside 1 for the other class, and so on; in between as it is.
    expected = np.log(np.maximum(probability, 0.1)) - np.log(np.maximum(1 - probability, 0.1))
    np.testing.assert_allclose(answer.values[:, 0], expected, atol=1e-9)
    cut = f"from probabilities, those below 0.1 cut ({100 * certain:.1f} % of rows)"
    assert answer.box.description == f"log-odds of class '1', {cut}"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda X: X[:10, 0], r"gave shape \(10,\) for 150 rows"),
        (lambda X: np.where(np.arange(150) == 7, np.nan, 1.0), "not finite on 1 rows, the first is row 7"),
        (lambda X: ["a"] * 150, "must return numbers"),
        (lambda X: ["1"] * 150, "must return numbers"),
        (lambda X: np.array(["1"] * 150, dtype=object), "must return numbers"),
        (lambda X: X[:, 0] + 1j, r"must return numbers, got ndarray \(dtype complex128\)"),
        (lambda X: np.zeros(150, dtype="M8[s]"), "must return numbers"),
        (lambda X: np.ma.masked_less(X[:, 0], 4.5), "not finite on 4 rows, the first is row 8"),
        (lambda X: [[1.0]] * 149 + [[1.0, 2.0]], "must return numbers"),
        (lambda X: np.zeros((150, 0)), r"gave shape \(150, 0\): no outputs"),
        (lambda X: np.zeros((150, 2, 2)), r"gave shape \(150, 2, 2\)"),
        (lambda X: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
)
def test_unusable_outputs_are_refused(model: object, message: str) -> None:
    with pytest.raises(ModelOutputError, match=message):
        wrap_model(model).predict(IRIS, 150)


def test_the_models_own_error_is_chained() -> None:
    with pytest.raises(ModelOutputError) as caught:
        wrap_model(lambda X: 1 / 0).predict(IRIS, 150)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def change_columns(X: np.ndarray) -> np.ndarray:
    return np.zeros((len(X), 1 if len(X) == 60 else 2))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (change_columns, r"change_columns gave 1 outputs, then 2 \(rows 120 to 149 of 150\); they must stay the same"),
        (lambda X: [1 / (len(X) - 30)] * len(X), r"\(rows 120 to 149 of 150\) raised ZeroDivisionError"),
        (lambda X: X[:50, 0], r"\(rows 0 to 59 of 150\) gave shape \(50,\) for 60 rows"),
        (lambda X: np.where(np.arange(len(X)) == 31, np.nan, 1.0), r"\(rows 0 to 59 of 150\) is not finite on 1 rows"),
    ],
)
def test_the_batch_and_row_of_a_failure_are_named(model: object, message: str) -> None:
    with pytest.raises(ModelOutputError, match=message):
        wrap_model(model, batch_rows=60).predict(IRIS, 150)


def test_a_row_that_fails_is_counted_from_the_tables_first() -> None:
    X = np.arange(150.0)[:, None]
    message = r"\(rows 120 to 149 of 150\) is not finite on 1 rows, the first is row 145 \(\[nan\]\)"
    with pytest.raises(ModelOutputError, match=message):
        wrap_model(lambda X: np.where(X[:, 0] == 145, np.nan, 0.0), batch_rows=60).predict(X, 150)


@pytest.mark.parametrize(("size", "kind"), [(0, ValueError), (-5, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_batch_holds_a_row_at_least(size: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="batch_rows"):
        wrap_model(len, batch_rows=size)  # type: ignore[arg-type]


@pytest.mark.parametrize(("model", "message"), [(LinearRegression, "pass a fitted instance"), (3, "got int")])
def test_what_cannot_predict_is_refused(model: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        wrap_model(model)
