"""Reports: one summary, rendered as an interactive page, Markdown or JSON."""
