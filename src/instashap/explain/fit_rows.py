"""Fits on rows in memory, or in a source of rows, which is planned on a sample and summed in one pass."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._alignment import align_rows, get_index
from .._errors import FitWarning, warn_caller
from .._progress import show_progress, show_rows
from ..blackbox.drawn_game import Conditional
from ..blackbox.hybrid import take_rows
from ..blackbox.named import is_closed_form
from ..fits.conditional import check_plan_rows, get_plan, plan_game, solve_game
from ..fits.summing import sum_source
from ..fitted.game import FittedGame, follow_recipe
from ..rows.opening import open_source
from ..rows.source import FrameSource, Sample
from ..table.chosen_bases import choose_bases
from ..table.columns import Schema, Table, read_table
from .fitting import choose_fit, fit_explainer, keep_scale
from .options import ExplainerOptions, hold_model


class FittedRows(NamedTuple):
    """A fitted game, and the rows of its fit in the container that the black box receives; None if no question needs them."""

    game: FittedGame
    rows: Any


def fit_rows(options: ExplainerOptions, X: Any, outputs: Any, sample_weight: Any) -> FittedRows:
    """The fitted game of a black box on a table or a source of rows; see :meth:`instashap.Explainer.fit`."""
    source = open_source(X, outputs, sample_weight)
    if source is None:
        game, rows = fit_explainer(options, X, outputs, sample_weight), _keep_rows(X, sample_weight)
    else:
        game, rows = _fit_source(options, source)
    # Audits, and value functions without rows of their own, estimate distributions from them.
    needs_rows = isinstance(options.value_function, (str, Conditional))
    return FittedRows(_name_output(game, options.output_name), rows if needs_rows else None)


def _fit_source(options: ExplainerOptions, source: FrameSource) -> FittedRows:
    """The game of a source of rows: of all rows at once, of a sample and sums over all, or of a sample alone."""

    def read(rows: Any, schema: Schema | None) -> Table:
        return read_table(follow_recipe(options.recipe, rows), schema, options.categorical if schema is None else "auto")

    n_planned = sys.maxsize if options.plan_rows is None else check_plan_rows(options.plan_rows)
    with show_rows(options.verbose, "sample", source.count() if options.verbose else None) as advance:
        sample = source.sample(n_planned, read, advance)
    rows, outputs = source.present(sample.rows), _name_outputs(source, sample)
    is_summed = is_closed_form(options.value_function) or isinstance(options.value_function, Conditional)
    if not sample.is_whole and is_summed and options.fitter == "closed-form":
        return FittedRows(_fit_in_one_pass(options, source, sample, outputs, read), rows)
    if not sample.is_whole:
        _warn_of_sample(sample)
    return FittedRows(fit_explainer(options, rows, outputs, sample.weights), rows)


def _fit_in_one_pass(options: ExplainerOptions, source: FrameSource, sample: Sample, outputs: Any, read: Any) -> FittedGame:
    """The game whose terms are chosen on the sample, and whose coefficients come from sums over all rows, block by block."""
    rows = source.present(sample.rows)
    table = replace(choose_bases(read(rows, None), options.bases), index=None)
    answer = hold_model(options).ask(rows, table.n_rows, outputs)
    weights = np.ones(table.n_rows) if sample.weights is None else sample.weights
    named: Any = {"output_names": answer.output_names, "output_transform": answer.box.description}
    with show_progress(options.verbose) as progress:
        game = plan_game(table, answer.values, weights, choose_fit(options, table), **named, progress=progress)
    with show_rows(options.verbose, "sums", source.count() if options.verbose else None) as advance:
        sums = sum_source(get_plan(game), source, read, answer.box.predict, sample.weight_scale, game.output_unit, advance)
    game = solve_game(game, sums)
    return keep_scale(game if options.recipe is None else replace(game, recipe=options.recipe), answer.box)


def _warn_of_sample(sample: Sample) -> None:
    warn_caller(
        f"the source has {sample.n_rows:,} rows, and this kind of fit holds its rows in memory: it used a sample of "
        f"{len(sample.rows):,} different rows, each with the weight of its copies",
        FitWarning,
    )


def _name_outputs(source: FrameSource, sample: Sample) -> Any:
    if sample.outputs is None or not source.output_names:
        return sample.outputs
    return pd.DataFrame(sample.outputs, columns=list(source.output_names))


def _name_output(fitted: FittedGame, name: Any) -> FittedGame:
    """The game with the user's name of its only output; raises an error if there are several, or it has its own name."""
    if name is None:
        return fitted
    if not isinstance(name, str) or not name:
        raise TypeError(f"output_name must be a text that names what the model predicts, got {name!r}")
    if fitted.output_names not in (("output",), (name,)):
        raise ValueError(
            f"output_name={name!r} can name one output that has no name, but this model names its outputs: "
            f"{', '.join(map(repr, fitted.output_names[:8]))}; leave output_name out"
        )
    return replace(fitted, output_names=(name,))


def _keep_rows(X: Any, sample_weight: Any) -> Any:
    """The rows of a user's table that a fit uses: all but those of weight 0."""
    weights = align_rows(sample_weight, get_index(X), "sample_weight")
    return X if weights is None or np.all(weights) else take_rows(X, np.flatnonzero(weights))
