"""Simulators against hand computation, regression and enumeration; loaders against files written here and the shared data."""

import subprocess
import sys
from itertools import permutations, product
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest

from instashap.datasets import (
    GaussianQuadratic,
    LatentClass,
    load_adult,
    load_bike_sharing,
    load_california_housing,
    load_covertype,
    make_equicorrelated,
    make_factor,
    make_latent_class,
    make_panel,
)

SHARED = Path(__file__).resolve().parents[2] / "shared"
GAUSSIAN_TRUTHS = [
    *("panel_k1_rho0", "panel_k1_rho0.707", "panel_k2_rho0", "panel_k2_rho0.707"),
    *("equicorrelated_0.6", "factor_rank3"),
]
SIMULATORS = {
    "panel": lambda: make_panel(2, 0.707, random_state=3),
    "equicorrelated": lambda: make_equicorrelated(7, 0.5, random_state=3),
    "factor": lambda: make_factor(6, 2, random_state=3),
    "latent class": lambda: make_latent_class(5, [2, 3, 4, 2, 3], n_classes=4, random_state=3),
}

every_simulator = pytest.mark.parametrize("name", SIMULATORS)
needs_truth = pytest.mark.skipif(not (SHARED / "truth").is_dir(), reason="the shared truth folder is not beside the repository")
needs_data = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared data folder is not beside the repository")


def average_over_orders(value, n_features):
    """Shapley values by their other definition: mean gain over all orders of arrival."""
    gains = np.zeros(n_features)
    orders = list(permutations(range(n_features)))
    for order in orders:
        mask = np.zeros(n_features, dtype=bool)
        before = value(mask)
        for player in order:
            mask[player] = True
            after = value(mask)
            gains[player] += after - before
            before = after
    return gains / len(orders)


# --- GaussianQuadratic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.707, 1.0])
def test_sum_of_two_correlated_columns_has_the_known_shapley_values(rho):
    simulator = GaussianQuadratic([[1.0, rho], [rho, 1.0]], [1.0, 1.0], np.zeros((2, 2)))
    x = np.array([[1.3, -0.4], [0.0, 2.0]])
    if rho == 1.0:
        x[:, 1] = x[:, 0]  # any other row is off the support
    gap = rho * (x[:, 0] - x[:, 1]) / 2
    np.testing.assert_allclose(simulator.shap_values(x), np.column_stack([x[:, 0] + gap, x[:, 1] - gap]), atol=1e-12)


def test_product_of_two_correlated_columns_has_the_hand_computed_game():
    rho = 0.6
    simulator = GaussianQuadratic([[1.0, rho], [rho, 1.0]], [0.0, 0.0], [[0.0, 0.5], [0.5, 0.0]], intercept=2.0)
    x = np.array([[1.5, -0.7]])
    # E[x1 x2] = rho, E[x1 x2 | x1] = rho x1^2
    games = [2.0 + rho, 2.0 + rho * 1.5**2, 2.0 + rho * 0.7**2, 2.0 + 1.5 * -0.7]
    masks = [[False, False], [True, False], [False, True], [True, True]]
    for game, mask in zip(games, masks, strict=True):
        assert simulator.value(x, mask)[0] == pytest.approx(game, abs=1e-12)
    first = 0.5 * (games[1] - games[0]) + 0.5 * (games[3] - games[2])
    assert simulator.shap_values(x)[0, 0] == pytest.approx(first, abs=1e-12)
    assert simulator.expected_value == pytest.approx(2.6, abs=1e-12)
    assert simulator.variance == pytest.approx(1.0 + rho**2, abs=1e-12)  # Isserlis: E x1²x2² - rho² = 1 + rho²


def test_square_of_a_column_known_through_its_partner_keeps_the_conditional_variance():
    simulator = GaussianQuadratic([[4.0, 1.0], [1.0, 1.0]], [0.0, 0.0], [[1.0, 0.0], [0.0, 0.0]])
    # x1 | x2 ~ N(x2, 4 - 1), hence E[x1² | x2 = 2] = 4 + 3
    assert simulator.value([[np.nan, 2.0]], [False, True])[0] == pytest.approx(7.0, abs=1e-12)


