"""One file of Python and one of JavaScript, against Python; and what exports refuse."""

import contextlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.export import to_excel, to_javascript, to_onnx, to_python, to_sql
from instashap.export.scorer_tables import pack_scorer
from instashap.report.page import render_page
from instashap.report.summary import summarise

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")
# All ten thousand rows are scored in the benchmark "exports".
N_ROWS = 1000
NAMES = {"prediction": "prediction", "baseValue": "base_value", "outputShare": "output_share"}
NAMES |= {"outputShareInterval": "output_share_interval", "values": "values"}


def run_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("scored", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_rows(rows: pd.DataFrame) -> list[list[Any]]:
    listed = rows.astype(object).to_numpy().tolist()
    return [[None if value is None or value != value else value for value in row] for row in listed]


def run_node(path: Path, rows: Any, code: str = "rows.map((row) => model.score(row))") -> Any:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run JavaScript with")
    program = f"""
const model = require({json.dumps(str(path))});
const rows = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify({code}));
"""
    done = subprocess.run([node, "-e", program], input=json.dumps(rows), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def compare(answers: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    expected = {name: each[: len(answers)] if name != "base" else each for name, each in expected.items()}
    values = np.array([list(answer["values"].values()) for answer in answers])
    np.testing.assert_allclose(values, expected["values"], rtol=0, atol=1e-12 * np.abs(expected["values"]).max())
    for name in ("prediction", "output_share", "output_share_interval"):
        found = np.array([answer[name] for answer in answers])
        np.testing.assert_allclose(found, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)
    assert answers[0]["base_value"] == expected["base"].tolist()


def test_a_file_of_python_gives_pythons_numbers(explainer, rows, expected, tmp_path):
    explainer.export(tmp_path / "model.py")
    module = run_file(tmp_path / "model.py")
    assert tuple(rows.columns) == module.COLUMNS
    compare([module.score(row) for row in rows[:N_ROWS].to_dict("records")], expected)
    assert module.score(list_rows(rows[:1])[0]) == module.score(rows.iloc[0].to_dict())


def test_a_file_of_python_imports_the_standard_library_alone(explainer, tmp_path):
    to_python(explainer, tmp_path / "model.py")
    code = "import sys, model; print(*{name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"model", "__main__"}


def test_a_file_of_javascript_gives_pythons_numbers(explainer, rows, expected, tmp_path):
    explainer.export(tmp_path / "model.js")
    answers = run_node(tmp_path / "model.js", list_rows(rows[:N_ROWS]))
    compare([{NAMES[name]: each for name, each in answer.items()} for answer in answers], expected)
    by_name = dict(zip(rows.columns, list_rows(rows[:1])[0], strict=True))
    assert run_node(tmp_path / "model.js", [by_name]) == answers[:1]


def test_a_row_without_any_level_is_unlike_the_fitted_ones_in_files_as_in_python(sums, tmp_path):
    explainer, rows, expected = sums
    share = expected["output_share"]
    assert share[1] < 0.5 * min(share[[0, 2, 3]])
    to_python(explainer, tmp_path / "model.py")
    to_javascript(explainer, tmp_path / "model.js")
    compare([run_file(tmp_path / "model.py").score(row) for row in list_rows(rows)], expected)
    scored = run_node(tmp_path / "model.js", list_rows(rows))
    np.testing.assert_allclose([each["outputShare"] for each in scored], share, rtol=1e-12)


def test_a_value_between_two_levels_is_outside_in_files_as_in_python(gaps, tmp_path):
    explainer, rows, expected = gaps
    share = expected["output_share"]
    assert max(share[1:3]) < 0.6 * share[0] == pytest.approx(0.6 * share[3])
    to_python(explainer, tmp_path / "model.py")
    to_javascript(explainer, tmp_path / "model.js")
    model = run_file(tmp_path / "model.py")
    compare([model.score(row) for row in list_rows(rows)], expected)
    explainer.save(tmp_path / "model.insta")
    with pytest.warns(instashap.DataWarning):
        np.testing.assert_array_equal(instashap.load(tmp_path / "model.insta")(rows).output_share, share)
    scored = run_node(tmp_path / "model.js", list_rows(rows))
    np.testing.assert_allclose([each["outputShare"] for each in scored], share, rtol=1e-12)


def test_an_amount_near_zero_is_outside_in_files_as_in_python(amounts, tmp_path):
    explainer, rows, expected = amounts
    to_python(explainer, tmp_path / "model.py")
    to_javascript(explainer, tmp_path / "model.js")
    compare([run_file(tmp_path / "model.py").score(row) for row in list_rows(rows)], expected)
    scored = run_node(tmp_path / "model.js", list_rows(rows))
    np.testing.assert_allclose([each["outputShare"] for each in scored], expected["output_share"], rtol=1e-12)


def test_a_file_of_javascript_refuses_what_python_refuses(explainer, rows, tmp_path):
    to_javascript(explainer, tmp_path / "model.js")
    good = dict(zip(rows.columns, list_rows(rows[:1])[0], strict=True))
    bad = [{**good, "spiked": "3"}, {name: each for name, each in good.items() if name != "spiked"}, list(good.values())[1:]]
    code = "rows.map((row) => { try { model.score(row); return 'none'; } catch (error) { return error.message; } })"
    assert run_node(tmp_path / "model.js", bad, code) == [
        'column "spiked" holds numbers; got string',
        'the row lacks "spiked"; write null for a missing value',
        f"the row has {len(good) - 1} values, and the model reads {len(good)} columns",
    ]
    (message,) = run_node(tmp_path / "model.js", [{**good, "town": ["north"]}], code)
    assert message == 'column "town" holds categories; got an object'
    code = "rows.map(() => { try { model.score(Array(8).fill(Infinity)); } catch (error) { return error.message; } })"
    assert run_node(tmp_path / "model.js", [0], code) == ['column "smooth" holds an infinite value']


def test_a_file_of_python_refuses_what_python_refuses(explainer, rows, tmp_path):
    to_python(explainer, tmp_path / "model.py")
    score, good = run_file(tmp_path / "model.py").score, rows.iloc[0].to_dict()
    for change, kind, message in (
        ({"spiked": "3"}, TypeError, "column 'spiked' holds numbers; got '3'"),
        ({"spiked": np.inf}, ValueError, "column 'spiked' holds an infinite value"),
        ({"town": ["north"]}, TypeError, r"column 'town' holds categories; got \['north'\]"),
    ):
        with pytest.raises(kind, match=message):
            score({**good, **change})
    with pytest.raises(ValueError, match="the row lacks 'spiked'; write None for a missing value"):
        score({name: each for name, each in good.items() if name != "spiked"})
    with pytest.raises(ValueError, match="the row has 1 values, and the model reads 8 columns"):
        score([1.0])


@pytest.mark.parametrize("kind", ["wide", "linear"])
def test_tied_presence_sets_and_a_linear_part_are_scored_as_in_python(kind, request, tmp_path):
    explainer, X = request.getfixturevalue(kind)
    to_python(explainer, tmp_path / "model.py")
    to_javascript(explainer, tmp_path / "model.js")
    score = run_file(tmp_path / "model.py").score
    for answers in ([score(row) for row in X.tolist()], run_node(tmp_path / "model.js", X.tolist())):
        values = [list(answer["values"].values()) for answer in answers]
        np.testing.assert_allclose(values, explainer.shap_values(X), rtol=0, atol=1e-11)
        np.testing.assert_allclose([answer["prediction"] for answer in answers], explainer.predict(X), rtol=0, atol=1e-11)


def test_linear_predictions_of_columns_are_scored_as_in_python(indexed, tmp_path):
    explainer, rows, expected = indexed
    to_python(explainer, tmp_path / "model.py")
    to_javascript(explainer, tmp_path / "model.js")
    listed, score = list_rows(rows[:N_ROWS]), run_file(tmp_path / "model.py").score
    for answers in ([score(row) for row in listed], run_node(tmp_path / "model.js", listed)):
        values = np.array([list(answer["values"].values()) for answer in answers])
        np.testing.assert_allclose(values, expected["values"][:N_ROWS], rtol=0, atol=1e-12)
        predictions = [answer["prediction"] for answer in answers]
        np.testing.assert_allclose(predictions, expected["prediction"][:N_ROWS], rtol=0, atol=1e-12)


def test_text_that_a_recipe_converts_is_refused_by_name(tmp_path):
    from instashap.table.recipe import Recipe

    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=90).astype(str), "size": np.arange(90.0)})
    recipe = Recipe.learn(frame)
    explainer = instashap.Explainer(order=1).fit(recipe.apply(frame)[["size"]], outputs=np.arange(90.0))
    explainer._fitted = replace(explainer._fitted, recipe=recipe)
    for write in (to_onnx, to_python, to_javascript, to_sql):
        with pytest.raises(ValueError, match=r"cannot convert text as the fit did, in 'day' \(dates\): convert these columns"):
            write(explainer, tmp_path / "model")
    with pytest.raises(ValueError, match=r"a JSON file cannot convert text as the fit did"):
        explainer.export(tmp_path / "model.json")


