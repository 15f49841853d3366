"""A saved explainer where numba cannot be imported: the same numbers, and fits are refused by name."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import instashap

N_ROWS = 24
FILES = Path(__file__).parents[1] / "store"
BLOCKED = """
import json, sys, warnings
sys.modules["numba"] = None  # any import of it fails
import numpy as np, pandas as pd, instashap
warnings.simplefilter("ignore", instashap.DataWarning)
explainer = instashap.load(sys.argv[1])
rows = pd.read_json(sys.argv[2], orient="split", dtype=False)
explanation = explainer(rows, errors=sys.argv[3] == "errors")
masks = np.arange(len(rows) * len(explainer.feature_names_)).reshape(len(rows), -1) % 3 > 0
answers = [explanation.values, explanation.predictions, explainer.interaction_values(rows)]
answers += [explainer.predict(rows, masks=masks)]
answers += [explanation.output_share] if explanation.output_share is not None else []
answers += [explanation.standard_errors] if explanation.standard_errors is not None else []
try:
    instashap.Explainer(order=1).fit(np.arange(40.0)[:, None], outputs=np.arange(40.0))
    refused = ""
except ImportError as error:
    refused = str(error)
print(json.dumps({"refused": refused, "answers": [each.tolist() for each in answers]}))
"""


def make_rows(explainer):
    """Values on edges, beside and far from them, missing and unseen."""
    rng = np.random.default_rng(0)
    frame = {}
    for column in explainer._fitted.encoder.columns:
        if column.levels is None:
            edges = [column.edges, np.nextafter(column.edges, np.inf), column.lows, [-1e9, 1e9, np.nan, 0.3]]
            frame[column.name] = rng.choice(np.concatenate(edges), N_ROWS)
        else:
            unseen = ["nowhere"] if isinstance(column.levels[0], str) else []
            values = [*column.levels, None, *unseen]
            frame[column.name] = [values[place % len(values)] for place in range(N_ROWS)]
    return pd.DataFrame(frame)


@pytest.mark.filterwarnings("ignore::instashap.DataWarning")
@pytest.mark.parametrize(("name", "errors"), [("schema-1", "errors"), ("schema-2", ""), ("schema-3", "")])
def test_a_saved_explainer_gives_the_same_numbers_without_numba(name, errors, tmp_path):
    explainer = instashap.load(FILES / f"{name}.insta")
    rows = make_rows(explainer)
    rows.to_json(tmp_path / "rows.json", orient="split", double_precision=15)
    rows = pd.read_json(tmp_path / "rows.json", orient="split", dtype=False)
    command = [sys.executable, "-c", BLOCKED, str(FILES / f"{name}.insta"), str(tmp_path / "rows.json"), errors]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    explanation = explainer(rows, errors=bool(errors))
    masks = np.arange(len(rows) * len(explainer.feature_names_)).reshape(len(rows), -1) % 3 > 0
    expected = [explanation.values, explanation.predictions, explainer.interaction_values(rows)]
    expected += [explainer.predict(rows, masks=masks)]
    expected += [explanation.output_share] if explanation.output_share is not None else []
    expected += [explanation.standard_errors] if explanation.standard_errors is not None else []
    assert len(found["answers"]) == len(expected)
    for own, each in zip(found["answers"], expected, strict=True):
        np.testing.assert_allclose(own, each, rtol=0, atol=1e-12 * max(np.abs(each).max(), 1.0))
    assert "needs numba, which cannot be imported here: pip install numba; without it, saved explainers" in found["refused"]
