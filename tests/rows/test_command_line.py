"""``instashap explain --stream``: rows of files explained by a saved explainer."""

import re

import numpy as np
import pandas as pd
import pytest

import instashap
import instashap.questions.explain_to
from instashap import Explainer, cli

from .conftest import write_parts


@pytest.fixture
def folder(table, tmp_path):
    """A saved explainer, and the rows in three files."""
    features = table[["size", "rooms"]]
    Explainer(order=1).fit(features, outputs=table["price"]).save(tmp_path / "explainer.insta")
    write_parts(table, tmp_path / "rows", 3)
    return tmp_path


def run(folder, *more):
    asked = ["explain", str(folder / "rows" / "*.parquet"), "--stream", "--explainer", str(folder / "explainer.insta")]
    return cli.main([*asked, "--out", str(folder / "values.parquet"), *more])


def test_every_row_is_explained_with_progress(table, folder, capsys):
    assert run(folder, "--keep", "town", "price") == 0
    shown = capsys.readouterr()
    assert shown.out == f"Written to {folder / 'values.parquet'}\n"
    assert re.search(r"^explain: rows, 100% \(\d+ s, [\d,]+ rows/s\)$", shown.err, flags=re.MULTILINE)
    found = pd.read_parquet(folder / "values.parquet")
    expected = instashap.load(folder / "explainer.insta").shap_values(table[["size", "rooms"]])
    assert np.array_equal(found[["shap_size", "shap_rooms"]], expected)
    assert found["town"].tolist() == table["town"].tolist()


def test_an_interrupted_run_says_that_it_goes_on(folder, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(instashap.questions.explain_to, "_make_part", stop)
    assert run(folder) == 130
    assert "the finished parts are kept; the same command continues from them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rows.parquet", "--stream", "--out", "o"], "--stream needs --explainer FILE"),
        (["rows.parquet", "--stream", "--explainer", "e", "--target", "y", "--out", "o"], "cannot use --target"),
        (["rows.parquet", "--out", "o"], "--target is needed"),
        (["rows.parquet", "--target", "y", "--keep", "a", "--out", "o"], "can be used only with --stream"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, message, capsys):
    assert cli.main(["explain", *arguments]) == 2
    assert message in capsys.readouterr().err
