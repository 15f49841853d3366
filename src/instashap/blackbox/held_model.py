"""A user's model and its options; it is wrapped as a black box, and called, when outputs are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._alignment import align_rows, get_index, read_names
from .._progress import show_progress
from .._row_arrays import check_outputs
from .adapters import wrap_model
from .model import BATCH_ROWS, Answer, BlackBox, keep_values

NOTHING_TO_EXPLAIN = "there is nothing to explain: pass a model, or its predictions for these rows as outputs=..."


@dataclass(frozen=True)
class HeldModel:
    """A model, or none, and the options with which it is called.

    Attributes
    ----------
    model : estimator, callable or None
    output : {"auto", "raw", "probability"}
        Scale of a classifier's outputs.
    batch_rows : int
        The most rows of one call.
    verbose : int
        1 shows progress while the model is called.
    """

    model: Any
    output: str = "auto"
    batch_rows: int = BATCH_ROWS
    verbose: int = 0

    def wrap(self, lacking: str = NOTHING_TO_EXPLAIN) -> BlackBox:
        """The model on a stated scale; raises ``ValueError`` with the message ``lacking`` if there is none."""
        if self.model is None:
            raise ValueError(lacking)
        return wrap_model(self.model, self.output, self.batch_rows)

    def ask(self, X: Any, n_rows: int, outputs: Any = None, scale: dict[str, Any] | None = None) -> Answer:
        """The model's outputs for rows; with ``outputs``, its predictions, the model is not called.

        Parameters
        ----------
        X : table of n_rows rows
        n_rows : int
        outputs : array of shape (n_rows,) or (n_rows, n_outputs), optional
            Rows of pandas objects are matched to those of X by index.
        scale : dict, optional
            The scale of an earlier fit, for :meth:`BlackBox.restore`.
        """
        if outputs is not None:
            return take_outputs(align_rows(outputs, get_index(X), "outputs"), n_rows)
        with show_progress(self.verbose) as progress:
            return self.wrap().restore(scale).ask(X, n_rows, progress)


def take_outputs(outputs: Any, n_rows: int) -> Answer:
    """Given predictions as an answer, with the names of their columns, or of a Series."""
    box = BlackBox(lambda X: outputs, keep_values, read_names(outputs), "outputs as given", "outputs")
    return Answer(check_outputs(outputs, n_rows, "outputs"), box)
