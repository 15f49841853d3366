"""Each family of models against its own prediction, transformed by hand."""

import subprocess
import sys
import types
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from instashap import Explainer, ModelOutputError
from instashap.blackbox import BlackBox, adapters, wrap_model

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RNG.normal(size=120), "b": RNG.normal(size=120), "c": pd.Categorical(RNG.choice(list("xyz"), 120))})
NUMBERS = FRAME[["a", "b"]].to_numpy()
BINARY = (FRAME["a"] + (FRAME["c"] == "x") > 0).astype(int)
THREE = RNG.integers(0, 3, 120)
IRIS, IRIS_CLASS = load_iris(return_X_y=True)


def to_log_odds(probability: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(probability / (1 - probability)))


def to_centred_logs(probabilities: np.ndarray) -> np.ndarray:
    logs = np.log(probabilities)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


# --- XGBoost


@pytest.fixture
def boost() -> Any:
    xgboost = pytest.importorskip("xgboost")

    def train(objective: str, y: Any, X: Any = FRAME, **options: Any) -> Any:
        matrix = xgboost.DMatrix(X, y, enable_categorical=True)
        return xgboost.train({"objective": objective, "max_depth": 3, **options}, matrix, 8)

    return train


def test_a_binary_booster_is_log_odds_of_its_probability(boost: Any) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = boost("binary:logistic", BINARY)
    probability = model.predict(xgboost.DMatrix(FRAME, enable_categorical=True))
    box = wrap_model(model)
    np.testing.assert_allclose(box.predict(FRAME, 120)[:, 0], to_log_odds(probability), atol=1e-5)
    assert box.output_names == ("1",)
    origin = "the model's own margin (output_margin), with missing=NaN and without base_margin"
    assert box.ask(FRAME, 120).box.description == f"log-odds of class '1', {origin}"
    np.testing.assert_allclose(wrap_model(model, "probability").predict(FRAME, 120)[:, 0], probability, atol=1e-6)
    raw = boost("binary:logitraw", BINARY)
    margin = raw.predict(xgboost.DMatrix(FRAME, enable_categorical=True))
    np.testing.assert_allclose(wrap_model(raw).predict(FRAME, 120)[:, 0], margin, atol=1e-5)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_a_booster_of_classes_is_centred_log_probabilities(boost: Any, objective: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = boost(objective, THREE, num_class=3)
    margins = model.predict(xgboost.DMatrix(FRAME, enable_categorical=True), output_margin=True).astype(float)
    probabilities = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    box = wrap_model(model)
    np.testing.assert_allclose(box.predict(FRAME, 120), to_centred_logs(probabilities), atol=1e-5)
    assert box.output_names == ("0", "1", "2")


def test_other_boosters_give_what_predict_gives_whatever_the_columns_order(boost: Any) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = boost("count:poisson", THREE)
    expected = model.predict(xgboost.DMatrix(FRAME, enable_categorical=True))
    box = wrap_model(model)
    assert box.description == "output of predict, objective count:poisson, with missing=NaN and without base_margin"
    assert np.array_equal(box.predict(FRAME, 120)[:, 0], expected)
    assert np.array_equal(box.predict(FRAME[["c", "b", "a"]].assign(extra=0), 120)[:, 0], expected)
    with pytest.raises(TypeError, match="Booster has the objective count:poisson"):
        wrap_model(model, "probability")


def test_arrays_serve_boosters_with_and_without_names(boost: Any) -> None:
    for X in (NUMBERS, FRAME[["a", "b"]]):
        model = boost("reg:squarederror", BINARY, X=X)
        values = [wrap_model(model).predict(each, 120) for each in (NUMBERS, pd.DataFrame(NUMBERS, columns=["a", "b"]))]
        assert np.array_equal(values[0], values[1])


def test_masked_entries_are_missing_to_boosters_and_networks(boost: Any) -> None:
    torch = pytest.importorskip("torch")
    masked = np.ma.masked_array(NUMBERS, mask=NUMBERS > 1)
    gaps = masked.filled(np.nan)
    for X in (NUMBERS, FRAME[["a", "b"]]):
        box = wrap_model(boost("reg:squarederror", BINARY, X=X))
        assert np.array_equal(box.predict(masked, 120), box.predict(gaps, 120))
        assert not np.array_equal(box.predict(masked, 120), box.predict(NUMBERS, 120))
    with pytest.raises(ModelOutputError, match="is not finite on"):
        wrap_model(torch.nn.Linear(2, 1)).predict(masked, 120)


# --- LightGBM


@pytest.fixture
def light() -> Any:
    lightgbm = pytest.importorskip("lightgbm")

    def train(objective: str, y: Any, X: Any = FRAME, **options: Any) -> Any:
        plain = {"objective": objective, "verbosity": -1, "num_leaves": 4, "num_threads": 1}
        return lightgbm.train(plain | options, lightgbm.Dataset(X, y), 8)

    return train


@pytest.mark.parametrize("objective", ["binary", "cross_entropy"])
def test_a_binary_lightgbm_is_log_odds_also_after_loading(light: Any, objective: str) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = light(objective, BINARY)
    for each in (model, lightgbm.Booster(model_str=model.model_to_string())):
        np.testing.assert_allclose(wrap_model(each).predict(FRAME, 120)[:, 0], to_log_odds(model.predict(FRAME)), atol=1e-9)
    assert np.array_equal(wrap_model(model, "probability").predict(FRAME, 120)[:, 0], model.predict(FRAME))


def test_a_lightgbm_of_classes_is_centred_log_probabilities(light: Any) -> None:
    model = light("multiclass", THREE, num_class=3)
    np.testing.assert_allclose(wrap_model(model).predict(FRAME, 120), to_centred_logs(model.predict(FRAME)), atol=1e-9)
    alone = light("multiclassova", THREE, num_class=3)
    shares = alone.predict(FRAME) / alone.predict(FRAME).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(wrap_model(alone).predict(FRAME, 120), to_centred_logs(shares), atol=1e-9)


def test_other_lightgbms_give_what_predict_gives_whatever_the_columns_order(light: Any) -> None:
    model = light("poisson", BINARY)
    box = wrap_model(model)
    assert np.array_equal(box.predict(FRAME[["c", "b", "a"]], 120)[:, 0], model.predict(FRAME))
    assert box.description == "output of predict, objective poisson, without init_score"
    with pytest.raises(TypeError, match="Booster has the objective poisson"):
        wrap_model(model, "probability")


def test_boosters_take_their_columns_by_name_from_every_kind_of_table(light: Any, boost: Any) -> None:
    pl = pytest.importorskip("polars")
    X = FRAME[["a", "b"]]
    for model in (light("regression", BINARY, X=X), boost("reg:squarederror", BINARY, X=X)):
        expected = wrap_model(model).predict(X, 120)
        for table in (X[["b", "a"]], pl.DataFrame(X[["b", "a"]].to_dict("list")), pa.table(X[["b", "a"]].to_dict("list"))):
            assert np.array_equal(wrap_model(model).predict(table, 120), expected)


def test_lightgbms_estimators_are_not_given_their_columns_in_another_order() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    X = FRAME[["a", "b"]]
    classifier = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(X, BINARY)
    regressor = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1).fit(X, BINARY)
    for model in (classifier, regressor):
        assert wrap_model(model).predict(X, 120).shape == (120, 1)
        for table in (X[["b", "a"]], pa.table(X[["b", "a"]].to_dict("list"))):
            with pytest.raises(ModelOutputError, match=r"not in the order that LGBM\w+ was trained on.*pass X\[\['a', 'b'\]\]"):
                wrap_model(model).predict(table, 120)


