"""The command line, as a person runs it: once a kind in a process of its own, else by its entry point, which is faster."""

import contextlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import instashap
from instashap import cli, preparing, workflow

pytestmark = pytest.mark.usefixtures("few_calls")

PICTURES = ("importance.png", "shape.png", "waterfall.png")
FILES = sorted([*PICTURES, "explainer.insta", "explanations.parquet", "summary.md"])


def make_command(arguments: Any) -> list[str]:
    command = list(map(str, arguments))
    if "--target" in command and command[0] in ("explain", "report") and "--synthetic-rows" not in command:
        command += ["--synthetic-rows", "0"]  # what they are for is tested elsewhere
    return command


def run_process(*arguments: Any) -> subprocess.CompletedProcess[str]:
    source = str(Path(instashap.__file__).parents[1].resolve())  # also where a test runs in another folder
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "COLUMNS": "120"}
    environment["PYTHONIOENCODING"] = "utf-8"
    command = [sys.executable, "-m", "instashap.cli", *make_command(arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, timeout=120, check=False)


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command, out, err = make_command(arguments), io.StringIO(), io.StringIO()
    usual = warnings.formatwarning
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setenv("COLUMNS", "120")
        patch.setattr(warnings, "formatwarning", usual)  # the command line sets its own
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.showwarning = lambda message, category, *place, **_: err.write(
                str(warnings.formatwarning(message, category, *place[:2]))
            ) and None
            try:
                code = cli.main(command)
            except SystemExit as ended:
                code = int(ended.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def find_held_out(n_rows: int) -> np.ndarray:
    """The documented fifth of the rows."""
    held_out: np.ndarray = train_test_split(np.arange(n_rows), test_size=0.2, random_state=0)[1]
    return held_out


def read_importances(summary: str) -> dict[str, float]:
    return {name: float(number) for name, number in re.findall(r"^    (\S.*?)  +(\S+)$", summary, flags=re.MULTILINE)}


def check_pictures(folder: Path) -> None:
    for name in PICTURES:
        picture = matplotlib.image.imread(folder / name)
        assert min(picture.shape[:2]) > 150, name
        assert picture[..., :3].std() > 0.02, f"{name} is blank"


# --- A regression from CSV: text, a missing number, a missing text ---------------------------------------------------------


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.uniform(50, 150, 250).round(2), "town": rng.choice(["north", "south"], 250)})
    frame["rooms"] = rng.integers(1, 9, 250)
    frame["price"] = 0.1 * frame["size"] + 6.0 * (frame["town"] == "north")
    frame.loc[3, "size"] = np.nan
    frame.loc[5, "town"] = None
    path = tmp_path_factory.mktemp("houses") / "houses.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def explained_houses(houses: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = houses.parent / "deep" / "explained"
    return run_process("explain", houses, "--target", "price", "--out", folder), folder


def test_a_csv_is_explained_and_every_file_written(explained_houses: Any) -> None:
    done, folder = explained_houses
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == FILES
    check_pictures(folder)


def test_explanations_of_the_held_out_rows_sum_to_the_predictions(houses: Path, explained_houses: Any) -> None:
    _, folder = explained_houses
    values = pd.read_parquet(folder / "explanations.parquet")
    held_out = find_held_out(250)
    assert list(values.columns) == ["size", "town", "rooms"]
    assert list(values.index) == held_out.tolist()
    data = pd.read_csv(houses)
    explainer = instashap.load(folder / "explainer.insta")
    predictions = explainer.predict(data.drop(columns="price").loc[held_out])
    np.testing.assert_allclose(values.sum(axis=1) + explainer.expected_value, predictions, atol=1e-9)
    assert np.corrcoef(predictions, data["price"][held_out])[0, 1] > 0.95
    is_north = data["town"][held_out].to_numpy() == "north"
    gap = values["town"][is_north].mean() - values["town"][~is_north].mean()
    assert gap == pytest.approx(6.0, abs=1.0)


