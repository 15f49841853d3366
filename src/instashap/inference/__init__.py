"""What a fit says about itself: standard errors, ranking of terms, held-out residuals, remainder."""
