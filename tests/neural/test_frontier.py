"""Archipelago's scores by hand, and the list they make."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="the frontier search lives beside the nets: needs torch")

from instashap import Explainer
from instashap.neural import MaskedSurrogate, TrainingPlan, search_frontier
from instashap.neural.term_search import rank_with_heredity

# Every row of three independent signs once: means over rows are exact expectations.
X = np.array([[a, b, c] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)])


def value(X: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """``x0 + 3 x1 x2`` where absent signs have mean zero: the conditional game."""
    present = X * masks
    return present[:, 0] + 3 * present[:, 1] * present[:, 2]


def test_scores_are_those_computed_by_hand() -> None:
    frontier = search_frontier(value, X)
    scores = dict(zip(frontier["columns"], frontier["score"], strict=True))
    # x0: inc = rem = x0, covariance with f is 1. x1: inc = 0, rem = 3 x1 x2: half of 9. The pair: inc = rem = 3 x1 x2: 9.
    expected = {(0,): 1.0, (1,): 4.5, (2,): 4.5, (1, 2): 9.0, (0, 1): 0.0, (0, 2): 0.0}
    assert scores == pytest.approx(expected, abs=1e-12)


def test_the_best_come_first_but_after_their_parts() -> None:
    assert search_frontier(value, X)["columns"].tolist()[:4] == [(1,), (2,), (1, 2), (0,)]
    assert rank_with_heredity({(0,): 1.0, (1,): 0.5, (0, 1): 9.0}) == [(0,), (1,), (0, 1)]
    triple = {(0,): 3.0, (1,): 2.0, (2,): 1.0, (0, 1): 0.0, (0, 2): 0.5, (1, 2): 0.2, (0, 1, 2): 9.0}
    assert rank_with_heredity(triple) == [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1), (0, 1, 2)]


def test_scores_add_over_outputs_and_stop_after_n_terms() -> None:
    def both(frame: pd.DataFrame, masks: np.ndarray) -> np.ndarray:
        X = frame.to_numpy()
        return np.column_stack([value(X, masks), 10 * X[:, 0] * masks[:, 0]])

    frontier = search_frontier(both, pd.DataFrame(X, columns=["a", "b", "c"]), n_terms=2)
    assert frontier["term"].tolist() == ["a", "b"]
    assert frontier["score"].tolist() == pytest.approx([101.0, 4.5])
    assert frontier.index.tolist() == [1, 2]


def test_the_list_serves_as_interactions_and_rows_may_be_drawn() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 3))
    outputs = rows[:, 0] + 3 * rows[:, 1] * rows[:, 2]
    plan = TrainingPlan(n_epochs=15, batch_rows=100, device="cpu")
    surrogate = MaskedSurrogate(hidden=(32, 32), plan=plan, random_state=0).fit(rows, outputs=outputs)
    frontier = search_frontier(surrogate, rows, n_rows=300)
    pairs = [each for each in frontier["columns"] if len(each) > 1]
    assert pairs[0] == (1, 2)
    explainer = Explainer(interactions=pairs[:1]).fit(rows, outputs=outputs)
    assert (1, 2) in explainer.terms_


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: search_frontier("surrogate", X), TypeError, "value_function must be a MaskedSurrogate or a function"),
        (lambda: search_frontier(value, X, order=0), ValueError, "order=0 is out of range"),
        (lambda: search_frontier(value, X, n_rows=1), ValueError, "scores are covariances over rows"),
    ],
)
def test_impossible_arguments_are_refused(make, error, message) -> None:
    with pytest.raises(error, match=message):
        make()
