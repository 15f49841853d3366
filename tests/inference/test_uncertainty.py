"""The jackknife against refits on the rows, formulas on paper, and redraws."""

from dataclasses import replace

import numpy as np
import pytest

from instashap import datasets
from instashap._errors import FitWarning, TooLargeError
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.inference import uncertainty
from instashap.inference.uncertainty import assign_groups, compute_contrast, compute_deviations, compute_replicates
from instashap.masked.expand import expand_solution
from instashap.masked.fitter import ClosedFormFitter, FitRecord
from instashap.masked.moments import accumulate_moments
from instashap.masked.restrict import choose_unknowns, restrict
from instashap.masked.solve import solve_problem
from instashap.masked.strengths import Strengths
from instashap.table.encoding import Encoded

STRENGTHS = Strengths(1e-4, 1e-3, 3.0)


def make_record(encode, X, f, weights=None, strengths=STRENGTHS, **options):
    columns, encoded = encode(X, weights)
    weights = np.ones(len(X)) if weights is None else weights
    players = options.pop("players", tuple(range(np.shape(X)[1])))
    law = compute_shapley_size_law(max(players) + 1, 0.7)
    outputs = np.reshape(f, (len(X), -1)).astype(float)
    fitter = ClosedFormFitter(columns, players, smoothness=strengths, **options)
    return FitRecord(encoded, outputs, weights, columns, players, law, fitter.fit(encoded, outputs, weights, law))


@pytest.fixture
def record(make_frame, encode):
    """A fit of two outputs on text, missing values, a spike and levels; several presence sets a term."""
    frame = make_frame(160, 3)
    rng = np.random.default_rng(3)
    f = frame["smooth"].fillna(2.0).to_numpy() * frame["level"].to_numpy() + (frame["text"] == "a")
    outputs = np.column_stack([f + rng.normal(size=160), rng.normal(size=160) + frame["zeros"]])
    return make_record(encode, frame, outputs, rng.uniform(0.5, 1.5, 160), presence_order=3, resolution=4)


def deal(record):
    return assign_groups(record.encoded, record.outputs, record.weights, 20)


def test_groups_of_one_size_have_the_plain_jackknife_variance():
    replicates = np.random.default_rng(0).normal(size=(20, 5))
    deviations = compute_contrast(np.full(20, 0.05)) @ replicates
    expected = 19 / 20 * ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose((deviations**2).sum(axis=0), expected, rtol=1e-12)


def test_groups_of_different_sizes_have_the_variance_of_the_pseudo_values():
    # rows 1, 2 | 4: mean 7/3; without the first group 4, without the second 3/2. h = 3/2, 3. Pseudo-values
    # 3/2 · 7/3 - 1/2 · 4 = 3/2 and 3 · 7/3 - 2 · 3/2 = 4; their mean, as the paper has it: 2 · 7/3 - 4/3 - 2/3 · 3/2 = 7/3;
    # the variance 1/2 ((3/2 - 7/3)² / (1/2) + (4 - 7/3)² / 2) = 1/2 (25/18 + 25/18) = 25/18
    deviations = compute_contrast(np.array([2 / 3, 1 / 3])) @ (np.array([4.0, 1.5]) - 7 / 3)
    assert (deviations**2).sum() == pytest.approx(25 / 18, rel=1e-12)


