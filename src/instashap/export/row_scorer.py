"""Computes prediction, Shapley values and output share of rows of a fitted additive game, with Python's standard library alone.

This file is copied into what to_python() of instashap writes, so it imports nothing else. Input is the content of a saved
explainer: ``fitted``, that part of the manifest, and ``arrays`` by name, each {dtype, shape, data} with base64 of little-endian
numbers. Formulas are those of scorer.js, model/additive_model.py, table/encoding.py and trust/rows.py.
"""

import sys
from array import array
from base64 import b64decode
from bisect import bisect_left
from math import comb, exp, factorial, isinf, sqrt
from re import sub

# Residuals below this share of the spread are rounding, and the place in a presence set that stands for any one other player.
ROUNDING, ANY = 1e-6, -1
CODES = {"<f8": "d", "<i4": "i", "<i8": "q", "|b1": "B"}


def decode(packed):
    """Shape and numbers of an array."""
    numbers = array(CODES[packed["dtype"]], b64decode(packed["data"]))
    if sys.byteorder == "big":
        numbers.byteswap()
    return packed["shape"], numbers


class ColumnCells:
    """One column: how a value becomes a cell and a position t in it, and the values of its functions there."""

    def __init__(self, fitted, arrays, number):
        own, prefix = fitted["columns"][number], f"column_{number:05d}"
        self.name, self.levels = own["name"], own["levels"]
        self.cells = {} if self.levels is None else {make_key(level): cell for cell, level in enumerate(self.levels)}
        self.forms = {}
        for cell, level in enumerate(self.levels or ()):
            for form in write_forms(level):
                self.forms[form] = None if form in self.forms else cell
        self.edges, self.lows, self.scales = (arrays[f"{prefix}_{part}"][1] for part in ("edges", "lows", "scales"))
        sizes = range(len(own["n_functions"]))
        self.bases = [(arrays[f"{prefix}_first_{size}"][1], *arrays[f"{prefix}_polynomials_{size}"]) for size in sizes]

    def encode(self, value):
        """Cell and t; raises TypeError for what is no number where numbers are expected, ValueError for infinite ones."""
        is_missing = value is None or value != value
        if self.levels is not None:
            n_levels = len(self.levels)
            if isinstance(value, (list, dict, set)):
                raise TypeError(f"column {self.name!r} holds categories; got {value!r}")
            return (n_levels + 1 if is_missing else self.find(value)), 0.0
        if is_missing:
            return len(self.edges) + 1, 0.0
        if isinstance(value, (str, bytes)):
            raise TypeError(f"column {self.name!r} holds numbers; got {value!r}")
        value = float(value)
        if isinf(value):
            raise ValueError(f"column {self.name!r} holds an infinite value")
        cell = bisect_left(self.edges, value)
        scale = self.scales[cell]
        return cell, min(max((value - self.lows[cell]) * scale, 0.0), 1.0) if scale > 0.0 else 0.0

    def find(self, value):
        """Cell of a level, or of the only one with the same text as a value of another type; else that of other levels."""
        cell = self.cells.get(make_key(value))
        if cell is not None:
            return cell
        for form in write_forms(value):
            cell = self.forms.get(form)
            is_text = cell is not None and isinstance(value, str) and isinstance(self.levels[cell], str)
            if cell is not None and (not is_text or form[0] in "(["):
                return cell
        return len(self.levels)

    def weigh(self, size, place):
        """First active function in terms of a size, and the values of all active ones."""
        first, (_, width, n_powers), polynomials = self.bases[size - 1]
        cell, t = place
        values, start = [], cell * width * n_powers
        for at in range(start, start + width * n_powers, n_powers):
            value = polynomials[at + n_powers - 1]
            for power in range(n_powers - 2, -1, -1):
                value = value * t + polynomials[at + power]
            values.append(value)
        return first[cell], values


