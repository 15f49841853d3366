"""Kernels compile where nothing can be cached, too."""

from typing import Any

import numba as nb
import pytest

from instashap import InstashapWarning
from instashap._compile import compile_kernel


def test_a_cache_that_cannot_be_written_warns_and_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_plainly = nb.njit

    def refuse(*arguments: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_plainly(*arguments, **options)

    monkeypatch.setattr(nb, "njit", refuse)
    with pytest.warns(InstashapWarning, match="NUMBA_CACHE_DIR"):
        double = compile_kernel()(lambda x: 2 * x)
    assert double(21) == 42
