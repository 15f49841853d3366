"""Explainer of texts: an additive model of words as control variate, and sampled coalitions of each text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._errors import NotFittedError
from .._validation import check_at_least
from ..blackbox import BlackBox, wrap_model
from ..game.coalitions import compute_shapley_size_law, sample_coalitions
from ..game.control_variate import Estimates, Known, estimate_games
from ..game.pairs import check_coalitions
from .split_text import Splitter, SplitText, check_texts
from .text_explanation import TextExplanation
from .word_effects import MaskedTexts, WordEffects, fit_word_effects

# Texts in one call of the model.
_BATCH_TEXTS = 1024


class TextExplainer:
    """Shapley values of the words of texts, unbiased and with standard errors, for any model of texts.

    Each text is a game of its words: the value of a coalition is the model's output for the text that the other words have
    left. ``fit`` learns an additive model of words and pairs of neighbours from masked texts. Its values are known exactly, so
    only what the model adds to them is estimated, from sampled coalitions of each text.

    Parameters
    ----------
    model : estimator or callable
        Maps a list of str to outputs or, with ``predict_proba``, to probabilities: a pipeline of scikit-learn, or a function
        that tokenises and asks a net. Equal texts are asked about once.
    players : {"words", "phrases"} or callable
        ``"words"``: what space separates. ``"phrases"``: what ends with punctuation. A callable maps a text to its pieces.
    absent : str
        ``""``: absent words are deleted. Else what stands in their place, such as ``"[MASK]"``.
    output : {"auto", "raw", "probability"}
        As in :class:`instashap.Explainer`: a classifier's log-odds, or probabilities.
    random_state : int

    Attributes
    ----------
    word_effects_, explained_share_

    Examples
    --------
    >>> def count_praise(texts):
    ...     return [text.count("good") - 2.0 * text.count("not good") for text in texts]
    >>> explanation = TextExplainer(count_praise).explain(["this is not good"])
    >>> dict(zip(explanation.words[0], explanation.values[0].round(6) + 0.0))["not"].item()
    -1.0
    """

    def __init__(
        self,
        model: Any,
        *,
        players: str | Splitter = "words",
        absent: str = "",
        output: str = "auto",
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.players = players
        self.absent = absent
        self.output = output
        self.random_state = random_state

    def fit(self, texts: Any, *, n_coalitions: int = 16) -> Self:
        """Learn effects of words and of neighbours from texts like those on which the model was trained, without labels.

        Parameters
        ----------
        texts : sequence of str
        n_coalitions : int
            Coalitions of each text that the model is asked about, at least four: the empty and the full one, and pairs.
        """
        split = check_texts(texts, self.players)
        check_at_least(n_coalitions, 4, "n_coalitions", "the model is asked about the empty text, the whole one and a pair")
        rng = np.random.default_rng(self.random_state)
        masks = [_draw_masks(len(each.words), n_coalitions // 2 - 1, rng) for each in split]
        box = self._read_model(split)
        present, absent = (
            self._ask(box, ((each, mask) for each, some in zip(split, flipped, strict=True) for mask in some))
            for flipped in (masks, [~some for some in masks])
        )
        ends = np.cumsum([len(some) for some in masks])[:-1]
        odd = np.split((present - absent) / 2, ends)
        self._box, self._effects = box, fit_word_effects(MaskedTexts([each.words for each in split], masks, odd))
        return self

    def explain(self, texts: Any, *, n_coalitions: int = 256, random_state: int | None = None) -> TextExplanation:
        """Shapley values of every word for every output; without ``fit`` as unbiased, with larger errors.

        Parameters
        ----------
        texts : sequence of str
        n_coalitions : int
            Coalitions of each text, at least ``2 + 2 * (n_words // 2)``. A text of at most ``log2(n_coalitions)`` words is
            enumerated: its values are exact.
        random_state : int, optional
            Seed of the coalitions; default: the explainer's.

        Raises
        ------
        ValueError
            With too few coalitions for the longest text.
        ModelOutputError
            If the model fails, or returns outputs that cannot be explained.
        """
        split = check_texts(texts, self.players)
        check_coalitions(n_coalitions, max(len(each.words) for each in split), "words of the longest text")
        box = self._box if hasattr(self, "_box") else self._read_model(split)
        seed = self.random_state if random_state is None else random_state
        groups = defaultdict(list)
        for number, each in enumerate(split):
            groups[len(each.words)].append(number)
        parts: dict[int, tuple[NDArray[np.float64], ...]] = {}
        for numbers in groups.values():
            found = self._estimate(box, [split[number] for number in numbers], n_coalitions, seed)
            rows = zip(found.control + found.values, np.sqrt(found.variances), found.base, strict=True)
            parts |= zip(numbers, rows, strict=True)
        n_outputs = parts[0][2].size
        axis: Any = 0 if n_outputs == 1 else slice(None)  # no axis of outputs if there is one
        values, errors, bases = (tuple(parts[k][part][..., axis] for k in range(len(split))) for part in range(3))
        names = box.output_names if len(box.output_names) == n_outputs else _name_outputs(n_outputs)
        sources, words = tuple(each.text for each in split), tuple(each.words for each in split)
        return TextExplanation(values, np.array(bases), sources, words, names, box.description, self.absent, errors)

    def _estimate(self, box: BlackBox, split: list[SplitText], n_coalitions: int, seed: int) -> Estimates:
        """Estimates for texts of equally many words."""
        effects: WordEffects | None = getattr(self, "_effects", None)

        def ask(numbers: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
            return self._ask(box, ((split[number], mask) for number, mask in zip(numbers, masks, strict=True)))

        def know(numbers: NDArray[np.int64], masks: NDArray[np.bool_]) -> Known:
            if effects is None:
                return Known(np.zeros((*masks.shape[::2], 1)), np.zeros((*masks.shape[:2], 1)))
            return effects.know([split[number].words for number in numbers], masks)

        return estimate_games(ask, know, (len(split), len(split[0].words)), n_coalitions, seed)

    def _ask(self, box: BlackBox, kept: Iterable[tuple[SplitText, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        """Outputs for what masks leave of texts, each different text asked about once."""
        places: dict[str, int] = {}
        rows = [places.setdefault(each.keep(mask, self.absent), len(places)) for each, mask in kept]
        return box.predict(list(places), len(places))[rows]

    def _read_model(self, split: list[SplitText]) -> BlackBox:
        """The black box with a scale that is fixed by whole texts."""
        box = wrap_model(self.model, self.output, _BATCH_TEXTS)
        return box.prepare([each.text for each in split], len(split))

    @property
    def word_effects_(self) -> pd.DataFrame:
        """Effects of words and of pairs of neighbours ("not good"), a column an output, and the number of texts with each."""
        fitted = self._get()
        names = self._box.output_names or _name_outputs(fitted.effects.shape[1])
        index = pd.Index([" ".join(term) for term in fitted.terms], name="words")
        table = pd.DataFrame(fitted.effects[:-1], index, list(names))
        return table.assign(n_texts=fitted.n_texts)

    @property
    def explained_share_(self) -> float:
        """Share of the variance of differences between complementary masked texts, held out, that the effects explain."""
        return self._get().share

    def _get(self) -> WordEffects:
        if not hasattr(self, "_effects"):
            raise NotFittedError("this TextExplainer has no effects of words yet; call fit(texts) first")
        return self._effects


def _draw_masks(n_words: int, n_pairs: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The full mask, and random ones of the Shapley kernel; each stands for a pair with its complement."""
    full = np.ones((1, n_words), dtype=bool)
    if n_words == 1:
        return full
    return np.concatenate([full, sample_coalitions(compute_shapley_size_law(n_words), n_pairs, rng)[:n_pairs]])


def _name_outputs(n_outputs: int) -> tuple[str, ...]:
    return ("output",) if n_outputs == 1 else tuple(f"output {k}" for k in range(n_outputs))
