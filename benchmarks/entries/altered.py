"""Saved explainers altered by a seed, checksums made right again: each is refused, and none crashes or fills the memory."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from instashap.store.archive import _digest

from ..runner import ROOT, Bench, Figure, judge

SEED = 0
# Private memory a process that reads the files may use (its data segment); libraries mapped from files are not counted.
LIMIT_BYTES = 10**9
# Loads files named on standard input, uses each as a person would, and says in a line what became of it.
_READER = """
import io, json, resource, sys, warnings
import numpy as np, pandas as pd
import instashap
warnings.simplefilter("ignore")
instashap.warm_up()
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
rng = np.random.default_rng(5)
def make_rows(explainer):
    fitted = explainer._check_fitted()
    columns = {}
    for column in fitted.encoder.columns:
        if column.is_category:
            columns[column.name] = np.resize(["north", "south", "elsewhere", None], 40)
        else:
            columns[column.name] = np.append(np.linspace(-3, 8, 39), np.nan)
    return pd.DataFrame(columns)
for line in sys.stdin:
    path = line.strip()
    print("start", path, flush=True)
    try:
        explainer = instashap.load(path)
    except instashap.FileFormatError as error:
        print("refused", path, flush=True)
        continue
    except BaseException as error:
        print("raw", path, type(error).__name__, str(error)[:100].replace(chr(10), " "), flush=True)
        continue
    try:
        rows = make_rows(explainer)
        fitted = explainer._check_fitted()
        found = [explainer.shap_values(rows), explainer.interaction_values(rows), explainer.predict(rows)]
        if fitted.answers.errors is not None:
            found.append(explainer(rows, errors=True).standard_errors)
        explanation = explainer(rows)
        if explanation.output_share is not None:
            found.append(explanation.output_share)
        repr(explainer), explanation._repr_html_(), explainer.presence_terms_
        if fitted.answers.audit is not None:
            str(explainer.audit()), explainer.audit().table, explainer.audit()._repr_html_()
        text = " ".join("%.9g" % value for each in found for value in np.asarray(each, dtype=float).ravel()[::7])
        print("loaded", path, __import__("hashlib").sha256(text.encode()).hexdigest(), flush=True)
    except BaseException as error:
        print("raw", path, type(error).__name__, str(error)[:100].replace(chr(10), " "), flush=True)