# --- CatBoost


@pytest.mark.parametrize("library", ["lightgbm", "lightgbm in a pipeline", "catboost", "catboost.train"])
def test_classes_trained_against_all_others_are_divided_by_their_sum(library: str) -> None:
    package = pytest.importorskip(library.split(".")[0].split(" ")[0])
    X = FRAME[["a", "b"]].to_numpy()
    options = {"loss_function": "MultiClassOneVsAll", "iterations": 8, "verbose": 0, "allow_writing_files": False}
    if library == "catboost.train":
        model = package.train(package.Pool(X, THREE), options)
        own = np.asarray(model.predict(X, prediction_type="Probability"))
    elif library == "catboost":
        model = package.CatBoostClassifier(**options).fit(X, THREE)
        own = model.predict_proba(X)
    else:
        model = package.LGBMClassifier(objective="ova", n_estimators=8, verbose=-1)
        model = (make_pipeline(StandardScaler(), model) if "pipeline" in library else model).fit(X, THREE)
        own = model.predict_proba(X)
    assert np.abs(own.sum(axis=1) - 1).max() > 0.01
    box = wrap_model(model)
    np.testing.assert_allclose(box.predict(X, 120), to_centred_logs(own), atol=1e-9)
    assert "the model's own margin" in box.prepare(X, 120).description
    box = wrap_model(model, "probability")
    np.testing.assert_allclose(box.predict(X, 120), own / own.sum(axis=1, keepdims=True), atol=1e-12)
    assert "divided by their sum, as each is of one class against all others" in box.description


