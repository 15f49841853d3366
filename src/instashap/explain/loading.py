"""Loading of saved explainers."""

from __future__ import annotations

import os

from ..fitted.file import load_fitted
from .explainer import Explainer


def load(path: str | os.PathLike[str]) -> Explainer:
    """The explainer in a file written by :meth:`Explainer.save`; its values have the same bits.

    A file holds no model, and of the options only ``output`` and the order and presence order that were chosen. To fit again,
    make an explainer with the options of the first fit: groups, categories, bases, the value function and others.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If it is truncated, altered, or from a newer version.
    """
    explainer = Explainer()
    explainer._fitted, content = load_fitted(path)
    explainer.output = content.get("output", "auto")
    chosen = explainer._fitted.facts["chosen"]
    explainer.order, explainer.presence_order = chosen["order"], chosen["presence_order"]
    return explainer
