"""One recipe a kind of fit, from a table and outputs to a fitted game; the registry of fitters."""