def test_the_summary_is_printed_and_holds_the_facts(explained_houses: Any) -> None:
    done, folder = explained_houses
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert done.stdout.strip() == summary.strip()
    assert summary.startswith("# Explained: output of predict\n")
    assert "50 held-out rows, 3 features, conditional game" in summary
    assert "training the model: " in summary
    assert all(name in summary for name in FILES)
    shares = re.findall(r"explains (\S+) % of the model's variance", summary)
    assert 90.0 < float(shares[0]) <= 100.0
    importances = read_importances(summary)
    means = pd.read_parquet(folder / "explanations.parquet").abs().mean()
    assert importances == {name: float(f"{means[name]:.4g}") for name in ("town", "size", "rooms")}
    # |6 · (town - mean)| is about 3 on average, |0.1 · (size - mean)| about 2.5, and rooms play no part
    assert list(importances) == ["town", "size", "rooms"]


def test_a_report_is_written_on_the_held_out_rows(houses: Path) -> None:
    path = houses.parent / "report.json"
    done = run("report", houses, "--target", "price", "--out", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"Written to {path}"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["n_rows"] == 50
    # size: 0.1 · uniform(50, 150); town: 6 in half of the rows
    importance = dict(zip(content["feature_names"], (each[0] for each in content["importance"]), strict=True))
    assert importance["town"] == pytest.approx(3.0, abs=0.5)
    assert importance["size"] == pytest.approx(2.5, abs=0.5)
    assert content["audit"]["how"] == "new rows"


def test_one_row_is_shown_in_the_terminal(houses: Path) -> None:
    pytest.importorskip("rich", reason="terminal views need rich, which is not installed")
    done = run("explain", houses, "--target", "price", "--out", houses.parent / "shown", "--row", 2)
    assert done.returncode == 0, done.stderr
    explainer = instashap.load(houses.parent / "shown" / "explainer.insta")
    row = pd.read_csv(houses).drop(columns="price").iloc[[find_held_out(250)[2]]]
    assert re.search(rf"prediction .* {explainer.predict(row)[0]:.2f} ", done.stdout)


def test_a_second_run_gives_the_same_files(houses: Path, explained_houses: Any) -> None:
    _, folder = explained_houses
    again = houses.parent / "again"
    assert run("explain", houses, "--target", "price", "--out", again).returncode == 0
    assert (again / "explanations.parquet").read_bytes() == (folder / "explanations.parquet").read_bytes()


# --- Three classes from parquet --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    X, y = load_iris(return_X_y=True, as_frame=True)
    frame = X.assign(species=y.map({0: "setosa", 1: "versicolor", 2: "virginica"}))
    frame.index = pd.Index([f"flower {row}" for row in range(150)])
    path = tmp_path_factory.mktemp("flowers") / "flowers.parquet"
    frame.to_parquet(path)
    return path


def test_three_classes_in_parquet_are_explained(flowers: Path) -> None:
    folder = flowers.parent / "explained"
    done = run("explain", flowers, "--target", "species", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == FILES
    check_pictures(folder)

    data = pd.read_parquet(flowers)
    held_out = data.iloc[find_held_out(150)]
    features, classes = list(data.columns[:4]), ["setosa", "versicolor", "virginica"]
    values = pd.read_parquet(folder / "explanations.parquet")
    assert list(values.columns) == [f"{name} · {feature}" for name in classes for feature in features]
    assert list(values.index) == list(held_out.index)
    explainer = instashap.load(folder / "explainer.insta")
    sums = values.to_numpy().reshape(30, 3, 4).sum(axis=2) + explainer.expected_value
    np.testing.assert_allclose(sums, explainer.predict(held_out[features]), atol=1e-9)
    assert (np.array(classes)[sums.argmax(axis=1)] == held_out["species"]).mean() >= 0.9
    np.testing.assert_allclose(sums.sum(axis=1), 0.0, atol=1e-8)  # log-probabilities minus their mean

    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "30 held-out rows, 4 features" in summary
    assert summary.startswith("# Explained: log-probability of each class minus the mean over classes")
    assert set(list(read_importances(summary))[:2]) == {"petal length (cm)", "petal width (cm)"}


# --- A model of one's own --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``y = 5 + 3 a - 2 b`` on every corner of {-1, 0, 1}³, ten times: independent columns."""
    a, b, c = np.tile(np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3), axis=-1).reshape(-1, 3), (10, 1)).T
    path = tmp_path_factory.mktemp("line") / "line.csv"
    pd.DataFrame({"a": a, "b": b, "c": c, "y": 5 + 3 * a - 2 * b}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["joblib", "pickle"])
