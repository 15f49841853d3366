"""A zip of ``manifest.json`` and ``.npy`` members: versioned, checksummed, no code, no pickle.

The manifest holds ``schema`` (an integer), ``sha256`` (one digest per member), the caller's own ``content`` and a ``digest`` of
these two. A file may come from an untrusted source: names and sizes are checked before anything is read, and every value is
checked against the declaration of a *form* (:func:`.schema.expect_explainer`) before it is used.
"""

import hashlib
import io
import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FileFormatError
from .atomic import write_file
from .members import Member, pack_array, read_header, unpack_array

# 2: presence sets may hold places for any other player (-1). 3: a model may have a linear part. 4: an index part. Files of
# earlier schemas can still be read.
SCHEMA = 4
_MANIFEST = "manifest.json"
# Exceptions of zipfile, zlib, json and numpy on damaged bytes (each was raised when every byte of a saved file was flipped),
# and those that a manifest of another structure raises.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    ValueError,
    RuntimeError,  # includes NotImplementedError and RecursionError
    AttributeError,
    TypeError,
    OverflowError,
    MemoryError,
)
# A fixed time stamp: the same model saves to the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
# A file may unpack to this many bytes, plus this multiple of its own size. A larger one is refused as a decompression bomb.
_FREE_BYTES = 64 * 2**20
_MOST_RATIO = 100
# A member that would be compressed by more than this factor is stored uncompressed, so that saved files stay below the limit.
_STORED_RATIO = 50
# Limits of the manifest: bytes; and commas and opening brackets, each of which can stand for a value of a hundred bytes.
_MANIFEST_BYTES = 32 * 2**20
_MANIFEST_VALUES = 2_000_000

# A form maps a content and the names of the file's arrays to the arrays expected; raises ValueError for any other content.
Form = Callable[[Any, Sequence[str]], Iterable[Member]]


def accept_any(_: Any, names: Sequence[str]) -> list[Member]:
    """A form without requirements: accepts any arrays that hold no objects."""
    return [Member(name) for name in names]


