"""The service: the numbers of Python over HTTP, and a clear message for every bad request."""

import json
import os
import random
import re
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
    np.testing.assert_allclose(answer["trust"], explanation.output_share, rtol=0, atol=1e-12)
    np.testing.assert_allclose(answer["trust_interval"], explanation.output_share_interval, rtol=0, atol=1e-12)
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
        (b'{"rows": [[1, "north"]]}', 422, "row 0 has 2 values, the explainer has 3 columns: 'a', 'town', 'b'"),
        (b'{"rows": [{"a": 1, "town": "north"}]}', 422, "row 0 lacks the column 'b'; send null for a missing value"),
        (b'{"rows": [[1, "north", 1], ["1", "north", 1]]}', 422, "row 1: 'a' must be a number, true, false or null, got text"),
        (b'{"rows": [[9007199254740992, "north", 1]]}', 422, "row 0: 'a' is an integer of 2**53 or more, where float64"),
        (b'{"rows": [[1, "north", 1], [1, "north", -9007199254740993]]}', 422, "row 1: 'b' is an integer of 2**53 or more"),
        (b'{"rows": [[[1], "north", 1]]}', 422, "row 0: 'a' must be a number, true, false or null, got a list"),
        (b'{"rows": [[1, {"x": 1}, 1]]}', 422, "row 0: 'town' must be text, a number, true, false or null, got an object"),
        (json.dumps({"rows": [[1, "north", 1]] * 1001}).encode(), 422, "1,001 rows were sent, the limit of one request"),
        (b" " * 200_001, 413, "the body has more than 200,000 bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_a_sentence(client: Any, body: bytes, status: int, message: str) -> None:
    for path in ("/explain", "/predict"):
        answer = client.post(path, content=body)
        assert (answer.status_code, answer.json()["detail"][: len(message)]) == (status, message)


def test_whole_numbers_from_2_to_the_53_are_refused_as_in_python_unless_written_as_quantities(
    client: Any, served: instashap.Explainer
) -> None:
    row = {"a": 2**53, "town": "north", "b": 1.0}
    with pytest.raises(ValueError, match="column 'a' holds integers as large as 9007199254740992"):
        served.predict(pd.DataFrame([row]))
    expected = served.predict(pd.DataFrame([{**row, "a": 2.0**53}]))
    for number in ("9007199254740992.0", "9.007199254740992e15"):  # the advice of the message
        answer = client.post("/predict", content=f'{{"rows": [[{number}, "north", 1]]}}'.encode())
        np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=0, atol=1e-12)
    from instashap.server.request_rows import read_rows

    schema = served._check_fitted().schema
    assert read_rows(schema, [[2**53 - 1, 2**60, None]], 10).numbers[0, 0] == 2.0**53 - 1  # a level of text may have any digits
    with pytest.raises(ValueError, match="row 0: 'b' is an integer of 2"):  # beyond the range of floats
        read_rows(schema, [[1, "north", 10**400]], 10)


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


def test_work_that_takes_too_long_is_stopped(served: instashap.Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert rows["items"]["anyOf"][0]["properties"]["a"] == {"type": ["number", "boolean", "null"]}
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


def test_keys_that_are_no_columns_are_named_in_the_answer(client: Any, sales: Any) -> None:
    from fastapi.testclient import TestClient

    row = {"a": 1.0, "town": "north", "b": 2.0}
    for path, copies in (("/predict", 1), ("/explain", 300), ("/explain", 900)):  # 900 rows are read in parts
        rows = [row] * (copies - 1) + [{**row, "town ": "south", "note": "x" * (400 if copies == 900 else 1)}]
        long = [{**each, "padding": " " * 150} for each in rows] if copies == 900 else rows
        answer = client.post(path, json={"rows": long}).json()
        assert answer["ignored_columns"] == (["padding", "town ", "note"] if copies == 900 else ["town ", "note"])
        assert "ignored_columns" not in client.post(path, json={"rows": [row] * copies}).json()
    explainer, raw = sales
    raw_client = TestClient(make_app(explainer), raise_server_exceptions=False)
    record = {**to_json(raw[:1])[0], "other": 1}
    assert raw_client.post("/predict", json={"rows": [record]}).json()["ignored_columns"] == ["other"]


def test_a_column_of_which_every_value_is_new_is_refused_as_in_python(client: Any) -> None:
    for towns in (["here", "there"], [1, 1], [True, True]):
        answer = client.post("/predict", json={"rows": [[1, town, 2] for town in towns]})
        assert answer.status_code == 422
        assert "column 'town' holds no value that the fit saw" in answer.text
    assert client.post("/predict", json={"rows": [[1, "here", 2], [1, "north", 2]]}).status_code == 200


def test_booleans_are_the_numbers_0_and_1_in_every_number_column_as_in_python() -> None:
    from instashap.server.request_rows import read_rows

    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.uniform(1, 9, 400), "smoker": rng.random(400) < 0.3})
    gaps = X.assign(smoker=X["smoker"].astype("boolean").mask(rng.random(400) < 0.1))
    for table in (X, gaps):
        explainer = instashap.Explainer(order=1).fit(table, outputs=X["size"] + 3.0 * X["smoker"])
        fitted = explainer._check_fitted()
        rows = json.loads(table.to_json(orient="records", double_precision=15))
        values = fitted.compute_shapley_values(read_rows(fitted.schema, rows, 1000))[..., 0]
        np.testing.assert_allclose(values, explainer.shap_values(table), rtol=0, atol=1e-12)
        assert read_rows(fitted.schema, [[True, False]], 10).numbers.tolist() == [[1.0, 0.0]]
        flags = pd.DataFrame({"size": [True], "smoker": [False]})
        ones = pd.DataFrame({"size": [1.0], "smoker": [0.0]})
        np.testing.assert_array_equal(explainer.shap_values(flags), explainer.shap_values(ones))
        with pytest.raises(ValueError, match="row 0: 'smoker' must be a number, true, false or null, got text"):
            read_rows(fitted.schema, [[1.0, "yes"]], 10)