def test_a_dumped_model_is_explained_instead_of_a_trained_one(line: Path, kind: str) -> None:
    data = pd.read_csv(line)
    model = LinearRegression().fit(data[["a", "b", "c"]], data["y"])
    file, folder = line.parent / f"model.{kind}", line.parent / f"by {kind}"
    if kind == "joblib":
        joblib.dump(model, file)
    else:
        file.write_bytes(pickle.dumps(model))
    done = run("explain", line, "--target", "y", "--model", file, "--order", 1, "--out", folder)
    assert done.returncode == 0, done.stderr
    held_out = data.iloc[find_held_out(270)]
    values = pd.read_parquet(folder / "explanations.parquet")
    base = instashap.load(folder / "explainer.insta").expected_value
    assert base == pytest.approx(data["y"].drop(held_out.index).mean(), abs=1e-9)  # of the rows it was fitted on
    # The fifth left out unbalances the rows a little.
    np.testing.assert_allclose(values, held_out[["a", "b", "c"]] * [3.0, -2.0, 0.0], atol=0.5)
    np.testing.assert_allclose(values["a"] + values["b"] + values["c"] + 5, held_out["y"], atol=0.5)
    assert "- the additive model of order 1 explains 100.0 % of the model's variance on held-out rows" in done.stdout
    assert "- the model's own score on held-out rows: 1.000" in done.stdout
    assert "training the model" not in done.stdout
    assert "fitting the explainer: " in done.stdout


