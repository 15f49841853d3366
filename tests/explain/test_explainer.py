"""The explainer, as a user meets it."""

import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

import instashap
from instashap import Explainer
from instashap.game.coalitions import enumerate_coalitions

pytestmark = [pytest.mark.filterwarnings("ignore::instashap.FitWarning"), pytest.mark.usefixtures("few_calls")]


def make_frame(n_rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(100, 20, n_rows),
            "rooms": rng.integers(1, 6, n_rows),
            "town": rng.choice(["north", "south", "west"], n_rows),
            "age": rng.exponential(30, n_rows),
        }
    )
    frame.loc[::9, "age"] = np.nan
    return frame


def price(X: pd.DataFrame) -> np.ndarray:
    town = X["town"].map({"north": 3.0, "south": -1.0, "west": 0.0}).fillna(0.0).to_numpy(dtype=float)
    return np.asarray(0.1 * X["size"] + town * (X["rooms"] > 2) + 2.0 * X["age"].isna(), dtype=float)


FRAME = make_frame()
@cache
def get_explainer() -> Explainer:
    return Explainer(price).fit(FRAME)


def test_values_and_base_value_sum_to_the_prediction() -> None:
    values = get_explainer().shap_values(FRAME)
    np.testing.assert_allclose(values.sum(axis=1) + get_explainer().expected_value, get_explainer().predict(FRAME), atol=1e-10)
    assert get_explainer().expected_value == pytest.approx(price(FRAME).mean(), abs=1e-10)


def test_the_additive_model_matches_a_function_within_its_class() -> None:
    fresh = make_frame(seed=1)
    residual = price(fresh) - get_explainer().predict(fresh)
    assert residual.var() / price(fresh).var() < 0.01


def test_interaction_values_and_base_value_sum_to_the_prediction() -> None:
    effects = get_explainer().interaction_values(FRAME)
    assert effects.shape == (400, len(get_explainer().terms_))
    np.testing.assert_allclose(effects.sum(axis=1) + get_explainer().expected_value, get_explainer().predict(FRAME), atol=1e-10)
    assert (1, 2) in get_explainer().terms_
    assert "rooms × town" in get_explainer().term_names_


def test_mobius_values_sum_to_the_prediction_and_share_out_to_shapley_values() -> None:
    shares = np.zeros((400, 4))
    total = np.full(400, get_explainer().expected_value)
    for players in get_explainer().presence_terms_:
        part = get_explainer().mobius_values(FRAME, players)
        total += part
        shares[:, list(players)] += part[:, None] / len(players)
    np.testing.assert_allclose(total, get_explainer().predict(FRAME), atol=1e-10)
    np.testing.assert_allclose(shares, get_explainer().shap_values(FRAME), atol=1e-10)
    np.testing.assert_allclose(get_explainer().mobius_values(FRAME, ["town"]), get_explainer().mobius_values(FRAME, [2]))
    assert (get_explainer().mobius_values(FRAME, []) == get_explainer().expected_value).all()


def test_names_of_columns_decide_not_their_order() -> None:
    shuffled = FRAME[["town", "age", "size", "rooms"]]
    assert np.array_equal(get_explainer().shap_values(shuffled), get_explainer().shap_values(FRAME))


def test_extra_columns_are_ignored_with_a_warning() -> None:
    with pytest.warns(instashap.DataWarning, match="1 column that the fit did not see is ignored"):
        values = get_explainer().shap_values(FRAME.assign(colour="red"))
    assert np.array_equal(values, get_explainer().shap_values(FRAME))


def test_one_row_is_explained_as_among_many() -> None:
    for row in (0, 5, 399):
        alone = get_explainer().shap_values(FRAME.iloc[[row]])[0]
        np.testing.assert_allclose(alone, get_explainer().shap_values(FRAME)[row], atol=1e-12)


