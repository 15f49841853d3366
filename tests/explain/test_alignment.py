"""Rows of pandas objects are matched by index: another order is put right, another index is refused."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveClassifier, AdditiveRegressor, Explainer, ModelOutputError, audit
from instashap._alignment import align_outputs, align_rows, get_index
from instashap._errors import DataWarning
from instashap.blackbox import wrap_model
from instashap.report.summary import summarise
from instashap.workflow import report_table

pytestmark = pytest.mark.usefixtures("few_calls")

RNG = np.random.default_rng(0)
N = 400
# Every a with every b: knowing b says nothing about a.
STEPS = np.linspace(-2, 2, 20)
X = pd.DataFrame({"a": np.repeat(STEPS, 20), "b": np.tile(STEPS, 20)}, index=[f"row {i}" for i in range(N)])
F = 2 * X["a"]
OTHER = RNG.permutation(N)


def _effect_of_a(explainer):
    return explainer.shap_values(X)[:, 0]


TRUTH = F - F.mean()


def test_by_hand():
    index = pd.Index(["a", "b", "c"])
    moved = pd.Series([3.0, 1.0, 2.0], index=["c", "a", "b"])
    assert align_rows(moved, index, "y").tolist() == [1, 2, 3]
    assert align_rows(moved.to_frame(), index, "y").to_numpy().tolist() == [[1], [2], [3]]
    assert align_outputs(moved, index, "model").tolist() == [1, 2, 3]
    turned = pd.DataFrame([[1, 2, 3], [4, 5, 6]], index=[0.5, 1.5], columns=index)
    for align in (align_rows, align_outputs):
        assert align(turned, index, "y").to_numpy().tolist() == [[1, 4], [2, 5], [3, 6]]
        for whole in (np.arange(3), [1, 2, 3], None, 1.0, pd.Series([1, 2, 3], index=index)):
            assert align(whole, index, "y") is whole
        assert align(moved, None, "y") is moved


def test_numbers_that_became_text_are_the_same_labels():
    moved = pd.Series([3.0, 1.0, 2.0], index=["30", "10", "20"])
    index = pd.Index([10, 20, 30])
    assert align_rows(moved, index, "y").tolist() == [1, 2, 3]
    assert align_outputs(moved, index, "model").tolist() == [1, 2, 3]
    moved.index = ["2", "0", "1"]
    with pytest.warns(DataWarning, match="rows of y were matched by index"):
        assert align_rows(moved, pd.RangeIndex(3), "y").tolist() == [1, 2, 3]
    moved.index = [2, 0, 1]
    assert align_rows(moved, pd.Index(["0", "1", "2"]), "y").tolist() == [1, 2, 3]


def test_an_index_that_merely_counts_is_another_index():
    plain, labelled = pd.Series([1.0, 2.0]), pd.Series([1.0, 2.0], index=[10, 20])
    for given, index in ((plain, pd.Index(["a", "b"])), (labelled, pd.RangeIndex(2))):
        with pytest.raises(ValueError, match=r"y has another index than the table.*y\.to_numpy\(\) if its rows are in"):
            align_rows(given, index, "y")
        assert align_rows(given.to_numpy(), index, "y").tolist() == [1, 2]


def test_outputs_that_a_model_numbers_anew_stand_as_they_are():
    plain = pd.Series([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for index in (pd.Index(["a", "b"]), pd.Index([1, 0])):
            assert align_outputs(plain, index, "model") is plain


def test_outputs_of_the_other_rows_of_a_split_are_refused():
    """The first rows of a frame count from 0 too: outputs of its other rows were taken by position."""
    rows, outputs = X.reset_index(drop=True).iloc[: N // 2], F.reset_index(drop=True).iloc[N // 2 :]
    with pytest.raises(ValueError, match="outputs has another index than the table"):
        Explainer(order=1).fit(rows, outputs=outputs)


def test_rows_moved_for_an_index_that_merely_counts_are_told_and_the_advice_works():
    shuffled = pd.Series([2.0, 1.0], index=[1, 0])
    with pytest.warns(DataWarning, match=r"rows of y were matched by index; .*pass y\.to_numpy\(\)"):
        assert align_rows(shuffled, pd.RangeIndex(2), "y").tolist() == [1, 2]
    with pytest.warns(DataWarning, match="matched by index"):
        assert align_rows(pd.Series([2.0, 1.0]), pd.Index([1, 0]), "y").tolist() == [1, 2]
    assert align_rows(shuffled.to_numpy(), pd.RangeIndex(2), "y").tolist() == [2, 1]


@pytest.mark.parametrize(
    ("own", "index", "message"),
    [
        (["a", "x", "y"], ["a", "b", "c"], r"y has another index than the table, which lacks 2 .* as .x.: .*to_numpy"),
        (["a", "b", "a"], ["a", "a", "b"], "cannot be matched by an index that repeats labels"),
        (["c", "b", "a", "d"], ["a", "b", "c"], r"y has 4 rows, those of the table \(3\) and others: pass y\.loc\[X\.index\]"),
    ],
)
def test_an_index_that_cannot_be_matched_is_refused(own, index, message):
    given = pd.Series(np.arange(float(len(own))), index=own)
    with pytest.raises(ValueError, match=message):
        align_rows(given, pd.Index(index), "y")
    if len(own) > len(index):
        assert align_rows(given.loc[index], pd.Index(index), "y").tolist() == [2, 1, 0]
    else:
        assert align_rows(given.to_numpy(), pd.Index(index), "y").tolist() == given.tolist()
        with pytest.raises(ModelOutputError, match=r"return outputs in the order of the rows.*\.to_numpy\(\)"):
            align_outputs(given, pd.Index(index), "the model")


def test_repeated_labels_in_the_same_order_are_taken_as_they_stand():
    rows = [0, 0, 2, 1]
    sample = X.iloc[rows]
    assert align_rows(F.iloc[rows], sample.index, "y").tolist() == F.iloc[rows].tolist()


def test_only_pandas_tables_have_an_index():
    polars = pytest.importorskip("polars")
    assert get_index(X) is X.index
    for other in (X.to_numpy(), X.to_numpy().tolist(), polars.from_pandas(X)):
        assert get_index(other) is None


def test_outputs_weights_and_what_a_model_gives_are_matched():
    explainers = [
        Explainer(order=1).fit(X, outputs=F.iloc[OTHER]),
        Explainer(order=1).fit(X.iloc[OTHER], outputs=F),
        Explainer(order=1).fit(X, outputs=F.iloc[OTHER].to_frame("only")),
        Explainer(lambda rows: (2 * rows["a"]).sort_values(), order=1, batch_rows=150).fit(X),
    ]
    for explainer in explainers:
        np.testing.assert_allclose(_effect_of_a(explainer), TRUTH, atol=0.05)
    weights = (X["a"] > 0).astype(float)
    weighted = Explainer(order=1).fit(X, outputs=F, sample_weight=weights.iloc[OTHER])
    assert weighted.expected_value == pytest.approx(F[X["a"] > 0].mean(), abs=1e-9)


def test_a_frame_of_times_by_rows_is_turned():
    times = np.array([0.5, 1.0, 2.0])

    def survive(rows):
        return pd.DataFrame(np.exp(-np.outer(times, np.exp(rows["a"]))), index=times, columns=rows.index)

    explainer = Explainer(survive, order=1, batch_rows=150).fit(X)
    assert explainer.predict(X).shape == (N, 3)
    expected = np.exp(-np.outer(np.exp(X["a"]), times))
    np.testing.assert_allclose(wrap_model(survive).predict(X, N), expected)
    assert Explainer(order=1).fit(X, outputs=survive(X)).output_names_ == ("0.5", "1.0", "2.0")
    # As many rows as times, on a table whose index merely counts.
    square = pd.DataFrame({"a": X["a"].to_numpy()[:3]})
    np.testing.assert_allclose(wrap_model(survive).predict(square, 3), expected[:3])


def test_outputs_to_check_are_matched_by_row_and_by_name():
    both = pd.DataFrame({"up": F, "down": -F})
    explainer = Explainer(order=1).fit(X, outputs=both)
    assert not explainer.check(X, outputs=both.iloc[OTHER][["down", "up"]]).has_moved
    assert explainer.check(X, outputs=-both).has_moved


def test_labels_of_estimators_are_matched_in_fit_and_score():
    model = AdditiveRegressor(order=1).fit(X, F.iloc[OTHER])
    assert model.score(X, F) > 0.999
    assert model.score(X, F.iloc[OTHER]) == model.score(X, F)
    is_high = X["a"] > 0
    classifier = AdditiveClassifier(order=1).fit(X, is_high.iloc[OTHER])
    assert classifier.score(X, is_high.iloc[OTHER]) == np.mean(classifier.predict(X) == is_high)
    assert classifier.score(X, is_high) > 0.97
    weights = is_high.astype(float).iloc[OTHER]
    assert classifier.score(X, is_high, weights) == np.mean(classifier.predict(X[is_high]))
    with pytest.raises(ValueError, match="y has another index than the table"):
        AdditiveRegressor().fit(X, F.rename(index=lambda label: f"other {label}"))


def test_labels_of_audits_and_reports_are_matched():
    def model(rows):
        return 2 * rows["a"]

    explainer = Explainer(model, order=1).fit(X)
    moved = F.iloc[OTHER]
    own, new = explainer.audit(y=moved), explainer.audit(X, moved)
    assert own.rungs[1].labels["R² to labels"].value > 0.99
    assert new.rungs[1].labels["R² to labels"].value > 0.99
    assert audit(model, X, moved, orders=(1,)).rungs[1].labels["R² to labels"].value > 0.99
    assert summarise(explainer, X, moved).audit.rungs[1].labels["R² to labels"].value > 0.99


def test_the_command_lines_report_takes_labels_of_its_own_rows_whatever_the_index_repeats(tmp_path):
    data = pd.DataFrame({"a": X["a"], "b": X["b"], "y": F}).set_axis([0] * N)
    report = report_table(data, "y", tmp_path / "report.json", order=1)
    rungs = json.loads(report.read_text(encoding="utf-8"))["audit"]["rungs"]
    assert rungs[1]["labels"]["R² to labels"][0] > 0.9


def _known(row, *features):
    """Prediction where only these features are known: 2a if a is, else its mean."""
    return 2 * X.loc[row, "a"] if "a" in features else F.mean()


@pytest.mark.parametrize(
    "masks",
    [
        pd.DataFrame({"b": [False, True], "a": [True, False]}, index=X.index[[3, 390]]),
        pd.DataFrame({"b": [True, False], "a": [False, True]}, index=X.index[[390, 3]]),
        pd.DataFrame({"b": [False, True], "a": [True, False]}, index=X.index[[3, 390]]).to_numpy()[:, ::-1],
    ],
)
def test_masks_are_matched_by_feature_and_row(masks):
    explainer = Explainer(None, order=1).fit(X, outputs=F)
    found = explainer.predict(X.iloc[[3, 390]], masks=masks)
    np.testing.assert_allclose(found, [_known("row 3", "a"), _known("row 390", "b")], atol=0.05)


def test_one_mask_is_matched_by_feature_and_other_labels_are_refused():
    explainer = Explainer(None, order=1).fit(X, outputs=F)
    found = explainer.predict(X.iloc[[3]], masks=pd.Series({"b": False, "a": True}))
    np.testing.assert_allclose(found, [_known("row 3", "a")], atol=0.05)
    with pytest.raises(ValueError, match=r"masks have the labels \['a', 'z'\], and the features are \['a', 'b'\]"):
        explainer.predict(X, masks=pd.Series({"a": True, "z": False}))


def test_names_that_a_fit_gave_an_arrays_columns_are_matched_in_any_order():
    explainer = Explainer(None, order=1).fit(X.to_numpy(), outputs=F.to_numpy())
    frame = pd.DataFrame({"x1": X["b"], "x0": X["a"]})
    np.testing.assert_array_equal(explainer.shap_values(frame), explainer.shap_values(X.to_numpy()))
