"""A fit on any source is the fit on the table: the same bits while it is a sample of itself, to 1e-9 beyond."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import instashap.rows.source
from instashap import Explainer, FitWarning, Marginal
from instashap.rows.opening import open_source

from .conftest import KINDS, make_table, predict, write_parts

PAIR = [("rooms", "kind")]


@pytest.fixture
def short_blocks(monkeypatch):
    """Blocks of 64 rows."""
    monkeypatch.setattr(instashap.rows.source, "_FEWEST_ROWS", 64)
    monkeypatch.setattr(instashap.rows.source, "_BLOCK_NUMBERS", 64)


def plan(model=None, **options):
    """An explainer for which a table of more than 200 rows is long."""
    return Explainer(model, plan_rows=200, **options)


@cache
def fit_table(model=None, n_rows=600, **options):
    """The fit on the first rows of the table, for several tests."""
    table = make_table()[:n_rows]
    outputs = table["price"] if model is None else None
    return Explainer(model, interactions=PAIR, **options).fit(table.drop(columns="price"), outputs=outputs)


@pytest.fixture
def features(table):
    return table.drop(columns="price")


@pytest.fixture
def quiet():
    """Fits of a few rows have things to say, which are tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_source_gives_the_bits_of_the_table(table, features, make_source, kind, quiet):
    expected = fit_table().shap_values(features)
    found = Explainer(interactions=PAIR).fit(make_source(table, kind), outputs="price")
    assert np.array_equal(found.shap_values(features), expected)


