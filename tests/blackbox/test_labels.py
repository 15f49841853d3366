"""Labels are not amounts: what is refused comes with a function to pass instead, and that function works."""

import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import Birch, KMeans, MeanShift
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, PoissonRegressor, RidgeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from instashap import DataWarning, Explainer, ModelOutputError
from instashap.blackbox import wrap_model

X, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
LABELS = np.column_stack([SPECIES > 0, SPECIES > 1]).astype(int)


def follow(model: Any, kind: type[Exception] = TypeError, **options: Any) -> np.ndarray:
    """What the function gives that the message about a model advises, once it has been explained."""
    with pytest.raises(kind) as caught:
        Explainer(model, **options).fit(X)
    found = re.search(r"(lambda X: .*)$", str(caught.value))
    assert found is not None, str(caught.value)
    function = eval(found[1], {"model": model, "np": np})
    explainer = Explainer(function, order=1, synthetic_rows=0).fit(X)
    assert explainer.output_names_ == ("output",)
    return np.asarray(function(X), dtype=float)


def test_one_label_of_several_is_explained_as_advised() -> None:
    logistic = LogisticRegression(max_iter=1000)
    chain = ClassifierChain(logistic).fit(X, LABELS)
    np.testing.assert_array_equal(follow(chain), chain.predict_proba(X)[:, 0])
    np.testing.assert_array_equal(follow(make_pipeline("passthrough", chain)), chain.predict_proba(X)[:, 0])
    for model in (MultiOutputClassifier(logistic), RandomForestClassifier(5, random_state=0)):
        np.testing.assert_array_equal(follow(model.fit(X, LABELS)), model.predict_proba(X)[0][:, 1])
    scores = ClassifierChain(SVC()).fit(X, LABELS)
    np.testing.assert_array_equal(follow(scores), scores.decision_function(X)[:, 0])
    hard = MultiOutputClassifier(LinearSVC()).fit(X, LABELS)
    np.testing.assert_array_equal(follow(hard), hard.predict(X)[:, 0] == 1)
    network = MLPClassifier((4,), max_iter=5, random_state=0)
    with pytest.warns(UserWarning, match="converge"):
        network.fit(X, np.column_stack([LABELS, np.ones(150, dtype=int)]))
    np.testing.assert_array_equal(follow(network, ModelOutputError), network.predict_proba(X)[:, 0])


def test_clusters_are_explained_by_distance_or_membership() -> None:
    clusters = KMeans(3, n_init=1, random_state=0).fit(X)
    distance = np.sqrt(((X - clusters.cluster_centers_[0]) ** 2).sum(axis=1))
    for model in (clusters, make_pipeline("passthrough", clusters)):
        np.testing.assert_allclose(follow(model), distance, atol=1e-9)
    birch = Birch().fit(X)
    np.testing.assert_allclose(follow(birch), birch.transform(X)[:, 0])
    shift = MeanShift().fit(X)
    np.testing.assert_array_equal(follow(shift), shift.labels_ == 0)
    with pytest.raises(TypeError, match=r"KMeans\.predict gives labels, which are not amounts"):
        wrap_model(clusters.predict)


def test_the_predict_of_a_classifier_is_not_explained_as_a_number() -> None:
    for labels in (SPECIES, NAMES):
        model = LogisticRegression(max_iter=1000).fit(X, labels)
        with pytest.raises(TypeError, match=r"LogisticRegression\.predict gives labels.*; pass the model itself"):
            wrap_model(model.predict)
        assert wrap_model(model).predict(X, 150).shape == (150, 3)
    assert wrap_model(PoissonRegressor().fit(X, SPECIES).predict).predict(X, 150).shape == (150, 1)


def test_a_classifier_that_only_predicts_is_explained_by_membership() -> None:
    class Bare:
        classes_ = np.array(["low", "high"])

        def predict(self, X: Any) -> Any:
            return np.where(X[:, 2] > 4, "high", "low")

    np.testing.assert_array_equal(follow(Bare()), X[:, 2] > 4)


