"""Reason codes on scorecards of known points, and what they must never name."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import Explainer, FitWarning

POINTS = {"income": 40.0, "debt": 25.0, "age": 15.0, "kind": 5.0}


def make_rows(n_rows, seed):
    rng = np.random.default_rng(seed)
    income = rng.normal(size=n_rows)
    return pd.DataFrame(
        {
            "income": income,
            "postcode": income + 0.01 * rng.normal(size=n_rows),  # almost a copy of a column that is read
            "debt": rng.normal(size=n_rows),
            "age": rng.normal(size=n_rows),
            "kind": rng.choice(["a", "b"], n_rows),
        }
    )


def earn(X):
    """Points of each column of a scorecard, shape (n_rows, n_columns)."""
    is_good = [X["income"] > 0, X["debt"] < 0, X["age"] > 0, X["kind"] == "b"]
    return pd.DataFrame({name: points * good for (name, points), good in zip(POINTS.items(), is_good, strict=True)})


def card(X):
    return 500 + earn(X).sum(axis=1).to_numpy()


ROWS = make_rows(120, 0)
APPROVED = ROWS[card(ROWS) > 560]


@pytest.fixture(scope="module")
def explainer():
    return Explainer(card, order=1, synthetic_rows=0).fit(ROWS)


@pytest.fixture(scope="module")
def report(explainer):
    return explainer.reasons(ROWS[:30], reference=APPROVED)


def test_points_are_those_lost_on_the_card_in_exact_order(report):
    lost = earn(APPROVED).mean(axis=0) - earn(ROWS[:30])
    for row in range(30):
        own = [code for code in report.codes if code.row == row]
        expected = lost.loc[row][lost.loc[row] > 1e-9].sort_values(ascending=False)
        assert [code.feature for code in own] == list(expected.index)
        assert [code.points for code in own] == pytest.approx(list(expected), abs=1e-9)
        assert all(code.standard_error == 0.0 for code in own)


def test_a_column_that_the_model_does_not_read_has_no_code(explainer, report):
    assert report.read == ("income", "debt", "age", "kind")
    assert "postcode" not in set(report.table["feature"]) | set(report.withheld["feature"])
    # The conditional game credits it: it stands for income.
    assert np.abs(explainer.shap_values(ROWS)[:, 1]).mean() > 1.0


def test_the_best_values_cost_exactly_the_points_of_the_card(explainer):
    report = explainer.reasons(ROWS[:10], reference="best")
    assert report.reference_output == card(ROWS).max()
    assert {code.feature: code.points for code in report.codes} == pytest.approx(POINTS)
    assert all(code.how_often == 1.0 and code.is_given for code in report.codes)


def test_one_row_is_a_baseline(explainer):
    good, bad = (ROWS[card(ROWS) == each(card(ROWS))][:1] for each in (np.max, np.min))
    report = explainer.reasons(bad, reference=good, n=2)
    assert [(code.feature, code.points) for code in report.codes] == [("income", 40.0), ("debt", 25.0)]
    assert explainer.reasons(bad, reference=good.iloc[0], n=2).codes == report.codes
    rows = np.random.default_rng(0).normal(size=(60, 2))
    numbers = Explainer(lambda X: X[:, 0] - 2 * X[:, 1], order=1, synthetic_rows=0).fit(rows)
    codes = numbers.reasons(np.array([[-1.0, 1.0]]), reference=[1.0, 0.0]).codes
    assert [(code.feature, code.points) for code in codes] == [("x0", 2.0), ("x1", 2.0)]
    assert "no feature costs it anything" in explainer.reasons(good, reference=bad).to_text()
    flipped = explainer.reasons(good, reference=bad, better="low")
    assert [code.feature for code in flipped.codes] == ["income", "debt", "age", "kind"]


def test_codes_whose_rank_hangs_on_the_reference_are_withheld():
    rows = pd.DataFrame({"x": [0.0] * 50, "z": [0.0] * 50})  # each different row occurs 20 times on average: none is held out
    reference = pd.DataFrame({"x": [1.0, 0.0] * 5, "z": [0.0, 1.0] * 5})  # either costs half a point
    made = Explainer(lambda X: X["x"] + X["z"], order=1, synthetic_rows=0).fit(pd.concat([rows, reference]))
    report = made.reasons(rows[:1], reference=reference)
    first, second = report.codes
    assert first.points == second.points == 0.5
    assert first.how_often < 0.8
    assert not first.is_given
    assert report.withheld["feature"].tolist()[0] == first.feature
    assert second.how_often > 0.9  # "this rank or a better one"


def test_equal_reasons_share_a_rank_and_the_order_of_the_columns_picks_none():
    rows = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (40, 3)), columns=["x", "z", "u"])
    refused = pd.DataFrame({"x": [0], "z": [0], "u": [0]})

    def score(X):
        return 10 * X["x"] + 10 * X["z"] + 30 * X["u"]

    best = pd.DataFrame({"x": [1.0], "z": [1.0], "u": [1.0]})
    for columns in (["x", "z", "u"], ["z", "x", "u"]):
        made = Explainer(score, order=1, synthetic_rows=0).fit(rows[columns])
        report = made.reasons(refused[columns], reference=best[columns], n=3)
        assert [(code.rank, code.feature) for code in report.codes[:1]] == [(1, "u")]
        assert {(code.feature, code.rank, code.how_often) for code in report.codes[1:]} == {("x", 2, 1.0), ("z", 2, 1.0)}
        # Two places for three reasons, of which two are equal: either of them has the last place half of the time.
        fewer = made.reasons(refused[columns], reference=best[columns], n=2)
        assert fewer.table["feature"].tolist() == ["u"]
        assert fewer.withheld["how_often"].tolist() == [0.5]


def test_no_row_gets_the_reasons_of_another_with_the_same_label(explainer):
    poor, old = (ROWS.loc[[int(np.argmax(earn(ROWS)[lost].eq(0) & earn(ROWS)[kept].gt(0)))]] for lost, kept in
                 (("income", "debt"), ("debt", "income")))
    both = pd.concat([poor, old]).set_axis([7, 7])
    best = ROWS[card(ROWS) == card(ROWS).max()][:1]
    report = explainer.reasons(both, reference=best, texts={"income": "income", "debt": "debt"}, n=1)
    assert [report.texts(0), report.texts(1)] == [["income"], ["debt"]]
    assert report.table["row"].tolist() == [0, 1]
    first, second = report.to_text().splitlines()[1:]
    assert first.startswith("Row 0: ")
    assert first.endswith(". income.")
    assert second.endswith(". debt.")


def test_categories_that_are_numbers_and_booleans_are_neither_high_nor_low():
    rows = pd.DataFrame({"job": [2, 3, 4] * 20, "owns": [True, False] * 30})
    made = Explainer(lambda X: 5.0 * (X["job"] == 4) + X["owns"], order=1, categorical=["job"], synthetic_rows=0).fit(rows)
    given = {"reference": pd.DataFrame({"job": [4], "owns": [True]})}
    row = pd.DataFrame({"job": [2], "owns": [False]})
    assert made.reasons(row, **given).texts(0) == ["job is 2 (the reference has 4)", "owns is False (the reference has True)"]
    for name in row:
        with pytest.raises(ValueError, match="which are neither: give it one text"):
            made.reasons(row, texts={name: {"low": "too low"}}, **given)


def test_related_columns_make_one_reason_and_texts_are_the_users(explainer):
    texts = {"money": "income and debt", "age": {"low": "too young", "high": "too old"}}
    groups = {"money": ["income", "debt"]}
    report = explainer.reasons(ROWS[:30], reference=APPROVED, groups=groups, texts=texts)
    found = report.table.set_index("feature")["text"]
    assert set(found["money"]) == {"income and debt"}
    assert set(found["age"]) == {"too young"}
    assert any("(the reference has" in text for text in found["kind"])
    row = report.table["row"].iloc[0]
    assert report.texts(row)[0] in report.to_text()
    with pytest.raises(KeyError, match="no row 'x'"):
        report.texts("x")


def test_texts_are_found_by_labels_that_are_numbers():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=[1, 0])
    made = Explainer(lambda X: X[1].to_numpy(), order=1, synthetic_rows=0).fit(X)
    report = made.reasons(X[:5] - 9.0, reference=X, texts={1: "first", "0": "second"})
    assert set(report.table["text"]) == {"first"}
    with pytest.raises(ValueError, match="texts names column 2, and no column has this label"):
        made.reasons(X[:5], reference=X, texts={2: "third"})


def test_interactions_of_three_are_refined_to_the_stated_error():
    def product(X):
        return X[:, 0] * X[:, 1] * X[:, 2]

    X = np.random.default_rng(0).normal(size=(40, 3))
    made = Explainer(lambda X: X.sum(axis=1), order=1, synthetic_rows=0).fit(X)
    given = {"reference": np.zeros((1, 3)), "better": "low", "model": product}
    report = made.reasons(np.ones((1, 3)), error=0.1, **given)
    # All three columns are alike: a third of the product each.
    assert [code.points for code in report.codes] == pytest.approx([1 / 3] * 3, abs=0.15)
    assert 0.0 < report.largest_error <= 0.1 * 0.5  # outputs 1 and 0 have a standard deviation of a half
    with pytest.warns(FitWarning, match="strong interactions"):
        made.reasons(np.ones((1, 3)), error=1e-4, **given)


def test_loaded_explainers_need_the_model(explainer, tmp_path):
    explainer.save(tmp_path / "card.insta")
    loaded = instashap.load(tmp_path / "card.insta")
    with pytest.raises(ValueError, match="pass model="):
        loaded.reasons(ROWS[:2], reference=APPROVED)
    with pytest.raises(ValueError, match="looks for the best values among the rows of the fit"):
        loaded.reasons(ROWS[:1], reference="best", model=card)  # among the row itself, nothing is better
    again = loaded.reasons(ROWS[:2], reference=APPROVED, model=card)
    assert again.codes == explainer.reasons(ROWS[:2], reference=APPROVED).codes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": None}, "reasons need a reference"),
        ({"reference": "worst"}, "reference='worst' is not known"),
        ({"reference": APPROVED, "better": "more"}, "better='more' is not known"),
        ({"reference": APPROVED, "texts": {"wage": "low"}}, "texts names the unknown column 'wage'"),
        ({"reference": APPROVED, "texts": {"age": {"up": "x"}}}, "texts for 'high' and 'low'"),
        ({"reference": APPROVED, "n": 0}, "n=0 is too few"),
        ({"reference": APPROVED, "stable": 2.0}, "share of resamples"),
        ({"reference": APPROVED[["age"]]}, "lacks the columns"),
    ],
)
def test_what_gives_no_reasons_is_refused(explainer, options, message):
    with pytest.raises(ValueError, match=message):
        explainer.reasons(ROWS[:2], **options)
