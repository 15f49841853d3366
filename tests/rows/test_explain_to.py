"""Explanations written part by part: the bits of the explainer, once each, whatever happens in between."""

import json
import os
import subprocess
import sys
import time
import warnings
from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

import instashap.questions.explain_to
from instashap import DataWarning, Explainer, FitWarning

from .conftest import KINDS, make_table, predict, write_parts


@pytest.fixture
def short_parts(monkeypatch):
    """Parts of 100 rows."""
    monkeypatch.setattr(instashap.questions.explain_to, "_PART_NUMBERS", 100)
    monkeypatch.setattr(instashap.questions.explain_to, "_FEWEST_ROWS", 100)


@pytest.fixture
def features(table):
    return table.drop(columns="price")


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return Explainer(predict, interactions=[("rooms", "kind")]).fit(make_table().drop(columns="price"))


@pytest.fixture
def explainer(fitted):
    """A fitted explainer of the test's own."""
    return copy(fitted)


@pytest.fixture
def explained(monkeypatch):
    """Numbers of rows explained, in order."""
    sizes = []
    make = instashap.questions.explain_to._make_part

    def count(task, frame, *rest):
        sizes.append(len(frame))
        return make(task, frame, *rest)

    monkeypatch.setattr(instashap.questions.explain_to, "_make_part", count)
    return sizes


def check(explainer, features, path):
    found = pd.read_parquet(path)
    values = found[[f"shap_{name}" for name in explainer.feature_names_]].to_numpy()
    assert np.array_equal(values, explainer(features).values)
    assert np.array_equal(found["prediction"], explainer.predict(features))
    assert (found["base_value"] == explainer.expected_value).all()
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(path.name)] == [path.name]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_values_have_the_bits_of_the_explainer(explainer, table, features, make_source, short_parts, tmp_path, kind):
    explainer.explain_to(tmp_path / "values.parquet", make_source(table, kind), keep=["town", "price"])
    found = check(explainer, features, tmp_path / "values.parquet")
    assert found["town"].tolist() == table["town"].tolist()
    assert np.array_equal(found["price"], table["price"])


@pytest.mark.parametrize("make", [lambda X: X, lambda X: X.to_numpy(), lambda X: X.to_numpy(np.float32)])
def test_tables_in_memory_are_explained_too(short_parts, tmp_path, make):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(350, 3)), columns=["a", "b", "c"])
    explainer = Explainer(order=1).fit(make(X), outputs=X["a"] ** 2)
    explainer.explain_to(tmp_path / "values.parquet", make(X))
    check(explainer, make(X), tmp_path / "values.parquet")


def test_several_outputs_have_a_column_each(features, short_parts, tmp_path):
    outputs = pd.DataFrame({"low": predict(features), "high": 3 * predict(features)})
    explainer = Explainer(order=1).fit(features, outputs=outputs)
    explainer.explain_to(tmp_path / "values.parquet", features)
    found, values = pd.read_parquet(tmp_path / "values.parquet"), explainer.shap_values(features)
    assert len(found.columns) == 2 * (1 + 5 + 1)
    for place, name in enumerate(("low", "high")):
        assert np.array_equal(found[f"shap_rooms · {name}"], values[:, 1, place])
        assert np.array_equal(found[f"prediction · {name}"], explainer.predict(features)[:, place])
        assert (found[f"base_value · {name}"] == explainer.expected_value[place]).all()


def test_kept_columns_keep_their_types(explainer, features, short_parts, tmp_path):
    """Integers with gaps in one part only, and beyond 2**53 in another, stay integers."""
    table = pyarrow.table({name: pyarrow.Array.from_pandas(features[name]) for name in features})
    numbers = pyarrow.array([None, *range(598), 7], type=pyarrow.int64())
    table = table.append_column("row", pyarrow.array(np.arange(600) + 2**53)).append_column("gap", numbers)
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    explainer.explain_to(tmp_path / "values.parquet", tmp_path / "rows.parquet", keep=["row", "gap", "kind"])
    found = pyarrow.parquet.read_table(tmp_path / "values.parquet")
    assert found["row"].equals(table["row"])
    assert found["gap"].equals(table["gap"])
    assert found["kind"].to_pylist() == features["kind"].tolist()


