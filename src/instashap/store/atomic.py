"""Atomic writing of files: at every moment a file holds either its old or its new content."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Flag for an open file without a name, where the system supports it: a killed process leaves no partial file.
_UNNAMED = getattr(os, "O_TMPFILE", None)


def write_file(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write ``data`` (text as UTF-8) to a file, all of it or nothing.

    The bytes go to a new file in the same folder and are flushed to the disk; then the new file is renamed. Symbolic links are
    followed; an existing file keeps its mode, a new one gets the mode that ``open`` would have given it. A path that is not a
    regular file (a terminal, a pipe) is written to directly.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written, or the disk is full; the old file is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_file(f"{folder}/a.txt", "one")
    ...     write_file(f"{folder}/a.txt", "two")
    ...     print(os.listdir(folder), Path(f"{folder}/a.txt").read_text())
    ['a.txt'] two
    """
    content = data.encode() if isinstance(data, str) else data
    target = Path(os.path.realpath(path))
    mode = _find_mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(content)
        return
    with replace_file(target) as stream:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(stream.fileno(), stat.S_IMODE(mode))
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _find_mode(target: Path) -> int | None:
    """Mode of an existing file, None if there is none; raises ``PermissionError`` if it cannot be written."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(mode) and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(target))
    return mode


@contextmanager
def replace_file(target: Path) -> Iterator[BinaryIO]:
    """A new file that replaces ``target`` when the block ends, and is removed if the block raises; links are not followed."""
    if not target.parent.exists():
        raise FileNotFoundError(2, f"the folder {target.parent} does not exist; make it first", str(target))
    beside = target.with_name(f".{secrets.token_hex(8)}.part")
    stream, is_named = _open(target.parent, beside)
    try:
        with stream:
            yield stream
            if not is_named:
                # A folder's handle makes Python follow the link to the open file; the path itself is absolute.
                os.link(f"/proc/self/fd/{stream.fileno()}", beside, src_dir_fd=stream.fileno())
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _open(folder: Path, beside: Path) -> tuple[BinaryIO, bool]:
    """A new file for writing, and whether it has a name yet; its mode is the process's default for new files."""
    if _UNNAMED is not None and os.path.isdir("/proc/self/fd"):
        with suppress(OSError):  # not every file system has files without a name
            return os.fdopen(os.open(folder, os.O_RDWR | _UNNAMED, 0o666), "wb"), False
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(beside, flags, 0o666), "wb"), True


def _flush_folder(folder: Path) -> None:
    """Flush the folder, and so the new name, to the disk; does nothing where folders cannot be flushed."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