def write_forms(level):
    """Texts that may represent a level elsewhere: 101 for 101.0, True or 1, an interval of whole numbers."""
    if isinstance(level, bool):
        return [str(level), str(int(level))]
    text = str(level)
    return [sub(r"(?<=\d)\.0+(?=$|[,\])])", "", text) if ".0" in text else text]


def make_key(level):
    """A key that distinguishes True from 1, which Python regards as equal."""
    return (bool, level) if isinstance(level, bool) else level


class TermTable:
    """One term, with the coefficients of its parts in the predictions and in the Shapley values."""

    def __init__(self, fitted, arrays, number, n_players, n_outputs):
        shape, self.data = arrays[f"table_{number:05d}"]
        (n_parts, n_sets, _), mixing = arrays[f"mixing_{number:05d}"]
        self.columns, self.n_parts, self.strides = fitted["value_sets"][number], n_parts, []
        for axis in range(len(shape) - 1):
            stride = 1
            for length in shape[axis + 1 :]:
                stride *= length
            self.strides.append(stride)
        null = set(fitted.get("null_players", ()))
        self.sums, self.shares = [], []
        for part in range(n_parts):
            sums, shares = [0.0] * n_outputs, [0.0] * (n_players * n_outputs)
            for place in range(n_sets):
                players = fitted["presence_sets"][number][place]
                count, named, others = share_out(players, n_players - len(null))
                for output in range(n_outputs):
                    weight = mixing[(part * n_sets + place) * n_outputs + output]
                    sums[output] += weight * count
                    for player in range(n_players):
                        share = named if player in players else 0.0 if player in null else others
                        shares[player * n_outputs + output] += weight * share
            self.sums.append(sums)
            self.shares.append([(slot, share) for slot, share in enumerate(shares) if share != 0.0])

    def look_up(self, axes):
        """Values of the parts: sums over the products of the active functions."""
        corners = [(0, 1.0)]
        for (first, values), stride in zip(axes, self.strides, strict=True):
            corners = [(at + (first + m) * stride, factor * value) for at, factor in corners for m, value in enumerate(values)]
        return [sum(factor * self.data[at + part] for at, factor in corners) for part in range(self.n_parts)]


def share_out(players, n_varying):
    """Number of sets that a presence set stands for, and the Shapley shares in them of a named and of any other player."""
    n_any = list(players).count(ANY)
    n_others = n_varying - (len(players) - n_any)
    count = comb(n_others, n_any)
    others = comb(n_others - 1, n_any - 1) / len(players) if n_any else 0.0
    return count, count / len(players), others


class IndexFunction:
    """A function of a linear prediction of a column, with each player's share of it; see model/index_part.py."""

    def __init__(self, fitted, arrays, number, n_outputs):
        index = fitted["index"]
        columns, inside, outside = index["columns"], index["present"][number], index["absent"][number]
        weights = arrays["index_weights"][1][number * len(columns) : (number + 1) * len(columns)]
        self.used = [
            (column, weight, arrays[f"index_score_{column:05d}"][1])
            for column, weight in zip(columns, weights, strict=True)
            if weight != 0.0
        ]
        self.constant, n_nodes = arrays["index_constants"][1][number], arrays["index_nodes"][0][1]
        self.nodes = arrays["index_nodes"][1][number * n_nodes : (number + 1) * n_nodes]
        values, start = arrays["index_values"][1], number * (n_nodes + 1) * n_outputs
        self.values = [values[at : at + n_outputs] for at in range(start, start + (n_nodes + 1) * n_outputs, n_outputs)]
        r, e = len(inside), len(outside)
        shares = [(player, factorial(r - 1) * factorial(e) / factorial(r + e)) for player in inside]
        self.shares = shares + [(player, -factorial(r) * factorial(e - 1) / factorial(r + e)) for player in outside]

    def evaluate(self, main, is_missing):
        """Values by output: linear between nodes; at two equal ones, a jump, the value below."""
        if any(is_missing[column] for column, _, _ in self.used):
            return self.values[-1]
        z = self.constant
        for column, weight, score in self.used:
            first, values = main[column]
            z += weight * sum(value * score[first + m] for m, value in enumerate(values))
        below = bisect_left(self.nodes, z, 1, len(self.nodes) - 1) - 1
        low, high = self.nodes[below], self.nodes[below + 1]
        share = min(max((z - low) / (high - low), 0.0), 1.0) if high > low else 0.0
        pairs = zip(self.values[below], self.values[below + 1], strict=True)
        return [(1.0 - share) * start + share * end for start, end in pairs]


