"""Audit reports of functions whose interactions and fidelity are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, r2_score

import instashap
from instashap import Explainer, NotFittedError, TrustReport
from instashap.questions.audit import get_audit
from instashap.trust.thresholds import Thresholds

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

X = np.random.default_rng(0).normal(size=(3000, 4))
FEW = X[:1200]  # for what needs no precision


def pair(X: np.ndarray) -> np.ndarray:
    value: np.ndarray = X[:, 0] + X[:, 1] * X[:, 2]
    return value


@pytest.fixture(scope="module")
def pair_report() -> TrustReport:
    return instashap.audit(pair, X, pair(X) + np.random.default_rng(1).normal(size=len(X)))


def test_a_product_makes_order_1_unsafe_and_is_named(pair_report: TrustReport) -> None:
    one, two = pair_report.rungs[1:]
    assert pair_report.verdicts == {1: "unsafe", 2: "safe"}
    assert pair_report.verdict == "safe"
    assert one.carried.low < 0.5 < one.carried.high
    assert two.carried.value >= 0.999
    assert [term.name for term in one.missing] == ["x1 × x2"]
    assert two.missing == ()
    assert one.masked is not None
    assert two.masked is not None
    # Under masks the product is known to one coalition in three of two features and to half of those of three.
    assert one.masked.carried.high < 0.9 < two.masked.carried.low
    text = pair_report.summary()
    assert text.startswith("Explanations by single features reproduce 5")
    assert "of the variance of this model's output; do not use them alone. With pairs: over 99.9 %; safe to use." in text
    assert one.attribution is not None
    # f = x0 + x1 x2: single features give x0 its values, of mean square 1, and miss those of the product, 1/2 in all.
    assert one.attribution.r2.value == pytest.approx(2 / 3, abs=0.06)
    assert pair_report.attribution_r2 is not None
    assert pair_report.attribution_r2.low > 0.94
    assert 10_000 < pair_report.n_calls < 400_000
    assert "Order 1 lacks the pair x1 × x2, which would add at least 4" in text


@pytest.fixture(scope="module")
def fitted() -> Explainer:
    return Explainer(pair).fit(X)


def test_a_main_effect_gets_nothing_of_a_product_it_is_not_in(fitted: Explainer) -> None:
    effects = pd.DataFrame(fitted.interaction_values(X), columns=fitted.terms_).var()
    pairs = [term for term in effects.index if len(term) == 2]
    assert effects[(1, 2)] == pytest.approx(1.0, rel=0.1)
    assert sum(effects[term] for term in pairs if 0 in term) < 1e-3 * effects[(1, 2)]


def test_three_columns_need_order_3() -> None:
    def triple(X: np.ndarray) -> np.ndarray:
        value: np.ndarray = X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3]
        return value

    report = instashap.audit(triple, X, orders=(1, 2, 3))
    assert report.verdicts == {1: "unsafe", 2: "unsafe", 3: "safe"}
    for rung in report.rungs[1:3]:
        assert [term.name for term in rung.missing] == ["x0 × x1 × x2"]
    assert report.rungs[3].carried.low > 0.99


def compute_plain_share(d: int, rho: float) -> float:
    """Share of the interior games of ``f = x1 + … + xd`` that ``v(x; S) = c sum_S x`` explains, c by the masked loss.

    ``F(x; S) = a_s sum_S x`` with ``a_s = 1 + (d - s) rho / (1 + (s - 1) rho)``.
    """
    s = np.arange(1, d + 1)
    kernel = 1 / (s[:-1] * (d - s[:-1]))
    mass = np.append(kernel / kernel.sum(), 1.0)
    slope, variance = 1 + (d - s) * rho / (1 + (s - 1) * rho), s * (1 + (s - 1) * rho)
    c = (mass * variance) @ slope / (mass @ variance)
    inner = (mass * variance)[:-1]
    return float(1 - inner @ (slope[:-1] - c) ** 2 / (inner @ slope[:-1] ** 2))


def test_correlated_columns_of_an_additive_function_are_redundant_not_missing() -> None:
    covariance = 0.9 * np.ones((4, 4)) + 0.1 * np.eye(4)
    Z = np.random.default_rng(0).multivariate_normal(np.zeros(4), covariance, 3000)
    report = instashap.audit(lambda Z: Z.sum(axis=1), Z, orders=[1])
    one = report.rungs[1]
    assert one.judge(report.thresholds) == {"prediction": "safe", "attribution": "safe"}
    assert one.missing == ()
    assert one.masked is not None
    assert one.masked.plain is not None
    assert one.masked.plain == pytest.approx(compute_plain_share(4, 0.9), abs=0.01)
    assert report.table.loc["order 1", "verdict, plain"] == "caution"
    assert len(report.redundancy) == 5
    assert "as in a plain additive model, would explain 7" in report.summary()
    assert report.stability is not None
    independent = instashap.audit(lambda X: X.sum(axis=1), FEW, orders=[1])
    assert independent.redundancy == ()
    assert independent.table.loc["order 1", "verdict, plain"] == "safe"


def test_figures_are_those_of_scikit_learn(pair_report: TrustReport) -> None:
    labels = pair(X) + np.random.default_rng(1).normal(size=len(X))
    assert pair_report.black_box["R² to labels"].value == pytest.approx(r2_score(labels, pair(X)), abs=1e-9)
    assert pair_report.rungs[2].labels["R² to labels"].value == pytest.approx(r2_score(labels, pair(X)), abs=2e-3)
    fresh = np.random.default_rng(5).normal(size=(1000, 4))
    explainer = Explainer(pair, order=1).fit(X)
    report = explainer.audit(fresh)
    assert report.how == "new rows"
    assert report.rungs[-1].carried.value == pytest.approx(r2_score(pair(fresh), explainer.predict(fresh)), abs=2e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_figures_of_a_classifier(n_classes: int) -> None:
    score = FEW[:, 0] + FEW[:, 1] * FEW[:, 2]
    y = np.array(["a", "b", "c"])[np.digitize(score, [0.0, 1.0][: n_classes - 1])]
    features = np.column_stack([FEW, FEW[:, 1] * FEW[:, 2]])

    class Model:
        classes_ = np.unique(y)
        inner = LogisticRegression().fit(features, y)

        def predict_proba(self, X: Any) -> np.ndarray:
            found: np.ndarray = self.inner.predict_proba(np.column_stack([X, X[:, 1] * X[:, 2]]))
            return found

    report = instashap.audit(Model(), FEW, y, orders=[1])
    given = Model().predict_proba(FEW)
    own = report.black_box
    assert own["accuracy"].value == pytest.approx(accuracy_score(y, Model.classes_[given.argmax(axis=1)]))
    assert own["log-loss"].value == pytest.approx(log_loss(y, given), rel=1e-5)
    if n_classes == 2:
        assert own["Brier score"].value == pytest.approx(2 * brier_score_loss(y == "b", given[:, 1]))
    rung = report.rungs[1]
    same = Explainer(Model(), order=1).fit(FEW)
    logits = same.predict(FEW)
    guessed = (logits > 0).astype(int) if n_classes == 2 else logits.argmax(axis=1)
    assert rung.classes["class agreement"].value == pytest.approx((guessed == given.argmax(axis=1)).mean(), abs=0.02)
    assert rung.classes["log-loss gap"].low > 0
    assert {each.name for each in rung.outputs} == set(Model.classes_)
    mean = np.average([each.agreement for each in rung.outputs], weights=np.bincount(given.argmax(axis=1)))
    assert mean == pytest.approx(rung.classes["class agreement"].value)
    assert "of the rows in the class the model puts them in" in report.summary()


def test_a_planted_region_is_put_in_words() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.uniform(-1, 1, size=(4000, 5)), columns=["age", "rate", "size", "depth", "load"])
    table["town"] = rng.choice(["north", "south", "west"], 4000)

    def model(table: pd.DataFrame) -> np.ndarray:
        signs = np.sign(table["rate"] * table["size"] * table["depth"] * table["load"])
        inside = (table["town"] == "west") & (table["age"] > 0.3)
        value: np.ndarray = (2 * table["rate"] + table["size"] + inside * signs).to_numpy()
        return value

    report = instashap.audit(model, table, orders=[2])
    segment = report.rungs[-1].segments[0]
    planted = (table["town"] == "west") & (table["age"] > 0.3)
    assert segment.conditions[-1] == "town is west"
    assert segment.conditions[0].startswith("age is above 0.")
    found = (table["town"] == "west") & (table["age"] > float(segment.conditions[0].split()[-1]))
    assert (planted & found).sum() / (planted | found).sum() >= 0.7
    assert "Worst where age is above" in report.summary()


def test_nothing_depends_on_the_order_of_the_rows() -> None:
    few = FEW[:600]
    labels = pair(few) + np.random.default_rng(1).normal(size=len(few))
    order = np.random.default_rng(3).permutation(len(few))
    report, shuffled = instashap.audit(pair, few, labels), instashap.audit(pair, few[order], labels[order])
    pd.testing.assert_frame_equal(shuffled.table, report.table, rtol=1e-6)
    assert shuffled.verdicts == report.verdicts
    assert instashap.audit(pair, few, labels).table.equals(report.table)


def test_verdicts_of_functions_the_thresholds_have_not_seen() -> None:
    """Main effect plus interaction of known share: order 1 is safe from .95 on, unsafe below .80 (docs/trust.md)."""
    for seed, share in enumerate([0.02, 0.03, 0.08, 0.12, 0.17, 0.24, 0.4]):
        rng = np.random.default_rng(seed)
        Z = rng.uniform(-np.sqrt(3), np.sqrt(3), size=(1500, 3))
        f = np.sqrt(1 - share) * Z[:, 0] + np.sqrt(share) * Z[:, 1] * Z[:, 2]
        report = get_audit(Explainer(order=1).fit(Z, outputs=f)._fitted)
        carried = 1 - share
        prediction = report.judge(report.rungs[-1])["prediction"]
        assert prediction == ("safe" if carried >= 0.95 else "unsafe" if carried < 0.80 else "caution")
        assert report.verdict == ("unsafe" if carried < 0.80 else "caution")  # a short audit compares with no reference
        assert report.rungs[-1].carried.value == pytest.approx(carried, abs=0.05)


def test_thresholds_can_be_ones_own() -> None:
    explainer = Explainer(pair, order=1).fit(FEW)
    lenient = Thresholds(0.4, 0.3, safe_attribution=0.5, unsafe_attribution=0.5, segment_carried=0.0)
    assert explainer.audit().verdict == "unsafe"
    assert explainer.audit(thresholds=lenient).verdict == "safe"
    assert explainer.audit(thresholds=lenient).rungs == explainer.audit().rungs


def test_a_loaded_explainer_reports_its_stored_audit(tmp_path: Path) -> None:
    explainer = Explainer(pair).fit(FEW)
    explainer.save(tmp_path / "brief.insta")
    brief = instashap.load(tmp_path / "brief.insta").audit()
    assert brief.verdicts == {1: "unsafe", 2: "caution"}
    assert not brief.is_thorough
    assert brief.rungs[1].missing[0].name == "x1 × x2"
    report = explainer.audit()
    explainer.save(tmp_path / "whole.insta")
    loaded = instashap.load(tmp_path / "whole.insta")
    assert loaded.audit() == report
    assert str(loaded.audit()) == str(report)
    fresh = np.random.default_rng(5).normal(size=(400, 4))
    assert loaded.audit(fresh, model=pair).rungs[-1].carried.value > 0.999
    with pytest.raises(ValueError, match="this explainer holds none: pass model="):
        loaded.audit(fresh)
    with pytest.raises(NotFittedError, match="the rows of the fit"):
        loaded.audit(y=pair(FEW))


def test_the_report_is_json_html_and_a_table(pair_report: TrustReport) -> None:
    content = json.loads(json.dumps(pair_report.to_dict(), allow_nan=False))
    assert TrustReport.from_dict(content) == pair_report
    assert content["verdicts"] == {"1": "unsafe", "2": "safe"}
    html = pair_report._repr_html_()
    assert "order 1: unsafe" in html
    assert html.count("<li>") == len(pair_report.summary().splitlines())
    assert list(pair_report.table.index) == ["model", "order 0", "order 1", "order 2"]
    assert pair_report.table.loc["order 1", "output reproduced"] == pair_report.rungs[1].carried.value
    assert list(pair_report.masked_table["size"]) == [1, 2, 3, 1, 2, 3]
    assert max(map(len, str(pair_report).split("\n\n")[1].splitlines())) <= 100


def test_audits_that_are_not_possible_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"orders=\(1, 4\) must be some of 1 to 3"):
        instashap.audit(pair, X, orders=(1, 4))
    with pytest.raises(ValueError, match="orders is empty"):
        instashap.audit(pair, X, orders=[])
    with pytest.raises(ValueError, match="y has 5 columns, the model 1 outputs"):
        instashap.audit(pair, X, np.zeros((3000, 5)), orders=[1])
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=r"labels that are none of the model's classes .*: maybe"):
        instashap.audit(model, X, np.repeat("maybe", 3000), orders=[1])
    marginal = Explainer(pair, value_function=instashap.Baseline(X[0])).fit(X[:50])
    with pytest.raises(NotFittedError, match="conditional game"):
        marginal.audit()


@pytest.mark.parametrize("n_rows", [1, 2, 5, 30])
def test_an_audit_of_few_rows_does_not_fail(n_rows: int) -> None:
    few = X[:n_rows]
    for outputs in (few[:, 0], np.zeros(n_rows)):
        report = Explainer(order=1).fit(few, outputs=outputs).audit()
        assert report.n_rows == n_rows
        json.dumps(report.to_dict(), allow_nan=False)
        assert str(report)
    assert "there is nothing to explain" in report.summary()


def test_an_audit_reports_its_stages(capsys: pytest.CaptureFixture[str]) -> None:
    few = X[:400]
    explainer = Explainer(pair, verbose=1).fit(few)
    capsys.readouterr()
    explainer.audit()
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("audit: ") for line in lines)
    shares = [int(part.partition("%")[0].rpartition(" ")[2]) for part in lines]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    for stage in ("order 1: residuals", "order 1: masked games", "order 2: masked games", "stability of shapes"):
        assert any(stage in line for line in lines)


def test_a_brief_audit_fits_nothing_again(fitted: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instashap.questions.audit.ClosedFormFitter", None)
    report = get_audit(fitted._fitted)
    assert [rung.order for rung in report.rungs] == [0, 1, 2]
    assert report.rungs[1].carried.value < 0.7 < report.rungs[2].carried.value
