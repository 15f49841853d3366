"""Reports as files: the same figures in every form, and clear refusals."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

import instashap
from instashap.cli import main
from instashap.report.page import render_page
from instashap.report.summary import summarise


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame({"a": rng.normal(size=600), "b": rng.normal(size=600), "c | d": rng.normal(size=600)})


def answer(X: pd.DataFrame) -> np.ndarray:
    return np.asarray(X["a"] + X["a"] * X["b"])


@pytest.fixture(scope="module")
def fresh(rows: pd.DataFrame) -> instashap.Explainer:
    return instashap.Explainer(answer, order=2, presence_order=2, interactions=[("a", "b")]).fit(rows)


def test_json_holds_the_audit_and_the_importances(fresh: instashap.Explainer, rows: pd.DataFrame, tmp_path: Path) -> None:
    path = instashap.write_report(fresh, rows, path=tmp_path / "report.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["audit"]["verdict"] == fresh.audit().verdict == "safe"
    importance = np.abs(fresh.shap_values(rows)).mean(axis=0)
    np.testing.assert_allclose(np.array(content["importance"])[:, 0], importance, rtol=1e-12)
    assert [term["name"] for term in content["terms"]][-1] == "a × b"
    first = next(term for term in content["terms"] if term["name"] == "a")
    places = content["columns"][0]["places"]
    grid = pd.DataFrame({"a": places, "b": 0.0, "c | d": 0.0})
    column = fresh.terms_.index((0,))
    np.testing.assert_allclose(np.array(first["shape"])[:, 0], fresh.interaction_values(grid)[:, column], atol=1e-12)
    _, errors = fresh.interaction_values(grid, errors=True)
    np.testing.assert_allclose(np.array(first["errors"])[:, 0], errors[:, column], atol=1e-12)


def test_markdown_begins_with_the_verdict(fresh: instashap.Explainer, rows: pd.DataFrame, tmp_path: Path) -> None:
    text = instashap.write_report(fresh, rows, path=tmp_path / "report.md", title="A report").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "# A report"
    assert lines[2].startswith("**Safe to use.** Judged on 600 rows")
    importance = np.abs(fresh.shap_values(rows)).mean(axis=0)
    assert f"| a | {importance[0]:.4g} |" in lines
    assert f"| c \\| d | {importance[2]:.4g} |" in lines


@pytest.mark.parametrize("kind", ["md", "json", "html"])
def test_a_total_is_named_with_its_parts(kind: str, tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["part", "rest"])
    X.insert(0, "total", X["part"] + X["rest"])
    explainer = instashap.Explainer(order=1).fit(X, outputs=X["part"])
    text = instashap.write_report(explainer, X, path=tmp_path / f"report.{kind}").read_text(encoding="utf-8")
    assert "total = part + rest" in text


def test_labels_of_the_fits_own_rows_are_used(fresh: instashap.Explainer, rows: pd.DataFrame, tmp_path: Path) -> None:
    y = answer(rows) + np.random.default_rng(0).normal(size=600)
    path = instashap.write_report(fresh, rows, y, path=tmp_path / "report.json")
    audit = json.loads(path.read_text(encoding="utf-8"))["audit"]
    expected = 1 - ((y - answer(rows)) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert next(iter(audit["black_box"].values()))[0] == pytest.approx(expected, abs=1e-9)
    assert audit["how"] == "cross-fitted"


def test_labels_of_new_rows_are_compared_with_the_model(fresh: instashap.Explainer, tmp_path: Path) -> None:
    new = pd.DataFrame(np.random.default_rng(8).normal(size=(300, 3)), columns=["a", "b", "c | d"])
    path = instashap.write_report(fresh, new, answer(new), path=tmp_path / "report.json")
    audit = json.loads(path.read_text(encoding="utf-8"))["audit"]
    assert (audit["how"], audit["n_rows"]) == ("new rows", 300)


def test_labels_that_a_loaded_explainer_cannot_use_are_reported(
    explainer: instashap.Explainer, table: pd.DataFrame, tmp_path: Path
) -> None:
    path = instashap.write_report(explainer, table, np.zeros(len(table)), path=tmp_path / "report.md")
    assert "The labels were not used" in path.read_text(encoding="utf-8")


def test_an_estimators_own_explanation_is_exact_and_its_quality_is_another_verdict(rows: pd.DataFrame, tmp_path: Path) -> None:
    """Labels that are mostly noise: the model is weak, and its explanation is right."""
    rng = np.random.default_rng(0)
    y = rows["a"] + 3 * rng.normal(size=600)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        model = instashap.AdditiveRegressor(order=1).fit(rows[:400], y[:400])
        path = instashap.write_report(model, rows[400:], y[400:], path=tmp_path / "report.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    audit = content["audit"]
    assert (audit["verdict"], audit["is_exact"], audit["n_rows"]) == ("safe", True, 200)
    assert audit["quality"]["value"][0] == pytest.approx(r2_score(y[400:], model.predict(rows[400:])), abs=1e-9)
    assert audit["quality"]["value"][0] < 0.3
    assert content["audit_sentences"][0].startswith("This model is its own explanation")


def test_another_game_is_reported_without_a_verdict(rows: pd.DataFrame, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        game = instashap.Baseline(rows.iloc[0])
        explainer = instashap.Explainer(answer, order=1, value_function=game).fit(rows[:100])
    content = json.loads(instashap.write_report(explainer, rows, path=tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["audit"] is None
    assert content["audit_note"].startswith("There is no verdict: ")
    page = instashap.write_report(explainer, rows, path=tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not judged" in page


def test_report_file_service_and_python_have_one_verdict(
    rows: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The audit on new rows is kept, where the file held a shorter one on the rows of the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(answer, order=1, presence_order=1, synthetic_rows=0).fit(rows[:400])
        new = rows[400:489]
        written = instashap.write_report(explainer, new, answer(new), path=tmp_path / "report.json")
        explainer.save(tmp_path / "saved.insta")
    audit = json.loads(written.read_text(encoding="utf-8"))["audit"]
    loaded = instashap.load(tmp_path / "saved.insta")
    assert (audit["how"], audit["n_rows"]) == ("new rows", 89)
    for report in (explainer.audit(), loaded.audit(), summarise(loaded).audit):
        assert report is not None
        assert (report.n_rows, report.verdict) == (89, audit["verdict"])
        assert list(report.rungs[-1].carried) == audit["rungs"][-1]["carried"]
    page = render_page(summarise(loaded))
    assert "on 89 new rows" in page
    assert "on 89 new rows" in str(loaded.audit())
    assert main(["audit", str(tmp_path / "saved.insta")]) == 0
    assert capsys.readouterr().out.strip() == str(loaded.audit())


def test_another_ending_is_refused(explainer: instashap.Explainer, table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.html, \.md or \.json, got path="):
        instashap.write_report(explainer, table, path=tmp_path / "report.pdf")


def test_a_path_in_the_place_of_labels_is_refused(explainer: instashap.Explainer, table: pd.DataFrame) -> None:
    with pytest.raises(TypeError, match=r"y must be the labels of X, got 'here.html'; pass the file to write as path="):
        instashap.write_report(explainer, table, "here.html")


def test_a_model_that_is_no_explainer_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(TypeError, match="needs an Explainer, AdditiveRegressor or AdditiveClassifier, got dict"):
        instashap.write_report({}, table)


def test_the_same_report_has_the_same_bytes(explainer: instashap.Explainer, table: pd.DataFrame, tmp_path: Path) -> None:
    first, second = (instashap.write_report(explainer, table, path=tmp_path / f"{name}.html") for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_names_in_markdown_are_text_and_nothing_else(tmp_path: Path) -> None:
    """As an independent reader of Markdown sees it: the names, no HTML, no emphasis, no link, no further cell."""
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    names = ["<img src=x onerror=alert(1)> a_b_*c*", "[link](javascript:alert(1)) | out", "`code` _x_ R&amp;D"]
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, len(names))), columns=names)
    explainer = instashap.Explainer(order=1).fit(X, outputs=pd.DataFrame({"<b>1</b>": X.sum(axis=1), "2 | 3": X.iloc[:, 0]}))
    title = "<script>alert(1)</script> # *new*"
    path = instashap.write_report(explainer, X, path=tmp_path / "report.md", title=title)
    parsed = markdown.parse(path.read_text(encoding="utf-8"))
    kinds = {token.type for token in parsed} | {child.type for token in parsed for child in token.children or ()}
    assert not kinds & {"html_block", "html_inline", "link_open", "em_open", "code_inline", "image"}
    cells = ["".join(child.content for child in token.children) for token in parsed if token.type == "inline"]
    assert cells[0] == title
    assert set(names) <= set(cells)
    assert {"<b>1</b>", "2 | 3"} <= set(cells)


def test_a_page_holds_short_forms_of_levels_that_stay_different(tmp_path: Path) -> None:
    levels = [f"arrest case was closed by the court, {what}" for what in ("no charge", "charge")]
    X = pd.DataFrame({"a": np.random.default_rng(0).choice(levels, 300), "b": np.random.default_rng(1).normal(size=300)})
    explainer = instashap.Explainer(order=1).fit(X, outputs=1.0 * (X["a"] == levels[0]) + X["b"])
    page = instashap.write_report(explainer, X, path=tmp_path / "report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    for length, known in data["short"].items():
        assert len({known[level] for level in levels}) == 2
        assert max(map(len, known.values())) <= int(length)
    assert "no charge" in data["short"]["18"][levels[0]]
