"""The page on exports runs as it stands, the command line writes the same files, and the scorer of reports is right."""

import re
from pathlib import Path

import pytest

import instashap
from instashap.cli import main
from instashap.export import to_sql

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    known = {}
    exec(compile(code, "export.md", "exec"), known)
    answers = known["connection"].execute(known["text"].query).fetchall()
    expected = known["explainer"].predict([[0.5, -1.0], [float("nan"), 0.25]])
    assert [answer[-1] for answer in sorted(answers)] == pytest.approx(list(expected))


def test_the_command_line_writes_what_the_functions_write(explainer, tmp_path, capsys):
    explainer.save(tmp_path / "model.insta")
    saved = str(tmp_path / "model.insta")
    for ending in (".onnx", ".py", ".js", ".json"):
        assert main(["export", saved, str(tmp_path / f"model{ending}")]) == 0
        instashap.load(saved).export(tmp_path / f"own{ending}")
        assert (tmp_path / f"model{ending}").read_bytes() == (tmp_path / f"own{ending}").read_bytes()
    options = ["--dialect", "sqlite", "--rows", "measured", "--keep", "id"]
    assert main(["export", saved, str(tmp_path / "model.sql"), *options]) == 0
    expected = to_sql(explainer, dialect="sqlite", rows="measured", keep=["id"])
    assert (tmp_path / "model.sql").read_text(encoding="utf-8") == str(expected)
    assert main(["export", saved, str(tmp_path / "model.onnx"), "--keep", "id"]) == 2
    assert "--keep is an option of SQL, and model.onnx does not end in .sql" in capsys.readouterr().err
    assert main(["export", saved, str(tmp_path / "model.pmml")]) == 2
    assert "the ending of path='.pmml' is not known; use one of '.js', '.json', '.onnx'" in capsys.readouterr().err
