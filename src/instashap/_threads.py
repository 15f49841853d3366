"""Parallel execution of independent pieces of work; results do not depend on the number of cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

# With fewer unknowns than this, a solve takes less time than the synchronisation of threads on a busy machine.
_SINGLE_THREAD = 1000
# With fewer, threads that work on a system each wait for the interpreter's lock more than they compute: two took 1.1 to 1.7
# times the processor time of one, and no less time on the clock (conjugate gradients of 50 to 400 unknowns).
_IN_TURN = 400

Item = TypeVar("Item")
Result = TypeVar("Result")


def count_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def find_blas() -> ThreadpoolController:
    """The BLAS libraries of this process, found once."""
    return ThreadpoolController()


def limit_threads(n_unknowns: int) -> AbstractContextManager[Any]:
    """Context that limits BLAS to one thread for small problems."""
    return find_blas().limit(limits=1, user_api="blas") if n_unknowns < _SINGLE_THREAD else nullcontext()


def map_threads(work: Callable[[Item], Result], items: Iterable[Item], n_unknowns: int = _IN_TURN) -> list[Result]:
    """Results in the order of the items, each computed by one thread with single-threaded BLAS.

    The work must release the interpreter's lock for most of its time (BLAS, compiled kernels): systems of few unknowns do not,
    and are computed in turn.
    """
    every = list(items)
    with find_blas().limit(limits=1, user_api="blas"):
        if len(every) < 2 or n_unknowns < _IN_TURN or count_cores() == 1:
            return [work(item) for item in every]
        with ThreadPoolExecutor(min(count_cores(), len(every))) as pool:
            return list(pool.map(work, every))