def test_unseen_categories_and_missing_values_have_an_answer() -> None:
    odd = FRAME.iloc[:3].assign(town=["atlantis", None, "north"], size=[np.nan, 90.0, 100.0])
    assert np.isfinite(get_explainer().shap_values(odd)).all()


def test_explanation_carries_names_data_and_game() -> None:
    explanation = get_explainer()(FRAME)
    assert explanation.feature_names == ("size", "rooms", "town", "age")
    assert explanation.data[0, 2] == FRAME["town"][0]
    assert explanation.game == "conditional"
    assert explanation.output_transform == "output of price"
    assert list(get_explainer().feature_names_in_) == list(FRAME.columns)
    assert (get_explainer().n_features_in_, get_explainer().output_names_) == (4, ("output",))


def test_base_value_values_and_remainder_sum_to_the_models_own_output() -> None:
    frame = make_frame()
    explainer = Explainer(price, order=1).fit(frame)
    own = price(frame)
    for outputs in (True, own):  # asked, and given
        found = explainer(frame, outputs=outputs)
        np.testing.assert_allclose(found.model_outputs, own, rtol=1e-12)
        np.testing.assert_allclose(found.base_values + found.values.sum(axis=1) + found.remainder, own, rtol=1e-12)
    assert np.abs(found.remainder).max() > 1e-3 * own.std()  # price has an interaction, which single features lack
    with pytest.raises(ValueError, match="400"):
        explainer(frame, outputs=own[:-1])
    with pytest.raises(instashap.ModelOutputError, match="gives 2 outputs, the explainer was fitted on 1"):
        explainer(frame, outputs=np.stack([own, own], axis=1))


def test_precomputed_outputs_need_no_model() -> None:
    given = Explainer().fit(FRAME, outputs=price(FRAME))
    assert np.array_equal(given.shap_values(FRAME), Explainer(price, synthetic_rows=0).fit(FRAME).shap_values(FRAME))
    named = Explainer(order=1).fit(FRAME, outputs=pd.DataFrame({"a": price(FRAME), "b": -price(FRAME)}))
    assert named.output_names_ == ("a", "b")
    np.testing.assert_allclose(named.shap_values(FRAME)[:, :, 0], -named.shap_values(FRAME)[:, :, 1], atol=1e-10)


def test_groups_are_single_players() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    explainer = Explainer(lambda X: X["a"] + X["b"] * X["c"], groups={"pair": ["b", "c"]}).fit(X)
    assert explainer.feature_names_ == ("a", "pair", "d")
    values = explainer.shap_values(X)
    assert values.shape == (300, 3)
    np.testing.assert_allclose(values.sum(axis=1) + explainer.expected_value, explainer.predict(X), atol=1e-10)
    assert np.corrcoef(values[:, 1], X["b"] * X["c"])[0, 1] > 0.95


def test_one_hot_blocks_are_found_only_when_asked() -> None:
    X = pd.get_dummies(FRAME[["size", "town"]], dtype=float)
    f = price(FRAME)
    assert Explainer(order=1).fit(X, outputs=f).feature_names_ == tuple(X.columns)
    assert Explainer(order=1, groups="auto").fit(X, outputs=f).feature_names_ == ("size", "town")


def test_classifiers_of_many_classes_have_an_output_a_class() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(10, random_state=0).fit(X, y.map({0: "setosa", 1: "versicolor", 2: "virginica"}))
    explainer = Explainer(model).fit(X)
    assert explainer.shap_values(X).shape == (150, 4, 3)
    assert explainer.output_names_ == ("setosa", "versicolor", "virginica")
    assert explainer.expected_value.shape == (3,)
    np.testing.assert_allclose(explainer.shap_values(X).sum(axis=2), 0, atol=1e-8)  # centred over classes


