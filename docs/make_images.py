"""Draw the README's picture from the bundled diabetes data: ``python docs/make_images.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor

import instashap
from instashap import plots

NAMES = {"bp": "blood pressure", "s1": "total cholesterol", "s2": "LDL", "s3": "HDL", "s4": "cholesterol / HDL"}
NAMES |= {"s5": "log triglycerides", "s6": "glucose", "bmi": "body mass index"}


def main() -> None:
    bunch = load_diabetes(as_frame=True, scaled=False)
    X = bunch.data.rename(columns=NAMES)
    model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, random_state=0).fit(X, bunch.target)
    explainer = instashap.Explainer(model).fit(X)
    explanation = explainer(X, errors=True)
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.6), layout="constrained")
    plots.plot_importance(explanation, ax=axes[0])
    plots.plot_shape(explainer, "body mass index", X=X, errors=True, ax=axes[1])
    plots.plot_waterfall(explanation[0], ax=axes[2])
    figure.savefig(Path(__file__).parent / "images" / "readme.png", dpi=100)


if __name__ == "__main__":
    main()
