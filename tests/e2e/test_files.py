"""Files as people have them, through the command line's own steps: what is read, what is assumed, what is refused."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import cli, workflow
from instashap.preparing import Prepared, prepare, read_file

RNG = np.random.default_rng(0)
N_ROWS = 240
SIZE = RNG.uniform(40, 200, N_ROWS).round(2)


def write(folder: Path, name: str = "rows.csv", **columns: Any) -> Path:
    path = folder / name
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def read(path: Path, target: str, **options: Any) -> Prepared:
    return prepare(read_file(path), target, **options)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A file with a price of thousands, and its results."""
    folder = tmp_path_factory.mktemp("mixed")
    paid = [f"$ {100 * each:,.0f}" for each in SIZE]
    paid[3] = "?"
    codes, prices = np.where(SIZE > 120, "00501", "10115"), [f"{1000 * each:,.0f} €" for each in SIZE]
    path = write(folder, paid=paid, zip=codes, price=prices)
    arguments = ["--target", "price", "--out", str(folder / "out"), "--order", "1", "--row", "17"]
    return cli.main(["explain", str(path), *arguments]), folder


@pytest.mark.filterwarnings("ignore::instashap.InstashapWarning")
def test_numbers_as_text_drive_the_price_and_new_rows_are_read_alike(mixed: Any) -> None:
    status, folder = mixed
    assert status == 0
    summary = (folder / "out" / "summary.md").read_text(encoding="utf-8")
    assert "- column 'paid' is read as numbers: '\\$ 1" in summary
    assert "- column 'zip' is read as codes" in summary
    explainer = instashap.load(folder / "out" / "explainer.insta")
    rows = pd.read_csv(folder / "rows.csv", dtype={"zip": str}).drop(columns="price")
    values = explainer.shap_values(rows)
    # Price is 1000 · size; a code of large and small sizes shares in it, so the two together carry it.
    known = np.delete(np.arange(N_ROWS), 3)
    assert np.corrcoef(values.sum(axis=1)[known], SIZE[known])[0, 1] > 0.99
    as_numbers = rows.assign(paid=(100 * SIZE).round(), zip=rows["zip"].astype(int))
    np.testing.assert_allclose(explainer.shap_values(as_numbers)[known], values[known], atol=1e-9)
    with pytest.raises(ValueError, match=r"column 'paid' holds '€ 5'; the fit read numbers there, such as '\$ "):
        explainer.shap_values(rows.assign(paid="€ 5"))


