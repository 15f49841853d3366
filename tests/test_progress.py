"""Progress as a person sees it: a bar in a terminal, lines elsewhere."""

import io
import sys

import pytest

from instashap import _progress as module
from instashap._progress import show_progress, show_rows


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def test_elsewhere_than_in_a_terminal_there_is_one_line_a_stage_with_the_time_left(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with show_progress(1, "audit") as progress:
        progress(0.0, "columns")
        clock[0] += 30
        progress(0.2, "main effects")
        for share in (0.3, 0.4):
            clock[0] += 10
            progress(share, "pairs")
        clock[0] += 100
        progress(1.0, "done")
    assert sys.stderr.getvalue().splitlines() == [
        "audit: columns, 0% (0 s)",
        "audit: main effects, 20% (30 s, about 2 min 0 s left)",
        "audit: pairs, 30% (40 s, about 93 s left)",
        "audit: done, 100% (2 min 30 s)",
    ]


def test_a_long_stage_gets_a_line_every_half_minute(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with show_progress(1) as progress:
        for step in range(10):
            progress(step / 10, "asking the model")
            clock[0] += 10
    assert len(sys.stderr.getvalue().splitlines()) == 3  # after 0, 40 and 80 seconds


def test_in_a_terminal_there_is_a_bar_whose_clock_runs_on(monkeypatch, clock):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(module, "_TICK", 0.01)
    with show_progress(1) as progress:
        progress(0.25, "main effects")
        clock[0] += 60
        for _ in range(500):
            if "about 3 min 0 s left" in sys.stderr.getvalue():
                break
            module.threading.Event().wait(0.01)
        drawn = sys.stderr.getvalue()
    assert "fit: main effects:  25%|" in drawn
    assert "60 s, about 3 min 0 s left" in drawn
    assert "\n" not in drawn


def test_nothing_is_shown_unless_asked_for(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with show_progress(0) as progress:
        assert progress is None
    assert sys.stderr.getvalue() == ""


def test_rows_per_second_count_only_those_of_this_run(monkeypatch, clock, capsys):
    with show_rows(1, "explain", 1000, 400) as progress:
        progress(400)
        clock[0] += 3
        progress(700)
        clock[0] += 40
        progress(900)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["explain: rows, 40% (0 s)", "explain: rows, 90% (43 s, 12 rows/s, about 9 s left)"]
    with show_rows(1, "explain", None) as nothing:
        assert nothing is None