def test_the_error_of_a_column_of_two_values_is_that_of_its_means(encode):
    rng = np.random.default_rng(0)
    x = (rng.random(400) < 0.3).astype(float)
    y = 2.0 * x + rng.normal(size=400)
    record = make_record(encode, x[:, None], y, strengths=Strengths(1e-12, 1e-12), order=1)
    replicates, sizes = [], []
    for rows, _ in deal(record):
        kept = np.ones(400, dtype=bool)
        kept[rows] = False
        means = [y[kept & (x == level)].mean() for level in (0.0, 1.0)]
        replicates.append([*(np.array(means) - y[kept].mean()), y[kept].mean()])
        sizes.append(len(rows))
    expected = jackknife(np.array(replicates), 400 / np.array(sizes), replicates_of(x, y))
    probe = Encoded(*(part[[int(np.argmin(x)), int(np.argmax(x))]] for part in record.encoded))
    deviations = compute_deviations(record)
    np.testing.assert_allclose(deviations.credits.apply(probe)[:, 0, 0], expected[:2], rtol=1e-4)
    np.testing.assert_allclose(deviations.base_errors, expected[2], rtol=1e-4)
    # … and close to the formula of a mean's error
    assert deviations.base_errors[0] == pytest.approx(y.std() / 20, rel=0.4)


def replicates_of(x, y):
    return np.array([y[x == 0].mean() - y.mean(), y[x == 1].mean() - y.mean(), y.mean()])


def jackknife(replicates, h, whole):
    """Busing, Meijer and van der Leeden (1999), Eq. 11, as printed."""
    h = h.reshape(-1, *[1] * (replicates.ndim - 1))
    pseudo = h * whole - (h - 1) * replicates
    centre = len(h) * whole - ((1 - 1 / h) * replicates).sum(axis=0)
    return np.sqrt(((pseudo - centre) ** 2 / (h - 1)).mean(axis=0))


def test_a_replicate_is_a_fit_of_the_same_functions_on_the_rows_without_its_group(record):
    replicates = compute_replicates(record)
    problem, functions = record.result.solved.problem, record.result.solved.functions
    design = functions.evaluate(record.encoded).T[:, problem.functions]
    penalty = STRENGTHS.penalise(functions).functions[problem.functions]
    same = problem.functions[:, None] == problem.functions
    masks = enumerate_coalitions(4)
    sizes = masks.sum(axis=1)
    mass = record.size_law[sizes] / np.bincount(sizes)[sizes]
    is_live = np.array([masks[:, list(problem.presence_sets[number])].all(axis=1) for number in problem.presence])
    together = (is_live * mass) @ is_live.T  # mass of the coalitions in which both unknowns count
    groups = deal(record)
    for number in (0, 7, len(groups) - 1):
        weights = record.weights.copy()
        weights[groups[number][0]] -= groups[number][1]
        weights /= weights.sum()
        centred = design - weights @ design
        targets = record.outputs - weights @ record.outputs
        matrix = together * ((centred * weights[:, None]).T @ centred + same * penalty)
        expected = np.linalg.solve(matrix, np.diag(together)[:, None] * ((centred * weights[:, None]).T @ targets))
        change = expected - record.result.solved.solution.coefficients
        np.testing.assert_allclose(replicates.changes[number], change, atol=1e-4 * np.abs(change).max())
        np.testing.assert_allclose(replicates.output_means[number], weights @ record.outputs, rtol=1e-11)
    assert replicates.shares.sum() == pytest.approx(1.0)


def find_bases(record):
    return tuple(column.encoder.bases for column in record.columns)


def test_errors_are_those_of_the_replicates_own_models(record):
    replicates, result = compute_replicates(record), record.result
    models = []
    for number in range(len(replicates.shares)):
        moments = replace(result.total, means=replicates.means[number], output_means=replicates.output_means[number])
        solved = result.solved
        solution = replace(solved.solution, coefficients=solved.solution.coefficients + replicates.changes[number])
        models.append(expand_solution(solved.problem, solved.functions, solution, moments, find_bases(record), 4))
    deviations = compute_deviations(record)
    players = max((sets for sets in result.model.presence_sets[0]), key=len)
    h = 1 / replicates.shares

    def read(model, what):
        if what == "mobius":
            return model.make_mobius_lookup(players).apply(record.encoded)
        found = getattr(model, what).apply(record.encoded)
        is_whole = what == "prediction" and hasattr(model, "base_value")
        return found + model.base_value if is_whole else found

    for what in ("credits", "effects", "prediction", "mobius"):
        expected = jackknife(np.stack([read(model, what) for model in models]), h, read(result.model, what))
        assert expected.max() > 0.05
        np.testing.assert_allclose(read(deviations, what), expected, atol=2e-5 * expected.max())
    shape = result.model.value_sets[-1]
    effects = deviations.effects.apply(record.encoded)[:, -1]
    np.testing.assert_allclose(deviations.make_shape_lookup(shape).apply(record.encoded)[:, 0], effects, rtol=1e-6)


