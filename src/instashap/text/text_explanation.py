"""Shapley values of the words of some texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._sentences import count
from .._validation import check_at_least
from .text_pages import render_texts, write_text


@dataclass(frozen=True, repr=False)
class TextExplanation:
    """Shapley values of words; slices by text, and by class with :meth:`take_output`.

    Attributes
    ----------
    values : tuple of ndarray of shape (n_words,) or (n_words, n_outputs), float64
        Shapley values of each text on the scale of ``output_transform``; with the text's base value they sum to the model's
        output for it.
    base_values : ndarray of shape (n_texts,) or (n_texts, n_outputs), float64
        Output of each text without any word.
    texts : tuple of str
    words : tuple of tuple of str
        The words (or phrases) of each text.
    output_names : tuple of str
    output_transform : str
        The explained output and its scale.
    absent : str
        What stands in the place of an absent word; empty if it is deleted.
    standard_errors : tuple of ndarray of the shapes of ``values``
        Of sampled coalitions; zero where all of them were asked about.
    """

    values: tuple[NDArray[np.float64], ...]
    base_values: NDArray[np.float64]
    texts: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    output_names: tuple[str, ...]
    output_transform: str
    absent: str
    standard_errors: tuple[NDArray[np.float64], ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_outputs(self) -> bool:
        """Whether values have an axis of outputs."""
        return self.base_values.ndim == 2

    @property
    def predictions(self) -> NDArray[np.float64]:
        """Explained output of each text: base value plus the text's values."""
        return np.asarray(self.base_values + np.stack([each.sum(axis=0) for each in self.values]))

    @property
    def game(self) -> str:
        """Meaning of an absent word."""
        return f"absent words are replaced by {self.absent!r}" if self.absent else "absent words are deleted"

    @property
    def meaning(self) -> str:
        """Meaning of a word's value, as one phrase that starts in lower case."""
        return f"what the word adds to the output when words appear in random order; {self.game}"

    def __getitem__(self, rows: Any) -> TextExplanation:
        """The explanation of some texts; a single text keeps its axis."""
        kept = np.atleast_1d(np.arange(len(self))[rows])
        values, errors = (tuple(parts[k] for k in kept) for parts in (self.values, self.standard_errors))
        texts, words = tuple(self.texts[k] for k in kept), tuple(self.words[k] for k in kept)
        return replace(
            self, values=values, standard_errors=errors, texts=texts, words=words, base_values=self.base_values[kept]
        )

    def take_output(self, output: int | str) -> TextExplanation:
        """The values of one output, by position or name, without the axis of outputs.

        Raises ``KeyError`` for an unknown name.
        """
        if isinstance(output, str):
            if output not in self.output_names:
                raise KeyError(f"unknown output {output!r}; there are {', '.join(map(repr, self.output_names))}")
            output = self.output_names.index(output)
        if not self.has_outputs:
            return self
        values, errors = (tuple(each[:, output] for each in parts) for parts in (self.values, self.standard_errors))
        names = (self.output_names[output],)
        return replace(
            self, values=values, standard_errors=errors, base_values=self.base_values[:, output], output_names=names
        )

    def to_frame(self) -> pd.DataFrame:
        """A row for each word and output: text, position, word, output, value, standard error."""
        frames = []
        for name in self.output_names:
            one = self.take_output(name)
            for number, words in enumerate(one.words):
                facts = {"text": number, "position": range(len(words)), "word": words, "output": name}
                numbers = {"value": one.values[number], "standard_error": one.standard_errors[number]}
                frames.append(pd.DataFrame({**facts, **numbers}))
        return pd.concat(frames, ignore_index=True)

    def to_text(self, max_words: int = 8, max_texts: int = 10) -> str:
        """Sentences on each of the first texts: base value, output, and the words with the largest values."""
        n_words = check_at_least(max_words, 1, "max_words", "each text's largest values are written first")
        n_texts = check_at_least(max_texts, 1, "max_texts", "texts are written one after the other")
        return write_text(self, n_words, n_texts)

    def _repr_html_(self) -> str:
        return render_texts(self)

    def __repr__(self) -> str:
        n_outputs = f" and {len(self.output_names)} outputs" if self.has_outputs else ""
        return f"TextExplanation of {count(len(self), 'text')}{n_outputs}; {self.game}; {self.output_transform}"
