"""Files: the format of saved explainers, the declaration of their content, and atomic writing."""

from .archive import read_archive, write_archive
from .atomic import write_file
from .images import expect_images
from .schema import expect_explainer

__all__ = ["expect_explainer", "expect_images", "read_archive", "write_archive", "write_file"]
