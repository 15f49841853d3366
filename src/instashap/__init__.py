"""Shapley values of any model by table look-up, after one fit of a masked additive model.

>>> import instashap
>>> instashap.__version__
'0.1.0'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Modules of the public names, imported at first use (PEP 562), so that ``import instashap`` takes little time.
_HOMES = {
    "AdditiveClassifier": "explain.estimators",
    "AdditiveRegressor": "explain.estimators",
    "Baseline": "blackbox.value_functions",
    "ChangeReport": "questions.change_report",
    "Conditional": "blackbox.drawn_game",
    "DataWarning": "_errors",
    "Explainer": "explain.explainer",
    "Explanation": "fitted.explanation",
    "FileFormatError": "_errors",
    "FitWarning": "_errors",
    "InstashapError": "_errors",
    "InstashapWarning": "_errors",
    "Marginal": "blackbox.value_functions",
    "ModelOutputError": "_errors",
    "Moments": "questions.updating",
    "NotFittedError": "_errors",
    "OptionalDependencyError": "_errors",
    "Periodic": "table.periodic",
    "TooLargeError": "_errors",
    "TrustReport": "trust.report",
    "audit": "questions.audit",
    "explain_change": "questions.change",
    "from_ebm": "explain.from_ebm",
    "load": "explain.loading",
    "show_report": "report.notebook_view",
    "warm_up": "explain.warm_up",
    "write_report": "report.writing",
}
_MODULES = ("datasets", "distributed", "export", "neural", "plots", "survival", "text")

__all__ = [
    "AdditiveClassifier",
    "AdditiveRegressor",
    "Baseline",
    "ChangeReport",
    "Conditional",
    "DataWarning",
    "Explainer",
    "Explanation",
    "FileFormatError",
    "FitWarning",
    "InstashapError",
    "InstashapWarning",
    "Marginal",
    "ModelOutputError",
    "Moments",
    "NotFittedError",
    "OptionalDependencyError",
    "Periodic",
    "TooLargeError",
    "TrustReport",
    "audit",
    "datasets",
    "distributed",
    "explain_change",
    "export",
    "from_ebm",
    "load",
    "neural",
    "plots",
    "show_report",
    "survival",
    "text",
    "warm_up",
    "write_report",
]

if TYPE_CHECKING:
    from . import datasets, distributed, export, neural, plots, survival, text
    from ._errors import (
        DataWarning,
        FileFormatError,
        FitWarning,
        InstashapError,
        InstashapWarning,
        ModelOutputError,
        NotFittedError,
        OptionalDependencyError,
        TooLargeError,
    )
    from .blackbox.drawn_game import Conditional
    from .blackbox.value_functions import Baseline, Marginal
    from .explain.estimators import AdditiveClassifier, AdditiveRegressor
    from .explain.explainer import Explainer
    from .explain.from_ebm import from_ebm
    from .explain.loading import load
    from .explain.warm_up import warm_up
    from .fitted.explanation import Explanation
    from .questions.audit import audit
    from .questions.change import explain_change
    from .questions.change_report import ChangeReport
    from .questions.updating import Moments
    from .report.notebook_view import show_report
    from .report.writing import write_report
    from .table.periodic import Periodic
    from .trust.report import TrustReport


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
