"""What a reader sees first, and what the page says of rows that it knows nothing about, in a real browser."""

import json
import re
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import instashap
from instashap.report.nearness import learn_nearness
from instashap.report.summary import summarise


def answer(X: pd.DataFrame) -> np.ndarray:
    """Reads b the other way round than its relation to a suggests."""
    return np.asarray(2.0 * X["a"] - 0.5 * X["b"])


@pytest.fixture(scope="module")
def related() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.normal(size=500)
    return pd.DataFrame({"a": a, "b": a + 0.2 * rng.normal(size=500), "c": rng.normal(size=500)})


@pytest.fixture(scope="module")
def linear(related: pd.DataFrame) -> instashap.Explainer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        return instashap.Explainer(answer, order=1, synthetic_rows=0).fit(related[:400])


@pytest.fixture(scope="module")
def linear_report(linear: instashap.Explainer, related: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("linear") / "linear.html"
    new = related[400:]
    return instashap.write_report(linear, new, answer(new), path=path, marginal=related[:50])


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, Any, Any]:
    X, y = load_iris(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(150)
    X, names = X.iloc[order].reset_index(drop=True), load_iris().target_names[y.to_numpy()[order]]
    model = LogisticRegression(max_iter=1000).fit(X[:100], names[:100])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(model, order=1, presence_order=1, synthetic_rows=0).fit(X[:100])
        path = tmp_path_factory.mktemp("flowers") / "flowers.html"
        instashap.write_report(explainer, X[100:], names[100:], path=path)
    return path, X[100:], model, names[100:]


def test_two_verdicts_and_three_drivers_stand_on_the_first_screen(open_page: Any, flowers: Any) -> None:
    page = open_page(flowers[0], viewport={"width": 1280, "height": 900})
    quality, verdict, drivers = (page.inner_text(each) for each in (".quality", "p.verdict", "#drivers"))
    assert quality.startswith("Better than a guess.")
    assert "of 50 known outcomes" in quality
    assert "on 50 new rows" in verdict
    assert len(drivers.strip().splitlines()) == 3
    assert all(line.endswith(".") and line.count(". ") == 0 for line in drivers.strip().splitlines())
    assert page.evaluate("document.getElementById('drivers').getBoundingClientRect().bottom") < 900
    shares = [float(each) for text in (quality, verdict) for each in re.findall(r"([\d.]+)\s?%", text.replace("\u00a0", " "))]
    assert max(shares) <= 100
    assert not page.is_visible(".ladder")  # folded


def test_the_predicted_class_is_shown_and_its_probability_comes_first(open_page: Any, flowers: Any) -> None:
    path, X, model, names = flowers
    page = open_page(path)
    predicted, own = model.predict(X.iloc[[0]])[0], model.predict_proba(X.iloc[[0]])[0].max()
    assert page.evaluate("document.getElementById('explorer-output').selectedOptions[0].textContent") == predicted
    assert float(page.inner_text("#own-output").replace("\u00a0", " ").removesuffix(" %")) == pytest.approx(100 * own, abs=1.0)
    assert page.inner_text("#outcome-value") == names[0]
    page.press("#feature-0", "ArrowRight")  # nobody knows what would have come of a changed row
    assert not page.is_visible("#outcome")
    page.click("#reset")
    page.select_option("#explorer-output", index=2)
    assert page.evaluate("document.getElementById('output').value") == "2"
    page.select_option("#start", "5")  # a class that was chosen stays
    assert page.evaluate("document.getElementById('explorer-output').value") == "2"


def test_the_theme_follows_the_system_until_it_is_chosen(open_page: Any, flowers: Any) -> None:
    page = open_page(flowers[0], color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.click("#theme")
    light = page.evaluate(background)
    assert sum(map(int, re.findall(r"\d+", dark)[:3])) < 150 < 600 < sum(map(int, re.findall(r"\d+", light)[:3]))
    page.reload()
    assert page.evaluate(background) == light
    assert page.inner_text("#theme") == "Dark"


def test_a_combination_that_no_row_is_near_is_warned_of(open_page: Any, linear_report: Path) -> None:
    page = open_page(linear_report)
    for start in ("0", "40", "99"):
        page.select_option("#start", start)
        assert page.inner_text("#near") == ""
    page.fill("[data-entry='0']", "1.2")
    page.fill("[data-entry='1']", "-1.2")
    assert "No row is near this combination" in page.inner_text("#near")
    assert page.query_selector(".control.far #feature-1") is not None


def test_the_distance_of_the_page_is_the_one_learnt(open_page: Any, linear: Any, related: pd.DataFrame) -> None:
    """Mahalanobis' distance by hand: scores of two columns with correlation near one."""
    summary = summarise(linear, related[400:])
    values = [related[name].to_numpy()[400:] for name in related]
    near = learn_nearness(summary.columns, values)  # type: ignore[arg-type]
    assert near is not None
    assert max(near.measure(list(row)) for row in related[400:].to_numpy()) == pytest.approx(near.limit)
    z = np.array([np.interp(x, near.places[k], near.scores[k]) for k, x in enumerate((1.2, -1.2, 0.0))])
    scores = np.stack([np.interp(values[k], near.places[k], near.scores[k]) for k in range(3)])
    expected = z @ np.linalg.inv(scores @ scores.T / 100 + 0.01 * np.eye(3)) @ z
    assert near.measure([1.2, -1.2, 0.0]) == pytest.approx(expected)
    assert expected > 3 * near.limit


def test_what_the_model_does_stands_beside_and_opposite_signs_are_marked(
    open_page: Any, linear: Any, linear_report: Path, related: pd.DataFrame
) -> None:
    page = open_page(linear_report)
    assert "not what the model does with it" in page.inner_text("#meaning")
    assert page.query_selector("[data-marginal]") is None
    row = related.iloc[[400]]
    page.locator("#marginal").press("Space")  # charts drawn on the way may move it under a pointer
    shown = {cell.query_selector("xpath=..").query_selector("[data-player]").get_attribute("data-player"): cell
             for cell in page.query_selector_all("[data-marginal]")}  # fmt: skip
    exact = -0.5 * (row["b"].item() - related["b"][:50].mean())  # the model is additive
    assert float(shown["1"].get_attribute("data-marginal")) == pytest.approx(exact, abs=1e-6)
    found = linear(row, marginal=related[:50])
    assert found.marginal_values[0, 1] == pytest.approx(exact, abs=1e-6)
    assert found.values[0, 1] * exact < 0
    assert bool(found.opposite_signs[0, 1])
    assert "opposite sign" in shown["1"].inner_text()
    assert "b" in page.inner_text("#importance-note").split("opposite way")[1]
    page.press("#feature-0", "ArrowRight")  # of a changed row nobody asked the model
    assert page.query_selector("[data-marginal]") is None


def test_every_picture_says_what_its_values_mean(open_page: Any, linear_report: Path) -> None:
    page = open_page(linear_report)
    for element in ("#importance-note", "#shapes-note", "#meaning"):
        assert re.search("knowing this column changes|only this feature is known", page.inner_text(element))


def test_pairs_show_how_many_rows_and_how_sure(open_page: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"x": rng.integers(0, 4, 600), "y": rng.integers(0, 3, 600)})
    outputs = X["x"] * X["y"] + 0.5 * rng.normal(size=600)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        made = instashap.Explainer(order=2, presence_order=2, interactions=[(0, 1)], synthetic_rows=0)
        explainer = made.fit(X, outputs=outputs)
        path = instashap.write_report(explainer, X, path=tmp_path / "pairs.html")
    data = json.loads(re.findall(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), flags=re.DOTALL)[0])
    pair = next(term for term in data["terms"] if len(term["columns"]) == 2)
    counts = X.groupby(["x", "y"]).size().to_numpy()
    assert pair["support"] == "".join(map(str, np.ceil(9 * np.log1p(counts) / np.log1p(counts.max())).astype(int)))
    places = pd.DataFrame([(x, y) for x in range(4) for y in range(3)], columns=["x", "y"])
    _, errors = explainer.interaction_values(places, errors=True)
    half = 1.645 * errors[:, explainer.terms_.index((0, 1))]
    shown = np.array(list(map(int, pair["doubts"][0]))) / 9 * pair["widest"][0]
    np.testing.assert_allclose(shown, half, atol=half.max() / 9 + 1e-12)
    page = open_page(path)
    page.evaluate("instashapReport.drawAll()")
    titles = page.eval_on_selector_all("#pairs-cards rect title", "each => each.map((one) => one.textContent)")
    assert any("±" in each for each in titles)


