"""Fits of games whose values are computed by model calls at masks: marginal, baseline, user-supplied."""
