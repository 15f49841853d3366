"""Cross-validation from moments against refitting on rows."""

import numpy as np
import pytest

from instashap.game.coalitions import compute_containment_masses, compute_shapley_size_law
from instashap.masked import cross_validation, select
from instashap.masked.candidate import Candidate, make_candidate_problem
from instashap.masked.design import make_value_functions
from instashap.masked.fold_moments import FoldMoments
from instashap.masked.moments import accumulate_moments
from instashap.masked.select import Judge
from instashap.masked.strengths import Strengths, descend
from instashap.table.encoding import Encoded

N = 240


@pytest.fixture
def case(make_frame, encode, make_axes):
    """A judge over three folds, with everything it was made of."""
    rng = np.random.default_rng(0)
    columns, encoded = encode(make_frame(N, 0))
    weights = rng.uniform(0.5, 1.5, N)
    axes = make_axes(columns, encoded, weights, (4, 3, 2))
    functions = make_value_functions([(0,), (1,), (2,), (3,), (0, 3)], axes, {2: 4, 3: 4})
    base = functions.evaluate(encoded).T
    outputs = base @ rng.normal(size=(len(functions), 2)) + rng.normal(size=(N, 2))
    folds = [np.arange(N) % 3 == fold for fold in range(3)]
    parts = [
        accumulate_moments(
            functions.evaluate,
            Encoded(encoded.cells[fold], encoded.offsets[fold]),
            outputs[fold],
            weights[fold],
            len(functions),
        )
        for fold in folds
    ]
    law = compute_shapley_size_law(4, 0.5)
    judge = Judge(FoldMoments.from_folds(functions, parts), {1: [(p,) for p in range(4)]}, (0, 1, 2, 3), law)
    return judge, functions, encoded, outputs, weights, folds, law


def test_penalties_add_roughness_and_ridge_and_grow_with_the_number_of_columns(case):
    functions = case[1]
    strengths = Strengths(roughness=0.1, ridge=0.01, interaction=7.0)
    expected = (0.1 * functions.roughness + 0.01 * functions.ridge) * np.where(functions.sizes == 2, 7.0, 1.0)
    np.testing.assert_allclose(strengths.penalise(functions).functions, expected, rtol=1e-14)
    assert (functions.sizes == 2).sum() > 2


def test_a_candidate_keeps_what_its_order_and_resolution_allow(case):
    functions = case[1]
    is_pair = functions.sizes == 2
    assert Candidate(1, 1, {}, (2, 1, 1)).keeps(functions).tolist() == (~is_pair).tolist()
    coarse = Candidate(2, 2, {2: 2}, (2, 1, 1)).keeps(functions)
    assert coarse.tolist() == (~is_pair | (functions.ranks <= 2)).tolist()
    assert 0 < (coarse & is_pair).sum() < is_pair.sum()


