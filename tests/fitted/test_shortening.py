"""Short forms of names and levels: different texts stay different and keep their meaning."""

import numpy as np
import pytest

from instashap.fitted.shortening import clean, shorten, shorten_all


def test_short_texts_stay_as_they_are():
    assert shorten_all(["north", "south", "north"], 5) == ["north", "south", "north"]


def test_what_distinguishes_texts_stays():
    charges = ["arrest case was closed by the court, no charge", "arrest case was closed by the court, charge"]
    for length in (18, 20, 28):
        without, with_charge = shorten_all(charges, length)
        assert "no charge" in without
        assert "charge" in with_charge
        assert "no" not in with_charge.replace("…", " ").split()
    years = [f"customer has been with the company for {each} than one year" for each in ("less", "more")]
    assert ["less" in short for short in shorten_all(years, 24)] == [True, False]
    assert shorten_all([f"https://example.com/a/very/long/path/item-{i:04d}/detail" for i in range(2)], 20) == [
        "https://…0000/detail",
        "https://…0001/detail",
    ]


@pytest.mark.parametrize("word", ["no", "not", "without", "below", "> 50", "nicht", "isn't"])
def test_a_text_alone_keeps_the_words_that_turn_its_meaning(word):
    assert word in shorten(f"the income of the household is {word} as much as it was before in the year", 26)


def test_letters_that_differ_in_the_middle_of_long_words_stay():
    assert shorten_all(["x" * 40 + "A" + "y" * 40, "x" * 40 + "B" + "y" * 40], 20) == [
        "…xxxxxAyyyyyyy…yyyyy",
        "…xxxxxByyyyyyy…yyyyy",
    ]


def test_no_two_texts_of_many_drawn_ones_coincide_and_none_is_too_long():
    rng = np.random.default_rng(0)
    for _ in range(400):
        length = int(rng.integers(6, 30))
        texts = ["".join(rng.choice(list("ab c_"), rng.integers(0, 50))) for _ in range(rng.integers(1, 8))]
        found = shorten_all(texts, length)
        assert max(map(len, found)) <= length
        assert len(set(found)) == len(set(texts))


def test_control_characters_are_shown_and_not_obeyed():
    assert clean("a\x1b[31mred\n b\u202e") == "a\\x1b[31mred b\\x202e"