def test_an_estimator_is_refused_with_advice_that_works(tmp_path):
    X = np.random.default_rng(0).normal(size=(80, 2))
    model = instashap.AdditiveRegressor(order=1, loss="poisson").fit(X[:, :1], np.exp(X[:, 0]).round())
    scales = r"which need not be those that predict\(\) of its class \(AdditiveRegressor\) gives: pass its to_explainer"
    with pytest.raises(TypeError, match=scales):
        to_python(model, tmp_path / "model.py")
    to_python(model.to_explainer(), tmp_path / "model.py")
    found = run_file(tmp_path / "model.py").score([0.5])["prediction"]
    assert np.exp(found) == pytest.approx(model.predict([[0.5]])[0], rel=1e-12)
    with pytest.raises(TypeError, match=r"an export needs a fitted instashap\.Explainer, got a list: fit an Explainer"):
        to_python([], tmp_path / "model.py")


def test_levels_of_several_kinds_are_refused_by_name(tmp_path):
    X = pd.DataFrame({"mixed": [1, "one"] * 40})
    explainer = instashap.Explainer(order=1).fit(X, outputs=np.tile([0.0, 1.0], 40))
    for write in (to_onnx, to_sql):
        with pytest.raises(ValueError, match=r"column 'mixed' holds values of several kinds \('one', 1\)"):
            write(explainer, tmp_path / "model")
    to_python(explainer, tmp_path / "model.py")
    score = run_file(tmp_path / "model.py").score
    assert [score([each])["prediction"] for each in (1, "one")] == pytest.approx([0.0, 1.0], abs=0.05)