class Scorer:
    """Scores rows, which are mappings by column name or sequences in the order of the columns."""

    def __init__(self, fitted, arrays):
        self.fitted, self.arrays = fitted, {name: decode(packed) for name, packed in arrays.items()}
        self.names, self.features, self.outputs = fitted["names"], fitted["feature_names"], fitted["output_names"]
        self.base = list(self.arrays["base_value"][1])
        self.columns = [ColumnCells(fitted, self.arrays, number) for number in range(len(self.names))]
        sizes = len(self.features), len(self.outputs)
        self.terms = [TermTable(fitted, self.arrays, number, *sizes) for number in range(len(fitted["value_sets"]))]
        n_indices = len(fitted["index"]["present"]) if "index" in fitted else 0
        self.indices = [IndexFunction(fitted, self.arrays, number, len(self.outputs)) for number in range(n_indices)]

    def score(self, row):
        """Prediction, base value, values by feature and, where it is known, output share and its interval.

        With several outputs, predictions, base values and values are lists.
        """
        given = self.list_values(row)
        places = [column.encode(value) for column, value in zip(self.columns, given, strict=True)]
        n_outputs = len(self.outputs)
        values, prediction = [0.0] * (len(self.features) * n_outputs), list(self.base)
        known = {}
        for term in self.terms:
            size = len(term.columns)
            for column in term.columns:
                if (column, size) not in known:
                    known[column, size] = self.columns[column].weigh(size, places[column])
            for part, value in enumerate(term.look_up([known[column, size] for column in term.columns])):
                for output in range(n_outputs):
                    prediction[output] += term.sums[part][output] * value
                for slot, share in term.shares[part]:
                    values[slot] += share * value
        if self.indices:
            self.add_indices(values, places)
        rows = [values[start : start + n_outputs] for start in range(0, len(values), n_outputs)]
        plain = (lambda each: each[0]) if n_outputs == 1 else list
        answer = {"prediction": plain(prediction), "base_value": plain(self.base)}
        answer["values"] = {name: plain(each) for name, each in zip(self.features, rows, strict=True)}
        if "residuals" in self.fitted:
            answer["output_share"], answer["output_share_interval"] = self.compute_share(given, places, rows)
        return answer

    def add_indices(self, values, places):
        """Add the functions of linear predictions to the Shapley values; the prediction does not change."""
        main = [column.weigh(1, place) for column, place in zip(self.columns, places, strict=True)]
        is_missing = [cell == len(column.bases[0][0]) - 1 for column, (cell, _) in zip(self.columns, places, strict=True)]
        for index in self.indices:
            for output, value in enumerate(index.evaluate(main, is_missing)):
                for player, share in index.shares:
                    values[player * len(self.outputs) + output] += share * value

    def list_values(self, row):
        """Values of a row in the order of the columns; raises ValueError for a row of other columns."""
        if hasattr(row, "keys"):
            absent = [name for name in self.names if name not in row]
            if absent:
                raise ValueError(f"the row lacks {', '.join(map(repr, absent))}; write None for a missing value")
            return [row[name] for name in self.names]
        if len(row) != len(self.names):
            raise ValueError(f"the row has {len(row)} values, and the model reads {len(self.names)} columns: {self.names}")
        return list(row)

    def compute_share(self, given, places, values):
        """Share of the row's output that the values reproduce, and its interval (low, high)."""
        residuals, spread = self.fitted["residuals"], self.arrays["residual_spread"][1]
        log = residuals["level"]
        for number, (column, place) in enumerate(zip(self.columns, places, strict=True)):
            first, weights = column.weigh(1, place)
            curve = self.arrays[f"residual_curves_{number:05d}"][1]
            log += sum(weight * curve[first + m] for m, weight in enumerate(weights))
        lone, distance = self.place(given, places)
        bars, own = 0.0, 0.0
        for output, unit in enumerate(spread):
            sizes = [abs(each[output]) for each in values]
            bars += (sum(sizes) / unit) ** 2
            own += (sum(size for player, size in enumerate(sizes) if player not in lone) / unit) ** 2
        shares = []
        for typical in residuals["typical"]:
            whole = sqrt(bars) + max(exp(log) * typical - ROUNDING, 0.0) + distance
            shares.append(sqrt(own) / whole if whole > ROUNDING else 1.0)
        return shares[1], (0.0 if lone else shares[2], shares[0])

    def place(self, given, places):
        """Players of columns outside the fitted rows, alone or in a combination, and the sum of distances, 1 for a sum."""
        if "reach" not in self.fitted:
            return set(), 0.0
        reach, players = self.fitted["reach"], self.fitted["players"]
        parts = [self.arrays[f"reach_bins_{number:05d}"][1][cell] for number, (cell, _) in enumerate(places)]
        distances = [self.measure(number, value, parts[number]) for number, value in enumerate(given)]
        lone = {players[number] for number, distance in enumerate(distances) if distance > 0.0}
        (n_pairs, _), is_seen = self.arrays["reach_pairs"]
        width, at = reach["side"] + 1, 0
        for first in range(len(parts) if n_pairs else 0):
            for second in range(first + 1, len(parts)):
                is_inside = distances[first] == 0.0 and distances[second] == 0.0
                if is_inside and not is_seen[at + parts[first] * width + parts[second]]:
                    lone |= {players[first], players[second]}
                at += width * width
        broken = list(self.list_broken(given, places, distances))
        lone |= {players[number] for members in broken for number in members}
        return lone, sum(distances) + len(broken)

    def list_broken(self, given, places, distances):
        """Columns, all inside, of each sum that is the same in all fitted rows and another in this one."""
        for at in range(self.fitted["reach"].get("n_fixed_sums", 0)):
            own = self.arrays["reach_coefficients"][1][at * len(given) : (at + 1) * len(given)]
            members = [number for number, factor in enumerate(own) if factor != 0.0]
            numbers = [given[number] if self.columns[number].levels is None else places[number][0] for number in members]
            if any(distances[number] > 0.0 for number in members) or any(value is None for value in numbers):
                continue
            total = sum(own[number] * value for number, value in zip(members, numbers, strict=True))
            if abs(total - self.arrays["reach_constants"][1][at]) > 1.0:
                yield members

    def measure(self, number, value, part):
        """How far a value lies outside or in a gap, in lengths of the column's range; 1 for a cell without fitted rows."""
        if self.columns[number].levels is None and value is not None and value == value:
            low, high = self.arrays["reach_lows"][1][number], self.arrays["reach_highs"][1][number]
            length = self.arrays["reach_lengths"][1][number]
            beyond = max((low - value) / length, (value - high) / length)
            margin, (_, n_gaps, _), gaps = self.fitted["reach"]["margin"], *self.arrays["reach_gaps"]
            if beyond > margin:
                return beyond
            for at in range(2 * n_gaps * number, 2 * n_gaps * (number + 1), 2):
                within = min(value - gaps[at], gaps[at + 1] - value) / length
                if within > margin / 2:
                    return 1.0 if part < 0 else within
        return 1.0 if part < 0 else 0.0
