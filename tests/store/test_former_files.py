"""Files that former versions wrote give the same numbers as then."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.store.archive import SCHEMA

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


def load_checked(version):
    path = Path(__file__).with_name(f"schema-{version}.insta")
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("manifest.json"))["schema"] == version
    return instashap.load(path)


def test_there_is_a_file_of_every_schema():
    versions = sorted(int(path.stem.removeprefix("schema-")) for path in Path(__file__).parent.glob("schema-*.insta"))
    assert versions == list(range(1, SCHEMA + 1))


def test_a_file_of_schema_2_gives_the_numbers_it_gave():
    # Presence sets tied to any other player; printed by the version that wrote the file, from the fit itself.
    explainer = load_checked(2)
    rows = np.round(np.linspace(-1, 1, 40).reshape(2, 20), 2)
    rows[1, 3] = np.nan
    values = [
        [-0.666359031053, -0.027565501542, -0.000349274167, -0.018365848206, -0.009217927684, -0.389287891877],
        [-0.393932323823, 0.026205131654, -0.019637667318, -0.01723003984, 0.0470405425, 0.297745348118],
    ]
    np.testing.assert_allclose(explainer.shap_values(rows)[:, :6], values, atol=1e-11)
    np.testing.assert_allclose(explainer.predict(rows), [-1.545828896424, -0.046147770026], atol=1e-11)
    assert {-1} <= {player for sets in explainer._fitted.model.presence_sets for each in sets for player in each}


@pytest.mark.filterwarnings("ignore::instashap.DataWarning")
def test_a_file_of_schema_3_gives_the_numbers_it_gave():
    # Two outputs, a term of three columns, a column with flags as levels, numbers as levels, two columns of one player.
    explainer = load_checked(3)
    rows = pd.DataFrame(
        {
            "smooth": [0.5, np.nan],
            "spiked": [0.0, 12.5],
            "rooms": [2.0, 5.0],
            "town": ["north", None],
            "code": [20.0, 31.5],
            "is_new": [True, False],
            "has_sea": [0.0, 1.0],
            '=a "long" name': [0.25, -0.5],
        }
    )
    explanation = explainer(rows)
    first = [0.798435479709, 0.808602993789, 0.098078863826, 0.07004260445, -0.068478017078, 0.078220546879, 0.061407627766]
    second = [0.069309756945, -0.259135573827, -0.702925589815, 0.381620887389, -0.569773746043, -0.034075967201]
    np.testing.assert_allclose(explanation.values[0, :, 0], first, atol=1e-11)
    np.testing.assert_allclose(explanation.values[1, :6, 1], second, atol=1e-11)
    predictions = [[1.871040858995, 1.535755168233], [-2.009477781243, 0.715975106271]]
    np.testing.assert_allclose(explanation.predictions, predictions, atol=1e-11)
    np.testing.assert_allclose(explanation.output_share, [0.951766582252, 0.496561821727], atol=1e-11)


@pytest.mark.filterwarnings("ignore::instashap.DataWarning")
def test_a_file_of_schema_4_gives_the_numbers_it_gave():
    # A total of two columns, whose linear predictions the model has functions of; printed by the version that wrote the file.
    explainer = load_checked(4)
    rows = np.array([[0.5, -1.0, -0.5, 0.3], [1.0, 0.25, 1.25, -2.0], [np.nan, 0.5, 1.0, 0.0]])
    values = [
        [0.083160145873, -0.274877766877, -0.306133082349, 0.047185241485],
        [0.330096921864, -0.000986593386, 0.373538969197, -0.364218744171],
        [-0.013154049527, 0.027323747514, 0.46882406632, -0.008263053229],
    ]
    masks = np.tile([True, True, False, True], (3, 1))
    explanation = explainer(rows, errors=True)
    np.testing.assert_allclose(explanation.values, values, atol=1e-11)
    errors = [0.020044030952, 0.0194523583, 0.024828481991, 0.019784340908]
    np.testing.assert_allclose(explanation.standard_errors[0], errors, atol=1e-9)
    np.testing.assert_allclose(np.ravel(explainer.predict(rows, masks=masks)), [0.052413176117, 0.885374340971, 0.497045227755])
    assert len(explainer._fitted.model.index) == 3
