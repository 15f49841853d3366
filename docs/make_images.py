"""Draw the pictures of README and quick start from the bundled diabetes data: ``python docs/make_images.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

import instashap
from instashap import plots

NAMES = {"bp": "blood pressure", "s1": "total cholesterol", "s2": "LDL", "s3": "HDL", "s4": "cholesterol / HDL"}
NAMES |= {"s5": "log triglycerides", "s6": "glucose", "bmi": "body mass index"}


IMAGES = Path(__file__).parent / "images"


def main() -> None:
    draw_readme()
    draw_quick_start()


def draw_quick_start() -> None:
    """The waterfall of ``quickstart.md``."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.5, random_state=0)
    model = GradientBoostingRegressor(max_depth=2, random_state=0).fit(X_train, y_train)
    explanation = instashap.Explainer(model).fit(X_test)(X_test, outputs=True)  # as on the page
    figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
    plots.plot_waterfall(explanation[0], ax=ax)
    figure.savefig(IMAGES / "quickstart.png", dpi=90)


def draw_readme() -> None:
    """The three panels of the README."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    X = bunch.data.rename(columns=NAMES)
    model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, random_state=0).fit(X, bunch.target)
    explainer = instashap.Explainer(model, synthetic_rows=0).fit(X)
    explanation = explainer(X, errors=True)
    figure, axes = plt.subplots(1, 3, figsize=(14.5, 4.1), layout="constrained")
    plots.plot_importance(explanation, max_features=7, ax=axes[0])
    plots.plot_shape(explainer, "body mass index", X=X, errors=True, ax=axes[1])
    plots.plot_waterfall(explanation[0], max_features=7, ax=axes[2])
    figure.savefig(IMAGES / "readme.png", dpi=100)


if __name__ == "__main__":
    main()