def test_conditional_value_is_the_regression_of_f_on_the_known_columns():
    simulator = make_factor(6, 2, random_state=1)
    X, f = simulator.sample(400_000, random_state=2)
    mask = np.array([True, False, True, True, False, False])
    known = X[:, mask]
    # E[f | x_S] is quadratic in x_S, so least squares on all products finds it.
    products = [known[:, i] * known[:, j] for i in range(3) for j in range(i, 3)]
    design = np.column_stack([np.ones(len(X)), known, *products])
    fitted = design @ np.linalg.lstsq(design, f, rcond=None)[0]
    assert np.std(fitted - simulator.value(X, mask)) < 0.01
    assert np.std(simulator.value(X, mask)) > 0.2


def test_gaussian_rows_have_the_stated_covariance_and_outputs_the_stated_moments():
    simulator = make_equicorrelated(6, 0.6, random_state=4)
    X, f = simulator.sample(400_000, random_state=5)
    np.testing.assert_allclose(np.cov(X.T), simulator.covariance, atol=0.01)
    assert np.mean(f) == pytest.approx(simulator.expected_value, abs=0.01)
    assert np.std(f) == pytest.approx(1.0, abs=0.01)


def test_repeated_column_shares_the_credit():
    simulator = GaussianQuadratic(np.ones((2, 2)), [3.0, 0.0], np.zeros((2, 2)))
    np.testing.assert_allclose(simulator.shap_values([[2.0, 2.0]]), [[3.0, 3.0]], atol=1e-12)


def test_panel_has_five_pairs_and_terms_up_to_its_order():
    first, second = make_panel(1, 0.5, random_state=0), make_panel(2, 0.5, random_state=0)
    partners = [np.flatnonzero(row).tolist() for row in first.covariance]
    assert partners == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5], [6, 7], [6, 7], [8, 9], [8, 9]]
    assert np.count_nonzero(first.coef_linear) == 10
    assert np.count_nonzero(first.coef_quadratic) == 0
    assert np.count_nonzero(second.coef_quadratic) == 90
    assert np.count_nonzero(np.diag(second.coef_quadratic)) == 0


@pytest.mark.parametrize("make", [make_equicorrelated, make_factor])
def test_benchmark_function_has_two_products_and_one_square(make):
    simulator = make(8, random_state=11)
    assert np.count_nonzero(simulator.coef_linear) == 2
    assert np.count_nonzero(np.diag(simulator.coef_quadratic)) == 1
    assert np.count_nonzero(np.triu(simulator.coef_quadratic, k=1)) == 2
    np.testing.assert_allclose(np.diag(simulator.covariance), 1.0)


@needs_truth
@pytest.mark.parametrize("name", GAUSSIAN_TRUTHS)
def test_gaussian_shapley_values_agree_with_the_shared_truth(name):
    truth = np.load(SHARED / "truth" / f"{name}.npz", allow_pickle=False)
    simulator = GaussianQuadratic(truth["covariance"], truth["coef_linear"], truth["coef_quadratic"])
    np.testing.assert_allclose(simulator.predict(truth["X_test"]), truth["f_test"], atol=1e-10)
    np.testing.assert_allclose(simulator.shap_values(truth["X_test"]), truth["shap_test"], atol=1e-8)
    assert simulator.expected_value == pytest.approx(float(truth["base_value"]), abs=1e-10)


# --- LatentClass -----------------------------------------------------------------------------------------------------------


