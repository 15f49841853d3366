"""A fitted explainer as a model of MLflow: the saved file and a few lines of code that load it; nothing is pickled."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from .._errors import NotFittedError
from .._optional import require
from ..fitted.game import FittedGame, follow_recipe
from ..questions.audit import get_audit
from ..questions.explain_to import compute_columns, name_values
from ..questions.save import save_fitted
from ..table.columns import read_table
from .opened import open_fitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

# Models from code, and models named by ``name=``, are of MLflow 3.
_CODE = '''"""Explains rows by a saved explainer, without the model that it explains. Written by instashap."""

import mlflow

import instashap
from instashap.export import explain_frame


class SavedExplainer(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.explainer = instashap.load(context.artifacts["explainer"])

    def predict(self, context, model_input, params=None):
        return explain_frame(self.explainer, model_input)


mlflow.models.set_model(SavedExplainer())
'''


def save_mlflow(explainer: Any, path: str | os.PathLike[str]) -> None:
    """Write a folder that MLflow loads as a ``pyfunc`` model: the ``.insta`` file, and code that loads it; no pickle.

    Its ``predict`` takes rows as a DataFrame and gives ``base_value``, ``shap_<feature>`` and ``prediction``, doubles;
    ``mlflow.pyfunc.spark_udf`` gives the same as a struct. The signature names the columns of the fit, as of any type: their
    values are checked by the explainer.

    Parameters
    ----------
    explainer : Explainer
    path : str or path-like
        A folder that is not there yet, or empty.

    Raises
    ------
    OptionalDependencyError
        If MLflow is missing: ``pip install 'instashap[mlflow]'``.
    """
    fitted = open_fitted(explainer)
    pyfunc = require("mlflow.pyfunc", "mlflow", "models of MLflow")
    with _write_parts(fitted) as parts:
        pyfunc.save_model(os.fspath(path), **parts)


def log_mlflow(explainer: Any, name: str = "explainer", *, report: str | os.PathLike[str] | None = None) -> Any:
    """Log a fitted explainer to the current run of MLflow: the model of :func:`save_mlflow`, the audit, and a report.

    The audit is logged as ``audit.json`` and ``audit.txt``, its verdict as the tag ``instashap.verdict``, and the numbers of
    rows, features and terms as parameters ``instashap.…``. An explainer without an audit is logged without one.

    Parameters
    ----------
    explainer : Explainer
    name : str
        Name of the model.
    report : path, optional
        A file that :func:`instashap.write_report` wrote, logged beside.

    Returns
    -------
    mlflow.models.model.ModelInfo
        ``model_uri`` is what ``mlflow.pyfunc.load_model`` and ``spark_udf`` take.

    Raises
    ------
    OptionalDependencyError
        If MLflow is missing: ``pip install 'instashap[mlflow]'``.
    """
    fitted = open_fitted(explainer)
    mlflow = require("mlflow", "mlflow", "models of MLflow")
    pyfunc = require("mlflow.pyfunc", "mlflow", "models of MLflow")
    with _write_parts(fitted) as parts:
        logged = pyfunc.log_model(name=name, **parts)
    sizes = {"n_rows": fitted.facts["n_rows"], "n_features": len(fitted.feature_names), "n_terms": len(fitted.model.value_sets)}
    mlflow.log_params({f"instashap.{what}": size for what, size in sizes.items()})
    try:
        audit = get_audit(fitted)
    except NotFittedError:
        audit = None
    if audit is not None:
        mlflow.log_text(json.dumps(audit.to_dict(), allow_nan=True), "audit.json")
        mlflow.log_text(str(audit), "audit.txt")
        mlflow.set_tag("instashap.verdict", audit.verdict)
    if report is not None:
        mlflow.log_artifact(os.fspath(report))
    return logged


def explain_frame(explainer: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Base value, Shapley values and prediction of each row, as columns of doubles; a model of MLflow gives these.

    Parameters
    ----------
    explainer : Explainer
    frame : DataFrame
        The columns of the fit by name; others are ignored.
    """
    import pandas as pd

    fitted = open_fitted(explainer)
    wanted = _list_columns(fitted)
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise ValueError(f"the rows lack the column {missing[0]!r} of the fit; its columns are {wanted}")
    table = read_table(follow_recipe(fitted.recipe, frame[wanted]), fitted.schema)
    return pd.DataFrame(compute_columns(fitted, table, 1), columns=name_values(fitted), index=frame.index)


@contextmanager
def _write_parts(fitted: FittedGame) -> Iterator[dict[str, Any]]:
    """What MLflow is given, files of which are there until it has copied them."""
    with tempfile.TemporaryDirectory(prefix="instashap-mlflow-") as name:
        code, saved = Path(name) / "explain.py", Path(name) / "explainer.insta"
        code.write_text(_CODE, encoding="utf-8")
        save_fitted(fitted, saved)
        yield {
            "python_model": str(code),
            "artifacts": {"explainer": str(saved)},
            "pip_requirements": [f"instashap=={__version__}"],
            "signature": _describe(fitted),
        }


def _describe(fitted: FittedGame) -> Any:
    """The signature of MLflow: names of the columns that come in, of any type, and doubles that go out.

    Typed columns would refuse whole numbers, categories and booleans with missing values, all of which the fit accepts.
    """
    types = require("mlflow.types", "mlflow", "models of MLflow")
    schema = require("mlflow.types.schema", "mlflow", "models of MLflow")
    signature = require("mlflow.models.signature", "mlflow", "models of MLflow")
    columns = [types.ColSpec(schema.AnyType(), name) for name in _list_columns(fitted)]
    outputs = [types.ColSpec("double", name) for name in name_values(fitted)]
    return signature.ModelSignature(types.Schema(columns), types.Schema(outputs))


def _list_columns(fitted: FittedGame) -> list[str]:
    """Names of the columns that rows must have: those of the fit, or what its recipe reads."""
    names = list(map(str, fitted.schema.names))
    return names if fitted.recipe is None else fitted.recipe.find_raw_names(names)
