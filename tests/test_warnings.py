"""Warnings name the line of the caller, however deep they arise."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import DataWarning, FitWarning


def test_warnings_of_a_fit_and_of_reading_rows_point_here():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"name": [f"n{k}" for k in range(300)], "size": rng.normal(size=300)})
    with pytest.warns(DataWarning, match="column 'name' has 300 levels") as caught:
        explainer = instashap.Explainer(order=1).fit(X, outputs=X["size"])
    assert {each.filename for each in caught} == {__file__}
    with pytest.warns(DataWarning, match="1 column that the fit did not see is") as caught:
        explainer.shap_values(X.assign(more=1.0))
    assert {each.filename for each in caught} == {__file__}
    with pytest.warns(FitWarning, match="richer interactions") as caught:
        instashap.Explainer(order=2).fit(X[["size"]].assign(other=rng.normal(size=300)), outputs=X["size"])
    assert {each.filename for each in caught} == {__file__}
