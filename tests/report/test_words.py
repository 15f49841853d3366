"""Text of an audit for decision makers."""

import pytest

from instashap.report.sentences import explain_verdict, list_ladder, list_segments
from instashap.trust.attribution import Attribution
from instashap.trust.figures import Figure
from instashap.trust.report import Rung, TrustReport
from instashap.trust.segments import Segment

WORSE = Segment(("a is above 3",), 0.1, Figure(0.2, 0.1, 0.3), 0.4)
BETTER = Segment(("b is low",), 0.2, Figure(0.7, 0.6, 0.8), 0.1)


def make_report() -> TrustReport:
    start = Rung(0, 0, Figure(0.0, 0.0, 0.0), labels={"accuracy": Figure(0.5, 0.4, 0.6)})
    classes = {"class agreement": Figure(0.9, 0.88, 0.92), "log-loss gap": Figure(0.1, 0.1, 0.1)}
    labels = {"accuracy": Figure(0.8, 0.75, 0.85), "log-loss": Figure(0.3, 0.2, 0.4)}
    first = Rung(1, 1, Figure(0.7, 0.6, 0.75), classes, labels, segments=(BETTER, WORSE))
    return TrustReport((start, first), 1000, "new rows", "log-odds", {"accuracy": Figure(0.9, 0.88, 0.92)})


def test_the_ladder_ends_with_the_verdict_and_the_model() -> None:
    header, *rows = list_ladder(make_report())
    assert header == ["Explained by", "Output reproduced", "Same class as the model", "accuracy (labels)", "Verdict"]
    assert rows == [
        ["the average only", "0 %", "–", "50 % (40 to 60 %)", "–"],
        ["single features", "70 % (60 to 75 %)", "90 % (88 to 92 %)", "80 % (75 to 85 %)",
         "Do not rely on these explanations alone"],
        ["the model itself", "–", "–", "90 % (88 to 92 %)", "–"],
    ]  # fmt: skip


def test_the_worst_part_of_the_rows_comes_first() -> None:
    assert list_segments(make_report()) == [WORSE, BETTER]


@pytest.mark.parametrize(
    ("high", "doubt"),
    [
        (0.99, ""),
        (0.65, ", and how they divide a prediction among the features (the Shapley values) is probably wrong"),
    ],
)
def test_a_worse_verdict_on_the_values_is_named_beside_that_on_the_output(high: float, doubt: str) -> None:
    known = Attribution(Figure(0.6, 0.5, high), "copula", ((0.1,),), 1000, 160_000)
    rung = Rung(1, 1, Figure(0.93, 0.92, 0.94), attribution=known)
    said = explain_verdict(TrustReport((Rung(0, 0, Figure(0, 0, 0)), rung), 1000, "new rows", "f"))
    assert said == (
        "They account for 93 % (92 to 94 %) of the differences between the model's predictions (on 1,000 new rows), "
        f"less than the 95 % that “safe” asks for{doubt}."
    )
