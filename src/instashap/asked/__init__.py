"""Fits of games whose values must be asked for at masks: marginal, baseline, user-supplied."""
