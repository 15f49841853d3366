"""Texts as games of their words: exact values of short texts, unbiased ones of long texts, and what readers see of them."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from instashap import NotFittedError
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.plots import plot_text
from instashap.text import TextExplainer
from instashap.text.split_text import split_text
from instashap.text.word_effects import WordEffects

WEIGHTS = {"good": 1.0, "dull": -2.0, "plot": 0.25, "very": 0.1}


def judge(texts: Sequence[str]) -> np.ndarray:
    """Weights of words, and 3 for "not" before "dull"."""
    words = [text.split() for text in texts]
    plain = [sum(WEIGHTS.get(word, 0.0) for word in each) for each in words]
    return np.array(plain) + [3.0 * ("not dull" in " ".join(each)) for each in words]


def enumerate_orders(text: str) -> np.ndarray:
    """Mean effect of each word over all orders in which words appear."""
    words = text.split()
    totals, orders = np.zeros(len(words)), list(permutations(range(len(words))))
    for order in orders:
        kept: set[int] = set()
        for place in order:
            before = judge([" ".join(words[k] for k in sorted(kept))])[0]
            kept.add(place)
            totals[place] += judge([" ".join(words[k] for k in sorted(kept))])[0] - before
    return totals / len(orders)


TEXTS = ["a good plot", "not dull", "very good but dull plot", "not very dull", "good"]
LONG = "a very good and not dull film with a very very good plot that no one would call dull or good " * 2


def test_short_texts_are_enumerated() -> None:
    explanation = TextExplainer(judge).explain(TEXTS, n_coalitions=32)
    for text, values, errors in zip(TEXTS, explanation.values, explanation.standard_errors, strict=True):
        np.testing.assert_allclose(values, enumerate_orders(text), atol=1e-12)
        np.testing.assert_allclose(errors, 0.0, atol=1e-12)
    np.testing.assert_allclose(explanation.predictions, judge(TEXTS))
    np.testing.assert_allclose(explanation.base_values, 0.0)


def test_a_model_of_words_and_neighbours_needs_hardly_any_coalitions() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["good", "dull", "plot", "a", "film"], 9)) for _ in range(400)]

    def model(some: Sequence[str]) -> np.ndarray:
        return np.array([sum(WEIGHTS.get(word, 0.0) for word in text.split()) for text in some])

    explainer = TextExplainer(model).fit(texts)
    assert explainer.explained_share_ > 0.99
    effects = explainer.word_effects_
    np.testing.assert_allclose(effects.loc[["good", "dull", "plot"], "output"], [1.0, -2.0, 0.25], atol=0.05)
    assert effects.loc["good", "n_texts"] == sum("good" in text.split() for text in texts)
    # Every value is a word's own weight: what effects leave of them is small, and estimated.
    explanation = explainer.explain(texts[:5], n_coalitions=16)
    wanted = [[WEIGHTS.get(word, 0.0) for word in text.split()] for text in texts[:5]]
    np.testing.assert_allclose(np.stack(explanation.values), wanted, atol=0.01)


def test_values_of_the_additive_model_are_those_of_its_own_game() -> None:
    terms = {("not",): 0, ("dull",): 1, ("not", "dull"): 2, ("dull", "film"): 3}
    effects = WordEffects(terms, np.array([[0.5], [-2.0], [3.0], [1.0], [0.0]]), np.ones(4, dtype=np.int64))
    masks = enumerate_coalitions(4)
    known = effects.know([["a", "not", "dull", "film"]], masks[None])
    np.testing.assert_allclose(known.values[0, :, 0], compute_shapley_values(known.at_masks[0, :, 0]))
    np.testing.assert_allclose(known.values[0, :, 0], [0.0, 2.0, 0.0, 0.5])  # .5 + 3 / 2, -2 + 3 / 2 + 1 / 2, 1 / 2


def test_long_texts_are_unbiased_with_errors_that_cover() -> None:
    found = [TextExplainer(judge).explain([LONG], n_coalitions=80, random_state=seed) for seed in range(60)]
    exact = TextExplainer(judge).explain([LONG], n_coalitions=20_000).values[0]
    values, errors = (np.stack([getattr(each, name)[0] for each in found]) for name in ("values", "standard_errors"))
    spread = values.std(axis=0, ddof=1)
    assert (np.abs(values.mean(axis=0) - exact) <= 4 * spread / np.sqrt(len(found)) + 1e-3).all()
    np.testing.assert_allclose(values.sum(axis=1), judge([LONG])[0])
    covered = np.abs(values - exact) <= 1.645 * errors
    assert 0.8 < covered[:, spread > 1e-6].mean() < 0.97


def test_a_classifier_has_log_odds_and_words_may_be_replaced() -> None:
    texts = ["good film", "good plot", "dull film", "dull plot"] * 5
    labels = ["yes", "yes", "no", "no"] * 5
    model = make_pipeline(CountVectorizer(token_pattern=r"\S+"), LogisticRegression()).fit(texts, labels)
    explanation = TextExplainer(model).explain(["good plot"])
    weights = dict(zip(model[0].get_feature_names_out(), model[1].coef_[0], strict=True))
    np.testing.assert_allclose(explanation.values[0], [weights["good"], weights["plot"]], atol=1e-6)
    assert explanation.output_names == ("yes",)
    asked: list[str] = []

    def listen(some: Sequence[str]) -> np.ndarray:
        asked.extend(some)
        return judge(some)

    TextExplainer(listen, absent="[MASK]").explain(["not dull"])
    assert set(asked) == {"not dull", "[MASK] dull", "not [MASK]", "[MASK] [MASK]"}


def test_several_outputs_have_an_axis() -> None:
    explanation = TextExplainer(lambda texts: np.stack([judge(texts), -judge(texts)], axis=1)).explain(TEXTS)
    assert explanation.values[2].shape == (5, 2)
    np.testing.assert_allclose(explanation.take_output(1).values[2], -enumerate_orders(TEXTS[2]), atol=1e-12)
    frame = explanation[1].to_frame()
    assert frame[["word", "output"]].to_numpy().tolist() == [[w, o] for o in ("output 0", "output 1") for w in ("not", "dull")]
    np.testing.assert_allclose(frame["value"], [1.5, -0.5, -1.5, 0.5])  # 3 in equal parts, and -2


@pytest.mark.parametrize(
    ("players", "words"),
    [
        ("words", ("Not", "dull,", "at", "3.5", "hours.")),
        ("phrases", ("Not dull,", "at 3.5 hours.")),
        (lambda text: ["Not dull", "at 3.5", "hours"], ("Not dull", "at 3.5", "hours")),
    ],
)
def test_texts_are_cut_into_players(players: Any, words: tuple[str, ...]) -> None:
    cut = split_text("Not dull, at 3.5 hours.", players)
    assert cut.words == words
    assert cut.keep(np.ones(len(words), dtype=bool), "") == "Not dull, at 3.5 hours."
    assert cut.keep(np.arange(len(words)) == 0, "") == words[0] + ("," if callable(players) else "")


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        ("one text", {}, TypeError, r"sequence of str, got one str; pass \[text\]"),
        (5, {}, TypeError, r"sequence of str, got one int; pass \[text\]"),
        ([], {}, ValueError, "there are no texts"),
        (["a", None], {}, TypeError, "text 1 must be a str, got NoneType; drop or replace missing texts"),
        (["a", " "], {}, ValueError, r"text 1 \(1 in all\) has no words to explain; drop it"),
        (["a b"], {"players": "letters"}, ValueError, "players"),
        (["a b"], {"players": lambda text: ["c"]}, ValueError, "'c', which is not in 'a b' after position 0"),
    ],
)
def test_bad_texts_are_refused(texts: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TextExplainer(judge, **options).explain(texts)


def test_too_few_coalitions_and_effects_before_a_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="5 words of the longest text need a pair of each size"):
        TextExplainer(judge).explain(TEXTS, n_coalitions=5)
    with pytest.raises(NotFittedError, match=r"call fit\(texts\) first"):
        _ = TextExplainer(judge).word_effects_


def test_readers_see_words_values_and_doubts() -> None:
    explanation = TextExplainer(judge).explain(["not <b>", "very good but dull plot"])
    text = explanation.to_text(max_words=2)
    assert "'dull' subtracts 2; 'good' adds 1; the other 3 words: 0.35 together." in text
    assert "absent words are deleted" in text
    html = explanation._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.replace("<b>Shapley", "")
    assert "title='−2.00'" in html
    doubtful = TextExplainer(judge).explain([LONG], n_coalitions=60).to_text(max_words=30)
    assert "is uncertain: the 90 % interval holds zero." in doubtful


def test_words_are_drawn_in_their_order_on_the_colours_of_their_values() -> None:
    explanation = TextExplainer(judge).explain(["very good but dull plot"])
    ax = plot_text(explanation)
    drawn = [each for each in ax.texts if each.get_gid() == "word"]
    assert [each.get_text() for each in drawn] == ["very", "good", "but", "dull", "plot"]
    opacity = [each.get_bbox_patch().get_facecolor()[3] for each in drawn]
    assert np.argsort(opacity).tolist() == [2, 0, 4, 1, 3]  # by the sizes 0, .1, .25, 1, 2
    with pytest.raises(ValueError, match=r"one text, got 2; take one with explanation\[0\]"):
        plot_text(TextExplainer(judge).explain(TEXTS[:2]))
