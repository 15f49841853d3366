"""Files from a stranger, every checksum right: refused by a sentence, before anything is used or memory is taken."""

import copy
import hashlib
import io
import json
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import FileFormatError
from instashap.store import expect_explainer, write_archive
from instashap.store.array_rules import between_values

FORMER = Path(__file__).with_name("schema-1.insta")
Arrays = dict[str, Any]


def rewrite(good: Path, bad: Path, edit: Callable[[dict[str, Any], Arrays], object], keep: tuple[str, ...] = ()) -> None:
    """A file with edited content and arrays; digests are made anew, and what tests the file by itself is left out."""
    with zipfile.ZipFile(good) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        arrays = {name[:-4]: np.load(io.BytesIO(archive.read(name))) for name in manifest["sha256"]}
    manifest.pop("digest", None)
    if "probes" not in keep:
        arrays.pop("probes", None)
        arrays.pop("probes_of_trust", None)
    edit(manifest["content"]["fitted"], arrays)
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        members[f"{name}.npy"] = buffer.getvalue()
    write_members(bad, manifest, members)


def write_members(path: Path, manifest: dict[str, Any], members: dict[str, bytes]) -> None:
    manifest["sha256"] = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "n": rng.integers(0, 4, 200).astype(float)})
    X["town"] = rng.choice(["north", "south"], 200)
    path = tmp_path_factory.mktemp("good") / "good.insta"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(order=2, presence_order=2, interactions="all")
        explainer.fit(X, outputs=X["a"] * X["n"] + (X["town"] == "north")).save(path, errors=True)
    return path


def change(name: str, make: Callable[[Any], Any]) -> Callable[[dict[str, Any], Arrays], object]:
    return lambda _, arrays: arrays.update({name: make(arrays[name])})


def put(*place: Any, value: Any) -> Callable[[dict[str, Any], Arrays], object]:
    def edit(fitted: dict[str, Any], _: Arrays) -> None:
        inside: Any = fitted
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = value

    return edit