def _refit(case, kept, strengths):
    """Held-out masked risk by explicit normal equations on the rows of each fold, masks by their containment masses."""
    _judge, functions, encoded, outputs, weights, folds, law = case
    chosen = functions.select(kept)
    values = chosen.evaluate(encoded).T
    penalty = np.diag(strengths.penalise(chosen).functions)
    masses = compute_containment_masses(law)
    sets = [set(chosen.value_sets[owner]) for owner in chosen.owners]
    union = np.array([[masses[len(a | b)] for b in sets] for a in sets])
    own = np.diag(union)
    risk, full = np.zeros(2), np.zeros(2)
    for fold in folds:
        share = weights[~fold] / weights[~fold].sum()
        means, base = share @ values[~fold], share @ outputs[~fold]
        train, test = values - means, outputs - base
        gram = (train[~fold] * share[:, None]).T @ train[~fold]
        cross = (train[~fold] * share[:, None]).T @ test[~fold]
        coefficients = np.linalg.solve(union * (gram + penalty), own[:, None] * cross)
        held_out = weights[fold] / weights[fold].sum()
        for mask in (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1:
            size = mask.sum()
            mass = law[size] / [1, 4, 6, 4, 1][size]
            live = np.array([each <= set(np.flatnonzero(mask)) for each in sets])
            errors = (test[fold] - train[fold][:, live] @ coefficients[live]) ** 2
            risk += weights[fold].sum() / weights.sum() * mass * (held_out @ errors)
            if size == 4:
                full += weights[fold].sum() / weights.sum() * (held_out @ errors)
    centred = outputs - np.average(outputs, axis=0, weights=weights)
    variance = np.average(centred**2, axis=0, weights=weights)
    return (risk / variance).sum(), (full / variance).sum()


@pytest.mark.parametrize("candidate", [Candidate(1, 1, {}, (0, 0, 0)), Candidate(2, 2, {2: 2}, (0, 0, 0))])
@pytest.mark.parametrize("strengths", [Strengths(1e-3, 1e-2, 1.0), Strengths(1e-5, 1e-3, 3.0)])
@pytest.mark.parametrize(
    ("rows_per_unknown", "max_apart", "is_together"),
    [(0, 1500, True), (10**9, 1500, False), (10**9, 3, True)],  # enough rows, too few, too many unknowns for so few
)
def test_judged_risks_are_those_of_refitting_on_the_rows_of_every_fold(
    case, candidate, strengths, rows_per_unknown, max_apart, is_together, monkeypatch
):
    monkeypatch.setattr(cross_validation, "_ROWS_PER_UNKNOWN", rows_per_unknown)
    monkeypatch.setattr(cross_validation, "_MAX_APART", max_apart)
    monkeypatch.setattr(cross_validation, "_solve_folds_apart" if is_together else "_solve_folds_together", None)
    judgement, _ = case[0].judge(candidate, strengths, ())
    risk, full = _refit(case, candidate.keeps(case[1]), strengths)
    # fold solutions stop at 1e-5, which the risk holds squared
    assert judgement.risk == pytest.approx(risk, rel=1e-6)
    assert judgement.full_risk == pytest.approx(full, rel=1e-4)
    assert judgement.strengths == strengths
    assert judgement.n_unknowns == candidate.keeps(case[1]).sum()


@pytest.mark.parametrize("is_warm", [False, True])
def test_large_candidates_are_judged_by_the_same_risk_without_a_matrix(case, is_warm, monkeypatch):
    poor, rich = Candidate(1, 1, {}, (0, 0, 0)), Candidate(2, 2, {2: 2}, (0, 0, 0))
    strengths = Strengths(1e-3, 1e-2)
    _, near = case[0].judge(poor, strengths, ())
    monkeypatch.setattr(select, "is_large", lambda problem: True)
    monkeypatch.setattr(cross_validation, "_LARGE_TOLERANCE", 1e-7)
    judgement, solved = case[0].judge(rich, strengths, (), near if is_warm else None)
    risk, full = _refit(case, rich.keeps(case[1]), strengths)
    assert judgement.risk == pytest.approx(risk, rel=1e-6)
    assert judgement.full_risk == pytest.approx(full, rel=1e-4)
    solution, _ = case[0].polish(judgement, solved)
    assert solution.gradient < 1e-6  # conjugate gradients to the end: a large matrix is not formed where they converge


def test_a_start_is_the_poorer_models_own_and_knows_no_held_out_row(case, monkeypatch):
    poor, rich = Candidate(1, 1, {}, (0, 0, 0)), Candidate(2, 2, {2: 2}, (0, 0, 0))
    _, near = case[0].judge(poor, Strengths(), ())
    monkeypatch.setattr(select, "is_large", lambda problem: True)
    monkeypatch.setattr(cross_validation, "_LARGE_STEPS", 0)
    _, solved = case[0].judge(rich, Strengths(), (), near)
    for start, known in zip(solved.fold_coefficients, near.fold_coefficients, strict=True):
        merged = np.zeros((len(case[1]), 2))
        merged[np.flatnonzero(case[1].sizes == 1)] = near.problem.merge(known)
        kept = np.flatnonzero(rich.keeps(case[1]))
        np.testing.assert_array_equal(solved.problem.merge(start), merged[kept])


def test_a_free_strength_never_ends_worse_than_it_started(case):
    judge = case[0]
    candidate = Candidate(2, 2, {2: 4}, (0, 0, 0))
    start = Strengths(1.0, 1.0, 1.0)
    fixed, _ = judge.judge(candidate, start, ())
    free, _ = judge.judge(candidate, start, ("ridge", "roughness"))
    assert free.risk < fixed.risk
    again, _ = judge.judge(candidate, free.strengths, ())
    assert again.risk == pytest.approx(free.risk, rel=1e-9)


def test_strengths_that_mean_the_same_penalty_are_judged_once(case, monkeypatch):
    judged = []

    def count(*arguments, **options):
        judged.append(arguments)
        return cross_validation.cross_validate_folds(*arguments, **options)

    monkeypatch.setattr(select, "cross_validate_folds", count)
    best, _ = case[0].judge(Candidate(1, 1, {}, (0, 0, 0)), Strengths(), ("interaction",))  # there are no pairs
    assert len(judged) == 1
    assert best.strengths.interaction == 100.0  # the strongest of those that are as good


def test_a_single_fold_has_nothing_to_judge_by(case):
    judge = case[0]
    alone = Judge(FoldMoments.from_folds(judge.moments.functions, [judge.moments.total]), {}, (0, 1, 2, 3), case[-1])
    judgement, _ = alone.judge(Candidate(1, 1, {}, (0, 0, 0)), Strengths(), ())
    assert judgement.risk == np.inf


def test_the_total_of_fold_moments_describes_all_rows(case):
    judge, functions, encoded, outputs, weights, *_ = case
    expected = accumulate_moments(functions.evaluate, encoded, outputs, weights, len(functions))
    np.testing.assert_allclose(judge.moments.total.scatter, expected.scatter, atol=1e-9 * np.abs(expected.scatter).max())
    kept = functions.sizes == 1
    selected = judge.moments.select(kept)
    assert len(selected.functions) == kept.sum()
    np.testing.assert_array_equal(selected.folds[1].cross, judge.moments.folds[1].cross[kept])


def test_whole_and_splits_are_the_moments_of_all_of_the_training_and_of_the_held_out_rows(case):
    judge, functions, encoded, outputs, weights, folds, _ = case
    moments = judge.moments
    kept = [moments.total, *moments.folds]
    before = [part.scatter.copy() for part in kept]
    values = functions.evaluate(encoded).T

    def describe(rows, centred_on):
        share = weights[rows] / weights[rows].sum()
        centre = weights[centred_on] / weights[centred_on].sum()
        design, target = values - centre @ values[centred_on], outputs - centre @ outputs[centred_on]
        weighted = design[rows] * share[:, None]
        return weighted.T @ design[rows], weighted.T @ target[rows], share @ target[rows] ** 2

    def assert_close(found, expected):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-11 * np.abs(theirs).max())

    everyone = np.ones(N, bool)
    assert_close(moments.whole, describe(everyone, everyone)[:2])
    assert len(moments.splits) == 3
    for split, fold in zip(moments.splits, folds, strict=True):
        assert split.share == pytest.approx(weights[fold].sum() / weights.sum(), rel=1e-12)
        assert_close(split.train, describe(~fold, ~fold)[:2])
        assert_close(split.held_out, describe(fold, ~fold))
    assert moments.whole is moments.whole
    assert moments.splits is moments.splits
    for part, scatter in zip(kept, before, strict=True):
        np.testing.assert_array_equal(part.scatter, scatter)
    assert FoldMoments.from_folds(functions, [moments.total]).splits == []


