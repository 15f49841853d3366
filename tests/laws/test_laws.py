"""The laws every fitter obeys; each also runs on a deliberately broken fitter, and must fail there.

A fit of labels by likelihood, with a game fitted to its scores, obeys those that make sense for it: it is neither linear in its
target nor a matter of summed moments, and its gradient is that of a likelihood (tests/likelihood).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import pytest

from instashap import FileFormatError
from instashap._registries import FITTERS
from instashap.fits.null_players import find_constant, make_roster
from instashap.fits.registry import find_fitter
from instashap.fitted.file import load_fitted, write_fitted
from instashap.fitted.game import FittedGame
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.game.terms import ANY
from instashap.likelihood.likelihood_fitter import LikelihoodFitter
from instashap.likelihood.losses.binary import Binary
from instashap.likelihood.presence import fit_presence
from instashap.likelihood.pure_tables import purify_tables
from instashap.likelihood.stages import LabelledRows
from instashap.masked.fitter import ClosedFormFitter, FitResult
from instashap.masked.search import Search
from instashap.masked.strengths import Strengths
from instashap.model.additive_model import AdditiveModel
from instashap.table.columns import read_table
from instashap.table.encoding import Encoded, learn_table
from instashap.table.grain import SMOOTH, make_fine_grain

TOLERANCE = 1e-10  # relative to sd(f)
FIXED = {"smoothness": Strengths(1e-5, 1e-4), "presence_order": 3}
AUTO: dict[str, Any] = {}
FULL_WEIGHT = 0.7


def make_rows(n_rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlated rows with a few levels in one column, outputs with interactions, and whole-number weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    X[:, 1] += 0.8 * X[:, 0]
    X[:, 2] = np.floor(2 * X[:, 2] + X[:, 0]).clip(-2, 2)
    f = X[:, 0] + X[:, 1] * X[:, 2] + np.sin(X[:, 3]) * X[:, 0] + 3.0
    return X, f, rng.integers(1, 4, n_rows).astype(float)


# What a file says of a fit at least.
FACTS = {"chosen": {"order": 2, "presence_order": 2, "fidelity": None}}


# Results by what they are made of: most laws look at the same few fits. Law 11, which is about fitting again, empties it.
KEPT: dict[Any, Any] = {}


def keep(make: Callable[[], Any], *key: Any) -> Any:
    """What was made under this key, or is made now; arrays in the key count by their bytes."""
    whole = tuple((each.shape, each.dtype.str, each.tobytes()) if isinstance(each, np.ndarray) else each for each in key)
    if whole not in KEPT:
        KEPT[whole] = make()
    return KEPT[whole]


def fit(make_fitter: Any, X: np.ndarray, columns: Any, players: Any, options: dict[str, Any], *inputs: Any) -> Any:
    """The result of a fitter on encoded rows, outputs, weights and a size law; a broken one changes that of the whole one."""
    if isinstance(make_fitter, Tampered):
        result = fit(make_fitter.make_fitter, X, columns, players, options, *make_fitter.before(*inputs))
        return replace(result, model=make_fitter.after(result.model))
    encoded, *others = inputs
    make = make_fitter(columns, players, **{"order": 2, **options}).fit
    return keep(lambda: make(*inputs), make_fitter, str(options), X, encoded.cells, encoded.offsets, *others)


class Fit:
    """A fitter's result on a table, with the encoder that goes with it."""

    def __init__(
        self, make_fitter: Any, X: np.ndarray, f: np.ndarray, weights: np.ndarray | None = None, **options: Any
    ) -> None:
        table = read_table(X)
        weights = np.ones(len(X)) if weights is None else weights
        self.encoder, columns = learn_table(table, weights, getattr(make_fitter, "grain", SMOOTH))
        encoded = self.encoder.encode(table)
        roster = make_roster(range(X.shape[1]), find_constant(encoded))
        law = compute_shapley_size_law(len(roster.varying), FULL_WEIGHT)
        outputs = np.asarray(f, dtype=float).reshape(len(X), -1)
        self.result = fit(make_fitter, X, columns, roster.players, options, encoded, outputs, weights, law)
        self.model: AdditiveModel = roster.spread(self.result.model)
        self.scale = getattr(make_fitter, "slack", 1.0) * outputs.std()
        # What is explained: the outputs given, or the scores of a fit of labels.
        self.explained = getattr(self.result, "scores", outputs)[:, 0]

    def encode(self, X: np.ndarray) -> Encoded:
        return self.encoder.encode(read_table(X, self.encoder.schema))

    def predict(self, X: np.ndarray, mask: Any = None) -> np.ndarray:
        masks = None if mask is None else np.broadcast_to(mask, X.shape)
        return self.model.predict(self.encode(X), masks)[:, 0]

    def explain(self, X: np.ndarray) -> np.ndarray:
        return self.model.credits.apply(self.encode(X))[:, :, 0]

    def as_game(self) -> FittedGame:
        names = tuple(self.encoder.schema.names)
        return FittedGame(self.encoder, self.model, names, tuple(range(len(names))), ("output",), "units", "conditional", FACTS)


