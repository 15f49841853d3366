"""What "absent" means: hybrid rows in the user's container, their mean, and functions of rows and masks."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import instashap
from instashap import Baseline, Marginal, ModelOutputError
from instashap.blackbox import value_functions, wrap_model
from instashap.blackbox.hybrid import make_mixer, take_rows
from instashap.blackbox.value_functions import CalledGame

MASKS = np.array([[True, False], [False, True], [False, False], [True, True]])


def mix(X, reference, names, masks=MASKS, rows=(0, 1, 0, 1), references=(1, 0, 1, 1)):
    mixer = make_mixer(X, reference, names, masks.shape[1], "background")
    return mixer.mix(np.array(rows), np.array(references), masks)


def test_array_rows_mix_by_hand() -> None:
    hybrid = mix(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0, 20.0], [30.0, 40.0]]), None)
    np.testing.assert_array_equal(hybrid, [[1, 40], [10, 4], [30, 40], [3, 4]])


def test_masked_entries_stay_masked() -> None:
    rows = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    others = np.ma.masked_array([[10.0, 20.0], [30.0, 40.0]], mask=[[1, 0], [0, 0]])
    for own, other in ((rows, others.filled(np.nan)), (rows, others)):
        hybrid = mix(own, other, None, MASKS[[1, 3]], rows=(0, 0), references=(0, 0))
        values = np.ma.filled(hybrid, np.nan)
        np.testing.assert_array_equal(values, [[np.nan, np.nan], [1, np.nan]])
    hybrid = mix(rows.filled(np.nan), others, None, MASKS[[1]], rows=(1,), references=(0,))
    assert np.ma.getmaskarray(hybrid).tolist() == [[True, False]]
    assert take_rows([[1.0], [2.0]], np.array([1, 1])) == [[2.0], [2.0]]


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (np.float32, np.float64, np.float32),
        (np.int64, np.float64, np.int64),
        (np.float64, np.int64, np.float64),
        (np.int8, np.int64, np.int8),
    ],
)
def test_arrays_keep_the_rows_dtype_where_it_holds_the_background(own, other, expected) -> None:
    hybrid = mix(np.array([[1, 2], [3, 4]], dtype=own), np.array([[10, 20], [30, 40]], dtype=other), None)
    assert hybrid.dtype == expected


def test_integer_rows_are_widened_rather_than_the_background_cut() -> None:
    hybrid = mix(np.array([[1, 2], [3, 4]]), np.array([[10.5, 20.0], [30.0, 40.0]]), None)
    np.testing.assert_array_equal(hybrid[1], [10.5, 4.0])


def test_text_arrays_mix() -> None:
    hybrid = mix(np.array([["a", 1], ["b", 2]], dtype=object), np.array([["zz", 7], ["y", 8]], dtype=object), None)
    assert hybrid.tolist() == [["a", 8], ["zz", 2], ["y", 8], ["b", 2]]
    hybrid = mix(np.array([["a", "b"]] * 2), np.array([["long", "longer"]] * 2), None)
    assert hybrid[0].tolist() == ["a", "longer"]


def make_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "town": pd.Categorical(["north", "south"], categories=["north", "south", "west"]),
            "rooms": pd.array([3, None], dtype="Int64"),
            "name": ["ann", None],
            "owned": [True, False],
            "size": np.array([1.5, 2.5], dtype=np.float32),
        },
        index=[7, 9],
    )


def test_frames_keep_every_dtype() -> None:
    X, background = make_frame(), make_frame().iloc[::-1].reset_index(drop=True)
    masks = np.array([[True, False, True, False, True], [False, True, False, True, False]])
    hybrid = mix(X, background, list(X.columns), masks, rows=(0, 0), references=(0, 0))
    assert hybrid.dtypes.to_dict() == X.dtypes.to_dict()
    first, second = hybrid.iloc[0], hybrid.iloc[1]
    assert (first["town"], first["name"], first["owned"], first["size"]) == ("north", "ann", False, 1.5)
    assert pd.isna(first["rooms"])
    assert (second["town"], second["rooms"], second["owned"], second["size"]) == ("south", 3, True, 2.5)
    assert pd.isna(second["name"])


def test_background_columns_are_matched_by_name() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "unused": [0.0, 0.0]})
    background = pd.DataFrame({"b": [30.0, 40.0], "a": [10.0, 20.0]})
    hybrid = mix(X, background, ["a", "b"])
    assert list(hybrid.columns) == ["a", "b"]
    np.testing.assert_array_equal(hybrid.to_numpy(), [[1, 40], [10, 4], [20, 40], [2, 4]])
    with pytest.raises(ValueError, match="the background lacks the columns 'b'"):
        mix(X, background[["a"]], ["a", "b"])


def test_integer_labels_come_back_as_integers() -> None:
    X = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]])
    assert list(mix(X, X.to_numpy(), ["0", "1"]).columns) == [0, 1]


def test_a_mean_row_widens_integer_columns() -> None:
    X = pd.DataFrame({"rooms": [1, 2], "size": [1.0, 2.0]})
    hybrid = mix(X, X.mean(), ["rooms", "size"], references=(0, 0, 0, 0))
    np.testing.assert_array_equal(hybrid["rooms"], [1.0, 1.5, 1.5, 2.0])
    whole = mix(X, pd.Series({"size": 0.5, "rooms": 4.0}), ["rooms", "size"], references=(0, 0, 0, 0))
    assert whole["rooms"].dtype == np.int64
    assert whole["rooms"].tolist() == [1, 4, 4, 2]


def test_an_unknown_category_of_the_background_is_refused() -> None:
    X = make_frame()[["town", "size"]]
    background = pd.DataFrame({"town": ["atlantis"], "size": [1.0]})
    with pytest.raises(ValueError, match=r"'town' of the background does not fit.*'atlantis' is not among"):
        make_mixer(X, background, ["town", "size"], 2, "background")


def test_polars_rows_stay_polars() -> None:
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"town": ["a", "b"], "rooms": [1, 2]}, schema={"town": pl.String, "rooms": pl.Int32})
    hybrid = mix(X, pl.DataFrame({"rooms": [7, 8], "town": ["y", "z"]}), ["town", "rooms"])
    assert hybrid.schema == X.schema
    assert hybrid.rows() == [("a", 8), ("y", 2), ("z", 8), ("b", 2)]
    wider = mix(X, pl.DataFrame({"rooms": [7.5, 8.0], "town": ["y", "z"]}), ["town", "rooms"])
    assert wider["rooms"].to_list() == [8.0, 2.0, 8.0, 2.0]
    with pytest.raises(TypeError, match="column 'rooms' of the background does not fit"):
        mix(X, np.array([["y", "many"], ["z", "few"]]), None)
    with pytest.raises(TypeError, match="the table of rows is a RecordBatch: pass a pandas DataFrame"):
        make_mixer(X.to_arrow().to_batches()[0], X, None, 2, "background")
    with pytest.raises(TypeError, match="the background is a Table: pass a pandas DataFrame, or both as tables of pyarrow"):
        make_mixer(X, X.to_arrow(), None, 2, "background")
    with pytest.raises(TypeError, match="the background is a RecordBatch: pass a pandas DataFrame"):
        make_mixer(X, X.to_arrow().to_batches()[0], None, 2, "background")


def test_names_of_header_levels_stay_with_hybrid_rows() -> None:
    columns = pd.MultiIndex.from_tuples([("rate", 2020), ("rate", 2021)], names=["what", "year"])
    X = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=columns)
    hybrid = mix(X, X, None)
    assert hybrid.columns.equals(columns)
    assert hybrid.columns.names == ["what", "year"]


def test_sparse_rows_are_refused_with_a_way_that_works() -> None:
    X = sparse.random(60, 3, density=0.5, format="csr", random_state=0)
    predict = lambda rows: rows.sum(axis=1)  # noqa: E731
    with pytest.raises(TypeError, match=r"cannot be made of a csr_matrix, and the table of rows is one: pass its toarray\(\)"):
        instashap.Explainer(predict, value_function=instashap.Marginal(X[:10])).fit(X)
    dense = X.toarray()
    explainer = instashap.Explainer(
        lambda rows: predict(sparse.csr_matrix(rows)), order=1, value_function=instashap.Marginal(dense[:10])
    ).fit(dense)
    np.testing.assert_allclose(explainer.shap_values(dense), dense - dense[:10].mean(axis=0), rtol=0, atol=1e-6)


def test_arrow_rows_keep_their_schema_and_refuse_what_a_type_cannot_hold() -> None:
    pa = pytest.importorskip("pyarrow")
    towns = pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()])
    X = pa.table({"town": towns, "rooms": pa.array([1, None], pa.int32())})
    others = pa.table({"rooms": [7, 8], "town": ["y", None]})
    for background in (others, others.to_pandas()):
        hybrid = mix(X, background, ["town", "rooms"])
        assert hybrid.schema == X.schema
        assert hybrid["town"].to_pylist() == ["a", "y", None, "b"]
        assert hybrid["rooms"].to_pylist() == [8, None, 8, None]
    with pytest.raises(ValueError, match="column 'rooms' of the baseline does not fit the rows' column: Float value 2"):
        make_mixer(X, {"town": "y", "rooms": 2.5}, ["town", "rooms"], 2, "baseline")


@pytest.mark.parametrize("wrap", [np.asarray, pd.DataFrame, lambda rows: pytest.importorskip("polars").DataFrame(rows)])
def test_rows_are_taken_in_their_own_container(wrap) -> None:
    X = wrap(np.arange(6.0).reshape(3, 2))
    taken = take_rows(X, np.array([2, 0, 2]))
    assert type(taken) is type(X)
    np.testing.assert_array_equal(np.asarray(taken), [[4, 5], [0, 1], [4, 5]])


def test_widths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the background has shape \(2, 3\); expected 2 columns"):
        mix(np.zeros((2, 2)), np.zeros((2, 3)), None)
    with pytest.raises(ValueError, match="the background has no rows"):
        mix(np.zeros((2, 2)), np.zeros((0, 2)), None)


def bind(value_function, X, model, players=None, names=None):
    return value_function.bind(wrap_model(model), X, names, players or tuple(range(X.shape[1])))


def product(X: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] + 10 * X[:, 2]


def test_the_marginal_game_is_the_mean_over_background_rows() -> None:
    X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    game = bind(Marginal(np.array([[0.0, 1.0, 0.0], [2.0, 3.0, 1.0]])), X, product)
    masks = np.array([[True, False, False], [False, True, True], [False, False, False]])
    # rows 0, 1, 1: (1·1 + 0 + 1·3 + 10) / 2, (0·5 + 60 + 2·5 + 60) / 2, (0 + 6 + 10) / 2
    np.testing.assert_allclose(game.evaluate(np.array([0, 1, 1]), masks)[:, 0], [7.0, 65.0, 8.0])
    np.testing.assert_allclose(game.evaluate_one(np.array([0]), np.array([1]), masks[:1])[:, 0], [13.0])
    np.testing.assert_allclose(game.evaluate_full()[:, 0], [32.0, 80.0])
    np.testing.assert_allclose(game.reference_outputs[:, 0], [0.0, 16.0])
    assert str(Marginal(X)) == "marginal, 2 background rows"


def test_the_baseline_game_puts_one_row_in_place() -> None:
    X = np.array([[1.0, 2.0, 3.0]])
    game = bind(Baseline([5.0, 7.0, 1.0]), X, product)
    masks = np.array([[True, False, False], [False, True, True]])
    np.testing.assert_allclose(game.evaluate(np.zeros(2, int), masks), [[17], [40]])
    assert str(Baseline(X[0])) == "baseline, one row"
    with pytest.raises(ValueError, match="a baseline is one row, got 4"):
        bind(Baseline(np.zeros((4, 3))), X, product)


def test_a_baseline_by_column_is_matched_by_name() -> None:
    X = pd.DataFrame({"a": [1.0], "b": [2.0], "c": [3.0]})
    game = bind(Baseline({"c": 1.0, "a": 5.0, "b": 7.0}), X, lambda rows: product(rows.to_numpy()), names=("a", "b", "c"))
    np.testing.assert_allclose(game.evaluate(np.zeros(1, int), np.array([[True, False, False]])), [[17]])
    with pytest.raises(ValueError, match="the baseline lacks the columns 'b', 'c'"):
        bind(Baseline({"a": 5.0}), X, product, names=("a", "b", "c"))
    with pytest.raises(ValueError, match="the baseline names columns, and those of the rows have no names"):
        bind(Baseline({"x0": 5.0, "x1": 7.0, "x2": 1.0}), X.to_numpy(), product)


def test_columns_of_a_group_are_replaced_together() -> None:
    X = np.array([[1.0, 2.0, 3.0]])
    game = bind(Baseline(np.zeros(3)), X, product, players=(0, 0, 1))
    np.testing.assert_allclose(game.evaluate(np.zeros(2, int), np.array([[True, False], [False, True]])), [[2], [30]])


def test_classifiers_are_averaged_on_the_stated_scale() -> None:
    class Coin:
        classes_ = np.array([0, 1])

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return np.column_stack([1 - X[:, 0], X[:, 0]])

    game = bind(Marginal(np.array([[0.2], [0.5]])), np.array([[0.8]]), Coin())
    np.testing.assert_allclose(game.reference_outputs.mean(), (np.log(0.25) + 0) / 2)
    assert game.output_names == ("1",)
    assert game.output_transform.startswith("log-odds of class '1'")


def test_the_model_never_sees_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def model(X: np.ndarray) -> np.ndarray:
        sizes.append(len(X))
        return product(X)

    rng = np.random.default_rng(0)
    X, background, rows = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), rng.integers(0, 5, 11)
    masks = rng.random((11, 3)) < 0.5
    whole = bind(Marginal(background), X, model).evaluate(rows, masks)
    monkeypatch.setattr(value_functions, "BATCH_ROWS", 10)
    sizes.clear()
    np.testing.assert_allclose(bind(Marginal(background), X, model).evaluate(rows, masks), whole, rtol=1e-13)
    assert max(sizes) == 10
    assert sum(sizes) == 77 + 7


def test_a_function_of_rows_and_masks_sees_the_users_rows() -> None:
    X = pd.DataFrame({"town": ["a", "b", "c"], "size": [1.0, 2.0, 3.0]})
    seen = []

    def value(rows: pd.DataFrame, masks: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return np.where(masks[:, 1], rows["size"], 2.0)

    game = CalledGame(value, X, 3, 2)
    masks = np.array([[True, True], [False, True], [True, False]])
    np.testing.assert_allclose(game.evaluate(np.array([2, 0, 2]), masks)[:, 0], [3, 1, 2])
    assert list(seen[0]["town"]) == ["c", "a", "c"]
    np.testing.assert_allclose(game.reference_outputs, [[2.0]])
    assert game.output_transform == "value of value"


def test_a_value_functions_failure_is_named() -> None:
    with pytest.raises(ModelOutputError, match="the value function <lambda> raised KeyError"):
        CalledGame(lambda X, masks: {}["x"], np.zeros((2, 2)), 2, 2).evaluate_full()
    with pytest.raises(ModelOutputError, match="the value function <lambda> is not finite on 2 rows"):
        CalledGame(lambda X, masks: np.full(len(X), np.nan), np.zeros((2, 2)), 2, 2).evaluate_full()