def make_tiny_latent_class():
    """Two classes, columns of 2, 3 and 2 levels, a term of each order; numbers written by hand."""
    laws = (
        np.array([[0.9, 0.1], [0.2, 0.8]]),
        np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]),
        np.array([[0.6, 0.4], [0.3, 0.7]]),
    )
    tables = {
        (1,): np.array([1.0, -2.0, 0.5]),
        (0, 2): np.array([[0.0, 1.0], [2.0, -1.0]]),
        (0, 1, 2): np.arange(12.0).reshape(2, 3, 2) ** 1.5 / 10,
    }
    return LatentClass(np.array([0.3, 0.7]), laws, tables, intercept=0.25)


def enumerate_cells(simulator):
    """All cells, their probabilities and outputs, written out as sums and products of plain numbers."""
    cells, masses, outputs = [], [], []
    for cell in product(*(range(count) for count in simulator.n_levels)):
        mass = 0.0
        for k, prior in enumerate(simulator.class_probabilities):
            for j, code in enumerate(cell):
                prior = prior * simulator.level_probabilities[j][k, code]
            mass += prior
        cells.append(cell)
        masses.append(mass)
        outputs.append(simulator.intercept + sum(t[tuple(cell[j] for j in cols)] for cols, t in simulator.tables.items()))
    return np.array(cells), np.array(masses), np.array(outputs)


def test_latent_class_value_is_the_mean_over_the_cells_that_agree():
    simulator = make_tiny_latent_class()
    cells, masses, outputs = enumerate_cells(simulator)
    assert masses.sum() == pytest.approx(1.0)
    for mask in product([False, True], repeat=3):
        agrees = (cells[:, None, mask] == cells[None, :, mask]).all(axis=2)
        expected = (agrees * masses) @ outputs / (agrees @ masses)
        np.testing.assert_allclose(simulator.value(cells, np.array(mask)), expected, atol=1e-12)
    assert simulator.expected_value == pytest.approx(masses @ outputs, abs=1e-12)
    assert simulator.variance == pytest.approx(masses @ outputs**2 - (masses @ outputs) ** 2, abs=1e-12)
    np.testing.assert_allclose(simulator.predict(cells), outputs, atol=1e-12)


def test_column_that_f_ignores_takes_half_the_credit_of_its_twin():
    sure = np.eye(2)
    simulator = LatentClass([0.25, 0.75], (sure, sure), {(1,): np.array([0.0, 4.0])})
    # v(empty) = 3; either column tells all: f = 4 or 0
    np.testing.assert_allclose(simulator.shap_values([[1, 1], [0, 0]]), [[0.5, 0.5], [-1.5, -1.5]], atol=1e-12)


def test_latent_class_rows_fall_into_cells_with_their_probabilities():
    simulator = make_tiny_latent_class()
    _, masses, outputs = enumerate_cells(simulator)
    X, f = simulator.sample(200_000, random_state=0)
    where = np.ravel_multi_index(X.T, simulator.n_levels)
    assert np.abs(np.bincount(where, minlength=12) / len(X) - masses).max() < 0.005
    np.testing.assert_allclose(f, outputs[where], atol=1e-12)
    assert X.dtype == np.int64


def test_latent_class_values_do_not_depend_on_how_rows_are_blocked(monkeypatch):
    simulator = make_tiny_latent_class()
    X, _ = simulator.sample(7, random_state=0)
    whole = simulator.shap_values(X)
    monkeypatch.setattr("instashap.datasets.latent_class.GAME_BLOCK", 16)
    np.testing.assert_allclose(simulator.shap_values(X), whole, rtol=0, atol=1e-14)  # sums differ in the last bit


def test_many_columns_do_not_underflow_the_posterior():
    n_columns = 400
    law = np.column_stack([np.array([0.001, 0.002]), np.array([0.999, 0.998])])
    simulator = LatentClass([0.5, 0.5], (law,) * n_columns + (np.eye(2),), {(n_columns,): np.array([0.0, 1.0])})
    mask = np.ones(n_columns + 1, dtype=bool)
    mask[-1] = False
    assert simulator.value(np.zeros((1, n_columns + 1)), mask)[0] == pytest.approx(1.0)  # odds 2**400


# --- both ------------------------------------------------------------------------------------------------------------------


