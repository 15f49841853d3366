"""Questions to a fitted game, one file each: audit, refine, check, purify, edit and others."""
