"""Numbers of threads that a user may ask for."""

import os

import numpy as np
import pytest

import instashap
from instashap.fitted.game import count_threads

N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.parametrize(("n_jobs", "n_threads"), [(None, N_CORES), (-1, N_CORES), (3, 3), (np.int64(2), 2), (-1000, 1)])
def test_threads_are_counted_as_in_scikit_learn(n_jobs, n_threads):
    assert count_threads(n_jobs) == n_threads


@pytest.mark.parametrize("n_jobs", [0, "all", 2.5, True])
def test_what_is_no_number_of_threads_is_refused(n_jobs):
    X = np.arange(80.0).reshape(40, 2)
    with pytest.raises(ValueError, match=r"n_jobs=.* is not a number of threads: pass 1 or more, or None or -1"):
        instashap.Explainer(order=1, n_jobs=n_jobs).fit(X, outputs=X[:, 0]).shap_values(X)
