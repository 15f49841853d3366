"""The page in a real browser: its numbers equal those of Python, and it is accessible."""

import csv
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.report import page as page_module
from instashap.report.summary import keep_terms, summarise

LONG = "=long name of a column that no phone can show on a single line"


def read_row(page: Any, table: pd.DataFrame) -> pd.DataFrame:
    """The row the page shows, as Python would be given it."""
    row = pd.DataFrame([page.evaluate("instashapReport.getRow()")], columns=table.columns, dtype=object)
    numbers = {name: float for name in table.columns if table[name].dtype.kind in "fi"}
    return row.astype(numbers)


def check_numbers(page: Any, explainer: instashap.Explainer, table: pd.DataFrame, output: int = 0) -> float:
    """Compare the numbers in the page's elements with Python; returns the prediction."""
    with warnings.catch_warnings():  # rows of the page may lie outside the data; the page says so, too
        warnings.simplefilter("ignore", instashap.DataWarning)
        explanation = explainer(read_row(page, table))
    assert all(name in page.inner_text("#place") for name in explanation.outside[0])
    assert bool(explanation.describe_place(0)) == bool(page.inner_text("#place"))
    values = explanation.values[0][:, output]
    shown = {int(cell.get_attribute("data-player")): float(cell.get_attribute("data-value"))
             for cell in page.query_selector_all("#waterfall [data-player]")}  # fmt: skip
    assert sorted(shown) == list(range(len(values)))
    np.testing.assert_allclose([shown[player] for player in sorted(shown)], values, rtol=0, atol=1e-9)
    prediction = float(page.get_attribute("#prediction", "data-value"))
    assert prediction == pytest.approx(explanation.predictions[0, output], abs=1e-9)
    trust = [float(page.get_attribute("#trust-text", f"data-{name}")) for name in ("value", "low", "high")]
    assert explanation.output_share is not None
    np.testing.assert_allclose(trust, [explanation.output_share[0], *explanation.output_share_interval[0]], rtol=0, atol=1e-9)
    return prediction


