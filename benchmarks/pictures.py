"""Images to benchmark on, and nets trained once: entries that need the same net find it in a folder for temporary files."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instashap.store import write_file

from .data import Split, find_folder
from .runner import Bench, Skipped


def load_images(bench: Bench, name: str, n_train: int | None = None, n_test: int | None = None) -> Split:
    """Images and labels of ``NAME.npz`` in the data folder: uint8, with the file's own split.

    Parameters
    ----------
    n_train, n_test : int, optional
        Keep so many, evenly spaced: files may be ordered by class.
    """
    folder = find_folder(bench)
    places = [] if folder is None else [folder / f"{name}.npz", folder / "data" / f"{name}.npz"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise Skipped(f"{name}.npz is not there; see --data")
    with np.load(path, allow_pickle=False) as arrays:
        train = _space(len(arrays["y_train"]), n_train)
        test = _space(len(arrays["y_test"]), n_test)
        X_train, X_test = arrays["x_train"][train], arrays["x_test"][test]
        return Split(X_train, X_test, arrays["y_train"][train], arrays["y_test"][test])


def _space(n: int, wanted: int | None) -> NDArray[np.int64]:
    return np.arange(n) if wanted is None or wanted >= n else np.linspace(0, n - 1, wanted).astype(np.int64)


def keep(
    bench: Bench, name: str, make: Callable[[], Any], save: Callable[[Any, Path], None], load: Callable[[Path], Any]
) -> tuple[Any, float]:
    """What ``make`` gives and the seconds it took, both from a file if an entry made it before."""
    folder = Path(tempfile.gettempdir()) / "instashap-benchmarks"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}{'-quick' if bench.quick else ''}-{bench.device}"
    facts = path.with_suffix(".json")
    if facts.is_file():
        seconds = json.loads(facts.read_text(encoding="utf-8"))["seconds"]
        bench.notes.append(f"{name}: trained in {seconds:.0f} s by an earlier run")
        return load(path.with_suffix(".net")), seconds
    start = time.perf_counter()
    made = make()
    seconds = time.perf_counter() - start
    save(made, path.with_suffix(".net"))
    write_file(facts, json.dumps({"seconds": seconds}))
    return made, seconds


def keep_classifier(bench: Bench, name: str, split: Split, **options: Any) -> tuple[Any, float]:
    """A masked classifier of images and the seconds its training took."""
    import torch

    from instashap.neural import MaskedClassifier, train_masked_classifier
    from instashap.neural.devices import choose_device
    from instashap.neural.images.black_box import MaskedResNet

    def load(path: Path) -> Any:
        n_channels = 1 if split.X_train.ndim == 3 else split.X_train.shape[3]
        net = MaskedResNet(n_channels, len(np.unique(split.y_train)), options["widths"], options["stride"])
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        device = choose_device(bench.device)
        return MaskedClassifier(net.to(device, memory_format=torch.channels_last).eval(), np.unique(split.y_train))

    return keep(
        bench,
        name,
        lambda: train_masked_classifier(split.X_train, split.y_train, **options),
        lambda made, path: torch.save(made.net.state_dict(), path),
        load,
    )


def keep_explainer(bench: Bench, name: str, model: Any, images: NDArray[Any], **options: Any) -> tuple[Any, float]:
    """An explainer of images and the seconds its fit took, the black box's outputs included."""
    from instashap.neural import ImageExplainer

    def load(path: Path) -> Any:
        return ImageExplainer.load(path, device=bench.device)

    def make() -> Any:
        return ImageExplainer(model, device=bench.device, **options).fit(images)

    return keep(bench, name, make, lambda made, path: made.save(path), load)
