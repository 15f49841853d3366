"""A fitted game of every kind of column, rows that try every cell, and databases."""

import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap

N_ROWS = 10_000


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n_rows = 400
    smooth = rng.normal(size=n_rows)
    smooth[rng.random(n_rows) < 0.1] = np.nan
    town = rng.choice(["north", "south", "it's \"east\""], n_rows).astype(object)
    town[:1], town[1:8] = "a rare place", None
    return pd.DataFrame(
        {
            "smooth": smooth,
            "spiked": np.where(rng.random(n_rows) < 0.3, 0.0, rng.gamma(2.0, 10.0, n_rows)),
            "rooms": rng.integers(1, 7, n_rows).astype(float),
            "town": town,
            "code": pd.Series(rng.choice([10.0, 20.0, 31.5], n_rows), dtype="category"),
            "is_new": pd.Series(rng.random(n_rows) < 0.4, dtype="category"),
            "has_sea": rng.random(n_rows) < 0.5,
            '=a "long" name': rng.uniform(-1, 1, n_rows),
        }
    )


@pytest.fixture(scope="session")
def explainer() -> instashap.Explainer:
    """Two outputs, terms of up to three columns, two columns of one player: fitted to the table above by a former version."""
    return instashap.load(Path(__file__).parents[1] / "store" / "schema-3.insta")


@pytest.fixture(scope="session")
def rows(explainer: instashap.Explainer, table: pd.DataFrame) -> pd.DataFrame:
    """Values on the edges of cells, just beside them and far outside; missing values and unseen levels in every column."""
    rng = np.random.default_rng(1)
    made = {}
    for name, encoder in zip(table.columns, explainer._fitted.encoder.columns, strict=True):
        picked = table[name].to_numpy(object)[rng.integers(0, len(table), N_ROWS)]
        if encoder.levels is None:
            edges = np.concatenate([encoder.edges, np.nextafter(encoder.edges, np.inf), np.nextafter(encoder.edges, -np.inf)])
            places = np.concatenate([edges, encoder.lows, [-1e12, 1e12, -0.0, 5e-324]])
            if name != "has_sea":
                picked[rng.choice(N_ROWS, len(places), replace=False)] = places
        elif name != "is_new":
            picked[rng.random(N_ROWS) < 0.05] = "nowhere" if name == "town" else 25.0
        picked[rng.random(N_ROWS) < 0.05] = None
        made[name] = picked
    frame = pd.DataFrame(made)
    numbers = [name for name in frame if name not in ("town", "code", "is_new")]
    return frame.astype(dict.fromkeys(numbers, float))


@pytest.fixture(scope="session")
def expected(explainer: instashap.Explainer, rows: pd.DataFrame) -> dict[str, Any]:
    """Python's answers for the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.DataWarning)
        explanation = explainer(rows)
    assert explanation.output_share is not None
    assert any(explanation.outside)
    assert any(explanation.new_pairs)
    return {
        "prediction": explainer.predict(rows),
        "values": explanation.values,
        "base": explanation.base_values[0],
        "output_share": explanation.output_share,
        "output_share_interval": explanation.output_share_interval,
    }


@pytest.fixture(scope="session")
def gaps() -> tuple[instashap.Explainer, pd.DataFrame, dict[str, Any]]:
    """An explainer of whole numbers from 0 to 4 and a column with a code for unknown; rows in gaps, and Python's answers."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"stars": rng.integers(0, 5, 400).astype(float), "size": rng.normal(size=400)})
    outputs = X["stars"] + 0.5 * X["size"] + 0.2 * np.sin(3 * X["size"]) + 0.05 * rng.normal(size=400)
    X.loc[:9, "size"] = -999.0
    fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=outputs)
    rows = pd.DataFrame({"stars": [2.0, 2.5, 1.25, 2.1, 7.0, None, 2.0, 2.0], "size": [0.3] * 6 + [-20.0, -999.0]})
    with pytest.warns(instashap.DataWarning, match="in a gap between its values"):
        explanation = fitted(rows)
    assert explanation.outside == ((), ("stars",), ("stars",), (), ("stars",), ("stars",), ("size",), ())
    expected = {"prediction": fitted.predict(rows), "values": explanation.values, "base": explanation.base_values[0]}
    names = ("output_share", "output_share_interval")
    return fitted, rows, expected | {name: getattr(explanation, name) for name in names}