def test_catboosts_own_class_is_explained_on_classes_or_on_predict() -> None:
    catboost = pytest.importorskip("catboost")
    text = FRAME.astype({"c": str})
    options = {"iterations": 8, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    town = np.where(BINARY == 1, "north", "south")
    binary = catboost.train(catboost.Pool(text, town, cat_features=["c"]), {"loss_function": "Logloss", **options})
    probability = binary.predict(text, prediction_type="Probability")[:, 1]
    box = wrap_model(binary)
    np.testing.assert_allclose(box.predict(text, 120)[:, 0], to_log_odds(probability), atol=1e-9)
    assert box.output_names == (str(binary.classes_[1]),)
    number = catboost.train(catboost.Pool(text, BINARY, cat_features=["c"]), {"loss_function": "RMSE", **options})
    assert np.array_equal(wrap_model(number).predict(text, 120)[:, 0], number.predict(text))
    with pytest.raises(TypeError, match="CatBoost was not trained on classes"):
        wrap_model(number, "probability")
    regressor = catboost.CatBoostRegressor(cat_features=["c"], **options).fit(text, BINARY)
    assert np.array_equal(wrap_model(regressor).predict(text, 120)[:, 0], regressor.predict(text))
    classifier = catboost.CatBoostClassifier(cat_features=["c"], **options).fit(text, THREE)
    np.testing.assert_allclose(wrap_model(classifier).predict(text, 120), to_centred_logs(classifier.predict_proba(text)))


# --- torch


def test_a_torch_module_is_asked_in_evaluation_mode_and_put_back() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
    model[1].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    values = wrap_model(model).predict(NUMBERS, 120)
    assert [part.training for part in model] == [True, False, True, True]
    assert model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    model.eval()
    with torch.no_grad():
        expected = model(torch.tensor(NUMBERS.tolist())).numpy()
    np.testing.assert_allclose(values, expected, atol=1e-6)
    read_only = NUMBERS.astype(np.float32)
    read_only.setflags(write=False)
    np.testing.assert_allclose(wrap_model(model).predict(read_only, 120), expected, atol=1e-6)
    assert wrap_model(model).description == "output of Sequential"
    with torch.no_grad():
        exact = model.double()(torch.from_numpy(NUMBERS.copy())).numpy()
    np.testing.assert_allclose(wrap_model(model).predict(FRAME[["a", "b"]], 120), exact, rtol=1e-14)


def test_a_torch_module_of_buffers_alone_is_asked_in_their_precision() -> None:
    torch = pytest.importorskip("torch")

    class Fixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("slopes", torch.tensor([1.0, 2.0], dtype=torch.float64))

        def forward(self, rows: Any) -> Any:
            return rows @ self.slopes

    assert np.array_equal(wrap_model(Fixed()).predict(NUMBERS, 120)[:, 0], NUMBERS @ [1.0, 2.0])


def test_a_function_may_give_a_tensor_with_a_gradient_or_in_half_precision() -> None:
    torch = pytest.importorskip("torch")
    slopes = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    values = wrap_model(lambda rows: torch.tensor(rows) @ slopes).predict(NUMBERS, 120)[:, 0]
    np.testing.assert_allclose(values, NUMBERS @ [1.0, 2.0], rtol=0, atol=1e-12)
    halves = torch.tensor([0.5, 1.25, -3.0] * 40).to(torch.bfloat16)  # exact in this precision
    assert wrap_model(lambda rows: halves[: len(rows)]).predict(NUMBERS, 120)[:3, 0].tolist() == [0.5, 1.25, -3.0]


def test_what_a_torch_module_cannot_take_or_give_is_said() -> None:
    torch = pytest.importorskip("torch")

    class Pair(torch.nn.Module):
        def forward(self, rows: Any) -> Any:
            return rows, rows

    with pytest.raises(ModelOutputError, match="Pair gives a tuple, not one tensor"):
        wrap_model(Pair()).predict(NUMBERS, 120)
    with pytest.raises(ModelOutputError, match="Pair takes numbers only, and the rows hold others"):
        wrap_model(Pair()).predict(FRAME, 120)
    with pytest.raises(TypeError, match="a torch module, which does not say what its outputs are"):
        wrap_model(Pair(), "probability")


def test_a_torch_module_with_predict_is_an_estimator() -> None:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def predict(self, X: Any) -> Any:
            return X[:, 0]

    assert np.array_equal(wrap_model(Net()).predict(NUMBERS, 120)[:, 0], NUMBERS[:, 0])


class FakeTensor:
    """As much of a tensor as the adapter uses."""

    def __init__(self, values: np.ndarray, device: str = "cpu") -> None:
        self.values, self.device = values, device

    @property
    def dtype(self) -> Any:
        return self.values.dtype

    def is_floating_point(self) -> bool:
        return self.values.dtype.kind == "f"

    def to(self, device: str, dtype: Any) -> "FakeTensor":
        return FakeTensor(self.values.astype(dtype), device)

    def detach(self) -> "FakeTensor":
        return self

    def cpu(self) -> "FakeTensor":
        return FakeTensor(self.values)

    def double(self) -> "FakeTensor":
        return FakeTensor(self.values.astype(np.float64), self.device)

    def numpy(self) -> np.ndarray:
        assert self.device == "cpu"
        return self.values


class _Context:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __enter__(self) -> None:
        self.log.append("no_grad")

    def __exit__(self, *_: object) -> None:
        self.log.append("grad")


def test_a_module_is_asked_on_its_own_device_and_precision_without_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[Any] = []
    fake = types.ModuleType("torch")
    fake.as_tensor, fake.float64, fake.no_grad = FakeTensor, np.float64, lambda: _Context(log)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", fake)

    class Module:
        training = True

        def parameters(self) -> list[FakeTensor]:
            return [FakeTensor(np.zeros(1, dtype=np.int8), "gpu:0"), FakeTensor(np.zeros(1, dtype=np.float16), "gpu:1")]

        def buffers(self) -> list[FakeTensor]:
            return []

        def modules(self) -> list[Any]:
            return [self]

        def eval(self) -> None:
            self.training = False

        def __call__(self, rows: FakeTensor) -> FakeTensor:
            log.append((rows.device, rows.dtype, self.training))
            return rows

    Module.__module__ = "torch.nn.modules.module"
    model = type("Net", (Module,), {"__module__": "user"})()
    values = wrap_model(model).predict(NUMBERS, 120)
    assert log == ["no_grad", ("gpu:1", np.float16, False), "grad"]
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, NUMBERS.astype(np.float16))
    assert model.training


