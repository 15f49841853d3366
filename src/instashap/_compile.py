"""Compilation of kernels, with a cache on disk where a folder is writable, and what replaces them where numba is missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ._errors import InstashapWarning, OptionalDependencyError, warn_caller

nb: Any
try:
    import numba as nb
except ImportError:  # browsers and restricted hosts
    nb = None

Kernel = Callable[..., Any]


def compile_kernel(plain: Kernel | None = None, **options: Any) -> Callable[[Kernel], Kernel]:
    """A decorator that compiles a function with ``numba.njit``; the function releases the interpreter's lock.

    The compiled code is cached beside the module, or in the user's cache folder. If neither is writable, a warning names the
    environment variable ``NUMBA_CACHE_DIR``, and every process compiles anew.

    Parameters
    ----------
    plain : callable, optional
        Function of the same arguments in NumPy, which replaces the kernel where numba cannot be imported. Without it the
        kernel raises ``OptionalDependencyError`` there: fits would take hours.
    options
        Of ``numba.njit``.
    """

    def decorate(function: Kernel) -> Kernel:
        if nb is None:
            return _refuse(function) if plain is None else plain
        compiled: Kernel
        try:
            compiled = nb.njit(nogil=True, cache=True, **options)(function)
        except RuntimeError as error:  # numba found no folder to write to
            warn_caller(
                f"compiled kernels cannot be cached ({error}); set NUMBA_CACHE_DIR to a folder that can be written, "
                "or every process spends seconds on compiling",
                InstashapWarning,
            )
            compiled = nb.njit(nogil=True, **options)(function)
        return compiled

    return decorate


def _refuse(function: Kernel) -> Kernel:
    @wraps(function)
    def refuse(*arguments: Any) -> Any:
        raise OptionalDependencyError(
            "this needs numba, which cannot be imported here: pip install numba; without it, saved explainers can be loaded, "
            "and they explain and predict rows"
        )

    return refuse
