"""Linear algebra: one algorithm a file, no knowledge of games."""
