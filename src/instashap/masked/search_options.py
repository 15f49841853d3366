"""What a search is asked for."""

from collections.abc import Callable
from typing import Any, Protocol

from ..table.bases import LearntColumn


class SearchOptions(Protocol):
    """What a search reads of a fitter; see :class:`instashap.masked.fitter.ClosedFormFitter`."""

    @property
    def columns(self) -> tuple[LearntColumn, ...]: ...

    @property
    def players(self) -> tuple[int, ...]: ...

    @property
    def order(self) -> int: ...

    @property
    def presence_order(self) -> int | str: ...

    @property
    def interactions(self) -> Any: ...

    @property
    def progress(self) -> Callable[[float, str], None] | None: ...
