"""A thing of each kind is added by one file and one line, and used by its name through the public door."""

import importlib
import json
import sys
from itertools import combinations

import numpy as np
import pytest

import instashap
from instashap import AdditiveRegressor, Explainer
from instashap._registries import BASES, EXPORTS, FAMILIES, INDICES, QUESTIONS, VALUE_FUNCTIONS, Registry

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

REGISTRIES = {
    name: each for name, each in vars(importlib.import_module("instashap._registries")).items() if isinstance(each, Registry)
}
RNG = np.random.default_rng(0)
X = np.column_stack([RNG.integers(0, 6, 300), RNG.normal(size=300)]).astype(float)
F = np.where(X[:, 0] > 2, 3.0, 0.0) + X[:, 1]


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Writes a file beside the tests, and adds a line to a registry."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(registry, entry, source):
        module = f"added_{registry.what.split()[-1]}"
        (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
        monkeypatch.setitem(registry.entries, entry, f"{module}:added")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return write


ENTRIES = [(name, entry) for name, each in REGISTRIES.items() for entry in each.entries]


@pytest.mark.parametrize(("registry", "entry"), [each for each in ENTRIES if "neural" not in each])
def test_every_line_of_a_registry_names_something_that_is_there(registry, entry):
    assert callable(REGISTRIES[registry].find(entry))


def test_an_unknown_name_is_refused_with_all_names():
    names = "'asymmetric', 'banzhaf', 'owen', 'shapley'"
    with pytest.raises(ValueError, match=f"index='nucleolus' is not known; use one of {names}"):
        INDICES.make("nucleolus", "split")
    with pytest.raises(TypeError, match=rf"index takes a name \({names}\) or an object with a method split"):
        INDICES.make(3, "split")


def test_a_basis_is_a_file_and_a_line(add):
    # One function for values up to 2 and one above: steps, and nothing between.
    add(
        BASES,
        "step",
        """
import numpy as np
from instashap.table.bases import Axis, LocalBasis
from instashap.table.cells import Cells, finish_column

class added:
    def learn(self, column, grain):
        cells = Cells(np.array([0.0, 3.0]), np.array([2.0, 5.0]), np.zeros(2, bool), np.empty(0, int), np.array([2.0]))
        basis = LocalBasis(np.arange(3, dtype=np.int32), np.ones((3, 1, 1)), 3)
        axis = Axis(basis, np.eye(3)[:, :2], {}, (2,))
        return finish_column(column.name, cells, [axis] * 3, ())
""",
    )
    explainer = Explainer(order=1, bases={0: "step"}).fit(X, outputs=F)
    values = explainer.interaction_values(np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]]))[:, 0]
    assert np.ptp(values[:3]) == np.ptp(values[3:]) == 0
    assert values[3] - values[2] == pytest.approx(3.0, abs=0.1)


def test_a_likelihood_is_a_file_and_a_line(add):
    # The squared error of twice the target: predictions are doubled.
    add(
        FAMILIES,
        "doubled",
        """
from instashap.likelihood.losses.squared_error import Gaussian

class added(Gaussian):
    output_transform = "half of the prediction"

    def respond(self, scores):
        return 2 * scores[:, 0]
""",
    )
    model = AdditiveRegressor(order=1, loss="doubled").fit(X, F)
    assert model.explain(X[:5]).output_transform == "half of the prediction"
    plain = AdditiveRegressor(order=1, monotone_constraints={1: 1}).fit(X, F)
    np.testing.assert_allclose(model.predict(X), 2 * plain.predict(X), atol=0.1)
    with pytest.raises(ValueError, match="loss='tripled' is not known; use one of 'squared_error', 'poisson',"):
        AdditiveRegressor(loss="tripled").fit(X, F)


def test_a_value_function_is_a_file_and_a_line(add):
    # Absent columns are 0, for which the game of a product has one component, that of the pair.
    add(
        VALUE_FUNCTIONS,
        "zeros",
        """
import instashap

class added:
    from_rows = staticmethod(lambda rows: instashap.Baseline(0 * rows[0]))
""",
    )
    explainer = Explainer(lambda X: X[:, 0] * X[:, 1], value_function="zeros").fit(X)
    row = np.array([[2.0, 0.5]])
    np.testing.assert_allclose(explainer.refine(row, n_coalitions=4).values, [[0.5, 0.5]], atol=1e-12)
    assert explainer(row).game == "baseline, one row"
    with pytest.raises(ValueError, match=r"value_function='marginal' needs rows of its own: pass instashap.Marginal\(rows\)"):
        Explainer(lambda X: X[:, 0], value_function="marginal").fit(X)


