"""How far off predictions and explanations are, the rows that stand out, and the sentences on what drives predictions."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import precision_score, recall_score

import instashap
from instashap.report.row_outputs import ask_rows, compute_chances
from instashap.report.summary import summarise


def ask(X: pd.DataFrame) -> np.ndarray:
    return np.asarray(100 * X["a"] * X["b"] + 50 * X["hour"] + 20)


@pytest.fixture(scope="module")
def rides() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(500, 2)), columns=["a", "b"]).assign(hour=rng.integers(0, 4, 500))
    X["place"] = rng.choice(["hill", "shore"], 500)
    return X, ask(X) + 30 * rng.normal(size=500)


def explain(model: Any, X: pd.DataFrame) -> instashap.Explainer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        return instashap.Explainer(model, order=1, presence_order=1, synthetic_rows=0).fit(X)


@pytest.fixture(scope="module")
def explainer(rides: Any) -> instashap.Explainer:
    return explain(ask, rides[0][:250])


@pytest.fixture(scope="module")
def report(explainer: Any, rides: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    X, y = rides
    return instashap.write_report(explainer, X[250:], y[250:], tmp_path_factory.mktemp("rides") / "rides.html")


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, Any, np.ndarray, instashap.Explainer]:
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(600, 2)), columns=["income", "debt"])
    y = np.where(2 * X["income"] * X["debt"] + rng.logistic(size=600) > 0, "paid", "lost")
    model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, random_state=0).fit(X[:300], y[:300])
    explainer = explain(model, X[:300])
    path = instashap.write_report(explainer, X[300:], y[300:], tmp_path_factory.mktemp("loans") / "loans.html")
    return path, X[300:], model, y[300:], explainer


def read_options(page: Any) -> list[tuple[int, str]]:
    """Positions in the table and texts of the rows in the list."""
    numbers = page.evaluate("JSON.parse(document.getElementById('data').textContent).rowNumbers")
    options = page.query_selector_all("#start option")
    return [(numbers[int(each.get_attribute("value"))], each.inner_text()) for each in options]


def test_drivers_are_means_of_predictions_and_outcomes(open_page: Any, report: Path, rides: Any) -> None:
    X, y = rides[0][250:], rides[1][250:]
    page = open_page(report)
    (line,) = [each for each in page.inner_text("#drivers").splitlines() if each.startswith("hour")]
    given = [float(each) for each in re.findall(r"(?:prediction|but|in fact) (−?[\d.]+)", line.replace("−", "-"))]
    means = [(ask(X)[X["hour"] == hour].mean(), y[X["hour"] == hour].mean()) for hour in (3, 0)]
    np.testing.assert_allclose(given, np.ravel(means), rtol=5e-3)
    assert "where it is 3" in line
    assert "where it is 0" in line


def test_groups_of_a_column_of_many_numbers_are_tenths_of_the_rows(explainer: Any, rides: Any) -> None:
    X, y = rides[0][250:], rides[1][250:]
    found = {explainer.feature_names_[each.player]: each for each in summarise(explainer, X, y).drivers[0]}
    name = next(each for each in found if each in ("a", "b"))
    means = pd.Series(ask(X)).groupby(pd.qcut(X[name], 10).to_numpy()).mean()
    assert found[name].high.mean == pytest.approx(means.max())
    assert found[name].low.mean == pytest.approx(means.min())
    assert found[name].high.n_rows == 25
    assert found[name].low.name[0] in X[name].to_numpy()


def test_values_that_few_rows_share_are_grouped_to_ranges() -> None:
    """Of 24 hours in 96 rows none has ten rows: thirds of the day stand for them."""
    X = pd.DataFrame({"hour": np.tile(np.arange(24.0), 15), "b": np.random.default_rng(0).normal(size=360)})

    def follow(X: pd.DataFrame) -> np.ndarray:
        return np.asarray(-((X["hour"] - 12) ** 2) + X["b"])

    found = summarise(explain(follow, X), X[:96], None).drivers[0]
    (hours,) = [each for each in found if each.high.name != each.low.name and each.player == 0]
    assert (hours.high.name, hours.high.n_rows) == ([8.0, 15.0], 32)
    assert hours.high.mean == pytest.approx(follow(X[:96])[X[:96]["hour"].between(8, 15)].mean())


def test_groups_of_few_rows_are_fewer_and_the_share_of_all_is_a_hundred_per_cent(open_page: Any, tmp_path: Path) -> None:
    X = pd.DataFrame({"a": np.linspace(-3, 3, 75)})
    y = np.where(X["a"] > -1.1, "yes", "no")
    model = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5, random_state=0).fit(X, y)
    page = open_page(instashap.write_report(explain(model, X), X, y, tmp_path / "few.html"))
    line = page.inner_text("#drivers").replace("\u00a0", " ")
    assert "where it is 1.05" in line  # the upper third of 75 rows: 25 steps of 6 / 74 below 3
    assert "in fact 100 %" in line
    assert "in fact 4 %" in line  # one of 25 rows: 24 steps of 6 / 74 above -3 is -1.05


def test_probabilities_of_drivers_are_the_models_own(open_page: Any, loans: Any) -> None:
    path, X, model, y, _ = loans
    page = open_page(path)
    line = page.inner_text("#drivers").splitlines()[0].replace("\u00a0", " ")
    name = line.split(" ")[0]
    tenths = pd.qcut(X[name], 10).to_numpy()
    chances = pd.Series(model.predict_proba(X)[:, 1]).groupby(tenths).mean()
    real = pd.Series(y == "paid").groupby(tenths).mean()
    expected = [chances.max(), real[chances.idxmax()], chances.min(), real[chances.idxmin()]]
    np.testing.assert_allclose([float(each) / 100 for each in re.findall(r"([\d.]+) %", line)[1:]], expected, atol=0.006)
    assert "average probability of “paid”" in line


def test_the_first_screen_says_how_many_rows_of_the_class_are_found(open_page: Any, loans: Any) -> None:
    path, X, model, y, _ = loans
    page = open_page(path)
    found = recall_score(y, model.predict(X), pos_label="paid"), precision_score(y, model.predict(X), pos_label="paid")
    said = page.inner_text(".quality").replace("\u00a0", " ")
    sentence = "It finds {:.0f} % of the rows that are “paid”, and of those that it calls so {:.0f} % are."
    assert sentence.format(*(100 * each for each in found)) in said
    counts = page.evaluate("JSON.parse(document.getElementById('data').textContent).results.hits")
    both = int(((model.predict(X) == "paid") & (y == "paid")).sum())
    assert counts == [{"real": int((y == "paid").sum()), "named": int((model.predict(X) == "paid").sum()), "both": both}]
    chart = page.inner_text("#misses-cards").replace("\u00a0", " ")
    assert f"gives it more than 50 % in {both} of {(y == 'paid').sum()}" in chart


def test_rows_that_stand_out_are_in_the_list_and_come_first(open_page: Any, report: Path, explainer: Any, rides: Any) -> None:
    X, y = rides[0][250:], rides[1][250:]
    page = open_page(report)
    outputs, misses = ask(X), np.abs(y - ask(X))
    remainders = explainer(X, outputs=True).remainder
    for order, sizes in {"high": outputs, "low": -outputs, "remainder": np.abs(remainders), "miss": misses}.items():
        page.select_option("#order", order)
        listed = read_options(page)
        assert [number for number, _ in listed[:5]] == np.argsort(-sizes)[:5].tolist()
        assert page.evaluate("instashapReport.getRow()")[0] == X["a"].iloc[listed[0][0]]
        shown = float(re.findall(r"· (−?[\d.]+)", listed[0][1])[0].replace("−", "-"))
        assert abs(shown) == pytest.approx(abs(sizes[listed[0][0]]), rel=5e-3)
    page.select_option("#order", "table")
    assert [number for number, _ in read_options(page)] == sorted(number for number, _ in read_options(page))
    assert page.query_selector("#order option[value=differs]") is None


def test_rows_of_another_class_can_be_listed_alone(open_page: Any, loans: Any) -> None:
    path, X, _, _, explainer = loans
    page = open_page(path)
    page.select_option("#order", "differs")
    differ = explainer(X, outputs=True).classes_differ
    listed = [number for number, _ in read_options(page)]
    assert 0 < len(listed) <= differ.sum()
    assert differ[listed].all()
    assert "differs" in page.inner_text("#own-words")


def test_points_are_the_rows_and_open_them(open_page: Any, report: Path, rides: Any) -> None:
    X, y = rides[0][250:], rides[1][250:]
    page = open_page(report)
    page.evaluate("instashapReport.drawAll()")
    cards = page.query_selector_all("#misses-cards .card")
    assert [len(card.query_selector_all("circle")) for card in cards] == [250, 250]
    off = re.findall(r"less than ([\d.]+) off", cards[0].inner_text())[0]
    assert float(off) == pytest.approx(np.median(np.abs(y - ask(X))), rel=5e-3)
    dot = cards[1].query_selector_all("circle[data-row]")[3]
    place = int(dot.get_attribute("data-row"))
    dot.dispatch_event("click")
    numbers = page.evaluate("JSON.parse(document.getElementById('data').textContent).rowNumbers")
    assert page.evaluate("instashapReport.getRow()")[0] == X["a"].iloc[numbers[place]]


def test_remainders_are_drawn_against_a_feature(open_page: Any, report: Path, explainer: Any, rides: Any) -> None:
    X, y = rides[0][250:], rides[1][250:]
    page = open_page(report)
    remainders = explainer(X, outputs=True).remainder
    numbers = page.evaluate("JSON.parse(document.getElementById('data').textContent).rowNumbers")
    for what, expected in (("remainder", remainders), ("miss", y - ask(X))):
        for name, column in (("a", 0), ("place", 3)):
            page.select_option("#misses-what", what)
            page.select_option("#misses-column", str(column))
            page.evaluate("instashapReport.drawAll()")
            titles = page.eval_on_selector_all("#misses-feature circle title", "each => each.map((one) => one.textContent)")
            given = [float(each.split(", ")[-1].replace("−", "-")) for each in titles]
            np.testing.assert_allclose(given, expected[numbers], rtol=6e-3)
            assert all(f"{name}: " in each for each in titles)


def test_known_classes_are_drawn_against_probabilities(open_page: Any, loans: Any) -> None:
    path, X, model, y, _ = loans
    page = open_page(path)
    text = page.inner_text("#misses-cards .card:first-child p").replace("\u00a0", " ")
    chances = model.predict_proba(X)[:, 1]
    given = [float(each) / 100 for each in re.findall(r"([\d.]+) % for rows", text)]
    np.testing.assert_allclose(given, [chances[y == "paid"].mean(), chances[y == "lost"].mean()], atol=0.006)


def test_without_model_and_labels_nothing_is_said_of_misses(open_page: Any, explainer: Any, rides: Any, tmp_path: Path) -> None:
    explainer.save(tmp_path / "rides.insta")
    loaded = instashap.load(tmp_path / "rides.insta")
    page = open_page(instashap.write_report(loaded, rides[0][250:], path=tmp_path / "bare.html"))
    assert not page.is_visible("#misses")
    assert not page.is_visible("nav a[href='#misses']")
    assert "made without the model" in page.inner_text("#drivers-note")
    assert [each.get_attribute("value") for each in page.query_selector_all("#order option")] == ["table", "high", "low"]


def test_the_model_is_asked_for_the_page_without_a_word(explainer: Any, rides: Any, capsys: pytest.CaptureFixture[str]) -> None:
    explainer.verbose = 1
    try:
        ask_rows(explainer, rides[0], np.arange(20), rides[1])
    finally:
        explainer.verbose = 0
    assert capsys.readouterr() == ("", "")


def test_counts_are_compared_with_means_and_not_with_their_logarithms() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300)})
    y = rng.poisson(np.exp(1 + X["a"].to_numpy()))
    model = instashap.AdditiveRegressor(order=1, loss="poisson").fit(X, y)
    found = ask_rows(model.to_explainer(), X, np.arange(5, 25), y)
    np.testing.assert_allclose(found.responses[:, 0], model.predict(X[5:25]), rtol=1e-12)
    assert found.truths is not None
    np.testing.assert_array_equal(found.truths[:, 0], y[5:25])
    assert found.misses is not None
    assert found.misses[3] == abs(y[8] - found.responses[3, 0])


def test_probabilities_of_several_classes_sum_to_one() -> None:
    scale = "log-probability of each class minus the mean over classes"
    chances = compute_chances(scale, np.log([[1.0, 2.0, 5.0]]))
    assert chances is not None
    np.testing.assert_allclose(chances, [[0.125, 0.25, 0.625]])
    assert compute_chances("output of predict", np.ones((2, 1))) is None
    assert compute_chances("probability of class 'a'", np.full((1, 1), 0.3)) == 0.3