@every_simulator
def test_shapley_values_and_base_value_sum_to_the_prediction(name):
    simulator = SIMULATORS[name]()
    X, f = simulator.sample(20, random_state=0)
    np.testing.assert_allclose(simulator.shap_values(X).sum(axis=1) + simulator.expected_value, f, atol=1e-10)


@pytest.mark.parametrize("name", ["factor", "latent class"])
def test_shapley_values_are_mean_gains_over_all_orders(name):
    simulator = SIMULATORS[name]()
    X, _ = simulator.sample(1, random_state=0)
    expected = average_over_orders(lambda mask: simulator.value(X, mask)[0], simulator.n_features)
    np.testing.assert_allclose(simulator.shap_values(X)[0], expected, atol=1e-10)


@every_simulator
def test_masked_feature_has_no_effect(name):
    simulator = SIMULATORS[name]()
    X, _ = simulator.sample(5, random_state=0)
    mask = np.arange(simulator.n_features) % 2 == 0
    hidden = np.where(mask, X, np.nan)
    np.testing.assert_array_equal(simulator.value(hidden, mask), simulator.value(X, mask))


@every_simulator
def test_full_mask_gives_the_prediction_and_empty_mask_the_mean(name):
    simulator = SIMULATORS[name]()
    X, f = simulator.sample(5, random_state=0)
    np.testing.assert_allclose(simulator.value(X, np.ones(simulator.n_features, dtype=bool)), f, atol=1e-12)
    np.testing.assert_allclose(simulator.value(X, np.zeros(simulator.n_features, dtype=bool)), simulator.expected_value)


@every_simulator
def test_every_row_may_have_its_own_mask(name):
    simulator = SIMULATORS[name]()
    X, _ = simulator.sample(30, random_state=0)
    masks = np.random.default_rng(1).random(X.shape) < 0.5
    one_by_one = [simulator.value(row[None], mask)[0] for row, mask in zip(X, masks, strict=True)]
    np.testing.assert_allclose(simulator.value(X, masks), one_by_one, atol=1e-12)


@every_simulator
def test_mean_conditional_value_is_the_mean_output(name):
    simulator = SIMULATORS[name]()
    X, _ = simulator.sample(100_000, random_state=0)
    mask = np.arange(simulator.n_features) < 3
    assert np.mean(simulator.value(X, mask)) == pytest.approx(simulator.expected_value, abs=0.02)


@every_simulator
def test_made_functions_have_unit_variance(name):
    simulator = SIMULATORS[name]()
    _, f = simulator.sample(200_000, random_state=0)
    assert simulator.variance == pytest.approx(1.0, abs=1e-12)
    assert np.std(f) == pytest.approx(1.0, abs=0.02)