def test_an_index_is_a_file_and_a_line(add):
    # All of a component to the first of its players.
    add(
        INDICES,
        "first",
        """
import numpy as np

class added:
    def split(self, presence_sets, n_players, null_players=()):
        named = np.zeros((len(presence_sets), n_players))
        for place, presence in enumerate(presence_sets):
            named[place, min(presence)] = 1.0
        return named, np.zeros(len(presence_sets))
""",
    )
    explainer = Explainer(presence_order=2).fit(X, outputs=F + X[:, 0] * X[:, 1])
    first = explainer.index_values(X, "first")
    alone = explainer.mobius_values(X, [1])
    np.testing.assert_allclose(first[:, 1], alone, atol=1e-12)
    np.testing.assert_allclose(first.sum(axis=1) + explainer.expected_value, explainer.predict(X), atol=1e-12)


def test_a_question_is_a_file_and_a_line(add):
    source = "def added(fitted, least=0):\n    return sum(len(each) > least for each in fitted.model.value_sets)\n"
    add(QUESTIONS, "count_terms", source)
    explainer = Explainer(interactions="all").fit(X, outputs=F + X[:, 0] * X[:, 1])
    assert explainer.ask("count_terms") == 3
    assert explainer.ask("count_terms", least=1) == 1
    with pytest.raises(ValueError, match="question='count_rows' is not known"):
        explainer.ask("count_rows")


def test_an_export_is_a_file_and_a_line(add, tmp_path):
    add(EXPORTS, ".names", "def added(fitted, path):\n    path.write_text(','.join(fitted.tables()[0]['names']))\n")
    explainer = Explainer(order=1).fit(X, outputs=F)
    explainer.export(tmp_path / "columns.names")
    assert (tmp_path / "columns.names").read_text() == "x0,x1"
    with pytest.raises(ValueError, match=r"the ending of path='.xyz' is not known; use one of '.js', '.json',"):
        explainer.export(tmp_path / "columns.xyz")


def score_main_effects(tables, row):
    """A scorer of main effects by the page on exports alone: plain lists, no line of the package."""
    total = tables["arrays"]["base_value"][0]
    for number, (column,) in enumerate(tables["value_sets"]):
        edges, lows, scales = (tables["arrays"][f"column_{column:05d}_{part}"] for part in ("edges", "lows", "scales"))
        cell = sum(edge < row[column] for edge in edges)
        t = min(max((row[column] - lows[cell]) * scales[cell], 0.0), 1.0)
        first = tables["arrays"][f"column_{column:05d}_first_0"][cell]
        for place, polynomial in enumerate(tables["arrays"][f"column_{column:05d}_polynomials_0"][cell]):
            weight = sum(coefficient * t**power for power, coefficient in enumerate(polynomial))
            parts = tables["arrays"][f"table_{number:05d}"][first + place]
            mixing = tables["arrays"][f"mixing_{number:05d}"]
            total += sum(weight * part * sum(mixed[0] for mixed in mixing[p]) for p, part in enumerate(parts))
    return total


def test_exported_tables_score_rows_without_the_package(tmp_path):
    explainer = Explainer(order=1, bases={0: "periodic"}).fit(X, outputs=F)
    explainer.export(tmp_path / "tables.json")
    tables = json.loads((tmp_path / "tables.json").read_text(encoding="utf-8"))
    assert (tables["format"], tables["version"]) == ("instashap tables", 1)
    assert len(tables["value_sets"]) == 2
    if all(len(sets) == 1 for sets in tables["presence_sets"]):
        scored = [score_main_effects(tables, row) for row in X[:20].tolist()]
        np.testing.assert_allclose(scored, explainer.predict(X[:20]), atol=1e-12)


def test_banzhaf_values_are_mean_contributions_over_all_coalitions():
    Z = RNG.normal(size=(400, 3))
    explainer = Explainer(interactions="all", order=3, presence_order=3).fit(Z, outputs=Z[:, 0] * Z[:, 1] * Z[:, 2] + Z[:, 0])
    rows = Z[:4]
    games = {
        chosen: explainer.mobius_values(rows, chosen) for size in range(4) for chosen in combinations(range(3), size)
    }
    expected = np.zeros((4, 3))
    for player in range(3):
        others = [each for each in range(3) if each != player]
        coalitions = [chosen for size in range(3) for chosen in combinations(others, size)]
        for chosen in coalitions:
            gained = [part for key, part in games.items() if player in key and set(key) <= {*chosen, player}]
            expected[:, player] += sum(gained) / len(coalitions)
    np.testing.assert_allclose(explainer.index_values(rows, "banzhaf"), expected, atol=1e-12)
    np.testing.assert_array_equal(explainer.index_values(rows, "shapley"), explainer.shap_values(rows))
    assert np.abs(explainer.index_values(rows, "banzhaf") - explainer.shap_values(rows)).max() > 1e-3


def test_names_of_the_public_surface_include_the_basis_that_takes_options():
    assert instashap.Periodic(24).period == 24
