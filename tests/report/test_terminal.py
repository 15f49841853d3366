"""One explanation in a terminal."""

import io
import warnings
from typing import Any

import numpy as np
import pandas as pd
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
    numbers = [float(row.split()[-2].replace("−", "-")) for row in rows]
    assert numbers[0] == pytest.approx(one.base_values[0], abs=0.005)
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.025)  # as shown, each rounded to the same decimals
    assert rows[1].split()[1] == strongest.split()[0]
    assert "3 weaker features" in rows[3]
    assert numbers[-1] == pytest.approx(one.predictions[0], abs=0.005)
    assert any(line.strip().startswith("these values reproduce ") for line in lines)


def test_a_row_that_is_not_there_is_refused(explainer: instashap.Explainer, table: Any) -> None:
    with pytest.raises(IndexError, match="there is no row 3: the explanation has rows 0 to 2"):
        render(explainer(table.iloc[:3]), row=3)


@pytest.mark.parametrize("name", ["[/root]", "[bold]high", "[link=x]y[/link]", "a\x1b[31mred", "(0.5, 1.0]"])
def test_text_of_the_data_is_shown_as_text_and_not_obeyed(name: str) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.choice([name, "other"], 200), "b": rng.normal(size=200)})
    X.index = pd.Index([f"{name} {number}" for number in range(200)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(order=1).fit(X, outputs=pd.DataFrame({name: 1.0 * (X[name] == name), "2": X["b"]}))
    drawn = "\n".join(render(explainer(X), row=int((X[name] == name).argmax())))
    shown = name.replace("\x1b", "\\x1b")
    assert drawn.count(shown) >= 4  # output, row, feature, value
    assert "\x1b" not in drawn


def test_a_row_is_called_by_its_label_and_its_number(explainer: instashap.Explainer, table: Any) -> None:
    title = " ".join(render(explainer(table.iloc[5:9]), row=2)[:2])
    assert "row 7 (number 2 of the rows explained, from 0)" in " ".join(title.split())
    assert "row 2" in render(explainer(table.iloc[:4]), row=2)[0]


def test_long_names_and_values_are_shortened_where_they_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    names = [f"the number of arrests of the person in the years before, {what}" for what in ("no charge", "charge")]
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=names)
    drawn = "\n".join(render(instashap.Explainer(order=1).fit(X, outputs=X[names[0]])(X)))
    assert "no charge" in drawn
    assert len([line for line in drawn.splitlines() if "…" in line and "charge" in line]) == 2


def test_a_long_value_is_cut_to_what_it_has_unlike_the_other_levels() -> None:
    from instashap.plots.waterfall import name_values

    kinds = [f"transaction {what} by the issuing bank for insufficient funds" for what in ("declined", "accepted")]
    X = pd.DataFrame({"kind": kinds * 50, "x": np.arange(100.0)})
    explanation = instashap.Explainer(order=1).fit(X, outputs=3.0 * (X["kind"] == kinds[0]))(X[:2])
    for row, word in enumerate(("declined", "accepted")):
        assert any(word in line for line in render(explanation, row=row))
        assert word in name_values(explanation[row], [0])[0]