@every_simulator
def test_one_seed_gives_one_simulator_and_one_sample(name):
    X, f = SIMULATORS[name]().sample(4, random_state=8)
    again, f_again = SIMULATORS[name]().sample(4, random_state=8)
    np.testing.assert_array_equal(X, again)
    np.testing.assert_array_equal(f, f_again)
    assert not np.array_equal(X, SIMULATORS[name]().sample(4, random_state=9)[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GaussianQuadratic([[1.0, 2.0], [2.0, 1.0]], [1.0, 1.0], np.zeros((2, 2))), "negative eigenvalue -1"),
        (lambda: GaussianQuadratic([[1.0, 0.2], [0.3, 1.0]], [1.0, 1.0], np.zeros((2, 2))), "covariance must be symmetric"),
        (lambda: GaussianQuadratic(np.eye(3), [1.0, 1.0], np.zeros((2, 2))), r"covariance has shape \(3, 3\)"),
        (lambda: GaussianQuadratic(np.eye(1), [np.inf], np.zeros((1, 1))), "coef_linear holds NaN or infinite"),
        (lambda: make_panel(3), "order=3"),
        (lambda: make_equicorrelated(5), "n_features=5"),
        (lambda: make_factor(rank=0), "rank=0"),
        (lambda: make_latent_class(3, [2, 2]), r"n_levels=\[2, 2\]"),
        (lambda: LatentClass([0.5, 0.6], (np.eye(2),), {}), "class_probabilities must be 0 or more and sum to one"),
        (lambda: LatentClass([0.5, 0.5], (np.ones((3, 2)) / 2,), {}), r"level_probabilities\[0\] has shape \(3, 2\)"),
        (lambda: LatentClass([1.0], (np.ones((1, 1)),), {(1,): np.zeros(1)}), r"table \(1,\) must name"),
        (
            lambda: LatentClass([1.0], (np.ones((1, 1)),), {(0,): np.zeros(2)}),
            r"table \(0,\) has shape \(2,\); expected \(1,\)",
        ),
        (lambda: make_panel(1).predict(np.zeros((2, 9))), r"X has shape \(2, 9\); expected \(n_rows, 10\)"),
        (lambda: make_panel(1).shap_values(np.full((1, 10), np.nan)), "10 NaN or infinite values"),
        (lambda: make_tiny_latent_class().predict([[0, 3, 0]]), "column 1 holds 3.0; its codes are 0 to 2"),
        (lambda: make_tiny_latent_class().predict([[0, 0.5, 0]]), "column 1 holds 0.5"),
    ],
)
def test_bad_input_is_refused_with_its_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_impossible_codes_have_no_conditional_value():
    simulator = LatentClass([0.5, 0.5], (np.eye(2), np.eye(2)), {(1,): np.array([0.0, 4.0])})
    assert simulator.predict([[0, 1]])[0] == 4.0
    with pytest.raises(ValueError, match=r"row 0 has probability zero in columns \[0, 1\]"):
        simulator.value([[0, 1]], [True, True])


# --- loaders ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch):
    monkeypatch.delenv("INSTASHAP_DATA", raising=False)


def make_bike_hours():
    """Two days of ``hour.csv`` with one hour each."""
    first = {"instant": 1, "dteday": "2011-01-31", "season": 1, "yr": 0, "mnth": 1, "hr": 23, "holiday": 0, "weekday": 1}
    first |= {"workingday": 1, "weathersit": 1, "temp": 0.24, "atemp": 0.2879, "hum": 0.81, "windspeed": 0.0896}
    first |= {"casual": 3, "registered": 4, "cnt": 7}
    second = first | {"instant": 2, "dteday": "2011-02-01", "mnth": 2, "hr": 0, "weekday": 2, "weathersit": 3, "cnt": 1}
    return pd.DataFrame([first, second])


def test_bike_target_is_log1p_of_the_count_and_day_comes_from_the_date(tmp_path):
    make_bike_hours().to_parquet(tmp_path / "bike_sharing_hour.parquet")
    bike = load_bike_sharing(tmp_path)
    assert bike.feature_names == list(bike.data.columns)
    assert bike.feature_names[0] == "season"
    assert bike.feature_names[-2:] == ["windspeed", "day"]
    assert len(bike.feature_names) == 13
    assert bike.data["day"].tolist() == [31, 1]
    np.testing.assert_allclose(bike.target, [2.0794415416798357, 0.6931471805599453], rtol=1e-15)  # ln 8, ln 2


def test_environment_names_the_folder(tmp_path, monkeypatch):
    make_bike_hours().to_parquet(tmp_path / "bike_sharing_hour.parquet")
    monkeypatch.setenv("INSTASHAP_DATA", str(tmp_path))
    assert len(load_bike_sharing().data) == 2


