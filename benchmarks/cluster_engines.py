"""Fits and explains rows in Parquet files by one engine, in a process of its own.

``python -m benchmarks.cluster_engines ENGINE FOLDER`` prints JSON as its last line: wall and processor seconds. Processor
seconds are those of the process and of all that it started, Java and workers, alive or ended.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

N_FEATURES = 13
FEATURES = [f"x{j}" for j in range(N_FEATURES)]
PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)]


def measure_processor() -> float:
    """Processor seconds up to now, of this process and those below it."""
    import psutil

    total = 0.0
    for each in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:4])  # its own and, of those that ended, its children's
    return total


def measure(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a function gives, and its wall and processor seconds."""
    wall, used = time.perf_counter(), measure_processor()
    found = work()
    return found, time.perf_counter() - wall, measure_processor() - used


def fit(rows: Any) -> Any:
    """The fit that every engine makes: order 2 with six pairs, planned on 10 000 rows."""
    import instashap

    options: dict[str, Any] = {"order": 2, "interactions": PAIRS, "presence_order": 2, "synthetic_rows": 0}
    return instashap.Explainer(**options, plan_rows=10_000, n_jobs=1).fit(rows, outputs="f")


# What an engine does with a folder of Parquet files: make of it what fit takes; write the values of all rows elsewhere.
_Opened = tuple[Callable[[Path], Any], Callable[[Any, Path, Path], object]]


@contextmanager
def open_one() -> Iterator[_Opened]:
    """One process."""
    yield str, lambda explainer, folder, target: explainer.explain_to(target.with_suffix(".parquet"), folder)


@contextmanager
def open_dask() -> Iterator[_Opened]:
    """Dask, two workers of one thread."""
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    import instashap
    from instashap import distributed

    def explain(explainer: Any, folder: Path, target: Path) -> None:
        distributed.explain(explainer, dd.read_parquet(folder)).to_parquet(target, write_index=False)

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.run(instashap.warm_up)
        yield lambda folder: distributed.from_dask(dd.read_parquet(folder)), explain


@contextmanager
def open_spark(*, is_connect: bool = False) -> Iterator[_Opened]:
    """Spark, local[2]."""
    from pyspark.sql import SparkSession

    from instashap import distributed

    builder = SparkSession.builder.remote("local[2]") if is_connect else SparkSession.builder.master("local[2]")
    builder = builder.config("spark.ui.enabled", "false").config("spark.driver.memory", "2g")
    session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()

    def explain(explainer: Any, folder: Path, target: Path) -> None:
        distributed.explain(explainer, session.read.parquet(str(folder))).write.parquet(str(target))

    yield lambda folder: distributed.from_spark(session.read.parquet(str(folder))), explain
    session.stop()


@contextmanager
def open_ray() -> Iterator[_Opened]:
    """Ray, two processors."""
    import ray

    from instashap import distributed

    def explain(explainer: Any, folder: Path, target: Path) -> None:
        distributed.explain(explainer, ray.data.read_parquet(str(folder))).write_parquet(str(target))

    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    yield lambda folder: distributed.from_ray(ray.data.read_parquet(str(folder))), explain
    ray.shutdown()


_ENGINES = {
    "one": open_one,
    "dask": open_dask,
    "spark": open_spark,
    "connect": partial(open_spark, is_connect=True),
    "ray": open_ray,
}


def main(engine: str, folder: Path) -> None:
    """Measure one engine: starting it and explaining few rows, a fit, and explaining many rows from files to files."""
    import numpy as np
    import pandas as pd

    few = pd.read_parquet(folder / "few")
    warm = fit(few)
    begin = time.perf_counter()
    with _ENGINES[engine]() as (open_rows, explain):
        explain(warm, folder / "few", folder / f"few_{engine}")
        started = time.perf_counter() - begin
        fitted, wall, used = measure(lambda: fit(open_rows(folder / "rows")))
        _, wall_explain, used_explain = measure(lambda: explain(fitted, folder / "many", folder / f"many_{engine}"))
    X = few[FEATURES]
    answers, _, used_few = measure(lambda: [(fitted.shap_values(X), fitted.predict(X)) for _ in range(50)])
    np.save(folder / f"{engine}.npy", answers[0][0])
    seconds = {"start": started, "fit": wall, "fit_processor": used, "explain": wall_explain, "explain_processor": used_explain}
    print(json.dumps({**seconds, "memory_rate": 50 * len(few) / used_few, "n_rows": fitted.fit_facts_["n_rows"]}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], Path(sys.argv[2]))
