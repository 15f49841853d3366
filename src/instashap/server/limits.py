"""How much one request may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Attributes
    ----------
    max_rows : int
    max_bytes : int
        Of a request's body.
    timeout : float
        Seconds for a body to arrive, and for its answer to be computed.
    max_bytes_in_flight : int
        Of all bodies that are being read or answered.
    """

    max_rows: int = 10_000
    max_bytes: int = 16_000_000
    timeout: float = 30.0
    max_bytes_in_flight: int = 64_000_000
