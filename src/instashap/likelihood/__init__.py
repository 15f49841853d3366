"""Additive models of labels by penalised likelihood, and the games of their scores."""