"""
_ODD: tuple[Any, ...] = (
    None,
    -1,
    0,
    1,
    2,
    3,
    300,
    2**30,
    2**40,
    -(2**31),
    10**400,
    0.5,
    1e308,
    "",
    "x",
    "\ud800",
    True,
    [],
    {},
    [[]],
)
_INDICES = ("value_sets", "presence_sets", "players", "n_functions")

Parts = tuple[dict[str, Any], dict[str, bytes]]


def run(bench: Bench) -> dict[str, Figure]:
    """Alter files, read them under a memory limit, and count what became of them."""
    n_files = bench.choose(4000, 200)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = attack(Path(folder), n_files, SEED)
    counts = Counter(outcome for _, outcome in outcomes)
    kinds = Counter(what for what, outcome in outcomes if outcome == "other numbers")
    bench.notes.append(f"private memory of the reader limited to {LIMIT_BYTES / 1e9:g} GB; seed {SEED}")
    bench.notes.append(f"files that load with other numbers, by what was altered: {dict(sorted(kinds.items()))}")
    bench.notes += [f"{what}: {outcome}" for what, outcome in outcomes if outcome.startswith(("raw", "crash"))][:20]
    return {
        "altered files": judge(len(outcomes)),
        "refused": judge(counts["refused"]),
        "load, the same numbers": judge(counts["same numbers"]),
        "load, other numbers: an altered coefficient or word": judge(
            sum(n for what, n in kinds.items() if "index" not in what)
        ),
        "load, other numbers: an altered index": judge(sum(n for what, n in kinds.items() if "index" in what)),
        "raw errors": judge(sum(n for outcome, n in counts.items() if outcome.startswith("raw"))),
        "crashes": judge(counts["crash"]),
    }


def attack(folder: Path, n_files: int, seed: int) -> list[tuple[str, str]]:
    """What was altered, and what became of it, of so many files."""
    good = [unpack(path) for path in make_files(folder)]
    rng = random.Random(seed)
    altered: dict[str, tuple[int, str]] = {}
    for number in range(n_files):
        place = rng.randrange(len(good))
        path = folder / f"{number:05d}.insta"
        altered[str(path)] = place, alter(rng, copy.deepcopy(good[place]), path)
    plain = [str(folder / f"good-{place}.insta") for place in range(len(good))]
    for path, parts in zip(plain, good, strict=True):
        write(Path(path), parts)
    found = read_files([*plain, *altered])
    outcomes = []
    for path, (place, what) in altered.items():
        outcome = found[path]
        if outcome.startswith("loaded"):
            outcome = "same numbers" if outcome == found[plain[place]] else "other numbers"
        outcomes.append((what, outcome))
    return outcomes


def make_files(folder: Path) -> list[Path]:
    """Explainers of several kinds: levels and text, groups, several outputs, larger presence sets, another game."""
    import warnings

    import pandas as pd

    import instashap

    rng = np.random.default_rng(0)
    n = 300
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.integers(0, 6, n).astype(float)})
    X["town"] = rng.choice(["north", "south", "east"], n)
    y = X["a"] * X["b"] + X["c"] * (X["town"] == "north") + X["a"]
    numbers = X[["a", "b", "c"]]
    made = {
        "text": instashap.Explainer(order=2, presence_order=2).fit(X, outputs=y),
        "outputs": instashap.Explainer(order=2, presence_order=3).fit(numbers, outputs=np.column_stack([y, X["b"] ** 2])),
        "groups": instashap.Explainer(order=1, groups={"ab": ["a", "b"]}).fit(X, outputs=y),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        game = instashap.Explainer(
            lambda Z: np.asarray(Z)[:, 0] * np.asarray(Z)[:, 1], value_function=instashap.Marginal(numbers[:50])
        )
        made["marginal"] = game.fit(numbers)
    paths = []
    for name, explainer in made.items():
        paths.append(folder / f"{name}.insta")
        explainer.save(paths[-1])
    return paths


def unpack(path: Path) -> Parts:
    """Manifest, and members as bytes."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        return manifest, {name: archive.read(name) for name in manifest["sha256"]}


def write(path: Path, parts: Parts, manifest_text: str | None = None, twice: str | None = None, packing: int = 8) -> None:
    """A file with right checksums."""
    manifest, members = parts
    if isinstance(manifest, dict):
        manifest["sha256"] = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
        if "digest" in manifest:
            try:
                manifest["digest"] = _digest(manifest["content"], manifest["sha256"])
            except (ValueError, RecursionError, TypeError):
                del manifest["digest"]
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("manifest.json", json.dumps(manifest) if manifest_text is None else manifest_text)
        for name, data in members.items():
            archive.writestr(name, data)
        if twice is not None:
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr(twice, members[twice])


def alter(rng: random.Random, parts: Parts, path: Path) -> str:
    """Write one altered file; says what was altered."""
    ways: list[tuple[Callable[[random.Random, Parts, Path], str], int]] = [
        *((alter_number, 5), (alter_dtype, 2), (alter_shape, 4), (alter_header, 2)),
        *((alter_manifest, 8), (alter_indices, 5), (alter_members, 3)),
    ]
    way = rng.choices([each for each, _ in ways], [weight for _, weight in ways])[0]
    return way(rng, parts, path)


def _pick(rng: random.Random, parts: Parts, kinds: str = "fiub") -> tuple[str, Any]:
    while True:
        name = rng.choice(list(parts[1]))
        array = np.load(io.BytesIO(parts[1][name]))
        if array.dtype.kind in kinds:
            return name, array


def _put(parts: Parts, name: str, array: Any) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    parts[1][name] = buffer.getvalue()


