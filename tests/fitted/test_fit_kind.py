"""The kind of a fit: what it says about missing answers, and how files keep it."""

import numpy as np
import pytest

import instashap
from instashap import AdditiveRegressor, Explainer, Marginal
from instashap.fitted.fit_kind import FitKind, read_kind

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning")

X = np.random.default_rng(0).normal(size=(200, 2))


def sum_columns(X):
    return X[:, 0] + 2 * X[:, 1]


def edit():
    return AdditiveRegressor(order=1).fit(X, sum_columns(X)).set_shape(0, 0.0).to_explainer()


MAKERS = {
    FitKind.EQUATIONS: lambda: Explainer(order=1).fit(X, outputs=sum_columns(X)),
    FitKind.LIKELIHOOD: lambda: AdditiveRegressor(order=1, loss="poisson").fit(X, np.round(np.exp(X[:, 0]))).to_explainer(),
    FitKind.EDITED: edit,
    FitKind.OTHER_GAME: lambda: Explainer(sum_columns, order=1, value_function=Marginal(X[:10])).fit(X),
}
MESSAGES = {
    FitKind.LIKELIHOOD: "a ranking of a fit by likelihood, need the rows of the fit",
    FitKind.EDITED: "need",
    FitKind.OTHER_GAME: "for the conditional game only, not for marginal, 10 background rows; refine",
}


@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.name)
def test_files_keep_the_kind_and_what_it_says(kind, tmp_path):
    explainer = MAKERS[kind]()
    explainer.save(tmp_path / "game.insta")
    loaded = instashap.load(tmp_path / "game.insta")
    assert explainer._fitted.kind is loaded._fitted.kind is kind
    holds_rows = kind in (FitKind.LIKELIHOOD, FitKind.EDITED)
    if holds_rows:
        assert len(explainer.rank_terms()) >= 1  # from the rows and labels, which a file does not hold
    for each in (loaded,) if holds_rows else (explainer, loaded):
        if kind in MESSAGES:
            with pytest.raises(instashap.NotFittedError, match=MESSAGES[kind]):
                each.rank_terms()
    if kind is FitKind.EQUATIONS:
        assert len(explainer.rank_terms()) == 2
        with pytest.raises(instashap.NotFittedError, match="ranking terms needs the rows of the fit"):
            loaded.rank_terms()


@pytest.mark.parametrize(
    ("facts", "game", "kind"),
    [
        ({}, "conditional", FitKind.EQUATIONS),
        ({"has_equations": False, "loss": "binary"}, "conditional", FitKind.LIKELIHOOD),
        ({"has_equations": False}, "conditional", FitKind.EDITED),
        ({"remainder_share": [0.1]}, "conditional", FitKind.REPRODUCED),
        ({}, "marginal, 100 background rows", FitKind.OTHER_GAME),
    ],
)
def test_files_of_earlier_versions_have_the_kind_that_their_facts_imply(facts, game, kind):
    assert read_kind(facts, game) is kind


def test_another_decomposition_is_another_game():
    explainer = Explainer(order=1).fit(X, outputs=sum_columns(X))
    assert explainer.purify("marginal", X)._fitted.kind is FitKind.OTHER_GAME
    assert explainer.purify("conditional", X)._fitted.kind is FitKind.EQUATIONS
