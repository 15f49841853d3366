"""Statistics of a finished fit: standard errors, ranking of terms, held-out residuals, remainder."""
