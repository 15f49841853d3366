"""Questions of an assistant: the answers' numbers, their bounds, and the protocol itself over standard input and output."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.server.assistant import Assistant


@pytest.fixture(scope="module")
def explainer():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"hour": rng.integers(0, 24, 300).astype(float), "day": rng.choice(["work", "free"], 300)})
    f = X["hour"] + 10.0 * (X["day"] == "work")
    return instashap.Explainer(order=1, presence_order=1, synthetic_rows=0).fit(X, outputs=f), X


@pytest.fixture
def assistant(explainer):
    return Assistant(explainer[0]._fitted, explainer[1])


ROW = {"hour": 17.0, "day": "work"}


def test_the_model_is_described_with_its_columns(assistant):
    text = assistant.describe_model()
    assert "- hour: a number, 0 to 23" in text
    assert "- day: one of free, work" in text


def test_texts_name_the_class_whose_odds_are_explained_and_booleans():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=200), "is_new": rng.random(200) < 0.5})
    labels = np.where(X["size"] + X["is_new"] + rng.normal(size=200) > 0.5, "refused", "approved")
    fitted = instashap.AdditiveClassifier(order=1).fit(X, labels).to_explainer()
    asked, row = Assistant(fitted._fitted), {"size": 3.0, "is_new": True}
    assert "The output is 'refused' (log-odds)." in asked.describe_model()
    assert "- is_new: true or false" in asked.describe_model()
    assert "Explained: 'refused' (log-odds)." in asked.explain_rows([row])
    text = asked.predict([row])
    assert text.startswith("'refused' (log-odds); all features known.")
    assert float(text.split("Row 0: ")[1].rstrip(".")) > 0.0  # a large row is refused


def test_rows_are_explained_in_sentences(assistant, explainer):
    text = assistant.explain_rows([ROW])
    value = explainer[0].shap_values(pd.DataFrame([ROW]))[0]
    assert f"hour = 17 adds {value[0]:.3g}" in text
    assert f"day = work adds {value[1]:.3g}" in text
    assert "not like the rows of the fit (outside the data: hour)" in assistant.explain_rows([{"hour": 99.0, "day": "work"}])


def test_outputs_where_some_features_are_known(assistant, explainer):
    (whole,) = explainer[0].predict(pd.DataFrame([ROW]))
    assert whole == pytest.approx(27.0, abs=0.5)
    assert f"Row 0: {whole:.4g}." in assistant.predict([ROW])
    expected = explainer[0].predict(pd.DataFrame([ROW]), masks=[False, True])[0]
    assert f"known: day.\nRow 0: {expected:.4g}." in assistant.predict([ROW], ["day"])


def test_two_rows_are_compared(assistant, explainer):
    rows = pd.DataFrame({"hour": [3.0, 5.0], "day": ["work", "free"]})
    text = assistant.compare_rows(*rows.to_dict("records"))
    outputs, moved = explainer[0].predict(rows), np.diff(explainer[0].shap_values(rows), axis=0)[0]
    assert f"the first row has the output {outputs[0]:.4g}; with them the explained output is {outputs[1]:.4g}." in text
    assert f"day = free subtracts {-moved[1]:.3g}; hour = 5 adds {moved[0]:.3g}." in text


def test_importance_is_of_the_data_and_refused_without(assistant, explainer):
    hour, day = explainer[1]["hour"].var(), 100.0 * (explainer[1]["day"] == "work").var()
    text = assistant.list_importance()
    assert text.endswith(".")
    assert "hour" in text.splitlines()[1].split(";")[0 if hour > day else 1]
    with pytest.raises(ValueError, match="--data FILE"):
        Assistant(explainer[0]._fitted).list_importance()
    assert "No audit was saved" in assistant.report_trust()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda each: each.explain_rows([ROW] * 21), "limit of one request is 20"),
        (lambda each: each.explain_rows([{"hour": 1.0}]), "lacks the column 'day'"),
        (lambda each: each.explain_rows([{"hour": "noon", "day": "work"}]), "hour"),
        (lambda each: each.explain_rows([{**ROW, "hours": 3.0}]), "no such column: hours"),
        (lambda each: each.predict([{**ROW, "day": 1}]), "column 'day' holds no value that the fit saw: it holds 1"),
        (lambda each: each.predict([ROW], ["month"]), "no such feature: month"),
    ],
)
def test_questions_are_bounded_and_checked(assistant, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(assistant)


def test_an_assistant_asks_over_standard_input_and_output(explainer, tmp_path):
    mcp = pytest.importorskip("mcp")
    anyio = pytest.importorskip("anyio")
    explainer[0].save(tmp_path / "one.insta")
    explainer[1].to_csv(tmp_path / "rows.csv", index=False)
    command = ["-m", "instashap.cli", "mcp", str(tmp_path / "one.insta"), "--data", str(tmp_path / "rows.csv")]
    found = {}

    async def talk():
        async with mcp.Client(mcp.StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))) as client:
            found["tools"] = (await client.list_tools()).tools
            for name, given in [
                ("predict", {"rows": [ROW]}),
                ("explain_rows", {"rows": [ROW] * 21}),
                ("list_importance", {}),
            ]:
                found[name] = await client.call_tool(name, given)

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests may hold this thread's event loop
        thread.submit(anyio.run, talk).result()
    assert {tool.name for tool in found["tools"]} == {
        "describe_model", "explain_rows", "predict", "compare_rows", "list_importance", "report_trust",
    }  # fmt: skip
    assert all(tool.annotations.read_only_hint for tool in found["tools"])
    assert f"Row 0: {explainer[0].predict(pd.DataFrame([ROW]))[0]:.4g}." in found["predict"].content[0].text
    assert found["explain_rows"].is_error
    assert "limit of one request is 20" in found["explain_rows"].content[0].text
    assert "Shapley effects on 300 rows" in found["list_importance"].content[0].text