# --- Keras


def test_a_keras_model_predicts_in_silence_on_single_precision() -> None:
    seen: list[Any] = []

    class Model:
        def predict(self, rows: np.ndarray, verbose: Any = "auto") -> np.ndarray:
            seen.append((rows.dtype, verbose))
            return rows.sum(axis=1, keepdims=True)

    Model.__module__ = "keras.src.models.model"
    model = type("Sequential", (Model,), {"__module__": "keras.src.models.sequential"})()
    np.testing.assert_allclose(wrap_model(model).predict(FRAME[["a", "b"]], 120)[:, 0], NUMBERS.sum(axis=1), atol=1e-6)
    assert seen == [(np.float32, 0)]
    with pytest.raises(TypeError, match="Sequential does not say what its outputs are"):
        wrap_model(model, "probability")


# --- scikit-learn


def test_an_outlier_detector_is_explained_on_its_decision_function() -> None:
    model = IsolationForest(n_estimators=5, random_state=0).fit(IRIS)
    box = wrap_model(model)
    assert np.array_equal(box.predict(IRIS, 150)[:, 0], model.decision_function(IRIS))
    assert box.description == "decision function"


def test_a_classifier_of_three_without_probabilities_has_an_output_a_class() -> None:
    model = SVC().fit(IRIS, IRIS_CLASS)
    box = wrap_model(model)
    assert np.array_equal(box.predict(IRIS, 150), model.decision_function(IRIS))
    assert box.output_names == ("0", "1", "2")


def test_probabilities_without_a_decision_function_or_names_are_enough() -> None:
    class Bare:
        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, 0], X[:, 0]])

    X = np.full((5, 1), 0.8)
    np.testing.assert_allclose(wrap_model(Bare()).predict(X, 5), np.log(4))
    assert wrap_model(Bare()).output_names == ()


def test_several_targets_are_several_outputs() -> None:
    Y = np.column_stack([IRIS[:, 0], IRIS[:, 1]])
    model = MultiOutputRegressor(LinearRegression()).fit(IRIS[:, 2:], Y)
    assert np.array_equal(wrap_model(model).predict(IRIS[:, 2:], 150), model.predict(IRIS[:, 2:]))


