"""One cell → one typed value, by declared operations. Pure; a cell that is not what was declared gives a `Fault`.

Order of work on a cell: surrounding space and declared nulls go · operations on text · the value map · the type ·
operations on numbers. Numbers are exact decimals inside, so that sums and products are exact,
and leave as JSON numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from cauce.model.time import from_datetime, to_iso

MEMORY_CELLS_MAX = 50_000
TYPES = ("text", "integer", "number", "money", "boolean", "date", "time", "list")
NUMBERS = ("integer", "number", "money")
TEXT_OPERATIONS = (
    "upper", "lower", "title", "digits", "squeeze",
    "prefix", "suffix", "replace", "regex", "slice", "pad",
)  # fmt: skip
NUMBER_OPERATIONS = ("negate", "abs", "times", "round")
WITHOUT_ARGUMENT = ("upper", "lower", "title", "digits", "squeeze", "negate", "abs")

_TRUE = frozenset(("true", "t", "yes", "y", "1", "si", "sí", "s", "verdadero", "v", "on", "x"))
_FALSE = frozenset(("false", "f", "no", "n", "0", "falso", "off"))
_PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_CURRENCY = re.compile(r"[€$£¥]|\b[A-Z]{3}\b")
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a naive base, its zone is put on afterwards

Convert = Callable[[Any], Any]


class Fault(NamedTuple):
    """Why a cell has no value: reason code, what was expected, what was found."""

    code: str
    expected: str
    found: Any


class Spec(msgspec.Struct, frozen=True):
    """What a cell should become. `operations` are (name, argument) in the order in which they are written."""

    type: str = ""
    operations: tuple[tuple[str, Any], ...] = ()
    values: dict[str, Any] | None = None
    otherwise: Any = None
    has_otherwise: bool = False
    decimal: str = "."
    formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    nulls: frozenset[str] = frozenset()
    separator: str = ","


class Memory(dict[Any, Any]):
    """A function of one cell that remembers its results for texts and numbers; a repeated cell costs one look-up."""

    def __init__(self, convert: Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, cell: Any) -> Any:
        if len(self) >= MEMORY_CELLS_MAX:
            self.clear()
        value = self[cell] = self._convert(cell)
        return value

    def __call__(self, cell: Any) -> Any:
        return self[cell] if cell.__class__ in (str, int, float) else self._convert(cell)


def converter(spec: Spec, *, exact: bool = False) -> Memory:
    """cell → value | None (empty) | Fault; numbers as JSON numbers, or as decimals when `exact`."""
    pipeline = _pipeline(spec)
    return Memory(pipeline if exact else lambda cell: outgoing(pipeline(cell)))


def outgoing(value: Any) -> Any:
    """A decimal as JSON number: whole ones as integer, others as the float whose shortest form is the decimal."""
    if value.__class__ is Decimal:
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def as_text(cell: Any) -> str:
    """A cell as text: whole numbers without a fraction."""
    if cell.__class__ is str:
        return str(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, list | dict):
        return msgspec.json.encode(cell).decode()
    return str(cell)


def _pipeline(spec: Spec) -> Convert:
    texts = [_text_operation(name, argument) for name, argument in spec.operations if name in TEXT_OPERATIONS]
    numbers = [_number_operation(name, argument) for name, argument in spec.operations if name in NUMBER_OPERATIONS]
    as_type = _type(spec)
    mapped = spec.values

    def convert(cell: Any) -> Any:
        if cell is None:
            return None
        if cell.__class__ is str:
            cell = cell.strip()
            if not cell or cell in spec.nulls:
                return None
        if texts:
            cell = as_text(cell)
            for operation in texts:
                cell = operation(cell)
                if not cell:
                    return None
        if mapped is not None:
            key = as_text(cell)
            if key not in mapped and not spec.has_otherwise:
                return Fault("value_unknown", "one of " + ", ".join(sorted(mapped)[:20]), cell)
            cell = mapped.get(key, spec.otherwise)
            if cell is None:
                return None
        value = as_type(cell)
        if value.__class__ is Decimal:
            for change in numbers:
                value = change(value)
        return value

    return convert


def _text_operation(name: str, argument: Any) -> Callable[[str], str | None]:
    match name:
        case "upper":
            return str.upper
        case "lower":
            return str.lower
        case "title":
            return str.title
        case "digits":
            return lambda text: re.sub(r"\D", "", text)
        case "squeeze":
            return lambda text: " ".join(text.split())
        case "prefix":
            return lambda text: f"{argument}{text}"
        case "suffix":
            return lambda text: f"{text}{argument}"
        case "replace":
            return lambda text: text.replace(argument[0], argument[1])
        case "slice":
            return lambda text: text[argument[0] : argument[1]]
        case "pad":
            return lambda text: text.zfill(argument)
        case _:
            pattern = re.compile(argument)

            def extract(text: str) -> str | None:
                found = pattern.search(text)
                return found[1 if pattern.groups else 0] if found else None

            return extract


def _number_operation(name: str, argument: Any) -> Callable[[Decimal], Decimal]:
    match name:
        case "negate":
            return lambda value: -value
        case "abs":
            return abs
        case "times":
            factor = Decimal(str(argument))
            return lambda value: value * factor
        case _:
            digits = Decimal(1).scaleb(-int(argument))
            return lambda value: value.quantize(digits)


def _type(spec: Spec) -> Convert:
    match spec.type:
        case "text":
            return as_text
        case "integer" | "number" | "money":
            return _number(spec)
        case "boolean":
            return _boolean
        case "date":
            return _date(spec)
        case "time":
            moment = moment_of(spec)

            def written(cell: Any) -> Any:
                value = moment(cell)
                return value if isinstance(value, Fault) else to_iso(value)

            return written
        case "moment":
            return moment_of(spec)
        case "list":
            return lambda cell: cell if isinstance(cell, list) else _split(cell, spec.separator)
        case _:
            return lambda cell: cell


def _split(cell: Any, separator: str) -> list[str]:
    return [part.strip() for part in as_text(cell).split(separator) if part.strip()]


def _number(spec: Spec) -> Convert:
    group = r"[.\s'’]" if spec.decimal == "," else r"[,\s'’]"
    point = re.escape(spec.decimal)
    grouped = re.compile(rf"[-+]?(?:\d{{1,3}}(?:{group}\d{{3}})+|\d*)(?:{point}\d*)?(?:[eE][-+]?\d+)?")
    groups = re.compile(group)
    whole, money = spec.type == "integer", spec.type == "money"
    expected = {"integer": "a whole number", "number": "a number", "money": "an amount of money"}[spec.type]
    expected += "" if spec.decimal == "." else f" with decimal {spec.decimal!r}"

    def read(text: str) -> Decimal | None:
        if spec.decimal == "." and _PLAIN_NUMBER.fullmatch(text):
            return Decimal(text)
        sign = ""
        if money:
            text = _CURRENCY.sub("", text).strip()
            if text.startswith("(") and text.endswith(")"):
                sign, text = "-", text[1:-1].strip()
        if text.endswith("-") and not text.startswith("-"):
            sign, text = "-", text[:-1].strip()
        if not grouped.fullmatch(text) or not any(letter.isdigit() for letter in text):
            return None
        digits = groups.sub("", text)
        return Decimal(sign + (digits.replace(",", ".") if spec.decimal == "," else digits))

    def number(cell: Any) -> Any:
        if isinstance(cell, bool | list | dict):
            return Fault("value_unreadable", expected, cell)
        if cell.__class__ is Decimal:
            return cell
        value = Decimal(str(cell)) if isinstance(cell, int | float) else read(cell)
        if value is None or (whole and value != value.to_integral_value()) or value.adjusted() > 17:
            return Fault("value_unreadable", expected, cell)
        return value

    return number


def _boolean(cell: Any) -> Any:
    if isinstance(cell, bool):
        return cell
    text = as_text(cell).casefold()
    if text in _TRUE:
        return True
    return False if text in _FALSE else Fault("value_unreadable", "yes or no", cell)


def _date(spec: Spec) -> Convert:
    def convert(cell: Any) -> Any:
        moment = _parse(cell, spec.formats)
        return (
            Fault("value_unreadable", _expected("a date", spec), cell) if moment is None else moment.date().isoformat()
        )

    return convert


def moment_of(spec: Spec) -> Convert:
    """cell → microseconds UTC | Fault; a moment without a zone is read in the spec's time zone."""
    zone = ZoneInfo(spec.timezone)

    def convert(cell: Any) -> Any:
        try:
            moment = _parse(cell, spec.formats)
            if moment is not None:
                return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC))
        except (ValueError, OverflowError):
            pass
        return Fault("value_unreadable", _expected("a moment", spec), cell)

    return convert


def _expected(what: str, spec: Spec) -> str:
    return f"{what} in ISO 8601" + (f" or as {' or '.join(spec.formats)}" if spec.formats else "")


def _parse(cell: Any, formats: tuple[str, ...]) -> datetime | None:
    """A moment in one of the formats (`strptime`, *epoch_seconds*, *epoch_milliseconds*, *excel*) or ISO 8601."""
    for name in formats:
        found = _by_format(cell, name)
        if found is not None:
            return found
    if cell.__class__ is not str:
        return None
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def _by_format(cell: Any, name: str) -> datetime | None:
    try:
        match name:
            case "epoch_seconds":
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(cell))
            case "epoch_milliseconds":
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=float(cell))
            case "excel":
                return _EXCEL_EPOCH + timedelta(days=float(cell))
            case _:
                return datetime.strptime(as_text(cell), name)  # noqa: DTZ007 - the zone is put on by the caller
    except (ValueError, TypeError, OverflowError):
        return None
