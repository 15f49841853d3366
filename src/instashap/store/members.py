"""Arrays of a file: what is expected of each, and how its bytes are read only once its size is known to be right."""

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sizes by name, of a file, a column or a term.
Scope = MutableMapping[str, Any]
# A sentence on what is wrong with an array, or None.
Rule = Callable[[NDArray[Any], Scope], str | None]

_SUM = re.compile(r"(\w+) ([-+*]) (\w+)")
# An npy header of a plain array has about 120 bytes.
MAX_HEADER = 1024


@dataclass(frozen=True)
class Member:
    """What is expected of one array.

    Attributes
    ----------
    name : str
    dtype : str or None
        Of numpy, as written to the file: little-endian; several with " or " between. None for any without objects.
    shape : tuple of str, or None
        Each a number, a name of a size, ``"a + b"``, ``"a - b"`` or ``"a * b"``, or ``"*a"`` for several sizes. A name that has
        no value yet takes the one that is found; a value may be another such text. None for any.
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
        """Raise ``ValueError`` unless dtype and shape are as declared; sizes that are new are noted in the scope."""
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
    """Dtype, shape and first byte of the values of an ``.npy`` stream; raises ``ValueError`` for all that is not plain."""
    head = BytesIO(stream.read(MAX_HEADER))
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError("an array is of another npy version than 1.0")
    try:
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(head, max_header_size=MAX_HEADER)
    except Exception as error:  # numpy reads the header as Python, whose readers raise what they like
        raise ValueError(f"an array's header cannot be read ({type(error).__name__})") from error
    if dtype.hasobject or dtype.itemsize == 0 or is_fortran or min(shape, default=0) < 0 or len(shape) > 8:
        raise ValueError(f"an array of {dtype} and shape {shape} (Fortran order: {is_fortran}) is not plain")
    return dtype, shape, head.tell()


def unpack_array(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], start: int) -> NDArray[Any]:
    """An array of its own from bytes of an ``.npy``, in the machine's byte order."""
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def finite(array: NDArray[Any], _: Scope) -> str | None:
    """Neither infinite nor NaN."""
    return None if np.isfinite(array).all() else "holds values that are infinite or no numbers"


def not_infinite(array: NDArray[Any], _: Scope) -> str | None:
    """Finite, or NaN where there is nothing."""
    return "holds infinite values" if np.isinf(array).any() else None


def rising(array: NDArray[Any], _: Scope) -> str | None:
    """Each value above the one before it."""
    return None if (array[1:] > array[:-1]).all() else "must rise from value to value"


def sorted_(array: NDArray[Any], _: Scope) -> str | None:
    """No value below the one before it."""
    return None if (array[1:] >= array[:-1]).all() else "must be sorted"


def positive(array: NDArray[Any], _: Scope) -> str | None:
    """Above zero."""
    return None if (array > 0).all() else "must be above zero"


def not_negative(array: NDArray[Any], _: Scope) -> str | None:
    """Zero or above."""
    return None if (array >= 0).all() else "must not be below zero"


def filled(array: NDArray[Any], _: Scope) -> str | None:
    """One value or more."""
    return None if array.size else "is empty"