def test_errors_do_not_depend_on_how_many_groups_are_solved_together(record, monkeypatch):
    together = compute_deviations(record).credits.apply(record.encoded)
    monkeypatch.setattr(uncertainty, "_BATCH_NUMBERS", 1)
    monkeypatch.setattr("instashap.model.deviations._BLOCK_NUMBERS", 1000)
    np.testing.assert_allclose(compute_deviations(record).credits.apply(record.encoded), together, rtol=1e-3)


def test_large_problems_have_the_same_errors_from_a_factor_in_single_precision(record, monkeypatch):
    expected = compute_deviations(record).credits.apply(record.encoded)
    monkeypatch.setattr(uncertainty, "MAX_DENSE", 10)
    monkeypatch.setattr(uncertainty, "solve_problem", None)
    monkeypatch.setattr(uncertainty, "_BLOCK_COLUMNS", 30)
    found = compute_deviations(record).credits.apply(record.encoded)
    np.testing.assert_allclose(found, expected, atol=5e-3 * expected.max())


def test_a_factor_in_single_precision_is_that_of_the_matrix(record):
    solved, total = record.result.solved, record.result.total
    penalty = replace(STRENGTHS, presence=2.0).penalise(solved.functions)
    gram = total.scatter / total.weight
    precondition = uncertainty._factorise_single(solved.problem, gram, penalty)
    matrix = solved.problem.assemble(gram, penalty)
    wanted = np.random.default_rng(0).normal(size=(len(matrix), 2))
    np.testing.assert_allclose(precondition(matrix @ wanted), wanted, atol=0.02)


def test_a_matrix_that_is_singular_in_single_precision_gets_a_larger_diagonal(record, monkeypatch):
    asked = []
    monkeypatch.setattr(uncertainty, "_assemble_single", lambda *problem: asked.append(1) or np.ones((5, 5), np.float32).T)
    wanted = np.random.default_rng(0).normal(size=(5, 1))
    precondition = uncertainty._factorise_single(None, None, None)
    assert len(asked) > 1
    matrix = np.ones((5, 5)) + np.diag(np.full(5, 10.0 ** (len(asked) - 8)))
    np.testing.assert_allclose(precondition(matrix @ wanted), wanted, atol=0.3)