def test_values_of_another_type_are_matched_to_levels_as_in_python(tmp_path):
    n = 240
    X = pd.DataFrame(
        {
            "code": pd.Categorical(np.tile([10, 20, 31], n // 3)),
            "flag": pd.Categorical(np.tile([True, False], n // 2)),
            "town": np.tile(["1", "north", "True", "2.0"], n // 4),
            "band": pd.cut(np.tile([0.5, 1.5, 2.5], n // 3), [0.0, 1.0, 2.0, 3.0]),
        }
    )
    outputs = X["code"].astype(float) + 5.0 * X["flag"].astype(float) + 3.0 * (X["town"] == "1") - 2.0 * (X["town"] == "True")
    explainer = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=outputs)
    good = {"code": 20, "flag": True, "town": "north", "band": "(1.0, 2.0]"}
    changes = [
        *({"code": each} for each in (20.0, "20", "20.0", " 20", 21, True)),
        *({"flag": each} for each in (1, 0, "True", "1", "1.0", "true", 2)),
        *({"town": each} for each in (1, 1.0, True, "1.0", "2", 2.0, "North")),
        *({"band": each} for each in ("(1, 2]", "(1, 2)", "(0, 1.0]")),
    ]
    rows = [{**good, **change} for change in changes]
    expected = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.DataWarning)
        for row in rows:
            with contextlib.suppress(ValueError):  # a value of a kind that the fit did not see
                expected.append((row, float(explainer.predict(pd.DataFrame([row]))[0])))
    assert len(expected) >= 18
    to_python(explainer, tmp_path / "model.py")
    score = run_file(tmp_path / "model.py").score
    assert [score(row)["prediction"] for row, _ in expected] == pytest.approx([each for _, each in expected], abs=1e-9)
    to_javascript(explainer, tmp_path / "model.js")
    found = run_node(tmp_path / "model.js", [row for row, _ in expected], "rows.map((row) => model.score(row).prediction)")
    assert found == pytest.approx([each for _, each in expected], abs=1e-9)
    assert score({**good, "code": "20"}) == score(good) != score({**good, "code": "21"})


def test_whole_numbers_that_other_programs_would_round_are_text_in_javascript_and_refused_elsewhere(tmp_path):
    codes = np.tile(2**53 + np.arange(3), 30)
    X = pd.DataFrame({"code": pd.Categorical(codes)})
    explainer = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=np.tile([0.0, 1.0, 2.0], 30))
    for write in (to_onnx, to_sql, to_excel):
        with pytest.raises(ValueError, match=r"column 'code' holds the number 90071992547409\d\d; from 2\*\*53 on"):
            write(explainer, tmp_path / "model")
    to_python(explainer, tmp_path / "model.py")
    assert [run_file(tmp_path / "model.py").score([code])["prediction"] for code in codes[:3].tolist()] == pytest.approx(
        [0.0, 1.0, 2.0], abs=0.1
    )
    to_javascript(explainer, tmp_path / "model.js")
    texts = [str(code) for code in codes[:3]]
    for value in ("row", "BigInt(row)"):
        code = f"rows.map((row) => model.score([{value}]).prediction)"
        assert run_node(tmp_path / "model.js", texts, code) == pytest.approx([0.0, 1.0, 2.0], abs=0.1)
    code = "rows.map((row) => { try { model.score([row]); } catch (error) { return error.message; } })"
    (message,) = run_node(tmp_path / "model.js", [2**53 + 1], code)
    assert message == 'column "code" holds 9007199254740992, rounded: give it as text or BigInt'
    page = render_page(summarise(explainer, X))
    assert '"levels":["9007199254740992","9007199254740993","9007199254740994"]' in page
    assert not re.search(r"[\[,]90071992547409\d\d[\],]", page)


def test_parts_that_exports_do_not_know_are_refused_by_name(explainer):
    class Strange(type(explainer._fitted)):
        def tables(self):
            described, arrays = super().tables()
            return {**described, "seasons": 4}, {**arrays, "hidden_00001": np.ones(1)}

    strange = Strange(**{name: getattr(explainer._fitted, name) for name in type(explainer._fitted).__dataclass_fields__})
    with pytest.raises(ValueError, match=re.escape("has parts that exports do not know, 'seasons', 'hidden_00001'")):
        pack_scorer(strange)