def test_pipelines_with_text_columns_are_explained() -> None:
    model = make_pipeline(OrdinalEncoder(), HistGradientBoostingRegressor(max_iter=20)).fit(
        FRAME[["rooms", "town"]], price(FRAME)
    )
    explainer = Explainer(model).fit(FRAME[["rooms", "town"]])
    fitted = explainer.predict(FRAME[["rooms", "town"]])
    assert np.corrcoef(fitted, model.predict(FRAME[["rooms", "town"]]))[0, 1] > 0.999


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "catboost"])
@pytest.mark.filterwarnings("ignore")
def test_boosting_packages_are_explained_through_their_sklearn_classes(package: str) -> None:
    module = pytest.importorskip(package)
    X, y = load_breast_cancer(return_X_y=True)
    X, y = X[:, :5], y
    makers: dict[str, Callable[[], Any]] = {
        "xgboost": lambda: module.XGBClassifier(n_estimators=10, max_depth=2, n_jobs=1),
        "lightgbm": lambda: module.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1),
        "catboost": lambda: module.CatBoostClassifier(iterations=10, verbose=0, thread_count=1, allow_writing_files=False),
    }
    model = makers[package]().fit(X, y)
    explainer = Explainer(model, synthetic_rows=0).fit(X)
    probability = np.clip(model.predict_proba(X)[:, 1], 1e-3, 1 - 1e-3)
    assert np.corrcoef(explainer.predict(X), np.log(probability / (1 - probability)))[0, 1] > 0.95
    assert explainer.output_transform_.startswith("log-odds of class '1'")


def test_saved_and_loaded_it_explains_to_the_same_bits(tmp_path: Path) -> None:
    get_explainer().save(tmp_path / "price.insta")
    loaded = instashap.load(tmp_path / "price.insta")
    assert np.array_equal(loaded.shap_values(FRAME), get_explainer().shap_values(FRAME))
    assert np.array_equal(loaded.interaction_values(FRAME), get_explainer().interaction_values(FRAME))
    assert loaded.feature_names_ == get_explainer().feature_names_
    assert loaded.model is None


def test_pickle_and_joblib_keep_the_answer(tmp_path: Path) -> None:
    explainer = Explainer(LinearRegression().fit(FRAME[["size", "rooms"]], price(FRAME))).fit(FRAME[["size", "rooms"]])
    joblib.dump(explainer, tmp_path / "explainer.joblib")
    for copy in (pickle.loads(pickle.dumps(explainer)), joblib.load(tmp_path / "explainer.joblib")):
        assert np.array_equal(copy.shap_values(FRAME[["size", "rooms"]]), explainer.shap_values(FRAME[["size", "rooms"]]))


def test_compiled_it_gives_the_same_values() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    explainer = Explainer(order=1).fit(X, outputs=X[:, 0] ** 2)
    assert np.array_equal(explainer.compile()(X), explainer.shap_values(X))
    for rows in (X[:, :1], X[0], np.hstack([X, X])):  # rows that end early were read beyond their end
        with pytest.raises(ValueError, match=r"takes arrays of shape \(n_rows, \d+\), got"):
            explainer.compile()(np.ascontiguousarray(rows))
    with pytest.raises(TypeError, match="takes number columns only"):
        get_explainer().compile()


ONE_SIGNATURE = """
import numpy as np, pandas as pd
from instashap import Explainer
from instashap.model.kernels import look_up
from instashap.table.encoding_kernel import encode_numbers
X = np.random.default_rng(0).normal(size=(50, 3))
frozen = X.copy()
frozen.flags.writeable = False
for rows in (X, frozen, np.asfortranarray(X), X.astype(np.float32), pd.DataFrame(X), X[::2], X.tolist()):
    Explainer(order=1).fit(rows, outputs=np.asarray(rows)[:, 0]).shap_values(rows)
print(len(look_up.signatures), len(encode_numbers.signatures))
"""


