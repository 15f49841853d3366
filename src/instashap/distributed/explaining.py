"""Shapley values of the rows of a cluster, as a frame that is computed when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from .._optional import require
from .._validation import check_choice
from ..explain.explainer import Explainer
from ..fitted.game import Answers, FittedGame, follow_recipe
from ..questions.explain_to import compute_columns, name_values
from ..rows.arrow import make_frame
from ..table.columns import read_table
from .recognise import find_engine
from .spark_rows import map_batches, select_columns


def explain(explainer: Explainer, frame: Any, *, keep: Sequence[str] = ()) -> Any:
    """A lazy frame of the same engine with the Shapley values of each row.

    Columns are those of :meth:`instashap.Explainer.explain_to`: what is kept, ``base_value``, ``shap_<feature>`` and
    ``prediction``, doubles; with several outputs their names end in `` · <output>``.

    Parameters
    ----------
    explainer : Explainer
        Workers receive its tables, not its black box.
    frame : Dask or Spark DataFrame, or Ray Dataset
    keep : sequence of str
        Columns of the frame to give beside the values.

    Raises
    ------
    TypeError
        For another object.
    ValueError
        If the frame lacks columns of the fit, or a column that is kept has the name of a value.
    """
    fitted = explainer._check_fitted()
    engine = find_engine(frame)
    if engine is None:
        what = f"a Dask or Spark DataFrame or a Ray Dataset, got a {type(frame).__name__}"
        raise TypeError(f"explain() takes {what}: explainer(X) explains a table")
    names, kept = name_values(fitted), list(keep)
    fitted_names = list(map(str, fitted.schema.names))
    features = fitted_names if fitted.recipe is None else fitted.recipe.find_raw_names(fitted_names)
    there = list(map(str, frame.schema().names if engine == "ray" else frame.columns))
    for name in [*features, *kept]:
        check_choice(name, tuple(there), "a column of the fit, or of keep=,")
    clash = sorted({*kept} & {*names})
    if clash:
        raise ValueError(f"columns {clash} are named like what is given beside them: rename them, or leave them out of keep=")
    columns = list(dict.fromkeys([*features, *kept]))
    slim = replace(fitted, record=None, rows=None, answers=Answers())
    if engine == "dask":
        chosen = frame[columns]
        meta = pd.concat([chosen._meta[kept], pd.DataFrame({name: np.empty(0) for name in names})], axis=1)
        return chosen.map_partitions(partial(_explain_frame, slim, features, kept), meta=meta)
    if engine == "ray":
        explain_batch = partial(_explain_batch, slim, features, kept)
        return frame.select_columns(columns).map_batches(explain_batch, batch_format="pyarrow", batch_size=None)
    return _explain_spark(slim, select_columns(frame, columns), features, kept)


def _explain_spark(fitted: FittedGame, chosen: Any, features: list[str], kept: list[str]) -> Any:
    types = require("pyspark.sql.types", "spark", "rows on a Spark cluster")
    fields = [chosen.schema[name] for name in kept]
    fields += [types.StructField(name, types.DoubleType()) for name in name_values(fitted)]
    return map_batches(chosen, partial(_explain_batches, fitted, features, kept), types.StructType(fields))


def _explain_batches(fitted: FittedGame, features: list[str], kept: list[str], batches: Iterator[Any]) -> Iterator[Any]:
    for batch in batches:
        if batch.num_rows:
            yield _explain_batch(fitted, features, kept, batch)


def _explain_batch(fitted: FittedGame, features: list[str], kept: list[str], batch: Any) -> Any:
    """A record batch, or a table, of the values of another's rows."""
    pyarrow = require("pyarrow", "tables", "rows on a cluster")
    values = _compute(fitted, make_frame(batch)[features]) if batch.num_rows else np.empty((0, len(name_values(fitted))))
    arrays = [batch.column(name) for name in kept] + [pyarrow.array(np.ascontiguousarray(each)) for each in values.T]
    return type(batch).from_arrays(arrays, [*kept, *name_values(fitted)])


def _explain_frame(fitted: FittedGame, features: list[str], kept: list[str], frame: pd.DataFrame) -> pd.DataFrame:
    values = _compute(fitted, frame[features]) if len(frame) else np.empty((0, len(name_values(fitted))))
    return pd.concat([frame[kept], pd.DataFrame(values, columns=name_values(fitted), index=frame.index)], axis=1)


def _compute(fitted: FittedGame, frame: pd.DataFrame) -> Any:
    """Base values, Shapley values and predictions of rows, shape (n_rows, n_values)."""
    return compute_columns(fitted, read_table(follow_recipe(fitted.recipe, frame), fitted.schema), 1)
