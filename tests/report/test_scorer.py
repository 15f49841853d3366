"""The scorer in JavaScript, in Node, on the arrays of a saved file: every kind of value, against Python."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.export import script_files
from instashap.store import read_archive

SCORER = Path(script_files.__file__).parent / "scorer.js"
CODE = """
const { decodeArrays, makeScorer } = require(process.argv[1]);
const { fitted, arrays, rows } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const scorer = makeScorer(fitted, decodeArrays(arrays));
const scored = rows.map((row) => {
  const { prediction, effects, values, trust, place } = scorer.score(row);
  const alone = fitted.value_sets.map((columns, term) => [...scorer.evaluateTerm(term, columns.map((column) => row[column]))]);
  return { prediction: [...prediction], effects: effects.map((each) => [...each]), values: [...values], trust, place, alone };
});
console.log(JSON.stringify(scored));
"""


def score_in_node(path: Path, rows: pd.DataFrame) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node: the scorer is tested in the browser alone")
    content, arrays = read_archive(path)
    packed = {
        name: {"dtype": array.dtype.str, "shape": array.shape, "data": base64.b64encode(array.tobytes()).decode()}
        for name, array in arrays.items()
        if not name.startswith("error_")
    }
    listed = rows.astype(object).to_numpy().tolist()
    values = [[None if value is None or value != value else value for value in row] for row in listed]
    given = json.dumps({"fitted": content["fitted"], "arrays": packed, "rows": values}, default=lambda value: value.item())
    done = subprocess.run([node, "-e", CODE, str(SCORER)], input=given, capture_output=True, text=True, check=True)
    scored: list[dict[str, Any]] = json.loads(done.stdout)
    return scored


def make_edge_rows(explainer: instashap.Explainer, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table, with values on the edges of cells, just beside them, and far outside."""
    rows = pd.concat([table] * 3, ignore_index=True)
    for name, encoder in zip(table.columns, explainer._fitted.encoder.columns, strict=True):
        if encoder.is_category:
            continue
        edges = np.concatenate([encoder.edges, np.nextafter(encoder.edges, np.inf), np.nextafter(encoder.edges, -np.inf)])
        places = np.concatenate([edges, encoder.lows, [-1e12, 1e12, -0.0, 5e-324]])
        rows.loc[: len(places) - 1, name] = places
    return rows


def test_scores_are_pythons(explainer: instashap.Explainer, table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "houses.insta"
    explainer.save(path)
    rows = make_edge_rows(explainer, table.astype({"rooms": float}))
    rows.loc[5:9, "town"] = "nowhere in the fit"
    rows.loc[len(rows) - 1, ["smooth", "town"]] = np.nan, None  # each is missing in some fitted rows, but never both
    scored = score_in_node(path, rows)
    with pytest.warns(instashap.DataWarning, match="not like the fitted rows"):
        explanation = explainer(rows)
    effects = explainer.interaction_values(rows)
    np.testing.assert_allclose([each["prediction"] for each in scored], explainer.predict(rows), rtol=0, atol=1e-9)
    np.testing.assert_allclose([each["effects"] for each in scored], effects, rtol=0, atol=1e-9)
    np.testing.assert_allclose([each["alone"] for each in scored], effects, rtol=0, atol=1e-9)
    values = np.array([each["values"] for each in scored]).reshape(explanation.values.shape)
    np.testing.assert_allclose(values, explanation.values, rtol=0, atol=1e-9)
    trust = [[each["trust"][name] for name in ("share", "low", "high")] for each in scored]
    assert explanation.output_share is not None
    expected = np.column_stack([explanation.output_share, explanation.output_share_interval])
    np.testing.assert_allclose(trust, expected, rtol=0, atol=1e-9)
    names = explainer.feature_names_in_
    assert [tuple(names[column] for column in each["place"]["outside"]) for each in scored] == list(explanation.outside)
    pairs = [tuple((names[first], names[second]) for first, second in each["place"]["pairs"]) for each in scored]
    assert pairs == list(explanation.new_pairs)
    assert any(explanation.outside)
    assert any(explanation.new_pairs)


def test_a_hand_made_game_is_scored_by_hand(tmp_path: Path) -> None:
    # f = 2a for a in {0, 1, 2}: one level each, so that every value is known without Python's look-up
    X = np.repeat(np.arange(3.0), 40)[:, None]
    explainer = instashap.Explainer(order=1).fit(X, outputs=2 * X[:, 0])
    explainer.save(tmp_path / "hand.insta")
    scored = score_in_node(tmp_path / "hand.insta", pd.DataFrame([[0.0], [1.0], [2.0]]))
    np.testing.assert_allclose([each["prediction"][0] for each in scored], [0.0, 2.0, 4.0], atol=1e-3)
    np.testing.assert_allclose([each["values"][0] for each in scored], [-2.0, 0.0, 2.0], atol=1e-3)


def test_presence_sets_tied_to_any_other_player_are_scored_as_in_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = 0.8 * rng.normal(size=(800, 1)) + 0.6 * rng.normal(size=(800, 22))
    explainer = instashap.Explainer(order=1).fit(X, outputs=X[:, 0] - X[:, 5])
    assert {-1} <= {player for sets in explainer._fitted.model.presence_sets for each in sets for player in each}
    explainer.save(tmp_path / "wide.insta")
    scored = score_in_node(tmp_path / "wide.insta", pd.DataFrame(X[:20]))
    np.testing.assert_allclose([each["values"] for each in scored], explainer.shap_values(X[:20]), rtol=0, atol=1e-9)
    np.testing.assert_allclose([each["prediction"][0] for each in scored], explainer.predict(X[:20]), rtol=0, atol=1e-9)


def test_scores_of_a_model_with_linear_predictions_are_pythons(tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(500, 3)), columns=["a", "b", "c"])
    X["total"] = X["a"] + X["b"]
    explainer = instashap.Explainer(None, order=1).fit(X, outputs=np.maximum(X["total"], 0.0) + 0.2 * X["c"])
    assert explainer._fitted.model.index is not None
    explainer.save(tmp_path / "total.insta")
    rows = make_edge_rows(explainer, X)[:200]
    rows.loc[:5, "a"] = np.nan
    with pytest.warns(instashap.DataWarning, match="not like the fitted rows"):
        expected = explainer(rows).values
    scored = score_in_node(tmp_path / "total.insta", rows)
    np.testing.assert_allclose([each["values"] for each in scored], expected, rtol=0, atol=1e-9)