@pytest.mark.parametrize("n_parts", [1, 7, 40])
def test_the_number_of_files_changes_nothing(features, tmp_path, n_parts, quiet):
    expected = fit_table(predict).shap_values(features)
    found = Explainer(predict, interactions=PAIR).fit(write_parts(features, tmp_path / "rows", n_parts))
    assert np.array_equal(found.shap_values(features), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_source_gives_the_values_of_the_table(table, features, make_source, short_blocks, kind, quiet):
    expected = fit_table(predict, plan_rows=200)
    found = plan(predict, interactions=PAIR).fit(make_source(features, kind))
    assert np.abs(found.shap_values(features) - expected.shap_values(features)).max() < 1e-9
    assert found.fit_facts_["n_rows"] == 600
    assert found.expected_value == pytest.approx(predict(features).mean(), rel=1e-12)
    direct = fit_table(predict, 200)
    assert np.abs(found.shap_values(features) - direct.shap_values(features)).max() > 1e-4  # else nothing was summed


@pytest.mark.parametrize("n_parts", [1, 7, 40])
def test_files_and_order_of_a_long_source_change_nothing(table, features, tmp_path, short_blocks, n_parts, quiet):
    expected = fit_table(plan_rows=200).shap_values(features)
    mixed = table.sample(frac=1.0, random_state=n_parts, ignore_index=True)
    found = plan(interactions=PAIR).fit(write_parts(mixed, tmp_path / "rows", n_parts), outputs="price")
    assert np.abs(found.shap_values(features) - expected).max() < 1e-9


def test_arrays_in_the_order_of_the_files_serve_as_outputs_and_weights(table, features, make_source, short_blocks, quiet):
    weights = table["rooms"].to_numpy() * 1.0
    expected = plan(order=1).fit(make_source(table.assign(w=weights), "folder"), outputs="price", sample_weight="w")
    arrays = {"outputs": table["price"], "sample_weight": weights}
    found = plan(order=1).fit(lambda: iter([features[:100], features[100:]]), **arrays)
    assert np.array_equal(found.shap_values(features), expected.shap_values(features))
    repeated = features.loc[np.repeat(table.index, table["rooms"])]
    outputs = table["price"].loc[repeated.index]
    by_rows = plan(order=1).fit(repeated, outputs=outputs.to_numpy())
    assert np.abs(found.shap_values(features) - by_rows.shap_values(features)).max() < 1e-9


def test_weights_that_are_no_counts_give_the_values_of_the_table(table, features, make_source, short_blocks, quiet):
    weights = 0.01 + table["rooms"] / 3.0
    expected = plan(order=1).fit(features, outputs=table["price"], sample_weight=weights)
    found = plan(order=1).fit(make_source(table.assign(w=weights), "folder"), outputs="price", sample_weight="w")
    assert np.abs(found.shap_values(features) - expected.shap_values(features)).max() < 1e-9
    assert found.fit_facts_["total_weight"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-12)


def test_named_columns_serve_a_table_in_memory_too(table, features, quiet):
    expected = Explainer(order=1).fit(features, outputs=table["price"], sample_weight=table["rooms"])
    found = Explainer(order=1).fit(table.assign(w=table["rooms"]), outputs="price", sample_weight="w")
    assert np.array_equal(found.shap_values(features), expected.shap_values(features))
    assert "price" not in found.feature_names_


def test_columns_whose_labels_are_numbers_are_named_by_them(table, features, quiet):
    expected = Explainer(order=1).fit(features, outputs=table["price"])
    numbered = table.set_axis([10, 11, 12, 13, 14, 4], axis=1)  # 4 is also the position of another column
    for named in (4, [4], (4,)):
        found = Explainer(order=1).fit(numbered, outputs=named)
        assert np.array_equal(found.shap_values(numbered.drop(columns=4)), expected.shap_values(features))
    both = Explainer(order=1).fit(numbered.assign(w=1.0).rename(columns={"w": 5}), outputs=[5, 4])
    assert both.output_names_ == ("5", "4")


def test_a_number_that_is_a_label_and_a_weight_is_refused_with_advice_that_works(features, quiet):
    # It was one weight for all rows, and the column of weights a feature.
    rows = features.assign(w=np.arange(len(features)) % 3).rename(columns={"w": 9})
    outputs = features["rooms"] * 2.0
    with pytest.raises(ValueError, match=r"pass sample_weight=X\[9\] and X.drop\(columns=9\), or numpy.full\(len\(X\), 9\)"):
        Explainer(order=1).fit(rows, outputs=outputs, sample_weight=9)
    found = Explainer(order=1).fit(rows.drop(columns=9), outputs=outputs, sample_weight=rows[9])
    assert found.expected_value == pytest.approx(np.average(outputs, weights=rows[9]))
    assert Explainer(order=1).fit(rows, outputs=outputs, sample_weight=np.full(len(rows), 9)).n_features_in_ == rows.shape[1]


def test_several_outputs_keep_their_names(table, features, make_source, short_blocks, quiet):
    both = table.assign(twice=2 * table["price"])
    for source in (both, make_source(both, "folder")):
        found = plan(order=1).fit(source, outputs=["price", "twice"])
        assert found.output_names_ == ("price", "twice")
        values = found.shap_values(features)
        assert np.allclose(values[..., 1], 2 * values[..., 0], atol=1e-8)


def test_the_black_box_is_asked_block_by_block(features, make_source, short_blocks, quiet):
    sizes = []

    def model(rows):
        sizes.append(len(rows))
        assert isinstance(rows, pd.DataFrame)
        assert list(rows.columns) == list(features.columns)
        return predict(rows)

    plan(model, order=1).fit(make_source(features, "folder"))
    assert sizes == [200, *[64] * 9, 24]


def test_rows_of_weight_0_are_not_counted_and_not_asked_about(features, make_source, short_blocks, quiet):
    weights = np.where(np.arange(600) % 5 == 0, 2.0, 0.0)
    asked = []

    def model(rows):
        asked.append(len(rows))
        return predict(rows)

    found = plan(model, order=1, synthetic_rows=0).fit(make_source(features.assign(w=weights), "folder"), sample_weight="w")
    kept = features[weights > 0].reset_index(drop=True)
    expected = plan(predict, order=1, synthetic_rows=0).fit(kept, sample_weight=np.full(120, 2.0))
    assert np.array_equal(found.shap_values(features), expected.shap_values(features))
    assert asked == [120]


def test_other_fits_use_the_sample_and_say_so(features, make_source, short_blocks):
    background = features[:20]
    source = make_source(features, "folder")
    with pytest.warns(FitWarning, match=r"600 rows.*holds its rows in memory: it used a sample of 200 different rows"):
        found = plan(predict, order=1, value_function=Marginal(background), random_state=0).fit(source)
    sample = open_source(make_source(features, "folder")).sample(200)
    expected = plan(predict, order=1, value_function=Marginal(background), random_state=0)
    expected.fit(sample.rows, sample_weight=sample.weights)
    assert np.array_equal(found.shap_values(features), expected.shap_values(features))


def test_a_value_that_no_fit_takes_is_refused_by_name_wherever_it_lies(features, make_source, short_blocks, quiet):
    for column, value, message in [("size", np.inf, "infinite"), ("price", np.nan, "price.*")]:
        table = features.assign(price=predict(features))
        table.loc[599, column] = value
        with pytest.raises(ValueError, match=message):
            plan(order=1).fit(lambda table=table: [table], outputs="price")
