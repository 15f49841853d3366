"""A readable classifier that explains itself: fit, look, constrain, edit."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from instashap import AdditiveClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

model = AdditiveClassifier(order=1).fit(X_train, y_train)
print(f"accuracy on {len(X_test)} new rows: {model.score(X_test, y_test):.3f}")

explanation = model.explain(X_test)  # Shapley values of the log-odds, for the conditional game
print(explanation[0].to_frame().T.head())

# What an expert knows: a tumour does not become more harmless (class 1) by a larger worst area.
safer = AdditiveClassifier(order=1, monotone_constraints={"worst area": -1}).fit(X_train, y_train)
print(f"with a monotone column: {safer.score(X_test, y_test):.3f}")

# A shape that should not be used is taken out; predictions and Shapley values follow at once.
edited = safer.remove_term("fractal dimension error")
print(f"without one column's own effect: {edited.score(X_test, y_test):.3f}")