def test_booleans_of_a_file_are_booleans_again(tmp_path: Path) -> None:
    from instashap.server.request_rows import read_rows

    X = np.random.default_rng(0).random((200, 2)) < 0.5
    instashap.Explainer(order=1).fit(X, outputs=X[:, 0] * 2.0).save(tmp_path / "flags.insta")
    schema = instashap.load(tmp_path / "flags.insta")._check_fitted().schema
    assert read_rows(schema, [[True, False]], 10).numbers.tolist() == [[1.0, 0.0]]


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> tuple[instashap.Explainer, pd.DataFrame]:
    """An explainer with a recipe, loaded from its file, and rows of text."""
    from instashap.table.recipe import Recipe

    rng = np.random.default_rng(0)
    days = pd.Series(pd.date_range("2023-01-01", periods=300))
    amount = rng.uniform(1000, 9000, 300).round()
    codes = rng.choice(["00501", "10115"], 300)
    raw = pd.DataFrame({"day": days.dt.strftime("%d/%m/%Y"), "paid": [f"$ {each:,.0f}" for each in amount], "zip": codes})
    explainer = instashap.Explainer(order=1)
    explainer.recipe = Recipe.learn(raw)
    path = tmp_path_factory.mktemp("sales") / "sales.insta"
    explainer.fit(raw, outputs=amount + 100.0 * (codes == "00501") + days.dt.month).save(path)
    return instashap.load(path), raw


def test_raw_columns_are_read_by_a_loaded_explainer_and_over_http(sales: Any) -> None:
    from fastapi.testclient import TestClient

    explainer, raw = sales
    when = pd.to_datetime(raw["day"], format="%d/%m/%Y")
    numbers = raw["paid"].str.replace("[$ ,]", "", regex=True).astype(float)
    year = np.floor((2023 + (when.dt.day_of_year - 1) / 365) * 1e4 + 1e-3) / 1e4
    parts = pd.DataFrame({"day (year)": year, "day (month)": when.dt.month, "day (weekday)": when.dt.day_name()})
    parts = parts.assign(paid=numbers, zip=raw["zip"])
    expected = explainer.shap_values(parts)
    np.testing.assert_array_equal(explainer.shap_values(raw), expected)
    lost = raw.assign(zip=raw["zip"].astype(int), paid=numbers)  # as another reader may have them
    np.testing.assert_array_equal(explainer.shap_values(lost), expected)
    client = TestClient(make_app(explainer), raise_server_exceptions=False)
    records = to_json(raw[:20])
    in_order = raw[:20].to_numpy().tolist()
    for rows in (records, in_order, to_json(parts[:20]), parts[:20].astype(object).to_numpy().tolist()):
        np.testing.assert_allclose(client.post("/explain", json={"rows": rows}).json()["values"], expected[:20], atol=1e-9)
    described = client.get("/openapi.json").json()["paths"]["/explain"]["post"]["requestBody"]["content"]["application/json"]
    by_name = described["schema"]["properties"]["rows"]["items"]["anyOf"][0]
    assert by_name["required"] == ["day", "paid", "zip"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"day": "soon"}, "row 1: column 'day' holds 'soon', which is no date of the form %d/%m/%Y"),
        ({"day": 20240101}, "row 1: column 'day' holds '20240101', which is no date"),
        ({"paid": "€ 5"}, "row 1: column 'paid' holds '€ 5'; the fit read numbers there, such as '$ "),
        ({"paid": True}, "row 1: 'paid' must be text, a number or null, got true or false"),
        ({"zip": ["00501"]}, "row 1: 'zip' must be text, a number or null, got a list"),
    ],
)
def test_raw_cells_that_cannot_be_read_are_refused_by_row_and_column(sales: Any, change: Any, message: str) -> None:
    from instashap.server.request_rows import read_rows

    fitted = sales[0]._check_fitted()
    rows = to_json(sales[1][:2])
    with pytest.raises(ValueError, match=re.escape(message)):
        read_rows(fitted.schema, [rows[0], {**rows[1], **change}], 10, fitted.recipe)


def test_a_file_with_a_recipe_of_another_make_is_refused(sales: Any, tmp_path: Path) -> None:
    from instashap.store import read_archive, write_archive

    sales[0].save(tmp_path / "good.insta", errors=False)
    content, arrays = read_archive(tmp_path / "good.insta")
    content["fitted"]["recipe"]["paid"]["decimal"] = 3
    write_archive(tmp_path / "bad.insta", content, arrays)
    with pytest.raises(instashap.FileFormatError, match="a recipe holds 3 where a str is expected"):
        instashap.load(tmp_path / "bad.insta")


def test_rows_outside_the_data_are_named(client: Any) -> None:
    rows = [{"a": 0.1, "town": "north", "b": 0.1}, {"a": 1e6, "town": "nowhere", "b": 0.1}]
    answer = client.post("/explain", json={"rows": rows}).json()
    assert answer["outside"] == [[], ["a", "town"]]
    assert answer["no_such_row"] == [[], []]
    assert answer["trust"][1] < 1e-3 < answer["trust"][0]
    assert answer["trust_interval"][1][0] == 0
