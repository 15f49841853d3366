"""The report as the output of a notebook's cell: the same page in a frame, live and without a connection."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from .._validation import check_choice
from .page import render_page
from .summary import summarise

# What is shown of the page: all of it, or the row explorer alone.
PARTS = ("rows", "all")
# Only the explorer's own section, the choice of an output and the line below the title stay.
_ROWS_ALONE = "section:not(#explorer),nav,header h1,footer,.skip{display:none!important}"
# A link to a row has no address inside a frame.
_IN_A_FRAME = "#permalink{display:none}"


@dataclass(frozen=True, repr=False)
class ReportView:
    """A report that a notebook shows in a frame.

    Attributes
    ----------
    page : str
        The HTML of the page, which holds all data and scripts.
    title : str
    height : int
        Height of the frame in pixels; its content scrolls.
    """

    page: str
    title: str
    height: int

    def _repr_html_(self) -> str:
        """A frame with the page inside it; scripts run there alone, without access to the notebook."""
        return (
            f"<iframe srcdoc='{html.escape(self.page)}' title='{html.escape(self.title)}' "
            "sandbox='allow-scripts allow-downloads' "
            f"style='width:100%;height:{self.height}px;border:1px solid rgba(128,128,128,.4);border-radius:4px'>"
            "</iframe>"
        )

    def __repr__(self) -> str:
        size = f"{len(self.page) / 1e6:.1f} MB of HTML"
        return f"ReportView of {self.title!r}: {size}, shown in notebooks; write_report writes files"


def show_report(
    explainer_or_estimator: Any,
    X: Any,
    y: Any = None,
    *,
    part: str = "rows",
    title: str = "Model report",
    height: int = 680,
) -> ReportView:
    """The live row explorer, or the whole report, as the output of a notebook's cell.

    It is the page of :func:`write_report` in a frame: sliders and lists change a row, and prediction and Shapley values follow.
    It needs no connection and no running kernel, so it also works in a notebook that was saved and sent.

    Parameters
    ----------
    explainer_or_estimator, X, y, title
        As in :func:`write_report`; the audit takes as long as there.
    part : {"rows", "all"}
        "rows": the row explorer alone.
    height : int
        Height of the frame in pixels, at least 100.

    Returns
    -------
    ReportView
        A notebook shows it if it is the last line of a cell. It adds about 2 MB to the notebook's file.

    Raises
    ------
    ValueError
        For another part or a smaller height.

    Examples
    --------
    >>> import numpy as np
    >>> from instashap import Explainer
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> explainer = Explainer(lambda X: X[:, 0] - X[:, 1], order=1, synthetic_rows=0).fit(X)
    >>> show_report(explainer, X, title="Two columns")._repr_html_()[:15]
    '<iframe srcdoc='
    """
    check_choice(part, PARTS, "part")
    if not height >= 100:
        raise ValueError(f"height={height} shows nothing; use 100 pixels or more")
    page = render_page(summarise(explainer_or_estimator, X, y), title)
    style = _IN_A_FRAME + _ROWS_ALONE * (part == "rows")
    page = page.replace("</head>", f"<style>{style}</style></head>", 1)
    return ReportView(page, title, int(height))