@pytest.fixture(scope="session")
def amounts() -> tuple[instashap.Explainer, pd.DataFrame, dict[str, Any]]:
    """An explainer of the logarithm of amounts, one column of them negative; rows near zero and beyond, and answers."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"price": rng.lognormal(0, 1, 400), "debt": -rng.lognormal(0, 1, 400)})
    fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=np.log(X["price"]) - np.log(-X["debt"]))
    rows = pd.DataFrame({"price": [4.0, 1e-9, 0.0, -0.1, 4.0, 4.0], "debt": [-0.2, -0.2, -0.2, -0.2, -1e-6, 0.1]})
    with pytest.warns(instashap.DataWarning, match="outside a column's range"):
        explanation = fitted(rows)
    assert explanation.outside == ((), *[("price",)] * 3, *[("debt",)] * 2)
    assert explanation.output_share[0] > 0.9 > 0.5 > explanation.output_share[1:].max()
    expected = {"prediction": fitted.predict(rows), "values": explanation.values, "base": explanation.base_values[0]}
    names = ("output_share", "output_share_interval")
    return fitted, rows, expected | {name: getattr(explanation, name) for name in names}


@pytest.fixture(scope="session")
def sums() -> tuple[instashap.Explainer, pd.DataFrame, dict[str, Any]]:
    """An explainer of indicators that add up to 1, of which one is text; rows without any, and answers."""
    rng = np.random.default_rng(0)
    X = pd.get_dummies(pd.Series(rng.choice(list("abc"), 400)), dtype=float).assign(size=rng.normal(size=400))
    X["c"] = np.where(X["c"] == 1.0, "yes", "no")
    outputs = X["a"] + 3.0 * (X["c"] == "yes") + 0.3 * X["size"] + 0.05 * rng.normal(size=400)
    fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=outputs)
    rows = pd.DataFrame({"a": [1.0, 0.0, 0.0, 0.0, None, 0.0], "b": [0.0, 0.0, 0.0, 1.0, 0.0, 9.0], "c": "no", "size": 0.3})
    rows.loc[2, "c"] = "yes"
    with pytest.warns(instashap.DataWarning, match="1 in a combination"):
        explanation = fitted(rows)
    assert explanation.new_pairs == ((), (("a", "b", "c"),), (), (), (), ())
    expected = {"prediction": fitted.predict(rows), "values": explanation.values, "base": explanation.base_values[0]}
    names = ("output_share", "output_share_interval")
    return fitted, rows, expected | {name: getattr(explanation, name) for name in names}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A connection to a server of its own, which is stopped afterwards."""
    psycopg = pytest.importorskip("psycopg", reason="PostgreSQL is tested with psycopg, which is not installed")
    found = [shutil.which("initdb"), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")))]
    initdb = next((each for each in found if each and Path(each).exists()), None)
    if initdb is None:
        pytest.skip("there is no PostgreSQL server: install Debian's postgresql to test it")
    # Not in pytest's folder, which nobody but its owner may enter.
    with tempfile.TemporaryDirectory(prefix="instashap-postgres-", ignore_cleanup_errors=True) as name:
        yield from run_server(psycopg, initdb, Path(name))


def run_server(psycopg: Any, initdb: str, folder: Path) -> Iterator[Any]:
    """A connection to a server whose files lie in a folder."""
    prefix: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("the tests run as root, and there is no user postgres who could run a server")
        folder.chmod(0o755)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        prefix = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    data, log = folder / "data", folder / "log"
    command = [*prefix, initdb, "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [*prefix, str(Path(initdb).with_name("pg_ctl")), "-D", str(data), "-l", str(log), "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        with psycopg.connect(host=str(folder), user="tester", dbname="postgres", autocommit=True) as connection:
            yield connection
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd=folder)


@pytest.fixture(scope="session")
def wide() -> tuple[instashap.Explainer, Any]:
    """Presence sets that are tied to any other player, and a column of one value, for which no place stands."""
    rng = np.random.default_rng(0)
    X = 0.8 * rng.normal(size=(300, 1)) + 0.6 * rng.normal(size=(300, 22))
    X[:, 3] = 7.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(order=1, synthetic_rows=0, n_jobs=1).fit(X, outputs=X[:, 0] - X[:, 5])
    model = explainer._fitted.model
    assert {-1} <= {player for sets in model.presence_sets for each in sets for player in each}
    assert model.null_players == (3,)
    return explainer, X[:50]


@pytest.fixture(scope="session")
def linear(wide: tuple[instashap.Explainer, Any]) -> tuple[instashap.Explainer, Any]:
    """The same game with a linear part, made up: scores of two columns."""
    from dataclasses import replace

    from instashap.model.linear_part import LinearPart

    explainer, X = wide
    fitted = explainer._fitted
    rng = np.random.default_rng(2)
    columns = (0, 5)
    tables = tuple(rng.normal(size=(fitted.encoder.bases[column][0].n_functions, 1)) for column in columns)
    credits = rng.normal(size=(22, 2, 1))
    credits[3] = 0.0  # the column of one value
    part = LinearPart(columns, tables, np.array(columns), np.eye(2), np.ones((2, 1)), credits)
    made = instashap.Explainer()
    made._fitted = replace(fitted, model=replace(fitted.model, linear=part))
    return made, X


@pytest.fixture(scope="session")
def indexed() -> tuple[instashap.Explainer, pd.DataFrame, dict[str, Any]]:
    """Two outputs with parts in linear predictions of a total; rows with missing, far and unseen values; Python's answers.

    A category, in one of the predictions, and a jump are made up.
    """
    from dataclasses import replace

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(500, 2)), columns=["a", "b"]).assign(kind=rng.choice(["x", "y", "z"], 500))
    X["total"] = X["a"] + X["b"] + (X["kind"] == "y")
    hinge = np.maximum(X["total"], 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        fitted = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=np.column_stack([hinge, hinge**2 - X["a"]]))
        index = fitted._fitted.model.index
        assert index is not None
        assert index.values.shape[2] == 2
        assert index.columns == (0, 1)
        nodes, scores = index.nodes.copy(), rng.normal(size=fitted._fitted.encoder.bases[2][0].n_functions)
        nodes[:, 61] = nodes[:, 60]
        weights = np.column_stack([index.weights, np.arange(len(index)) == 0])
        index = replace(index, columns=(0, 1, 2), scores=(*index.scores, scores), weights=weights, nodes=nodes)
        fitted._fitted = replace(fitted._fitted, model=replace(fitted._fitted.model, index=index))
        rows = pd.concat([X] * 20, ignore_index=True).sample(frac=1, random_state=1, ignore_index=True)
        rows[["a", "total"]] += rng.normal(size=(N_ROWS, 2)) * (rng.random((N_ROWS, 1)) < 0.2) * 5
        for name in X:
            rows.loc[rng.random(N_ROWS) < 0.05, name] = None
        rows.loc[rng.random(N_ROWS) < 0.05, "kind"] = "nowhere"
        expected = {"prediction": fitted.predict(rows), "values": fitted.shap_values(rows)}
        expected["base"] = fitted(rows[:1]).base_values[0]
    return fitted, rows, expected