@pytest.mark.parametrize("kind", ["sklearn", "lightgbm", "xgboost", "catboost", "booster"])
def test_a_model_gets_the_columns_it_was_trained_on_in_its_order(line: Path, kind: str, tmp_path: Path) -> None:
    data = pd.read_csv(line)
    X, y = data[["b", "a"]], data["y"]
    if kind == "sklearn":
        model: Any = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
    elif kind == "lightgbm":
        model = pytest.importorskip("lightgbm").LGBMRegressor(n_estimators=50, verbose=-1, n_jobs=1).fit(X, y)
    elif kind == "catboost":
        options = {"iterations": 99, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
        model = pytest.importorskip("catboost").CatBoostRegressor(**options).fit(X, y)
    elif kind == "xgboost":
        model = pytest.importorskip("xgboost").XGBRegressor(n_estimators=50, n_jobs=1).fit(X, y)
    else:
        xgboost = pytest.importorskip("xgboost")
        model = xgboost.train({}, xgboost.DMatrix(X, y), 50)
    notes: list[str] = []
    explained = workflow.explain_table(data.assign(row=np.arange(270.0)), "y", model, 1, synthetic_rows=0, on_note=notes.append)
    assert "the model was trained without 'c', 'row', which are left out" in notes
    values = explained.explanation.to_frame()
    assert list(values.columns) == ["b", "a"]
    np.testing.assert_allclose(values, explained.held_out[["b", "a"]] * [-2.0, 3.0], atol=0.6)
    if kind == "sklearn":
        report = workflow.audit_table(data.assign(row=1.0), "y", model, [1])
        assert report.table["output reproduced"].max() > 0.99


# --- Tables that leave little to explain -----------------------------------------------------------------------------------


def test_a_single_column_is_explained_by_default(line: Path) -> None:
    path, folder = line.parent / "ONE.CSV", line.parent / "one"
    pd.read_csv(line)[["a", "y"]].to_csv(path, index=False)
    done = run("explain", path, "--target", "y", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert list(pd.read_parquet(folder / "explanations.parquet").columns) == ["a"]


def test_an_explainer_worse_than_the_mean_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    size = rng.uniform(40, 200, 240)
    rows = pd.DataFrame({"size": [f"={each:.1f}" for each in size], "town": rng.choice(["north", "south"], 240)})
    rows.assign(price=1000 * size).to_csv(tmp_path / "formulas.csv", index=False)  # a level a row: the model knows none of them
    done = run("explain", tmp_path / "formulas.csv", "--target", "price", "--order", 1, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"predicts the model worse than its mean on held-out rows \(R² -.*\): do not use its values", done.stdout)
    assert re.search(r"instashap: the explainer's held-out R² to the model is -\S+, below that of the mean alone", done.stderr)


def test_a_constant_target_leaves_nothing_to_carry(line: Path) -> None:
    path, folder = line.parent / "constant.csv", line.parent / "constant"
    pd.read_csv(line).assign(y=0.1).to_csv(path, index=False)
    done = run("explain", path, "--target", "y", "--order", 1, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert "the model's output is the same for every held-out row" in done.stdout
    assert "nan" not in done.stdout
    assert "RuntimeWarning" not in done.stderr
    np.testing.assert_allclose(pd.read_parquet(folder / "explanations.parquet"), 0.0, atol=1e-9)


# --- Mistakes --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mistakes(houses: Path) -> Path:
    folder = houses.parent
    data = pd.read_csv(houses)
    (folder / "houses.xls").write_text("a,b\n1,2\n", encoding="utf-8")
    (folder / "empty.csv").write_text("", encoding="utf-8")
    (folder / "broken.parquet").write_text("not parquet", encoding="utf-8")
    data[["price"]].to_csv(folder / "lonely.csv", index=False)
    data.assign(price=data["price"].where(data.index > 6)).to_csv(folder / "gaps.csv", index=False)
    data.assign(price=data["price"].where(data.index > 6, np.inf)).to_csv(folder / "endless.csv", index=False)
    data[:5].to_csv(folder / "short.csv", index=False)
    data.assign(name=[f"house {number}" for number in range(len(data))]).to_csv(folder / "names.csv", index=False)
    data.assign(doors=data["rooms"] + 1).to_csv(folder / "wide.csv", index=False)
    (folder / "text.joblib").write_text("this is not a model\n", encoding="utf-8")
    (folder / "empty.joblib").write_bytes(b"")
    joblib.dump(np.arange(10_000.0), folder / "whole.joblib")
    (folder / "cut.joblib").write_bytes((folder / "whole.joblib").read_bytes()[:5_000])
    joblib.dump({"not": "a model"}, folder / "dict.joblib")
    stranger = LinearRegression().fit(pd.DataFrame({"height": [1.0, 2.0], "width": [3.0, 4.0]}), [1.0, 2.0])
    joblib.dump(stranger, folder / "stranger.joblib")
    return folder


TRAINED = "houses.csv --target price"
NO_MODEL = "is not a model that pickle or joblib can load"
MISTAKES = {
    "houses.csv --target prize": "--target names the unknown column 'prize'; did you mean 'price'? the columns are 'size', ",
    "names.csv --target name": "the target column 'name' holds 250 different values in 250 rows that are no numbers",
    "wide.csv --target price --order 4": "order=4 is out of range: use 1 to 3",
    f"{TRAINED} --row 50": "--row 50 is not among the held-out rows, which are numbered 0 to 49",
    "nowhere.csv --target price": "there is no file nowhere.csv",
    "houses.xls --target price": "houses.xls is none of .csv, .tsv, .txt, .parquet, .pq: save the table as one of them",
    "empty.csv --target price": "empty.csv cannot be read as .csv",
    "broken.parquet --target price": "broken.parquet cannot be read as .parquet",
    "lonely.csv --target price": "the table has no column beside the target 'price'",
    "endless.csv --target price": "the target column 'price' holds infinite values; repair or drop those rows",
    "short.csv --target price": "the table has 5 rows; at least 6 are needed to hold some out",
    "gaps.csv --target price": "the target column 'price' holds 7 missing values; drop those rows",
    f"{TRAINED} --order 0": "order=0 is out of range: use 1 to 3",
    f"{TRAINED} --order 4": "order=4 is out of range",
    f"{TRAINED} --model nowhere.joblib": "there is no model file nowhere.joblib",
    f"{TRAINED} --model text.joblib": f"text.joblib {NO_MODEL}",
    f"{TRAINED} --model empty.joblib": f"empty.joblib {NO_MODEL}",
    f"{TRAINED} --model cut.joblib": f"cut.joblib {NO_MODEL}",
    f"{TRAINED} --model .": f". {NO_MODEL}",
    f"{TRAINED} --model dict.joblib": "model must have predict or predict_proba, or be callable; got dict",
    f"{TRAINED} --model stranger.joblib": "LinearRegression.predict raised ValueError: The feature names",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_two(mistakes: Path, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    monkeypatch.chdir(mistakes)
    done = run("explain", *arguments.split(), "--out", "never")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"instashap: {MISTAKES[arguments]}")
    assert done.stdout == ""
    assert not (mistakes / "never").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("explode", "invalid choice: 'explode'"),
        ("explain houses.csv --target price", "the following arguments are required: --out"),
        ("explain houses.csv --target price --out x --order two", "argument --order: invalid int value: 'two'"),
    ],
)
def test_a_wrong_command_is_told_with_the_usage(arguments: str, message: str) -> None:
    done = run(*arguments.split())
    assert done.returncode == 2
    assert done.stderr.startswith("usage: instashap")
    assert message in done.stderr.splitlines()[-1]


# --- Help ------------------------------------------------------------------------------------------------------------------


def find_commands() -> list[str]:
    """Subcommands as the parser's own help lists them."""
    return re.findall(r"^    (\w+)  ", cli._make_parser().format_help(), flags=re.MULTILINE)


def test_without_a_command_the_help_is_printed() -> None:
    done = run()
    assert done.returncode == 0
    assert "explain a model of your data" in done.stdout


def test_the_commands_are_the_known_ones() -> None:
    assert find_commands() == ["demo", "explain", "audit", "report", "serve", "mcp", "merge", "export"]


@pytest.mark.parametrize("command", find_commands())
def test_help_of_every_command_shows_an_example(command: str) -> None:
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: instashap {command} " in done.stdout
    assert f"usage: instashap {command} " in done.stdout


def test_the_example_of_explain_is_a_command_that_parses() -> None:
    done = run("explain", "--help")
    example = re.search(r"example: instashap (.*)", done.stdout)
    assert example is not None
    options = cli._make_parser().parse_args(example[1].split())
    assert (options.data, options.target, options.out) == (Path("house_prices.csv"), "price", Path("explained"))


def test_help_and_version_of_the_whole() -> None:
    done = run_process("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"demo", "explain"} <= set(done.stdout.split())
    version = run("--version")
    assert (version.returncode, version.stdout) == (0, f"instashap {instashap.__version__}\n")


# --- Stopping --------------------------------------------------------------------------------------------------------------


def test_ctrl_c_is_exit_code_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(path: Path, **_: Any) -> pd.DataFrame:
        raise KeyboardInterrupt

    monkeypatch.setattr(preparing, "read_file", interrupt)
    assert cli.main(["explain", "houses.csv", "--target", "price", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err.startswith("instashap: stopped")
    assert not (tmp_path / "out").exists()


def test_the_demo_explains_the_data_scikit_learn_brings(tmp_path: Path) -> None:
    done = run("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == sorted([*FILES, "report.html"])
    assert f"Open {tmp_path / 'demo' / 'report.html'} in a browser" in done.stdout
    assert "89 held-out rows, 10 features, conditional game" in done.stdout  # a fifth of 442, rounded up
    assert "log triglycerides" in list(read_importances(done.stdout))[:3]
    assert pd.read_parquet(tmp_path / "demo" / "explanations.parquet").shape == (89, 10)


# --- An audit ---------------------------------------------------------------------------------------------------------------


def test_an_audit_prints_the_report_and_writes_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.uniform(-1, 1, size=(1200, 3)), columns=["width", "height", "age"])
    table["area"] = table["width"] * table["height"] + 0.1 * table["age"]
    table.to_csv(tmp_path / "areas.csv", index=False)
    done = run("audit", tmp_path / "areas.csv", "--target", "area", "--out", tmp_path / "trust")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Trust: order 1 unsafe, order 2 ")
    assert "Order 1 lacks the pair width × height" in done.stdout
    assert "600 rows" in done.stdout
    assert sorted(path.name for path in (tmp_path / "trust").iterdir()) == ["trust.csv", "trust.html", "trust.json"]
    report = json.loads((tmp_path / "trust" / "trust.json").read_text(encoding="utf-8"))
    assert report["verdicts"]["1"] == "unsafe"
    assert report["black_box"]["R² to labels"][0] > 0.8
    assert "width × height" in (tmp_path / "trust" / "trust.html").read_text(encoding="utf-8")
    missing = run("audit", tmp_path / "areas.csv", "--target", "volume")
    assert missing.returncode == 2
    assert "--target names the unknown column 'volume'" in missing.stderr


def test_a_report_of_an_unknown_kind_is_refused_before_anything_is_trained(houses: Path) -> None:
    done = run("report", houses, "--target", "price", "--out", houses.parent / "report.pdf")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("instashap: a report is written as .html, .md or .json, got path=")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size;town\n1.5;north\n2;south, by the sea\n", {"size": [1.5, 2.0], "town": ["north", "south, by the sea"]}),
        ("size\ttown\n1.5\tnorth\n", {"size": [1.5], "town": ["north"]}),
        ("size;rooms;price\n1;3;100\n2,5;;-1,5e3\n", {"size": [1.0, 2.5], "rooms": [3.0, None], "price": [100.0, -1500.0]}),
        ("P(a|b)\n0.5\n", {"P(a|b)": [0.5]}),
        ('"size; m2",town\n1.5,"north; east"\n', {"size; m2": [1.5], "town": ["north; east"]}),
        ("\ufeffsize;town\n1;north\n", {"size": [1], "town": ["north"]}),
    ],
)
@pytest.mark.parametrize("for_model", [False, True])
def test_a_csv_is_read_by_what_separates_its_names(
    tmp_path: Path, text: str, expected: dict[str, list[Any]], for_model: bool
) -> None:
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    table = preparing.read_file(tmp_path / "rows.csv", for_model=for_model)
    found = instashap.table.recipe.Recipe.learn(table).apply(table).astype(object)
    assert found.where(found.notna(), None).to_dict("list") == expected


# --- A file as people have them: dates as text, empty columns ---------------------------------------------------------------


def test_dates_of_a_csv_are_features_of_their_parts_and_empty_columns_do_no_harm(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = pd.Series(pd.date_range("2023-01-01", "2024-12-31")).sample(400, replace=True, random_state=0).reset_index(drop=True)
    frame = pd.DataFrame({"sold on": days.dt.strftime("%d/%m/%Y"), "size": rng.normal(size=400), "notes": np.nan})
    frame["price"] = 10.0 * (days.dt.month <= 6) + frame["size"]
    frame.loc[3, "sold on"] = None
    frame.to_csv(tmp_path / "sales.csv", index=False)
    done = run("explain", tmp_path / "sales.csv", "--target", "price", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "column 'sold on' is read as dates (%d/%m/%Y), by year, month, weekday" in done.stdout
    importances = read_importances(done.stdout)
    assert set(importances) == {"sold on", "size", "notes"}
    assert importances["sold on"] == pytest.approx(5.0, rel=0.15)  # mean |10 · 1[month ≤ 6] - 5|
    assert importances["notes"] == 0.0
    explainer = instashap.load(tmp_path / "out" / "explainer.insta")
    assert list(explainer.feature_names_in_) == ["sold on (year)", "sold on (month)", "sold on (weekday)", "size", "notes"]
    raw = pd.read_csv(tmp_path / "sales.csv").drop(columns="price").loc[find_held_out(400)]
    explained = pd.read_parquet(tmp_path / "out" / "explanations.parquet")
    np.testing.assert_array_equal(explainer.shap_values(raw), explained)
    day = raw["sold on"].fillna("01/01/2023")  # the same rows with the parts of their dates by the calendar
    when = pd.to_datetime(day, format="%d/%m/%Y")
    part = {"month": when.dt.month, "weekday": when.dt.day_name(), "year": when.dt.year + (when.dt.day_of_year - 1) / 365}
    parts = raw.assign(**{f"sold on ({name})": values for name, values in part.items()}).drop(columns="sold on")
    in_2023 = (when.dt.year == 2023) & raw["sold on"].notna()
    np.testing.assert_allclose(explainer.shap_values(parts[in_2023]), explained[in_2023], atol=1e-3)
    frame["price"] = 10.0 * (days.dt.month <= 6) * frame["size"]
    frame.to_csv(tmp_path / "sales.csv", index=False)
    audited = run("audit", tmp_path / "sales.csv", "--target", "price", "--out", tmp_path / "trust")
    assert "Order 1 lacks the pair sold on (month) × size" in audited.stdout, audited.stdout + audited.stderr
    report = json.loads((tmp_path / "trust" / "trust.json").read_text(encoding="utf-8"))
    assert [each["size"] for each in report["rungs"][1]["masked"]["sizes"]] == [1]  # of two features that vary
