"""Rows that need not be in memory: sources that are read block by block, and samples that do not depend on their order."""
