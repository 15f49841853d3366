"""Checks before every request: the host name it was sent to, and the method HEAD."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# Names of this machine for itself; a request sent to one of them comes from this machine.
_OWN = frozenset({"localhost", "127.0.0.1", "::1"})
_ADVICE = "start the service with --allow-host and this name if requests may use it"


class Guard:
    """ASGI middleware that refuses requests sent to unknown host names, and answers HEAD like GET without the body.

    A web page can assign the address 127.0.0.1 to its own name (DNS rebinding), and its scripts can then read what is served
    there; the ``Host`` header still holds the page's name. Allowed are this machine's names for itself, the address that the
    connection came to, and ``allowed``; ``"*"`` allows every name.
    """

    def __init__(self, app: Any, allowed: Collection[str] = ()) -> None:
        self.app = app
        self.allows_all = "*" in allowed
        self.allowed = _OWN | {split_host(name) for name in allowed}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = find_host(scope)
        own = (scope.get("server") or ("",))[0]
        if not (self.allows_all or name is None or name in self.allowed or name == str(own).lower()):
            await _refuse(name, send)
        elif scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, _drop_body(send))
        else:
            await self.app(scope, receive, send)


def find_host(scope: Any) -> str | None:
    """The host name that a request was sent to, without its port; None without a ``Host`` header, "" for several headers."""
    found = [value for name, value in scope["headers"] if name == b"host"]
    if not found:
        return None
    return split_host(found[0].decode("latin-1")) if len(found) == 1 else ""


def split_host(host: str) -> str:
    """A host without its port, in lower case.

    Examples
    --------
    >>> split_host("LocalHost:8000"), split_host("[::1]:8000"), split_host("::1")
    ('localhost', '::1', '::1')
    """
    host = host.strip().lower()
    if host.startswith("["):
        address, _, port = host[1:].partition("]")
        return address if not port or port.startswith(":") else host
    return host.partition(":")[0] if host.count(":") == 1 else host


async def _refuse(name: str, send: Any) -> None:
    import orjson

    body = orjson.dumps({"detail": f"this service does not answer requests to the name {name[:100]!r}; {_ADVICE}"})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _drop_body(send: Any) -> Any:
    async def send_head(message: Any) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head