def test_whole_numbers_in_a_row_are_explained_with_a_warning_unless_they_are_floats() -> None:
    with pytest.warns(DataWarning, match="gives the whole numbers 0 to 2, which are explained as amounts"):
        values = wrap_model(lambda rows: SPECIES[: len(rows)]).predict(X, 150)
    assert np.array_equal(values[:, 0], SPECIES)
    torch, polars = pytest.importorskip("torch"), pytest.importorskip("polars")
    for give in (list, pd.Series, partial(pd.Series, dtype="Int64"), polars.Series, torch.tensor):
        with pytest.warns(DataWarning, match="gives the whole numbers 0 to 2, which are explained as amounts"):
            wrap_model(lambda rows, give=give: give(SPECIES[: len(rows)])).predict(X, 150)
    wrap_model(lambda rows: torch.tensor(SPECIES[: len(rows)].astype(float))).predict(X, 150)
    wrap_model(lambda rows: SPECIES[: len(rows)].astype(float)).predict(X, 150)
    wrap_model(lambda rows: LABELS[: len(rows), 0]).predict(X, 150)
    wrap_model(lambda rows: 10 * SPECIES[: len(rows)]).predict(X, 150)


def test_labels_of_text_name_what_to_pass() -> None:
    with pytest.raises(ModelOutputError, match=r"must return numbers.*for class labels pass the classifier itself"):
        wrap_model(lambda rows: NAMES[: len(rows)]).predict(X, 150)


def test_pairs_of_classes_are_named_by_the_class_that_a_positive_value_favours() -> None:
    model = SVC(decision_function_shape="ovo").fit(X, NAMES)
    answer = wrap_model(model).ask(X, 150)
    assert answer.output_names == ("setosa over versicolor", "setosa over virginica", "versicolor over virginica")
    assert answer.box.description == "decision function of each pair of classes"
    means = [answer.values[number == SPECIES].mean(axis=0) for number in range(3)]
    assert means[0][0] > 0 > means[1][0]
    assert means[0][1] > 0 > means[2][1]
    assert means[1][2] > 0 > means[2][2]
    two = SVC(decision_function_shape="ovo").fit(X, SPECIES > 0)
    assert wrap_model(two).output_names == ("True",)
    many = RidgeClassifier().fit(X, NAMES)
    assert wrap_model(many).output_names == ("setosa", "versicolor", "virginica")


def test_raw_scores_of_boosters_are_those_before_the_link() -> None:
    xgboost, lightgbm = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    catboost = pytest.importorskip("catboost")
    matrix = xgboost.DMatrix(X, 1.0 + SPECIES)
    for objective in ("survival:cox", "count:poisson"):
        booster = xgboost.train({"objective": objective, "nthread": 1}, matrix, 5)
        raw, plain = (wrap_model(booster, output).predict(X, 150)[:, 0] for output in ("raw", "auto"))
        np.testing.assert_allclose(np.exp(raw), plain, rtol=1e-5)
    light = lightgbm.train({"objective": "poisson", "verbosity": -1, "num_threads": 1}, lightgbm.Dataset(X, SPECIES), 5)
    regressor = lightgbm.LGBMRegressor(n_estimators=5, objective="poisson", verbose=-1, n_jobs=1).fit(X, SPECIES)
    boosted = xgboost.XGBRegressor(n_estimators=5, objective="count:poisson", n_jobs=1).fit(X, SPECIES)
    options = {"iterations": 5, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "loss_function": "Poisson"}
    cat = catboost.CatBoostRegressor(**options).fit(X, SPECIES)
    for model in (light, regressor, boosted, cat):
        raw, plain = (wrap_model(model, output).predict(X, 150) for output in ("raw", "auto"))
        np.testing.assert_allclose(np.exp(raw), plain, rtol=1e-5)


def test_a_raw_score_that_is_not_given_is_refused_with_a_way_out() -> None:
    for model in (PoissonRegressor(), HistGradientBoostingRegressor(loss="poisson", max_iter=5)):
        model.fit(X, SPECIES)
        np.testing.assert_allclose(np.exp(follow(model, output="raw")), model.predict(X))


def test_a_booster_is_explained_with_what_it_forgot_by_a_function() -> None:
    xgboost = pytest.importorskip("xgboost")
    gaps = np.where(X > 5, -999.0, X)
    booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(gaps, SPECIES, missing=-999), 5)
    own = booster.predict(xgboost.DMatrix(gaps, missing=-999))
    box = wrap_model(booster)
    assert not np.array_equal(box.predict(gaps, 150)[:, 0], own)
    assert box.description.endswith(", with missing=NaN and without base_margin")
    by_function = wrap_model(lambda rows: booster.predict(xgboost.DMatrix(rows, missing=-999)))
    assert np.array_equal(by_function.predict(gaps, 150)[:, 0], own)
    assert np.array_equal(box.predict(np.where(X > 5, np.nan, X), 150)[:, 0], own)
