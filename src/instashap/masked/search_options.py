"""What a search over moments of rows is asked for."""

from typing import Protocol

from .candidate_search import CandidateOptions


class SearchOptions(CandidateOptions, Protocol):
    """What the search reads of a fitter; see :class:`instashap.masked.fitter.ClosedFormFitter`."""

    @property
    def players(self) -> tuple[int, ...]: ...

    @property
    def presence_order(self) -> int | str: ...