def test_kept_categories_are_written_as_their_values(explainer, features, short_parts, tmp_path):
    explainer.explain_to(tmp_path / "values.parquet", features, keep="kind")
    found = pyarrow.parquet.read_table(tmp_path / "values.parquet")["kind"]
    assert found.to_pylist() == features["kind"].tolist()
    assert "string" in str(found.type)


def stop_after(monkeypatch, n_parts):
    """The third part, for example, is interrupted while it is written."""
    put = instashap.questions.explain_to.PartFolder.put

    def stop(parts, number, content, entry):
        if number == n_parts:
            raise KeyboardInterrupt
        put(parts, number, content, entry)

    monkeypatch.setattr(instashap.questions.explain_to.PartFolder, "put", stop)
    return lambda: monkeypatch.setattr(instashap.questions.explain_to.PartFolder, "put", put)


@pytest.mark.parametrize("kind", ["folder", "dataset", "lazy frame", "relation", "function of frames"])
@pytest.mark.parametrize("n_parts", [0, 2, 5])
def test_what_was_interrupted_goes_on_where_it_stopped(
    explainer, features, make_source, short_parts, tmp_path, monkeypatch, explained, kind, n_parts
):
    path = tmp_path / "values.parquet"
    go_on = stop_after(monkeypatch, n_parts)
    with pytest.raises(KeyboardInterrupt):
        explainer.explain_to(path, make_source(features, kind))
    assert not path.exists()
    go_on()
    explained.clear()
    explainer.explain_to(path, make_source(features, kind))
    assert explained == [100] * (6 - n_parts)
    check(explainer, features, path)


def test_an_interruption_while_parts_are_joined_loses_none(explainer, features, short_parts, tmp_path, monkeypatch, explained):
    path = tmp_path / "values.parquet"
    path.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(instashap.questions.explain_to, "_read_parts", lambda *_: iter([None]))
        with pytest.raises(AttributeError):
            explainer.explain_to(path, write_parts(features, tmp_path / "rows", 3))
    assert path.read_text() == "old"
    explained.clear()
    explainer.explain_to(path, tmp_path / "rows")
    assert explained == []
    check(explainer, features, path)


