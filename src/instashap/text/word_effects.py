"""An additive model of masked texts: an effect of each word, and of each pair of neighbours, wherever they stand.

``g(x; S) = sum_i 1[i ∈ S] a(w_i) + sum_i 1[i, i + 1 ∈ S] b(w_i, w_{i+1})`` for a text x of words ``w_1 … w_d``. It is fitted to
``(v(S) - v(N \\ S)) / 2``, the only part of a game that has Shapley values, so a base value is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from ..game.control_variate import Known

# A word or pair that fewer texts hold has no effect of its own: its estimate would be noise.
_LEAST_TEXTS = 2
# Candidates for the penalty of a word, relative to the variance of one text's rows, and how much more a pair is penalised.
_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_PAIR_FACTOR = 2.0
# One text in so many is held out to choose the penalty.
_HELD_OUT = 5

Term = tuple[str, ...]


@dataclass(frozen=True)
class WordEffects:
    """Effects of words and of pairs of neighbours.

    Attributes
    ----------
    terms : dict of tuple of str to int
        Row of each word, ``(word,)``, and pair of neighbours, both in lower case.
    effects : ndarray of shape (n_terms + 1, n_outputs), float64
        On the scale of the outputs; the last row is zero, for unknown words.
    n_texts : ndarray of shape (n_terms,), int64
        Number of fitted texts that hold each term.
    share : float
        Share of the variance of ``v(S) - v(N \\ S)`` of held-out texts that the effects explain.
    """

    terms: dict[Term, int]
    effects: NDArray[np.float64]
    n_texts: NDArray[np.int64]
    share: float = 0.0

    def know(self, words: Sequence[Sequence[str]], masks: NDArray[np.bool_]) -> Known:
        """Shapley values of texts of equally many words, and values at masks of shape (n_texts, n_masks, n_words)."""
        singles, pairs = (
            np.stack([self.effects[self._find(terms)] for terms in lists])
            for lists in ([list_words(each) for each in words], [list_pairs(each) for each in words])
        )
        values = singles.copy()
        values[:, :-1] += pairs / 2
        values[:, 1:] += pairs / 2
        both = masks[:, :, :-1] & masks[:, :, 1:]
        return Known(values, masks.astype(float) @ singles + both.astype(float) @ pairs)

    def _find(self, terms: Sequence[Term]) -> list[int]:
        return [self.terms.get(term, len(self.effects) - 1) for term in terms]


def list_words(words: Sequence[str]) -> list[Term]:
    """Terms of single words, in lower case."""
    return [(word.casefold(),) for word in words]


def list_pairs(words: Sequence[str]) -> list[Term]:
    """Terms of neighbouring words, in lower case."""
    return [(left.casefold(), right.casefold()) for left, right in pairwise(words)]


class MaskedTexts(NamedTuple):
    """Texts with their sampled coalitions.

    Attributes
    ----------
    words : list of sequence of str
    masks : list of ndarray of shape (n_pairs, n_words), bool
        One coalition of each pair.
    odd : list of ndarray of shape (n_pairs, n_outputs), float64
        ``(v(S) - v(N \\ S)) / 2``.
    """

    words: list[Sequence[str]]
    masks: list[NDArray[np.bool_]]
    odd: list[NDArray[np.float64]]


def fit_word_effects(texts: MaskedTexts) -> WordEffects:
    """Effects by ridge regression, with the penalty that held-out texts choose, then refitted on all of them."""
    terms, n_texts = _count_terms(texts.words)
    design = sp.vstack([_design(words, masks, terms) for words, masks, _ in zip(*texts, strict=True)], format="csr")
    target = np.concatenate(texts.odd)
    owners = np.repeat(np.arange(len(texts.words)), [len(masks) for masks in texts.masks])
    is_pair = np.array([len(term) == 2 for term in terms], dtype=bool)
    scales = np.where(is_pair, _PAIR_FACTOR**-0.5, 1.0)
    design = design @ sp.diags_array(scales)
    held_out = owners % _HELD_OUT == _HELD_OUT - 1
    errors = {}
    for strength in _STRENGTHS:
        fitted = _solve(design[~held_out], target[~held_out], strength)
        errors[strength] = float(np.square(target[held_out] - design[held_out] @ fitted).sum())
    best = min(errors, key=lambda strength: errors[strength])
    share = 1.0 - errors[best] / max(float(np.square(target[held_out]).sum()), 1e-300)
    effects = scales[:, None] * _solve(design, target, best)
    return WordEffects(terms, np.vstack([effects, np.zeros((1, target.shape[1]))]), n_texts, share)


def _count_terms(texts: Sequence[Sequence[str]]) -> tuple[dict[Term, int], NDArray[np.int64]]:
    counts = Counter(term for words in texts for term in {*list_words(words), *list_pairs(words)})
    kept = [term for term, count in counts.items() if count >= _LEAST_TEXTS]
    return {term: row for row, term in enumerate(kept)}, np.array([counts[term] for term in kept], dtype=np.int64)


def _design(words: Sequence[str], masks: NDArray[np.bool_], terms: dict[Term, int]) -> sp.csr_array:
    """Odd parts of the terms of one text, shape (n_masks, n_terms)."""
    signs = masks - 0.5
    odd = np.hstack([signs, (signs[:, :-1] + signs[:, 1:]) / 2])
    columns = np.array([terms.get(term, -1) for term in [*list_words(words), *list_pairs(words)]])
    known = columns >= 0
    entries = odd[:, known].ravel(), (np.repeat(np.arange(len(masks)), known.sum()), np.tile(columns[known], len(masks)))
    return sp.csr_array(sp.coo_array(entries, shape=(len(masks), len(terms))))


def _solve(design: sp.csr_array, target: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Coefficients, shape (n_terms, n_outputs)."""
    solver = Ridge(alpha=strength, fit_intercept=False, solver="sparse_cg", tol=1e-4, max_iter=1000)
    return np.asarray(solver.fit(design, target).coef_, dtype=np.float64).reshape(target.shape[1], -1).T
