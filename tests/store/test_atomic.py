"""A file is the old one or the new one, with its mode and behind its links, whatever happens while it is written."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import instashap
from instashap.questions.save import save_fitted
from instashap.store import write_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and signals of POSIX systems")


@pytest.fixture(scope="module")
def explainer() -> instashap.Explainer:
    X = np.random.default_rng(0).normal(size=(200, 2))
    return instashap.Explainer(order=1, presence_order=1).fit(X, outputs=X[:, 0])


def test_text_is_utf8_and_bytes_are_bytes(tmp_path: Path) -> None:
    write_file(tmp_path / "a", "naïve\n")
    assert (tmp_path / "a").read_bytes() == b"na\xc3\xafve\n"
    write_file(str(tmp_path / "a"), b"\r\n\0")
    assert (tmp_path / "a").read_bytes() == b"\r\n\0"
    assert os.listdir(tmp_path) == ["a"]


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_file(tmp_path / "a", "x")
        assert os.umask(mask) == mask  # left as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


@posix
def test_the_mask_of_new_files_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(mask: int) -> int:
        raise AssertionError("another thread would create files with this mask")

    monkeypatch.setattr(os, "umask", refuse)
    write_file(tmp_path / "a", "x")


@posix
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    write_file(tmp_path / "a", "new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert (tmp_path / "a").read_text() == "new"


@posix
def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real").write_text("old")
    (tmp_path / "link").symlink_to(Path("far") / "real")
    (tmp_path / "new").symlink_to(Path("far") / "not yet")
    write_file(tmp_path / "link", "new")
    write_file(tmp_path / "new", "first")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "real").read_text() == "new"
    assert (tmp_path / "far" / "not yet").read_text() == "first"
    assert sorted(os.listdir(tmp_path / "far")) == ["not yet", "real"]


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_file(tmp_path / "pipe", "through")
    reader.join(timeout=10)
    assert found == [b"through"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_name_of_the_greatest_length_is_written(tmp_path: Path) -> None:
    write_file(tmp_path / ("n" * 250), "x")
    assert os.listdir(tmp_path) == ["n" * 250]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"the folder {tmp_path / 'none'} does not exist; make it first"):
        write_file(tmp_path / "none" / "a", "x")


@pytest.mark.parametrize("is_unnamed", [True, False])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, is_unnamed: bool
) -> None:
    (tmp_path / "a").write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if not is_unnamed:  # a system without unnamed files
        monkeypatch.setattr("instashap.store.atomic._UNNAMED", None)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_without_unnamed_files_the_same_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instashap.store.atomic._UNNAMED", None)
    write_file(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
    assert os.listdir(tmp_path) == ["a"]


FULL = """
import resource, signal, sys, os
import numpy as np, instashap
from pathlib import Path
from instashap.workflow import Explained, write_results, write_report
from instashap import audit
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
X = np.random.default_rng(0).normal(size=(200, 2))
explainer = instashap.Explainer(order=1, presence_order=1).fit(X, outputs=X[:, 0])
report = explainer.audit()
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
for name, write in {
    "report.html": lambda path: instashap.write_report(explainer, X, path=path),
    "report.md": lambda path: instashap.write_report(explainer, X, path=path),
    "report.json": lambda path: instashap.write_report(explainer, X, path=path),
    "explainer.insta": explainer.save,
    "trust.csv": lambda path: write_report(report, folder),
}.items():
    try:
        write(folder / name)
        print(name, "was written")
    except OSError as error:
        print(name, error.errno)
"""


@posix
def test_a_full_disk_destroys_no_report(tmp_path: Path) -> None:
    names = ["report.html", "report.md", "report.json", "explainer.insta", "trust.csv"]
    for name in names:
        (tmp_path / name).write_text(f"last month's {name}")
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} 27" for name in names]  # EFBIG
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: f"last month's {name}" for name in names}


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="forks")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["model.insta", "report.html", "report.md"])
def test_a_killed_writer_leaves_the_old_file_or_the_new(explainer: instashap.Explainer, tmp_path: Path, name: str) -> None:
    X = np.random.default_rng(1).normal(size=(60, 2))
    path = tmp_path / name

    def write(title: str) -> None:
        if name.endswith(".insta"):
            save_fitted(explainer._check_fitted(), path, output=title)
        else:
            instashap.write_report(explainer, X, path=path, title=title)

    whole = []
    for title in ("one", "two"):
        write(title)
        whole.append(path.read_bytes())
    for attempt in range(6):
        child = os.fork()
        if not child:
            while True:
                write("one")
                write("two")
        time.sleep(0.01 + 0.013 * attempt)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert path.read_bytes() in whole
    assert [each for each in os.listdir(tmp_path) if not each.endswith(".part")] == [name]


def test_the_summary_that_names_all_files_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="parquet files")
    pytest.importorskip("matplotlib", reason="pictures")
    import pandas as pd

    from instashap import workflow

    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80)}).assign(y=lambda each: each["a"])
    explained = workflow.explain_table(data, "y", order=1)
    summary = workflow.write_results(explained, tmp_path)
    changed = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    named = summary.rpartition(": ")[2].strip().split(", ")
    assert changed[-1].name == "summary.md"
    assert {path.name for path in changed} == set(named)
    monkeypatch.setattr(workflow, "_draw", lambda *_: (_ for _ in ()).throw(RuntimeError("no picture")))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RuntimeError, match="no picture"):
        workflow.write_results(explained, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
