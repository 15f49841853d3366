"""One file a question to a fitted game: audit, refine, check, purify, edit."""