def test_kernels_keep_one_compiled_signature_whatever_the_container() -> None:
    done = subprocess.run([sys.executable, "-c", ONE_SIGNATURE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_float32_rows_fall_in_the_same_cells() -> None:
    X = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    explainer = Explainer().fit(X, outputs=X[:, 0] * X[:, 1])
    assert np.array_equal(explainer.shap_values(X), explainer.shap_values(X.astype(np.float64)))


def test_four_threads_explain_at_once() -> None:
    expected = get_explainer().shap_values(FRAME)
    answers: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: answers.append(get_explainer().shap_values(FRAME))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(np.array_equal(answer, expected) for answer in answers)


def _explain_in_child(queue: Any) -> None:
    queue.put(get_explainer().shap_values(FRAME))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_explain_then_fork_then_explain() -> None:
    many = pd.concat([FRAME] * 30, ignore_index=True)
    get_explainer().shap_values(many)  # the thread pool has run in this process
    context = get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_explain_in_child, args=(queue,))
    child.start()
    answer = queue.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert np.array_equal(answer, get_explainer().shap_values(FRAME))


def test_explicit_interactions_are_honoured() -> None:
    X = np.random.default_rng(0).normal(size=(300, 4))
    f = X[:, 0] * X[:, 1] + X[:, 2]
    explainer = Explainer(interactions=[("x0", "x1"), (2, 3)]).fit(X, outputs=f)
    assert explainer.terms_ == [(0,), (1,), (2,), (3,), (0, 1), (2, 3)]
    assert Explainer(interactions=0).fit(X, outputs=f).terms_ == [(0,), (1,), (2,), (3,)]
    best = Explainer(interactions=1).fit(X, outputs=f)
    assert best.terms_[4:] == [(0, 1)]
    assert len(Explainer(interactions="all").fit(X, outputs=f).terms_) == 10


def test_a_triple_is_found_at_order_three() -> None:
    X = np.tile(2.0 * enumerate_coalitions(4) - 1.0, (60, 1))  # every corner as often: independent columns
    f = X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3]
    pairs = Explainer(order=2).fit(X, outputs=f)
    triples = Explainer(order=3).fit(X, outputs=f)
    assert np.corrcoef(pairs.predict(X), f)[0, 1] ** 2 < 0.6
    np.testing.assert_allclose(triples.predict(X), f, atol=1e-3)
    np.testing.assert_allclose(triples.shap_values(X)[:, 0], X[:, 0] * X[:, 1] * X[:, 2] / 3, atol=1e-3)


def test_presence_order_equal_to_order_is_the_papers_model() -> None:
    X = np.random.default_rng(0).normal(size=(500, 4))
    explainer = Explainer(presence_order=2).fit(X, outputs=X[:, 0] * X[:, 1] + X[:, 2])
    assert max(map(len, explainer.presence_terms_)) == 2


def test_a_larger_presence_order_is_used_or_its_lack_is_said() -> None:
    X = np.random.default_rng(0).normal(size=(500, 5))
    explainer = Explainer(presence_order=4).fit(X, outputs=X[:, 0] * X[:, 1] + X[:, 2])
    assert max(map(len, explainer.presence_terms_)) == 4
    wide = np.random.default_rng(0).normal(size=(60, 10))  # more features would have tied sets
    with pytest.warns(instashap.FitWarning, match="presence_order=5 has too many unknowns"):
        Explainer(presence_order=5).fit(wide, outputs=wide[:, 0])


def test_weights_count_as_repeats() -> None:
    weights = np.arange(400) % 3
    repeated = FRAME.loc[np.repeat(np.arange(400), weights)].reset_index(drop=True)
    weighted = Explainer(price).fit(FRAME, sample_weight=weights)
    np.testing.assert_allclose(weighted.shap_values(FRAME), Explainer(price).fit(repeated).shap_values(FRAME), atol=1e-8)


def test_small_data_keep_prediction_and_fall_back_in_order() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = HistGradientBoostingRegressor(random_state=0).fit(X[:300], y[:300])
    held_out = model.predict(X[300:])
    scores = {}
    for order in (1, 2):
        fitted = Explainer(model, order=order, synthetic_rows=0).fit(X[:300]).predict(X[300:])
        scores[order] = 1 - ((fitted - held_out) ** 2).sum() / ((held_out - held_out.mean()) ** 2).sum()
    ridge = make_pipeline(StandardScaler(), LinearRegression()).fit(X[:300], model.predict(X[:300])).score(X[300:], held_out)
    assert scores[2] > scores[1] - 0.01
    assert scores[2] > ridge - 0.01


