"""A fitted game as one file of Python or JavaScript that needs nothing else."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from typing import Any

from .. import __version__
from ..fitted.game import FittedGame
from ..store.atomic import write_file
from .opened import open_fitted
from .scorer_tables import check_text, pack_payload, write_javascript_json

_PYTHON = '''"""Predicts and explains rows: {what}.

score(row) takes a mapping by column name, or values in the order of COLUMNS; None and NaN are missing. It returns a dict of
prediction, base_value, values by feature and, where it is known, output_share and output_share_interval.

Written by instashap {version}. It needs Python 3.10 or later and nothing else.
"""

{scorer}

_CONTENT = __import__("json").loads({content})
_SCORER = Scorer(_CONTENT["fitted"], _CONTENT["arrays"])
COLUMNS = tuple(_SCORER.names)
score = _SCORER.score
'''
_JAVASCRIPT = """/* Predicts and explains rows: {what}.
 *
 * score(row) takes an object by column name, or an array in the order of columns; null, undefined and NaN are missing.
 * It returns {{prediction, baseValue, values, outputShare, outputShareInterval}}: values by feature; with several outputs,
 * arrays; the last two are null where they are not known.
 * In Node: const {{ score }} = require("./file.js"); in a page: instashapModel.score(row).
 *
 * Written by instashap {version}. It needs nothing else.
 */
{scorer}
{wrapper}
"""
_WRAPPER = """(function (root) {
  "use strict";
  const content = CONTENT;
  const own = typeof module === "object" && module.exports ? module.exports : root.instashapScorer;
  const fitted = content.fitted;
  const scorer = own.makeScorer(fitted, own.decodeArrays(content.arrays));
  const squeeze = (values) => (scorer.nOutputs === 1 ? values[0] : Array.from(values));

  function listValues(row) {
    if (Array.isArray(row)) {
      if (row.length !== fitted.names.length)
        throw new RangeError(`the row has ${row.length} values, and the model reads ${fitted.names.length} columns`);
      return row;
    }
    return fitted.names.map((name) => {
      if (!Object.hasOwn(row, name)) throw new RangeError(`the row lacks "${name}"; write null for a missing value`);
      return row[name];
    });
  }

  function checkValue(value, column) {
    if (value === null || value === undefined) return value;
    const { levels, name } = fitted.columns[column];
    if (levels !== null) {
      const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value) && !levels.includes(value);
      if (isRounded) throw new RangeError(`column "${name}" holds ${value}, rounded: give it as text or BigInt`);
      if (typeof value === "object") throw new TypeError(`column "${name}" holds categories; got an object`);
      return value;
    }
    if (typeof value === "boolean") return Number(value);
    if (typeof value !== "number") throw new TypeError(`column "${fitted.names[column]}" holds numbers; got ${typeof value}`);
    if (Math.abs(value) === Infinity) throw new RangeError(`column "${fitted.names[column]}" holds an infinite value`);
    return value;
  }

  function score(row) {
    const { prediction, values, trust } = scorer.score(listValues(row).map(checkValue));
    const byFeature = fitted.feature_names.map((name, player) =>
      [name, squeeze(values.slice(player * scorer.nOutputs, (player + 1) * scorer.nOutputs))]);
    return {
      prediction: squeeze(prediction),
      baseValue: squeeze(scorer.base),
      values: Object.fromEntries(byFeature),
      outputShare: trust === null ? null : trust.share,
      outputShareInterval: trust === null ? null : [trust.low, trust.high],
    };
  }

  const model = { score, columns: fitted.names, features: fitted.feature_names, outputs: fitted.output_names };
  if (typeof module === "object" && module.exports) module.exports = model;
  else root.instashapModel = model;
})(typeof globalThis === "object" ? globalThis : this);"""


def to_python(explainer: Any, path: str | os.PathLike[str]) -> None:
    """Write one file of Python (3.10 or later) that needs the standard library alone: ``score(row)`` and ``COLUMNS``.

    Its numbers differ from this library's by rounding. Values are matched to levels as there, text that no fitted row had
    counts as other levels do; infinite numbers, and text in number columns, are refused.

    Parameters
    ----------
    explainer : Explainer
    path : str or path-like

    Raises
    ------
    ValueError
        For a fit that converts text by a recipe.
    """
    write_python(open_fitted(explainer), path)


def to_javascript(explainer: Any, path: str | os.PathLike[str]) -> None:
    """Write one file of JavaScript for Node and browsers: ``score(row)``; see :func:`to_python`.

    Levels that are whole numbers from 2**53 on, which JavaScript rounds, are matched by text and BigInt.
    """
    write_javascript(open_fitted(explainer), path)


def write_python(fitted: FittedGame, path: str | os.PathLike[str]) -> None:
    """Write a fitted game; see :func:`to_python`."""
    scorer = read_resource("row_scorer.py").split('"""', 2)[2].strip()
    check_text(fitted, "a Python file")
    content = repr(json.dumps(_pack(fitted), ensure_ascii=True, allow_nan=False, separators=(",", ":")))
    what = _describe(fitted).replace("\\", "/").replace('"""', "'''")
    write_file(path, _PYTHON.format(what=what, version=__version__, scorer=scorer, content=content))


def write_javascript(fitted: FittedGame, path: str | os.PathLike[str]) -> None:
    """Write a fitted game; see :func:`to_javascript`."""
    # Two line separators are allowed in JSON and were not in older JavaScript.
    check_text(fitted, "a JavaScript file")
    content = write_javascript_json(_pack(fitted)).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    wrapper = _WRAPPER.replace("CONTENT", content, 1)
    what = _describe(fitted).replace("*/", "* /")
    text = _JAVASCRIPT.format(what=what, version=__version__, scorer=read_resource("scorer.js"), wrapper=wrapper)
    write_file(path, text)


def read_resource(name: str) -> str:
    """Text of a file of this folder."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def _pack(fitted: FittedGame) -> dict[str, Any]:
    described, arrays = pack_payload(fitted)
    return {"fitted": described, "arrays": arrays}


def _describe(fitted: FittedGame) -> str:
    return f"{', '.join(fitted.output_names)} ({fitted.output_transform}; {fitted.game} game)".replace("\n", " ")