def test_several_labels_are_refused_with_a_way_out() -> None:
    Y = np.column_stack([IRIS_CLASS > 0, IRIS_CLASS > 1]).astype(int)
    for model in (RandomForestClassifier(n_estimators=3), MultiOutputClassifier(LogisticRegression(max_iter=1000))):
        with pytest.raises(TypeError, match="predicts 2 labels at once; explain one at a time by a function"):
            wrap_model(model.fit(IRIS, Y))
    chain = ClassifierChain(SVC()).fit(IRIS, Y)
    with pytest.raises(TypeError, match="ClassifierChain predicts 2 labels at once"):
        wrap_model(chain)
    network = MLPClassifier((4,), max_iter=30, random_state=0)
    with pytest.warns(UserWarning, match="converge"):
        network.fit(IRIS, np.column_stack([Y, np.ones(150, dtype=int)]))
    with pytest.raises(ModelOutputError, match=r"add up to .*, not 1; if they belong to several labels"):
        wrap_model(network).predict(IRIS, 150)


def test_what_is_no_probability_is_refused() -> None:
    class Scores:
        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return 3 * X

    with pytest.raises(ModelOutputError, match=r"Scores.predict_proba gave values from 0.3 to 6, which are not probabilities"):
        wrap_model(Scores()).predict(np.array([[0.1, 2.0]]), 1)


# --- all


def test_a_family_is_one_function_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Oracle:
        def ask(self, X: np.ndarray) -> np.ndarray:
            return 2 * X[:, 0]

    def wrap_oracle(model: Any, output: str) -> BlackBox | None:
        return BlackBox(model.ask, lambda raw: raw, (), "oracle", "Oracle.ask") if isinstance(model, Oracle) else None

    with pytest.raises(TypeError, match="got Oracle"):
        wrap_model(Oracle())
    monkeypatch.setattr(adapters, "ADAPTERS", [wrap_oracle, *adapters.ADAPTERS])
    explainer = Explainer(Oracle(), order=1).fit(NUMBERS)
    assert explainer.output_transform_ == "oracle"
    left = explainer.predict(NUMBERS) - 2 * NUMBERS[:, 0]  # 120 rows, single features: the masked games have a say too
    assert left.var() < 0.002 * (2 * NUMBERS[:, 0]).var()


def test_no_library_is_imported_for_models_of_others() -> None:
    code = (
        "import sys; from instashap.blackbox import wrap_model; wrap_model(len); "
        "print([name for name in ('torch', 'keras', 'xgboost', 'lightgbm', 'catboost', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def make_polars(X: np.ndarray) -> Any:
    return pytest.importorskip("polars").DataFrame(X, schema=["a", "b"])


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, make_polars, np.ndarray.tolist])
def test_batches_keep_the_container_and_tell_how_far_they_are(make: Any) -> None:
    X = make(NUMBERS)
    kinds, told = [], []

    def predict(batch: Any) -> np.ndarray:
        kinds.append(type(batch))
        return np.asarray(batch)[:, 0]

    values = wrap_model(predict, batch_rows=50).predict(X, 120, lambda share, what: told.append((round(share, 3), what)))
    assert np.array_equal(values[:, 0], NUMBERS[:, 0])
    assert kinds == [type(X)] * 3
    assert told == [(share, "asking the model") for share in (0.417, 0.833, 1.0)]


def test_what_the_model_was_given_is_said_when_it_fails() -> None:
    with pytest.raises(ModelOutputError, match=r"raised AttributeError: .*iloc.* \(given a polars DataFrame\)"):
        wrap_model(lambda batch: batch.iloc[:, 0]).predict(make_polars(NUMBERS), 120)


def test_an_arrow_table_comes_in_slices() -> None:
    table = pa.table({"a": NUMBERS[:, 0]})
    values = wrap_model(lambda batch: batch.column("a").to_numpy(), batch_rows=50).predict(table, 120)
    assert np.array_equal(values[:, 0], NUMBERS[:, 0])


def test_progress_of_asking_and_fitting_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    Explainer(lambda X: X[:, 0], order=1, verbose=1, synthetic_rows=0).fit(NUMBERS)
    drawn = capsys.readouterr().err
    lines = drawn.splitlines()
    assert "\r" not in drawn
    assert [line.split(" (")[0] for line in lines[:2]] == ["fit: asking the model, 100%", "fit: columns, 0%"]
    assert lines[-1].startswith("fit: done, 100% (")
    assert len({line.split(",")[0] for line in lines}) == len(lines)  # one line a stage
    Explainer(lambda X: X[:, 0], order=1).fit(NUMBERS)
    assert capsys.readouterr().err == ""
