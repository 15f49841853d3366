"""Tables in which the product of two columns says what a third one is: distributions and regressions of few rows miss it."""

from collections.abc import Callable

import numpy as np
import pytest

from instashap import Explainer
from instashap.trust.held_rows import Rows
from instashap.trust.joint import has_joint_dependence


def draw(n_rows: int, seed: int) -> np.ndarray:
    """Three times: two standard normal columns, and one whose sign is the product of theirs; no two depend on each other."""
    X = np.random.default_rng(seed).normal(size=(n_rows, 9))
    X[:, 2::3] = np.abs(X[:, 2::3]) * np.sign(X[:, ::3] * X[:, 1::3])
    return X


def predict(X: np.ndarray) -> np.ndarray:
    return np.asarray(X)[:, 2::3].sum(axis=1)


def compute_shapley_values(X: np.ndarray) -> np.ndarray:
    """Three players each: both first ones are worth ``c = sign(x0 x1) E|x2|``, any set with the third one x2, others 0."""
    c = np.sign(X[:, ::3] * X[:, 1::3]) * np.sqrt(2 / np.pi)
    values = np.empty_like(X)
    values[:, ::3] = values[:, 1::3] = c / 6
    values[:, 2::3] = X[:, 2::3] - c / 3
    return values


def test_signs_that_are_products_of_signs_are_found(make_rows: Callable[..., Rows]) -> None:
    X = draw(300, 0)
    assert has_joint_dependence(make_rows(X, predict(X)))
    assert has_joint_dependence(make_rows(np.exp(X[:, ::-1]), predict(X)))  # on any scale, in any order


def test_columns_that_depend_in_pairs_alone_show_none(make_rows: Callable[..., Rows]) -> None:
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(300, 6)) @ np.linalg.cholesky(0.7 * np.ones((6, 6)) + 0.3 * np.eye(6)).T
    student = normal / np.sqrt(rng.chisquare(3, (300, 1)) / 3)
    total = np.column_stack([normal, normal.sum(axis=1)])
    for X in (normal, np.exp(normal), student, total, rng.normal(size=(300, 6))):
        assert not has_joint_dependence(make_rows(X, X[:, 0]))


def test_rows_that_repeat_show_what_they_depend_on_as_it_is(make_rows: Callable[..., Rows]) -> None:
    X = np.sign(draw(300, 0))[:, :3]
    assert not has_joint_dependence(make_rows(X, X[:, 2]))


@pytest.mark.filterwarnings("ignore::instashap.InstashapWarning")
def test_values_that_miss_it_are_not_called_safe() -> None:
    explainer, fresh = Explainer(predict).fit(draw(300, 1)), draw(2000, 2)
    exact = compute_shapley_values(fresh)
    r2 = 1 - ((explainer.shap_values(fresh) - exact) ** 2).sum() / (exact**2).sum()
    report = explainer.audit()
    assert r2 < 0.9
    assert report.verdict == "caution"
    assert report.attribution_r2 is None or report.attribution_r2.low < r2
