"""Options of the command line on how a table is read and a model trained; encodings; what is said, and when."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import FitWarning
from instashap.cli import _read_rows, main
from instashap.fitted.explanation import Explanation
from instashap.preparing import read_file
from instashap.trust.figures import Figure
from instashap.trust.report import Rung, TrustReport
from instashap.workflow import _check_loss, _train, explain_table, write_results

TABLE = pd.DataFrame({"âge": [1.5, 2.5, 3.0], "prix": [10, 20, 30]})


@pytest.mark.parametrize("for_model", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_any_usual_encoding_is_read(tmp_path: Path, encoding: str, for_model: bool) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TABLE.to_csv(index=False).encode(encoding))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        table = read_file(path, for_model=for_model)
    pd.testing.assert_frame_equal(table, TABLE, check_dtype=False)
    assert [str(each.message) for each in said] == (
        [f"{path} is not UTF-8 and is read as Western European text; check letters with accents"] * (encoding == "latin-1")
    )


@pytest.mark.parametrize("for_model", [False, True])
@pytest.mark.parametrize(("name", "separator"), [("table.tsv", "\t"), ("table.txt", ";"), ("TABLE.TSV", ",")])
def test_files_of_other_endings_are_delimited_text_too(tmp_path: Path, name: str, separator: str, for_model: bool) -> None:
    TABLE.to_csv(tmp_path / name, sep=separator, index=False)
    pd.testing.assert_frame_equal(read_file(tmp_path / name, for_model=for_model), TABLE, check_dtype=False)


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ",")])
def test_rows_for_a_saved_explainer_keep_the_levels_of_text_that_it_knows(
    tmp_path: Path, separator: str, decimal: str
) -> None:
    rng = np.random.default_rng(0)
    parts = {"country": ["NA", "DE", "None"], "zip": ["007", "7", "12"], "flag": ["True", "False"], "kind": ["a", "b", None]}
    X = pd.DataFrame({name: rng.choice(np.array(own, dtype=object), 300) for name, own in parts.items()})
    X = X.assign(size=rng.normal(size=300))
    outputs = (X["country"] == "NA") + 2.0 * (X["zip"] == "007") + 4.0 * (X["flag"] == "True") + X["size"] + X["kind"].isna()
    explainer = instashap.Explainer(order=1).fit(X, outputs=outputs)
    X.to_csv(tmp_path / "rows.csv", index=False, na_rep="N/A", sep=separator, decimal=decimal)
    read = _read_rows(tmp_path / "rows.csv", explainer._check_fitted())
    expected = X.where(X.notna(), None)
    for name in X:
        assert read[name].where(read[name].notna(), None).tolist() == expected[name].tolist()
    assert explainer.shap_values(read).tolist() == explainer.shap_values(X).tolist()


@pytest.mark.parametrize("for_model", [False, True])
def test_a_table_without_rows_or_names_is_refused_in_a_sentence(tmp_path: Path, for_model: bool) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n")
    with pytest.raises(ValueError, match="it has names but no rows"):
        read_file(path, for_model=for_model)
    for nothing in (b"", b"\xef\xbb\xbf\n", b"\xff\xfe"):
        path.write_bytes(nothing)
        with pytest.raises(ValueError, match="it is empty"):
            read_file(path, for_model=for_model)


def test_a_column_of_row_labels_is_said_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    TABLE.to_csv(path)
    with pytest.warns(instashap.DataWarning, match="it is used as row labels"):
        assert list(read_file(path)) == list(TABLE)
    with pytest.warns(instashap.DataWarning, match="the model receives it as 'Unnamed: 0'"):
        assert list(read_file(path, for_model=True)) == ["Unnamed: 0", *TABLE]


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    zone = rng.choice([10, 20, 30], 80)
    return pd.DataFrame({"zone": zone, "x": rng.normal(size=80).round(1), "rides": rng.poisson(np.where(zone == 20, 9, 2))})


def test_the_trained_model_has_the_loss_asked_for(counts: pd.DataFrame) -> None:
    class Table:
        is_class = False
        recipe = type("Recipe", (), {"apply": staticmethod(lambda X: X)})

    model = _train(counts[["zone", "x"]], counts["rides"], Table, "poisson")
    assert model[-1].loss == "poisson"
    assert (model.predict(counts[["zone", "x"]]) > 0).all()
    with pytest.raises(ValueError, match="--loss poisson needs a target of 0 or more, and 'rides' goes down to -1"):
        _check_loss("poisson", counts["rides"] - 1 - counts["rides"].min(), False)
    with pytest.raises(ValueError, match="--loss gamma needs a target of more than 0, and 'rides' goes down to 0: use poisson"):
        _check_loss("gamma", counts["rides"], False)
    with pytest.raises(ValueError, match="holds classes: leave it out, or add --task regression"):
        _check_loss("poisson", counts["rides"], True)


def test_numbers_named_as_categories_are_explained_as_levels_with_totals_and_data(
    counts: pd.DataFrame, tmp_path: Path
) -> None:
    said: list[str] = []
    explained = explain_table(counts, "rides", order=1, text=["zone"], on_note=said.append)
    encoder = explained.explainer._check_fitted().encoder.columns[0]
    assert (encoder.name, encoder.is_category) == ("zone", True)
    assert said[-1] == "training gradient boosting on 64 rows"
    assert explained.explanation.output_names == ("rides",)
    write_results(explained, tmp_path, add=["totals", "data"])
    frame = pd.read_parquet(tmp_path / "explanations.parquet")
    assert list(frame.columns[-2:]) == ["(value of zone)", "(value of x)"]
    parts = frame[["(base value)", "zone", "x", "(remainder)"]].sum(axis=1)
    np.testing.assert_allclose(parts, explained.model.predict(explained.held_out), rtol=1e-9)
    assert isinstance(explained.explanation, Explanation)


def test_in_a_terminal_the_first_line_comes_before_the_table_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("warnings.formatwarning", warnings.formatwarning)  # the command line replaces it
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["audit", str(tmp_path / "none.csv"), "--target", "a"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"instashap: reading {tmp_path / 'none.csv'}"
    assert "there is no file" in second


def test_a_report_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure(0.9, 0.8, 0.95)
    labels = {"R² to labels": figure, "a long name of a figure": figure}
    report = TrustReport((Rung(0, 0, Figure(0, 0, 0)), Rung(1, 1, figure, labels=labels)), 200, "new rows", "output of predict")
    for columns, longest in (("60", 60), ("44", 44), ("20", 40), ("200", 110)):
        monkeypatch.setenv("COLUMNS", columns)
        lines = str(report).splitlines()
        assert max(map(len, lines)) <= longest
    monkeypatch.setenv("COLUMNS", "50")
    text = " ".join(str(report).split())
    assert re.search(r"- order 1: reproduced 90 % \(80 to 95 %\); .*a long name of a figure 90 % \(80 to 95 %\); verdict", text)


def test_the_model_is_asked_about_as_many_synthetic_rows_as_the_command_says() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=120), "b": rng.choice(["yes", "no"], 120)})
    table["y"] = table["a"] * (table["b"] == "yes")
    calls = []

    def predict(rows: pd.DataFrame) -> np.ndarray:
        assert set(rows["b"]) <= {"yes", "no"}  # the file's own text
        calls.append(len(rows))
        return np.asarray(rows["a"] * (rows["b"] == "yes"))

    for number in (0, 2048):
        calls.clear()
        explained = explain_table(table, "y", predict, synthetic_rows=number)
        assert explained.explainer.fit_facts_["synthetic"]["n_asked"] == number
        assert sum(calls) == 96 + 2 * 24 + number  # rows of the fit, and twice those held out


def test_synthetic_rows_that_cannot_be_made_are_named() -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    table = pd.DataFrame({"day": days, "a": rng.normal(size=120), "y": rng.normal(size=120)})
    with pytest.warns(FitWarning, match="synthetic_rows=2048 is not used: .* columns that are read as several, as dates are"):
        explain_table(table, "y", lambda rows: np.asarray(rows["a"]), order=1, synthetic_rows=2048)


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        ("explain", "taken/results", "is no folder, as .*taken is a file: name another"),
        ("audit", "taken", "is no folder, as .*taken is a file: name another"),
        ("report", "none/page.html", "is in a folder that does not exist; make it first"),
        ("report", "", "is a folder; name a file"),
    ],
)
def test_where_results_cannot_be_written_is_said_before_any_work(tmp_path: Path, capsys, command, out, message) -> None:
    (tmp_path / "taken").write_text("")
    lost = tmp_path / "lost.csv"  # a table that is not there would be the next complaint
    assert main([command, str(lost), "--target", "y", "--out", str(tmp_path / out)]) == 2
    assert re.search(message, capsys.readouterr().err)
