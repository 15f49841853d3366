"""The service refuses unknown host names, and neither silent clients nor large bodies block other requests."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.server import Limits, make_app

for _needed in ("fastapi", "orjson", "prometheus_client", "httpx2", "uvicorn"):
    pytest.importorskip(_needed, reason=f"the service needs {_needed}, which is not installed")

from instashap.server import bodies, run  # noqa: E402 - need the packages above

ROW = [1.5, "north", 2]


def make_client(served: instashap.Explainer, address: str = "http://127.0.0.1", **options: Any) -> Any:
    from fastapi.testclient import TestClient

    return TestClient(make_app(served, **options), base_url=address, raise_server_exceptions=False)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "house.example", "my.name:80"])
def test_its_own_names_are_answered(served: instashap.Explainer, host: str) -> None:
    client = make_client(served, "http://house.example", allowed_hosts=["my.name"])
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["attacker.example:8765", "127.0.0.1.attacker.example", "localhost.attacker.example", "", "[::2]", "[::1].x", "a:b:c"],
)
@pytest.mark.parametrize("path", ["/", "/health", "/audit", "/metrics"])
def test_another_name_is_refused_everywhere(served: instashap.Explainer, host: str, path: str) -> None:
    answer = make_client(served).get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["detail"]


def test_every_name_is_answered_where_that_is_asked_for(served: instashap.Explainer) -> None:
    assert make_client(served, allowed_hosts=["*"]).get("/health", headers={"Host": "x.example"}).status_code == 200


def test_head_is_get_without_the_body(served: instashap.Explainer) -> None:
    client = make_client(served)
    for path in ("/", "/health", "/audit", "/metrics", "/openapi.json"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
        if path != "/metrics":
            assert head.headers["content-length"] == str(len(got.content))
    assert client.head("/explain").status_code == 405


def test_the_page_may_run_its_own_scripts_alone(served: instashap.Explainer, rows: pd.DataFrame) -> None:
    import base64
    import hashlib

    answer = make_client(served, X=rows).get("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    script = answer.text.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy["script-src"].split()
    assert "unsafe" not in policy["script-src"]


def to_body(records: list[Any], padding: int = 1000, **more: Any) -> bytes:
    """JSON with so many spaces after each row that it counts as large."""
    text = ",".join(json.dumps(record) + " " * padding for record in records)
    return f'{{{"".join(f"{json.dumps(k)}: {json.dumps(v)}, " for k, v in more.items())} "rows" :\n [{text}]}}'.encode()


def test_a_large_body_is_answered_as_a_small_one(client: Any, served: instashap.Explainer, rows: pd.DataFrame) -> None:
    large = make_client(served)
    records = json.loads(rows.to_json(orient="records", double_precision=15))
    records += [{"town": 'a "quoted\\" [town], {', "a": 1, "b": 2, "more": [[1], {"x": []}]}, [0.5, None, 1e-3]]
    expected = client.post("/explain", json={"rows": records, "errors": True}).json()
    body = to_body(records, errors=True)
    assert len(body) > 300_000
    answer = large.post("/explain", content=body)
    assert answer.status_code == 200
    found = answer.json()
    assert found.keys() == expected.keys()
    for name in ("values", "predictions", "trust", "trust_interval", "standard_errors"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-12)


def test_a_large_answer_is_written_in_parts(served: instashap.Explainer) -> None:
    listed = [[0.001 * number, "north", 1] for number in range(9000)]
    answer = make_client(served).post("/explain", content=to_body(listed, 30)).json()
    frame = pd.DataFrame(listed, columns=["a", "town", "b"])
    np.testing.assert_allclose(answer["values"], served.shap_values(frame), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b" " * 300_000, 422, "the body must be an object"),
        (b"[" * 300_000, 422, "the body holds more than"),
        (b'{"rows": ' + b"[" * 300_000, 422, "the body holds more than"),
        (b'{"rows": [[1]' + b" " * 300_000, 422, "the list of rows does not end"),
        (b'{"rows": [' + b" " * 300_000 + b"]}", 422, "a row, or the body without its rows"),
        (to_body([ROW] * 400, unknown='}]\\"'), 422, "the body has the unknown key 'unknown'; /explain knows"),
        (b'{"x": "' + b"x" * 300_000 + b'", "rows": [[1, "north", 1]]}', 422, "a row, or the body without its rows"),
        (b'{"rows": [], "rows": []}' + b" " * 300_000, 422, "the body must be an object {\"rows\": [...]} with one list"),
        (to_body([ROW] * 400)[:-1] + b"x}", 400, "the body is not JSON"),
        (to_body([ROW] * 400)[:-2] + b",]}", 400, "the body is not JSON"),
        (to_body([ROW] * 400).replace(b",[", b",,[", 1), 400, "the body is not JSON"),
        (to_body([ROW] * 400).replace(b" ,[", b"  [", 1), 400, "the body is not JSON"),
        (to_body([ROW] * 400)[:-2] + b",7]}", 422, "row 400 must be an object or a list, got a number"),
        (to_body([*[ROW] * 350, ["1", "north", 1]]), 422, "row 350: 'a' must be a number, true, false or null, got text"),
        (to_body([*[ROW] * 350, [1, [], 1]]), 422, "row 350: 'town' must be text"),
        (to_body([*[ROW] * 350, [1, "north", 1], [1]]), 422, "row 351 has 1 values"),
        (to_body([ROW] * 10_001, 20), 422, "10,001 rows were sent, the limit of one request is 10,000"),
        (b'{"rows": [' + b" " * 200_000 + b"]" + b" " * 100_000 + b"}", 422, '"rows" must be a list of one or more rows'),
    ],
)  # fmt: skip
def test_a_large_body_that_cannot_be_answered_gets_a_sentence(
    served: instashap.Explainer, body: bytes, status: int, message: str
) -> None:
    answer = make_client(served).post("/explain", content=body)
    assert (answer.status_code, answer.json()["detail"][: len(message)]) == (status, message)


@pytest.mark.parametrize("padding", ["", " " * 200_000])
@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/explain", '"zeros": 1, "eror": true', "the body has the unknown key 'eror'; /explain knows 'rows', 'errors'"),
        ("/predict", '"errors": true', "the body has the unknown key 'errors'; /predict knows 'rows'"),
        ("/explain", '"errors": "yes"', "'errors' must be true or false, got text"),
    ],
)
def test_an_unknown_key_or_a_wrong_option_is_refused(
    served: instashap.Explainer, path: str, options: str, message: str, padding: str
) -> None:
    body = f'{{{options}, "rows": [[1, "north", {padding}1], [2, "north", {padding}1]]}}'
    answer = make_client(served).post(path, content=body.encode())
    assert (answer.status_code, answer.json()["detail"]) == (422, message)


def test_rows_are_cut_where_a_reader_of_json_cuts_them() -> None:
    rows = [[1, "a]b"], {"x": '\\"[', "y": [1, {"z": "}"}]}, [], ["\\\\"], [{"q": '\\\\\\"'}]]
    text = json.dumps({"a": 'rows": [', "rows": rows, "z": {"rows2": [[]]}}).encode()
    found = bodies.split_body(bodies.join_parts([text[:7], text[7:]]), 100)
    assert json.loads(found.rest) == {"a": 'rows": [', "rows": [], "z": {"rows2": [[]]}}
    assert found.n_rows == len(rows)
    assert [row for block in found.blocks for row in json.loads(block)] == rows


def test_requests_together_may_hold_so_many_bytes(served: instashap.Explainer) -> None:
    client = make_client(served, limits=Limits(max_bytes_in_flight=1000))
    answer = client.post("/predict", content=to_body([ROW], 1000))
    assert (answer.status_code, answer.json()["detail"][:19]) == (503, "the service is busy")
    for _ in range(5):  # what was counted is given back
        assert client.post("/predict", json={"rows": [ROW] * 40}).status_code == 200
        assert client.post("/predict", content=b"{" * 900).status_code == 400


def make_connection(cycle: Any = None) -> Any:
    closed: list[bool] = []
    connection = SimpleNamespace(cycle=cycle, transport=SimpleNamespace(abort=lambda: closed.append(True)), closed=closed)
    return type("Connection", (), {"__init__": lambda self: self.__dict__.update(vars(connection))})()


def test_silent_connections_are_closed_and_busy_ones_are_not() -> None:
    idle = run.IdleConnections(15.0, 100.0)
    silent, busy, kept = (make_connection(cycle) for cycle in (None, SimpleNamespace(response_complete=False), None))
    idle.close({silent, busy, kept}, 0.0)
    idle.close({silent, busy, kept}, 14.0)
    assert not any(each.closed for each in (silent, busy, kept))
    kept.cycle = SimpleNamespace(response_complete=True)  # has been answered meanwhile
    idle.close({silent, busy, kept}, 16.0)
    assert silent.closed
    assert not any(each.closed for each in (busy, kept))
    idle.close({busy, kept}, 32.0)
    assert kept.closed
    assert not busy.closed
    idle.close({busy}, 101.0)  # does not read its answer
    assert busy.closed


def test_of_too_many_connections_the_longest_silent_is_closed() -> None:
    idle = run.IdleConnections(15.0, 100.0)
    first = [make_connection() for _ in range(3)]
    idle.close(first, 0.0)
    later = [make_connection() for _ in range(run.MOST_CONNECTIONS - 1)]
    idle.close([*first, *later], 1.0)
    assert [bool(each.closed) for each in first].count(True) == 2
    assert not any(each.closed for each in later)


@pytest.mark.parametrize("port", [-1, 65536, 70_000])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=rf"port must be a number from 0 \(chooses a free port\) to 65535, got {port}"):
        run.bind("127.0.0.1", port)


def test_a_port_in_use_and_an_address_elsewhere_are_refused() -> None:
    taken = run.bind("127.0.0.1", 0)
    port = taken[0].getsockname()[1]
    with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 is in use by another program: choose another --port, or 0"):
        run.bind("127.0.0.1", port)
    for each in taken:
        each.close()
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1, port 0"):
        run.bind("192.0.2.1", 0)
    with pytest.raises(OSError, match=r"'no such place\.' is not an address"):
        run.bind("no such place.", 0)


@pytest.fixture(scope="module")
def live(served: instashap.Explainer, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service as a process: its port, the process, and the file of its output."""
    folder = tmp_path_factory.mktemp("live")
    served.save(folder / "served.insta")
    rows.head(50).to_csv(folder / "rows.csv", index=False)
    source = str(Path(instashap.__file__).parents[1].resolve())
    command = [sys.executable, "-m", "instashap.cli", "serve", "served.insta", "--data", "rows.csv", "--port", "0"]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": source}, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        said = process.stdout.readline()  # it listens once it says so
        port = int(said.partition("http://127.0.0.1:")[2].partition("/")[0])
        yield port, process, folder / "errors"
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        process.stdout.close()


def ask(port: int, path: str = "/health", method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a signal")
def test_it_answers_beside_more_silent_clients_than_it_keeps(live: Any) -> None:
    port, _, _ = live
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(520)]
    silent[0].sendall(b"GET /health HTTP/1.1\r\nHo")
    try:
        assert ask(port)[0] == 200
        time.sleep(0.5)
        assert ask(port)[0] == 200
    finally:
        for each in silent:
            each.close()


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a signal")
def test_a_client_that_leaves_is_no_error(live: Any) -> None:
    port, process, errors = live
    head = b"POST /explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"
    for sent in (head, head + b'{"rows": [', b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(sent)
    time.sleep(0.3)
    assert ask(port)[0] == 200
    assert process.poll() is None
    assert "Traceback" not in errors.read_text()
