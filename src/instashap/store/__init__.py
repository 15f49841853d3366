"""The file format of saved explainers."""

from .archive import read_archive, write_archive

__all__ = ["read_archive", "write_archive"]
