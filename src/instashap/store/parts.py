"""A long file written part by part, so that work that was interrupted goes on where it stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .atomic import write_file

_MANIFEST = "manifest.json"
# Ends the names of folders of parts.
PARTS_SUFFIX = ".parts"


@dataclass
class PartFolder:
    """Finished parts of a file, in a folder beside it: ``NAME.parts`` with numbered files and a manifest.

    Attributes
    ----------
    folder : Path
    key : str
        What the parts are of; parts under another key are thrown away.
    entries : list of dict
        What is known of each part, as JSON, in order.
    """

    folder: Path
    key: str
    entries: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, target: str | os.PathLike[str], key: str) -> PartFolder:
        """The parts that an interrupted run has left beside a target, if they have this key; else none, in an empty folder."""
        path = Path(target)
        folder = path.with_name(f"{path.name}{PARTS_SUFFIX}")
        entries = _read_manifest(folder, key)
        if entries is None and folder.exists():
            _refuse_strange(folder)
            shutil.rmtree(folder)
        parts = cls(folder, key, entries or [])
        if entries is None:
            folder.mkdir()
            parts._write_manifest()
        return parts

    def get_path(self, number: int) -> Path:
        """Where a part lies."""
        return self.folder / f"part-{number:06d}.parquet"

    def put(self, number: int, content: bytes, entry: dict[str, Any]) -> None:
        """Write a part, then the manifest that names it."""
        write_file(self.get_path(number), content)
        self.entries[number : number + 1] = [entry]
        self._write_manifest()

    def _write_manifest(self) -> None:
        write_file(self.folder / _MANIFEST, json.dumps({"key": self.key, "parts": self.entries}))

    def iterate(self) -> Iterator[Path]:
        """Files of the parts, in order."""
        return map(self.get_path, range(len(self.entries)))

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder)


def _read_manifest(folder: Path, key: str) -> list[dict[str, Any]] | None:
    """Entries of a folder's manifest; None if there is none under this key, or one of its parts is gone."""
    try:
        content = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        entries = content["parts"] if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_whole = entries is not None and all((folder / f"part-{number:06d}.parquet").exists() for number in range(len(entries)))
    return entries if is_whole else None


def _refuse_strange(folder: Path) -> None:
    """Raise ``FileExistsError`` for a folder that was not made for parts."""
    if not (folder / _MANIFEST).exists() and any(folder.iterdir()):
        raise FileExistsError(f"finished parts are kept in {folder}, which holds something else: move it away")
