"""Fitted games for other programs: a form a file, and a line each in :data:`instashap._registries.EXPORTS`."""
