"""Queries in three databases, on ten thousand rows, against Python."""

import sqlite3
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sqlglot import parse_one

import instashap
from instashap.export import to_sql
from instashap.export.sql_text import add_up, branch, write_polynomial

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")


def put_into_duckdb(rows: pd.DataFrame) -> Any:
    connection = duckdb.connect()
    numbered = rows.assign(row=np.arange(len(rows)))
    connection.register("given", numbered.astype({"town": "str", "code": float, "is_new": "boolean", "has_sea": "boolean"}))
    connection.execute("CREATE TABLE rows AS SELECT * FROM given")
    return connection


def put_into_sqlite(rows: pd.DataFrame) -> Any:
    connection = sqlite3.connect(":memory:")
    numbered = rows.assign(row=np.arange(len(rows)), is_new=rows["is_new"].astype("Int64"))
    numbered.astype(object).where(numbered.notna(), None).to_sql("rows", connection, index=False)
    return connection


def put_into_postgres(connection: Any, rows: pd.DataFrame) -> Any:
    kinds = dict.fromkeys(rows.columns, "double precision") | {"town": "text", "is_new": "boolean", "has_sea": "boolean"}
    columns = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}" {kind}' for name, kind in kinds.items())
    connection.execute("DROP TABLE IF EXISTS rows")
    connection.execute(f'CREATE TABLE rows ({columns}, "row" int)')
    flagged = rows.assign(has_sea=rows["has_sea"].astype(object).map({1.0: True, 0.0: False}))
    with connection.cursor().copy("COPY rows FROM STDIN") as copy:
        for number, values in enumerate(flagged.astype(object).itertuples(index=False)):
            # Missing numbers stay NaN in some columns, and are NULL in others.
            kept = [None if value is None or (value != value and name != "smooth") else value
                    for name, value in zip(rows.columns, values, strict=True)]
            copy.write_row([*kept, number])
    return connection


def fetch(connection: Any, text: Any) -> pd.DataFrame:
    for statement in text.setup:
        connection.execute(statement)
    result = connection.execute(text.query)
    names = [each[0] for each in result.description]
    return pd.DataFrame(result.fetchall(), columns=names).sort_values("row", ignore_index=True)


def compare(found: pd.DataFrame, expected: dict[str, Any]) -> None:
    expected = {name: each[: len(found)] if name != "base" else each for name, each in expected.items()}
    values = found.filter(regex="^shap_").to_numpy(float).reshape(expected["values"].shape)
    np.testing.assert_allclose(values, expected["values"], rtol=1e-9, atol=1e-9 * np.abs(expected["values"]).max())
    predictions = found.filter(regex="^prediction").to_numpy(float)
    np.testing.assert_allclose(predictions, expected["prediction"], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.filter(regex="^base_value").to_numpy(float)[0], expected["base"])


# A query that holds all numbers itself takes seconds on ten thousand rows, the same in tables does not.
PICKED = [("inline", 500), ("tables", 10_000)]


@pytest.mark.parametrize(("layout", "n_rows"), PICKED)
def test_duckdb_gives_pythons_numbers(explainer, rows, expected, layout, n_rows):
    text = to_sql(explainer, keep=["row"], layout=layout)
    assert bool(text.setup) == (layout == "tables")
    compare(fetch(put_into_duckdb(rows[:n_rows]), text), expected)


@pytest.mark.parametrize(("layout", "n_rows"), PICKED)
def test_sqlite_gives_pythons_numbers(explainer, rows, expected, layout, n_rows):
    text = to_sql(explainer, dialect="sqlite", keep=["row"], layout=layout)
    compare(fetch(put_into_sqlite(rows[:n_rows]), text), expected)


@pytest.mark.parametrize(("layout", "n_rows"), PICKED)
def test_postgresql_gives_pythons_numbers(explainer, rows, expected, postgres, layout, n_rows):
    text = to_sql(explainer, dialect="postgres", keep=["row"], layout=layout, prefix=f"of_{layout}")
    compare(fetch(put_into_postgres(postgres, rows[:n_rows]), text), expected)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "sqlite"])
def test_a_query_is_one_statement_of_its_dialect(explainer, dialect):
    text = to_sql(explainer, dialect=dialect, layout="tables", rows="sales.rows")
    assert parse_one(text.query, dialect=dialect).find_all()
    assert str(text) == "".join(f"{each};\n" for each in (*text.setup, text.query))


def test_an_infinite_number_and_text_give_no_answer(explainer, rows):
    text = to_sql(explainer, keep=["row"], layout="tables")
    found = fetch(put_into_duckdb(rows[:3].assign(spiked=[1.0, np.inf, 2.0])), text)
    is_known = np.isfinite(found.drop(columns=["row", *found.filter(regex="^base")]).to_numpy(float)).all(axis=1)
    np.testing.assert_array_equal(is_known, [True, False, True])
    connection = put_into_sqlite(rows[:3])
    connection.execute("UPDATE rows SET spiked = 'many' WHERE row = 0")
    connection.execute("UPDATE rows SET spiked = 9e999 WHERE row = 2")
    found = fetch(connection, to_sql(explainer, dialect="sqlite", keep=["row"], layout="tables"))
    assert found.filter(regex="^(shap|prediction)").isna().all(axis=1).tolist() == [True, False, True]


