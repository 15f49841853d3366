"""Parts of sentences: numbers, shares, changes and lists as people and language models read them.

Every text of the library is made of these, so that the same figures give the same sentences, and a number looks alike wherever
it stands. Minus is ``−``; decimals follow the size of a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def percent(share: float) -> str:
    """A share in percent: more digits near its ends, where they matter."""
    n_digits = 2 if 0.999 <= share < 1 else 1 if share > 0.97 or abs(share) < 0.1 else 0
    text = f"{100 * share:.{n_digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %".replace("-0 %", "0 %")


def join(parts: Sequence[str], last: str = "and") -> str:
    """Names as a list in a sentence.

    Examples
    --------
    >>> join(["hour", "temp", "wind"])
    'hour, temp and wind'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def write_number(value: float, n_digits: int = 3) -> str:
    """A number to so many significant digits, whole thousands with separators.

    Examples
    --------
    >>> write_number(-0.04321), write_number(12345.6), write_number(2.0)
    ('−0.0432', '12,300', '2')
    """
    rounded = float(f"{value:.{n_digits}g}")
    if rounded == 0 or not 1e-4 <= abs(rounded) < 1e9:
        text = f"{rounded:.{n_digits}g}"
    else:
        text = f"{rounded:,.10f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def write_like(value: float, largest: float, sign: str = "") -> str:
    """A number with the decimals that show ``largest`` to three digits, so that numbers beside each other add up.

    ``sign="+"`` also shows the sign of positive numbers; a number that rounds to zero has no sign.

    Examples
    --------
    >>> write_like(-26546.4, 39235.0), write_like(0.5, 1.85, "+"), write_like(0.001, 1.85), write_like(2e-9, 1e-8)
    ('−26,546', '+0.50', '0.00', '2e−09')
    """
    if largest and not 1e-4 <= largest < 1e7:
        return f"{value:{sign}.3g}".replace("-", "−")
    decimals = max(2 - math.floor(math.log10(largest)), 0) if largest else 0
    text = f"{value:{sign},.{decimals}f}"
    return text.replace("-", "−") if text.strip("+-0.") else text.lstrip("+-")


def write_change(value: float, n_digits: int = 3) -> str:
    """A change as a verb and its size.

    Examples
    --------
    >>> write_change(0.5), write_change(-2), write_change(0.0)
    ('adds 0.5', 'subtracts 2', 'adds nothing')
    """
    if value == 0:
        return "adds nothing"
    return f"{'adds' if value > 0 else 'subtracts'} {write_number(abs(value), n_digits)}"


def write_interval(value: float, error: float, width: float = 1.73) -> str:
    """An estimate with its 90 % interval: ``width`` standard errors on either side, for 19 degrees of freedom by default.

    Examples
    --------
    >>> write_interval(2.0, 0.4)
    '2 (1.31 to 2.69)'
    """
    low, high = (write_number(value + sign * width * error) for sign in (-1.0, 1.0))
    return f"{write_number(value)} ({low} to {high})"


def count(number: int, noun: str) -> str:
    """A number of things.

    Examples
    --------
    >>> count(1, "row"), count(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
