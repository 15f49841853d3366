"""Several processes on one port: their counts are summed, and a process that dies is replaced."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import instashap

for _needed in ("fastapi", "orjson", "prometheus_client", "uvicorn"):
    pytest.importorskip(_needed, reason=f"the service needs {_needed}, which is not installed")

from instashap.server import run  # noqa: E402 - needs the packages above

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes in /proc")
SOURCE = str(Path(instashap.__file__).parents[1].resolve())


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "instashap.cli", "serve", "served.insta", "--port", "0", *options]
    environment = {**os.environ, "PYTHONPATH": SOURCE, "TMPDIR": str(folder)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)


@pytest.fixture(scope="module")
def live(served: instashap.Explainer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("workers")
    served.save(folder / "served.insta")
    process = start(folder, "--workers", "2")
    assert process.stdout is not None
    port = int(process.stdout.readline().partition("http://127.0.0.1:")[2].partition("/")[0])
    yield SimpleNamespace(process=process, port=port, folder=folder)
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=20)


def ask(port: int, path: str = "/health") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    text = answer.read().decode()
    connection.close()
    return text


def count(port: int) -> float:
    """Requests to /health that were answered, by all processes."""
    line = r'^instashap_requests_total\{path="/health",status="200"\} ([\d.]+)$'
    found = re.search(line, ask(port, "/metrics"), re.MULTILINE)
    assert found is not None
    return float(found[1])


def find_workers(parent: int) -> list[int]:
    workers = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # it has ended
            is_child = (each / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
            if is_child and b"spawn_main" in (each / "cmdline").read_bytes():
                workers.append(int(each.name))
    return sorted(workers)


def test_requests_are_counted_together_and_a_killed_worker_is_replaced(live: Any) -> None:
    for _ in range(40):
        ask(live.port)
    before = find_workers(live.process.pid)
    assert len(before) == 2
    assert {count(live.port) for _ in range(8)} == {40.0}
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while len(set(find_workers(live.process.pid)) - {before[0]}) < 2 and time.monotonic() < deadline:
        ask(live.port)  # the other answers meanwhile
    assert before[1] in find_workers(live.process.pid)
    after = count(live.port)
    assert after >= 40.0  # what the dead one counted stays
    ask(live.port)
    assert {count(live.port) for _ in range(8)} == {after + 1}
    live.process.send_signal(signal.SIGTERM)
    _, errors = live.process.communicate(timeout=20)
    assert (live.process.returncode, errors) == (0, "")
    assert not find_workers(live.process.pid)
    assert not list(live.folder.glob("instashap-counts-*"))


@pytest.mark.parametrize("workers", [0, 65, -1])
def test_too_many_workers_are_refused(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ValueError, match=f"workers must be from 1 to 64, got {workers}: one for each processor"):
        run.serve(tmp_path / "none.insta", workers=workers)


def test_a_bad_file_is_reported_before_any_worker_starts(tmp_path: Path) -> None:
    (tmp_path / "served.insta").write_bytes(b"nothing")
    with pytest.raises(instashap.FileFormatError):
        run.serve(tmp_path / "served.insta", port=0, workers=2)
    assert not find_workers(os.getpid())
