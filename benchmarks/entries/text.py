"""Words of short film reviews: Shapley values against all coalitions of the words, beside shap's Permutation and Partition."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_reviews
from ..runner import Bench, Figure, Skipped, judge

Array = NDArray[np.float64]
# Words of a text at most: its 4 096 coalitions are the truth. Calls of the model for each text.
_LEAST, _MOST = 6, 12
_CALLS = (22, 32, 64, 128)  # shap may use fewer: whole permutations, and what its tree has


def run(bench: Bench) -> dict[str, Figure]:
    """R² to the exact values at equal numbers of calls, coverage of intervals, and curves of deletion and insertion."""
    if find_spec("shap") is None:
        raise Skipped("needs shap")
    from instashap.text import TextExplainer

    reviews = load_reviews(bench)
    train, test = (reviews[reviews["split"] == part] for part in ("train", "test"))
    model = _make_model().fit(train["sentence"], train["label"])
    lengths = test["sentence"].str.split().map(len)
    texts = test["sentence"][(lengths >= _LEAST) & (lengths <= _MOST)].tolist()[: bench.choose(100, 8)]
    explainer = TextExplainer(model)
    exact = explainer.explain(texts, n_coalitions=2**_MOST).values
    start = time.process_time()
    explainer.fit(train["sentence"].tolist()[: bench.choose(3000, 300)])
    figures = {
        "accuracy of the model": judge(100 * model.score(test["sentence"], test["label"]), "%"),
        "fit of word effects, processor seconds": judge(time.process_time() - start, "s"),
        "share of differences explained by word effects": judge(explainer.explained_share_),
    }
    ask = _Outputs(model)
    ends = _measure_ends(texts, exact, ask)
    figures |= {f"exact values: {what}": judge(value) for what, value in ends.items()}
    for n_calls in _CALLS:
        own = explainer.explain(texts, n_coalitions=n_calls)
        used = {"": _count_own(texts, n_calls)}
        peers = {}
        for name in ("Permutation", "Partition"):
            ask.n_asked = 0
            peers[name] = _explain(name, texts, ask, n_calls)
            used[f", {name}"] = ask.n_asked / len(texts)
        best = max(_measure_r2(values, exact) for values in peers.values())
        name = f"{n_calls} calls"
        figures |= {f"{name}{who}: calls used for a text": judge(count) for who, count in used.items()}
        figures[f"{name}: R²"] = judge(_measure_r2(own.values, exact), at_least=best)
        figures[f"{name}: R² without fit"] = judge(
            _measure_r2(TextExplainer(model).explain(texts, n_coalitions=n_calls).values, exact)
        )
        distance, errors = (np.concatenate(each) for each in (_subtract(own.values, exact), own.standard_errors))
        is_sampled = errors > 0  # texts of few words are exact
        covered = np.abs(distance[is_sampled]) <= 1.645 * errors[is_sampled]
        figures[f"{name}: coverage of 90 % intervals"] = judge(float(covered.mean()))
        figures |= {f"{name}: {what}": judge(value) for what, value in _measure_ends(texts, own.values, ask).items()}
        for peer, values in peers.items():
            figures[f"{name}, {peer}: R²"] = judge(_measure_r2(values, exact))
            figures |= {f"{name}, {peer}: {what}": judge(value) for what, value in _measure_ends(texts, values, ask).items()}
    return figures


def _make_model() -> Any:
    """Words and pairs of neighbours through a small net: reviews of the films of SST-2 are positive or negative."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, token_pattern=r"\S+")
    return make_pipeline(vectors, MLPClassifier((16,), alpha=0.1, max_iter=12, random_state=0))


class _Outputs:
    """Log-odds of texts, and how many texts were asked about."""

    def __init__(self, model: Any) -> None:
        self.model, self.n_asked = model, 0

    def __call__(self, texts: Sequence[str]) -> Array:
        self.n_asked += len(texts)
        chances = np.clip(self.model.predict_proba(list(texts)), 1e-12, 1.0)
        return np.asarray(np.log(chances[:, 1] / chances[:, 0]))


def _count_own(texts: list[str], n_calls: int) -> float:
    """Coalitions of a text, in the mean: all of a short one."""
    return float(np.mean([min(n_calls, 2 ** len(text.split())) for text in texts]))


def _explain(name: str, texts: list[str], ask: _Outputs, n_calls: int) -> list[Array]:
    """Values of one of shap's explainers, which sees presence of the words as columns."""
    import shap

    found = []
    for text in texts:
        words = text.split()

        def play(masks: Any, words: list[str] = words) -> Array:
            kept = [" ".join(w for w, here in zip(words, mask, strict=True) if here) for mask in np.asarray(masks) > 0.5]
            return ask(kept)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            background = np.zeros((1, len(words)))
            if name == "Partition":
                tree = _pair_neighbours(len(words))
                explainer = shap.explainers.Partition(play, shap.maskers.Partition(background, clustering=tree))
            else:
                explainer = shap.explainers.Permutation(play, shap.maskers.Independent(background), seed=0)
            calls = max(n_calls, 2 * len(words) + 1)
            found.append(np.asarray(explainer(np.ones((1, len(words))), max_evals=calls, silent=True).values[0]))
    return found


def _pair_neighbours(n_words: int) -> Array:
    """A tree of neighbouring words, as a linkage of their places in the text."""
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(np.arange(n_words, dtype=float)[:, None], "average"))


def _subtract(found: Sequence[Array], exact: Sequence[Array]) -> list[Array]:
    return [one - other for one, other in zip(found, exact, strict=True)]


def _measure_r2(found: Sequence[Array], exact: Sequence[Array]) -> float:
    truth = np.concatenate(exact)
    return float(1 - np.square(np.concatenate(_subtract(found, exact))).sum() / np.square(truth - truth.mean()).sum())


def _measure_ends(texts: list[str], values: Sequence[Array], ask: _Outputs) -> dict[str, float]:
    """Mean log-odds of the predicted class while its strongest words are deleted (lower is better) or inserted (higher)."""
    ends: dict[str, list[float]] = {"deletion": [], "insertion": []}
    for text, own in zip(texts, values, strict=True):
        words, sign = text.split(), 1.0 if ask([text])[0] > 0 else -1.0
        order = np.argsort(-sign * own, kind="stable")
        steps = [set(order[:n].tolist()) for n in range(1, len(words))]
        ends["deletion"].append(float(sign * ask([_join(words, set(range(len(words))) - gone) for gone in steps]).mean()))
        ends["insertion"].append(float(sign * ask([_join(words, kept) for kept in steps]).mean()))
    return {what: float(np.mean(each)) for what, each in ends.items()}


def _join(words: list[str], kept: set[int]) -> str:
    return " ".join(word for place, word in enumerate(words) if place in kept)
