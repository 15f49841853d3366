"""Benchmarks: accuracy and speed as figures beside targets and peers, measured in one run; ``python -m benchmarks list``."""
