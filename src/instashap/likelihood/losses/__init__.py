"""Likelihoods of labels: one file per family, and one line each in :data:`instashap._registries.FAMILIES`."""
