"""The fitted game, its file, and explanations of rows."""