def alter_number(rng: random.Random, parts: Parts, path: Path) -> str:
    """One value, or all, of an array."""
    name, array = _pick(rng, parts, rng.choice(["f", "i", "i"]))
    before = array.copy()
    if array.size:
        flat, place = array.reshape(-1), rng.randrange(array.size)
        values = (
            [np.nan, np.inf, -np.inf, 1e308, -1.0, 0.0]
            if array.dtype.kind == "f"
            else [-1, 0, 1, 2**30, 3000, -3000, 2**31 - 1]
        )
        with np.errstate(all="ignore"):
            way = rng.randrange(4)
            if way == 0:
                flat[place] = rng.choice(values)
            elif way == 1:
                flat[:] = rng.choice(values)
            elif way == 2:
                flat[place] += rng.choice([-1, 1])
            else:
                flat[:] = flat[::-1].copy()
    _put(parts, name, array)
    write(path, parts)
    is_index = array.dtype.kind == "i" and not np.array_equal(before, array)
    return f"{'index' if is_index else 'coefficient'} of {name[:-4].rstrip('0123456789_')}"


def alter_dtype(rng: random.Random, parts: Parts, path: Path) -> str:
    """Another dtype of the same values."""
    name, array = _pick(rng, parts)
    dtype = rng.choice(["<f4", "<f2", ">f8", "<i8", "|u1", "<c16", "|b1", "<U8", "|S8", ">i4"])
    with np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            changed = array.astype(dtype)
    if changed.dtype == array.dtype:
        changed = changed.astype(">f8")
    _put(parts, name, changed)
    write(path, parts)
    return "index dtype"


def alter_shape(rng: random.Random, parts: Parts, path: Path) -> str:
    """Another shape."""
    name, array = _pick(rng, parts)
    way = rng.randrange(6)
    axis = rng.randrange(array.ndim) if array.ndim else None
    if axis is None or way == 0:
        changed = array[None]
    elif way == 1:
        changed = np.repeat(array, rng.choice([2, 3, 300]), axis=axis)
    elif way == 2:
        changed = np.take(array, range(max(array.shape[axis] - 1, 0)), axis=axis)
    elif way == 3:
        changed = array.reshape(-1)[:0]
    elif way == 4:
        changed = np.ascontiguousarray(array.T) if array.ndim > 1 and len(set(array.shape)) > 1 else array[None]
    else:
        changed = np.concatenate([array, np.take(array, [0], axis=axis)], axis=axis) if array.shape[axis] else array[None]
    if changed.shape == array.shape:
        changed = array[None]
    _put(parts, name, changed)
    write(path, parts)
    return "index shape"