def test_falling_back_in_order_is_said() -> None:
    X = np.random.default_rng(0).normal(size=(60, 6))
    noise = np.random.default_rng(1).normal(size=60)
    with pytest.warns(instashap.FitWarning, match="main effects only, not order=2"):
        explainer = Explainer().fit(X, outputs=X[:, 0] + noise)
    assert max(map(len, explainer.terms_)) == 1


def test_main_effects_that_are_exact_are_not_called_a_want_of_rows() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer = Explainer(lambda X: X[:, 0] + 2 * X[:, 1], value_function=instashap.Marginal(X)).fit(X)
    np.testing.assert_allclose(explainer.shap_values(X), (X - X.mean(axis=0)) * [1, 2, 0], atol=1e-4)


def test_interactions_left_out_for_want_of_rows_are_said() -> None:
    X = np.random.default_rng(0).normal(size=(40, 200))
    with pytest.warns(instashap.FitWarning, match="were not tried: these rows are too few"):
        Explainer().fit(X, outputs=X[:, 0])


@pytest.mark.parametrize(("n_rows", "n_columns"), [(200, 200), (30, 50)])
def test_more_columns_than_rows_is_normal(n_rows: int, n_columns: int) -> None:
    X = np.random.default_rng(0).normal(size=(n_rows, n_columns))
    f = X[:, 0] + X[:, 1]
    explainer = Explainer().fit(X, outputs=f)
    values = explainer.shap_values(X)
    assert np.isfinite(values).all()
    magnitude = np.abs(values).mean(axis=0)
    assert set(np.argsort(-magnitude)[:2]) == {0, 1}


@pytest.mark.parametrize("factor", [1e-12, 1.0, 1e12])
def test_scales_of_columns_and_outputs_change_nothing_else(factor: float) -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))
    f = X[:, 0] * X[:, 1] + X[:, 2]
    plain = Explainer().fit(X, outputs=f).shap_values(X)
    scaled = Explainer().fit(X * factor, outputs=f * factor).shap_values(X * factor)
    # Rounding moves a row in a thousand to another fold, and so the strengths a little.
    np.testing.assert_allclose(scaled / factor, plain, atol=0.02)


@pytest.mark.parametrize(
    "X",
    [
        np.ones((40, 2)),
        np.full((40, 2), np.nan),
        np.column_stack([np.full(40, np.nan), np.arange(40.0)]),
        np.repeat(np.arange(8.0).reshape(4, 2), 10, axis=0),
    ],
    ids=["constant", "all missing", "one missing column", "duplicated rows"],
)
def test_poor_tables_have_finite_answers(X: np.ndarray) -> None:
    f = np.arange(40.0)
    explainer = Explainer().fit(X, outputs=f)
    assert np.isfinite(explainer.shap_values(X)).all()
    assert explainer.expected_value == pytest.approx(19.5)


def test_one_distinct_output_has_no_effects() -> None:
    explainer = Explainer().fit(FRAME, outputs=np.full(400, 7.0))
    assert explainer.expected_value == 7.0
    np.testing.assert_allclose(explainer.shap_values(FRAME), 0, atol=1e-10)


def test_one_row_is_enough_to_fit() -> None:
    explainer = Explainer(order=1).fit(np.array([[1.0, 2.0]]), outputs=[3.0])
    assert explainer.shap_values(np.array([[5.0, 6.0]])).tolist() == [[0.0, 0.0]]


