"""Declaration of the audit in a saved explainer: its figures by kind, and what they must agree in."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from .column_facts import require
from .kinds import flag, integer, list_of, mapping_of, maybe, number, one_of, record, text

_FIGURE = list_of(number, 3, 3)
_RUNG = record(
    {
        "order": integer(0),
        "presence_order": integer(0),
        "carried": _FIGURE,
        "classes": mapping_of(_FIGURE),
        "labels": mapping_of(_FIGURE),
        "masked": maybe(
            record(
                {
                    "carried": _FIGURE,
                    "plain": maybe(number),
                    "sizes": list_of(
                        record(
                            {
                                "size": integer(0),
                                "risk": _FIGURE,
                                "gap": _FIGURE,
                                "estimation": number,
                                "representation": number,
                            }
                        )
                    ),
                    "power?": maybe(number),
                }
            )
        ),
        "attribution?": maybe(
            record(
                {
                    "r2": _FIGURE,
                    "reference": text,
                    "biases": list_of(list_of(number)),
                    "n_rows": integer(0, 2**53),
                    "n_calls": integer(0, 2**53),
                }
            )
        ),
        "missing": list_of(record({"columns": list_of(text, 1), "gain": number})),
        "segments": list_of(record({"conditions": list_of(text), "share": number, "carried": _FIGURE, "lost": number})),
        "outputs": list_of(record({"name": text, "carried": _FIGURE, "agreement": maybe(number)})),
        "gradient": maybe(number),
    }
)
_THRESHOLDS = (
    *("safe_carried", "unsafe_carried", "safe_agreement", "unsafe_agreement"),
    *("safe_attribution", "unsafe_attribution", "segment_carried", "segment_share"),
)
_QUALITY = record(
    {
        "score": one_of("R²", "accuracy", "deviance explained", "pinball loss saved"),
        "value": _FIGURE,
        "guess": number,
        "n_rows": integer(0, 2**53),
        "skill": maybe(_FIGURE),
        "is_training": flag,
    }
)
AUDIT = record(
    {
        "rungs": list_of(_RUNG, 1),
        "n_rows": integer(0, 2**53),
        "how": one_of("cross-fitted", "new rows", "fitted rows"),
        "output_transform": text,
        "black_box": mapping_of(_FIGURE),
        "redundancy": list_of(record({"features": list_of(text, 2, 2), "share": number})),
        "stability": maybe(record({"masked": number, "plain": number})),
        "thresholds": record(dict.fromkeys(_THRESHOLDS, number)),
        "verdict": text,
        "verdicts": mapping_of(text),
        "quality?": maybe(_QUALITY),
        "is_exact?": flag,
    }
)


def check_audit(audit: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless an audit is consistent.

    Orders increase to at least 1, every figure against labels of the black box is also there for the highest order, and
    thresholds are shares in the right order.
    """
    orders = [rung["order"] for rung in audit["rungs"]]
    require(
        all(a < b for a, b in pairwise(orders)) and orders[-1] >= 1,
        f"orders {orders} of the audit must be increasing, the last at least 1",
    )
    last, thresholds = audit["rungs"][-1], audit["thresholds"]
    require(audit["black_box"].keys() <= last["labels"].keys(), "the audit lacks figures against labels")
    require(all(0 <= each <= 1 for each in thresholds.values()), "thresholds of the audit must be between 0 and 1")
    for what in ("carried", "agreement", "attribution"):
        safe, unsafe = f"safe_{what}", f"unsafe_{what}"
        require(thresholds[safe] >= thresholds[unsafe], f"thresholds of the audit: {safe} is below {unsafe}")
