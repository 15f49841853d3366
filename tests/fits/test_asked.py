"""Marginal, baseline and your own games, as a user meets them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

import instashap
from instashap import Baseline, Explainer, Marginal
from instashap.asked import sample as sampling

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


@pytest.fixture(autouse=True)
def _ask_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "N_COALITIONS", 2000)


def make_frame(n_rows: int = 240, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 5, n_rows)
    town = pd.Categorical(np.where(rng.random(n_rows) < 0.2 * size, "north", "south"), categories=["north", "south"])
    rooms = pd.array(np.clip(size + rng.integers(-1, 2, n_rows), 1, 4), dtype="Int64")
    return pd.DataFrame({"size": size, "town": town, "rooms": rooms})


def price(X: pd.DataFrame) -> np.ndarray:
    assert X.dtypes.to_dict() == make_frame().dtypes.to_dict()
    return np.asarray(2.0 * X["size"] + (X["town"] == "north") * X["rooms"].to_numpy(dtype=float), dtype=float)


FRAME = make_frame()


def test_a_linear_model_has_weight_times_distance_to_the_background() -> None:
    X = np.random.default_rng(0).multivariate_normal(np.zeros(3), 0.6 + 0.4 * np.eye(3), size=300)
    model = LinearRegression().fit(X, X @ [1.0, -2.0, 0.0])
    explainer = Explainer(model, value_function=Marginal(X[:60])).fit(X)
    expected = (X - X[:60].mean(axis=0)) * [1.0, -2.0, 0.0]
    # An ignored feature has no credit here; the lightest ridge shrinks values up to 6 by a few hundred-thousandths.
    np.testing.assert_allclose(explainer.shap_values(X), expected, atol=3e-4)
    assert explainer.expected_value == pytest.approx(model.predict(X[:60]).mean())


def test_tables_with_categories_are_asked_in_their_own_types() -> None:
    row = FRAME.iloc[[2]]
    explainer = Explainer(price, value_function=Baseline(row)).fit(FRAME)
    first = price(row)[0]
    assert explainer.expected_value == first
    at = {"north": 1.0, "south": 0.0}
    north, rooms = FRAME["town"].astype(str).map(at).to_numpy(), FRAME["rooms"].to_numpy(dtype=float)
    base_north, base_rooms = at[row["town"].iloc[0]], float(row["rooms"].iloc[0])
    # the product's two features: each its difference with the other at the mean of both rows
    expected = np.column_stack(
        [
            2.0 * (FRAME["size"] - row["size"].iloc[0]),
            (north - base_north) * (rooms + base_rooms) / 2,
            (rooms - base_rooms) * (north + base_north) / 2,
        ]
    )
    np.testing.assert_allclose(explainer.shap_values(FRAME), expected, atol=1e-4)


def test_the_explanation_says_which_game_and_so_does_the_file(tmp_path: Path) -> None:
    explainer = Explainer(price, value_function=Marginal(FRAME[:30])).fit(FRAME)
    explanation = explainer(FRAME)
    assert explanation.game == "marginal, 30 background rows"
    assert explanation.output_transform == "output of price"
    np.testing.assert_allclose(explanation.predictions, explainer.predict(FRAME), atol=1e-12)
    np.testing.assert_allclose(explainer.predict(FRAME), price(FRAME), atol=1e-3)
    explainer.save(tmp_path / "marginal.insta")
    loaded = instashap.load(tmp_path / "marginal.insta")
    assert loaded(FRAME).game == "marginal, 30 background rows"
    assert np.array_equal(loaded.shap_values(FRAME), explainer.shap_values(FRAME))
    assert np.array_equal(loaded.mobius_values(FRAME, ["town", "rooms"]), explainer.mobius_values(FRAME, ["town", "rooms"]))
    assert loaded.mobius_values(FRAME, []) == pytest.approx(price(FRAME[:30]).mean())


def test_interaction_values_and_components_sum_to_the_prediction() -> None:
    explainer = Explainer(price, value_function=Marginal(FRAME[:30])).fit(FRAME)
    effects = explainer.interaction_values(FRAME)
    np.testing.assert_allclose(effects.sum(axis=1) + explainer.expected_value, explainer.predict(FRAME), atol=1e-10)
    parts = sum(explainer.mobius_values(FRAME, players) for players in explainer.presence_terms_)
    np.testing.assert_allclose(parts + explainer.expected_value, explainer.predict(FRAME), atol=1e-10)


def test_your_own_function_needs_no_model() -> None:
    def value(X: pd.DataFrame, masks: np.ndarray) -> np.ndarray:
        assert list(X.columns) == list(FRAME.columns)
        return np.where(masks[:, 0], X["size"], 1.0) * np.where(masks[:, 2], 2.0, 1.0)

    explainer = Explainer(value_function=value).fit(FRAME)
    assert explainer(FRAME).game == "value function value"
    # v(size) = size, v(rooms) = 2, v(both) = 2 size, v(∅) = 1: by the definition
    size = FRAME["size"].to_numpy()
    expected = np.column_stack([(size - 1) * 1.5, np.zeros(len(size)), (size + 1) / 2])
    np.testing.assert_allclose(explainer.shap_values(FRAME), expected, atol=1e-4)


def test_groups_are_replaced_together() -> None:
    X = np.random.default_rng(0).integers(0, 3, (200, 3)).astype(float)
    explainer = Explainer(lambda X: X[:, 0] * X[:, 1] + X[:, 2], value_function=Baseline(np.ones(3)), groups={"pair": [0, 1]})
    values = explainer.fit(X).shap_values(X)
    np.testing.assert_allclose(values, np.column_stack([X[:, 0] * X[:, 1] - 1, X[:, 2] - 1]), atol=1e-4)


def test_classes_are_explained_on_their_scale() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=5000).fit(X, y)
    explainer = Explainer(model, value_function=Marginal(X[::5]), order=1, output="probability").fit(X)
    assert explainer.shap_values(X).shape == (150, 4, 3)
    np.testing.assert_allclose(explainer.expected_value, model.predict_proba(X[::5]).mean(axis=0))
    assert explainer(X).output_transform == "probability of each class"


def test_rows_of_no_weight_are_left_out() -> None:
    weights = np.r_[np.zeros(40), np.ones(200)]
    asked = []

    def value(X: pd.DataFrame, masks: np.ndarray) -> np.ndarray:
        asked.append(X.index)
        return np.where(masks[:, 0], X["size"], 2.0)

    explainer = Explainer(value_function=value).fit(FRAME, sample_weight=weights)
    assert explainer.fit_facts_["n_rows"] == 200
    assert min(asked[-1]) == 40


def test_an_explainer_with_a_value_function_is_cloned() -> None:
    explainer = Explainer(price, value_function=Marginal(FRAME[:30]))
    assert str(clone(explainer).value_function) == "marginal, 30 background rows"


def test_progress_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Explainer(price, value_function=Baseline(FRAME.iloc[0]), verbose=1).fit(FRAME)
    shares = [int(share) for share in re.findall(r", (\d+)% \(", capsys.readouterr().err)]
    assert shares == sorted(shares)
    assert shares[-1] == 100


@pytest.mark.parametrize(
    ("options", "data", "error", "message"),
    [
        ({"value_function": "interventional"}, {}, ValueError, "value_function='interventional' is not known"),
        ({"value_function": 3}, {}, TypeError, r"'conditional', Marginal\(background\), Baseline\(row\) or a function"),
        ({"value_function": Marginal(FRAME[:0])}, {}, ValueError, "the background has no rows"),
        ({"value_function": Baseline(FRAME[:2])}, {}, ValueError, "a baseline is one row, got 2"),
        ({"value_function": Marginal(FRAME[["size"]])}, {}, ValueError, "the background lacks the columns 'town', 'rooms'"),
        ({"value_function": Baseline(FRAME.iloc[0]), "model": None}, {}, ValueError, "there is nothing to explain"),
        ({"value_function": Baseline(FRAME.iloc[0])}, {"outputs": np.zeros(240)}, ValueError, "conditional game only"),
        ({"value_function": Baseline(FRAME.iloc[0]), "presence_order": 3}, {}, ValueError, "belongs to the conditional game"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, data: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Explainer(**{"model": price, **options}).fit(FRAME, **data)
