"""A REST service over one explainer: nothing is read from disk or run by a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import __version__
from .._errors import NotFittedError, TooLargeError
from .._optional import require
from ..additive.lookup import Lookup, LookupTerm, make_lookup
from ..explain.explainer import Explainer
from ..explain.fitted import FittedGame
from ..explain.outside import name_outside
from ..report.page import render_page
from ..report.summary import summarise
from ..table.columns import Table
from ..trust.rows import compare_with_residuals, find_strangeness
from .limits import Limits
from .metrics import Metrics
from .rows import read_rows
from .schema import describe_body

# Rows that are worked in the event loop itself: handing over to a thread takes longer.
_ROWS_IN_LOOP = 256


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request that gets a clear 4xx or 503."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def make_app(explainer: Explainer, X: Any = None, *, limits: Limits | None = None, title: str = "Model report") -> Any:
    """The service as an ASGI application, for uvicorn, gunicorn and others.

    ``POST /predict`` and ``/explain`` take ``{"rows": [...]}``; ``GET /audit``, ``/health``, ``/metrics`` (Prometheus),
    ``/openapi.json``, and the report at ``/``.

    Parameters
    ----------
    explainer : Explainer
    X : table, optional
        Rows the page at ``/`` speaks of and holds some of; without them it has the verdict, shapes and the row explorer.
    limits : Limits, optional
    title : str
        Of the page.

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
    app.add_middleware(metrics.make_middleware())
    described = describe_body(service.fitted, service.limits)

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
        return fastapi.responses.HTMLResponse(page, headers={"X-Content-Type-Options": "nosniff"})

    app.add_exception_handler(_Refused, refuse)
    for path, work, summary in (
        ("/predict", predict, "Output of the additive model"),
        ("/explain", explain, "Shapley values, and how far to trust them"),
    ):
        work.__annotations__ = {"request": fastapi.Request}  # fastapi is there only now
        # Bodies are judged by ourselves: the plain route answers, a third of a request's time sooner, the other is described.
        app.router.routes.append(starlette.Route(path, work, methods=["POST"]))
        app.post(path, summary=summary, openapi_extra=described)(work)
    for path, show, summary in (
        ("/audit", audit, "How far explanations may be believed"),
        ("/health", health, "Whether the service is up"),
        ("/metrics", show_metrics, "Counters for Prometheus"),
        ("/", show_page, "The report, a page"),
    ):
        show.__annotations__ = {}
        app.get(path, summary=summary)(show)
    return app


class _Service:
    """One explainer, asked by requests."""

    def __init__(self, explainer: Explainer, limits: Limits) -> None:
        self.explainer = explainer
        self.fitted: FittedGame = explainer._check_fitted()
        self.limits = limits
        self.orjson = require("orjson", "server", "services")
        self.response = require("starlette.responses", "server", "services").Response
        has_trust = self.fitted.residuals is not None or self.fitted.record is not None
        self.reach = self.fitted.get_reach()
        self.scales = _make_scales(self.fitted) if has_trust else None

    def answer(self, content: Any, status: int = 200) -> Any:
        data = self.orjson.dumps(content, _simplify, self.orjson.OPT_SERIALIZE_NUMPY)
        return self.response(data, status, media_type="application/json")

    async def handle(self, request: Any, work: Callable[[Table, dict[str, Any]], Any], metrics: Metrics) -> Any:
        """Read, judge, compute, answer; each step within its limit."""
        content = await self._read(request)
        try:
            table = read_rows(self.fitted.schema, content.get("rows"), self.limits.max_rows, self.fitted.recipe)
        except (ValueError, OverflowError) as error:
            raise _Refused(422, str(error)) from error
        metrics.count_rows(request.url.path, table.n_rows)
        if table.n_rows <= _ROWS_IN_LOOP:
            return self.answer(work(table, content))
        try:
            return await asyncio.wait_for(asyncio.to_thread(lambda: self.answer(work(table, content))), self.limits.timeout)
        except TimeoutError as error:
            raise _Refused(503, f"the answer took more than {self.limits.timeout:g} s; send fewer rows at once") from error

    async def _read(self, request: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.limits.timeout):  # wait_for would start a task
                body = await self._read_body(request)
        except TimeoutError as error:
            raise _Refused(408, f"the body did not arrive within {self.limits.timeout:g} s") from error
        try:
            content = self.orjson.loads(body)
        except self.orjson.JSONDecodeError as error:
            raise _Refused(400, f"the body is not JSON: {error}") from error
        if not isinstance(content, dict):
            raise _Refused(422, 'the body must be an object {"rows": [...]}')
        return content

    async def _read_body(self, request: Any) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self.limits.max_bytes:
                raise _Refused(413, f"the body has more than {self.limits.max_bytes:,} bytes; send the rows in parts")
            parts.append(part)
        return b"".join(parts)

    def predict(self, table: Table, _: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": self._squeeze(self.fitted.predict(table, 1)), **self._describe()}

    def explain(self, table: Table, content: dict[str, Any]) -> dict[str, Any]:
        fitted = self.fitted
        encoded = fitted.encoder.encode(table)  # once, for values and trust
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
            reference = fitted.get_residuals()
            logs = reference.level + self.scales.apply(encoded)[:, 0, 0]
            strangeness = None if place is None else find_strangeness(place, fitted.players)
            answer["trust"], answer["trust_interval"] = compare_with_residuals(reference, logs, values, strangeness)
        if content.get("errors") is True:
            answer["standard_errors"] = self._squeeze(self._look_up_errors(table))
        return answer

    def _look_up_errors(self, table: Table) -> Any:
        try:
            return self.fitted.look_up(self.fitted.get_errors().credits, table, 1)
        except (NotFittedError, TooLargeError, ValueError) as error:
            raise _Refused(422, f"this explainer has no standard errors: {error}") from error

    def audit(self) -> dict[str, Any]:
        try:
            report = self.fitted.get_audit()
        except NotFittedError as error:
            raise _Refused(404, f"this explainer holds no audit: {error}") from error
        return {**report.to_dict(), "sentences": report.summary().splitlines()}

    def _describe(self) -> dict[str, Any]:
        return {"output_names": self.fitted.output_names, "output_transform": self.fitted.output_transform}

    @staticmethod
    def _squeeze(values: Any) -> Any:
        """Drop the axis of a single output, as everywhere."""
        return values[..., 0] if values.shape[-1] == 1 else values


def _make_scales(fitted: FittedGame) -> Lookup:
    """Look-up of the log scale of a row's residuals: for a single row far faster than the columns one by one."""
    curves = fitted.get_residuals().curves
    first, one = [np.zeros(1, dtype=np.int64)], [np.ones(1)]
    terms = [LookupTerm((column,), each[:, :1], first, one) for column, each in enumerate(curves)]
    return make_lookup(fitted.model.bases, terms, 1, 1)


def _simplify(value: Any) -> Any:
    """What orjson takes, of what it does not: strided arrays, and tuples with names."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
