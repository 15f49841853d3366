"""Times until an event as rows of subjects and periods, each of which has the event or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._row_arrays import check_target

_SEEN = ("true", "yes", "y", "t", "1", "dead", "died", "death", "event", "failed", "failure")  # not censored, alive or no
_FLAGS = "must be True or 1 where the event was seen, and False or 0 where the row was censored"
# Least share of a row that counts.
_LEAST_SHARE = 1e-6


class Periods(NamedTuple):
    """Rows of subjects and periods in which they were at risk.

    Attributes
    ----------
    subjects : ndarray of shape (n_rows,), int64
    numbers : ndarray of shape (n_rows,), int64
        Period of each row, from 0.
    events : ndarray of shape (n_rows,), int64
        1 where the subject's event is in the period.
    """

    subjects: NDArray[np.int64]
    numbers: NDArray[np.int64]
    events: NDArray[np.int64]


def read_times(times: Any, events: Any, n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Times and whether each is that of an event (else of censoring), checked; each of shape (n_rows,).

    Raises
    ------
    ValueError
        For times that are not above 0, events that are not 0 and 1, or fewer than two events.
    """
    known, flags = _read_numbers(times, n_rows, "times"), _read_numbers(events, n_rows, "events")
    if known.shape[1] != 1 or flags.shape[1] != 1:
        raise ValueError(f"pass one time and one event for each row, got {known.shape[1]} and {flags.shape[1]} columns")
    if not (known > 0).all():
        raise ValueError(f"times must be above 0, the smallest is {known.min():g}: count from the start of observation")
    if not np.isin(flags, (0.0, 1.0)).all():
        raise ValueError(f"events {_FLAGS}")
    if flags.sum() < 2:
        raise ValueError(f"{int(flags.sum())} of {n_rows} rows have the event; a hazard is not estimated from fewer than two")
    return known[:, 0], flags[:, 0] == 1.0


def _read_numbers(values: Any, n_rows: int, name: str) -> NDArray[np.float64]:
    try:
        return check_target(values, n_rows, name).reshape(n_rows, -1)
    except ValueError as error:
        words = sorted({str(each) for each in np.ravel(values).tolist() if isinstance(each, str)})
        if name == "events" and words:
            seen = next((repr(word) for word in words if word.casefold() in _SEEN), "the word for an event that was seen")
            raise ValueError(f"events {_FLAGS}; got {', '.join(map(repr, words[:3]))}: pass events == {seen}") from error
        raise


def choose_ends(times: NDArray[np.float64], events: NDArray[np.bool_], n_periods: int) -> NDArray[np.float64]:
    """Ends of periods with about equal numbers of events, rising; the last is the last event."""
    ends = np.quantile(times[events], np.linspace(0.0, 1.0, n_periods + 1)[1:], method="higher")
    return np.unique(ends)


def split_periods(times: NDArray[np.float64], events: NDArray[np.bool_], ends: NDArray[np.float64]) -> Periods:
    """One row for each subject and period ``(end_{k-1}, end_k]`` that it went through, or in which it has the event.

    For a period in which a subject is censored before its end see :func:`count_censored`.

    Examples
    --------
    >>> split_periods(np.array([2.5, 1.5]), np.array([True, False]), np.array([1.0, 2.0, 3.0]))
    Periods(subjects=array([0, 0, 0, 1]), numbers=array([0, 1, 2, 0]), events=array([0, 0, 1, 0]))
    """
    n_whole = np.searchsorted(ends, times, side="right")  # periods that end at the time or before
    own = np.searchsorted(ends, times, side="left")  # the period of the time
    has_event = events & (own < len(ends))
    n_rows = np.where(has_event, own + 1, n_whole)
    subjects = np.repeat(np.arange(len(times)), n_rows)
    numbers = np.arange(len(subjects)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    return Periods(subjects, numbers, (has_event[subjects] & (numbers == own[subjects])).astype(np.int64))


def count_censored(
    times: NDArray[np.float64], events: NDArray[np.bool_], ends: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[Periods, NDArray[np.float64]]:
    """A row without the event for each subject censored within a period, and the share of a row that each counts.

    Without these rows hazards are overestimated: of the subjects who leave within a period, only those with the event would
    count. With the shares the hazard of all subjects together is that of Kaplan and Meier, ``d / (d + m + share c) = h``: d, m
    and c are the weights of those who have the event in the period, go through it, and are censored within it.

    Parameters
    ----------
    times, events, ends
        As in :func:`split_periods`.
    weights : ndarray of shape (n_subjects,), float64

    Examples
    --------
    The one event has four at risk, so that the hazard is 1 / 4, and who is censored after it, within the period, counts whole:

    >>> count_censored(np.array([2.0, 2.5, 5.0, 5.0]), np.array([True, False, False, False]), np.array([3.0]), np.ones(4))[1]
    array([1.])
    """
    n_periods = len(ends)
    own = np.searchsorted(ends, times, side="left")  # the period of the time; n_periods after the last
    known, place = np.unique(times, return_inverse=True)
    at_risk = np.bincount(place, weights=weights)[::-1].cumsum()[::-1]
    falls = 1.0 - np.bincount(place, weights=weights * events) / np.maximum(at_risk, 1e-300)
    left = np.ones(n_periods + 1)
    np.multiply.at(left, np.searchsorted(ends, known, side="left"), falls)
    is_within = ~events & (np.append(ends, -np.inf)[own] > times)
    seen, within = (np.bincount(own, weights=weights * which, minlength=n_periods + 1)[:-1] for which in (events, is_within))
    entered = at_risk[np.searchsorted(known, np.append(0.0, ends[:-1]), side="right")]  # later than the end before
    whole = entered - seen - within
    shares = np.clip((seen / np.maximum(1.0 - left[:-1], 1e-300) - seen - whole) / np.maximum(within, 1e-300), 0.0, 1.0)
    subjects = np.flatnonzero(is_within & (weights > 0))
    subjects = subjects[shares[own[subjects]] > _LEAST_SHARE]
    return Periods(subjects, own[subjects], np.zeros(len(subjects), dtype=np.int64)), shares[own[subjects]]


def measure_concordance(risk: NDArray[np.float64], times: NDArray[np.float64], events: NDArray[np.bool_]) -> float:
    """Harrell's C-index: of pairs whose order of events is known, the share with the greater risk at the earlier event.

    Equal risks count one half. NaN if no order is known.

    Examples
    --------
    >>> measure_concordance(np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([True, True, False]))
    0.6666666666666666
    """
    right = pairs = 0.0
    for place in np.flatnonzero(events):
        later = (times > times[place]) | ((times == times[place]) & ~events)
        pairs += later.sum()
        right += (risk[place] > risk[later]).sum() + 0.5 * (risk[place] == risk[later]).sum()
    return float(right / pairs) if pairs else float("nan")
