"""What changed a mean: planted shifts, exact sums, errors, and what must not be called a change."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import instashap
from instashap import ModelOutputError, explain_change

RNG = np.random.default_rng(0)
A = RNG.normal(size=(300, 3))
B = RNG.normal((1.0, 0.0, 0.0), size=(400, 3))


def model(X):
    return 2 * X[:, 0] + X[:, 1]


def other(X):
    return model(X) + 0.5 + 0.4 * X[:, 1]


@pytest.fixture(scope="module")
def shifted():
    return explain_change(model, A, B, order=1)


@pytest.fixture(scope="module")
def two_models():
    bands = np.where(A[:, 1] > 0, "high", "low")
    return explain_change(model, A, model_b=other, order=1, segments=bands, labels=("old", "new"))


def test_a_planted_shift_is_the_slope_times_the_difference_of_means(shifted):
    lines = shifted.table.set_index("feature")["contribution"]
    assert lines["x0"] == pytest.approx(2 * (B[:, 0].mean() - A[:, 0].mean()), abs=0.03)
    assert shifted.moved == ("x0",)


def test_lines_sum_to_the_change_of_the_mean_output(shifted):
    change = model(B).mean() - model(A).mean()
    assert shifted.change == pytest.approx(change, abs=1e-12)
    assert shifted.table["contribution"].sum() == pytest.approx(change, abs=1e-12)


def test_the_error_of_a_linear_shift_is_that_of_two_means(shifted):
    expected = 2 * np.sqrt(A[:, 0].var() / len(A) + B[:, 0].var() / len(B))
    line = shifted.table.set_index("feature").loc["x0"]
    assert line["standard_error"] == pytest.approx(expected, rel=0.5)  # 19 degrees of freedom: a sixth is one sd
    assert line["low"] < 2.0 < line["high"]


def test_noise_is_never_named_as_an_explanation(shifted):
    text = shifted.to_text()
    assert "x0 explains" in text
    assert "x1 explains" not in text
    assert "x2 explains" not in text
    assert "within noise" in text


def test_nothing_is_reported_where_nothing_changed():
    reports = [
        explain_change(lambda X: X[:, 0], *np.random.default_rng(seed).normal(size=(2, 60, 2)), order=1) for seed in range(5)
    ]
    n_false = sum(bool(report.moved) or not report.total.is_noise for report in reports)
    assert n_false <= 1  # more than 1 of 5 has a chance of 2 % at 5 %; the benchmark entry counts over 200
    quiet = next(report for report in reports if report.total.is_noise and not report.moved)
    assert "does not change beyond noise" in quiet.sentences[0]


def test_the_order_of_rows_and_copies_of_the_table_do_not_matter(shifted):
    turned = explain_change(model, A[::-1].copy(), B[::-1].copy(), order=1)
    np.testing.assert_allclose(turned.table["contribution"], shifted.table["contribution"], atol=1e-9)
    np.testing.assert_allclose(turned.table["standard_error"], shifted.table["standard_error"], rtol=1e-6, atol=1e-9)


def test_swapped_cohorts_change_the_signs_alone(shifted):
    swapped = explain_change(model, B, A, order=1)
    np.testing.assert_allclose(swapped.table["contribution"], -shifted.table["contribution"], atol=1e-9)
    np.testing.assert_allclose(swapped.table["standard_error"], shifted.table["standard_error"], rtol=1e-6, atol=1e-9)


def test_a_row_of_a_whole_weight_is_so_many_rows():
    rng = np.random.default_rng(3)
    counts, counts_b = rng.integers(0, 4, len(A)), rng.integers(1, 3, len(B))
    given = {"sample_weight": counts, "sample_weight_b": counts_b}
    weighted = explain_change(model, A, B, order=1, **given).table
    repeated = explain_change(model, np.repeat(A, counts, axis=0), np.repeat(B, counts_b, axis=0), order=1).table
    np.testing.assert_allclose(weighted["contribution"], repeated["contribution"], atol=1e-9)
    np.testing.assert_allclose(weighted["standard_error"], repeated["standard_error"], rtol=1e-6, atol=1e-9)
    # Of nine equal rows each, the error of a mean is a third; weights that are no counts leave it.
    line = explain_change(model, A, B, order=1, sample_weight=np.full(300, 9), sample_weight_b=np.full(400, 9)).total
    expected = np.sqrt(model(A).var() / 2700 + model(B).var() / 3600)
    assert line.standard_error == pytest.approx(expected, rel=0.5)
    halves = explain_change(model, A, B, order=1, sample_weight=np.full(300, 0.5), sample_weight_b=np.full(400, 0.5)).total
    assert halves.standard_error == pytest.approx(3 * expected, rel=0.5)


def test_what_is_below_the_accuracy_of_the_fit_is_no_change():
    # Given the one column that is read, the others explain exactly nothing; penalties leave them about 1e-6.
    rng = np.random.default_rng(1)
    X, X_b = (rng.normal(size=(each, 4)) @ (np.eye(4) + 0.4) + [shift, 0, 0, 0] for each, shift in ((500, 0.0), (400, 0.5)))
    report = explain_change(lambda X: X[:, 0], X, X_b, given="x0")
    assert report.moved == ("x0",)
    assert np.abs(report.table["contribution"][1:]).max() < 1e-4
    assert report.table["p_value"][1:].tolist() == [1.0] * 4


def test_cohorts_have_equal_standing_whatever_their_numbers_of_rows():
    X = np.repeat([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]], 40, axis=0)
    small = X[::2].copy()
    report = explain_change(lambda X: X[:, 0], X, small, order=1)
    assert report.change == pytest.approx(0.0, abs=1e-12)
    assert report.moved == ()


def test_with_two_models_the_parts_are_those_of_the_raw_outputs():
    report = explain_change(model, A, B, model_b=other, order=1)
    data, moved = report.totals
    assert data.value == pytest.approx(model(B).mean() - model(A).mean(), abs=1e-12)
    assert moved.value == pytest.approx((other(B) - model(B)).mean(), abs=1e-12)
    assert report.table["contribution"].sum() == pytest.approx(other(B).mean() - model(A).mean(), abs=1e-12)
    assert "from the data" in report.to_text()
    # Holm's rule: of all lines, the change and both totals, the smallest p-value is multiplied by their number.
    lines = [report.total, *report.totals, *report.lines]
    own = np.array([line.own_p_value for line in lines])
    order = np.argsort(own, kind="stable")
    adjusted = np.minimum(np.maximum.accumulate(own[order] * np.arange(len(own), 0, -1)), 1.0)
    assert [lines[place].p_value for place in order] == pytest.approx(adjusted.tolist())


def test_the_difference_of_two_models_is_explained_row_by_row(two_models):
    np.testing.assert_allclose(two_models.rows.values[:, 1], 0.4 * (A[:, 1] - A[:, 1].mean()), atol=0.02)
    assert two_models.rows.base_values[0] == pytest.approx(0.5 + 0.4 * A[:, 1].mean(), abs=1e-9)
    assert two_models.moved == ("x1",)
    assert any(sentence.endswith("The other 2 are within noise.") for sentence in two_models.sentences)
    few = explain_change(lambda X: X[:, 0], A[:, :2], model_b=lambda X: 2 * X[:, 0], order=1)
    assert few.sentences[1].endswith("The other one is within noise.")
    assert two_models.spread_table.iloc[0]["feature"] == "x1"


def test_segments_have_the_mean_difference_of_their_rows(two_models):
    is_high = A[:, 1] > 0
    high, low = two_models.segments
    assert (high.name, low.name) == ("segment = high", "segment = low")
    assert high.total.value == pytest.approx((other(A) - model(A))[is_high].mean(), abs=1e-12)
    assert sum(line.value for line in low.lines) == pytest.approx(low.total.value, abs=1e-12)
    assert set(two_models.segment_table["segment"]) == {"segment = high", "segment = low"}
    assert any("segment = high (" in sentence for sentence in two_models.sentences)


def test_the_sentence_on_a_segment_names_what_sets_it_apart_from_all_rows():
    # Nearly all of a segment's difference is alike for every row, so x1 is not most of it.
    report = explain_change(model, A, model_b=lambda X: model(X) + 5.0 + 0.4 * X[:, 1], segments=np.where(A[:, 1] > 0, 1, 0))
    apart = report.segments[1].total.value - report.change
    said = next(sentence for sentence in report.sentences if "segment = 1" in sentence)
    assert f"what sets it apart most is x1 (+{apart:.2f}"[:-1] in said
    assert "most of it" not in said


def test_segments_of_long_numbers_are_not_joined():
    days = np.where(np.arange(len(A)) % 2 == 0, 20240101.0, 20240102.0)
    report = explain_change(model, A, model_b=lambda X: model(X) + 1.0, segments=days, order=1)
    assert [each.name for each in report.segments] == ["segment = 20240101", "segment = 20240102"]


def test_equal_models_do_not_differ():
    report = explain_change(model, A, model_b=model, order=1)
    assert report.change == 0.0
    assert report.moved == ()
    assert "does not differ beyond noise" in report.sentences[0]
    # The mean itself keeps its digits: it was "A 2, B 2" for 2.04.
    quarters = explain_change(lambda X: np.full(len(X), 2.25), A, model_b=lambda X: np.full(len(X), 2.25), order=1)
    assert "(A 2.25, B 2.25; 0 ± 0)" in quarters.sentences[0]


def test_means_that_differ_in_the_last_bits_are_equal():
    X, X_b = np.random.default_rng(0).normal(size=(500, 2)), np.random.default_rng(1).normal(size=(400, 2))
    report = explain_change(lambda X: np.ones(len(X)), X, X_b, order=1)
    assert report.change != 0.0  # weights of 500 and of 400 rows do not sum to the same bits
    assert report.sentences[0].endswith(", 0 ± 0.")
    assert "e−1" not in report.to_text()


def test_a_change_that_is_rounding_beside_its_interval_is_shown_as_zero():
    report = explain_change(lambda X: 0.1 * X[:, 0] + 0.3, A, A[::-1], order=1)  # means that differ in the last bits, if at all
    shown = report.sentences[0].split(", ")[-1]
    assert shown.startswith("0.000")
    assert float(shown.split(" ± ")[1].rstrip(".")) == pytest.approx(report.total.reach, rel=0.02)


def test_other_rows_explain_the_loss_where_the_labels_follow_the_same_law():
    rng = np.random.default_rng(1)
    X, X_b = rng.normal(size=(600, 2)), rng.normal((1.0, 0.0), size=(600, 2))
    labels = [table[:, 0] + rng.normal(size=600) * np.exp(table[:, 0] / 2) for table in (X, X_b)]
    report = explain_change(lambda X: X[:, 0], X, X_b, y=labels[0], y_b=labels[1], order=1)
    assert report.what == "squared error"
    assert report.moved == ("x0",)
    errors = [(y - table[:, 0]) ** 2 for y, table in zip(labels, (X, X_b), strict=True)]
    assert report.change == pytest.approx(errors[1].mean() - errors[0].mean(), abs=1e-12)


def test_noisier_labels_are_a_change_at_equal_features_even_where_rows_moved_too():
    rng = np.random.default_rng(2)
    X, X_b = rng.normal(size=(600, 2)), rng.normal((1.0, 0.0), size=(600, 2))
    y, y_b = X[:, 0] + rng.normal(size=600), X_b[:, 0] + 2 * rng.normal(size=600)
    report = explain_change(lambda X: X[:, 0], X, X_b, y=y, y_b=y_b, order=1)
    assert report.moved == ()
    rest = report.table.iloc[-1]
    assert rest["feature"] == "(at equal features)"
    assert rest["low"] < 3.0 < rest["high"]  # the variance of the labels rises from 1 to 4
    assert any("at equal features" in sentence for sentence in report.sentences)


def test_error_rates_of_a_classifier_are_compared():
    rng = np.random.default_rng(3)
    X, X_b = rng.normal(size=(2, 100, 1))
    y, y_b = X[:, 0] > 0, X_b[:, 0] > 0
    y_b[:40] = ~y_b[:40]
    classifier = LogisticRegression().fit(X, y)
    report = explain_change(classifier, X, X_b, y=y, y_b=y_b, loss="error", order=1)
    rates = [np.mean(classifier.predict(table) != labels) for table, labels in ((X, y), (X_b, y_b))]
    assert report.change == pytest.approx(rates[1] - rates[0], abs=1e-12)
    assert explain_change(classifier, X, X_b, y=y, y_b=y_b, order=1).what == "log-loss"


def test_features_that_come_first_leave_to_others_what_they_do_not_explain():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=500), rng.normal(size=500) + 1.0
    tables = [np.column_stack([own, own + 0.5 * rng.normal(size=500)]) for own in (first, second)]
    shared = explain_change(lambda X: X[:, 0] + X[:, 1], *tables, order=1)
    given = explain_change(lambda X: X[:, 0] + X[:, 1], *tables, order=1, given="x0")
    lines = given.table.set_index("feature")["contribution"]
    # E[x1 | x0] = x0: the first column explains the whole gap, of which Shapley values give it a part.
    assert lines["x0"] == pytest.approx(2 * (second.mean() - first.mean()), abs=0.1)
    assert shared.moved == ("x0", "x1") or shared.moved == ("x1", "x0")
    assert given.moved == ("x0",)
    assert "left given x0" in given.to_text()


def test_tables_with_names_categories_and_predictions():
    X = pd.DataFrame({"level": ["a", "b"] * 40, "size": np.arange(80.0)})
    X_b = pd.DataFrame({"size": np.arange(80.0), "level": ["b", "c"] * 40})
    outputs = [(table["level"] == "b") * 1.0 for table in (X, X_b)]
    report = explain_change(None, X, X_b, outputs=outputs[0], outputs_b=outputs[1], order=1, labels=("March", "April"))
    assert report.change == pytest.approx(0.0, abs=1e-12)
    assert report.total.is_noise  # a rounding error is no change
    assert "March, 80 rows" in report.to_text()


def test_one_of_several_outputs_is_chosen():
    X, X_b = A, B
    report = explain_change(lambda X: X[:, :2], X, X_b, target=1, order=1)
    assert report.change == pytest.approx(B[:, 1].mean() - A[:, 1].mean(), abs=1e-12)
    with pytest.raises(ValueError, match="pass target="):
        explain_change(lambda X: X[:, :2], X, X_b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to compare"),
        ({"X_b": B, "y": A[:, 0]}, "y_b is lacking"),
        ({"model_b": other, "y_b": A[:, 0]}, "y_b= are the labels of X_b"),
        ({"X_b": B[:5]}, "the second cohort has 5 rows"),
        ({"X_b": B, "outputs": A[:, 0]}, "given together"),
        ({"X_b": B, "model_b": other, "outputs": A[:, 0], "outputs_b": B[:, 0]}, "four sets of outputs"),
        ({"X_b": B, "segments": "x0"}, "two models on the same rows"),
        ({"model_b": other, "segments": "x0"}, "cut it into bands"),
        ({"model_b": other, "segments": np.r_[["rare"] * 3, ["common"] * 297]}, "fewer than 20 rows"),
        ({"model_b": other, "segments": np.tile([0, 1], 200)}, r"segments has shape \(400,\): pass one label for each row"),
        ({"X_b": B, "labels": ("A", "A")}, "two different names"),
        ({"X_b": B, "given": ["x0", "x1", "x2"]}, "names every feature"),
        ({"X_b": B, "given": "x9"}, "unknown column 'x9'"),
        ({"X_b": B, "y": A[:, 0], "y_b": B[:, 0], "loss": "log"}, "class probabilities"),
        ({"X_b": B, "y": A[:, 0], "y_b": B[:, 0], "loss": "hinge"}, "loss='hinge' is not known"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        explain_change(model, A, **arguments, order=1)


def test_models_on_different_scales_are_refused():
    y = A[:, 0] > 0
    numbers, classes = LinearRegression().fit(A, y), LogisticRegression().fit(A, y)
    with pytest.raises(ModelOutputError, match="different scales"):
        explain_change(classes, A, model_b=numbers)
    with pytest.raises(ModelOutputError, match="1 and 3 outputs"):
        explain_change(model, A, model_b=lambda X: X)


def test_outputs_of_two_classifiers_are_matched_by_class():
    y = np.select([A[:, 0] > 0.5, A[:, 1] > 0], ["hi", "mid"], "lo")
    one, other = LogisticRegression().fit(A, y), LogisticRegression(C=0.1).fit(A, y)
    turned = LogisticRegression(C=0.1).fit(A, y)
    order = [2, 0, 1]
    turned.classes_, turned.coef_, turned.intercept_ = turned.classes_[order], turned.coef_[order], turned.intercept_[order]
    given = {"target": "mid", "output": "probability", "order": 1}
    expected = (other.predict_proba(A) - one.predict_proba(A))[:, 2].mean()
    assert explain_change(one, A, model_b=turned, **given).change == pytest.approx(expected, abs=1e-12)
    yes = LogisticRegression().fit(A, np.where(A[:, 0] > 0, "yes", "no"))
    for labels in (np.where(A[:, 0] > 0, "a_yes", "no"), y):  # the second class is another one
        with pytest.raises(ModelOutputError, match=r"not the same quantities|outputs; only equal"):
            explain_change(yes, A, model_b=LogisticRegression().fit(A, labels))


def test_pages_hold_the_same_figures(shifted, tmp_path):
    value = f"{shifted.table.iloc[0]['contribution']:+.2f}"
    for text in (shifted.to_text(), shifted.to_markdown(), shifted.to_html(), shifted._repr_html_()):
        assert value in text
    for ending in (".html", ".md", ".txt"):
        shifted.write(tmp_path / f"change{ending}")
        assert value in (tmp_path / f"change{ending}").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="ending of path"):
        shifted.write(tmp_path / "change.pdf")
    assert repr(shifted).startswith("ChangeReport(cohorts, output +")


def test_names_of_columns_are_escaped_in_html():
    frames = [pd.DataFrame(X, columns=["<b>", "|", "c"]) for X in (A, B)]
    report = explain_change(lambda X: X.iloc[:, 0], *frames, order=1)
    assert "&lt;b&gt;" in report.to_html()
    assert "<b>" not in report.to_html()
    assert instashap.explain_change is explain_change
