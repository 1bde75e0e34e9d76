"""Columns of values as PostgreSQL's binary arrays: pure functions, one call for a column.

An array of a million integers is made by numpy in one go; a list that a driver adapts value by value costs 50 times
that. Layout: number of dimensions, whether there are nulls, type of the elements, number of elements, lower bound;
then each element's length (-1 for null) and bytes, all big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

INT8, TEXT, BYTEA, FLOAT8 = 20, 25, 17, 701
_HEADER = struct.Struct(">iiiii").pack
_LENGTH = struct.Struct(">i").pack
_INT8_ELEMENT = struct.Struct(">iq").pack
_FLOAT8_ELEMENT = struct.Struct(">id").pack
_NULL = _LENGTH(-1)
_FIXED = {
    INT8: np.dtype([("length", ">i4"), ("value", ">i8")]),
    FLOAT8: np.dtype([("length", ">i4"), ("value", ">f8")]),
}


class Int8Array(bytes):
    """`bigint[]` as it is sent."""


class TextArray(bytes):
    """`text[]` as it is sent."""


class ByteaArray(bytes):
    """`bytea[]` as it is sent."""


class Float8Array(bytes):
    """`double precision[]` as it is sent."""


ARRAY_TYPES: dict[type[bytes], int] = {Int8Array: 1016, TextArray: 1009, ByteaArray: 1001, Float8Array: 1022}
"""Type of an array → its number in PostgreSQL's catalogue."""


def _array(element: int, count: int, has_null: bool, body: bytes) -> bytes:
    return _HEADER(1, int(has_null), element, count, 1) + body


def integers(values: Sequence[int | None]) -> Int8Array:
    """`values` may hold None. OverflowError for a number of more than 64 bits."""
    if None in values:
        parts = [_NULL if value is None else _INT8_ELEMENT(8, value) for value in values]
        return Int8Array(_array(INT8, len(values), True, b"".join(parts)))
    return Int8Array(_array(INT8, len(values), False, _fixed(INT8, values)))


def reals(values: Sequence[float | None]) -> Float8Array:
    if None in values:
        parts = [_NULL if value is None else _FLOAT8_ELEMENT(8, value) for value in values]
        return Float8Array(_array(FLOAT8, len(values), True, b"".join(parts)))
    return Float8Array(_array(FLOAT8, len(values), False, _fixed(FLOAT8, values)))


def _fixed(element: int, values: Sequence[Any]) -> bytes:
    cells = np.empty(len(values), dtype=_FIXED[element])
    cells["length"] = 8
    cells["value"] = values
    return cells.tobytes()


def storable(text: str) -> str:
    """The text without NUL, which PostgreSQL keeps in no text; U+FFFD stands in its place."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def texts(values: Sequence[str | None]) -> TextArray:
    """UnicodeEncodeError for half a surrogate pair, which no database keeps."""
    return TextArray(_varying(TEXT, [None if value is None else storable(value).encode() for value in values]))


def blobs(values: Sequence[bytes | None]) -> ByteaArray:
    return ByteaArray(_varying(BYTEA, values))


def _varying(element: int, values: Sequence[bytes | None]) -> bytes:
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH(len(value)))
            parts.append(value)
    return _array(element, len(values), None in values, b"".join(parts))


ENCODERS: dict[str, Callable[[Sequence[Any]], bytes]] = {
    "integer": integers,
    "text": texts,
    "blob": blobs,
    "real": reals,
}
"""Type of a column of `engines.api.Table` → what makes an array of it."""
