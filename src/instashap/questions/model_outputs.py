"""Outputs of the explained model for new rows, on the scale of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._alignment import name_outputs
from .._errors import ModelOutputError
from ..blackbox.adapters.families import order_columns
from ..blackbox.classes import list_classes
from ..blackbox.held_model import NOTHING_TO_EXPLAIN, HeldModel
from ..blackbox.model import Answer, BlackBox, order_box
from ..fitted.game import FittedGame


def ask_outputs(fitted: FittedGame, X: Any, held: HeldModel, outputs: Any, n_rows: int) -> NDArray[np.float64]:
    """The given outputs, or those of the model if None, matched to the fitted ones by name; shape (n_rows, n_outputs)."""
    if outputs is None:
        check_classes(fitted, held.model)
    rows = order_rows(fitted, X) if outputs is None else X
    answer = held.ask(rows, n_rows, order_columns(outputs, fitted.output_names), fitted.scale)
    return match_outputs(fitted, answer)


def order_rows(fitted: FittedGame, X: Any) -> Any:
    """The columns of the fit, in its order, in which it showed them to the model; unchanged where either has no names."""
    names = list(map(str, fitted.schema.names))
    return order_columns(X, names if fitted.recipe is None else fitted.recipe.find_raw_names(names))


def wrap_matched(fitted: FittedGame, X: Any, held: HeldModel, n_rows: int, lacking: str = NOTHING_TO_EXPLAIN) -> BlackBox:
    """The model on the scale of the fit, with its outputs in the order of the fitted ones, by name."""
    box = held.wrap(lacking).restore(fitted.scale).prepare(order_rows(fitted, X), n_rows)
    check_classes(fitted, held.model)
    _check_names(fitted, box.output_names)
    return order_box(box, fitted.output_names)


def match_outputs(fitted: FittedGame, answer: Answer) -> NDArray[np.float64]:
    """A model's outputs in the order of the fitted ones, by name where both name several.

    Raises ``ModelOutputError`` for another number of outputs, and for several outputs of other names.
    """
    fitted.check_n_outputs(answer.values)
    known, own = fitted.output_names, answer.output_names
    _check_names(fitted, own)
    return answer.values[:, [own.index(name) for name in known]] if sorted(own) == sorted(known) else answer.values


def _check_names(fitted: FittedGame, own: tuple[str, ...]) -> None:
    known = fitted.output_names
    has_names = own and len(own) == len(known) > 1 and known != name_outputs((), len(known))
    if has_names and set(own) != set(known):
        raise ModelOutputError(f"the model gives the outputs {list(own)}, the explainer was fitted on {list(known)}: fit again")


def check_classes(fitted: FittedGame, model: Any) -> None:
    """Raise ``ModelOutputError`` if the class of the only fitted output is the first of a model's two classes."""
    classes = getattr(model, "classes_", None)
    names = [] if classes is None or len(fitted.output_names) > 1 else [str(each) for each in list_classes(classes)]
    if len(names) == 2 and names[0] == fitted.output_names[0] != names[1]:
        raise ModelOutputError(
            f"the explainer was fitted on outputs of class {names[0]!r}, which is the first class of this model, whose outputs "
            f"are those of {names[1]!r}: {_ORDER}"
        )


_ORDER = "pass a model whose classes are in the order of the fit, or fit again"


def check_class_order(fitted: FittedGame, model: Any) -> None:
    """As :func:`check_classes`, and if the classes of the fitted outputs are in another order in the model."""
    check_classes(fitted, model)
    names = tuple(str(each) for each in list_classes(getattr(model, "classes_", ())))
    if len(names) > 2 and names != fitted.output_names and sorted(names) == sorted(fitted.output_names):
        known = list(fitted.output_names)
        raise ModelOutputError(f"the classes of this model are {list(names)}, those of the fit {known}: {_ORDER}")