def test_ticks_of_large_numbers_are_whole(open_page: Any, related: pd.DataFrame, tmp_path: Path) -> None:
    """A minus or a digit outside the picture would change the number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(order=2, interactions=[(0, 1)]).fit(related, outputs=250_000 * answer(related))
    page = open_page(instashap.write_report(explainer, related, path=tmp_path / "large.html"))
    page.evaluate("instashapReport.drawAll()")
    ends = "(text) => [text.getBoundingClientRect().left - text.ownerSVGElement.getBoundingClientRect().left, text.textContent]"
    found = [text.evaluate(ends) for text in page.query_selector_all(".card svg text")]
    assert min(left for left, _ in found) >= 0
    assert {"500k", "−500k"} <= {text for _, text in found}
    legend = page.query_selector_all("#pairs-cards svg:first-of-type .tick text")
    spans = sorted(text.evaluate("(t) => [t.getBoundingClientRect().left, t.getBoundingClientRect().right]") for text in legend)
    assert all(first[1] < second[0] for first, second in pairwise(spans))


def test_crowded_columns_are_drawn_on_logarithmic_axes(open_page: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    income = np.exp(2.5 * rng.normal(size=400))
    balance, age = income[::-1] * rng.choice([-1.0, 1.0], 400), rng.uniform(20, 80, 400)
    X = pd.DataFrame({"income": income, "balance": balance, "age": age})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        made = instashap.Explainer(order=1, presence_order=1, synthetic_rows=0)
        explainer = made.fit(X, outputs=np.log(income) + np.sign(balance) + age / 50)
    income_view, balance_view, age_view = summarise(explainer, X).columns
    assert [view.axis for view in (income_view, balance_view, age_view)] == ["log", "symlog", "linear"]
    steps = np.diff(np.log(income_view.places))  # evenly spaced along the axis
    np.testing.assert_allclose(steps, steps[0])
    low, high = np.quantile(income, (0.005, 0.995), method="inverted_cdf")
    assert sum(income_view.counts) == ((income >= low) & (income <= high)).sum()
    page = open_page(instashap.write_report(explainer, X, path=tmp_path / "log.html"))
    page.evaluate("instashapReport.drawAll()")
    find = "each => each.map((one) => [one.textContent, one.getBoundingClientRect().left])"
    place = dict(page.eval_on_selector_all(".card[data-name=balance] svg text", find))
    assert place["100"] - place["1"] > 60 < place["1"] - place["0"]  # a linear axis would have 0 and 1 at one place
    assert place["−1"] - place["−100"] > 60


def test_a_page_without_intervals_says_why_and_its_advice_helps(
    open_page: Any, linear: Any, related: pd.DataFrame, tmp_path: Path
) -> None:
    linear.save(tmp_path / "bare.insta", errors=False)
    linear.save(tmp_path / "whole.insta", errors=True)
    notes = []
    for name in ("bare", "whole"):
        path = instashap.write_report(instashap.load(tmp_path / f"{name}.insta"), related[400:], path=tmp_path / f"{name}.html")
        notes.append(open_page(path).inner_text("#shapes-note"))
    assert "save(path, errors=True)" in notes[0]
    assert "90 % intervals" not in notes[0]
    assert "90 % intervals" in notes[1]
    assert "No intervals" not in notes[1]


def test_intervals_of_a_fit_to_labels_stay_in_its_process(open_page: Any, related: pd.DataFrame, tmp_path: Path) -> None:
    model = instashap.AdditiveRegressor(order=1, loss="poisson").fit(related[["a"]][:200], np.exp(related["a"][:200]))
    bare = open_page(instashap.write_report(model, related[["a"]][:200], path=tmp_path / "bare.html"))
    assert "explain a row with errors=True before the report is written" in bare.inner_text("#shapes-note")
    model.explain(related[["a"]][:1], errors=True)
    whole = open_page(instashap.write_report(model, related[["a"]][:200], path=tmp_path / "whole.html"))
    assert "90 % intervals" in whole.inner_text("#shapes-note")
    with pytest.warns(instashap.InstashapWarning, match="saved without standard errors: .*likelihood"):
        model.save(tmp_path / "model.insta", errors=True)
    loaded = instashap.load(tmp_path / "model.insta")
    page = open_page(instashap.write_report(loaded, related[["a"]][:200], path=tmp_path / "loaded.html"))
    assert "in the process that fitted" in page.inner_text("#shapes-note")
