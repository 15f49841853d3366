"""The door: explainers, estimators, and explanations."""
