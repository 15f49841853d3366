"""Kinds of JSON values, from which the declaration of a manifest is built; each raises ``ValueError`` for other values."""

import math
from collections.abc import Callable, Mapping
from typing import Any

# Called with a value and its place in the manifest; raises ValueError with both if the value is of another kind.
Kind = Callable[[Any, str], None]


# What each kind accepts, as JSON Schema: at least what its function does.
_FORMS: dict[Kind, dict[str, Any]] = {}


def describe_kind(kind: Kind) -> dict[str, Any]:
    """What a kind accepts, as JSON Schema."""
    return _FORMS[kind]


def _note(kind: Kind, form: dict[str, Any]) -> Kind:
    _FORMS[kind] = form
    return kind


def _refuse(value: Any, place: str, expected: str) -> ValueError:
    shown = repr(value)
    return ValueError(f"{place} must be {expected}, got {shown if len(shown) <= 60 else shown[:57] + '...'}")


def anything(value: Any, place: str) -> None:
    """Any JSON value."""


def text(value: Any, place: str) -> None:
    """Text that can be written as UTF-8."""
    if type(value) is not str:
        raise _refuse(value, place, "text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _refuse(value, place, "text without half characters") from error


def flag(value: Any, place: str) -> None:
    """True or false."""
    if type(value) is not bool:
        raise _refuse(value, place, "true or false")


def number(value: Any, place: str) -> None:
    """A finite number."""
    if type(value) is int:
        if abs(value) > 2**1000:
            raise _refuse(value, place, "a finite number")
    elif type(value) is not float or not math.isfinite(value):
        raise _refuse(value, place, "a finite number")


def scalar(value: Any, place: str) -> None:
    """Text, a finite number, true or false."""
    if type(value) is str:
        text(value, place)
    elif type(value) is not bool:
        number(value, place)


_note(anything, {})
_note(text, {"type": "string"})
_note(flag, {"type": "boolean"})
_note(number, {"type": "number"})
_note(scalar, {"type": ["string", "number", "boolean"]})


def _bound(least: int, most: int | None) -> dict[str, int]:
    return {"minItems": least} | ({} if most is None else {"maxItems": most})


def integer(least: int, most: int = 2**31 - 1) -> Kind:
    """A whole number in a range, ends included."""

    def check(value: Any, place: str) -> None:
        if type(value) is not int or not least <= value <= most:
            raise _refuse(value, place, f"a whole number from {least} to {most}")

    return _note(check, {"type": "integer", "minimum": least, "maximum": most})


def one_of(*choices: str) -> Kind:
    """One of some words."""

    def check(value: Any, place: str) -> None:
        if type(value) is not str or value not in choices:
            raise _refuse(value, place, f"one of {', '.join(map(repr, choices))}")

    return _note(check, {"enum": list(choices)})


def maybe(kind: Kind) -> Kind:
    """A value of a kind, or null."""

    def check(value: Any, place: str) -> None:
        if value is not None:
            kind(value, place)

    return _note(check, {"anyOf": [describe_kind(kind), {"type": "null"}]})


def list_of(kind: Kind, least: int = 0, most: int | None = None) -> Kind:
    """A list of values of one kind, and how many there may be."""

    def check(value: Any, place: str) -> None:
        if type(value) not in (list, tuple):
            raise _refuse(value, place, "a list")
        if len(value) < least or (most is not None and len(value) > most):
            raise ValueError(f"{place} must have {least}{'' if most == least else ' or more'} entries, got {len(value)}")
        for number_, each in enumerate(value):
            kind(each, f"{place}[{number_}]")

    return _note(check, {"type": "array", "items": describe_kind(kind), **_bound(least, most)})


def one_or_more(kind: Kind) -> Kind:
    """A value of a kind, or a list of such."""
    several = list_of(kind)

    def check(value: Any, place: str) -> None:
        (several if type(value) is list else kind)(value, place)

    return _note(check, {"anyOf": [describe_kind(kind), describe_kind(several)]})


def mapping_of(kind: Kind) -> Kind:
    """An object with any names, all values of one kind."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            raise _refuse(value, place, "an object")
        for name, each in value.items():
            text(name, f"a name in {place}")
            kind(each, f"{place}.{name}")

    return _note(check, {"type": "object", "additionalProperties": describe_kind(kind)})


def record(kinds: Mapping[str, Kind], *, is_open: bool = False) -> Kind:
    """An object with named values; a name that ends in ``?`` may be missing, other names are refused unless ``is_open``."""
    required = {name: kind for name, kind in kinds.items() if not name.endswith("?")}
    known = required | {name[:-1]: kind for name, kind in kinds.items() if name.endswith("?")}

    def check(value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            raise _refuse(value, place, "an object")
        for name in required:
            if name not in value:
                raise ValueError(f"{place} lacks {name!r}")
        for name, each in value.items():
            if name in known:
                known[name](each, f"{place}.{name}")
            elif not is_open:
                raise ValueError(f"{place} holds {name!r}, which this version does not know (pip install -U instashap)")

    return _note(
        check,
        {
            "type": "object",
            "properties": {name: describe_kind(kind) for name, kind in known.items()},
            "required": list(required),
            "additionalProperties": is_open,
        },
    )