@pytest.mark.parametrize("load", [load_bike_sharing, load_covertype, load_adult, load_california_housing])
def test_missing_file_says_what_to_do(load, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"\.parquet' does not exist \(folder= names the folder\); put .* there"):
        load(tmp_path)
    monkeypatch.setenv("INSTASHAP_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"INSTASHAP_DATA names the folder.*unset INSTASHAP_DATA to download"):
        load()


@pytest.mark.parametrize(
    ("load", "fetcher"),
    [
        (load_bike_sharing, "fetch_openml"),
        (load_adult, "fetch_openml"),
        (load_covertype, "fetch_covtype"),
        (load_california_housing, "fetch_california_housing"),
    ],
)
def test_a_failed_download_names_the_alternative(load, fetcher, monkeypatch):
    def fail(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(f"sklearn.datasets.{fetcher}", fail)
    with pytest.raises(FileNotFoundError, match=r"no route.*put .*\.parquet in a folder and pass folder="):
        load()


class Fetched:
    """What scikit-learn's fetchers return, as far as the loaders look."""

    def __init__(self, frame):
        self.frame = frame


def to_openml_bike(hours):
    """The original hours in the form of OpenML's ``Bike_Sharing_Demand``, version 2."""
    return pd.DataFrame(
        {
            "season": pd.Categorical(np.array(["", "spring", "summer", "fall", "winter"])[hours["season"]]),
            "year": hours["yr"],
            "month": hours["mnth"],
            "hour": hours["hr"],
            "holiday": pd.Categorical(np.array(["False", "True"])[hours["holiday"]]),
            "weekday": hours["weekday"],
            "workingday": pd.Categorical(np.array(["False", "True"])[hours["workingday"]]),
            "weather": pd.Categorical(np.array(["", "clear", "misty", "rain", "heavy_rain"])[hours["weathersit"]]),
            "temp": hours["temp"] * 41,
            "feel_temp": hours["atemp"] * 50,
            "humidity": hours["hum"],
            "windspeed": (hours["windspeed"] * 67).round(4),
            "count": hours["cnt"],
        }
    )


@needs_data
def test_downloaded_bike_table_equals_the_local_one(monkeypatch):
    hours = pd.read_parquet(SHARED / "data" / "bike_sharing_hour.parquet")
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda name, **options: Fetched(to_openml_bike(hours)))
    downloaded, local = load_bike_sharing(), load_bike_sharing(SHARED / "data")
    pd.testing.assert_frame_equal(downloaded.data, local.data, check_exact=True)
    pd.testing.assert_series_equal(downloaded.target, local.target)


def test_downloaded_bike_table_out_of_order_is_refused(monkeypatch):
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda name, **options: Fetched(to_openml_bike(make_bike_hours())))
    with pytest.raises(ValueError, match="2 days, expected 731"):
        load_bike_sharing()


def make_cover_rows(soils, wildernesses, first):
    """Rows with one-hot blocks whose names count from ``first`` (1 in the local file, 0 in scikit-learn's)."""
    frame = pd.DataFrame({f"number{column}": np.arange(len(soils)) + column for column in range(10)})
    for area in range(4):
        frame[f"Wilderness_Area{first}{area}"] = [int(area == wanted) for wanted in wildernesses]
    for soil in range(1, 41):
        frame[f"Soil_Type{first}{soil}"] = [int(soil == wanted) for wanted in soils]
    frame["Cover_Type"] = np.arange(len(soils)) % 7 + 1
    return frame


@pytest.mark.parametrize("downloaded", [False, True])
def test_soil_types_fall_into_four_zones(downloaded, tmp_path, monkeypatch):
    frame = make_cover_rows([1, 6, 7, 18, 19, 34, 35, 40], [0, 1, 2, 3, 0, 1, 2, 3], "_" if downloaded else "")
    frame.to_parquet(tmp_path / "covertype_sample190538.parquet")
    monkeypatch.setattr("sklearn.datasets.fetch_covtype", lambda **options: Fetched(frame.astype(float)))
    cover = load_covertype(None if downloaded else tmp_path)
    zones = ["types 1-6", "types 7-18", "types 19-34", "types 35-40"]
    assert cover.data["Soil_Zone"].tolist() == [zone for zone in zones for _ in range(2)]
    assert cover.data["Wilderness_Area"].tolist() == ["Rawah", "Neota", "Comanche Peak", "Cache la Poudre"] * 2
    assert cover.data.shape == (8, 12)
    assert cover.target.tolist() == [1, 2, 3, 4, 5, 6, 7, 1]