def alter_header(rng: random.Random, parts: Parts, path: Path) -> str:
    """A header that says something else than the bytes after it."""
    name, array = _pick(rng, parts)
    shape = rng.choice(
        [
            "(2147483648,)",
            "(-1,)",
            "(1,)*3",
            "((3,),)",
            "(" * 300,
            "(10**9,)",
            str((*array.shape, 1)),
            "'x'",
            "()",
            "(4294967296, 4294967296)",
        ]
    )
    descr = rng.choice(["<f8", "|O", "<V0", "x", "<f8,<f8", array.dtype.str])
    text = f"{{'descr': {descr!r}, 'fortran_order': {rng.choice([True, False])}, 'shape': {shape}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    data = array.tobytes() if rng.random() < 0.5 else b"\0" * rng.choice([0, 8, 4096])
    version = rng.choice([b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\x09\0"])
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    parts[1][name] = b"\x93NUMPY" + version + size + text.encode() + data
    write(path, parts)
    return "index header"


def _walk(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        found += [each for key, part in value.items() for each in _walk(part, (*path, key))]
    elif isinstance(value, list):
        found += [each for place, part in enumerate(value) for each in _walk(part, (*path, place))]
    return found


def _find(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def alter_manifest(rng: random.Random, parts: Parts, path: Path) -> str:
    """A value of the manifest replaced, removed, repeated or moved, or its text damaged."""
    content = parts[0]["content"]
    part = rng.choice([(), ("fitted",), ("fitted", "columns"), ("fitted", "audit"), ("fitted", "facts", "chosen")])
    try:
        places = [(*part, *each) for each in _walk(_find(content, part))]
    except KeyError:
        places = _walk(content)
    place = rng.choice([each for each in places if each] or [("fitted",)])
    inside, key = _find(content, place[:-1]), place[-1]
    before = copy.deepcopy(content)
    way, text = rng.randrange(8), None
    if way < 4:
        inside[key] = copy.deepcopy(rng.choice(_ODD))
    elif way == 4:
        del inside[key]
    elif way == 5 and isinstance(inside, list):
        inside.append(copy.deepcopy(inside[key]))
    elif way == 5:
        inside["unknown"] = inside[key]
    elif way == 6 and isinstance(inside, list) and len(inside) > 1:
        rng.shuffle(inside)
    else:
        text = _damage_text(rng, json.dumps(parts[0]))
    write(path, parts, text)
    names = {str(each) for each in place}
    is_index = bool(names & set(_INDICES)) or (len(place) == 2 and names & {"columns"})
    return (
        "text of the manifest"
        if text
        else "nothing"
        if before == content
        else f"{'index' if is_index else 'word'} in {place[:2]}"
    )


def _damage_text(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text))
    return rng.choice(
        [
            text.replace("0", "NaN", 1),
            text.replace("1.0", "1e999", 1),
            text.replace("{", '{"fitted": 1, ', 1).replace('"content": {', '"content": {"fitted": {}, ', 1),
            "[" * 100_000,
            '{"a":' * 50_000,
            text[:place],
            text[:place] + rng.choice('{}[],:"0e\\') + text[place + 1 :],
            json.dumps({"schema": 2, "sha256": {}, "content": ["," * 10] * 1000}),
            "[" + "[]," * 3_000_000 + "0]",
            '"' + "x" * 40_000_000 + '"',
        ]
    )


def alter_indices(rng: random.Random, parts: Parts, path: Path) -> str:
    """One number among those that say where things lie."""
    fitted = parts[0]["content"]["fitted"]
    places = [each for name in ("value_sets", "presence_sets", "players") for each in _walk(fitted[name], (name,))]
    places += [("columns", k, "n_functions", size) for k in range(len(fitted["columns"])) for size in range(3)]
    before = copy.deepcopy(fitted)
    place = rng.choice(places)
    inside, key = _find(fitted, place[:-1]), place[-1]
    if isinstance(inside[key], int):
        inside[key] = rng.choice([inside[key] + 1, inside[key] - 1, 0, 1, 2, -1, 10**6, 2**31, True, 1.0])
    elif rng.random() < 0.5 and isinstance(inside[key], list) and inside[key]:
        inside[key] = rng.choice([inside[key][::-1], inside[key][:-1], inside[key] * 2, sorted(inside[key], key=str)])
    else:
        inside[key] = copy.deepcopy(rng.choice(_ODD))
    write(path, parts)
    return "nothing" if before == fitted else f"index in {place[0]}"


def alter_members(rng: random.Random, parts: Parts, path: Path) -> str:
    """Members removed, added, exchanged or twice there."""
    members = parts[1]
    name, other = rng.sample(list(members), 2)
    way = rng.randrange(6)
    if way == 0:
        del members[name]
    elif way == 1:
        members[rng.choice(["anything.npy", "../x.npy", "table_99999.npy", "code.pkl"])] = members[name]
    elif way == 2:
        is_same = members[name] == members[other]
        members[name], members[other] = members[other], members[name]
        write(path, parts)
        return "nothing" if is_same else f"coefficient: {name[:-4].rstrip('0123456789_')} exchanged"
    elif way == 3:
        write(path, parts, twice=name)
        return "index members twice"
    elif way == 4:
        header = np.lib.format.header_data_from_array_1_0(np.zeros(1)) | {"shape": (2**24,)}
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, header)
        members[name] = buffer.getvalue() + b"\0" * 2**27
    else:
        write(path, parts, packing=zipfile.ZIP_BZIP2)
        return "index packing"
    write(path, parts)
    return "index members"


def read_files(paths: list[str]) -> dict[str, str]:
    """What became of each file, in processes that are started anew after a crash."""
    outcomes: dict[str, str] = {}
    while len(outcomes) < len(paths):
        left = [path for path in paths if path not in outcomes]
        command = [sys.executable, "-c", _READER, str(LIMIT_BYTES)]
        done = subprocess.run(command, input="\n".join(left), capture_output=True, text=True, cwd=ROOT / "src", check=False)
        started = None
        for line in done.stdout.splitlines():
            word, path, *more = line.split(" ", 2)
            if word == "start":
                started = path
            else:
                outcomes[path], started = " ".join([word, *more]), None
        if started is None and done.returncode:
            raise RuntimeError(f"the reader did not start: {done.stderr[-500:]}")
        if started is not None:
            outcomes[started] = "crash"
    return outcomes
