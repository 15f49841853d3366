"""Arrays of a file: the dtype, shape and rules expected of each, and reading that checks sizes before values."""

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sizes of a file, a column or a term, by name.
Scope = MutableMapping[str, Any]
# Returns a phrase that says what is wrong with an array, or None.
Rule = Callable[[NDArray[Any], Scope], str | None]

_SUM = re.compile(r"(\w+) ([-+*]) (\w+)")
# An npy header of a plain array has about 120 bytes.
MAX_HEADER = 1024


@dataclass(frozen=True)
class Member:
    """The dtype, shape and rules expected of one array.

    Attributes
    ----------
    name : str
    dtype : str or None
        NumPy dtype as written to the file (little-endian), or several joined by " or ". None accepts any without objects.
    shape : tuple of str, or None
        Each entry is a number, the name of a size, ``"a + b"``, ``"a - b"`` or ``"a * b"``, or ``"*a"`` for several sizes. A
        name without a value yet takes the size that is found; a value may be another such text. None accepts any shape.
    rules : tuple of callable
    scope : dict
        Sizes by name.
    """

    name: str
    dtype: str | None = None
    shape: tuple[str, ...] | None = None
    rules: tuple[Rule, ...] = ()
    scope: Scope = field(default_factory=dict)

    def check_shape(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Raise ``ValueError`` unless dtype and shape are as declared; new sizes are added to the scope."""
        known = None if self.dtype is None else map(np.dtype, self.dtype.split(" or "))
        if dtype.hasobject or (known is not None and dtype not in known):
            expected_dtype = self.dtype or "plain values (allow_pickle=False)"
            raise ValueError(f"array {self.name!r} must hold {expected_dtype}, got {dtype.str}")
        if self.shape is None:
            return
        expected: list[int | None] = []
        for each in self.shape:
            expected += self._resolve(each, shape[len(expected)] if len(expected) < len(shape) else None)
        if tuple(expected) != shape:
            raise ValueError(f"array {self.name!r} must have the shape {tuple(expected)}, got {shape}")

    def check_values(self, array: NDArray[Any]) -> None:
        """Raise ``ValueError`` unless every rule holds."""
        for rule in self.rules:
            problem = rule(array, self.scope)
            if problem is not None:
                raise ValueError(f"array {self.name!r} {problem}")

    def _resolve(self, size: str, found: int | None) -> list[int | None]:
        if size.startswith("*"):
            return list(self.scope[size[1:]])
        parts = _SUM.fullmatch(size)
        if parts is None:
            known = int(size) if size.isdigit() else self.scope.setdefault(size, found)
            return self._resolve(known, found) if isinstance(known, str) else [known]
        left, right = (self._resolve(each, None)[0] for each in (parts[1], parts[3]))
        if left is None or right is None:
            return [None]
        return [{"+": left + right, "-": left - right, "*": left * right}[parts[2]]]


def pack_array(array: NDArray[Any]) -> bytes:
    """The bytes of an array as ``.npy``: C order, little-endian, no objects."""
    values = np.asarray(array, order="C")
    buffer = BytesIO()
    np.save(buffer, values.astype(values.dtype.newbyteorder("<"), copy=False), allow_pickle=False)
    return buffer.getvalue()


def read_header(stream: Any) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Dtype, shape and first byte of the values of an ``.npy`` stream; raises ``ValueError`` for objects or Fortran order."""
    head = BytesIO(stream.read(MAX_HEADER))
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError("an array is of another npy version than 1.0")
    try:
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(head, max_header_size=MAX_HEADER)
    except Exception as error:  # numpy parses the header as Python, which can raise any exception
        raise ValueError(f"an array's header cannot be read ({type(error).__name__})") from error
    if dtype.hasobject or dtype.itemsize == 0 or is_fortran or min(shape, default=0) < 0 or len(shape) > 8:
        raise ValueError(f"an array of {dtype} and shape {shape} (Fortran order: {is_fortran}) is not plain")
    return dtype, shape, head.tell()


def unpack_array(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], start: int) -> NDArray[Any]:
    """A writable copy of the values in the bytes of an ``.npy``, in the machine's byte order."""
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def finite(array: NDArray[Any], _: Scope) -> str | None:
    """Require neither infinite values nor NaN."""
    return None if np.isfinite(array).all() else "holds infinite values or NaN"


def not_infinite(array: NDArray[Any], _: Scope) -> str | None:
    """Require finite values or NaN."""
    return "holds infinite values" if np.isinf(array).any() else None


def rising(array: NDArray[Any], _: Scope) -> str | None:
    """Require strictly increasing values."""
    return None if (array[1:] > array[:-1]).all() else "must be strictly increasing"


def sorted_(array: NDArray[Any], _: Scope) -> str | None:
    """Require values in non-decreasing order."""
    return None if (array[1:] >= array[:-1]).all() else "must be sorted"


def positive(array: NDArray[Any], _: Scope) -> str | None:
    """Require values above zero."""
    return None if (array > 0).all() else "must be above zero"


def not_negative(array: NDArray[Any], _: Scope) -> str | None:
    """Require values of zero or above."""
    return None if (array >= 0).all() else "must not be below zero"


def filled(array: NDArray[Any], _: Scope) -> str | None:
    """Require at least one value."""
    return None if array.size else "is empty"
