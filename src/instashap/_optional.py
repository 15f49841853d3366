"""Import of the packages of optional extras at first use."""

import importlib
from types import ModuleType

from ._errors import OptionalDependencyError


def require(package: str, extra: str, purpose: str) -> ModuleType:
    """The imported ``package``; the error for a missing one names the pip command that installs it.

    Parameters
    ----------
    package : str
        Import name, for example ``"matplotlib.pyplot"``.
    extra : str
        Name of the extra of ``instashap`` that includes the package.
    purpose : str
        Plural noun that starts the message, for example ``"plots"``.

    Raises
    ------
    OptionalDependencyError
        If the package cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        root = package.split(".")[0]
        raise OptionalDependencyError(f"{purpose} need {root}: pip install 'instashap[{extra}]'") from error
