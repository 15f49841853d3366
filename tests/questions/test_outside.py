"""Rows outside the data in games of model outputs: they are named, warned of, and refined correctly."""

import numpy as np
import pandas as pd
import pytest

import instashap

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame({"price": RNG.uniform(100, 200, 400), "town": RNG.choice(["a", "b"], 400), "b": RNG.normal(size=400)})
TRIPLED = ROWS[:3].assign(price=3 * ROWS["price"][:3])


def predict(rows):
    return rows["price"].to_numpy() + 50.0 * (rows["town"] == "a").to_numpy() + rows["b"].to_numpy()


def ask(rows, masks):
    """Value function in which absent columns are zero."""
    return np.where(masks, np.column_stack([rows["price"], 50.0 * (rows["town"] == "a"), rows["b"]]), 0.0).sum(axis=1)


GAMES = {"marginal": instashap.Marginal(ROWS[:30]), "baseline": instashap.Baseline(ROWS[:1]), "function": ask}


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_rows_outside_the_data_are_named_in_every_game(game, tmp_path):
    explainer = instashap.Explainer(predict, order=1, value_function=game).fit(ROWS)
    assert not any(explainer(ROWS).outside)
    with pytest.warns(instashap.DataWarning, match=r"3 of 3 rows are not like the fitted.*'price'.*call refine\(X\)") as caught:
        explanation = explainer(TRIPLED)
    assert "trust" not in str(caught[0].message)
    assert explanation.outside == (("price",),) * 3
    explainer.save(tmp_path / "game.insta")
    with pytest.warns(instashap.DataWarning, match="3 of 3 rows are not like the fitted"):
        assert instashap.load(tmp_path / "game.insta")(TRIPLED).outside == (("price",),) * 3
    with pytest.warns(instashap.DataWarning, match="are not like the fitted"):
        assert explainer(ROWS[:3].assign(town="c")).outside == (("town",),) * 3


def test_the_advice_to_refine_gives_the_values_of_the_model():
    background = ROWS[:30]
    explainer = instashap.Explainer(predict, order=1, value_function=instashap.Marginal(background)).fit(ROWS)
    refined = explainer.refine(TRIPLED)
    np.testing.assert_allclose(refined.values[:, 0], TRIPLED["price"] - background["price"].mean(), rtol=1e-6)


def test_rows_made_of_two_rows_are_no_new_combination_where_the_model_was_asked_about_such():
    z = np.random.default_rng(1).normal(size=600)
    line = pd.DataFrame({"x": z, "y": z})
    off = pd.DataFrame({"x": [1.5], "y": [-1.5]})

    def add(rows):
        return (rows["x"] + rows["y"]).to_numpy()

    marginal = instashap.Explainer(add, order=1, value_function=instashap.Marginal(line[:50])).fit(line)
    np.testing.assert_allclose(marginal(off).values, [[1.5 - z[:50].mean(), -1.5 - z[:50].mean()]], atol=0.05)
    conditional = instashap.Explainer(add, order=1).fit(line)
    with pytest.warns(instashap.DataWarning, match="1 in a combination that no fitted row has"):
        assert conditional(off).output_share[0] < 0.1