@pytest.mark.parametrize("change", ["explainer", "rows of a file", "rows of a function", "keep"])
def test_parts_of_something_else_are_explained_again(explainer, table, short_parts, tmp_path, monkeypatch, explained, change):
    features, path = table.drop(columns="price"), tmp_path / "values.parquet"
    write_parts(features, tmp_path / "rows", 3)
    source = (lambda: [features]) if change == "rows of a function" else tmp_path / "rows"
    go_on = stop_after(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        explainer.explain_to(path, source)
    go_on()
    explained.clear()
    keep = ["town"] if change == "keep" else []
    if change == "explainer":
        model = explainer._fitted.model
        changed = replace(model, tables=tuple(1.5 * each for each in model.tables))
        explainer._fitted = replace(explainer._fitted, model=changed)
    if change.startswith("rows"):
        features = features.assign(rooms=np.where(features.index == 150, 4 - features["rooms"], features["rooms"]))
        source = lambda: [features]  # noqa: E731
    if change == "rows of a file":
        source = tmp_path / "rows"
        features[:200].to_parquet(source / "000.parquet")
    explainer.explain_to(path, source, keep=keep)
    assert len(explained) == (3 if change == "rows of a function" else 6)  # of which one changed and two were missing
    check(explainer, features, path)


def test_a_folder_with_other_things_is_not_touched(explainer, features, tmp_path):
    (tmp_path / "values.parquet.parts").mkdir()
    (tmp_path / "values.parquet.parts" / "diary.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"values.parquet.parts, which holds something else: move it away"):
        explainer.explain_to(tmp_path / "values.parquet", features)
    assert (tmp_path / "values.parquet.parts" / "diary.txt").read_text() == "mine"


def test_columns_that_are_missing_or_would_clash_are_named(explainer, features, tmp_path):
    path = tmp_path / "values.parquet"
    with pytest.raises(ValueError, match=r"lacks columns of the fit: \['rooms'\]"):
        explainer.explain_to(path, features.drop(columns="rooms"))
    with pytest.raises(ValueError, match=r"columns \['prediction'\] are named like what is written"):
        explainer.explain_to(path, features.assign(prediction=1.0), keep=["prediction"])
    with pytest.raises(ValueError, match="keep names the unknown column 'city'"):
        explainer.explain_to(path, features, keep=["city"])
    with pytest.raises(ValueError, match="0 sample"):
        explainer.explain_to(path, features[:0])
    with pytest.raises(IsADirectoryError, match=r"is a folder; name a file in it, such as .*values\.parquet"):
        explainer.explain_to(tmp_path, features)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere; make it first"):
        explainer.explain_to(tmp_path / "nowhere" / "values.parquet", features)
    with pytest.raises(ValueError, match=r"values\.csv would hold a Parquet file, whatever .* name it values\.parquet"):
        explainer.explain_to(tmp_path / "values.csv", features)
    assert list(tmp_path.iterdir()) == []


def test_two_columns_of_one_name_are_refused(features, tmp_path):
    rows = features[["size", "rooms"]].rename(columns={"size": "a", "rooms": "a · x"})
    outputs = pd.DataFrame({"y": predict(features), "x · y": features["rooms"]})
    explainer = Explainer(order=1).fit(rows, outputs=outputs)
    with pytest.raises(ValueError, match="two features or outputs would be written as 'shap_a · x · y'"):
        explainer.explain_to(tmp_path / "values.parquet", rows)


def test_a_file_among_the_rows_it_explains_is_refused(explainer, features, tmp_path):
    folder = write_parts(features, tmp_path / "rows", 3)
    one = folder / "001.parquet"
    for source, name in [(folder, "new.parquet"), (folder / "*.parquet", "new.parquet"), (one, "001.parquet")]:
        with pytest.raises(ValueError, match="lies among the files it explains"):
            explainer.explain_to(folder / name, source)
    assert len(list(folder.iterdir())) == 3
    (folder / "old.parquet.parts").mkdir()
    features.to_parquet(folder / "old.parquet.parts" / "part-000000.parquet")
    explainer.explain_to(tmp_path / "values.parquet", folder)
    check(explainer, features, tmp_path / "values.parquet")


def test_levels_that_are_new_in_one_part_are_known_in_another(explainer, features, short_parts, tmp_path):
    """As for the whole table: a column is refused if every one of its values is new, in all parts."""
    rows = features.astype({"kind": str, "town": str}).assign(town=features["town"].astype(str))
    rows.loc[:99, "town"] = ["east", "west"] * 50
    with pytest.warns(DataWarning, match="100 of 600 rows hold values outside"):
        explainer.explain_to(tmp_path / "values.parquet", rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        check(explainer, rows, tmp_path / "values.parquet")
    with pytest.raises(ValueError, match="column 'town' holds no value that the fit saw"):
        explainer.explain_to(tmp_path / "other.parquet", rows.assign(town=["east", "west"] * 300))
    assert not (tmp_path / "other.parquet").exists()


def test_many_rows_outside_those_of_the_fit_are_warned_of_once(explainer, features, short_parts, tmp_path):
    rows = features.assign(size=np.where(features.index < 120, 90.0, features["size"]))
    message = "120 of 600 rows hold values outside those of the fit, most often in 'size'"
    with pytest.warns(DataWarning, match=message) as caught:
        explainer.explain_to(tmp_path / "values.parquet", rows)
    assert len(caught) == 1


def test_a_killed_process_leaves_parts_and_no_target(explainer, features, tmp_path):
    explainer.save(tmp_path / "explainer.insta")
    write_parts(features, tmp_path / "rows", 3)
    code = (
        "import instashap, time\n"
        "import instashap.questions.explain_to as room\n"
        "room._PART_NUMBERS = room._FEWEST_ROWS = 100\n"
        "make = room._make_part\n"
        "def slow(*args):\n    time.sleep(0.2)\n    return make(*args)\n"
        "room._make_part = slow\n"
        f"instashap.load({str(tmp_path / 'explainer.insta')!r}).explain_to({str(tmp_path / 'values.parquet')!r}, "
        f"{str(tmp_path / 'rows')!r})\n"
    )
    manifest = tmp_path / "values.parquet.parts" / "manifest.json"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ})
    try:
        while process.poll() is None and not (manifest.exists() and json.loads(manifest.read_text())["parts"]):
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert not (tmp_path / "values.parquet").exists()
    assert 1 <= len(json.loads(manifest.read_text())["parts"]) <= 6
