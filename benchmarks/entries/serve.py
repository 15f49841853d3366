"""Explanations over HTTP: requests and rows a second, and the slowest percent, with clients on the same machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..runner import ROOT, Bench, Figure, Skipped, judge

# One client process, so that its own use of a core can be told apart: connections that each wait for their answer.
_CLIENT = """
import asyncio, json, resource, sys, time
port, n_connections, n_requests, n_rows, n_features = map(int, sys.argv[1:])
row = [0.1 * k for k in range(n_features)]
body = json.dumps({"rows": [row] * n_rows}).encode()
head = f"POST /explain HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode()
seconds = []
async def talk(n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    for _ in range(n):
        start = time.perf_counter()
        writer.write(head + body)
        headers = await reader.readuntil(b"\\r\\n\\r\\n")
        assert headers.startswith(b"HTTP/1.1 200"), headers
        length = int(headers.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - start)
    writer.close()
async def main():
    await asyncio.gather(*(talk(n_requests // n_connections) for _ in range(n_connections)))
start = time.perf_counter()
asyncio.run(main())
wall = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "seconds": seconds}))
"""
N_FEATURES = 13


def run(bench: Bench) -> dict[str, Figure]:
    """Single rows over 8 connections, and batches of 1 000 rows over 2, against one server process."""
    check_packages()
    with tempfile.TemporaryDirectory() as folder, serve(_fit(bench, Path(folder) / "served.insta")) as (port, process):
        _load(port, 8, 400, 1)  # warms up
        used = [_measure_processor(process.pid)]
        single = _load(port, 8, bench.choose(16_000, 800), 1)
        used.append(_measure_processor(process.pid))
        batch = _load(port, 2, bench.choose(200, 10), 1000)
        used.append(_measure_processor(process.pid))
    n_single, n_batch = len(single["seconds"]), len(batch["seconds"])
    bench.notes.append(f"{N_FEATURES} features, order 2; one server process; the client is one Python process beside it")
    return {
        "single rows": judge(n_single / single["wall"], "requests/s"),
        "single rows, 99 %": judge(1e3 * float(np.quantile(single["seconds"], 0.99)), "ms"),
        "single rows, the client's share of a core": judge(single["cpu"] / single["wall"]),
        # What a busy machine does not change much: the server's processor seconds, one thread.
        "single rows, the server's processor": judge(1e3 * (used[1] - used[0]) / n_single, "ms/request"),
        "batches of 1 000 rows": judge(1000 * n_batch / batch["wall"], "rows/s"),
        "batches of 1 000 rows, the client's share of a core": judge(batch["cpu"] / batch["wall"]),
        "batches of 1 000 rows, the server's processor": judge(1e3 * (used[2] - used[1]) / n_batch, "ms/request"),
    }


def _fit(bench: Bench, path: Path) -> Path:
    import instashap

    X = np.random.default_rng(0).normal(size=(bench.choose(5000, 1000), N_FEATURES))
    outputs = np.sin(X).sum(axis=1) + (X[:, :-1] * X[:, 1:]).sum(axis=1)
    instashap.Explainer(order=2, interactions="all").fit(X, outputs=outputs).save(path, errors=False)
    return path


def check_packages() -> None:
    """Skip where the service cannot run."""
    for package in ("fastapi", "uvicorn", "orjson", "prometheus_client"):
        if find_spec(package) is None:
            raise Skipped(f"{package} is not installed: pip install 'instashap[server]'")


@contextmanager
def serve(path: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Port and process of a server of a saved explainer, stopped afterwards."""
    port, process = _start(path, *options)
    try:
        yield port, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def _start(path: Path, *options: str) -> tuple[int, subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "instashap.cli", "serve", str(path), "--port", str(port), *options]
    places = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(places)})
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return port, process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("the server did not start within a minute")


def _measure_processor(process: int) -> float:
    """Processor seconds a process has used; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _load(port: int, n_connections: int, n_requests: int, n_rows: int) -> dict[str, Any]:
    numbers = map(str, (port, n_connections, n_requests, n_rows, N_FEATURES))
    done = subprocess.run([sys.executable, "-c", _CLIENT, *numbers], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
