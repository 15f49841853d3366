"""Limits of requests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Attributes
    ----------
    max_rows : int
        Rows in one request.
    max_bytes : int
        Bytes in the body of one request.
    timeout : float
        Seconds for a body to arrive, and for its answer to be computed.
    max_bytes_in_flight : int
        Total bytes of all bodies that are being read or answered.
    """

    max_rows: int = 10_000
    max_bytes: int = 16_000_000
    timeout: float = 30.0
    max_bytes_in_flight: int = 64_000_000