def assert_close(actual: Any, expected: Any, scale: float) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * scale)


def law_1_values_and_base_value_sum_to_the_model_at_the_full_mask(make_fitter: Any) -> None:
    X, f, w = make_rows()
    fit = Fit(make_fitter, X, f, w, **FIXED)
    full = fit.predict(X, np.ones(4, dtype=bool))
    assert_close(fit.explain(X).sum(axis=1) + fit.model.base_value[0], full, f.std())
    assert_close(fit.predict(X), full, f.std())


def law_2_credits_are_brute_force_shapley_values(make_fitter: Any) -> None:
    X, f, w = make_rows()
    fit = Fit(make_fitter, X, f, w, **FIXED)
    rows = X[:12]
    game = np.stack([fit.predict(rows, mask) for mask in enumerate_coalitions(4)])
    assert_close(fit.explain(rows), compute_shapley_values(game).T, f.std())


def law_3_a_masked_feature_has_no_effect(make_fitter: Any) -> None:
    X, f, w = make_rows()
    fit = Fit(make_fitter, X, f, w, **FIXED)
    changed = X.copy()
    changed[:, 1] = X[::-1, 1]
    mask = np.array([True, False, True, True])
    assert np.abs(fit.predict(changed) - fit.predict(X)).max() > 0.1
    assert_close(fit.predict(changed, mask), fit.predict(X, mask), f.std())


def law_4_the_empty_mask_gives_the_weighted_mean_output(make_fitter: Any) -> None:
    X, f, w = make_rows()
    fit = Fit(make_fitter, X, f, w, **FIXED)
    assert_close(fit.predict(X, np.zeros(4, dtype=bool)), np.average(fit.explained, weights=w), f.std())


def law_5_the_fit_is_linear_in_the_target(make_fitter: Any) -> None:
    X, f, w = make_rows()
    g = np.cos(X[:, 0]) - X[:, 3]
    parts = [Fit(make_fitter, X, target, w, **FIXED).explain(X) for target in (f, g)]
    whole = Fit(make_fitter, X, 2.0 * f - 3.0 * g, w, **FIXED).explain(X)
    assert_close(whole, 2.0 * parts[0] - 3.0 * parts[1], f.std())


def law_6_a_row_of_weight_w_is_a_row_repeated_w_times(make_fitter: Any) -> None:
    X, f, w = make_rows()
    repeated = np.repeat(np.arange(len(X)), w.astype(int))
    for options in (FIXED, AUTO):
        weighted = Fit(make_fitter, X, f, w, **options)
        copied = Fit(make_fitter, X[repeated], f[repeated], **options)
        assert_close(weighted.explain(X), copied.explain(X), weighted.scale)


def law_7_the_gradient_is_zero_at_the_solution(make_fitter: Any) -> None:
    # Levels only: a direction of the model is a level's indicator while its column is present. The penalty is next to nothing.
    rng = np.random.default_rng(3)
    X = rng.integers(0, 3, (400, 3)).astype(float)
    X[:, 1] = np.where(rng.random(400) < 0.6, X[:, 0], X[:, 1])
    f = X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(size=400)
    fit = Fit(make_fitter, X, f, smoothness=Strengths(1e-13, 1e-13), presence_order=2, resolution=9)
    law = compute_shapley_size_law(3, FULL_WEIGHT)
    masks = enumerate_coalitions(3)
    sizes = masks.sum(axis=1)
    mass = law[sizes] / np.bincount(sizes)[sizes]
    residuals = np.stack([f - fit.predict(X, mask) for mask in masks])
    for column in range(3):
        kept = masks[:, column]
        pooled = mass[kept] @ residuals[kept]
        for level in range(3):
            indicator = (X[:, column] == level) - (X[:, column] == level).mean()
            assert abs(np.mean(indicator * pooled)) < 1e-9 * fit.scale


