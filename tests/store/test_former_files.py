"""Files that former versions wrote give the same numbers as then."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

import instashap

# Saved by the last version that wrote schema 1: numbers with a gap, levels, three pairs, standard errors.
FORMER = Path(__file__).with_name("schema-1.insta")
ROWS = pd.DataFrame({"size": [0.5, -1.0, 1.5], "town": ["north", "south", "west"], "age": [2.0, np.nan, 7.0]})


def test_a_file_of_schema_1_gives_the_numbers_it_gave():
    with zipfile.ZipFile(FORMER) as archive:
        assert json.loads(archive.read("manifest.json"))["schema"] == 1
    explainer = instashap.load(FORMER)
    explanation = explainer(ROWS, errors=True)
    # Printed by that version, from the fit itself.
    values = [
        [0.404528197924, 0.26509414734, 0.61555105367],
        [-0.733113848828, 0.15835939893, -0.79657695279],
        [1.341453929149, -0.079960039701, 0.368484838269],
    ]
    errors = [
        [0.101091733773, 0.06974465988, 0.089574507454],
        [0.117148433739, 0.059858042866, 0.158015396866],
        [0.098634616042, 0.053816837031, 0.073780347545],
    ]
    interactions = [0.363181746007, 0.00381478596, 0.639035240843, 0.263974469959, 0.010038557738, 0.005128598426]
    np.testing.assert_allclose(explanation.values, values, atol=1e-11)
    np.testing.assert_allclose(explanation.standard_errors, errors, atol=1e-11)
    np.testing.assert_allclose(explanation.predictions, [1.508970015993, -1.147534785628, 1.853775344777], atol=1e-11)
    np.testing.assert_allclose(explainer.interaction_values(ROWS)[0], interactions, atol=1e-11)


def test_a_file_of_schema_1_is_saved_anew_with_the_same_numbers(tmp_path):
    former = instashap.load(FORMER)
    former.save(tmp_path / "anew.insta")
    np.testing.assert_array_equal(instashap.load(tmp_path / "anew.insta").shap_values(ROWS), former.shap_values(ROWS))
