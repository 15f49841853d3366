"""Graphs in onnxruntime, on ten thousand rows, against Python; and what a graph cannot express."""

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

import instashap
from instashap.export import to_onnx

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def open_session(path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def make_inputs(session: Any, rows: pd.DataFrame) -> dict[str, Any]:
    facts = session.get_modelmeta().custom_metadata_map
    numbers, texts = json.loads(facts["numbers"]), json.loads(facts["texts"])
    given = {}
    if numbers:
        given["numbers"] = rows[numbers].astype(object).where(rows[numbers].notna(), np.nan).to_numpy().astype(float)
    if texts:
        given["texts"] = rows[texts].astype(object).where(rows[texts].notna(), facts["missing_text"]).to_numpy()
    return given


def score(path, rows: pd.DataFrame) -> dict[str, Any]:
    session = open_session(path)
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, make_inputs(session, rows)), strict=True))


def test_a_graph_gives_pythons_numbers(explainer, rows, expected, tmp_path):
    explainer.export(tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", rows)
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        np.testing.assert_allclose(found[name], each, rtol=1e-9, atol=1e-12 * np.abs(each).max(), err_msg=name)
    # One row at a time gives the same as all at once.
    one = score(tmp_path / "model.onnx", rows[7:8])
    np.testing.assert_allclose(one["values"][0], expected["values"][7], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", ["gaps", "sums", "amounts"])
def test_a_row_unlike_the_fitted_ones_is_so_in_a_graph_as_in_python(case, request, tmp_path):
    explainer, rows, expected = request.getfixturevalue(case)
    to_onnx(explainer, tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", rows)
    for name in ("output_share", "output_share_interval"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)


def test_a_graph_is_of_opset_17_and_names_its_columns(explainer, table, tmp_path):
    to_onnx(explainer, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    assert {each.domain: each.version for each in model.opset_import} == {"": 17, "ai.onnx.ml": 3}
    facts = {each.key: each.value for each in model.metadata_props}
    assert json.loads(facts["texts"]) == ["town"]
    assert json.loads(facts["numbers"]) == [name for name in table if name != "town"]
    assert json.loads(facts["feature_names"]) == list(explainer.feature_names_)
    assert facts["output_transform"] == explainer.output_transform_


def test_an_infinite_number_gives_nothing_that_could_be_taken_for_an_answer(explainer, rows, tmp_path):
    to_onnx(explainer, tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", rows[:3].assign(spiked=[1.0, np.inf, 2.0]))
    for name in ("prediction", "values", "output_share", "output_share_interval"):
        assert np.isnan(found[name][1]).all()
        assert np.isfinite(found[name][[0, 2]]).all()


def test_a_hand_made_game_is_scored_by_hand(tmp_path):
    X = pd.DataFrame({"letter": ["", "b", "b", "c"] * 30})
    explainer = instashap.Explainer(order=1).fit(X, outputs=np.tile([0.0, 4.0, 4.0, 8.0], 30))
    to_onnx(explainer, tmp_path / "model.onnx")
    # The empty text is a level here, so that another text stands for missing.
    found = score(tmp_path / "model.onnx", pd.DataFrame({"letter": ["", "b", "c"]}))
    np.testing.assert_allclose(found["prediction"], [[0.0], [4.0], [8.0]], atol=1e-2)
    np.testing.assert_allclose(found["values"][:, 0, 0], [-4.0, 0.0, 4.0], atol=1e-2)
    assert found["base"] == pytest.approx(4.0)
    facts = {each.key: each.value for each in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert facts["missing_text"] == "<missing>"


def test_tied_presence_sets_and_columns_of_one_value_are_scored_as_in_python(wide, tmp_path):
    explainer, X = wide
    to_onnx(explainer, tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", pd.DataFrame(X, columns=explainer.feature_names_))
    np.testing.assert_allclose(found["values"][..., 0], explainer.shap_values(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["prediction"][:, 0], explainer.predict(X), rtol=0, atol=1e-12)


def test_a_linear_part_is_scored_as_in_python(linear, tmp_path):
    explainer, X = linear
    to_onnx(explainer, tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", pd.DataFrame(X, columns=explainer.feature_names_))
    np.testing.assert_allclose(found["values"][..., 0], explainer.shap_values(X), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found["prediction"][:, 0], explainer.predict(X), rtol=0, atol=1e-10)


def test_linear_predictions_of_columns_are_scored_as_in_python(indexed, tmp_path):
    explainer, rows, expected = indexed
    to_onnx(explainer, tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", rows)
    for name, each in expected.items():
        np.testing.assert_allclose(found[name], each, rtol=0, atol=1e-9, err_msg=name)


def test_a_constant_game_has_its_base_value_and_zeros(tmp_path):
    explainer = instashap.Explainer().fit(np.ones((30, 2)), outputs=np.full(30, 3.0))
    to_onnx(explainer, tmp_path / "model.onnx")
    found = score(tmp_path / "model.onnx", pd.DataFrame({"x0": [1.0, np.nan], "x1": [1.0, 5.0]}))
    np.testing.assert_array_equal(found["prediction"], [[3.0], [3.0]])
    np.testing.assert_array_equal(found["values"], np.zeros((2, 2, 1)))
