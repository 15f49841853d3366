"""A REST service for one explainer; requests cannot read files or run code."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import __version__
from .._errors import NotFittedError, TooLargeError
from .._optional import require
from ..explain.explainer import Explainer
from ..fitted.game import FittedGame
from ..questions.answers import get_errors, get_reach, get_residuals, get_scales
from ..questions.audit import get_audit
from ..questions.outside import name_outside
from ..report.page import render_page
from ..report.summary import summarise
from ..table.columns import Table
from ..trust.rows import compute_output_share, find_strangeness
from .bodies import join_parts, split_body
from .guard import Guard
from .limits import Limits
from .metrics import Metrics
from .request_rows import RequestReader, check_count, check_keys, start_reader
from .request_schema import describe_body

# Up to these numbers of rows and bytes a request is computed in the event loop, as passing it to a thread takes longer.
_ROWS_IN_LOOP = 256
_BYTES_IN_LOOP = 250_000
# Numbers that are written as JSON at once, which takes half a millisecond.
_NUMBERS_AT_ONCE = 8192


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request that is answered with status 4xx or 503 and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_app(
    explainer: Explainer,
    X: Any = None,
    *,
    limits: Limits | None = None,
    title: str = "Model report",
    allowed_hosts: Collection[str] = (),
) -> Any:
    """The service as an ASGI application, for uvicorn, gunicorn and others.

    ``POST /predict`` and ``/explain`` take ``{"rows": [...]}``. ``GET`` returns ``/audit``, ``/health``, ``/metrics``
    (Prometheus), ``/openapi.json``, and the report at ``/``.

    Parameters
    ----------
    explainer : Explainer
    X : table, optional
        Rows that the report at ``/`` describes, some of which it holds; without them it has the verdict, shapes and the row
        explorer.
    limits : Limits, optional
    title : str
        Title of the report.
    allowed_hosts : collection of str
        Host names to which requests may be sent, besides ``localhost``, ``127.0.0.1``, ``[::1]`` and the address a connection
        comes to; a request with another ``Host`` header is refused with status 421. ``"*"`` allows every name.

    Raises
    ------
    OptionalDependencyError
        If FastAPI, orjson or prometheus-client are not installed.
    """
    fastapi = require("fastapi", "server", "services")
    starlette = require("starlette.routing", "server", "services")
    service = _Service(explainer, limits or Limits())
    metrics = Metrics()
    page = render_page(summarise(explainer, X), title)
    # Swagger's own page loads scripts from elsewhere: the description is at /openapi.json alone.
    app = fastapi.FastAPI(title="instashap", version=__version__, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, allowed=allowed_hosts)
    app.add_middleware(metrics.make_middleware())
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": _make_policy(page)}

    async def refuse(_: Any, error: _Refused) -> Any:
        return service.answer({"detail": str(error)}, error.status)

    async def predict(request: Any) -> Any:
        return await service.handle(request, service.predict, metrics)

    async def explain(request: Any) -> Any:
        return await service.handle(request, service.explain, metrics)

    async def audit() -> Any:
        return service.answer(service.audit())

    async def health() -> Any:
        return service.answer({"status": "ok", "version": __version__, "n_features": len(service.fitted.feature_names)})

    async def show_metrics() -> Any:
        return fastapi.Response(metrics.render(), media_type=metrics.media_type)

    async def show_page() -> Any:
        return fastapi.responses.HTMLResponse(page, headers=headers)

    app.add_exception_handler(_Refused, refuse)
    for path, work, summary in (
        ("/predict", predict, "Output of the additive model"),
        ("/explain", explain, "Shapley values and their reliability"),
    ):
        work.__annotations__ = {"request": fastapi.Request}  # fastapi is imported in this function only
        # The first route answers without FastAPI's own checks, which saves a third of the time; the second is for OpenAPI.
        app.router.routes.append(starlette.Route(path, work, methods=["POST"]))
        app.post(path, summary=summary, openapi_extra=describe_body(service.fitted, service.limits, path[1:]))(work)
    for path, show, summary in (
        ("/audit", audit, "Audit of the explanations"),
        ("/health", health, "Whether the service is running"),
        ("/metrics", show_metrics, "Counters for Prometheus"),
        ("/", show_page, "The report as a web page"),
    ):
        show.__annotations__ = {}
        app.get(path, summary=summary)(show)
    return app


_Work = Callable[[Table, dict[str, Any]], dict[str, Any]]


def _make_policy(page: str) -> str:
    """Content security policy of the page: it may run its own scripts, identified by digests, but load and send nothing."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts)
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


