"""A fitted game as JSON: everything that scores a row, as plain lists."""

import json
import os

from ..fitted.game import FittedGame
from ..store.atomic import write_file
from .scorer_tables import check_text, write_out_tables

FORMAT, VERSION = "instashap tables", 1
# Of a model with linear predictions of columns: a program that does not read these would give other Shapley values.
VERSION_WITH_INDEX = 2


def write_json(fitted: FittedGame, path: str | os.PathLike[str]) -> None:
    """Write the tables of a game; numbers are written so that they are read to the same bits.

    The file holds ``format``, ``version``, the facts of :meth:`FittedGame.tables`, and ``arrays`` as nested lists by name. A
    linear part is written out as tables. Raises ``ValueError`` for parts that the format does not know, and for a fit that
    converts text.
    """
    check_text(fitted, "a JSON file")
    described, arrays = write_out_tables(fitted)
    lists = {name: each.tolist() for name, each in arrays.items()}
    version = VERSION if fitted.model.index is None else VERSION_WITH_INDEX
    content = {"format": FORMAT, "version": version, **described, "arrays": lists}
    write_file(path, json.dumps(content, ensure_ascii=False, allow_nan=False))
