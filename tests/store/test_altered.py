"""Some dozens of files altered by a seed, as the benchmark ``altered`` does with thousands."""

import sys
from pathlib import Path

import pytest
from benchmarks.entries import altered


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_no_altered_file_crashes_or_silently_changes_an_index(tmp_path: Path) -> None:
    outcomes = altered.attack(tmp_path, 60, seed=3)
    wrong = [
        (what, outcome)
        for what, outcome in outcomes
        if outcome not in ("refused", "same numbers") and not (outcome == "other numbers" and "index" not in what)
    ]
    assert len(outcomes) == 60
    assert wrong == []
    assert sum(outcome == "refused" for _, outcome in outcomes) > 40
