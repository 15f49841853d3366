"""Classes of outputs, by hand and against scipy; verdicts of single rungs."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from instashap.trust.attribution import Attribution
from instashap.trust.figures import Figure
from instashap.trust.masked import MaskedFidelity, SizeRisk
from instashap.trust.report import Rung, TrustReport
from instashap.trust.scores import Classes
from instashap.trust.segments import Segment
from instashap.trust.thresholds import Thresholds


def test_outputs_become_classes_and_probabilities() -> None:
    scores = np.array([[0.4], [-0.4]])
    binary = Classes(("no", "yes"), "log-odds")
    assert binary.find_class(scores).tolist() == [1, 0]
    found = binary.make_probabilities(scores)
    assert found is not None
    np.testing.assert_allclose(found[:, 1], expit(scores[:, 0]))
    chances = Classes(("no", "yes"), "probability")
    assert chances.find_class(scores).tolist() == [0, 0]
    np.testing.assert_allclose(chances.make_probabilities(np.array([[0.3]])), [[0.7, 0.3]])
    three = np.array([[0.1, 2.0, -1.0]])
    assert Classes(("a", "b", "c"), "log-odds").find_class(three).tolist() == [1]
    np.testing.assert_allclose(Classes(("a", "b", "c"), "log-odds").make_probabilities(three), softmax(three, axis=1))
    assert Classes(("a", "b", "c"), "score").make_probabilities(three) is None


def test_a_bad_part_takes_safe_to_caution_if_it_is_large_and_surely_bad() -> None:
    def judge(share: float, high: float) -> dict[str, str]:
        segment = Segment(("age is above 60",), share, Figure(0.3, 0.2, high), 0.5)
        known = Attribution(Figure(0.97, 0.95, 0.98), "copula", ((0.1,),), 1000, 160_000)
        return dict(Rung(2, 2, Figure(0.99, 0.98, 0.995), attribution=known, segments=(segment,)).judge(Thresholds()))

    assert judge(0.1, 0.4) == {"prediction": "safe", "attribution": "safe", "segments": "caution"}
    assert judge(0.1, 0.7) == {"prediction": "safe", "attribution": "safe"}
    assert judge(0.01, 0.4) == {"prediction": "safe", "attribution": "safe"}


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.91, 0.97, "safe"), (0.88, 0.99, "caution"), (0.3, 0.75, "caution"), (0.2, 0.6, "unsafe")]
)
def test_the_verdict_rests_on_the_interval_of_the_shapley_values_themselves(low: float, high: float, verdict: str) -> None:
    known = Attribution(Figure((low + high) / 2, low, high), "copula", ((0.1,),), 1000, 160_000)
    rung = Rung(2, 2, Figure(0.99, 0.98, 0.995), attribution=known)
    assert TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 1000, "new rows", "f").verdict == verdict


def test_without_evidence_about_shapley_values_the_verdict_is_caution_in_words() -> None:
    perfect = Figure(1.0, 0.999, 1.0)
    report = TrustReport((Rung(0, 0, Figure(0, 0, 0)), Rung(2, 2, perfect)), 1000, "new rows", "f")
    assert report.verdict == "caution"
    assert report.attribution_r2 is None
    assert "Nothing here measures the error of the Shapley values themselves" in report.summary()
    assert "how they divide a prediction among the features (the Shapley values) was compared with nothing" in report.summary()


def test_an_r2_keeps_its_interval_and_is_not_rounded_up_to_one() -> None:
    known = Attribution(Figure(0.9951, 0.5, 0.9999), "copula", ((0.1,),), 1000, 160_000)
    rung = Rung(2, 2, Figure(0.99, 0.98, 0.995), attribution=known)
    report = TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 1000, "new rows", "f")
    assert "an estimated R² of 0.995 (0.50 to over 0.999) to those" in report.summary()
    assert "0.995 (0.50 to over 0.999)" in str(report)
    assert "1.00" not in str(report)


def test_a_comparison_that_found_nothing_claims_only_what_it_compared() -> None:
    # With 300 rows references from the same rows missed gaps of 1.5 to 3 % to exact games, with a "power" of 0.6 to 1 %.
    def summarise(masked: MaskedFidelity) -> str:
        top = Rung(2, 2, Figure(0.99, 0.98, 0.995), masked=masked)
        return TrustReport((Rung(0, 0, Figure(0, 0, 0)), top), 300, "new rows", "f").summary()

    text = summarise(MaskedFidelity(Figure(1.0, 0.994, 1.0), None, (), 0.00041))
    assert "pairs explain 100 % (99.4 to 100 %) of what the estimates they are compared with explain." in text
    assert "One that explains 0.1 % more would have been seen; an error that all of them share would not." in text
    text = summarise(MaskedFidelity(Figure(0.98, 0.97, 0.99), None, (), None))  # beside the value function itself
    assert "pairs explain 98 % (97 to 99 %) of what these can explain." in text


def test_a_gap_is_not_blamed_on_the_order_alone() -> None:
    # A mixture of three Gaussians with products: 5 points at order 2 with 300 rows, at most 2 at the same order with 2,000.
    worst = SizeRisk(2, Figure(0.4, 0.3, 0.5), Figure(0.05, 0.02, 0.08), 0.002, 0.048)
    top = Rung(2, 2, Figure(0.99, 0.98, 0.995), masked=MaskedFidelity(Figure(0.95, 0.9, 1.0), None, (worst,), 0.05))
    text = TrustReport((Rung(0, 0, Figure(0, 0, 0)), top), 300, "cross-fitted", "f").summary()
    assert "5 points of variance. Of it 0.2 come from the rows that were drawn (estimation), none from the optimiser" in text
    assert "5 from a fit that is too simple (representation): because of its order, or because these rows allow no" in text


@pytest.mark.parametrize(("low", "verdict"), [(0.96, "safe"), (0.90, "caution"), (0.5, "unsafe")])
def test_too_few_rows_in_the_same_class_are_unsafe(low: float, verdict: str) -> None:
    same = {"class agreement": Figure(low + 0.01, low, low + 0.02)}
    assert Rung(1, 1, Figure(0.99, 0.98, 0.995), classes=same).judge(Thresholds())["classes"] == verdict


def test_a_doubt_about_classes_says_for_how_many_rows_they_differ() -> None:
    known = Attribution(Figure(0.97, 0.95, 0.98), "copula", ((0.1,),), 1000, 160_000)
    rung = Rung(2, 2, Figure(0.99, 0.98, 0.995), attribution=known, classes={"class agreement": Figure(0.93, 0.92, 0.94)})
    report = TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 1000, "new rows", "log-odds")
    assert "use with care: they point to another class than the model for 7 % of the rows." in report.summary()


def test_a_report_as_text_says_what_was_judged_and_each_verdict() -> None:
    report = TrustReport((Rung(0, 0, Figure(0, 0, 0)), Rung(2, 2, Figure(0.5, 0.4, 0.6))), 1000, "new rows", "target units")
    first, second, *rest = report.to_text().splitlines()
    assert first == "Trust report on explanations of: target units; 1,000 rows, none of them fitted; intervals hold 90 %."
    assert second == "Verdict: explanations by pairs are not to be relied on alone."
    assert "\n".join(rest) == report.summary()
