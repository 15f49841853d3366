"""Exceptions and warnings a caller may want to catch.

::

    Exception
    └── InstashapError
        ├── FileFormatError   (also ValueError)    a saved file is truncated, altered or newer than this version
        ├── ModelOutputError  (also ValueError)    the black box failed, or returned something unusable
        ├── NotFittedError    (also ValueError, AttributeError)  before ``fit``, or the rows of the fit are not in memory
        ├── OptionalDependencyError (also ImportError)  an extra is not installed
        └── TooLargeError     (also MemoryError)   refused before allocating; names the option to change

    UserWarning
    └── InstashapWarning
        ├── DataWarning       something in the table limits what can be explained
        └── FitWarning        the fit fell back to a simpler model, or its result may be inaccurate

Plain ``ValueError`` and ``TypeError`` are raised for invalid values and wrong types.
"""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn with the location of the line outside the package that led here: the caller's, or that of a library between."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class InstashapError(Exception):
    """Base class of the library's own exceptions."""


class FileFormatError(InstashapError, ValueError):
    """A saved explainer cannot be read."""


class ModelOutputError(InstashapError, ValueError):
    """The black box raised an error, or its output cannot be explained."""


class NotFittedError(InstashapError, ValueError, AttributeError):
    """A method was called before ``fit``, or needs the rows of the fit, which a copy or a loaded object does not hold."""


class OptionalDependencyError(InstashapError, ImportError):
    """A package of an optional extra is missing."""


class TooLargeError(InstashapError, MemoryError):
    """The computation would not fit in memory; nothing was allocated."""


class InstashapWarning(UserWarning):
    """Base class of the library's own warnings."""


class DataWarning(InstashapWarning):
    """Something in the table limits what can be explained."""


class FitWarning(InstashapWarning):
    """The fit fell back to a simpler model, or its result may be inaccurate."""
