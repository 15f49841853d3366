"""Exceptions and warnings a caller may want to catch.

::

    Exception
    └── InstashapError
        ├── FileFormatError   (also ValueError)    a saved file is truncated, altered or newer than this version
        ├── ModelOutputError  (also ValueError)    the black box failed, or returned something unusable
        ├── NotFittedError    (also ValueError, AttributeError)  before ``fit``, or the rows of the fit are gone
        ├── OptionalDependencyError (also ImportError)  an extra is not installed
        └── TooLargeError     (also MemoryError)   refused before allocating; names the knob to turn

    UserWarning
    └── InstashapWarning
        ├── DataWarning       the table holds something that limits the answer
        └── FitWarning        the fit fell back, or its arithmetic is in doubt

Plain ``ValueError`` and ``TypeError`` are raised for bad values and wrong kinds.
"""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the line outside the package that led here: the caller's own, or that of a library between."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class InstashapError(Exception):
    """Base class of the library's own exceptions."""


class FileFormatError(InstashapError, ValueError):
    """A saved explainer cannot be read."""


class ModelOutputError(InstashapError, ValueError):
    """The black box raised, or its output cannot be explained."""


class NotFittedError(InstashapError, ValueError, AttributeError):
    """Something was asked for before ``fit``, or of a copy without the rows of the fit, which it needs."""


class OptionalDependencyError(InstashapError, ImportError):
    """A package of an optional extra is missing."""


class TooLargeError(InstashapError, MemoryError):
    """The work would not fit in memory; nothing was allocated."""


class InstashapWarning(UserWarning):
    """Base class of the library's own warnings."""


class DataWarning(InstashapWarning):
    """Something in the table limits what can be explained."""


class FitWarning(InstashapWarning):
    """The fit fell back to a simpler model, or its arithmetic is in doubt."""