@pytest.mark.slow
def test_overconfident_classifiers_do_not_wreck_the_fit() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = HistGradientBoostingClassifier(random_state=0).fit(X, y)
    explainer = Explainer(model, synthetic_rows=0).fit(X)
    agreement = ((explainer.predict(X) > 0) == (model.predict(X) == 1)).mean()
    assert agreement > 0.95


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        ({"order": 0}, {}, "order=0 is out of range: use 1 to 3"),
        ({"order": 5}, {}, "order=5 is out of range"),
        ({"order": 4}, {}, "order=4 is out of range: use 1 to 3"),
        ({"presence_order": 1}, {}, "presence_order=1 is below order=2"),
        ({"interactions": [("size", "colour")]}, {}, "interactions names the unknown column 'colour'"),
        ({"groups": {"g": ["size", "colour"]}}, {}, "group 'g' names the unknown column 'colour'"),
        ({"groups": {"g": ["size"], "h": ["size", "age"]}}, {}, "groups overlap: column 'size'"),
        ({"full_weight": 0}, {}, "full_weight must be finite and above 0"),
        ({"fitter": "magic"}, {}, "fitter='magic' is not known; use one of 'closed-form'"),
        ({"value_function": "magic"}, {}, "value_function='magic' is not known"),
        ({"output": "magic"}, {}, "output='magic' is not known"),
        ({}, {"sample_weight": -np.ones(400)}, "400 negative values"),
        ({}, {"sample_weight": np.zeros(400)}, "sums to zero"),
        ({}, {"sample_weight": np.ones(3)}, "sample_weight has 3 entries, the table has 400 rows"),
        ({}, {"outputs": np.full(400, np.inf)}, "not finite on 400 rows, the first is row 0"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Explainer(price, **options).fit(FRAME, **arguments)


def test_nothing_to_explain_is_refused() -> None:
    with pytest.raises(ValueError, match="there is nothing to explain"):
        Explainer().fit(FRAME)


def test_reading_before_fitting_is_refused() -> None:
    with pytest.raises(instashap.NotFittedError, match="call fit"):
        Explainer(price).shap_values(FRAME)


def test_rows_unlike_the_fitted_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="lacks 1 of the fitted columns: 'town'"):
        get_explainer().shap_values(FRAME.drop(columns="town"))
    with pytest.raises(ValueError, match="column 'size' holds 1 infinite values"):
        get_explainer().shap_values(FRAME.assign(size=[np.inf] + [1.0] * 399))
    with pytest.raises(TypeError, match="column 'size' must hold numbers"):
        get_explainer().shap_values(FRAME.assign(size="large"))


def test_an_unwritable_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        get_explainer().save(tmp_path / "nowhere" / "price.insta")


def test_a_fit_too_large_for_memory_is_refused_before_allocating() -> None:
    X = np.random.default_rng(0).normal(size=(300, 120))
    with pytest.raises(instashap.TooLargeError, match="GiB; ask for fewer interactions"):
        Explainer(interactions="all").fit(X, outputs=X[:, 0])


def test_ctrl_c_leaves_the_explainer_unfitted() -> None:
    def interrupt(X: pd.DataFrame) -> np.ndarray:
        raise KeyboardInterrupt

    explainer = Explainer(interrupt)
    with pytest.raises(KeyboardInterrupt):
        explainer.fit(FRAME)
    with pytest.raises(instashap.NotFittedError):
        explainer.predict(FRAME)


def test_repr_says_what_was_fitted() -> None:
    assert repr(Explainer(price)) == "Explainer(function, order=2), not fitted"
    assert "Explainer of 4 features" in repr(get_explainer())


def test_clone_makes_an_unfitted_copy_of_the_options() -> None:
    explainer = Explainer(LinearRegression(), order=1, interactions=3).fit(FRAME[["size"]], outputs=price(FRAME))
    copy = clone(explainer)
    assert (copy.order, copy.interactions) == (1, 3)
    with pytest.raises(instashap.NotFittedError):
        copy.predict(FRAME[["size"]])
    assert explainer.set_params(order=2).order == 2
    with pytest.raises(ValueError, match="option='depth' is not known"):
        explainer.set_params(depth=3)
