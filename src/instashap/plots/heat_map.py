"""An image under the Shapley values of its patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .scales import name_scale
from .style import format_numbers, make_axes, make_diverging_map, shorten, write_title

if TYPE_CHECKING:
    from ..neural.images.image_explanation import ImageExplanation

# The image is drawn between these greys, so that colours are visible on its black and on its white.
_DARKEST, _LIGHTEST = 0.55, 1.0
# Opacity of the largest value; opacities of smaller values are scaled by this power, below 1 to keep them visible.
_OPACITY, _POWER = 0.8, 0.75
# Weights of red, green and blue in the perceived brightness (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])


def plot_heat_map(
    explanation_row: ImageExplanation, ax: Any = None, *, output: str | int | None = None, limit: float | None = None
) -> Any:
    """Draw one image in grey, coloured where patches raise (vermilion) or lower (blue) an output.

    Parameters
    ----------
    explanation_row : ImageExplanation of one image
        For example ``explanation[0]``.
    ax : matplotlib Axes, optional
        Where to draw; default a new figure.
    output : str or int, optional
        Which of several outputs, by name or position. Default: the output with the largest prediction of the additive model.
    limit : float, optional
        Value of the strongest colour; a common limit makes plots comparable. Default: the largest value of the image.

    Returns
    -------
    matplotlib Axes
        Its second image holds the values, on the scale of ``output_transform``.

    Raises
    ------
    ValueError
        If the explanation does not hold exactly one image.
    """
    if len(explanation_row) != 1:
        raise ValueError(f"a heat map shows one image, got {len(explanation_row)}; take one with explanation[0]")
    if output is None:
        output = int(np.argmax(explanation_row.predictions))
    row = explanation_row.take_output(output)
    values = row.heat_maps[0]
    strongest = float(np.abs(values).max() if limit is None else limit) or 1.0
    ax = make_axes(ax, 3.8, 3.6)
    # The image is interpolated because small images are easier to recognise that way; values are not, as patches have edges.
    ax.imshow(_make_grey(row.images[0]), cmap="gray", vmin=0.0, vmax=1.0, interpolation="bicubic")
    opacity = _OPACITY * np.minimum(np.abs(values) / strongest, 1.0) ** _POWER
    heat = ax.imshow(values, cmap=make_diverging_map(), vmin=-strongest, vmax=strongest, alpha=opacity, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    bar = ax.figure.colorbar(heat, ax=ax, fraction=0.046, pad=0.03)
    bar.solids.set_alpha(1.0)
    bar.set_label(name_scale(row.output_transform, row.output_names[0]).label, fontsize="small")
    name = "" if row.output_names == ("output",) else f"{shorten(row.output_names[0], 20)}: "
    shown = format_numbers(np.array([row.predictions[0], row.base_values[0]]))
    write_title(ax, f"{name}{shown[0]} (base value {shown[1]})")
    return ax


def _make_grey(image: NDArray[Any]) -> NDArray[np.float64]:
    """Brightness of an image, scaled from its own range to dark and light grey."""
    numbers = np.asarray(image, dtype=np.float64)
    if numbers.ndim == 3:
        numbers = numbers[..., :3] @ _LUMA if numbers.shape[2] >= 3 else numbers[..., 0]
    low, high = numbers.min(), numbers.max()
    share = (numbers - low) / (high - low) if high > low else np.full_like(numbers, 0.5)
    return _DARKEST + (_LIGHTEST - _DARKEST) * share
