"""Compilation of kernels, with a cache on disk where a folder is writable."""

from collections.abc import Callable
from typing import Any

import numba as nb

from ._errors import InstashapWarning, warn_caller


def compile_kernel(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that compiles a function with ``numba.njit``; the function releases the interpreter's lock.

    The compiled code is cached beside the module, or in the user's cache folder. If neither is writable, a warning names the
    environment variable ``NUMBA_CACHE_DIR``, and every process compiles anew.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any]
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
