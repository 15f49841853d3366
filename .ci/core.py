"""What must work with the core requirements alone: import, fit, explain, save, load, export; extras are asked for by name."""

import importlib.util
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import instashap

EXTRAS = ("matplotlib", "shap", "tqdm", "pyarrow", "rich", "fastapi", "torch")


def main() -> None:
    warnings.simplefilter("ignore", instashap.FitWarning)  # an additive table has no interactions
    found = [name for name in EXTRAS if importlib.util.find_spec(name)]
    assert not found, f"this environment has packages of extras: {found}"
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=400), "town": rng.choice(["a", "b"], 400), "hour": rng.integers(0, 24, 400)})
    price = (2 * frame["size"] + (frame["town"] == "a") + np.cos(frame["hour"] * np.pi / 12)).to_numpy()
    explainer = instashap.Explainer(bases={"hour": "periodic"}).fit(frame, outputs=price)
    explanation = explainer(frame, errors=True)
    np.testing.assert_allclose(explanation.predictions, explainer.predict(frame))
    assert explainer.audit().summary()
    instashap.AdditiveClassifier(order=1).fit(frame, price > 0).predict_proba(frame)
    asked = instashap.Explainer(lambda X: 2 * X["size"] + X["hour"], value_function=instashap.Marginal(frame[:20])).fit(frame)
    asked.refine(frame[:3], n_coalitions=4)
    with tempfile.TemporaryDirectory() as folder:
        explainer.save(Path(folder) / "model.insta")
        explainer.export(Path(folder) / "tables.json")
        loaded = instashap.load(Path(folder) / "model.insta")
        np.testing.assert_array_equal(loaded(frame).values, explanation.values)
        instashap.write_report(explainer, frame, path=Path(folder) / "report.html")
    check_plots(explanation)


def check_plots(explanation: instashap.Explanation) -> None:
    """A plot without matplotlib says which extra is missing."""
    try:
        instashap.plots.plot_importance(explanation)
    except instashap.OptionalDependencyError as missing:
        message = str(missing)
    else:
        message = "nothing"
    assert "pip install 'instashap[plots]'" in message, message


if __name__ == "__main__":
    main()