def test_row_with_two_soil_types_is_refused(tmp_path):
    frame = make_cover_rows([1, 2], [0, 0], "")
    frame.loc[1, "Soil_Type9"] = 1
    frame.to_parquet(tmp_path / "covertype_sample190538.parquet")
    with pytest.raises(ValueError, match="40 columns Soil_Type… with a single 1 in each row"):
        load_covertype(tmp_path)


def make_adult_rows():
    return pd.DataFrame(
        {
            "age": [39, 50, 28],
            "workclass": ["State-gov", None, "Private"],
            "income": ["<=50K", ">50K", "<=50K"],
            "split": ["train", "test", "train"],
        }
    )


def test_adult_split_and_missing_entries_are_kept(tmp_path):
    make_adult_rows().to_parquet(tmp_path / "adult_census.parquet")
    adult = load_adult(tmp_path)
    assert adult.feature_names == ["age", "workclass"]
    assert adult.is_train.tolist() == [True, False, True]
    assert adult.data["workclass"].isna().tolist() == [False, True, False]
    assert adult.data["workclass"].cat.categories.tolist() == ["Private", "State-gov"]
    assert adult.target.tolist() == ["<=50K", ">50K", "<=50K"]


def test_downloaded_adult_table_does_not_know_the_split(monkeypatch):
    frame = make_adult_rows().drop(columns="split").rename(columns={"income": "class"}).astype({"class": "category"})
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda name, **options: Fetched(frame))
    adult = load_adult()
    assert adult.is_train is None
    assert adult.feature_names == ["age", "workclass"]
    assert adult.target.tolist() == ["<=50K", ">50K", "<=50K"]


def test_housing_counts_become_averages_per_household(tmp_path):
    row = {"longitude": -122.23, "latitude": 37.88, "housingMedianAge": 41, "totalRooms": 880, "totalBedrooms": 129}
    row |= {"population": 322, "households": 126, "medianIncome": 8.3252, "medianHouseValue": 452600}
    pd.DataFrame([row]).to_parquet(tmp_path / "california_housing.parquet")
    housing = load_california_housing(tmp_path)
    # The first row of scikit-learn's table, as printed in its user guide.
    expected = {"MedInc": 8.3252, "HouseAge": 41.0, "AveRooms": 6.984127, "AveBedrms": 1.02381, "Population": 322.0}
    expected |= {"AveOccup": 2.555556, "Latitude": 37.88, "Longitude": -122.23}
    assert housing.feature_names == list(expected)
    np.testing.assert_allclose(housing.data.iloc[0], list(expected.values()), atol=1e-6)
    assert housing.target.tolist() == [4.526]


@needs_data
def test_shared_tables_have_their_published_sizes_and_means():
    folder = SHARED / "data"
    bike, cover = load_bike_sharing(folder), load_covertype(folder)
    adult, housing = load_adult(folder), load_california_housing(folder)
    assert bike.data.shape == (17_379, 13)
    assert np.expm1(bike.target).sum() == pytest.approx(3_292_679, abs=1e-3)
    assert cover.data.shape == (190_538, 12)
    assert cover.target.value_counts(normalize=True)[2] == pytest.approx(0.4882, abs=5e-5)
    assert adult.data.shape == (48_842, 14)
    assert adult.is_train.sum() == 32_561
    assert (adult.target[adult.is_train] == ">50K").sum() == 7_841
    assert adult.data["occupation"].isna().sum() == 2_809
    assert housing.data.shape == (20_640, 8)
    assert housing.data["AveRooms"].mean() == pytest.approx(5.4290, abs=5e-5)
    assert housing.target.mean() == pytest.approx(2.068558169, abs=1e-9)


def test_importing_datasets_loads_numpy_only():
    code = "import sys, instashap.datasets; print([m for m in ('pandas', 'scipy', 'sklearn', 'pyarrow') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