def law_8_fitting_parts_summed_is_fitting_the_whole(make_fitter: Any) -> None:
    X, f, w = make_rows(400)
    whole = Fit(make_fitter, X, f, w, **FIXED)
    order = np.concatenate([np.arange(150, 400), np.arange(150)])  # the sums meet other parts, in another order
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instashap.masked.moments.BLOCK_ROWS", 37)
        parts = Fit(make_fitter, X[order], f[order], w[order], **FIXED)
    assert_close(parts.explain(X), whole.explain(X), f.std())


def law_9_permuting_rows_changes_nothing_and_columns_permute_the_answer(make_fitter: Any) -> None:
    X, f, w = make_rows()
    rows = np.random.default_rng(1).permutation(len(X))
    columns = np.array([2, 0, 3, 1])
    for options in (FIXED, AUTO):
        fit = Fit(make_fitter, X, f, w, **options)
        assert_close(Fit(make_fitter, X[rows], f[rows], w[rows], **options).explain(X), fit.explain(X), fit.scale)
        permuted = Fit(make_fitter, X[:, columns], f, w, **options).explain(X[:, columns])
        assert_close(permuted, fit.explain(X)[:, columns], fit.scale)


def law_10_saving_and_loading_keeps_the_bits(make_fitter: Any, tmp_path: Any) -> None:
    X, f, w = make_rows()
    game = Fit(make_fitter, X, f, w).as_game()
    write_fitted(game, tmp_path / "game.insta", None, with_errors=False)
    loaded, _ = load_fitted(tmp_path / "game.insta")
    table = game.read(X)
    assert np.array_equal(loaded.compute_shapley_values(table), game.compute_shapley_values(table))
    assert np.array_equal(loaded.predict(table), game.predict(table))


def law_11_one_seed_gives_one_answer_for_any_number_of_jobs(make_fitter: Any) -> None:
    X, f, w = make_rows()
    first = Fit(make_fitter, X, f, w)
    KEPT.clear()
    second = Fit(make_fitter, X, f, w)
    assert second.result is not first.result
    game, again = first.as_game(), second.as_game()
    many = game.read(np.tile(X, (40, 1)))  # three blocks
    answers = [each.compute_shapley_values(many, n_jobs) for each in (game, again) for n_jobs in (1, 2, 3)]
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def law_12_a_column_of_one_value_gets_exactly_0(make_fitter: Any) -> None:
    X, f, w = make_rows()
    for value in (7.0, np.nan):
        wide = np.insert(X, 2, value, axis=1)
        values = Fit(make_fitter, wide, f, w, **FIXED).explain(wide)
        assert not values[:, 2].any()
        assert (np.abs(np.delete(values, 2, axis=1)).max(axis=0) > 0).all()


# --- labels ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LabelResult:
    """The game fitted to some scores, and these scores."""

    model: AdditiveModel
    scores: np.ndarray


class LabelFitter:
    """The fit by likelihood of the labels "output above 3", with noise that belongs to the row; strengths are always chosen."""

    grain = make_fine_grain(600.0)
    slack = 100.0  # a descent ends at eight digits of the values, in whatever order rows and columns are summed

    def __init__(self, columns: Any, players: Any, order: int, presence_order: Any = "auto", smoothness: Any = None) -> None:
        self.columns, self.players, self.order, self.presence_order = columns, players, order, presence_order

    def fit(self, encoded: Encoded, outputs: np.ndarray, weights: np.ndarray, law: np.ndarray) -> LabelResult:
        labels = (outputs[:, 0] + 2.0 * np.sin(1e5 * outputs[:, 0]) > 3.0).astype(float)
        fitter = LikelihoodFitter(self.columns, Binary(), self.order)
        given = encoded.cells, encoded.offsets, labels, weights
        fit = keep(lambda: fitter.fit(LabelledRows(encoded, labels, weights)), "likelihood", self.order, *given)
        pure = purify_tables(fit.design, fit.vector, encoded, weights)
        conditional = fit_presence(self.columns, pure, encoded, weights, self.players, law, self.presence_order)
        return LabelResult(conditional.model, fit.design.score(fit.vector, encoded))