class _Service:
    """One explainer, and the answers to requests."""

    def __init__(self, explainer: Explainer, limits: Limits) -> None:
        self.explainer = explainer
        self.fitted: FittedGame = explainer._check_fitted()
        self.limits = limits
        self.orjson = require("orjson", "server", "services")
        self.response = require("starlette.responses", "server", "services").Response
        self.left = require("starlette.requests", "server", "services").ClientDisconnect
        self.bytes_in_flight = 0
        # One thread for all large bodies: two would compete for the interpreter and delay small requests.
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="instashap-large")
        has_trust = self.fitted.answers.residuals is not None or self.fitted.record is not None
        self.reach = get_reach(self.fitted)
        self.scales = get_scales(self.fitted) if has_trust else None

    def answer(self, content: Any, status: int = 200) -> Any:
        data = self.orjson.dumps(content, _simplify, self.orjson.OPT_SERIALIZE_NUMPY)
        return self.response(data, status, media_type="application/json")

    async def handle(self, request: Any, work: _Work, metrics: Metrics) -> Any:
        """Read and check a request, compute and return the answer; each step within its limit."""
        with self._count_bytes() as count:
            parts = await self._read(request, count)
            path = request.url.path
            if sum(map(len, parts)) > _BYTES_IN_LOOP:
                deadline = time.monotonic() + self.limits.timeout
                return await self._wait(self.pool, lambda: self._work_large(parts, deadline, path, work, metrics))
            reader, content = self._parse(b"".join(parts), work)
            metrics.count_rows(path, reader.n_rows)
            if reader.n_rows <= _ROWS_IN_LOOP:
                return self.answer(self._work(reader, content, work))
            return await self._wait(None, lambda: self.answer(self._work(reader, content, work)))

    def _work(self, reader: RequestReader, content: dict[str, Any], work: _Work) -> dict[str, Any]:
        """The answer, with the keys of rows that it does not depend on."""
        table = self._finish(reader)
        return work(table, content) | ({"ignored_columns": list(reader.ignored)} if reader.ignored else {})

    async def _wait(self, pool: ThreadPoolExecutor | None, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, work), self.limits.timeout)
        except TimeoutError as error:
            raise _Refused(503, f"the answer took more than {self.limits.timeout:g} s; send fewer rows at once") from error

    @contextmanager
    def _count_bytes(self) -> Iterator[Callable[[int], None]]:
        """Count the bytes of a request until it is answered; refuses it if all requests together exceed the limit."""
        own = 0

        def count(n_bytes: int) -> None:
            nonlocal own
            if self.bytes_in_flight + n_bytes > self.limits.max_bytes_in_flight:
                raise _Refused(503, "the service is busy with other large requests; try again in some seconds")
            self.bytes_in_flight += n_bytes
            own += n_bytes

        try:
            yield count
        finally:
            self.bytes_in_flight -= own

    async def _read(self, request: Any, count: Callable[[int], None]) -> list[bytes]:
        try:
            async with asyncio.timeout(self.limits.timeout):  # wait_for would start a task
                return await self._read_body(request, count)
        except TimeoutError as error:
            raise _Refused(408, f"the body did not arrive within {self.limits.timeout:g} s") from error
        except self.left as error:
            raise _Refused(499, "the client left before the body had arrived") from error

    async def _read_body(self, request: Any, count: Callable[[int], None]) -> list[bytes]:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self.limits.max_bytes:
                raise _Refused(413, f"the body has more than {self.limits.max_bytes:,} bytes; send the rows in parts")
            count(len(part))
            parts.append(part)
        return parts

    def _load(self, text: bytes) -> Any:
        try:
            return self.orjson.loads(text)
        except self.orjson.JSONDecodeError as error:
            raise _Refused(400, f"the body is not JSON: {error}") from error

    def _parse(self, body: bytes, work: _Work) -> tuple[RequestReader, dict[str, Any]]:
        content = self._load(body)
        try:
            check_keys(content, work.__name__)
            return start_reader(self.fitted.schema, content.get("rows"), self.limits.max_rows, self.fitted.recipe), content
        except (ValueError, OverflowError) as error:
            raise _Refused(422, str(error)) from error

    def _finish(self, reader: RequestReader) -> Table:
        table = reader.finish()
        try:
            self.fitted.encoder.check_levels(table)
        except ValueError as error:
            raise _Refused(422, str(error)) from error
        return table

    def _work_large(self, parts: list[bytes], deadline: float, path: str, work: _Work, metrics: Metrics) -> Any:
        """Parse a large body, compute and answer in short steps that let the event loop run; called in the pool's thread."""
        try:
            rest, n_rows, blocks = split_body(join_parts(parts), self.limits.max_rows)
            check_count(n_rows, self.limits.max_rows)
            content, reader = self._load(rest), RequestReader(self.fitted.schema, self.fitted.recipe)
            check_keys(content, work.__name__)
            for block in blocks:
                if time.monotonic() > deadline:
                    raise TimeoutError
                reader.add(self._load(block))
            reader = reader if reader.n_rows else start_reader(self.fitted.schema, [], self.limits.max_rows)
        except (ValueError, OverflowError) as error:
            raise _Refused(422, str(error)) from error
        metrics.count_rows(path, reader.n_rows)
        return self.answer({name: self._write(value) for name, value in self._work(reader, content, work).items()})

    def _write(self, value: Any) -> Any:
        """A large array as JSON, written some rows at a time; other values unchanged."""
        if not isinstance(value, np.ndarray) or value.size <= _NUMBERS_AT_ONCE:
            return value
        step = max(_NUMBERS_AT_ONCE * len(value) // value.size, 1)
        parts = (
            self.orjson.dumps(np.ascontiguousarray(value[first : first + step]), None, self.orjson.OPT_SERIALIZE_NUMPY)[1:-1]
            for first in range(0, len(value), step)
        )
        return self.orjson.Fragment(b"[%b]" % b",".join(parts))

    def predict(self, table: Table, _: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": self._squeeze(self.fitted.predict(table, 1)), **self._describe()}

    def explain(self, table: Table, content: dict[str, Any]) -> dict[str, Any]:
        fitted = self.fitted
        encoded = fitted.encoder.encode(table)  # once, for values and output shares
        values = fitted.model.credits.apply(encoded)
        base = fitted.model.base_value
        answer = {
            "values": self._squeeze(values),
            "base_value": float(base[0]) if len(base) == 1 else base,
            "predictions": self._squeeze(base + values.sum(axis=1)),
            "feature_names": fitted.feature_names,
            "game": fitted.game,
            **self._describe(),
        }
        place = None if self.reach is None else self.reach.place(table, encoded)
        if place is not None:
            answer["outside"], answer["no_such_row"] = name_outside(place, fitted.schema.names)
        if self.scales is not None:
            reference = get_residuals(fitted)
            effects = self.scales.apply(encoded)[:, 0, 0]
            strangeness = None if place is None else find_strangeness(place, fitted.players)
            shares, intervals = compute_output_share(reference, effects, values, strangeness)
            answer["output_share"], answer["output_share_interval"] = shares, intervals
            answer["trust"], answer["trust_interval"] = shares, intervals  # the former names, for one version
        if content.get("errors") is True:
            answer["standard_errors"] = self._squeeze(self._look_up_errors(table))
        return answer

    def _look_up_errors(self, table: Table) -> Any:
        try:
            return self.fitted.look_up(get_errors(self.fitted).credits, table, 1)
        except (NotFittedError, TooLargeError, ValueError) as error:
            raise _Refused(422, f"this explainer has no standard errors: {error}") from error

    def audit(self) -> dict[str, Any]:
        try:
            report = get_audit(self.fitted)
        except NotFittedError as error:
            raise _Refused(404, f"this explainer holds no audit: {error}") from error
        return {**report.to_dict(), "sentences": report.summary().splitlines()}

    def _describe(self) -> dict[str, Any]:
        return {"output_names": self.fitted.output_names, "output_transform": self.fitted.output_transform}

    @staticmethod
    def _squeeze(values: Any) -> Any:
        """Values without the last axis if there is a single output, as in the rest of the library."""
        return values[..., 0] if values.shape[-1] == 1 else values


def _simplify(value: Any) -> Any:
    """Types that orjson does not write, converted: strided arrays, and named tuples."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
