"""What a model of amounts aims at: counts and amounts by their likelihood, quantiles by the pinball loss, else means."""

from __future__ import annotations

from typing import Any, NamedTuple

from .adapters.families import comes_from
from .adapters.margins import find_last

# Names that libraries give to losses which are not the squared error, and what a model fitted by them predicts.
_LOSSES = {
    **dict.fromkeys(("poisson", "count:poisson"), "poisson"),
    **dict.fromkeys(("gamma", "reg:gamma"), "gamma"),
    **dict.fromkeys(("quantile", "reg:quantileerror"), "quantile"),
    **dict.fromkeys(("absolute_error", "regression_l1", "l1", "mae", "reg:absoluteerror"), "median"),
}
_LINEAR = {"PoissonRegressor": "poisson", "GammaRegressor": "gamma", "QuantileRegressor": "quantile"}
# Levels where the option is left alone: that of LightGBM and scikit-learn's gradient boosting.
_LEVEL = 0.9


class Aim(NamedTuple):
    """The loss a model was fitted by.

    Attributes
    ----------
    loss : {"poisson", "gamma", "quantile"}
        As :class:`instashap.AdditiveRegressor` takes it.
    level : float
        Of a quantile; 0.5 for the absolute error.
    is_log : bool
        Whether the outputs are logarithms of what the labels measure.
    """

    loss: str
    level: float = 0.5
    is_log: bool = False


def find_aim(model: Any, description: str) -> Aim | None:
    """What a model of amounts aims at, by its options; None for means, and for models whose loss is not known.

    Parameters
    ----------
    model : estimator, pipeline, search or callable
    description : str
        Of its outputs, as :attr:`BlackBox.description`: raw scores of counts and amounts are logarithms of means.
    """
    last = find_last(model)
    options = last.get_params(deep=False) if callable(getattr(last, "get_params", None)) else getattr(last, "params", None)
    options = options if isinstance(options, dict) else {}
    linear = next((loss for name, loss in _LINEAR.items() if comes_from(last, "sklearn", name)), None)
    given = options.get("loss", options.get("objective"))
    loss = linear or (_LOSSES.get(given) if isinstance(given, str) else None)
    if loss == "median":
        return Aim("quantile", 0.5)
    if loss == "quantile":
        level = options.get("quantile", options.get("quantile_alpha", options.get("alpha", _LEVEL)))
        return Aim(loss, level) if isinstance(level, float) and 0.0 < level < 1.0 else None
    return None if loss is None else Aim(loss, is_log=description.startswith("raw"))
