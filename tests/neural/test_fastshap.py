"""FastSHAP against exact Shapley values of the same value function, and with a base it corrects."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="FastSHAP is a net: needs torch")

import instashap
from instashap import Explainer, Explanation, NotFittedError, datasets
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.neural import FastSHAPExplainer, MaskedSurrogate, TrainingPlan
from instashap.neural.mlp import share_out

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")
SIMULATOR = datasets.make_factor(6, 3, random_state=0)
X, F = SIMULATOR.sample(1200, random_state=0)
FRESH, _ = SIMULATOR.sample(200, random_state=1)
EXACT = SIMULATOR.shap_values(FRESH)
PLAN = TrainingPlan(n_epochs=30, batch_rows=128, learning_rate=5e-3, patience=30, device="cpu")
SHORT = replace(PLAN, n_epochs=4)


def score(estimate: np.ndarray, exact: np.ndarray = EXACT) -> float:
    return float(1 - np.sum((estimate - exact) ** 2) / np.sum(exact**2))


@cache
def get_plain() -> FastSHAPExplainer:
    return FastSHAPExplainer(surrogate=SIMULATOR.value, hidden=(48, 48), n_masks=32, plan=PLAN, random_state=0).fit(X)


def test_values_of_a_small_game_are_those_of_enumeration() -> None:
    """Rows of three signs and any game: a net can hold their Shapley values to the digit."""
    kinds = 2.0 * enumerate_coalitions(3) - 1
    rng = np.random.default_rng(0)
    table = np.concatenate([np.zeros((1, 8)), rng.normal(size=(7, 8))])  # by coalition and kind of row

    def value(X: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return 1 + table[masks @ [1, 2, 4], (X > 0) @ [1, 2, 4]]

    plan = replace(PLAN, n_epochs=60, patience=60, learning_rate=1e-2)
    rows = np.repeat(kinds, 100, axis=0)
    explainer = FastSHAPExplainer(surrogate=value, hidden=(32, 32), n_masks=64, plan=plan, random_state=0).fit(rows)
    np.testing.assert_allclose(explainer.shap_values(kinds), compute_shapley_values(table).T, atol=0.05)
    assert explainer.expected_value == 1.0


def test_values_are_those_of_the_value_function_on_new_rows() -> None:
    assert score(get_plain().shap_values(FRESH)) > 0.95
    assert get_plain().expected_value == pytest.approx(SIMULATOR.expected_value)
    assert get_plain().kept_share_ == 1.0


def test_values_and_base_value_sum_to_the_full_value() -> None:
    explanation = get_plain()(FRESH)
    np.testing.assert_allclose(explanation.predictions, SIMULATOR.predict(FRESH), atol=1e-10)


def test_the_difference_from_the_total_is_divided_equally() -> None:
    values = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [-1.0, 3.0]]])
    shared = share_out(values, torch.tensor([[9.0, 0.0]]))
    np.testing.assert_allclose(shared.numpy(), [[[3.0, -1.0], [5.0, -1.0], [1.0, 2.0]]])


def test_a_trained_surrogate_is_explained_as_enumeration_explains_it() -> None:
    surrogate = MaskedSurrogate(hidden=(32,), plan=replace(PLAN, n_epochs=10), random_state=0).fit(X, outputs=F)
    masks = enumerate_coalitions(6)
    exact = compute_shapley_values(np.stack([surrogate(FRESH, mask) for mask in masks])).T
    explainer = FastSHAPExplainer(surrogate=surrogate, hidden=(48, 48), n_masks=32, plan=PLAN).fit(X)
    explanation = explainer(FRESH)
    assert score(explanation.values, exact) > 0.95
    np.testing.assert_allclose(explanation.predictions, surrogate(FRESH, np.ones(6, dtype=bool)), atol=1e-6)
    assert isinstance(explanation, Explanation)
    assert (explanation.game, explanation.output_transform) == ("conditional, by a surrogate", "outputs as given")


def test_a_surrogate_is_trained_where_none_is_given() -> None:
    explainer = FastSHAPExplainer(hidden=(32,), plan=SHORT, surrogate_plan=SHORT, random_state=0).fit(X, outputs=F)
    assert isinstance(explainer.surrogate_, MaskedSurrogate)
    assert explainer.surrogate_.training_.losses[0] != explainer.surrogate_.training_.losses[-1]
    assert explainer.feature_names_ == ("x0", "x1", "x2", "x3", "x4", "x5")


def test_a_base_that_equals_the_game_is_reproduced_exactly() -> None:
    base = Explainer(order=2).fit(X, outputs=F)
    explainer = FastSHAPExplainer(
        surrogate=lambda X, masks: evaluate_base(base, X, masks), base=base, n_masks=4, plan=SHORT
    ).fit(X[:400])
    assert explainer.kept_share_ == 0.0
    assert explainer.training_ is None
    np.testing.assert_allclose(explainer.shap_values(FRESH), base.shap_values(FRESH), atol=1e-12)


def evaluate_base(base: Explainer, X: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """``g(x; S)`` of a fitted explainer."""
    fitted = base._check_fitted()
    return fitted.model.predict(fitted.encoder.encode(fitted.read(X)), masks)


def test_a_net_explains_what_its_base_does_not() -> None:
    poor = Explainer(order=1, presence_order=1).fit(X, outputs=F)
    explainer = FastSHAPExplainer(
        surrogate=SIMULATOR.value, base=poor, hidden=(48, 48), n_masks=32, plan=PLAN, random_state=0
    ).fit(X)
    assert explainer.kept_share_ > 0.9
    assert score(poor.shap_values(FRESH)) < 0.9
    assert score(explainer.shap_values(FRESH)) > 0.95
    np.testing.assert_allclose(explainer(FRESH).predictions, SIMULATOR.predict(FRESH), atol=1e-10)


def test_an_untrained_net_over_a_base_gives_the_bases_values_and_the_games_total() -> None:
    base = Explainer(order=1, presence_order=1).fit(X, outputs=F)
    plan = replace(SHORT, n_epochs=1, learning_rate=1e-12)
    explainer = FastSHAPExplainer(surrogate=SIMULATOR.value, base=base, hidden=(8,), plan=plan).fit(X)
    missing = SIMULATOR.predict(FRESH) - SIMULATOR.expected_value - base.shap_values(FRESH).sum(axis=1)
    np.testing.assert_allclose(explainer.shap_values(FRESH), base.shap_values(FRESH) + missing[:, None] / 6, atol=1e-6)


def test_groups_and_several_outputs_are_explained() -> None:
    frame = pd.DataFrame(X, columns=list("abcdef"))
    groups = {"ab": ["a", "b"]}
    explainer = FastSHAPExplainer(groups=groups, hidden=(32,), plan=SHORT, surrogate_plan=SHORT)
    explainer.fit(frame, outputs=pd.DataFrame({"f": F, "minus": -F}))
    explanation = explainer(frame[:5])
    assert explanation.values.shape == (5, 5, 2)
    assert explanation.feature_names == ("ab", "c", "d", "e", "f")
    assert explanation.output_names == ("f", "minus")
    assert explanation.base_values[0] == pytest.approx([F.mean(), -F.mean()])
    full = explainer.surrogate_(frame[:5], np.ones(5, dtype=bool))
    np.testing.assert_allclose(explanation.predictions, full, atol=1e-6)


def test_a_marginal_game_is_explained_as_well() -> None:
    model = SIMULATOR.predict
    game = instashap.Marginal(X[:10])
    explainer = FastSHAPExplainer(model, surrogate=game, hidden=(48, 48), n_masks=32, plan=PLAN, random_state=0).fit(X[:600])
    exact = Explainer(model, value_function=game).fit(X[:600]).refine(FRESH[:50], n_coalitions=64)
    explanation = explainer(FRESH[:50])
    assert explanation.game == "marginal, 10 background rows"
    assert score(explanation.values, exact.values) > 0.95


def test_one_seed_gives_one_explainer() -> None:
    made = [
        FastSHAPExplainer(surrogate=SIMULATOR.value, hidden=(8,), plan=SHORT, random_state=seed).fit(X[:300]).shap_values(FRESH)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1e-4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FastSHAPExplainer(surrogate="none").fit(X), ValueError, "surrogate='none' is not known"),
        (lambda: FastSHAPExplainer(surrogate=SIMULATOR.value).fit(X, outputs=F), ValueError, "a surrogate is given: leave"),
        (lambda: FastSHAPExplainer(surrogate=SIMULATOR.value, n_masks=1).fit(X), ValueError, "coalitions come in pairs"),
        (lambda: FastSHAPExplainer(surrogate=3).fit(X), TypeError, "value_function must be"),
        (lambda: FastSHAPExplainer(surrogate=MaskedSurrogate()).fit(X), NotFittedError, "not fitted yet"),
        (lambda: FastSHAPExplainer(base=Explainer()).fit(X), NotFittedError, "call fit"),
        (lambda: FastSHAPExplainer()(X), NotFittedError, "this FastSHAPExplainer is not fitted yet"),
        (lambda: FastSHAPExplainer().fit(X), ValueError, "there is nothing to explain"),
    ],
)
def test_impossible_options_are_refused(make, error, message) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_base_of_other_features_or_outputs_is_refused() -> None:
    base = Explainer(order=1).fit(X[:, :3], outputs=F)
    surrogate = MaskedSurrogate(hidden=(8,), plan=replace(SHORT, n_epochs=1)).fit(X, outputs=F)
    with pytest.raises(ValueError, match=r"the base explains the features \('x0', 'x1', 'x2'\)"):
        FastSHAPExplainer(surrogate=surrogate, base=base).fit(X)
    two = Explainer(order=1).fit(X, outputs=np.column_stack([F, F]))
    with pytest.raises(ValueError, match="gives 1 outputs, the base was fitted on 2"):
        FastSHAPExplainer(surrogate=SIMULATOR.value, base=two).fit(X)


def test_the_library_imports_without_torch_and_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import instashap, instashap.neural\n"
        "try: instashap.neural.FastSHAPExplainer\n"
        "except instashap.OptionalDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "neural models need torch: pip install 'instashap[neural]'"