def test_tied_presence_sets_and_a_linear_part_are_scored_as_in_python(wide, linear):
    for explainer, X in (wide, linear):
        connection = duckdb.connect()
        connection.register("rows", pd.DataFrame(X, columns=explainer.feature_names_).assign(row=range(len(X))))
        found = fetch(connection, to_sql(explainer, keep=["row"]))
        np.testing.assert_allclose(found.filter(regex="^shap"), explainer.shap_values(X), rtol=0, atol=1e-11)
        np.testing.assert_allclose(found["prediction"], explainer.predict(X), rtol=0, atol=1e-11)


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_linear_predictions_of_columns_are_scored_as_in_python(indexed, dialect):
    explainer, rows, expected = indexed
    connection = duckdb.connect() if dialect == "duckdb" else sqlite3.connect(":memory:")
    numbered = rows.assign(row=np.arange(len(rows)))
    if dialect == "duckdb":
        connection.register("rows", numbered)
    else:
        numbered.to_sql("rows", connection, index=False)
    compare(fetch(connection, to_sql(explainer, dialect=dialect, keep=["row"], layout="tables")), expected)


def test_linear_predictions_of_columns_are_scored_as_in_python_by_postgresql(indexed, postgres):
    explainer, rows, expected = indexed
    postgres.execute("CREATE TABLE totals (a float8, b float8, kind text, total float8, row int)")
    with postgres.cursor().copy("COPY totals FROM STDIN") as copy:
        for row in rows[:500].assign(row=range(500)).astype(object).itertuples(index=False):
            copy.write_row([None if each != each else each for each in row])
    text = to_sql(explainer, dialect="postgres", rows="totals", keep=["row"], layout="tables", prefix="of_totals")
    compare(fetch(postgres, text), expected)


def test_a_hand_made_game_is_scored_by_hand():
    X = pd.DataFrame({"letter": ["a", "b", "b", "it's"] * 30})
    explainer = instashap.Explainer(order=1).fit(X, outputs=np.tile([0.0, 4.0, 4.0, 8.0], 30))
    connection = duckdb.connect()
    connection.execute("CREATE TABLE rows AS SELECT * FROM (VALUES ('a', 0), ('b', 1), ('it''s', 2)) AS given(letter, row)")
    found = fetch(connection, to_sql(explainer, keep=["row"]))
    np.testing.assert_allclose(found["prediction"], [0.0, 4.0, 8.0], atol=1e-2)
    np.testing.assert_allclose(found["shap_letter"], [-4.0, 0.0, 4.0], atol=1e-2)


def test_numbers_keep_their_bits_and_expressions_their_meaning():
    connection = duckdb.connect()
    polynomial = write_polynomial([0.1, -0.2, 1e-300], "2e0")
    assert connection.execute(f"SELECT {polynomial}").fetchone()[0] == 0.1 + 2 * (-0.2 + 2e-300)
    assert connection.execute(f"SELECT {add_up(['1', '2', '3', '4', '5'])}").fetchone()[0] == 15
    chosen = [connection.execute(f"SELECT {branch(str(x), ['1', '2', '3'], ['10', '20', '20', '30'])}").fetchone()[0]
              for x in (0, 1, 2, 3, 4)]
    assert chosen == [10, 10, 20, 20, 30]


def test_what_a_query_cannot_express_is_refused_by_name(explainer):
    with pytest.raises(ValueError, match="dialect='oracle' is not known; use one of 'duckdb', 'postgres', 'sqlite'"):
        to_sql(explainer, dialect="oracle")
    with pytest.raises(ValueError, match="duckdb cannot distinguish two columns named 'prediction · price'"):
        to_sql(explainer, keep=["prediction · price"])
    X = pd.DataFrame({"a": np.arange(60.0), "A": np.arange(60.0)[::-1] ** 2})
    cased = instashap.Explainer(order=1).fit(X, outputs=X["a"])
    with pytest.raises(ValueError, match="sqlite cannot distinguish two columns named 'A': rename one"):
        to_sql(cased, dialect="sqlite")
    assert to_sql(cased, dialect="postgres").query
    long = instashap.Explainer(order=1).fit(X.rename(columns={"A": "b" * 64}), outputs=X["a"])
    with pytest.raises(ValueError, match="names in postgres have at most 63 bytes, and column 'bbb"):
        to_sql(long, dialect="postgres")
    nameless = instashap.Explainer(order=1).fit(X.rename(columns={"A": ""}), outputs=X["a"])
    with pytest.raises(ValueError, match="a column has no name, and SQL needs one"):
        to_sql(nameless)
    ended = instashap.Explainer(order=1).fit(pd.DataFrame({"town": ["a", "a\0b"] * 30}), outputs=X["a"] % 2)
    with pytest.raises(ValueError, match="column 'town' holds text with the character 0, which sqlite cannot have"):
        to_sql(ended, dialect="sqlite")
    assert to_sql(ended).query


def test_a_model_beyond_the_limits_is_refused(explainer, monkeypatch):
    monkeypatch.setattr("instashap.export.sql_query.MOST_CHARACTERS", 1000)
    with pytest.raises(instashap.TooLargeError, match="at most 1,000 are written: pass layout='tables'"):
        to_sql(explainer, layout="inline")
    with pytest.raises(instashap.TooLargeError, match="characters of SQL, and at most 1,000 are written: fit with a lower"):
        to_sql(explainer, layout="tables")
    monkeypatch.setattr("instashap.export.sql_query.MOST_NUMBERS", 100)
    with pytest.raises(instashap.TooLargeError, match="numbers in tables of SQL, and at most 100 are written"):
        to_sql(explainer, layout="tables")
