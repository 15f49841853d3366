"""A zip of ``manifest.json`` and ``.npy`` members: versioned, checksummed, no code, no pickle.

The manifest holds ``schema`` (an integer), ``sha256`` (one digest a member) and the caller's own ``content``. A file is
written beside its destination and moved into place, so an interrupted save leaves the old file or none.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import FileFormatError

# 2: presence sets may hold places for any other player (-1); files of schema 1 read as ever.
SCHEMA = 2
_MANIFEST = "manifest.json"
# What zipfile, zlib, json and numpy raise on damaged bytes (each was met by flipping every byte of a saved file), and what a
# manifest of another shape raises.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    ValueError,
    RuntimeError,  # with NotImplementedError
    AttributeError,
    TypeError,
)
# A fixed time stamp: the same model saves to the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_archive(path: str | os.PathLike[str], content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write ``content`` (JSON) and ``arrays`` to one file, atomically.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    """
    members = {f"{name}.npy": _to_npy(array) for name, array in arrays.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    manifest = json.dumps({"schema": SCHEMA, "sha256": digests, "content": content}, allow_nan=False).encode()
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in {_MANIFEST: manifest, **members}.items():
                archive.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)
        _use_default_permissions(temporary)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_archive(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read back what :func:`write_archive` wrote, after checking version and digests.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If the file is truncated, altered, of another kind, or written by a newer version.
    """
    data = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            _check_schema(path, manifest)
            arrays = {}
            for name, digest in manifest["sha256"].items():
                member = archive.read(name)
                if hashlib.sha256(member).hexdigest() != digest:
                    raise FileFormatError(f"{path}: member {name!r} was altered (checksum differs); save the explainer again")
                arrays[name.removesuffix(".npy")] = np.load(io.BytesIO(member), allow_pickle=False)
            return manifest["content"], arrays
    except FileFormatError:
        raise
    except _DAMAGE as error:
        raise FileFormatError(f"{path} is truncated or not a saved explainer ({error})") from error


def _check_schema(path: str | os.PathLike[str], manifest: Mapping[str, Any]) -> None:
    schema = manifest.get("schema")
    if not isinstance(schema, int):
        raise FileFormatError(f"{path} is not a saved explainer (its manifest has no schema number)")
    if schema > SCHEMA:
        raise FileFormatError(
            f"{path} has schema {schema}, this version of instashap reads up to {SCHEMA}; pip install -U instashap"
        )


def _to_npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def _use_default_permissions(path: str) -> None:
    """mkstemp makes files private; a saved explainer gets what ``open`` would have given it."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)
