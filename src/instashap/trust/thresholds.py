"""When an explanation counts as safe: every number a verdict depends on, in one place."""

from dataclasses import dataclass, fields
from typing import Literal

Verdict = Literal["safe", "caution", "unsafe"]

# From the best to the worst.
VERDICTS: tuple[Verdict, ...] = ("safe", "caution", "unsafe")


@dataclass(frozen=True)
class Thresholds:
    """Shares from which explanations of an order are safe, and below which they are unsafe; caution lies between.

    An interval must lie on one side as a whole: safe if its lower end reaches the first number, unsafe if its upper end
    stays below the second.

    Attributes
    ----------
    safe_carried, unsafe_carried : float
        Share of the variance of the model's output that the order reproduces with all features known (R² on held-out rows).
        What is not reproduced is drawn in no picture.
    safe_agreement, unsafe_agreement : float
        For classifiers, the share of rows put in the model's class.
    safe_attribution, unsafe_attribution : float
        Estimated R² of the order's Shapley values to those of the conditional game.
    segment_carried, segment_share : float
        A part of the rows at least so large of which less is reproduced takes "safe" down to "caution".

    Examples
    --------
    >>> Thresholds(safe_carried=0.9).judge_share(0.91, 0.93, "carried")
    'safe'
    """

    safe_carried: float = 0.95
    unsafe_carried: float = 0.80
    safe_agreement: float = 0.95
    unsafe_agreement: float = 0.80
    safe_attribution: float = 0.90
    unsafe_attribution: float = 0.70
    segment_carried: float = 0.60
    segment_share: float = 0.02

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 <= value <= 1:
                raise ValueError(f"{each.name}={value!r} must be a share, from 0 to 1")
        for what in ("carried", "agreement", "attribution"):
            safe, unsafe = getattr(self, f"safe_{what}"), getattr(self, f"unsafe_{what}")
            if safe < unsafe:
                raise ValueError(f"safe_{what}={safe} must not lie below unsafe_{what}={unsafe}")

    def judge_share(self, low: float, high: float, what: str) -> Verdict:
        """Verdict on an interval of one of the three kinds of share."""
        if low >= getattr(self, f"safe_{what}"):
            return "safe"
        return "unsafe" if high < getattr(self, f"unsafe_{what}") else "caution"


def take_worst(verdicts: "list[Verdict]") -> Verdict:
    """The worst of some verdicts; safe if there are none."""
    return VERDICTS[max((VERDICTS.index(each) for each in verdicts), default=0)]
