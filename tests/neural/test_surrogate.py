"""The masked surrogate against conditional means counted by hand, and as a value function of everything else."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="the surrogate is a net: needs torch")

import instashap
from instashap import Explainer, NotFittedError
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.neural import MaskedSurrogate, TrainingPlan
from instashap.neural.held_out import compute_kept_share, split_rows

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")
RNG = np.random.default_rng(0)
# Eight kinds of rows, in very unequal numbers: columns are far from independent.
KINDS = enumerate_coalitions(3).astype(float)
COUNTS = np.array([150, 50, 25, 75, 25, 60, 15, 200])
X = RNG.permutation(np.repeat(KINDS, COUNTS, axis=0))
MASKS = enumerate_coalitions(3)
PLAN = TrainingPlan(n_epochs=25, batch_rows=60, learning_rate=1e-2, weight_decay=0.0, patience=25, device="cpu")


def evaluate(X: np.ndarray) -> np.ndarray:
    return 2.0 * X[:, 0] * X[:, 1] - X[:, 2]


def count_means(f: np.ndarray) -> np.ndarray:
    """``E[f | x_S]`` by counting, for every mask and kind of row: shape (8, 8, ...)."""
    means = np.empty((len(MASKS), len(KINDS), *f.shape[1:]))
    for number, mask in enumerate(MASKS):
        for kind, row in enumerate(KINDS):
            is_alike = (X[:, mask] == row[mask]).all(axis=1)
            means[number, kind] = f[is_alike].mean(axis=0)
    return means


def check_means(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare with counted means; the tolerance is smaller for many rows, as means of few rows vary with those held out."""
    errors = np.abs(found - expected).reshape(len(MASKS), len(KINDS), -1).max(axis=2)
    assert errors.max() < 0.35
    assert np.average(errors.mean(axis=0), weights=COUNTS) < 0.06


def ask_all(surrogate: MaskedSurrogate, rows: np.ndarray = KINDS) -> np.ndarray:
    return np.stack([surrogate(rows, mask) for mask in MASKS])


@cache
def get_fitted() -> MaskedSurrogate:
    return MaskedSurrogate(evaluate, hidden=(32, 32), plan=PLAN, random_state=0).fit(X)


def test_the_surrogate_is_the_mean_output_given_what_is_present() -> None:
    check_means(ask_all(get_fitted()), count_means(evaluate(X)))
    assert get_fitted().training_.best_epoch > 5


def test_nothing_present_is_the_weighted_mean_output_exactly() -> None:
    assert get_fitted().expected_value == pytest.approx(evaluate(X).mean(), abs=1e-12)
    np.testing.assert_allclose(get_fitted()(KINDS, np.zeros(3, dtype=bool)), evaluate(X).mean(), atol=1e-12)


def test_absent_columns_are_not_read() -> None:
    other = KINDS.copy()
    other[:, 1] = 1 - other[:, 1]
    mask = np.array([True, False, True])
    np.testing.assert_array_equal(get_fitted()(KINDS, mask), get_fitted()(other, mask))


def test_every_row_may_have_a_mask_of_its_own() -> None:
    np.testing.assert_allclose(get_fitted()(KINDS, MASKS), np.diagonal(ask_all(get_fitted())), atol=1e-6)


def test_a_row_of_weight_w_counts_as_w_rows() -> None:
    rows, weights = np.repeat(KINDS, 100, axis=0), np.repeat(COUNTS, 100)
    weighted = MaskedSurrogate(hidden=(32, 32), plan=PLAN, random_state=1)
    weighted.fit(rows, outputs=evaluate(rows), sample_weight=weights)
    assert weighted.expected_value == pytest.approx(evaluate(X).mean())
    check_means(ask_all(weighted), count_means(evaluate(X)))


def test_several_outputs_are_learnt_side_by_side_and_a_group_is_one_player() -> None:
    frame, kinds = (pd.DataFrame(each, columns=["a", "b", "c"]) for each in (X, KINDS))
    outputs = np.column_stack([evaluate(X), X[:, 2]])
    both = MaskedSurrogate(groups={"ab": ["a", "b"]}, hidden=(32, 32), plan=PLAN)
    both.fit(frame, outputs=pd.DataFrame(outputs, columns=["f", "g"]))
    assert (both.feature_names_, both.output_names_) == (("ab", "c"), ("f", "g"))
    assert both.expected_value == pytest.approx(outputs.mean(axis=0))
    alone = both(kinds, np.array([True, False]))
    assert alone.shape == (8, 2)
    np.testing.assert_allclose(alone, count_means(outputs)[3], atol=0.3)  # mask 3: the first two columns


def test_a_classifier_is_learnt_on_the_stated_scale() -> None:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(X, X[:, 0] * X[:, 1])
    surrogate = MaskedSurrogate(model, hidden=(32,), plan=replace(PLAN, n_epochs=15)).fit(X)
    assert surrogate.output_transform_.startswith("log-odds of class '1.0'")
    log_odds = model.decision_function(KINDS)
    found = surrogate(KINDS, np.ones(3, dtype=bool))
    lost = np.average((found - log_odds) ** 2, weights=COUNTS)
    assert lost < 0.05 * np.average((log_odds - np.average(log_odds, weights=COUNTS)) ** 2, weights=COUNTS)
    assert surrogate.expected_value == pytest.approx(model.decision_function(X).mean(), abs=1e-3)


