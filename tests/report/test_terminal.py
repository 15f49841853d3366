"""One explanation in a terminal."""

import io
from typing import Any

import pytest

import instashap

rich_console: Any = pytest.importorskip("rich.console", reason="terminal views need rich, which is not installed")


def render(explanation: instashap.Explanation, **options: Any) -> list[str]:
    from instashap.report.terminal import render_terminal

    console = rich_console.Console(file=io.StringIO(), width=100, color_system=None)
    console.print(render_terminal(explanation, **options))
    return [line for line in console.file.getvalue().splitlines() if line.strip()]


def test_the_largest_part_comes_first_and_all_parts_add_up(explainer: instashap.Explainer, table: Any) -> None:
    explanation = explainer(table.iloc[:3])
    lines = render(explanation, row=1, n_features=2)
    one = explanation[..., 0][1]
    strongest = one.feature_names[abs(one.values[0]).argmax()]
    rows = [line for line in lines if line.startswith("│")]
    assert rows[0].split()[-2] == f"{one.base_values[0]:.5g}"
    assert rows[1].split()[1] == strongest.split()[0]
    assert "3 weaker features" in rows[3]
    assert rows[-1].split()[-2] == f"{one.predictions[0]:.5g}"
    assert any(line.strip().startswith("trust ") for line in lines)


def test_a_row_that_is_not_there_is_refused(explainer: instashap.Explainer, table: Any) -> None:
    with pytest.raises(IndexError, match="there is no row 3: the explanation has rows 0 to 2"):
        render(explainer(table.iloc[:3]), row=3)
