"""Tables: reading columns as numbers or categories, and encoding them in cells with local bases."""

from .bases import ColumnEncoder, LocalBasis
from .columns import Schema, Table, read_table
from .encoding import Encoded, TableEncoder

__all__ = ["ColumnEncoder", "Encoded", "LocalBasis", "Schema", "Table", "TableEncoder", "read_table"]
