"""What a person reads: one summary, rendered as a live page, Markdown or JSON."""
