"""Adding rows to a fit, forgetting some, and merging fits of several places."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import FileFormatError, Moments, NotFittedError
from instashap.cli import main
from instashap.fits.conditional import get_plan
from instashap.fitted.plan_file import identify_plan
from instashap.questions.audit import find_labels


def make_rows(n_rows: int = 900, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n_rows), "b": rng.normal(size=n_rows), "k": 1.0})
    X["t"] = rng.choice(["u", "v"], n_rows)
    return X, np.asarray(X["a"] * X["b"] + (X["t"] == "u") + 5.0)


@pytest.fixture(scope="module")
def fitted() -> instashap.Explainer:
    X, f = make_rows()
    return instashap.Explainer(interactions="all").fit(X[:400], outputs=f[:400])


@pytest.fixture
def loaded(fitted: instashap.Explainer, tmp_path: Path) -> instashap.Explainer:
    fitted.save(tmp_path / "fit.insta")
    return instashap.load(tmp_path / "fit.insta")


def test_a_fit_with_rows_added_has_the_mean_of_all_rows(fitted: instashap.Explainer) -> None:
    X, f = make_rows()
    grown = fitted.refit(fitted.moments_ + fitted.accumulate(X[400:], f[400:]))
    assert grown.expected_value == pytest.approx(f.mean(), rel=1e-12)
    assert fitted.expected_value == pytest.approx(f[:400].mean(), rel=1e-12)  # the former fit stays as it is
    assert grown.fit_facts_["n_rows"] == 900
    assert grown.fit_facts_["sample_rows"] == 400
    before, after = (np.mean((each.predict(X[400:]) - f[400:]) ** 2) for each in (fitted, grown))
    assert after < before


def test_added_rows_count_by_their_weight(fitted: instashap.Explainer) -> None:
    X, f = make_rows()
    twice = fitted.accumulate(X[:50], f[:50], sample_weight=np.full(50, 2.0))
    assert twice.total_weight == pytest.approx(100)
    assert twice.n_rows == 50
    mean = (f[:400].sum() + 2 * f[:50].sum()) / 500
    assert fitted.refit(fitted.moments_ + twice).expected_value == pytest.approx(mean, rel=1e-12)


def test_the_model_is_asked_where_no_outputs_are_given() -> None:
    X, _ = make_rows()
    numbers = X[["a", "b"]]
    explainer = instashap.Explainer(lambda rows: rows["a"] + 2 * rows["b"], order=1).fit(numbers[:300])
    own = explainer.accumulate(numbers[300:])
    given = explainer.accumulate(numbers[300:], numbers["a"][300:] + 2 * numbers["b"][300:])
    np.testing.assert_array_equal(own.sums.products, given.sums.products)


def test_classes_are_summed_on_the_scale_that_was_fitted() -> None:
    from sklearn.linear_model import LogisticRegression

    X, _ = make_rows()
    numbers = X[["a", "b"]]
    model = LogisticRegression().fit(numbers, X["a"] + X["b"] > 0)
    explainer = instashap.Explainer(model, order=1, synthetic_rows=0).fit(numbers[:300])
    grown = explainer.refit(explainer.moments_ + explainer.accumulate(numbers[300:]))
    assert grown.expected_value == pytest.approx(model.decision_function(numbers).mean(), rel=1e-9)


def test_a_loaded_explainer_sums_and_refits_to_what_the_fit_does(
    fitted: instashap.Explainer, loaded: instashap.Explainer
) -> None:
    X, f = make_rows()
    here, there = fitted.accumulate(X, f), loaded.accumulate(X, f)
    assert here.plan_id == there.plan_id
    np.testing.assert_array_equal(here.sums.products, there.sums.products)
    np.testing.assert_array_equal(fitted.refit(here).shap_values(X), loaded.refit(here).shap_values(X))


def test_saved_moments_come_back_to_the_bit(fitted: instashap.Explainer, tmp_path: Path) -> None:
    X, f = make_rows()
    moments = fitted.accumulate(X, f)
    moments.save(tmp_path / "all.moments")
    back = Moments.load(tmp_path / "all.moments")
    np.testing.assert_array_equal(back.sums.products, moments.sums.products)
    assert (back.n_rows, back.plan_id) == (900, moments.plan_id)
    np.testing.assert_array_equal(fitted.refit(back).shap_values(X), fitted.refit(moments).shap_values(X))
    assert "900 rows: 4 features, 1 output" in repr(back)


def test_sum_adds_the_moments_of_a_list(fitted: instashap.Explainer) -> None:
    X, f = make_rows()
    parts = [fitted.accumulate(X[start : start + 300], f[start : start + 300]) for start in (0, 300, 600)]
    summed, added = sum(parts), parts[0] + parts[1] + parts[2]
    assert isinstance(summed, Moments)
    np.testing.assert_array_equal(summed.sums.products, added.sums.products)
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + parts[0]


def test_files_of_several_sites_merge_on_the_command_line(
    fitted: instashap.Explainer, loaded: instashap.Explainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X, f = make_rows()
    for name, rows in (("a", slice(0, 500)), ("b", slice(500, 900)), ("old", slice(0, 100))):
        loaded.accumulate(X[rows], f[rows]).save(tmp_path / f"{name}.moments")
    files = [str(tmp_path / f"{name}.moments") for name in ("a", "b")]
    out = tmp_path / "merged.insta"
    assert main(["merge", *files, "--forget", str(tmp_path / "old.moments"), "-o", str(out)]) == 0
    assert "800 rows" in capsys.readouterr().out
    merged = instashap.load(out)
    expected = fitted.refit(fitted.accumulate(X[100:], f[100:]))
    np.testing.assert_allclose(merged.shap_values(X), expected.shap_values(X), atol=1e-9)
    assert main(["merge", str(tmp_path / "fit.insta"), "-o", str(out)]) == 2
    assert "holds no moments" in capsys.readouterr().err


def test_the_file_of_an_explainer_holds_its_plan_and_no_sums(loaded: instashap.Explainer) -> None:
    with pytest.raises(NotFittedError, match="rows of the fit"):
        _ = loaded.moments_


def test_moments_of_different_plans_do_not_meet(fitted: instashap.Explainer) -> None:
    X, f = make_rows()
    own = fitted.accumulate(X[:100], f[:100])
    cases = [
        (instashap.Explainer(order=1).fit(X[:300], outputs=f[:300]), "another plan"),
        (instashap.Explainer(order=1).fit(X[:300].rename(columns={"a": "z"}), outputs=f[:300]), "other columns \\('a', 'z'\\)"),
        (instashap.Explainer(order=1).fit(X[:300], outputs=np.stack([f, f], axis=1)[:300]), "other outputs"),
    ]
    for other, message in cases:
        with pytest.raises(ValueError, match=message):
            _ = own + other.moments_
        with pytest.raises(ValueError, match=message):
            fitted.refit(other.moments_)


def test_rows_that_were_never_added_cannot_be_forgotten(fitted: instashap.Explainer) -> None:
    X, f = make_rows()
    few, many = fitted.accumulate(X[:100], f[:100]), fitted.accumulate(X, f)
    with pytest.raises(ValueError, match="900 rows cannot be subtracted from 100"):
        _ = few - many
    with pytest.raises(ValueError, match="describe 0 rows"):
        fitted.refit(few - few)
    with pytest.raises(TypeError):
        _ = few + 1  # type: ignore[operator]


def test_fewer_rows_that_were_never_added_cannot_be_forgotten(fitted: instashap.Explainer) -> None:
    X, f = make_rows()
    others = fitted.accumulate(X.iloc[400:600] + {"a": 3.0, "b": 0.0, "k": 0.0, "t": ""}, f[400:600])
    with pytest.raises(ValueError, match="the 200 rows to subtract are not among these 400"):
        _ = fitted.moments_ - others
    with pytest.raises(ValueError, match="the 100 rows to subtract are not among these 400"):
        _ = fitted.moments_ - fitted.accumulate(X[:100], f[:100] + 50.0)  # other outputs
    kept = fitted.moments_ + others - others - fitted.accumulate(X[:100], f[:100])
    assert fitted.refit(kept).expected_value == pytest.approx(f[100:400].mean(), rel=1e-9)



def test_other_kinds_of_fits_have_no_moments() -> None:
    X, _ = make_rows(200)
    numbers = X[["a", "b"]]
    game = instashap.Explainer(lambda rows: rows["a"], value_function=instashap.Baseline(numbers[:1]), order=1).fit(numbers)
    with pytest.raises(NotFittedError, match="closed form"):
        game.accumulate(numbers)


def test_copies_of_rows_count_each_in_the_moments_of_a_fit() -> None:
    X, f = make_rows(150)
    both = pd.concat([X, X], ignore_index=True)
    explainer = instashap.Explainer(order=1).fit(both, outputs=np.tile(f, 2))
    assert explainer.moments_.total_weight == pytest.approx(300)


def test_a_file_whose_plan_does_not_fit_together_is_refused_when_it_is_used(loaded: instashap.Explainer) -> None:
    fitted = loaded._check_fitted()
    assert fitted.answers.stored is not None
    _, arrays = fitted.answers.stored
    arrays["plan_choices"] = arrays["plan_choices"] + 1000
    with pytest.raises(FileFormatError, match="not among those of its axes"):
        loaded.accumulate(*make_rows(50))


def test_plans_differ_by_what_sums_depend_on(fitted: instashap.Explainer) -> None:
    from dataclasses import replace

    plan = get_plan(fitted._check_fitted())
    assert identify_plan(plan) == identify_plan(replace(plan))
    assert identify_plan(plan) != identify_plan(replace(plan, centre=plan.centre + 1))
    moved = replace(plan.encoder.columns[0], edges=plan.encoder.columns[0].edges + 1e-9)
    encoder = replace(plan.encoder, columns=(moved, *plan.encoder.columns[1:]))
    assert identify_plan(plan) != identify_plan(replace(plan, encoder=encoder))


def test_labels_of_a_sampled_fit_are_matched_to_the_sample() -> None:
    X, f = make_rows()
    explainer = instashap.Explainer(order=1, plan_rows=300).fit(X, outputs=f)
    record = explainer._check_fitted().get_record("")
    assert record.positions is not None
    np.testing.assert_array_equal(record.outputs[:, 0], f[record.positions])
    assert find_labels(record, f).tolist() == f[record.positions].tolist()
    with pytest.raises(ValueError, match="fewer than the rows of the fit"):
        find_labels(record, f[:200])


@pytest.mark.parametrize("given", [None, "north.moments"])
def test_what_are_no_moments_is_refused(fitted, given):
    with pytest.raises(TypeError, match=r"refit needs instashap\.Moments, as accumulate\(X\) returns, got a (NoneType|str)"):
        fitted.refit(given)