def test_the_finest_of_too_many_unknowns_keep_their_values(record, monkeypatch):
    solved = record.result.solved
    monkeypatch.setattr(uncertainty, "MAX_FACTORED", len(solved.problem) // 2)
    kept = choose_unknowns(solved.problem, solved.functions, len(solved.problem) // 2)
    changes = compute_replicates(record).changes
    assert (changes[:, np.setdiff1d(np.arange(len(solved.problem)), kept)] == 0).all()
    smaller = replace(solved, problem=restrict(solved.problem, kept))
    coefficients = solved.solution.coefficients[kept]
    smaller = replace(smaller, solution=replace(solved.solution, coefficients=coefficients))
    expected = compute_replicates(replace(record, result=replace(record.result, solved=smaller))).changes
    np.testing.assert_allclose(changes[:, kept], expected, atol=1e-4 * np.abs(expected).max())


def test_groups_partition_the_weight_of_every_row(record):
    groups = deal(record)
    dealt = np.zeros(len(record.weights))
    for rows, weights in groups:
        assert len(np.unique(rows)) == len(rows)
        dealt[rows] += weights
    np.testing.assert_allclose(dealt, record.weights, rtol=1e-12)
    assert len(groups) == 20


def summarise(encode, X, f, weights=None):
    record = make_record(encode, X, f, weights, presence_order=2)
    return compute_deviations(record).credits.apply(record.encoded)[:, :, 0]


def test_permuting_rows_and_columns_permutes_the_errors(encode):
    rng = np.random.default_rng(1)
    for X in (rng.normal(size=(200, 3)), rng.integers(0, 3, size=(600, 3)).astype(float)):
        f = X[:, 0] + 1.7 * X[:, 1] * X[:, 2] + 0.3 * X[:, 1]  # different rows of levels have different outputs
        errors = summarise(encode, X, f)
        rows, columns = rng.permutation(len(X)), [2, 0, 1]
        np.testing.assert_allclose(summarise(encode, X[rows], f[rows]), errors[rows], rtol=1e-5)
        np.testing.assert_allclose(summarise(encode, X[:, columns], f), errors[:, columns], rtol=1e-3)


def test_a_weight_counts_as_so_many_rows(encode):
    rng = np.random.default_rng(2)
    X, weights = rng.normal(size=(150, 2)), rng.integers(1, 6, 150)
    f = X[:, 0] * X[:, 1]
    copies = np.repeat(np.arange(150), weights)
    repeated = summarise(encode, X[copies], f[copies])
    np.testing.assert_allclose(summarise(encode, X, f, weights.astype(float))[copies], repeated, rtol=1e-5)


def test_outputs_rounded_in_two_ways_count_as_equal(encode):
    X = np.random.default_rng(2).integers(0, 3, size=(500, 2)).astype(float)
    f = X[:, 0] * X[:, 1] + 0.1
    noisy = f * (1 + np.random.default_rng(0).choice([-1e-15, 0, 1e-15], 500))
    np.testing.assert_allclose(summarise(encode, X, noisy), summarise(encode, X, f), rtol=1e-5)


@pytest.mark.parametrize("shape", ["one column", "a pair of symmetric rows"])
def test_copies_of_few_rows_have_the_error_of_a_proportion(encode, shape):
    # A mean of 0 and 1 has the error sqrt(p (1 - p) / n): the table's few rows must be assigned copy by copy.
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(40):
        x = (rng.random(500) < 0.4).astype(float)
        X = x[:, None] if shape == "one column" else np.column_stack([x, 1 - x])
        record = make_record(encode, X, x, order=1, presence_order=1)
        ratios.append(compute_deviations(record).base_errors[0] ** 2 / (x.mean() * (1 - x.mean()) / 500))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)  # each has 19 degrees of freedom: 0.32 / sqrt(40) = 0.05


def test_rows_with_the_same_values_in_other_columns_are_assigned_separately(encode):
    first, second = (each.ravel() for each in np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij"))
    record = make_record(encode, np.column_stack([first, second]), first + second, order=1)
    group = np.empty(1600)
    for number, (rows, _) in enumerate(deal(record)):
        group[rows] = number
    mirrored = np.arange(1600).reshape(40, 40).T.ravel()
    assert 10 < (group == group[mirrored]).sum() - 40 < 130  # 78 of 1560 by chance, in pairs


def test_repeated_rows_with_measured_labels_are_assigned_one_by_one(encode):
    X = np.random.default_rng(0).integers(0, 2, size=(400, 2)).astype(float)
    y = np.random.default_rng(1).normal(size=400)
    record = make_record(encode, X, y)
    sizes = [len(rows) for rows, _ in deal(record)]
    assert sum(sizes) == 400
    assert min(sizes) > 5


def test_rows_that_form_one_group_have_no_errors(encode):
    record = make_record(encode, np.zeros((1, 2)), np.ones(1))
    with pytest.raises(ValueError, match=r"1 row\(s\) of total weight 1 form only 1 group; fit on more rows"):
        compute_deviations(record)


def test_few_rows_make_fewer_groups(encode):
    X = np.arange(5.0)[:, None]
    deviations = compute_deviations(make_record(encode, X, X[:, 0], order=1))
    assert 2 <= deviations.n_groups <= 5
    assert np.isfinite(deviations.base_errors).all()


def test_a_constant_output_has_no_error(encode):
    X = np.random.default_rng(0).normal(size=(100, 2))
    assert summarise(encode, X, np.full(100, 3.0)).max() < 1e-12


def test_a_table_of_constants_has_the_error_of_its_mean(encode):
    y = np.random.default_rng(0).normal(size=200)
    deviations = compute_deviations(make_record(encode, np.ones((200, 2)), y))
    assert deviations.base_errors[0] == pytest.approx(y.std() / np.sqrt(200), rel=0.4)


def test_errors_too_large_for_memory_are_refused(record, monkeypatch):
    monkeypatch.setattr(uncertainty, "MAX_BYTES", 1000)
    monkeypatch.setattr(uncertainty, "compute_replicates", None)
    with pytest.raises(TooLargeError, match=r"2 outputs would take .* MB, more than 0; fit fewer outputs"):
        compute_deviations(record)


def test_refits_that_did_not_converge_warn(record, monkeypatch):
    monkeypatch.setattr(uncertainty, "_TOLERANCE", 0.9)
    with pytest.warns(FitWarning, match="refits behind the standard errors hold to"):
        compute_deviations(record)


def refit(record, encoded, outputs):
    """The same functions, terms and strengths on other rows."""
    result, weights = record.result, np.ones(len(outputs))
    total = accumulate_moments(result.solved.functions.evaluate, encoded, outputs, weights, len(result.solved.functions))
    gram, cross, _ = total.around(total)
    solution = solve_problem(result.solved.problem, gram, cross, STRENGTHS.penalise(result.solved.functions))
    n_players = len(record.size_law) - 1
    model = expand_solution(result.solved.problem, result.solved.functions, solution, total, find_bases(record), n_players)
    fitted = replace(result, model=model, total=total, solved=replace(result.solved, solution=solution))
    return replace(record, encoded=encoded, outputs=outputs, weights=weights, result=fitted)


@pytest.mark.parametrize(
    "simulator",
    [
        datasets.GaussianQuadratic(0.5 * np.eye(3) + 0.5, [1.0, 0.5, 0.0], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.5, 0.0]]),
        datasets.make_latent_class(3, n_levels=3, n_classes=4, random_state=4),
    ],
    ids=["gaussian", "latent class"],
)
def test_intervals_cover_the_projection_in_nine_draws_of_ten(encode, simulator):
    from instashap.table.columns import read_table
    from instashap.table.encoding import learn_table

    X, f = simulator.sample(400, random_state=0)
    encoder, _ = learn_table(read_table(X), np.ones(400))
    record = make_record(encode, X, f, presence_order=3, resolution=4)

    def draw(n_rows, seed):
        rows, outputs = simulator.sample(n_rows, random_state=seed)
        return refit(record, encoder.encode(read_table(rows, encoder.schema)), outputs[:, None])

    probes = Encoded(*(part[:40] for part in draw(40, 1).encoded))
    target = draw(40_000, 2).result.model
    is_pair = [len(values) == 2 for values in target.value_sets]
    covered = []
    for seed in range(50):
        redrawn = draw(400, 100 + seed)
        deviations = compute_deviations(redrawn)
        for what, kept in (("credits", slice(None)), ("effects", is_pair)):
            miss = getattr(redrawn.result.model, what).apply(probes) - getattr(target, what).apply(probes)
            within = np.abs(miss) <= 1.729 * getattr(deviations, what).apply(probes)  # Student's t, 19 degrees of freedom
            covered.append([what, within[:, kept].mean()])
    for what in ("credits", "effects"):
        share = np.mean([each for name, each in covered if name == what])
        assert 0.85 < share < 0.95
