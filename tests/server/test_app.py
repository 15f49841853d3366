"""The service: Python's numbers over HTTP, and a clear sentence for everything else."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.server import Limits, make_app

for _needed in ("fastapi", "orjson", "prometheus_client", "httpx2"):
    pytest.importorskip(_needed, reason=f"the service needs {_needed}, which is not installed")


def to_json(rows: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(rows.to_json(orient="records", double_precision=15))
    return records


def test_explanations_are_pythons(client: Any, served: instashap.Explainer, rows: pd.DataFrame) -> None:
    records = to_json(rows)
    explanation = served(pd.DataFrame(records), errors=True)
    answer = client.post("/explain", json={"rows": records, "errors": True}).json()
    np.testing.assert_allclose(answer["values"], explanation.values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(answer["predictions"], explanation.predictions, rtol=0, atol=1e-12)
    np.testing.assert_allclose(answer["trust"], explanation.trust, rtol=0, atol=1e-12)
    np.testing.assert_allclose(answer["trust_interval"], explanation.trust_interval, rtol=0, atol=1e-12)
    np.testing.assert_allclose(answer["standard_errors"], explanation.standard_errors, rtol=0, atol=1e-12)
    assert answer["base_value"] == served.expected_value
    assert answer["feature_names"] == ["a", "town", "b"]


def test_predictions_are_pythons_however_rows_are_written(client: Any, served: instashap.Explainer) -> None:
    expected = served.predict(pd.DataFrame({"a": [1.0, np.nan], "town": ["north", "elsewhere"], "b": [2.0, -1.0]}))
    by_name = [{"b": 2, "a": 1, "town": "north", "more": [1]}, {"a": None, "town": "elsewhere", "b": -1.0}]
    in_order = [[1, "north", 2], [None, "elsewhere", -1]]
    for rows in (by_name, in_order, [by_name[0], in_order[1]]):
        answer = client.post("/predict", json={"rows": rows})
        np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{rows", 400, "the body is not JSON"),
        (b"", 400, "the body is not JSON"),
        (b'{"rows": [[NaN, "north", 1]]}', 400, "the body is not JSON"),
        (b"\xff\xfe", 400, "the body is not JSON"),
        (b"[" * 100_000, 400, "the body is not JSON"),
        (b"[1]", 422, "the body must be an object"),
        (b"{}", 422, '"rows" must be a list of one or more rows'),
        (b'{"rows": []}', 422, '"rows" must be a list of one or more rows'),
        (b'{"rows": [3]}', 422, "row 0 must be an object or a list, got a number"),
        (b'{"rows": [[1, "north"]]}', 422, "row 0 has 2 values, the explainer 3 columns: 'a', 'town', 'b'"),
        (b'{"rows": [{"a": 1, "town": "north"}]}', 422, "row 0 lacks the column 'b'; send null for a missing value"),
        (b'{"rows": [[1, "north", 1], ["1", "north", 1]]}', 422, "row 1: 'a' must be a number or null, got text"),
        (b'{"rows": [[true, "north", 1]]}', 422, "row 0: 'a' must be a number or null, got true or false"),
        (b'{"rows": [[[1], "north", 1]]}', 422, "row 0: 'a' must be a number or null, got a list"),
        (b'{"rows": [[1, {"x": 1}, 1]]}', 422, "row 0: 'town' must be text, a number, true, false or null, got an object"),
        (json.dumps({"rows": [[1, "north", 1]] * 1001}).encode(), 422, "1,001 rows were sent, at most 1,000 are taken"),
        (b" " * 200_001, 413, "the body has more than 200,000 bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_a_sentence(client: Any, body: bytes, status: int, message: str) -> None:
    for path in ("/explain", "/predict"):
        answer = client.post(path, content=body)
        assert (answer.status_code, answer.json()["detail"][: len(message)]) == (status, message)


def test_huge_numbers_get_no_server_error(client: Any) -> None:
    for number in ("1e400", "1" + "0" * 400, "-1e308", "5e-324"):
        answer = client.post("/explain", content=f'{{"rows": [[{number}, "north", 1]]}}'.encode())
        assert answer.status_code in (200, 400, 422)
        assert "NaN" not in answer.text


def test_damaged_requests_never_get_a_server_error(client: Any) -> None:
    rng = random.Random(0)
    good = b'{"rows": [[1.5, "north", 2], {"a": null, "town": null, "b": 3}], "errors": true}'
    for _ in range(300):
        body = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            body[rng.randrange(len(body))] = rng.choice(b'{}[]",:0e-tnul\\ \xc3\x00')
        assert client.post(rng.choice(["/explain", "/predict"]), content=bytes(body)).status_code in (200, 400, 422)


def test_unknown_paths_and_methods_are_refused(client: Any) -> None:
    assert client.get("/../../etc/passwd").status_code == 404
    assert client.get("/explain").status_code == 405
    assert client.get("/docs").status_code == 404  # its page would load scripts from elsewhere


def test_the_audit_is_that_of_the_file(client: Any, served: instashap.Explainer) -> None:
    answer = client.get("/audit").json()
    assert answer["verdict"] == served.audit().verdict
    assert answer["sentences"] == served.audit().summary().splitlines()


def test_the_page_is_the_report(client: Any) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<title>Served</title>" in answer.text


def test_counters_count(served: instashap.Explainer) -> None:
    from fastapi.testclient import TestClient

    client = TestClient(make_app(served))
    client.post("/predict", json={"rows": [[1, "north", 1]] * 7})
    client.post("/predict", content=b"?")
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert 'instashap_rows_total{path="/predict"} 7.0' in text
    assert 'instashap_requests_total{path="/predict",status="200"} 1.0' in text
    assert 'instashap_requests_total{path="/predict",status="400"} 1.0' in text
    assert 'instashap_requests_total{path="other",status="404"} 1.0' in text


def test_work_that_takes_too_long_is_given_up(served: instashap.Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    app = make_app(served, limits=Limits(timeout=0.05))
    monkeypatch.setattr(type(served._fitted), "predict", lambda *_: time.sleep(0.4))
    answer = TestClient(app).post("/predict", json={"rows": [[1, "north", 1]] * 300})
    assert (answer.status_code, answer.json()["detail"][:38]) == (503, "the answer took more than 0.05 s; send")


def test_openapi_names_columns_and_limits(client: Any) -> None:
    described = client.get("/openapi.json").json()
    body = described["paths"]["/explain"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    rows = body["properties"]["rows"]
    assert rows["maxItems"] == 1000
    assert rows["items"]["anyOf"][0]["properties"]["a"] == {"type": ["number", "null"]}
    assert "422" in described["paths"]["/predict"]["post"]["responses"]


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a signal")
def test_the_command_serves_a_saved_file(served: instashap.Explainer, rows: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="serving needs uvicorn, which is not installed")
    served.save(tmp_path / "served.insta")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = str(Path(instashap.__file__).parents[1].resolve())
    command = [sys.executable, "-m", "instashap.cli", "serve", "served.insta", "--data", "rows.csv", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": source}) as process:
        try:
            health = wait_for(f"http://127.0.0.1:{port}/health")
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
        finally:
            process.send_signal(signal.SIGINT)
    assert json.loads(health) == {"status": "ok", "version": instashap.__version__, "n_features": 3}
    assert b"Report on served" in page


def wait_for(address: str) -> bytes:
    for _ in range(300):
        try:
            answer: bytes = urllib.request.urlopen(address, timeout=10).read()
        except OSError:
            time.sleep(0.1)
        else:
            return answer
    raise AssertionError(f"nothing answers at {address}")
