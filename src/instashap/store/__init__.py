"""Files: the format of saved explainers, the declaration of their content, and atomic writing."""

from .archive import read_archive, write_archive
from .atomic import replace_file, write_file
from .images import expect_images
from .parts import PartFolder
from .schema import expect_explainer

__all__ = ["PartFolder", "expect_explainer", "expect_images", "read_archive", "replace_file", "write_archive", "write_file"]