def write_archive(
    path: str | os.PathLike[str], content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], form: Form = accept_any
) -> None:
    """Write ``content`` (JSON) and ``arrays`` to one file, atomically.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    ValueError
        If they do not match the form, so that the file could not be read again.
    """
    content = json.loads(json.dumps(content, allow_nan=False))  # what a reader will get
    for member in _list_members(form, content, list(arrays)):
        values = np.asarray(arrays[member.name])
        member.check_shape(values.dtype.newbyteorder("<"), values.shape)
        member.check_values(values)
    members = {f"{name}.npy": pack_array(array) for name, array in arrays.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    digest = _digest(content, digests)
    manifest = json.dumps({"schema": SCHEMA, "sha256": digests, "digest": digest, "content": content}, allow_nan=False)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {_MANIFEST: manifest.encode(), **members}.items():
            archive.writestr(zipfile.ZipInfo(name, _TIME), data, _choose_packing(data))
    write_file(path, buffer.getvalue())


def _choose_packing(data: bytes) -> int:
    is_dense = len(data) < 4096 or len(zlib.compress(data, 1)) * _STORED_RATIO > len(data)
    return zipfile.ZIP_DEFLATED if is_dense else zipfile.ZIP_STORED


def read_archive(path: str | os.PathLike[str], form: Form = accept_any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read back what :func:`write_archive` wrote, after checking version, sizes, digests and form.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If the file is truncated, altered, of another kind or form, or written by a newer version.
    """
    data = Path(path).read_bytes()
    try:
        return _read(path, data, form)
    except FileFormatError:
        raise
    except _DAMAGE as error:
        raise FileFormatError(f"{path} is truncated or not a saved explainer ({error})") from error


def _read(path: Any, data: bytes, form: Form) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = _list_infos(archive, len(data))
        manifest = _parse(archive.read(infos.pop(_MANIFEST)))
        _check_schema(path, manifest)
        content, digests = manifest["content"], manifest["sha256"]
        if not isinstance(digests, dict) or digests.keys() != infos.keys():
            odd = sorted(set(digests) ^ set(infos))
            raise ValueError(f"its members differ from those that its manifest names: {', '.join(map(repr, odd[:5]))}")
        if manifest.get("digest", ...) not in (..., _digest(content, digests)):
            raise FileFormatError(f"{path}: the manifest was altered (checksum differs); save the explainer again")
        arrays = {}
        for member in _list_members(form, content, [name.removesuffix(".npy") for name in infos]):
            name = f"{member.name}.npy"
            arrays[member.name] = _read_member(archive, infos[name], member, digests[name], path)
        return content, {name.removesuffix(".npy"): arrays[name.removesuffix(".npy")] for name in digests}


def _list_infos(archive: zipfile.ZipFile, n_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Members by name; raises ``ValueError`` for repeated names, unknown compression or too large sizes."""
    found = archive.infolist()
    infos = {info.filename: info for info in found}
    if len(infos) < len(found):
        raise ValueError("it holds two members of the same name")
    if _MANIFEST not in infos:
        raise ValueError(f"it holds no {_MANIFEST}")
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1 for info in found):
        raise ValueError("a member is encrypted, or compressed by another method than deflate")
    total, most = sum(info.file_size for info in found), _FREE_BYTES + _MOST_RATIO * n_bytes
    if total > most or infos[_MANIFEST].file_size > _MANIFEST_BYTES:
        raise ValueError(f"it would unpack to {total:,} bytes, of which {infos[_MANIFEST].file_size:,} are the manifest's")
    return infos


def _list_members(form: Form, content: Any, names: Sequence[str]) -> list[Member]:
    """The members that the form expects; raises ``ValueError`` unless their names are exactly ``names``."""
    members = list(form(content, names))
    odd = sorted({member.name for member in members} ^ set(names))
    if odd:
        raise ValueError(f"its arrays differ from those that its manifest calls for: {', '.join(map(repr, odd[:5]))}")
    return members


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: Member, digest: Any, path: Any) -> NDArray[Any]:
    """One array; its header and size are checked before its values are read, and these before they are returned."""
    with archive.open(info) as stream:
        dtype, shape, start = read_header(stream)
    if start + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ValueError(f"array {member.name!r} of {dtype.str} and shape {shape} does not take {info.file_size:,} bytes")
    member.check_shape(dtype, shape)
    data = archive.read(info)
    if hashlib.sha256(data).hexdigest() != digest:
        raise FileFormatError(f"{path}: member {info.filename!r} was altered (checksum differs); save the explainer again")
    array = unpack_array(data, dtype, shape, start)
    member.check_values(array)
    return array


def _parse(data: bytes) -> dict[str, Any]:
    """The manifest as a dict; refuses repeated names, numbers that are not finite, and too many values."""
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > _MANIFEST_VALUES:
        raise ValueError("its manifest holds too many values")
    manifest = json.loads(data, parse_constant=_parse_float, parse_float=_parse_float, object_pairs_hook=_make_object)
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is not a JSON object")
    return manifest


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"its manifest holds {text[:20]}, which is not a finite number")
    return value


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("its manifest repeats a name")
    return made


def _digest(content: Any, digests: Mapping[str, str]) -> str:
    """Digest of the content and of the members' digests, hence of everything in the file."""
    plain = json.dumps([content, digests], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()


def _check_schema(path: str | os.PathLike[str], manifest: Mapping[str, Any]) -> None:
    schema = manifest.get("schema")
    if type(schema) is not int or schema < 1:
        raise FileFormatError(f"{path} is not a saved explainer (its manifest has no schema number)")
    if schema > SCHEMA:
        raise FileFormatError(
            f"{path} has schema {schema}, this version of instashap reads up to {SCHEMA}; pip install -U instashap"
        )
