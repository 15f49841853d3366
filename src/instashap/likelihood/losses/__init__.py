"""Likelihoods of labels: a family a file, and a line each in :data:`instashap._registries.FAMILIES`."""
