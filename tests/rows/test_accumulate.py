"""Moments of the rows of a source are those of the table."""

import numpy as np
import pytest

import instashap.rows.source
from instashap import Explainer

from .conftest import KINDS, make_table, predict


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    monkeypatch.setattr(instashap.rows.source, "_FEWEST_ROWS", 64)
    monkeypatch.setattr(instashap.rows.source, "_BLOCK_NUMBERS", 64)


@pytest.fixture(scope="module")
def explainer():
    return Explainer(predict, order=1).fit(make_table()[["size", "rooms", "kind"]][:200])


def check(found, expected):
    assert found.n_rows == expected.n_rows
    assert np.allclose(found.sums.products, expected.sums.products, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_a_source_are_those_of_the_table(explainer, table, make_source, kind):
    """Columns that the fit did not see are not read."""
    features = table[["size", "rooms", "kind"]]
    source = make_source(table, kind)
    check(explainer.accumulate(source, outputs="price"), explainer.accumulate(features, outputs=table["price"]))


def test_the_model_is_asked_where_no_column_is_named(explainer, table, make_source):
    features = table[["size", "rooms", "kind"]]
    check(explainer.accumulate(make_source(table, "folder")), explainer.accumulate(features))


@pytest.mark.parametrize("unit", [1.0, 0.3])
def test_weights_are_scaled_as_those_of_the_table(explainer, table, make_source, unit):
    weighted = table.assign(w=unit * table["rooms"])
    found = explainer.accumulate(make_source(weighted, "folder"), outputs="price", sample_weight="w")
    features = table[["size", "rooms", "kind"]]
    check(found, explainer.accumulate(features, outputs=table["price"], sample_weight=weighted["w"]))
    w = weighted["w"]
    assert found.total_weight == pytest.approx(w.sum() if unit == 1.0 else w.sum() ** 2 / (w**2).sum(), rel=1e-12)


def test_named_outputs_are_put_in_the_order_of_the_fit(table, make_source):
    both = table.assign(low=table["price"], high=3 * table["price"])
    names = ["low", "high"]
    explainer = Explainer(order=1).fit(both[["size", "rooms", *names]], outputs=names)
    found = explainer.accumulate(make_source(both, "folder"), outputs=names[::-1])
    check(found, explainer.accumulate(both[["size", "rooms"]], outputs=both[names]))
    with pytest.raises(ValueError, match=r"has the outputs \['low', 'high'\], and outputs= names \['low', 'price'\]"):
        explainer.accumulate(make_source(both, "folder"), outputs=["low", "price"])
    with pytest.raises(ValueError, match="the rows have 1 outputs, and the fit was of 2"):
        explainer.accumulate(make_source(both, "folder"), outputs="low")
