"""Progress of a long computation on standard error: a bar in a terminal, elsewhere one line per stage."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ._optional import require

# Seconds between two updates of a bar's clock, and between two lines about one stage.
_TICK, _LINE_SECONDS = 1.0, 30.0


class show_progress:
    """Context that gives a function of the share done and the name of the stage; None if nothing is to be shown.

    Nothing is printed before the first call, so that earlier errors are printed alone. The clock of a bar runs on between
    calls.

    Parameters
    ----------
    verbose : int
        0 shows nothing.
    task : str
        Name of the computation.
    n_rows : int, optional
        Rows of the whole task; rows per second are then reported too.
    first : float
        Share of the task that was done before.
    """

    def __init__(self, verbose: int, task: str = "fit", n_rows: int | None = None, first: float = 0.0) -> None:
        self.verbose = verbose
        self.task = task
        self.n_rows = n_rows
        self.first = first
        self.bar: Any = None
        self.start = 0.0
        self.share, self.stage, self.last_line = 0.0, "", 0.0
        self.is_over = threading.Event()

    def __enter__(self) -> Callable[[float, str], None] | None:
        if not self.verbose:
            return None
        self.start = time.perf_counter()
        if not sys.stderr.isatty():
            return self._write_line
        self.make_bar = require("tqdm", "progress", "progress bars").tqdm
        return self._advance

    def _advance(self, share: float, stage: str) -> None:
        self.share, self.stage = share, stage
        if self.bar is None:
            self.bar = self.make_bar(total=100, desc=self.task, bar_format="{desc}{percentage:3.0f}%|{bar}|{postfix}")
            threading.Thread(target=self._tick, daemon=True).start()
        self.bar.set_description(f"{self.task}: {stage}", refresh=False)
        self.bar.update(round(100 * share) - self.bar.n)
        self._draw()

    def _draw(self) -> None:
        self.bar.set_postfix_str(self._format_times(), refresh=True)

    def _tick(self) -> None:
        while not self.is_over.wait(_TICK):
            self._draw()

    def _write_line(self, share: float, stage: str) -> None:
        now = time.perf_counter()
        is_due = stage != self.stage or share >= 1.0 or now - self.last_line > _LINE_SECONDS
        self.share, self.stage = share, stage
        if is_due:
            self.last_line = now
            sys.stderr.write(f"{self.task}: {stage}, {100 * share:.0f}% ({self._format_times()})\n")
            sys.stderr.flush()

    def _format_times(self) -> str:
        """Time so far and, once it can be estimated, the time left at the present pace."""
        elapsed = time.perf_counter() - self.start
        done = self.share - self.first
        rate = f", {done * self.n_rows / elapsed:,.0f} rows/s" if self.n_rows and done > 0 and elapsed > 0 else ""
        is_known = done >= 0.05 and self.share < 1.0 and elapsed > 2.0
        left = f", about {_format_seconds(elapsed * (1 - self.share) / done)} left" if is_known else ""
        return f"{_format_seconds(elapsed)}{rate}{left}"

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        if self.bar is not None:
            self.bar.close()


def scale_progress(
    progress: Callable[[float, str], None] | None, start: float, stop: float, what: str = ""
) -> Callable[[float, str], None] | None:
    """Function that reports progress of a part, from ``start`` to ``stop`` of the whole; ``what`` precedes each stage."""
    if progress is None:
        return None
    return lambda share, stage: progress(start + share * (stop - start), what + stage)


@contextmanager
def show_rows(verbose: int, task: str, n_rows: int | None, n_before: int = 0) -> Iterator[Callable[[int], None] | None]:
    """Context that gives a function of the number of rows done, which reports rows per second; None if nothing is shown.

    Parameters
    ----------
    verbose : int
    task : str
    n_rows : int or None
        Number of all rows; if it is not known, nothing is shown.
    n_before : int
        Rows that were done before.
    """
    with show_progress(verbose if n_rows else 0, task, n_rows, n_before / (n_rows or 1)) as progress:
        yield None if progress is None else lambda n_done: progress(n_done / (n_rows or 1), "rows")


def _format_seconds(seconds: float) -> str:
    """Whole seconds, or minutes and seconds."""
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"