# --- nets --------------------------------------------------------------------------------------------------------------


class SmallNets:
    """The neural fit with few and small nets; at fixed smoothness, with the functions first learnt on the same rows."""

    learnt: ClassVar[dict[bytes, Any]] = {}
    slack = 100.0  # functions are orthonormalised: sums of rows and columns in another order turn them a little

    def __init__(self, columns: Any, players: Any, **options: Any) -> None:
        self.columns, self.players, self.options = columns, players, options

    def fit(self, encoded: Encoded, outputs: np.ndarray, weights: np.ndarray, law: np.ndarray) -> FitResult:
        from instashap.neural import NetShape, NeuralFitter, TrainingPlan

        options = {key: value for key, value in self.options.items() if key != "resolution"}
        options |= {"shape": NetShape(3, (8,), (4, 4, 2), (2, 2, 0)), "plan": TrainingPlan(3, 64, device="cpu")}
        key = encoded.cells.tobytes() + encoded.offsets.tobytes() + weights.tobytes()
        if "smoothness" in options:
            options["functions"] = self.learnt.get(key)
        result: FitResult = NeuralFitter(self.columns, self.players, **options).fit(encoded, outputs, weights, law)
        if "smoothness" in options:
            self.learnt.setdefault(key, result.solved.functions)
        return result


# --- many players --------------------------------------------------------------------------------------------------------


class TiedSearch(Search):
    """The fit as it would be of too many players to write presence sets out: all beyond a part's own are tied."""

    def finish(self) -> Any:
        judge, best, _ = self.best
        pairs = [(first, second) for second in range(self.n_players) for first in range(second)]
        self.presence_sets.update({2: [(ANY, player) for player in range(self.n_players)], 3: [(ANY, *pair) for pair in pairs]})
        candidate = replace(best.candidate, presence_order=min(best.candidate.presence_order, 3), written_order=1)
        self.best = judge, *self.judge_candidate(judge, candidate, best.strengths, ())
        return super().finish()


class TiedFitter(ClosedFormFitter):
    def fit(self, *args: Any) -> FitResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("instashap.masked.fitter.Search", TiedSearch)
            result = super().fit(*args)
        assert any(ANY in each for sets in result.model.presence_sets for each in sets)
        return result


# --- fitters broken on purpose -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tampered:
    """A fitter whose inputs or model are changed."""

    make_fitter: Any
    before: Callable[..., Any] = lambda *inputs: inputs
    after: Callable[..., Any] = lambda model: model

    @property
    def grain(self) -> Any:
        return getattr(self.make_fitter, "grain", SMOOTH)

    @property
    def slack(self) -> float:
        return getattr(self.make_fitter, "slack", 1.0)


class DoubleCredits(AdditiveModel):
    @cached_property
    def credits(self) -> Any:
        lookup = AdditiveModel.credits.func(self)
        return replace(lookup, plan=(*lookup.plan[:-1], 1.001 * lookup.plan[-1]))


class UnmaskedModel(AdditiveModel):
    def predict(self, encoded: Encoded, masks: Any = None) -> np.ndarray:
        return super().predict(encoded, None)


def recast(kind: type[AdditiveModel]) -> Callable[[AdditiveModel], AdditiveModel]:
    names = ("bases", "value_sets", "presence_sets", "tables", "mixings", "base_value", "n_players", "null_players")
    return lambda model: kind(*(getattr(model, name) for name in names))


class SharedCredits(AdditiveModel):
    """Every player gets a little of what the first is owed."""

    @cached_property
    def credits(self) -> Any:
        lookup = AdditiveModel.credits.func(self)
        return replace(lookup, shared=replace(self.prediction, n_slots=1))


def drop_weights(encoded: Any, outputs: Any, weights: Any, law: Any) -> Any:
    return encoded, outputs, np.ones_like(weights), law


