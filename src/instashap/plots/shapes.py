"""Plot of a shape function: the main effect of a column, or the interaction of two."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._validation import find_columns
from ..fitted.game import FittedGame
from ..questions.answers import compute_shape_errors
from ..table.bases import ColumnEncoder
from ..table.encoding import Encoded
from .arguments import find_output, get_fitted
from .axis_scales import AxisScale
from .column_rows import OwnEffect, choose_axis, measure_spans, read_column
from .curves import draw_curve
from .levels import draw_levels
from .pair_maps import draw_pair
from .scales import name_scale
from .style import shorten_own

# Number of points of a curve in one cell, enough to draw a cubic smoothly in wide cells.
_POINTS_PER_CELL = 16


def plot_shape(
    explainer_or_estimator: Any,
    feature: Any,
    *,
    output: str | int | None = None,
    X: Any = None,
    errors: bool = False,
    x_scale: str = "auto",
    ax: Any = None,
) -> Any:
    """Draw a shape function: a column's effect on the output given all other features, or that of two columns together.

    The effect given all other features differs from what knowing the column alone changes
    (:meth:`instashap.Explainer.mobius_values`, the cards of a report) where columns depend on each other, even in sign. The
    function is ``phi_U(x_U)`` of the purified additive model ``base_value + sum_U phi_U(x_U)``: a curve for a number column
    (dots for values that have their own coefficient), bars for a category, a heat map for a pair. Missing values have their own
    diamond or bar, as have a category's rare and unknown levels ("other"); they are drawn if ``X`` has such rows, and
    without ``X`` if their effect is above 1 % of the largest.

    Parameters
    ----------
    explainer_or_estimator : Explainer, AdditiveRegressor or AdditiveClassifier
        Fitted.
    feature : str, int, or tuple of two of them
        A column by name, label or position. For two columns their interaction is drawn: the part beyond both main effects, the
        first column on the horizontal axis; the main effects are along the sides, on a common scale. Missing values of number
        columns are left out of a heat map.
    output : str or int, optional
        Which of several outputs, by name or position. Default: all of them in one plot; a pair needs one.
    X : table of shape (n_rows, n_columns), optional
        Rows to show the density of: a histogram below a curve, row counts beside categories, dots on a heat map.
    errors : bool
        Draw pointwise 90 % intervals (1.73 jackknife standard errors): a band around a curve, whiskers on bars and dots; a
        heat map is grey where the interval holds zero. See :meth:`instashap.Explainer.__call__`.
    x_scale : {"auto", "linear", "log", "symlog"}
        Axis of a number column, for a pair of both. "auto": logarithmic if nine tenths of the values (of ``X``, else the knots
        of the fit) would be crowded on a fifth of the axis; "symlog" is linear around 0 and takes values of either sign.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib Axes
        Effects are on the scale of ``output_transform_``; zero means the base value.

    Raises
    ------
    TypeError
        If the first argument has no shape functions.
    ValueError
        For an unknown column or output, a pair the model does not have, or a pair without ``output`` where there are several.
    NotFittedError
        If it is not fitted, or if ``errors`` are not available: in an explainer loaded without them or fitted by likelihood.
    OptionalDependencyError
        If matplotlib is not installed.

    Examples
    --------
    ::

        from sklearn.datasets import load_diabetes
        import instashap
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        model = instashap.AdditiveRegressor(order=1).fit(X, y)
        ax = instashap.plots.plot_shape(model, "bmi", X=X, errors=True)
        ax.figure.savefig("shape.png")
    """
    fitted = get_fitted(explainer_or_estimator, "plot_shape")
    outputs = range(fitted.model.n_outputs) if output is None else [find_output(output, fitted.output_names)]
    table = None if X is None else fitted.read(X)
    columns = find_columns(feature, fitted.schema.names, "feature")
    if len(columns) != 1:
        return draw_pair(fitted, columns, outputs, table, errors, x_scale, ax)
    column = columns[0]
    encoder = fitted.encoder.columns[column]
    values = None if table is None else read_column(table, column, encoder)
    axis_scale = choose_axis(encoder, values, x_scale)
    own = evaluate_own(fitted, column, list(outputs), errors, axis_scale)
    scale = name_scale(fitted.output_transform, own.names[0] if len(own.names) == 1 else None)
    name = shorten_own(encoder.name, fitted.schema.names)
    if encoder.is_category:
        return draw_levels(own, scale, values, name, ax)
    return draw_curve(own, scale, values, name, axis_scale, ax)


def evaluate_own(
    fitted: FittedGame, column: int, outputs: list[int], errors: bool, axis_scale: AxisScale | None = None
) -> OwnEffect:
    """A column's own shape function at places of each cell, and its standard errors if asked for.

    The places are evenly spaced along an axis of the given scale, by default a linear one.
    """
    encoder = fitted.encoder.columns[column]
    shape = encoder.n_cells, _POINTS_PER_CELL, len(outputs)
    names = tuple(fitted.output_names[position] for position in outputs)
    offsets, is_boolean = _space_offsets(encoder, axis_scale), encoder.name in fitted.schema.flags
    if (column,) not in fitted.model.value_sets:
        return OwnEffect(encoder, names, np.zeros(shape), offsets, np.zeros(shape) if errors else None, is_boolean)
    cells = np.repeat(np.arange(encoder.n_cells, dtype=np.int32), _POINTS_PER_CELL)
    coefficients = fitted.model.shapes[fitted.model.value_sets.index((column,))][:, outputs]
    effects = fitted.model.bases[column][0].combine(cells, offsets.ravel(), coefficients).reshape(shape)
    if not errors:
        return OwnEffect(encoder, names, effects, offsets, is_boolean=is_boolean)
    spread = compute_shape_errors(fitted, (column,), Encoded(cells[:, None], offsets.reshape(-1, 1)))[:, outputs]
    return OwnEffect(encoder, names, effects, offsets, spread.reshape(shape), is_boolean)


def _space_offsets(encoder: ColumnEncoder, axis_scale: AxisScale | None) -> NDArray[np.float64]:
    """Positions in each cell, shape (n_cells, n_points), that are evenly spaced along the axis."""
    offsets = np.tile(np.linspace(0.0, 1.0, _POINTS_PER_CELL), (encoder.n_cells, 1))
    if encoder.is_category or axis_scale is None or axis_scale.kind == "linear":
        return offsets
    spans = measure_spans(encoder)
    for cell in np.flatnonzero(spans > 0):
        low = float(encoder.lows[cell])
        places = axis_scale.space(low, low + float(spans[cell]), _POINTS_PER_CELL)
        offsets[cell] = np.clip((places - low) / spans[cell], 0.0, 1.0)
    return offsets
