"""Counts of requests and rows, and seconds per answer, in the format of Prometheus."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Any

from .._optional import require

# Upper bounds of the histogram in seconds: answers take from a fraction of a millisecond to seconds for a large batch.
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
# Environment variable with a folder in which prometheus-client sums the counts of several processes, dead ones too.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_PATHS = {"/", "/predict", "/explain", "/audit", "/health", "/metrics", "/openapi.json"}


class Metrics:
    """Counters of one application, separate from those of any other in the process.

    Where the environment names a folder that processes share, counts are those of all applications that use it.
    """

    def __init__(self) -> None:
        prometheus = require("prometheus_client", "server", "services")
        self._prometheus = prometheus
        self._registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "instashap_requests", "Number of requests answered.", ["path", "status"], registry=self._registry
        )
        self._rows = prometheus.Counter("instashap_rows", "Number of rows received.", ["path"], registry=self._registry)
        self._seconds = prometheus.Histogram(
            "instashap_seconds", "Seconds until the answer.", ["path"], registry=self._registry, buckets=_BUCKETS
        )
        self.media_type = prometheus.CONTENT_TYPE_LATEST

    def render(self) -> bytes:
        """All counts as text."""
        registry = self._registry
        if SHARED_FOLDER in os.environ:
            registry = self._prometheus.CollectorRegistry()
            require("prometheus_client.multiprocess", "server", "services").MultiProcessCollector(registry)
        text: bytes = self._prometheus.generate_latest(registry)
        return text

    @cache  # noqa: B019 - one object a service, and few paths and answers
    def _find_counters(self, path: str, status: int) -> tuple[Any, Any]:
        """Counter and histogram of a path and a status, cached because looking them up takes longer than counting."""
        return self._requests.labels(path, status), self._seconds.labels(path)

    def count_rows(self, path: str, n_rows: int) -> None:
        self._rows.labels(path).inc(n_rows)

    def make_middleware(self) -> Any:
        """An ASGI middleware that counts requests; unknown paths share one counter, which bounds the memory."""
        metrics = self

        class CountRequests:
            def __init__(self, app: Any) -> None:
                self.app = app

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] != "http":
                    await self.app(scope, receive, send)
                    return
                path = scope["path"] if scope["path"] in _PATHS else "other"
                start = time.perf_counter()

                async def watch(message: Any) -> None:
                    if message["type"] == "http.response.start":
                        requests, seconds = metrics._find_counters(path, message["status"])
                        requests.inc()
                        seconds.observe(time.perf_counter() - start)
                    await send(message)

                await self.app(scope, receive, watch)

        return CountRequests