FIRST, EDGES = "column_00000_first_0", "column_00000_edges"
ALTERED: dict[str, tuple[Callable[[dict[str, Any], Arrays], object], str]] = {
    "300 outputs": (change("mixing_00000", lambda a: np.repeat(a, 300, axis=2)), "array 'mixing_00000' must have the shape"),
    "far away": (change(FIRST, lambda a: np.full_like(a, 2**30)), "names functions that its basis does not have"),
    "nearby": (change(FIRST, lambda a: (a + 3000).astype(np.int32)), "names functions that its basis does not have"),
    "before": (change(FIRST, lambda a: (a - 3000).astype(np.int32)), "names functions that its basis does not have"),
    "long integers": (change(FIRST, lambda a: a.astype(np.int64)), "must hold <i4, got <i8"),
    "big end first": (change("base_value", lambda a: a.astype(">f8")), "must hold <f8, got >f8"),
    "no powers": (change("column_00000_polynomials_0", lambda a: a[:, :, :0]), "is empty"),
    "falling edges": (change(EDGES, lambda a: a[::-1].copy()), "strictly increasing"),
    "equal edges": (change(EDGES, np.zeros_like), "strictly increasing"),
    "edges beyond values": (change("column_00001_edges", lambda a: a + 1.0), "between the column's values"),
    "one edge less": (change(EDGES, lambda a: a[1:]), "must have the shape"),
    "NaN in a table": (change("table_00000", lambda a: a * np.nan), "infinite values or NaN"),
    "infinite base": (change("base_value", lambda a: a + np.inf), "infinite values or NaN"),
    "residuals unsorted": (change("residual_sizes", lambda a: a[::-1].copy()), "must be sorted"),
    "no spread": (change("residual_spread", np.zeros_like), "must be above zero"),
    "curves of another column": (change("residual_curves_00000", lambda a: a[:2]), "must have the shape"),
    "errors of more groups": (change("error_curves_00001", lambda a: np.repeat(a, 2, axis=-1)), "must have the shape"),
    "unknown member": (lambda _, arrays: arrays.update(anything=np.zeros(3)), "its manifest calls for: 'anything'"),
    "missing member": (lambda _, arrays: arrays.pop("table_00001"), "its manifest calls for: 'table_00001'"),
    "player beyond": (put("players", 0, value=9), "players and feature names do not agree"),
    "players exchanged": (put("players", value=[1, 0, 2]), "players and feature names do not agree"),
    "column beyond": (put("value_sets", 0, value=[7]), "is not a value set"),
    "negative column": (put("value_sets", 0, value=[-1]), "whole number from 0"),
    "a column twice": (put("value_sets", 3, value=[1, 1]), "is not a value set"),
    "value set twice": (put("value_sets", 1, value=[0]), "value sets are repeated"),
    "four columns": (put("value_sets", 0, value=[0, 1, 2, 3]), "entries, got 4"),
    "presence beyond": (put("presence_sets", 0, 1, value=[0, 5]), "is not a presence set"),
    "presence of others": (put("presence_sets", 0, 1, value=[1, 2]), "is not a presence set"),
    "presence twice": (put("presence_sets", 0, 1, value=[0]), "are repeated"),
    "more places than players": (put("presence_sets", 0, 1, value=[-1, -1, -1, 0]), "is not a presence set"),
    "true as a number": (put("players", 1, value=True), "whole number"),
    "functions without end": (put("columns", 0, "n_functions", 2, value=2**30), "names functions that its basis does not have"),
    "a level twice": (put("columns", 2, "levels", value=["north", "north"]), "levels of column 'town' are repeated"),
    "a level as a list": (put("columns", 2, "levels", 0, value=[1]), "must be a finite number"),
    "half a character": (put("columns", 2, "levels", 0, value="\ud800"), "half characters"),
    "all repeated": (put("columns", 0, "n_repeated", value=[0, 0, 2**30]), "repeats more functions than it has"),
    "few repeated": (put("columns", 0, "n_repeated", value=[1]), "repeats more functions than it has"),
    "values fall": (put("columns", 1, "values", value=[3.0, 2.0, 1.0, 0.0]), "are not strictly increasing"),
    "two names": (put("columns", 0, "name", value="b"), "has a second name, 'b'"),
    "kind": (put("is_category", 0, value=True), "must have levels if and only if"),
    "order as text": (put("facts", "chosen", "order", value="2"), "facts.chosen.order must be a whole number"),
    "no facts": (lambda fitted, _: fitted.pop("facts"), "lacks 'facts'"),
    "audit without rungs": (put("audit", "rungs", value=[]), "audit.rungs must have 1 or more"),
    "a figure of two": (put("audit", "rungs", 1, "carried", value=[1.0, 2.0]), "carried must have 3"),
    "thresholds": (put("audit", "thresholds", "safe_carried", value=7.0), "between 0 and 1"),
    "a part of tomorrow": (put("tomorrow", value="?"), "'tomorrow', which this version does not know"),
    "an endless number": (put("residuals", "level", value=float("inf")), "holds Infinity, which is not a finite number"),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_file_is_refused_with_a_sentence(good: Path, tmp_path: Path, what: str) -> None:
    edit, message = ALTERED[what]
    rewrite(good, tmp_path / "bad.insta", edit)
    with pytest.raises(FileFormatError) as caught:
        instashap.load(tmp_path / "bad.insta")
    assert message in str(caught.value)
    assert "bad.insta" in str(caught.value)


@pytest.mark.parametrize("what", ["300 outputs", "nearby", "falling edges"])
def test_an_altered_file_of_schema_1_is_refused_too(tmp_path: Path, what: str) -> None:
    rewrite(FORMER, tmp_path / "bad.insta", ALTERED[what][0])
    with pytest.raises(FileFormatError, match="array"):
        instashap.load(tmp_path / "bad.insta")


def test_the_same_file_without_an_alteration_loads(good: Path, tmp_path: Path) -> None:
    rewrite(good, tmp_path / "same.insta", lambda *_: None)
    rows = pd.DataFrame({"a": [0.3, -1.0], "n": [1.0, 3.0], "town": ["north", None]})
    assert np.array_equal(instashap.load(tmp_path / "same.insta").shap_values(rows), instashap.load(good).shap_values(rows))


def test_an_index_in_range_that_gives_other_numbers_is_refused(good: Path, tmp_path: Path) -> None:
    def edit(fitted: dict[str, Any], arrays: Arrays) -> None:  # the parts of two sets change places
        sets = fitted["presence_sets"][0]
        sets[1], sets[2] = sets[2], sets[1]
        # A part that weighs nothing would change nothing.
        assert np.abs(arrays["mixing_00000"][:, 1] - arrays["mixing_00000"][:, 2]).max() > 1e-6

    rewrite(good, tmp_path / "bad.insta", edit, keep=("probes",))
    with pytest.raises(FileFormatError, match="values of test rows differ from those when it was saved"):
        instashap.load(tmp_path / "bad.insta")


def test_a_part_of_the_fitted_region_that_gives_another_trust_is_refused(good: Path, tmp_path: Path) -> None:
    def edit(_: dict[str, Any], arrays: Arrays) -> None:
        bins = arrays["reach_bins_00000"]
        place = int(np.argmax(bins))
        bins[place] -= 1

    rewrite(good, tmp_path / "bad.insta", edit, keep=("probes",))
    with pytest.raises(FileFormatError, match="values of test rows differ from those when it was saved"):
        instashap.load(tmp_path / "bad.insta")


def test_a_word_of_the_manifest_is_under_the_digest(good: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(good) as archive:
        manifest, members = json.loads(archive.read("manifest.json")), {n: archive.read(n) for n in archive.namelist()[1:]}
    manifest["content"]["fitted"]["output_transform"] = "pounds"
    write_members(tmp_path / "bad.insta", manifest, members)
    with pytest.raises(FileFormatError, match="the manifest was altered"):
        instashap.load(tmp_path / "bad.insta")


def make_header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("shape", ["(2147483648,)", "(4294967296, 4294967296)", "(-1,)", "(" * 300, "(1.5,)", "'x'", "()"])
def test_a_header_that_claims_another_size_is_refused(good: Path, tmp_path: Path, shape: str) -> None:
    with zipfile.ZipFile(good) as archive:
        manifest, members = json.loads(archive.read("manifest.json")), {n: archive.read(n) for n in archive.namelist()[1:]}
    manifest.pop("digest")
    members["table_00000.npy"] = make_header(shape) + b"\0" * 64
    write_members(tmp_path / "bad.insta", manifest, members)
    with pytest.raises(FileFormatError, match="truncated or not a saved explainer"):
        instashap.load(tmp_path / "bad.insta")


def test_names_that_are_there_twice_are_refused(good: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(good) as archive:
        manifest, members = json.loads(archive.read("manifest.json")), {n: archive.read(n) for n in archive.namelist()[1:]}
    write_members(tmp_path / "bad.insta", manifest, members)
    with zipfile.ZipFile(tmp_path / "bad.insta", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("table_00000.npy", members["table_00000.npy"])
    with pytest.raises(FileFormatError, match="two members of the same name"):
        instashap.load(tmp_path / "bad.insta")
    text = json.dumps(manifest).replace('"content": {', '"content": {}, "content": {')
    with zipfile.ZipFile(tmp_path / "twice.insta", "w") as archive:
        archive.writestr("manifest.json", text)
    with pytest.raises(FileFormatError, match="repeats a name"):
        instashap.load(tmp_path / "twice.insta")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" + "[]," * 3_000_000 + "0]", '{"schema": 2, "sha256": {}, "content": 1e999}']
)
def test_a_manifest_with_too_many_values_is_refused(tmp_path: Path, text: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.insta", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", text)
    with pytest.raises(FileFormatError, match="truncated or not a saved explainer"):
        instashap.load(tmp_path / "bad.insta")


BOMB = """
import resource, sys
import instashap
instashap.load(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    instashap.load(sys.argv[1])
except instashap.FileFormatError as error:
    print(error, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, sep="|")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory as POSIX systems do")
@pytest.mark.parametrize("name", ["anything.npy", "table_00000.npy"])
def test_a_small_file_does_not_become_a_large_one_in_memory(good: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(good) as archive:
        manifest, members = json.loads(archive.read("manifest.json")), {n: archive.read(n) for n in archive.namelist()[1:]}
    manifest.pop("digest")
    members.pop(name, None)
    manifest["sha256"][name] = "0" * 64
    with zipfile.ZipFile(tmp_path / "bomb.insta", "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in members.items():
            archive.writestr(each, data)
        with archive.open(name, "w", force_zip64=True) as stream:
            stream.write(make_header(f"({2**24},)"))
            for _ in range(128):
                stream.write(b"\0" * 2**20)
        archive.writestr("manifest.json", json.dumps(manifest))
    assert (tmp_path / "bomb.insta").stat().st_size < 1_000_000
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path / "bomb.insta"), str(good)], capture_output=True, text=True, check=True
    )
    message, grown = done.stdout.split("|")
    assert "would unpack to 134," in message
    assert int(grown) * (1 if sys.platform == "darwin" else 1024) < 20e6


def test_a_file_of_zeros_is_accepted_though_it_compresses_well(tmp_path: Path) -> None:
    from instashap.store import read_archive

    write_archive(tmp_path / "zeros", {}, {f"table_{k}": np.zeros(2**21) for k in range(6)})  # 100 MB
    _, arrays = read_archive(tmp_path / "zeros")
    assert sum(array.nbytes for array in arrays.values()) == 6 * 2**24


def test_what_could_not_be_read_again_is_not_written(good: Path, tmp_path: Path) -> None:
    from instashap.store import read_archive

    content, arrays = read_archive(good)
    (tmp_path / "kept.insta").write_bytes(b"old")
    with pytest.raises(ValueError, match="array 'table_00000' holds infinite values or NaN"):
        write_archive(
            tmp_path / "kept.insta", content, {**arrays, "table_00000": arrays["table_00000"] * np.inf}, expect_explainer
        )
    assert (tmp_path / "kept.insta").read_bytes() == b"old"


def test_a_saved_file_has_every_array_that_the_schema_declares(good: Path) -> None:
    from instashap.store import read_archive

    content, arrays = read_archive(good)
    assert {member.name for member in expect_explainer(copy.deepcopy(content), list(arrays))} == set(arrays)
    assert "probes" in arrays
    assert "error_base" in arrays
    assert "residual_sizes" in arrays


def test_an_explainer_of_codes_comes_back(tmp_path: Path) -> None:
    """Codes have cells between them, levels have none: both are read, and a value without a cell of its own is not."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 40, 4000), rng.normal(size=4000)]).astype(float)
    explainer = instashap.Explainer(order=1).fit(X, outputs=rng.normal(size=40)[X[:, 0].astype(int)] + X[:, 1])
    encoder = explainer._fitted.encoder.columns[0]
    assert encoder.values == tuple(range(40))
    assert len(encoder.edges) > 39
    explainer.save(tmp_path / "codes.insta")
    np.testing.assert_array_equal(instashap.load(tmp_path / "codes.insta").shap_values(X), explainer.shap_values(X))
    levels = {"values": [1.0, 2.0, 3.0]}
    for edges, is_right in ([1.0, 2.5], True), ([0.5, 1.5, 1.7, 2.5], True), ([1.5], False), ([1.5, 3.0], False):
        assert (between_values(np.array(edges), levels) is None) == is_right