def test_a_candidates_problem_has_the_presence_sets_on_offer_up_to_its_order(case):
    judge, functions, *_, law = case
    offered = {1: [(p,) for p in range(4)], 2: [(0, 1), (1, 2)], 3: [(0, 1, 2), (0, 1, 3)]}
    own = {(0,), (1,), (2,), (3,)}
    kept = functions.select(functions.sizes == 1)
    larger = {1: set(), 2: {(0, 1), (1, 2)}, 3: {(0, 1), (1, 2), (0, 1, 2), (0, 1, 3)}}
    for order, expected in larger.items():
        candidate = Candidate(1, order, {}, (1, 0, 0))
        problem = make_candidate_problem(candidate, kept, offered, range(4), law)
        assert set(problem.presence_sets) == own | expected
        repeated = sum(sum({owner} < set(presence) for presence in expected) for owner in kept.owners[kept.ranks == 1].tolist())
        assert len(problem) == len(kept) + repeated
        of_judge = Judge(judge.moments, offered, range(4), law).make_problem(candidate, kept)
        assert of_judge.presence_sets == problem.presence_sets
        np.testing.assert_array_equal(of_judge.functions, problem.functions)
        np.testing.assert_array_equal(of_judge.presence, problem.presence)
    together = make_candidate_problem(Candidate(2, 1, {2: 4}, (0, 0, 0)), functions, offered, (0, 1, 2, 0), law)
    assert set(together.presence_sets) == {(0,), (1,), (2,)}  # the pair's columns are one player


def test_descent_walks_each_coordinate_to_the_bottom_of_a_bowl():
    seen = []

    def bowl(strengths):
        seen.append(strengths)
        return np.log10(strengths.roughness / 1e-8) ** 2 + np.log10(strengths.ridge / 1e-2) ** 2 + strengths.interaction

    best = descend(bowl, Strengths(1e-3, 1e-6, 10.0), ("roughness", "ridge", "interaction"))
    assert best.roughness == pytest.approx(1e-8)
    assert best.ridge == pytest.approx(1e-2)
    assert best.interaction == 1.0
    kept = descend(bowl, Strengths(1e-3, 1e-6, 10.0), ("ridge",))
    assert (kept.roughness, kept.interaction) == (1e-3, 10.0)
    assert descend(bowl, Strengths(1e-3, 1e-6, 10.0), ()) == Strengths(1e-3, 1e-6, 10.0)
