"""What a fitted game answers by itself: values, predictions and files, from its tables alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._registries import EXPORTS, QUESTIONS
from ..questions.values import (
    compute_index_values,
    compute_interaction_values,
    compute_mobius_values,
    compute_shap_values,
    predict_outputs,
)
from .attributes import FittedAttributes
from .compiled import CompiledExplainer
from .options import ExplainerOptions

if TYPE_CHECKING:
    import numpy as np


class LookUps(ExplainerOptions, FittedAttributes):
    """Look-ups in the tables of a fit: they need neither the model nor the rows of the fit, so that a file answers them too."""

    def shap_values(self, X: Any) -> NDArray[np.float64]:
        """Shapley values, shape (n_rows, n_features) or (n_rows, n_features, n_outputs).

        ``SHAP_i(x) = sum_{R ∋ i} h_R(x) / |R|`` over the presence sets (InstaSHAP, Eq. 13). A row's values and
        ``expected_value`` sum to ``predict``.
        """
        return compute_shap_values(self._check_fitted(), X, self.n_jobs)

    def index_values(self, X: Any, index: Any, *, structure: Any = None) -> NDArray[np.float64]:
        """Values of the features by an index of cooperative games, such as Banzhaf's; of the shape of :meth:`shap_values`.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        index : str or object
            "banzhaf": the mean contribution of a feature over all coalitions of the others, with equal weights; where three
            and more features interact, a row's values do not sum to its output. "shapley": as :meth:`shap_values`.
            "asymmetric": the mean contribution over the orders in which causes, or earlier times, come first. "owen": over
            the orders in which the features of a group follow each other. Or an object of your own with a method ``split``,
            which divides each component of the game among its features (:class:`instashap.game.credits.Index`).
        structure : list of lists of features, optional
            For "asymmetric" the groups in their order, the earliest first; features in no group may come anywhere. For "owen"
            the groups; features in no group are by themselves.
        """
        return compute_index_values(self._check_fitted(), X, index, structure, self.n_jobs)

    def interaction_values(self, X: Any, *, errors: bool = False) -> Any:
        """Value of each shape function on each row, shape (n_rows, n_terms) or (n_rows, n_terms, n_outputs).

        Columns are in the order of ``terms_``; a row's values and ``expected_value`` sum to ``predict``. With ``errors`` it
        returns a pair: the values, and their standard errors in an array of the same shape.
        """
        return compute_interaction_values(self._check_fitted(), X, errors, self.n_jobs)

    def mobius_values(self, X: Any, players: Any, *, errors: bool = False) -> Any:
        """Möbius coefficient of a set of features, on each row; shape (n_rows,) or (n_rows, n_outputs).

        It is the part of the game that is added once all of these features are known: ``Σ_{R ⊆ S} (-1)^{|S| - |R|} g(x; R)``.

        Parameters
        ----------
        players : iterable of str or int
            The set S: features by name, label or position. The coefficients are zero for a set without a part in the model, and
            the base value for the empty set.
        errors : bool
            Return a pair: the values, and their standard errors in an array of the same shape.
        """
        return compute_mobius_values(self._check_fitted(), X, players, errors, self.n_jobs)

    def predict(self, X: Any, *, masks: Any = None, errors: bool = False) -> Any:
        """Output of the additive model, shape (n_rows,) or (n_rows, n_outputs).

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        masks : bool array of shape (n_features,) or (n_rows, n_features), optional
            Which features are known (True), for all rows or row by row: the output is then the fit's estimate of
            ``E[f(X) | x_known]``, and depends on no other value of the row. Default: all are known. The columns of a frame are
            matched to the features by name, its rows to those of X by index.
        errors : bool
            Return a pair: the outputs, and their standard errors in an array of the same shape. All features must be known.
        """
        return predict_outputs(self._check_fitted(), X, masks, errors, self.n_jobs)

    def explain_to(self, path: str | os.PathLike[str], X: Any, *, keep: Any = ()) -> None:
        """Write Shapley values of rows that need not fit in memory to one Parquet file.

        Rows are read, explained and written part by part, with at most 1 GiB of memory. Finished parts are in the folder
        ``path + ".parts"``: the same call after an interruption continues from them. The file is created once all are finished.

        Parameters
        ----------
        path : str or path-like
        X : table or row source
            As in :meth:`fit`.
        keep : "all" or list of columns
            Columns of X to write beside the values, for example one that identifies the rows.

        Notes
        -----
        The columns are those to keep, ``base_value``, ``shap_`` and the name of each feature, and ``prediction``. With several
        outputs there is one of each for every output, with ``" · "`` and its name at the end. The numbers have the same bits
        as :meth:`shap_values` and :meth:`predict`. ``verbose=1`` shows rows per second and the time left.
        """
        from ..questions.explain_to import explain_to

        explain_to(self._check_fitted(), path, X, keep=keep, n_jobs=self.n_jobs, verbose=self.verbose)

    def ask(self, question: str, *given: Any, **options: Any) -> Any:
        """The answer to a question about the fitted game, by the name of the question.

        Parameters
        ----------
        question : str
            One of :data:`instashap._registries.QUESTIONS`: "index_values", "rank_terms", or one that was added.
        given, options
            Arguments of the question after the fitted game.
        """
        return QUESTIONS.find(question)(self._check_fitted(), *given, **options)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the additive model to a file for other programs; the ending of the path selects the format.

        ``.onnx``, ``.sql`` (for DuckDB), ``.py`` and ``.js`` predict and explain rows without this package; functions of
        :mod:`instashap.export` write the same with options. ``.json`` holds columns, local bases, terms and tables as plain
        lists. docs/export.md explains all of them. Raises ``ValueError`` for an unknown ending and for a fit that the format
        cannot express, and ``OSError`` if the folder cannot be written.
        """
        EXPORTS.find(Path(path).suffix)(self._check_fitted(), path)

    def compile(self) -> CompiledExplainer:
        """A function from C-ordered float64 rows to Shapley values, with the least overhead: names are not checked."""
        return CompiledExplainer(self._check_fitted(), self.n_jobs)
