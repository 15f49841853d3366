"""Serve a saved explainer until stopped."""

from __future__ import annotations

import errno
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._optional import require
from ..explain.loading import load
from .app import make_app
from .limits import Limits

# Seconds a connection may say nothing, or take for the headers of a request.
IDLE_SECONDS = 15.0
# Connections that are kept; beyond, the one that has said nothing for longest is closed.
MOST_CONNECTIONS = 400
# Connections that wait to be accepted.
_BACKLOG = 512


def serve(
    path: Path,
    X: Any = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    allowed_hosts: Collection[str] = (),
    announce: Callable[[str], None] = lambda _: None,
) -> None:
    """Load an explainer and answer requests.

    Parameters
    ----------
    path : Path
        As :meth:`Explainer.save` wrote it: tables and names, no code.
    X : table, optional
        Rows for the page at ``/``.
    host, port
        The default can be reached from this machine alone; port 0 takes any that is free.
    limits : Limits, optional
    allowed_hosts : collection of str
        Names besides ``host`` that the service goes by; see :func:`make_app`.
    announce : callable
        Is given a sentence with the address once the service listens.

    Raises
    ------
    ValueError
        If there is no such port.
    OSError
        If the port is in use, or the address is none of this machine.
    """
    uvicorn = require("uvicorn", "server", "services")
    listening = bind(host, port)  # before the work of loading
    explainer = load(path)
    explainer.predict(_make_first_row(explainer))  # compiles before the first request
    limits = limits or Limits()
    app = make_app(explainer, X, limits=limits, title=f"Report on {path.stem}", allowed_hosts=(host, *allowed_hosts))
    config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=int(IDLE_SECONDS), ws="none", backlog=_BACKLOG)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening[0].getsockname()[1]}/"
    server = _make_server(uvicorn, config, limits, announce, f"Serving {path} on {address} (stop with Ctrl+C)")
    sys.setswitchinterval(0.001)  # a thread with a large body lets the event loop go on after a millisecond
    with suppress(KeyboardInterrupt):
        server.run(sockets=listening)


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that are bound to an address, one for IPv4 or IPv6 each."""
    if isinstance(port, bool) or not 0 <= port <= 65535:
        raise ValueError(f"port must be a number from 0 (any that is free) to 65535, got {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OSError(f"{host!r} is no address: {error}; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses") from error
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
        if sys.platform != "win32":  # there it would let two services share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)  # now, so that a port in use is seen before the work of loading
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _explain(error: OSError, host: str, port: int) -> OSError:
    if error.errno == errno.EADDRINUSE:
        return OSError(f"port {port} of {host} is in use by another program: choose another --port, or 0 for any that is free")
    if error.errno == errno.EACCES:
        return OSError(f"port {port} may not be used by this account: choose a --port from 1024 on")
    return OSError(f"cannot listen on {host}, port {port}: {error.strerror}; is {host} an address of this machine?")


def _make_server(uvicorn: Any, config: Any, limits: Limits, announce: Callable[[str], None], message: str) -> Any:
    """A server that says when it listens, and closes connections that say nothing."""
    idle = IdleConnections(IDLE_SECONDS, 3 * limits.timeout + IDLE_SECONDS)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce(message)

        async def on_tick(self, counter: int) -> bool:
            idle.close(self.server_state.connections, time.monotonic())
            return bool(await super().on_tick(counter))

    return Server(config)


class IdleConnections:
    """Which connections have said nothing for how long.

    A connection waits from its start, or the end of an answer, until the headers of a request are complete: bytes alone do not
    end that, or a client that sends one a second would stay for ever. A request has a limit too, for clients that do not read
    their answer.
    """

    def __init__(self, idle_seconds: float, request_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.request_seconds = request_seconds
        self._since: dict[Any, tuple[Any, float]] = {}

    def close(self, connections: Iterable[Any], now: float) -> None:
        """Close those whose time is over, and those that wait longest where there are too many."""
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
