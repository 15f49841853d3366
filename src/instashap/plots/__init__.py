"""Plots of explanations and explainers; each function draws into ``ax``, or into a new figure, and returns the axes.

:func:`plot_importance`, :func:`plot_beeswarm`, :func:`plot_dependence` and :func:`plot_trust` show explanations,
:func:`plot_waterfall` and :func:`plot_strip` one row. :func:`plot_shape` (columns and pairs) and :func:`plot_interactions` show
explainers and estimators, :func:`plot_frontier` a ranking of terms, :func:`plot_ladder` and :func:`plot_masked_fidelity` an
audit, :func:`plot_heat_map` an image, :func:`plot_text` a text, :func:`plot_change` what changed a mean,
:func:`plot_over_time` outputs at several times.
The colours are distinguishable with any colour vision; text has the colours of the matplotlib style in use, so
``dark_background`` works as well as print.

Importing this folder imports neither matplotlib nor the explainers; the first plot does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .beeswarm import plot_beeswarm
    from .change_bars import plot_change
    from .dependence import plot_dependence
    from .frontier import plot_frontier
    from .heat_map import plot_heat_map
    from .importance import plot_importance
    from .network import plot_interactions
    from .over_time import plot_over_time
    from .row_trust import plot_trust
    from .shapes import plot_shape
    from .strip import plot_strip
    from .trust import plot_ladder, plot_masked_fidelity
    from .waterfall import plot_waterfall
    from .word_colours import plot_text

_HOMES = {
    "plot_beeswarm": "beeswarm",
    "plot_change": "change_bars",
    "plot_dependence": "dependence",
    "plot_frontier": "frontier",
    "plot_heat_map": "heat_map",
    "plot_importance": "importance",
    "plot_interactions": "network",
    "plot_ladder": "trust",
    "plot_masked_fidelity": "trust",
    "plot_over_time": "over_time",
    "plot_shape": "shapes",
    "plot_strip": "strip",
    "plot_text": "word_colours",
    "plot_trust": "row_trust",
    "plot_waterfall": "waterfall",
}

__all__ = [
    "plot_beeswarm",
    "plot_change",
    "plot_dependence",
    "plot_frontier",
    "plot_heat_map",
    "plot_importance",
    "plot_interactions",
    "plot_ladder",
    "plot_masked_fidelity",
    "plot_over_time",
    "plot_shape",
    "plot_strip",
    "plot_text",
    "plot_trust",
    "plot_waterfall",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
