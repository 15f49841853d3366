"""The cooperative game: coalitions, terms and credits, on plain arrays."""
