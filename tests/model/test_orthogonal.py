"""Re-expressed terms: same sum, and the parts that each decomposition is defined by."""

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from instashap.model.additive_model import AdditiveModel
from instashap.model.orthogonal import make_plain_model, purify_model
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded

KINDS = ("stone-hooker", "product", "marginal")
Tables = dict[tuple[int, ...], NDArray[np.float64]]


def make_model(tables: Tables, sizes: tuple[int, ...]) -> AdditiveModel:
    """One function a cell, for every size of term."""
    bases = tuple((LocalBasis(np.arange(n, dtype=np.int32), np.ones((n, 1, 1)), n),) * 3 for n in sizes)
    columns = range(len(sizes))
    return make_plain_model(bases, {key: table[..., None] for key, table in tables.items()}, np.zeros(1), columns, len(sizes))


def make_rows(cells: NDArray[np.int32]) -> Encoded:
    return Encoded(np.ascontiguousarray(cells, dtype=np.int32), np.zeros(cells.shape))


def read_tables(model: AdditiveModel) -> Tables:
    return {values: table[..., 0] for values, table in zip(model.value_sets, model.shapes, strict=True)}


@pytest.fixture
def cube() -> tuple[AdditiveModel, Encoded, NDArray[np.float64], NDArray[np.float64]]:
    """A model of three correlated columns of 4, 5 and 3 levels; rows are its cells, weights their joint distribution."""
    rng = np.random.default_rng(0)
    sizes = (4, 5, 3)
    tables = {values: rng.normal(size=[sizes[c] for c in values]) for values in [(0,), (0, 1), (1, 2), (0, 1, 2)]}
    joint = rng.gamma(0.7, size=sizes)
    joint /= joint.sum()
    cells = np.array(list(product(*map(range, sizes))))
    return make_model(tables, sizes), make_rows(cells), joint.ravel(), joint


