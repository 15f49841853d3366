"""The paper's first experiments, run again: each module has ``run(bench) -> figures``; see docs/paper."""