def fold_target(encoded: Any, outputs: Any, weights: Any, law: Any) -> Any:
    return encoded, np.abs(outputs), weights, law


def favour_early_rows(encoded: Any, outputs: Any, weights: Any, law: Any) -> Any:
    return encoded, outputs, weights * np.linspace(2, 1, len(weights)), law


def add_noise(encoded: Any, outputs: Any, weights: Any, law: Any) -> Any:
    return encoded, outputs + 1e-6 * np.random.default_rng().normal(size=outputs.shape), weights, law


def scale_tables(model: AdditiveModel) -> AdditiveModel:
    return replace(model, tables=tuple(1.01 * table for table in model.tables))


def shift_base(model: AdditiveModel) -> AdditiveModel:
    return replace(model, base_value=model.base_value + 0.01)


def use_single_precision_on_save(model: AdditiveModel) -> AdditiveModel:
    class Rounded(AdditiveModel):
        @cached_property
        def credits(self) -> Any:
            tables = tuple(table.astype(np.float32).astype(np.float64) for table in self.tables)
            return recast(AdditiveModel)(replace(recast(AdditiveModel)(self), tables=tables)).credits

    return recast(Rounded)(model)


LAWS: list[tuple[Callable[..., None], dict[str, Any]]] = [
    (law_1_values_and_base_value_sum_to_the_model_at_the_full_mask, {"after": recast(DoubleCredits)}),
    (law_2_credits_are_brute_force_shapley_values, {"after": recast(DoubleCredits)}),
    (law_3_a_masked_feature_has_no_effect, {"after": recast(UnmaskedModel)}),
    (law_4_the_empty_mask_gives_the_weighted_mean_output, {"after": shift_base}),
    (law_5_the_fit_is_linear_in_the_target, {"before": fold_target}),
    (law_6_a_row_of_weight_w_is_a_row_repeated_w_times, {"before": drop_weights}),
    (law_7_the_gradient_is_zero_at_the_solution, {"after": scale_tables}),
    (law_8_fitting_parts_summed_is_fitting_the_whole, {"before": favour_early_rows}),
    (law_9_permuting_rows_changes_nothing_and_columns_permute_the_answer, {"before": favour_early_rows}),
    (law_10_saving_and_loading_keeps_the_bits, {"after": use_single_precision_on_save}),
    (law_11_one_seed_gives_one_answer_for_any_number_of_jobs, {"before": add_noise}),
    (law_12_a_column_of_one_value_gets_exactly_0, {"after": recast(SharedCredits)}),
]


# Laws of fits of labels.
LABEL_LAWS = [(law, damage) for law, damage in LAWS if law.__name__.split("_")[1] not in ("5", "7", "8")]
HAS_TORCH = find_spec("torch") is not None
NAMES = [name for name in sorted(FITTERS.entries) if name != "neural" or HAS_TORCH]
CASES = [*((law, name) for law, _ in LAWS for name in [*NAMES, "tied"]), *((law, "labels") for law, _ in LABEL_LAWS)]
BROKEN = [*((*each, "closed-form") for each in LAWS), *((*each, "labels") for each in LABEL_LAWS)]
EVERY: dict[str, Any] = {
    "closed-form": find_fitter("closed-form"),
    "neural": SmallNets,
    "tied": TiedFitter,
    "labels": LabelFitter,
}


def test_every_registered_fitter_is_under_the_laws() -> None:
    assert set(FITTERS.entries) < set(EVERY)


def run_law(law: Callable[..., None], make_fitter: Any, tmp_path: Any) -> None:
    law(make_fitter, tmp_path) if law is law_10_saving_and_loading_keeps_the_bits else law(make_fitter)


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize(("law", "name"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_law_holds(law: Callable[..., None], name: str, tmp_path: Any) -> None:
    run_law(law, EVERY[name], tmp_path)


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
@pytest.mark.parametrize(("law", "damage", "name"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value)[:11]))
def test_law_fails_on_a_broken_fitter(law: Callable[..., None], damage: dict[str, Any], name: str, tmp_path: Any) -> None:
    with pytest.raises((AssertionError, FileFormatError)):  # a file that gives other values than it was saved with is refused
        run_law(law, Tampered(EVERY[name], **damage), tmp_path)