def test_two_by_two_table_has_the_pure_part_computed_by_hand() -> None:
    # p = (.4, .1; .1, .4) and f = 1[both]: the pure part is ± c / p with c = 1 / sum(1 / p) = 1 / 25.
    model = make_model({(0, 1): np.array([[0.0, 0.0], [0.0, 1.0]])}, (2, 2))
    rows = make_rows(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    pure, _ = purify_model(model, (0, 1), rows, np.array([0.4, 0.1, 0.1, 0.4]), "stone-hooker")
    tables = read_tables(pure)
    assert tables[0, 1] == pytest.approx(np.array([[0.1, -0.4], [-0.4, 0.1]]))
    assert pure.base_value == pytest.approx([0.4])
    assert tables[0,] == pytest.approx([-0.25, 0.25])  # what is left: .4 + a + b + pure = f, a = b by symmetry


def test_product_rule_takes_plain_means_of_the_two_by_two_table() -> None:
    model = make_model({(0, 1): np.array([[0.0, 0.0], [0.0, 1.0]])}, (2, 2))
    rows = make_rows(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    pure, _ = purify_model(model, (0, 1), rows, np.array([0.4, 0.1, 0.1, 0.4]), "product")
    assert read_tables(pure)[0, 1] == pytest.approx(np.array([[0.25, -0.25], [-0.25, 0.25]]))
    assert pure.base_value == pytest.approx([0.25])


def test_marginal_rule_has_the_mean_output_as_base_value() -> None:
    model = make_model({(0, 1): np.array([[0.0, 0.0], [0.0, 1.0]])}, (2, 2))
    rows = make_rows(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    pure, _ = purify_model(model, (0, 1), rows, np.array([0.4, 0.1, 0.1, 0.4]), "marginal")
    # F(∅) = .4, F(x1) = F(x2) = (0, .5): components ∓.4, ±.1 and f - F1 - F2 + F∅.
    assert pure.base_value == pytest.approx([0.4])
    assert read_tables(pure)[0,] == pytest.approx([-0.4, 0.1])
    assert read_tables(pure)[0, 1] == pytest.approx(np.array([[0.4, -0.1], [-0.1, 0.4]]))


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_stay_what_they_were(cube, kind: str) -> None:
    model, rows, weights, _ = cube
    pure, _ = purify_model(model, (0, 1, 2), rows, weights, kind)
    assert pure.predict(rows) == pytest.approx(model.predict(rows), abs=1e-12)
    assert pure.value_sets == ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_purifying_twice_changes_nothing(cube, kind: str) -> None:
    model, rows, weights, _ = cube
    once, _ = purify_model(model, (0, 1, 2), rows, weights, kind)
    twice, _ = purify_model(once, (0, 1, 2), rows, weights, kind)
    for values, table in read_tables(twice).items():
        assert table == pytest.approx(read_tables(once)[values], abs=1e-12)


def test_every_stone_hooker_term_is_orthogonal_to_every_function_of_fewer_columns(cube) -> None:
    model, rows, weights, joint = cube
    pure, _ = purify_model(model, (0, 1, 2), rows, weights, "stone-hooker")
    for values, table in read_tables(pure).items():
        others = tuple(axis for axis in range(3) if axis not in values)
        weighted = joint.sum(axis=others) * table
        for axis in range(len(values)):
            assert np.abs(weighted.sum(axis=axis)).max() < 1e-12


def test_every_product_term_has_mean_zero_along_every_axis(cube) -> None:
    model, rows, weights, joint = cube
    pure, _ = purify_model(model, (0, 1, 2), rows, weights, "product")
    for values, table in read_tables(pure).items():
        for axis, column in enumerate(values):
            mass = joint.sum(axis=tuple(other for other in range(3) if other != column))
            assert np.abs(np.tensordot(mass, table, axes=(0, axis))).max() < 1e-12


def test_marginal_terms_are_the_components_of_the_enumerated_game(cube) -> None:
    model, rows, weights, joint = cube
    pure, _ = purify_model(model, (0, 1, 2), rows, weights, "marginal")
    full = model.predict(rows).reshape(joint.shape)

    def value(present: tuple[int, ...], cell: tuple[int, ...]) -> float:
        picked = tuple(cell[axis] if axis in present else slice(None) for axis in range(3))
        mass = joint.sum(axis=present) if present else joint
        return float((full[picked] * mass).sum())

    for values, table in read_tables(pure).items():
        for cell in product(*(range(joint.shape[axis]) for axis in values)):
            whole = tuple(cell[values.index(axis)] if axis in values else 0 for axis in range(3))
            sets = [subset for size in range(len(values) + 1) for subset in combinations(values, size)]
            component = sum((-1) ** (len(values) - len(subset)) * value(subset, whole) for subset in sets)
            assert table[cell] == pytest.approx(component, abs=1e-12)


def test_independent_columns_make_all_rules_agree(cube) -> None:
    model, rows, _, joint = cube
    sides = [joint.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    weights = np.einsum("i,j,k->ijk", *sides).ravel()
    tables = [read_tables(purify_model(model, (0, 1, 2), rows, weights, kind)[0]) for kind in KINDS]
    for values in tables[0]:
        assert tables[1][values] == pytest.approx(tables[0][values], abs=1e-12)
        assert tables[2][values] == pytest.approx(tables[0][values], abs=1e-12)


@pytest.mark.parametrize("kind", ["stone-hooker", "product"])
def test_tables_agree_with_interpret(kind: str) -> None:
    purify = pytest.importorskip("interpret.utils").purify
    rng = np.random.default_rng(1)
    sizes = (4, 3, 5)
    scores, density = rng.normal(size=sizes), rng.gamma(1.0, size=sizes)
    if kind == "product":
        sides = [density.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
        density = np.einsum("i,j,k->ijk", *sides)
    expected, impurities, intercept = purify(scores, density)
    cells = np.array(list(product(*map(range, sizes))))
    pure, _ = purify_model(make_model({(0, 1, 2): scores}, sizes), (0, 1, 2), make_rows(cells), density.ravel(), kind)
    assert read_tables(pure)[0, 1, 2] == pytest.approx(expected, abs=1e-8)
    assert pure.base_value == pytest.approx(intercept, abs=1e-8)
    assert len(impurities) == 6
    for values, table in impurities:
        assert read_tables(pure)[values] == pytest.approx(table, abs=1e-8)


def test_columns_with_the_same_information_are_named() -> None:
    model = make_model({(0, 1): np.arange(9.0).reshape(3, 3)}, (3, 3))
    rows = make_rows(np.array([[0, 0], [1, 1], [2, 2]]))
    pure, confounded = purify_model(model, (0, 1), rows, np.ones(3), "stone-hooker")
    assert confounded == [(0, 1)]
    assert pure.predict(rows) == pytest.approx(model.predict(rows), abs=1e-12)
    rows = make_rows(np.array([[0, 0], [1, 1], [2, 2], [0, 1], [1, 2]]))
    assert purify_model(model, (0, 1), rows, np.ones(5), "stone-hooker")[1] == []
