"""May these explanations be believed? From the held-out rows of a fit to a report."""