def test_numbers_are_pythons_after_every_kind_of_change(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    page = open_page()
    seen = [check_numbers(page, explainer, table)]
    number = {name: place for place, name in enumerate(table.columns)}
    smooth, spiked, town, is_new = (f"#feature-{number[name]}" for name in ("smooth", "spiked", "town", "is_new"))
    before = page.evaluate("instashapReport.getRow()")[number["smooth"]]
    changes = [
        ("spiked", 3.0, lambda: page.fill(spiked, "3")),
        (LONG, 0.123456789012345, lambda: page.fill(f"[data-entry='{number[LONG]}']", "0.123456789012345")),
        ("spiked", -1e6, lambda: page.fill(f"[data-entry='{number['spiked']}']", "-1e6")),
        ("town", "north", lambda: page.select_option(town, label="north")),
        ("town", "a rare place", lambda: page.select_option(town, value="other")),
        ("town", None, lambda: page.select_option(town, value="missing")),
        ("is_new", True, lambda: page.select_option(is_new, label="true")),
        ("is_new", False, lambda: page.select_option(is_new, label="false")),
        ("smooth", None, lambda: page.check(f"[data-missing='{number['smooth']}']")),
        ("rooms", 6.0, lambda: page.fill(f"#feature-{number['rooms']}", "6")),
    ]
    page.press(smooth, "ArrowRight")
    assert page.evaluate("instashapReport.getRow()")[number["smooth"]] > before
    for name, value, change in changes:  # "other" is the row's own rare place
        change()
        given = page.evaluate("instashapReport.getRow()")[number[name]]
        assert (given, isinstance(given, bool)) == (value, isinstance(value, bool))
        seen.append(check_numbers(page, explainer, table))
    assert len(set(seen)) > 8  # a change to what is there already changes nothing


def test_another_output_is_shown_when_chosen(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    page = open_page()
    page.select_option("#output", label="days <to> sell")
    check_numbers(page, explainer, table, output=1)
    importance = np.abs(explainer.shap_values(table)).mean(axis=0)[:, 1]
    shown = [float(cell.get_attribute("data-value")) for cell in page.query_selector_all("#importance-bars [data-value]")]
    np.testing.assert_allclose(shown, np.sort(importance)[::-1], rtol=0, atol=1e-12)


def test_a_link_leads_to_the_same_row(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    page = open_page()
    page.select_option("#start", "20")
    page.fill("#feature-1", "3")
    page.select_option("#output", "1")
    page.wait_for_selector("#permalink[href*='output=1']", state="attached")  # it follows when the hand rests
    link = page.get_attribute("#permalink", "href")
    other = open_page(link=link)
    assert other.evaluate("instashapReport.getRow()") == page.evaluate("instashapReport.getRow()")
    check_numbers(other, explainer, table, output=1)
    number = list(np.linspace(0, len(table) - 1, 100).astype(int))[20]
    assert link.startswith(f"#row={number}&")
    plain = open_page(link=f"#row={number}")
    expected = [None if value != value or value is None else value for value in table.iloc[number]]
    assert plain.evaluate("instashapReport.getRow()") == expected


_COUNT = """
(n) => {
  const slider = document.querySelector("#controls input[type=range]");
  const made = [];
  const watcher = new MutationObserver(() => undefined);
  watcher.observe(document.body, { childList: true, subtree: true });
  for (let step = 0; step < n; step++) {
    slider.value = Number(slider.min) + (step / n) * (slider.max - slider.min);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const added = watcher.takeRecords().flatMap((record) => [...record.addedNodes]);
    made.push(added.filter((node) => node.nodeType === Node.ELEMENT_NODE).length);
  }
  return made;
}
"""


def test_a_step_of_a_slider_makes_no_elements(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    """Elements of the row before are filled anew: making them took most of a step's time."""
    page = open_page()
    before = page.inner_text("#waterfall")
    assert sum(page.evaluate(_COUNT, 20)) == 0
    assert page.inner_text("#waterfall") != before
    check_numbers(page, explainer, table)


@pytest.mark.parametrize("link", ["#row=9999", "#row=x&values=[1]", "#row=0&values=%7B", '#row=0&values=["a",{},1,1,1,1]'])
def test_a_damaged_link_shows_a_whole_row(open_page: Any, explainer: Any, table: pd.DataFrame, link: str) -> None:
    check_numbers(open_page(link=link), explainer, table)


def test_a_phone_needs_no_sideways_scrolling(open_page: Any) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page.evaluate("instashapReport.drawAll()")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.slow
def test_sixty_columns_fit_a_few_screens_of_a_phone(open_page: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 60)), columns=[f"measure {k}" for k in range(60)])
    outputs = X["measure 0"] * X["measure 1"] + X.to_numpy() @ np.linspace(1, 0, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        offered = [("measure 0", "measure 1"), ("measure 2", "measure 3"), ("measure 4", "measure 5")]
        explainer = instashap.Explainer(presence_order=2, interactions=offered).fit(X, outputs=outputs)
        explainer.model = lambda rows: rows["measure 0"] * rows["measure 1"] + rows.to_numpy() @ np.linspace(1, 0, 60)
        path = instashap.write_report(explainer, X, outputs + rng.normal(size=300), tmp_path / "wide.html")
    page = open_page(path, viewport={"width": 380, "height": 740}, is_mobile=True, has_touch=True)
    page.evaluate("instashapReport.drawAll()")
    assert page.evaluate("document.documentElement.scrollHeight") <= 6000
    page.click("#shapes-more")
    assert len(page.query_selector_all("#shapes-cards .card")) == 60


def test_every_chart_is_drawn_before_printing(open_page: Any) -> None:
    page = open_page()
    n_cards = len(page.query_selector_all(".card"))
    assert len(page.query_selector_all(".card svg")) < n_cards
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert len(page.query_selector_all(".card .chart > *")) == n_cards
    page.emulate_media(media="print")
    assert not page.is_visible("#controls")
    assert page.is_visible("#waterfall")
    assert page.pdf()[:5] == b"%PDF-"


def test_search_leaves_what_was_searched(open_page: Any) -> None:
    page = open_page()
    page.fill("#shapes-search", "ROOM")
    names = [title.inner_text() for title in page.query_selector_all("#shapes-cards .card:not([hidden]) h3")]
    assert names == ["rooms"]
    assert page.inner_text("#shapes-found") == "1 of 6 features found"


def save(page: Any, button: str) -> list[list[str]]:
    with page.expect_download() as download:
        page.click(button)
    return list(csv.reader(Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()))


def test_saved_tables_hold_what_is_shown(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    page = open_page()
    rows = save(page, "#explorer-csv")
    explanation = explainer(table.iloc[[0]])
    given = {name: float(number) for name, _, number in rows[1:]}
    assert given["(prediction)"] == pytest.approx(explanation.predictions[0, 0], abs=1e-9)
    assert given["house"] == pytest.approx(explanation[:, "house", "price"].values[0, 0], abs=1e-9)
    assert f"'{LONG}" in given  # a spreadsheet must not take a name for a formula
    page.locator("#shapes-given").press("Space")  # charts drawn on the way may move it under a pointer
    page.fill("#shapes-search", "rooms")
    shapes = save(page, "#shapes-csv")
    assert {row[0] for row in shapes[1:]} == {"rooms"}
    effects = explainer._fitted.model.shapes[explainer.terms_.index((2,))]
    assert max(float(row[2]) for row in shapes[1:]) == pytest.approx(effects[1:, 0].max(), abs=1e-9)


def test_cards_show_what_a_feature_predicts_by_itself(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    page = open_page()
    rows = save(page, "#shapes-csv")[1:]
    alone = explainer.mobius_values(table, ["town"])[:, 0]
    by_level = {str(level): value for level, value in zip(table["town"], alone, strict=True)}
    shown = {value: float(effect) for name, value, effect, _ in rows if name == "town"}
    for level in ("north", "south", "east </script>"):
        assert shown[level] == pytest.approx(by_level[level], abs=1e-9)
    assert shown["(missing)"] == pytest.approx(alone[table["town"].isna()][0], abs=1e-9)
    places = [(float(value), float(effect)) for name, value, effect, _ in rows if name == "smooth"]
    some = table.head(len(places)).assign(smooth=[place for place, _ in places])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.DataWarning)
        expected = explainer.mobius_values(some, ["smooth"])[:, 0]
    np.testing.assert_allclose([effect for _, effect in places], expected, atol=1e-9)
    given = [effect for name, _, effect, _ in rows if name == "rooms"]  # a member of a group has no value by itself
    page.locator("#shapes-given").press("Space")  # charts drawn on the way may move it under a pointer
    assert [effect for name, _, effect, _ in save(page, "#shapes-csv")[1:] if name == "rooms"] == given


def test_a_pair_is_blank_where_no_row_is(open_page: Any, table: pd.DataFrame) -> None:
    page = open_page()
    cells = {(row[2], row[3]) for row in save(page, "#pairs-csv")[1:] if row[:2] == ["smooth", "rooms"]}
    low, high = np.quantile(table["smooth"].dropna(), (0.005, 0.995), method="inverted_cdf")
    place = np.floor((table["smooth"] - low) / ((high - low) / 24)).where(table["smooth"].between(low, high)).clip(upper=23)
    with_rows = {(cell, rooms) for cell, rooms in zip(place, table["rooms"], strict=True) if cell == cell}
    assert 20 < len(cells) == len(with_rows) < 24 * 6


def test_the_models_own_output_and_the_remainder_are_shown(open_page: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])

    def ask(rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(rows["a"] * rows["b"] + rows["c"] + 5)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(ask, order=1).fit(X)
        page = open_page(instashap.write_report(explainer, X, path=tmp_path / "own.html"))
    own = float(page.get_attribute("#own-output", "data-value"))
    assert own == pytest.approx(ask(X).item(0), abs=1e-12)
    numbers = [float(cell.get_attribute("data-value")) for cell in page.query_selector_all("#waterfall [data-value]")]
    assert sum(numbers[:-1]) == pytest.approx(own, abs=1e-9)  # base value, three features and the remainder
    assert len(numbers) == 6
    assert page.inner_text("#waterfall tbody tr:last-child th") == "The model’s own output"
    page.press("#feature-0", "ArrowRight")  # of the changed row nobody asked the model
    assert not page.is_visible("#own")
    assert page.inner_text("#waterfall tbody tr:last-child th") == "Prediction"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_barrier(open_page: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="accessibility is tested with axe-playwright-python")
    page = open_page(color_scheme=scheme)
    page.evaluate("instashapReport.drawAll()")
    page.add_script_tag(content=(Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    serious = [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_row_can_be_changed_by_keyboard_alone(open_page: Any, explainer: Any, table: pd.DataFrame) -> None:
    page = open_page()
    page.focus("#start")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "range":
            break
    before = page.evaluate("instashapReport.getRow()")
    page.keyboard.press("Home")
    assert page.evaluate("instashapReport.getRow()") != before
    check_numbers(page, explainer, table)


def test_terms_that_a_page_cannot_hold_are_left_out_and_counted(
    open_page: Any, explainer: Any, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = explainer._fitted
    singles = [number for number, values in enumerate(fitted.model.value_sets) if len(values) == 1]
    monkeypatch.setattr(page_module, "MAX_TABLE_BYTES", sum(fitted.model.tables[number].nbytes for number in singles))
    page = open_page(instashap.write_report(explainer, table, path=tmp_path / "small.html"))
    rest = keep_terms(fitted, singles)
    expected = rest.predict(rest.read(table.iloc[[0]]))[0, 0]
    assert float(page.get_attribute("#prediction", "data-value")) == pytest.approx(expected, abs=1e-9)
    sizes = np.abs(explainer.interaction_values(table)).mean(axis=0).sum(axis=1)
    lost = 1 - sizes[singles].sum() / sizes.sum()
    told = page.inner_text("#left-out")
    assert told.startswith(f"{len(sizes) - len(singles)} weak")
    assert float(re.findall(r"([\d.]+) %", told)[0]) == pytest.approx(100 * lost, abs=0.5)


def test_text_of_the_data_stays_text(report: Path) -> None:
    source = report.read_text(encoding="utf-8")
    assert "<title>Houses &amp; &lt;homes&gt;</title>" in source
    assert "east </script>" not in source
    data = json.loads(re.findall(r'id="data">(.*?)</script>', source, flags=re.DOTALL)[0])
    assert "east </script>" in data["columns"][3]["levels"]


def test_rows_are_called_what_the_tables_index_calls_them(
    open_page: Any, explainer: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    own = table.set_axis([f"house {number}" for number in range(5, len(table) + 5)])
    page = open_page(instashap.write_report(explainer, own, path=tmp_path / "own.html"))
    page.wait_for_selector("#story:not(:empty)", state="attached")  # what is said, and the link, follow a change
    assert page.inner_text("#story").startswith("Row house 5: ")
    assert page.query_selector_all("#start option")[-1].inner_text() == f"row house {len(table) + 4}"
    page.select_option("#start", "1")
    other = open_page()
    other.wait_for_selector("#story:not(:empty)", state="attached")
    page.wait_for_selector("#permalink[href='#row=4']", state="attached")  # links count rows
    assert other.inner_text("#story").startswith("Row 0 of the table: ")


def test_a_page_without_rows_still_scores(open_page: Any, explainer: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "bare.html"
    path.write_text(page_module.render_page(summarise(explainer)), encoding="utf-8")
    page = open_page(path)
    assert not page.is_visible("#importance")
    assert not page.is_visible("nav a[href='#importance']")
    assert page.is_visible("nav a[href='#pairs']")
    page.press("#feature-0", "End")
    check_numbers(page, explainer, table)


def test_the_page_works_under_the_policy_it_is_served_with(browser: Any, report: Any) -> None:
    from instashap.server import app

    text = report.read_text(encoding="utf-8")
    policy = app._make_policy(text)
    context = browser.new_context()
    complaints: list[str] = []
    try:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        headers = {"Content-Security-Policy": policy}
        page.route("http://localhost/", lambda route: route.fulfill(body=text, content_type="text/html", headers=headers))
        foreign = text.replace("</main>", "</main><script>window.foreign = 1</script>", 1)
        page.route("http://localhost/x", lambda route: route.fulfill(body=foreign, content_type="text/html", headers=headers))
        page.goto("http://localhost/")
        before = float(page.get_attribute("#prediction", "data-value"))
        page.locator("#explorer input[type=range]").first.fill("0")
        assert np.isfinite(before)
        assert complaints == []
        page.goto("http://localhost/x")
        assert page.evaluate("window.foreign") is None
        assert any("Content Security Policy" in each for each in complaints)
    finally:
        context.close()