@pytest.mark.parametrize(
    ("values", "task", "is_class", "note"),
    [
        (RNG.poisson(SIZE / 40), "auto", False, "whole numbers and is explained as a number; to change: --task class"),
        (RNG.poisson(SIZE / 40), "classification", True, ""),
        (RNG.integers(1, 11, N_ROWS), "auto", False, "holds 10 different whole numbers and is explained as a number"),
        (RNG.integers(0, 2, N_ROWS), "auto", True, "whole numbers and is explained as classes; to change: --task reg"),
        (RNG.integers(0, 2, N_ROWS), "regression", False, ""),
        (RNG.random(N_ROWS) < 0.5, "auto", True, ""),
        (RNG.choice(["yes", "no"], N_ROWS), "auto", True, ""),
        (np.where(SIZE > 100, "00501", "10115"), "auto", True, "column 'y' is read as codes"),
        (SIZE, "auto", False, ""),
        ([f"{each:.1f} %" for each in SIZE], "auto", False, "column 'y' is read as numbers: '"),
    ],
)
def test_what_is_assumed_of_the_target_is_said_with_the_way_to_change_it(
    tmp_path: Path, values: Any, task: str, is_class: bool, note: str
) -> None:
    table = read(write(tmp_path, size=SIZE, y=values), "y", task=task)
    assert table.is_class is is_class
    assert (note in " ".join(table.notes)) if note else not table.notes
    assert (table.y.dtype.kind in "fiu") or is_class


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["yes"] * N_ROWS, {}, "the target column 'y' holds one class only, 'yes': name another --target"),
        ([1] * N_ROWS, {"task": "classification"}, "the target column 'y' holds one class only, 1"),
        (["north", "south"] * (N_ROWS // 2), {"task": "regression"}, "is no number .*: leave out --task regression"),
        (SIZE, {"task": "classification"}, "a class has several rows: name another --target"),
        (["?", *SIZE[1:]], {}, "the target column 'y' holds 1 missing values; drop those rows"),
        (["NA", "yes", "no"] * (N_ROWS // 3), {}, r"the target column 'y' holds \d+ missing values \('NA'\); drop those rows"),
        ([f"{each} m2" for each in SIZE[1:]] + ["3 ft2"], {}, "'y' holds numbers in different units"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(tmp_path: Path, values: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path, size=SIZE, y=values), "y", **options)


def test_a_target_of_dates_is_refused_with_advice_that_works(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=N_ROWS)
    for values in (days.strftime("%Y-%m-%d"), days.strftime("%d/%m/%Y")):
        with pytest.raises(ValueError, match=r"'day' holds dates or durations.*such as the days since the first date"):
            read(write(tmp_path, size=SIZE, day=values), "day")
    frame = pd.DataFrame({"size": SIZE, "day": days, "lasted": days - days[0]})
    for target in ("day", "lasted"):
        with pytest.raises(ValueError, match=f"'{target}' holds dates or durations"):
            prepare(frame, target)
    followed = frame.assign(days=(frame["day"] - frame["day"].min()).dt.days)[["size", "days"]]
    assert prepare(followed, "days").y.tolist() == list(range(N_ROWS))


def test_the_option_that_a_refusal_names_keeps_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [f"{each} m2" if number % 9 else f"{10 * each} ft2" for number, each in enumerate(SIZE)]
    path = write(tmp_path, **{"living space": sizes, "town": RNG.choice(["north", "south"], N_ROWS), "price": SIZE})
    arguments = ["explain", str(path), "--target", "price", "--out", str(tmp_path / "out"), "--order", "1"]
    assert cli.main(arguments) == 2
    refusal = capsys.readouterr().err.splitlines()[-1]
    assert "column 'living space' holds numbers in different units (rows: 'm2' in 213, 'ft2' in 27)" in refusal
    option = re.search(r"--text '.*'$", refusal)
    assert option is not None
    options = cli._make_parser().parse_args([*arguments, *shlex.split(option[0])])
    assert prepare(read_file(path), "price", text=options.text).recipe.readings == {}


def test_the_row_in_the_terminal_is_the_one_in_the_waterfall(mixed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    from instashap import plots

    drawn: list[instashap.Explanation] = []
    monkeypatch.setattr(plots, "plot_waterfall", lambda row: drawn.append(row) or plots.plot_strip(row), raising=False)
    data = pd.DataFrame({"a": SIZE, "b": RNG.normal(size=N_ROWS), "y": 3 * SIZE})
    explained = workflow.explain_table(data, "y", order=1)
    workflow.write_results(explained, mixed[1] / "again", 17)
    from instashap.report.terminal import render_terminal

    label = explained.held_out.index[17]
    assert list(drawn[0].index) == [label]
    assert f"row {label} (number 17 of the rows explained" in str(render_terminal(explained.explanation, 17).title)


def test_words_that_pandas_reads_as_missing_are_categories_and_the_note_reads_new_rows_alike(tmp_path: Path) -> None:
    region = np.tile(["NA", "None", "EU"], N_ROWS // 3)
    size = SIZE[: len(region)]
    path = write(tmp_path, region=region, size=size, y=2.5 * (region == "NA") - (region == "None"))
    table = read(path, "y")
    note = table.notes[0]
    assert "column 'region': text such as 'NA', 'None' is a category" in note
    explainer = instashap.Explainer(order=1, synthetic_rows=0).fit(table.X, outputs=table.y)
    rows = eval(note.split("read new rows by ")[1].replace("...", repr(str(path))), {"pd": pd})
    effects = pd.Series(explainer(rows[["region", "size"]]).values[:, 0]).groupby(region).mean()
    assert effects["NA"] - effects["EU"] == pytest.approx(2.5, abs=0.05)
    assert effects["None"] - effects["EU"] == pytest.approx(-1.0, abs=0.05)
