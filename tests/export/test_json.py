"""Tables as JSON, scored by what the page on exports says and nothing else, give the numbers of Python."""

import json
from itertools import product
from math import comb, factorial

import numpy as np
import pytest

pytestmark = [pytest.mark.filterwarnings(f"ignore::instashap.{each}") for each in ("FitWarning", "DataWarning")]


class Reader:
    """One row of a file, scored step by step as in docs/export.md."""

    def __init__(self, file, row):
        self.file, self.row, self.arrays = file, row, file["arrays"]
        self.places = [self.find_cell(column) for column in range(len(row))]

    def find_cell(self, column):
        value, levels = self.row[column], self.file["columns"][column]["levels"]
        is_missing = value is None or value != value
        if levels is not None:
            known = [each for each, level in enumerate(levels) if type(level) is type(value) and level == value]
            return (len(levels) + 1 if is_missing else known[0] if known else len(levels)), 0.0
        edges, lows, scales = (self.arrays[f"column_{column:05d}_{part}"] for part in ("edges", "lows", "scales"))
        if is_missing:
            return len(edges) + 1, 0.0
        cell = sum(edge < value for edge in edges)
        return cell, min(max((value - lows[cell]) * scales[cell], 0.0), 1.0)

    def find_active(self, column, size):
        cell, t = self.places[column]
        first = self.arrays[f"column_{column:05d}_first_{size - 1}"][cell]
        polynomials = self.arrays[f"column_{column:05d}_polynomials_{size - 1}"][cell]
        return {first + m: sum(each * t**power for power, each in enumerate(own)) for m, own in enumerate(polynomials)}

    def score(self):
        n_players, null = len(self.file["feature_names"]), self.file["null_players"]
        prediction = np.array(self.arrays["base_value"])
        values = np.zeros((n_players, len(prediction)))
        for k, (columns, sets) in enumerate(zip(self.file["value_sets"], self.file["presence_sets"], strict=True)):
            table, mixing = np.array(self.arrays[f"table_{k:05d}"]), np.array(self.arrays[f"mixing_{k:05d}"])
            active = [self.find_active(column, len(columns)) for column in columns]
            parts = np.zeros(table.shape[-1])
            for corner in product(*active):
                parts += np.prod([own[at] for own, at in zip(active, corner, strict=True)]) * table[corner]
            for place, players in enumerate(sets):
                own = parts @ mixing[:, place]
                named, n_any = [each for each in players if each >= 0], players.count(-1)
                others = [each for each in range(n_players) if each not in named and each not in null]
                prediction = prediction + own * comb(len(others), n_any)
                values[named] += own * comb(len(others), n_any) / len(players)
                if n_any:
                    values[others] += own * comb(len(others) - 1, n_any - 1) / len(players)
        for j in range(len(self.file["index"]["present"]) if "index" in self.file else 0):
            self.add_index(j, values)
        return prediction, values

    def add_index(self, j, values):
        index, arrays = self.file["index"], self.arrays
        columns, weights = index["columns"], arrays["index_weights"][j]
        z = arrays["index_constants"][j]
        for column, weight in zip(columns, weights, strict=True):
            score = np.ravel(arrays[f"index_score_{column:05d}"])
            z += weight * sum(value * score[at] for at, value in self.find_active(column, 1).items())
        nodes, known = np.array(arrays["index_nodes"][j]), np.array(arrays["index_values"][j])
        own = known[-1]
        if not any(weight and self.row[column] is None for column, weight in zip(columns, weights, strict=True)):
            below = int(np.clip(np.searchsorted(nodes, z) - 1, 0, len(nodes) - 2))  # at a jump, the side below
            span = nodes[below + 1] - nodes[below]
            share = np.clip((z - nodes[below]) / span, 0.0, 1.0) if span > 0 else 0.0
            own = (1 - share) * known[below] + share * known[below + 1]
        inside, outside = index["present"][j], index["absent"][j]
        r, e = len(inside), len(outside)
        values[inside] += own * factorial(r - 1) * factorial(e) / factorial(r + e)
        if outside:
            values[outside] -= own * factorial(r) * factorial(e - 1) / factorial(r + e)


@pytest.mark.parametrize("name", ["explainer", "wide", "linear", "indexed"])
def test_a_file_is_scored_as_the_page_says(name, request, tmp_path):
    given = request.getfixturevalue(name)
    fitted, rows = (given, request.getfixturevalue("rows")) if name == "explainer" else given[:2]
    rows = rows[:40]
    fitted.export(tmp_path / "tables.json")
    file = json.loads((tmp_path / "tables.json").read_text(encoding="utf-8"))
    assert (file["format"], file["version"]) == ("instashap tables", 2 if name == "indexed" else 1)
    listed = rows.astype(object).to_numpy() if hasattr(rows, "astype") and hasattr(rows, "columns") else rows
    scored = [Reader(file, [None if each != each else each for each in row]).score() for row in listed.tolist()]
    predictions, values = (np.array(each) for each in zip(*scored, strict=True))
    np.testing.assert_allclose(predictions.reshape(fitted.predict(rows).shape), fitted.predict(rows), rtol=0, atol=1e-11)
    np.testing.assert_allclose(values.reshape(fitted.shap_values(rows).shape), fitted.shap_values(rows), rtol=0, atol=1e-11)