def test_a_surrogate_serves_as_value_function_of_an_explainer_and_of_refinement() -> None:
    exact = compute_shapley_values(np.stack([get_fitted()(KINDS, mask) for mask in MASKS])).T
    explainer = Explainer(order=1).fit(X, outputs=evaluate(X))
    refined = explainer.refine(KINDS, value_function=get_fitted(), n_coalitions=8)  # 2**3: every coalition
    np.testing.assert_allclose(refined.values, exact, atol=1e-6)
    of_game = Explainer(value_function=get_fitted(), order=2, random_state=0).fit(X)
    assert of_game.fit_facts_["n_coalitions"] > 0
    np.testing.assert_allclose(of_game.expected_value, get_fitted().expected_value, atol=1e-6)


def test_a_base_that_equals_the_game_leaves_the_net_a_share_of_zero() -> None:
    rows = RNG.normal(size=(400, 3))
    outputs = rows[:, 0] - rows[:, 1]
    base = Explainer(order=1).fit(rows, outputs=outputs)
    plan = TrainingPlan(n_epochs=10, batch_rows=100, device="cpu")
    surrogate = MaskedSurrogate(base=base, hidden=(16,), plan=plan, random_state=0).fit(rows, outputs=outputs)
    assert surrogate.kept_share_ == 0.0
    np.testing.assert_allclose(surrogate(rows[:9], np.ones(3, dtype=bool)), base.predict(rows[:9]), atol=1e-6)
    only = np.array([False, True, False])
    alone = base.expected_value + base.mobius_values(rows[:9], [1])
    np.testing.assert_allclose(surrogate(rows[:9], only), alone, atol=1e-6)


def test_a_base_that_is_too_poor_is_corrected() -> None:
    base = Explainer(order=1).fit(X, outputs=evaluate(X))
    surrogate = MaskedSurrogate(base=base, hidden=(32, 32), plan=PLAN, random_state=0).fit(X, outputs=evaluate(X))
    truth = count_means(evaluate(X))[7]
    assert np.abs(base.predict(KINDS) - truth).max() > 0.3
    assert surrogate.kept_share_ > 0.9
    np.testing.assert_allclose(surrogate(KINDS, np.ones(3, dtype=bool)), truth, atol=0.3)


def test_one_seed_gives_one_surrogate_and_leaves_the_callers_random_state() -> None:
    import torch

    plan = replace(PLAN, n_epochs=3)
    torch.manual_seed(5)
    made = [MaskedSurrogate(evaluate, hidden=(8,), plan=plan, random_state=seed).fit(X) for seed in (0, 0, 1)]
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == after
    one, same, other = (ask_all(each) for each in made)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-4


def test_the_share_kept_of_a_correction_is_the_least_squares_one_and_zero_if_unsure() -> None:
    targets = RNG.normal(size=(200, 4, 1))
    noise = RNG.normal(size=(200, 4, 1))
    assert compute_kept_share(targets / 0.7, targets, np.ones(200)) == pytest.approx(0.7)
    assert compute_kept_share(targets / 3, targets, np.ones(200)) == 1.0
    assert compute_kept_share(noise, targets, np.ones(200)) == 0.0
    assert compute_kept_share(0 * noise, targets, np.ones(200)) == 0.0


def test_rows_held_out_are_not_trained_on() -> None:
    trained, held_out = split_rows(50, 0.2, seed=3)
    assert len(held_out) == 10
    assert sorted([*trained.tolist(), *held_out.tolist()]) == list(range(50))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MaskedSurrogate(evaluate, mask_law="even").fit(X), ValueError, "mask_law='even' is not known"),
        (lambda: MaskedSurrogate(evaluate, n_masks=0).fit(X), ValueError, "n_masks=0 is too few"),
        (lambda: MaskedSurrogate(evaluate, held_out=1.5).fit(X), ValueError, "held_out=1.5 must be a share"),
        (lambda: MaskedSurrogate(evaluate, plan=30).fit(X), TypeError, "plan must be an instashap.neural.TrainingPlan"),
        (lambda: MaskedSurrogate(evaluate, base=evaluate).fit(X), TypeError, "base must be a fitted instashap.Explainer"),
        (lambda: MaskedSurrogate(evaluate, base=Explainer()).fit(X), NotFittedError, "call fit"),
        (lambda: MaskedSurrogate().fit(X), ValueError, "there is nothing to explain"),
        (lambda: MaskedSurrogate(evaluate)(X, MASKS), NotFittedError, "this MaskedSurrogate is not fitted yet"),
        (lambda: get_fitted()(KINDS, np.ones(2, dtype=bool)), ValueError, "masks have shape"),
        (lambda: get_fitted()(KINDS, np.ones(3)), TypeError, "masks must be boolean"),
    ],
)
def test_impossible_options_are_refused(make, error, message) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_base_of_another_game_or_other_outputs_is_refused() -> None:
    marginal = Explainer(evaluate, order=1, value_function=instashap.Marginal(X[:5])).fit(X)
    with pytest.raises(ValueError, match="a surrogate needs a base of the conditional game"):
        MaskedSurrogate(base=marginal).fit(X)
    base = Explainer(order=1).fit(X, outputs=np.column_stack([evaluate(X), X[:, 0]]))
    with pytest.raises(ValueError, match="the model gives 1 outputs, the base was fitted on 2"):
        MaskedSurrogate(evaluate, base=base).fit(X)
    with pytest.raises(ValueError, match="those of the base"):
        MaskedSurrogate(evaluate, base=base, groups={"ab": [0, 1]}).fit(X)
