"""The trust report: figures of an audit, its verdict, and both in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .attribution import Attribution
from .figures import Figure
from .masked import MaskedFidelity, SizeRisk
from .missing import MissingTerm
from .quality import Quality
from .redundancy import RedundantPair
from .render import name_report, render_html, render_sentences, render_text
from .scores import OutputShare
from .segments import Segment
from .stability import Stability
from .thresholds import Thresholds, Verdict, take_worst
from .words import summarise

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rung:
    """One order of explanations.

    Attributes
    ----------
    order : int
        Columns a shape function reads; 0 is the base value alone.
    presence_order : int
        Features whose joint presence may matter.
    carried : Figure
        Share of the variance of the model's output that is reproduced with all features known: R² on held-out rows.
    classes : dict of str to Figure
        For classifiers: class agreement, log-loss gap (mean Kullback–Leibler divergence from the model's probabilities to the
        order's), Brier gap.
    labels : dict of str to Figure
        Against labels, if they were given: R², or accuracy, log-loss and Brier score.
    masked : MaskedFidelity or None
    attribution : Attribution or None
        How far the Shapley values are from those of the conditional game; None where nothing was compared.
    missing : tuple of MissingTerm
        What this order lacks, the largest gain first.
    segments : tuple of Segment
        Where it is worst.
    outputs : tuple of OutputShare
        Each output, or class, by itself.
    gradient : float or None
        Largest residual of the normal equations relative to their right-hand side: 0 certifies the optimum, so that no loss
        comes from an optimiser.
    """

    order: int
    presence_order: int
    carried: Figure
    classes: dict[str, Figure] = field(default_factory=dict)
    labels: dict[str, Figure] = field(default_factory=dict)
    masked: MaskedFidelity | None = None
    attribution: Attribution | None = None
    missing: tuple[MissingTerm, ...] = ()
    segments: tuple[Segment, ...] = ()
    outputs: tuple[OutputShare, ...] = ()
    gradient: float | None = None

    def judge(self, thresholds: Thresholds) -> dict[str, Verdict]:
        """Verdict by what it rests on."""
        verdicts: dict[str, Verdict] = {
            "prediction": thresholds.judge_share(self.carried.low, self.carried.high, "carried")
        }
        if "class agreement" in self.classes:
            same = self.classes["class agreement"]
            verdicts["classes"] = thresholds.judge_share(same.low, same.high, "agreement")
        if self.attribution is not None:
            r2 = self.attribution.r2
            verdicts["attribution"] = thresholds.judge_share(r2.low, r2.high, "attribution")
        elif self.masked is not None and self.masked.power is None:  # compared with the value function itself
            share = self.masked.carried
            verdicts["attribution"] = thresholds.judge_share(share.low, share.high, "attribution")
        else:
            verdicts["evidence"] = "caution"
        bad = [
            each
            for each in self.segments
            if each.share >= thresholds.segment_share and each.carried.high < thresholds.segment_carried
        ]
        if bad:
            verdicts["segments"] = "caution"
        return verdicts


@dataclass(frozen=True, repr=False)
class TrustReport:
    """May these explanations be believed? Made by :func:`instashap.audit` and :meth:`instashap.Explainer.audit`.

    Attributes
    ----------
    rungs : tuple of Rung
        Order 0, and every order asked for.
    n_rows : int
        Rows that were judged.
    how : {"cross-fitted", "new rows", "fitted rows"}
        Whether every row was held out of the fit that is judged by it, or came after the fit, or could not be held out.
    output_transform : str
        What is explained, on which scale.
    black_box : dict of str to Figure
        The model itself against labels, if they were given.
    redundancy : tuple of RedundantPair
    stability : Stability or None
    thresholds : Thresholds
    quality : Quality or None
        Whether the model is any good, if there were labels. ``verdict`` is about the explanations alone: those of a bad model
        can be right, and those of a good one wrong.
    is_exact : bool
        Whether the explained model is itself additive, so that base value and values are its own prediction to rounding.
    """

    rungs: tuple[Rung, ...]
    n_rows: int
    how: str
    output_transform: str
    black_box: dict[str, Figure] = field(default_factory=dict)
    redundancy: tuple[RedundantPair, ...] = ()
    stability: Stability | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    quality: Quality | None = None
    is_exact: bool = False

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """Verdict on each order from 1: the worst of its parts."""
        return {rung.order: take_worst(list(self.judge(rung).values())) for rung in self.rungs if rung.order}

    def judge(self, rung: Rung) -> dict[str, Verdict]:
        """Verdict on one order by what it rests on; at most "caution" where no row was held out of the fit."""
        held_out: dict[str, Verdict] = {"held-out rows": "caution"} if self.how == "fitted rows" else {}
        return rung.judge(self.thresholds) | held_out

    @property
    def verdict(self) -> Verdict:
        """Verdict on the highest order: that of the explanations one would use."""
        return self.verdicts[self.rungs[-1].order]

    @property
    def attribution_r2(self) -> Figure | None:
        """Estimated R² of the highest order's Shapley values to those of the conditional game; None if nothing was compared."""
        attribution = self.rungs[-1].attribution
        return None if attribution is None else attribution.r2

    @property
    def n_calls(self) -> int:
        """Rows the model was asked about for the audit, beside its own."""
        return max((rung.attribution.n_calls for rung in self.rungs if rung.attribution is not None), default=0)

    @property
    def is_thorough(self) -> bool:
        """Whether the masked games and the stability of shapes were asked about, where there is something to ask."""
        return self.stability is not None or any(rung.masked is not None for rung in self.rungs)

    @property
    def table(self) -> pd.DataFrame:
        """A row for the model and each order: every figure with the ends of its 90 % interval, and the verdict."""
        import pandas as pd

        rows: dict[str, dict[str, Any]] = {"model": _flatten(self.black_box)}
        for rung in self.rungs:
            figures = {"output reproduced": rung.carried, **rung.classes, **rung.labels}
            if rung.attribution is not None:
                figures["attribution R²"] = rung.attribution.r2
            if rung.masked is not None:
                figures["partly known rows explained"] = rung.masked.carried
            rows[f"order {rung.order}"] = _flatten(figures) | {
                "partly known rows explained, plain": None if rung.masked is None else rung.masked.plain,
                "verdict, plain": _judge_plain(rung, self.thresholds),
                "gradient": rung.gradient,
                "verdict": self.verdicts.get(rung.order),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def masked_table(self) -> pd.DataFrame:
        """Masked risk by order and coalition size, as shares of the output's variance, and what its gap is made of."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "order": rung.order,
                    "size": each.size,
                    **_flatten({"risk": each.risk, "gap": each.gap}),
                    "representation": each.representation,
                    "estimation": each.estimation,
                    "optimisation": 0.0,
                }
                for rung in self.rungs
                if rung.masked is not None
                for each in rung.masked.sizes
            ]
        )

    def summary(self) -> str:
        """The findings in plain sentences, the verdict first."""
        return summarise(self)

    def to_text(self) -> str:
        """The report in plain sentences, for people and for language models: what was judged, the verdicts, the findings."""
        return render_sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """Every figure as JSON; :meth:`from_dict` reads it back."""
        return {**asdict(self), "verdict": self.verdict, "verdicts": {str(k): v for k, v in self.verdicts.items()}}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TrustReport:
        """A report from what :meth:`to_dict` gave."""
        return cls(
            rungs=tuple(_read_rung(each) for each in content["rungs"]),
            n_rows=content["n_rows"],
            how=content["how"],
            output_transform=content["output_transform"],
            black_box=_read_figures(content["black_box"]),
            redundancy=tuple(RedundantPair(tuple(each["features"]), each["share"]) for each in content["redundancy"]),
            stability=None if content["stability"] is None else Stability(**content["stability"]),
            thresholds=Thresholds(**content["thresholds"]),
            quality=None if content.get("quality") is None else Quality.from_dict(content["quality"]),
            is_exact=content.get("is_exact", False),
        )

    def __str__(self) -> str:
        return render_text(self)

    def __repr__(self) -> str:
        return name_report(self)

    def _repr_html_(self) -> str:
        """The report for notebooks."""
        return render_html(self)


def _judge_plain(rung: Rung, thresholds: Thresholds) -> Verdict | None:
    """Verdict on attributions read off the shape functions alone."""
    if rung.masked is None or rung.masked.plain is None:
        return None
    return thresholds.judge_share(rung.masked.plain, rung.masked.plain, "attribution")


def _flatten(figures: Mapping[str, Figure]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, figure in figures.items():
        flat |= {name: figure.value, f"{name}, low": figure.low, f"{name}, high": figure.high}
    return flat


def _read_figures(content: Mapping[str, Any]) -> dict[str, Figure]:
    return {name: Figure(*each) for name, each in content.items()}


def _read_rung(content: Mapping[str, Any]) -> Rung:
    masked = content["masked"]
    return Rung(
        order=content["order"],
        presence_order=content["presence_order"],
        carried=Figure(*content["carried"]),
        classes=_read_figures(content["classes"]),
        labels=_read_figures(content["labels"]),
        masked=None if masked is None else _read_masked(masked),
        attribution=_read_attribution(content.get("attribution")),
        missing=tuple(MissingTerm(tuple(each["columns"]), each["gain"]) for each in content["missing"]),
        segments=tuple(
            Segment(tuple(each["conditions"]), each["share"], Figure(*each["carried"]), each["lost"])
            for each in content["segments"]
        ),
        outputs=tuple(OutputShare(each["name"], Figure(*each["carried"]), each["agreement"]) for each in content["outputs"]),
        gradient=content["gradient"],
    )


def _read_attribution(content: Mapping[str, Any] | None) -> Attribution | None:
    if content is None:
        return None
    biases = tuple(map(tuple, content["biases"]))
    return Attribution(Figure(*content["r2"]), content["reference"], biases, content["n_rows"], content["n_calls"])


def _read_masked(content: Mapping[str, Any]) -> MaskedFidelity:
    sizes = tuple(
        SizeRisk(each["size"], Figure(*each["risk"]), Figure(*each["gap"]), each["estimation"], each["representation"])
        for each in content["sizes"]
    )
    return MaskedFidelity(Figure(*content["carried"]), content["plain"], sizes, content.get("power"))
