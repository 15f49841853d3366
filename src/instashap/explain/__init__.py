"""Public classes: explainers, and estimators that explain themselves."""
