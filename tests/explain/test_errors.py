"""Standard errors and the ranking of terms, as a user meets them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import AdditiveRegressor, Explainer
from instashap.fitted import game as fitted_module
from instashap.questions.answers import compute_shape_errors
from instashap.store import read_archive, write_archive
from instashap.table.encoding import Encoded

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"size": RNG.normal(size=500), "town": RNG.choice(["north", "south"], 500), "age": RNG.normal(size=500)})
FRAME["rooms"] = FRAME["size"] + RNG.normal(size=500)
PRICE = (2 * FRAME["size"] + FRAME["rooms"] * FRAME["age"] + (FRAME["town"] == "north") + RNG.normal(size=500)).to_numpy()
OUTPUTS = np.column_stack([PRICE, -3 * PRICE])


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer().fit(FRAME, outputs=PRICE)


@pytest.fixture(scope="module")
def many() -> Explainer:
    return Explainer().fit(FRAME, outputs=OUTPUTS)


def test_an_explanation_has_errors_only_if_asked(explainer: Explainer) -> None:
    assert explainer(FRAME).standard_errors is None
    explanation = explainer(FRAME, errors=True)
    assert explanation.standard_errors is not None
    assert explanation.standard_errors.shape == explanation.values.shape == (500, 4)
    assert np.array_equal(explanation.values, explainer.shap_values(FRAME))
    # 500 rows of unit noise: the base value is known to 1/sqrt(500) of the outputs' spread, single values less well
    assert 0.02 < explanation.standard_errors.mean() < 0.5


def test_errors_scale_with_the_output(many: Explainer) -> None:
    explanation = many(FRAME, errors=True)
    assert explanation.standard_errors is not None
    assert explanation.standard_errors.shape == (500, 4, 2)
    np.testing.assert_allclose(explanation.standard_errors[..., 1], 3 * explanation.standard_errors[..., 0], rtol=1e-3)
    assert explanation[3, "age", 1].standard_errors == pytest.approx(explanation.standard_errors[3, 2, 1])


def test_errors_of_a_straight_line_are_those_of_its_centre_and_slope() -> None:
    # f = 2 x: the slope is known exactly, the centre to sd / sqrt(n). With noise of sd 1 the slope has error 1 / sqrt(n).
    # Variances of 20 groups are themselves known to sqrt(2 / 19) = 32 %; of 12 draws on average, to 9 %.
    probe = np.array([[0.0], [2.0]])
    plain, noisy, base = np.zeros(2), np.zeros(2), 0.0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(1600, 1))
        line = Explainer(order=1).fit(x, outputs=2 * x[:, 0])
        plain += line(probe, errors=True).standard_errors[:, 0] ** 2 / 12
        base += float(line.mobius_values(probe, [], errors=True)[1][0]) ** 2 / 12
        rough = Explainer(order=1).fit(x, outputs=2 * x[:, 0] + rng.normal(size=1600))
        noisy += rough(probe, errors=True).standard_errors[:, 0] ** 2 / 12
    np.testing.assert_allclose(plain, (2 / 40) ** 2, rtol=0.27)
    assert base == pytest.approx((2 / 40) ** 2, rel=0.27)
    assert noisy[1] > 0.73 * ((2 / 40) ** 2 + (2 / 40) ** 2)


def test_every_read_out_has_errors_of_its_own_shape(many: Explainer) -> None:
    values, errors = many.interaction_values(FRAME, errors=True)
    assert values.shape == errors.shape == (500, len(many.terms_), 2)
    predictions, spread = many.predict(FRAME, errors=True)
    assert predictions.shape == spread.shape == (500, 2)
    part, its_errors = many.mobius_values(FRAME, ["age"], errors=True)
    assert part.shape == its_errors.shape == (500, 2)
    assert np.array_equal(values, many.interaction_values(FRAME))
    assert np.array_equal(predictions, many.predict(FRAME))
    base, base_errors = many.mobius_values(FRAME, [], errors=True)
    assert base.shape == base_errors.shape == (500, 2)
    for each in (errors, spread, its_errors):
        assert (each >= 0).all()
        assert each.max() > 0.01


def test_shape_functions_have_errors_at_any_place(explainer: Explainer) -> None:
    game = explainer._fitted
    encoded = game.encoder.encode(game.read(FRAME))
    _, errors = explainer.interaction_values(FRAME, errors=True)
    for number, values in enumerate(explainer.terms_):
        own = Encoded(encoded.cells[:, values], encoded.offsets[:, values])
        np.testing.assert_allclose(compute_shape_errors(game, values, own)[:, 0], errors[:, number], rtol=1e-6)


def test_errors_have_the_same_bits_for_any_number_of_jobs(explainer: Explainer) -> None:
    long = pd.concat([FRAME] * 20)
    answers = []
    for n_jobs in (1, 3):
        explainer.n_jobs = n_jobs
        answers.append(explainer(long, errors=True).standard_errors)
    assert answers[0] is not None
    assert np.array_equal(answers[0], answers[1])
    np.testing.assert_allclose(answers[0][:500], explainer(FRAME, errors=True).standard_errors, rtol=1e-9)


def test_saving_and_loading_keeps_the_bits_of_errors(many: Explainer, tmp_path: Path) -> None:
    many.save(tmp_path / "many.insta", errors=True)
    loaded = instashap.load(tmp_path / "many.insta")
    assert np.array_equal(loaded(FRAME, errors=True).standard_errors, many(FRAME, errors=True).standard_errors)
    assert np.array_equal(loaded.predict(FRAME, errors=True)[1], many.predict(FRAME, errors=True)[1])
    assert np.array_equal(
        loaded.mobius_values(FRAME, [0, 3], errors=True)[1], many.mobius_values(FRAME, [0, 3], errors=True)[1]
    )
    loaded.save(tmp_path / "again.insta")
    assert (tmp_path / "again.insta").read_bytes() == (tmp_path / "many.insta").read_bytes()


def test_saving_computes_errors_only_where_they_are_asked_for(tmp_path: Path) -> None:
    fresh = AdditiveRegressor(order=1).fit(FRAME, PRICE)
    fresh.save(tmp_path / "fresh.insta")
    with pytest.raises(instashap.NotFittedError, match="holds no standard errors"):
        instashap.load(tmp_path / "fresh.insta")(FRAME, errors=True)
    fresh.save(tmp_path / "fresh.insta", errors=True)
    loaded = instashap.load(tmp_path / "fresh.insta")
    assert np.array_equal(loaded(FRAME, errors=True).standard_errors, fresh.explain(FRAME, errors=True).standard_errors)


def test_a_file_without_errors_is_smaller_and_says_what_to_do(explainer: Explainer, tmp_path: Path) -> None:
    explainer.save(tmp_path / "with.insta", errors=True)
    explainer.save(tmp_path / "without.insta", errors=False)
    assert (tmp_path / "without.insta").stat().st_size < (tmp_path / "with.insta").stat().st_size
    loaded = instashap.load(tmp_path / "without.insta")
    assert np.array_equal(loaded.shap_values(FRAME), explainer.shap_values(FRAME))
    with pytest.raises(instashap.NotFittedError, match=r"holds no standard errors \(save\(path, errors=True\) after"):
        loaded(FRAME, errors=True)
    loaded.save(tmp_path / "again.insta")  # there is nothing to add, and nothing to say
    assert (tmp_path / "again.insta").read_bytes() == (tmp_path / "without.insta").read_bytes()


def test_a_file_of_an_earlier_version_still_loads(explainer: Explainer, tmp_path: Path) -> None:
    explainer.save(tmp_path / "now.insta", errors=True)
    content, arrays = read_archive(tmp_path / "now.insta")
    earlier = {name: array for name, array in arrays.items() if not name.startswith("error_")}
    assert len(earlier) < len(arrays)
    write_archive(tmp_path / "earlier.insta", content, earlier)
    assert np.array_equal(instashap.load(tmp_path / "earlier.insta").shap_values(FRAME), explainer.shap_values(FRAME))


def test_a_pickled_explainer_keeps_errors_that_were_computed(tmp_path: Path) -> None:
    fresh = Explainer(order=1).fit(FRAME, outputs=PRICE)
    with pytest.raises(instashap.NotFittedError, match="call fit"):
        pickle.loads(pickle.dumps(fresh))(FRAME, errors=True)
    expected = fresh(FRAME, errors=True).standard_errors
    copy = pickle.loads(pickle.dumps(fresh))
    assert np.array_equal(copy(FRAME, errors=True).standard_errors, expected)


def test_games_other_than_the_conditional_one_say_where_their_errors_are(tmp_path: Path) -> None:
    numbers = FRAME[["size", "age"]]
    other = Explainer(lambda X: X["size"] * 2, value_function=instashap.Baseline(numbers.iloc[0]), order=1).fit(numbers)
    for ask in (lambda: other(numbers, errors=True), other.rank_terms):
        with pytest.raises(instashap.NotFittedError, match=r"for the conditional game only, not for .*aseline.*; refine\(X\)"):
            ask()
    other.save(tmp_path / "other.insta")
    assert instashap.load(tmp_path / "other.insta").shap_values(numbers).shape == (500, 2)


def test_saving_goes_on_without_errors_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instashap.inference.uncertainty.MAX_BYTES", 100)
    fresh = Explainer(order=1).fit(FRAME, outputs=PRICE)
    with pytest.raises(instashap.TooLargeError, match="standard errors of 4 terms and 1 outputs would take"):
        fresh(FRAME, errors=True)
    with pytest.warns(instashap.InstashapWarning, match="saved without standard errors: .* would take"):
        fresh.save(tmp_path / "large.insta", errors=True)
    assert instashap.load(tmp_path / "large.insta").shap_values(FRAME).shape == (500, 4)


def test_a_fit_alone_computes_no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instashap.inference.uncertainty.compute_deviations", None)
    Explainer(order=1).fit(FRAME, outputs=PRICE).shap_values(FRAME)


def test_errors_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Explainer(order=1).fit(FRAME, outputs=PRICE)
    fresh(FRAME, errors=True)
    monkeypatch.setattr(fitted_module.FittedGame, "get_record", None)
    assert fresh.predict(FRAME, errors=True)[1].shape == (500,)


def test_an_estimator_explains_with_errors() -> None:
    model = AdditiveRegressor().fit(FRAME, PRICE)
    explanation = model.explain(FRAME, errors=True)
    assert explanation.standard_errors is not None
    expected = model.to_explainer()(FRAME, errors=True).standard_errors
    assert np.array_equal(explanation.standard_errors, expected)


def test_terms_are_ranked_in_a_table(explainer: Explainer) -> None:
    table = explainer.rank_terms()
    assert list(table.columns) == ["term", "columns", "gain", "variance_share", "masked_risk", "r2"]
    assert list(table.index) == list(range(1, len(explainer.terms_) + 1))
    assert sorted(table["columns"]) == sorted(explainer.terms_)
    assert table["term"][1] == "size"
    assert set(table["columns"][:4]) == {(0,), (2,), (3,), (2, 3)}
    names = dict(zip(explainer.terms_, explainer.term_names_, strict=True))
    assert [names[columns] for columns in table["columns"]] == list(table["term"])
    facts: dict[str, Any] = explainer.fit_facts_["chosen"]
    assert table["r2"].iloc[-1] == pytest.approx(facts["fidelity"], abs=1e-4)
    assert len(explainer.rank_terms(2)) < len(table)


def test_a_loaded_explainer_cannot_rank_its_terms(explainer: Explainer, tmp_path: Path) -> None:
    explainer.save(tmp_path / "some.insta")
    with pytest.raises(instashap.NotFittedError, match="ranking terms needs the rows of the fit"):
        instashap.load(tmp_path / "some.insta").rank_terms()
