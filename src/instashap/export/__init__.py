"""Fitted games for other programs: a form a file, and a line each in :data:`instashap._registries.EXPORTS`.

:func:`to_onnx`, :func:`to_sql`, :func:`to_python`, :func:`to_javascript` and :func:`to_excel` write what predicts and explains
rows without this package; :func:`save_mlflow` and :func:`log_mlflow` make a model of MLflow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .excel_file import to_excel
    from .mlflow_model import explain_frame, log_mlflow, save_mlflow
    from .onnx_graph import to_onnx
    from .script_files import to_javascript, to_python
    from .sql_query import SqlText, to_sql

_HOMES = {
    "SqlText": "sql_query",
    "explain_frame": "mlflow_model",
    "log_mlflow": "mlflow_model",
    "save_mlflow": "mlflow_model",
    "to_excel": "excel_file",
    "to_javascript": "script_files",
    "to_onnx": "onnx_graph",
    "to_python": "script_files",
    "to_sql": "sql_query",
}

__all__ = [
    "SqlText",
    "explain_frame",
    "log_mlflow",
    "save_mlflow",
    "to_excel",
    "to_javascript",
    "to_onnx",
    "to_python",
    "to_sql",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
