"""Command that serves a saved explainer until it is stopped."""

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
    announce : callable
        Called with a sentence that holds the address once the service listens.

    Raises
    ------
    ValueError
        If the port is not from 0 to 65535.
    OSError
        If the port is in use, or the address does not belong to this machine.
    """
    uvicorn = require("uvicorn", "server", "services")
    listening = bind(host, port)  # first, so that a port in use is reported before loading
    explainer = load(path)
    explainer.predict(_make_first_row(explainer))  # compiles the kernels before the first request
    limits = limits or Limits()
    app = make_app(explainer, X, limits=limits, title=f"Report on {path.stem}", allowed_hosts=(host, *allowed_hosts))
    config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=int(IDLE_SECONDS), ws="none", backlog=_BACKLOG)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening[0].getsockname()[1]}/"
    server = _make_server(uvicorn, config, limits, announce, f"Serving {path} on {address} (stop with Ctrl+C)")
    sys.setswitchinterval(0.001)  # a thread with a large body yields to the event loop after a millisecond
    with suppress(KeyboardInterrupt):
        server.run(sockets=listening)


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


def _make_server(uvicorn: Any, config: Any, limits: Limits, announce: Callable[[str], None], message: str) -> Any:
    """A server that calls ``announce`` once it listens, and closes silent connections."""
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
