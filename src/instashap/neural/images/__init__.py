"""Images: patches are the players."""
