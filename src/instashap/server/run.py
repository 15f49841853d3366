"""Command that serves a saved explainer until it is stopped."""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .._optional import require
from ..explain.loading import load
from .app import make_app
from .limits import Limits
from .workers import check_workers, supervise

# Seconds that a connection may be silent, or take for the headers of a request.
IDLE_SECONDS = 15.0
# Largest number of open connections; beyond it, those that have been silent for longest are closed.
MOST_CONNECTIONS = 400
# Largest number of connections that wait to be accepted.
_BACKLOG = 512


def serve(
    path: Path,
    X: Any = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    allowed_hosts: Collection[str] = (),
    workers: int = 1,
    announce: Callable[[str], None] = lambda _: None,
) -> None:
    """Load an explainer and answer requests.

    Parameters
    ----------
    path : Path
        A file that :meth:`Explainer.save` wrote: tables and names, no code.
    X : table, optional
        Rows for the report at ``/``.
    host, port
        The default address can be reached from this machine only; port 0 chooses a free port.
    limits : Limits, optional
    allowed_hosts : collection of str
        Host names besides ``host`` to which requests may be sent; see :func:`make_app`.
    workers : int
        Processes that answer requests, each with a copy of the tables and limits of its own. One that dies is replaced.
    announce : callable
        Called with a sentence that holds the address once the service listens.

    Raises
    ------
    ValueError
        If the port is not from 0 to 65535, or ``workers`` not from 1 to 64.
    OSError
        If the port is in use, the address does not belong to this machine, or a worker cannot start.
    """
    require("uvicorn", "server", "services")
    check_workers(workers)
    with ExitStack() as stack:
        listening = bind(host, port)  # first, so that a port in use is reported before loading
        for each in listening:
            stack.callback(each.close)
        service = Service(path, X, limits or Limits(), (host, *allowed_hosts))
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening[0].getsockname()[1]}/"
        is_ready = partial(announce, f"Serving {path} on {address} (stop with Ctrl+C)")
        if workers == 1:
            with suppress(KeyboardInterrupt):
                service.run(listening, is_ready, lambda: False)
        else:
            _load_ready(path)  # before any worker, so that a bad file is reported once and kernels are compiled once
            supervise(service, workers, listening, is_ready)


def _load_ready(path: Path) -> Any:
    """A saved explainer whose kernels are compiled, so that the first request need not wait for them."""
    explainer = load(path)
    explainer.predict(_make_first_row(explainer))
    return explainer


@dataclass(frozen=True)
class Service:
    """What one process needs to answer requests; attributes as of :func:`serve`."""

    path: Path
    X: Any
    limits: Limits
    allowed_hosts: tuple[str, ...]

    def run(self, sockets: list[socket.socket], is_ready: Callable[[], None], is_over: Callable[[], bool]) -> None:
        """Answer requests until this process is interrupted or ``is_over()`` is true; ``is_ready`` is called once."""
        uvicorn = require("uvicorn", "server", "services")
        title = f"Report on {self.path.stem}"
        app = make_app(_load_ready(self.path), self.X, limits=self.limits, title=title, allowed_hosts=self.allowed_hosts)
        config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=int(IDLE_SECONDS), ws="none", backlog=_BACKLOG)
        sys.setswitchinterval(0.001)  # a thread with a large body yields to the event loop after a millisecond
        _make_server(uvicorn, config, self.limits, is_ready, is_over).run(sockets=sockets)


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to an address, one each for IPv4 and IPv6 if the host has both."""
    if isinstance(port, bool) or not 0 <= port <= 65535:
        raise ValueError(f"port must be a number from 0 (chooses a free port) to 65535, got {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OSError(
            f"{host!r} is not an address ({error}); 127.0.0.1 serves this machine only, 0.0.0.0 every network address of it"
        ) from error
    listening: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        taken = listening[0].getsockname()[1] if listening else port
        try:
            listening.append(_bind_one(family, kind, protocol, (address[0], taken, *address[2:])))
        except OSError as error:
            for each in listening:
                each.close()
            raise _explain(error, host, port) from error
    return listening


def _bind_one(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # on Windows this option would let two services share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)  # now, so that a port in use is reported before loading
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _explain(error: OSError, host: str, port: int) -> OSError:
    if error.errno == errno.EADDRINUSE:
        return OSError(f"port {port} of {host} is in use by another program: choose another --port, or 0 for a free one")
    if error.errno == errno.EACCES:
        return OSError(f"port {port} may not be used by this account: choose a --port from 1024 on")
    return OSError(f"cannot listen on {host}, port {port}: {error.strerror}; is {host} an address of this machine?")


def _make_server(uvicorn: Any, config: Any, limits: Limits, is_ready: Callable[[], None], is_over: Callable[[], bool]) -> Any:
    """A server that calls ``is_ready`` once it listens, closes silent connections, and ends once ``is_over()`` is true."""
    idle = IdleConnections(IDLE_SECONDS, 3 * limits.timeout + IDLE_SECONDS)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                is_ready()

        async def on_tick(self, counter: int) -> bool:
            idle.close(self.server_state.connections, time.monotonic())
            return bool(await super().on_tick(counter)) or is_over()

    return Server(config)


class IdleConnections:
    """Closes connections that have been silent for too long.

    A connection counts as silent from its start, or the end of an answer, until the headers of a request are complete; single
    bytes do not end this, as otherwise a client that sends one byte per second could stay forever. A request has a limit too,
    for clients that do not read their answer.
    """

    def __init__(self, idle_seconds: float, request_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.request_seconds = request_seconds
        self._since: dict[Any, tuple[Any, float]] = {}

    def close(self, connections: Iterable[Any], now: float) -> None:
        """Close connections that exceed their limit, and the longest silent ones if there are too many connections."""
        known, waiting = {}, []
        for each in list(connections):
            state = (getattr(each, "cycle", None), _is_waiting(each))
            before = self._since.get(each)
            since = before[1] if before is not None and before[0] == state else now
            known[each] = state, since
            if now - since > (self.idle_seconds if state[1] else self.request_seconds):
                each.transport.abort()
            elif state[1]:
                waiting.append((since, each))
        self._since = known
        n_surplus = len(known) - MOST_CONNECTIONS
        if n_surplus > 0:
            for _, each in sorted(waiting, key=lambda pair: pair[0])[:n_surplus]:
                each.transport.abort()


def _is_waiting(connection: Any) -> bool:
    cycle = getattr(connection, "cycle", None)
    return cycle is None or bool(cycle.response_complete)


def _make_first_row(explainer: Any) -> Any:
    """A row with every value missing."""
    import pandas as pd

    fitted = explainer._check_fitted()
    return pd.DataFrame([[None] * len(fitted.schema.names)], columns=list(fitted.schema.names), dtype=object)
