"""A workbook's formulas, computed, give the numbers of Python; what a cell cannot hold is refused by name."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import DataWarning, FitWarning, TooLargeError
from instashap.export import to_excel

openpyxl = pytest.importorskip("openpyxl", reason="workbooks need openpyxl, which is not installed")
pytestmark = [pytest.mark.filterwarnings(f"ignore::{each.__module__}.{each.__name__}") for each in (FitWarning, DataWarning)]
FIRST = 4


def fill_in(path: Path, rows: pd.DataFrame) -> Any:
    """The workbook with the values of rows in the cells of the scorecard."""
    book = openpyxl.load_workbook(path)
    for line, row in enumerate(rows.itertuples(index=False), start=FIRST):
        for column, value in enumerate(row, start=1):
            if not pd.isna(value):
                cell = book["Scorecard"].cell(line, column)
                cell.value = value.item() if hasattr(value, "item") else value
                cell.data_type = "s" if isinstance(value, str) else cell.data_type
    book.save(path)
    return book


class Blank(float):
    """An empty cell, which counts as 0."""


def make_reader(book: Any) -> Any:
    """A function for the value of a cell: the few functions of our formulas as Python, written anew."""

    @cache
    def one(sheet: str, place: str) -> Any:
        value = book[sheet][place.replace("$", "")].value
        if isinstance(value, str) and value[:1] == "=":
            return compute(sheet, value[1:])
        return Blank(0) if value is None else value

    @cache
    def many(sheet: str, first: str, last: str) -> Any:
        cells = book[sheet][f"{first}:{last}".replace("$", "")]
        values = [one(sheet, each.coordinate) for line in cells for each in line]
        return np.array(values, dtype=object if isinstance(values[0], str) else float)

    functions = {
        "one": one,
        "many": many,
        "IF": lambda is_so, yes, no: yes if is_so else no,
        "ISBLANK": lambda x: isinstance(x, Blank),
        "ISNUMBER": lambda x: isinstance(x, (int, float)) and not isinstance(x, Blank),
        "NA": lambda: np.nan,
        "SUMPRODUCT": lambda *each: float(np.sum(np.prod(np.array(each, dtype=float), axis=0))),
        "EXACT": lambda held, x: np.array([each == x for each in held]),
        "INDEX": lambda held, number: held[int(number) - 1] if number <= len(held) else np.nan,  # not what IF picks
        "MAX": max,
        "MIN": min,
    }

    def compute(sheet: str, text: str) -> Any:
        text = text.replace("=", "==")
        text = re.sub(
            r"(?:(\w+)!)?(\$[A-Z]+\$?\d+):(\$[A-Z]+\$?\d+)", lambda m: f"many('{m[1] or sheet}','{m[2]}','{m[3]}')", text
        )
        text = re.sub(r"(?<!')(?:(\w+)!)?(\$[A-Z]+\$?\d+)(?!')", lambda m: f"one('{m[1] or sheet}','{m[2]}')", text)
        return eval(text, functions)

    return one


def compare(found: Any, explainer: instashap.Explainer, rows: pd.DataFrame) -> None:
    """Base values, Shapley values and predictions, as they lie in a line of the scorecard."""
    values = explainer.shap_values(rows).reshape(len(rows), -1)
    base = np.broadcast_to(np.atleast_1d(explainer.expected_value), (len(rows), np.size(explainer.expected_value)))
    expected = np.hstack([base, values, explainer.predict(rows).reshape(len(rows), -1)])
    np.testing.assert_allclose(np.array(found, dtype=float), expected, rtol=0, atol=1e-12)


def test_computed_formulas_are_pythons_numbers(explainer: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    few = rows[:3].round(6)
    to_excel(explainer, tmp_path / "model.xlsx", n_lines=3)
    book = fill_in(tmp_path / "model.xlsx", few)
    card = book["Scorecard"]
    names = [cell.value for cell in card[FIRST - 1]]
    assert names[:8] == list(few.columns)
    assert names[8:10] == ["base_value · price", "base_value · days <to> sell"]
    places = [[cell.coordinate for cell in card[FIRST + line][8:]] for line in range(3)]
    read = make_reader(book)
    compare([[read("Scorecard", place) for place in line] for line in places], explainer, few)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice Calc")
def test_libreoffice_computes_pythons_numbers(explainer: Any, rows: pd.DataFrame, tmp_path: Path) -> None:
    some = rows[:300].round(6)
    to_excel(explainer, tmp_path / "model.xlsx", n_lines=len(some))
    fill_in(tmp_path / "model.xlsx", some)
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", str(tmp_path / "out"), "model.xlsx"], cwd=tmp_path, check=True, capture_output=True)
    card = openpyxl.load_workbook(tmp_path / "out" / "model.xlsx", data_only=True)["Scorecard"]
    lines = card.iter_rows(min_row=FIRST, max_row=FIRST + len(some) - 1)
    compare([[cell.value for cell in line[8:]] for line in lines], explainer, some)


def test_text_that_looks_like_a_formula_is_text(explainer: Any, tmp_path: Path) -> None:
    to_excel(explainer, tmp_path / "model.xlsx", n_lines=1)
    head = openpyxl.load_workbook(tmp_path / "model.xlsx")["Scorecard"]["H3"]
    assert (head.value, head.data_type) == ('=a "long" name', "s")


def test_shapes_and_pairs_are_what_terms_add(tmp_path: Path) -> None:
    X = pd.DataFrame({"a": [0.0, 1, 2, 3, 4] * 20, "town": ["x", "y"] * 50})
    explainer = instashap.Explainer(order=2, synthetic_rows=0).fit(X, outputs=X["a"] * (X["town"] == "x"))
    explainer.export(tmp_path / "model.xlsx")
    book = openpyxl.load_workbook(tmp_path / "model.xlsx")
    shapes = pd.DataFrame(list(book["Shapes"].values)[1:], columns=[cell.value for cell in book["Shapes"][1]])
    assert set(shapes["column"]) == {"a", "town"}
    levels = shapes[shapes["column"] == "town"].set_index(shapes.columns[3])["effect at from"]
    pairs = list(book["Pairs"].values)
    assert pairs[2][0] == "a (down) × town (across): output"
    assert pairs[3][1:5] == ("x", "y", "other", "missing")
    numbers = shapes[(shapes["column"] == "a")].iloc[:-1]
    line = numbers.index[-1]  # the last cell: from 3 or above to the end, where a is 4
    pair = dict(zip(pairs[3][1:5], pairs[4 + line - numbers.index[0]][1:5], strict=True))
    for town in ("x", "y"):
        middle = (numbers.loc[line, "effect at from"] + numbers.loc[line, "effect at to"]) / 2
        total = explainer.expected_value + levels[town] + middle + pair[town]
        low, high = explainer.predict(
            pd.DataFrame({"a": [numbers.loc[line, "from (exclusive)"] + 1e-9, 9.0], "town": [town] * 2})
        )
        assert total == pytest.approx((low + high) / 2, abs=1e-6)


def test_few_numbers_are_named_by_their_values_and_booleans_by_theirs(tmp_path: Path) -> None:
    X = pd.DataFrame({"a": [1.0, 2, 4] * 40, "flag": [True, False] * 60})
    made = instashap.Explainer(order=2, presence_order=2, synthetic_rows=0, interactions=[(0, 1)])
    made.fit(X, outputs=100 * X["a"] * X["flag"]).export(tmp_path / "model.xlsx")
    book = openpyxl.load_workbook(tmp_path / "model.xlsx")
    lines = [(line[0], line[3]) for line in list(book["Shapes"].values)[1:]]
    assert [name for column, name in lines if column == "a"] == ["1", "2", "4", "missing"]
    assert [name for column, name in lines if column == "flag"] == ["False", "True", "missing"]
    assert list(book["Pairs"].values)[3][1:4] == ("False", "True", "missing")
    assert book["Shapes"]["E2"].number_format == "0.0"  # effects of some hundreds
    assert book["Shapes"].freeze_panes == "A2"
    assert "what knowing this column changes" in book["Scorecard"]["A1"].value


@pytest.mark.parametrize(
    ("town", "message"),
    [
        (["", "b"], r"column 'town' has the level '', which a cell of a workbook cannot hold \(empty"),
        (["a\x07", "b"], r"column 'town' has the level 'a\\x07', which a cell of a workbook cannot hold"),
        ([0.1 + 0.2, 0.3], r"column 'town' has two levels that are 0.3 to 15 digits"),
    ],
)
def test_what_a_cell_cannot_hold_is_refused_by_name(tmp_path: Path, town: list[Any], message: str) -> None:
    X = pd.DataFrame({"town": pd.Series(town * 30, dtype="category")})
    explainer = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=np.arange(60.0) % 2)
    with pytest.raises(ValueError, match=message):
        to_excel(explainer, tmp_path / "model.xlsx")


def test_linear_predictions_of_columns_are_computed(indexed: Any, tmp_path: Path) -> None:
    explainer, rows, _ = indexed
    few = pd.concat([rows[:8], rows[rows["a"].isna()][:1], rows[rows["kind"] == "nowhere"][:1]]).round(6)
    to_excel(explainer, tmp_path / "model.xlsx", n_lines=len(few))
    book = fill_in(tmp_path / "model.xlsx", few)
    places = [[cell.coordinate for cell in book["Scorecard"][FIRST + line][4:]] for line in range(len(few))]
    read = make_reader(book)
    compare([[read("Scorecard", place) for place in line] for line in places], explainer, few)


def test_too_large_a_workbook_is_refused(explainer: Any, tmp_path: Path) -> None:
    with pytest.raises(TooLargeError, match=r"the model needs [\d,]+ cells of a workbook, and at most 2,000,000 are written"):
        to_excel(explainer, tmp_path / "model.xlsx", n_lines=20_000)
