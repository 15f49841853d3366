"""Several processes that answer requests on one port, watched by the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from .metrics import SHARED_FOLDER

# Each worker has a copy of the tables and its own limits, so that a mistyped number must not fill the memory.
MOST_WORKERS = 64
# Seconds for a worker to finish its answers once it is asked to end, after which it is killed.
_SECONDS_TO_END = 10.0


class Work(Protocol):
    """What a worker does until it is asked to end; travels to the worker's process, so that it must be picklable."""

    def run(self, sockets: list[Any], is_ready: Callable[[], None], is_over: Callable[[], bool]) -> None:
        """Answer requests that come to ``sockets``; calls ``is_ready`` once, and ends soon after ``is_over()`` is true."""


class Worker:
    """A process, and the pipe on which it says that it is ready."""

    def __init__(self, work: Work, sockets: list[Any]) -> None:
        spawn = multiprocessing.get_context("spawn")  # threads of the parent do not survive a fork
        self.pipe, sender = spawn.Pipe(duplex=False)
        self.process = spawn.Process(target=_run_worker, args=(work, sockets, sender), daemon=True)
        self.process.start()
        sender.close()  # so that the pipe ends with the worker
        self.is_ready = False

    def receive(self) -> None:
        """Take note that the worker is ready; raises ``ChildProcessError`` if it ended before."""
        try:
            self.pipe.recv()
            self.is_ready = True
        except EOFError:
            self.process.join()
            raise ChildProcessError(
                f"a worker ended with exit code {self.process.exitcode} before it could answer requests; the reason is above, "
                "and --workers 1 starts a service without further processes"
            ) from None


def check_workers(workers: int) -> int:
    """The number of workers; raises ``ValueError`` if it is not from 1 to 64."""
    if isinstance(workers, bool) or not 1 <= workers <= MOST_WORKERS:
        raise ValueError(f"workers must be from 1 to {MOST_WORKERS}, got {workers}: one for each processor is enough")
    return workers


def supervise(work: Work, n_workers: int, sockets: list[Any], announce: Callable[[], None]) -> None:
    """Run workers until this process is interrupted or terminated.

    A worker that dies is replaced. One that dies before it was ready ends the service, because the next would die too.

    Parameters
    ----------
    work : Work
    n_workers : int
    sockets : list of socket
        Sockets that listen already; all workers accept connections from them.
    announce : callable
        Called once all workers are ready.

    Raises
    ------
    ChildProcessError
        If a worker ends before it is ready.
    """
    workers: list[Worker] = []
    with _share_counts(), _interrupt_when_terminated():
        try:
            workers.extend(Worker(work, sockets) for _ in range(n_workers))
            _wait_until_ready(workers)
            announce()
            while True:
                wait([each.process.sentinel for each in workers])
                for place, each in enumerate(workers):
                    if not each.process.is_alive():
                        workers[place] = Worker(work, sockets)
                _wait_until_ready(workers)
        except KeyboardInterrupt:
            pass
        finally:
            _end(workers)


def _wait_until_ready(workers: list[Worker]) -> None:
    waiting = {each.pipe: each for each in workers if not each.is_ready}
    while waiting:
        for pipe in wait(list(waiting)):
            waiting.pop(pipe).receive()  # type: ignore[call-overload]


def _end(workers: list[Worker]) -> None:
    for each in workers:
        each.process.terminate()
    for each in workers:
        each.process.join(_SECONDS_TO_END)
        if each.process.is_alive():
            each.process.kill()
            each.process.join()


def _run_worker(work: Work, sockets: list[Any], pipe: Connection) -> None:
    parent = multiprocessing.parent_process()
    gone = threading.Event()

    def watch() -> None:
        if parent is not None:
            parent.join()
            gone.set()

    threading.Thread(target=watch, daemon=True).start()
    with suppress(KeyboardInterrupt):
        work.run(sockets, lambda: pipe.send(True), gone.is_set)


@contextmanager
def _share_counts() -> Iterator[None]:
    """A folder in which workers count together, see :mod:`.metrics`; it is removed at the end."""
    before = os.environ.get(SHARED_FOLDER)
    with tempfile.TemporaryDirectory(prefix="instashap-counts-") as folder:
        os.environ[SHARED_FOLDER] = folder  # read by prometheus-client when a worker imports it
        try:
            yield
        finally:
            if before is None:
                del os.environ[SHARED_FOLDER]
            else:
                os.environ[SHARED_FOLDER] = before


@contextmanager
def _interrupt_when_terminated() -> Iterator[None]:
    """The signal of ``kill`` and ``docker stop`` ends this process like Ctrl+C, after its workers."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
