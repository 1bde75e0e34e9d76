"""The mapping: which columns are identifiers, traits, times, properties and products. Validated, all faults at once.

Every fault names its place in the file and the nearest known name. `docs/reference/mapping.md` is the whole language.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from cauce.connectors.tabular.reading import FORMATS, Options
from cauce.connectors.tabular.values import (
    NUMBER_OPERATIONS,
    NUMBERS,
    TEXT_OPERATIONS,
    TYPES,
    WITHOUT_ARGUMENT,
    Spec,
    as_text,
)
from cauce.errors import DefinitionInvalid
from cauce.registry import nearest

EVENT_TYPES = ("track", "identify", "page", "screen", "group", "alias")
ORIGINS = ("column", "constant", "concat", "multiply", "sum", "count", "min", "max")
TOTALS = ("sum", "count", "min", "max")
TESTS = ("equals", "in", "startswith", "endswith", "contains", "matches", "empty", "below", "above")

_TOP = (
    "source", "channel", "region", "file", "timezone", "nulls", "type", "event", "id", "identifiers", "traits",
    "occurred", "properties", "products", "skip_when",
)  # fmt: skip
_VALUE = (
    *ORIGINS, "do", "type", "decimal", "format", "formats", "timezone", "values", "otherwise", "default", "required",
    "separator", "when",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class Condition(msgspec.Struct, frozen=True):
    """A test on a row: `test` of a column against `argument`; or *all* / *any* of `parts`; negated by `no`."""

    place: str
    test: str
    column: str = ""
    argument: Any = None
    parts: tuple[Condition, ...] = ()
    no: bool = False


class Value(msgspec.Struct, frozen=True):
    """Where a value comes from (`origin` of `column`, `constant` or `parts`), and what becomes of it (`spec`).

    Origin *first* is the first of its parts that has a value. With `when` there is a value only where that holds.
    """

    place: str
    origin: str
    column: str = ""
    constant: Any = None
    parts: tuple[Value, ...] = ()
    spec: Spec = Spec()
    default: Any = None
    required: bool = False
    when: Condition | None = None


class NameRule(msgspec.Struct, frozen=True):
    name: str
    when: Condition | None = None


class Mapping(msgspec.Struct, frozen=True):
    """A validated mapping. `names` are rules for the event's name, tried in order; or `name_value` gives it."""

    source: str
    channel: str = ""
    region: str = "ES"
    options: Options = Options()
    type: str = "track"
    names: tuple[NameRule, ...] = ()
    name_value: Value | None = None
    id: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    traits: tuple[tuple[str, Value], ...] = ()
    occurred: Value | None = None
    properties: tuple[tuple[str, Value], ...] = ()
    group_by: tuple[str, ...] = ()
    products: tuple[tuple[str, Value], ...] = ()
    skip_when: tuple[Condition, ...] = ()
    digest: str = ""


def load_mapping(path: Path) -> Mapping:
    """The mapping of a YAML file; DefinitionInvalid with all its faults."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise DefinitionInvalid(f"the mapping {str(path)!r} cannot be read: {fault}") from fault
    try:
        return parse_mapping(yaml.safe_load(text))
    except yaml.YAMLError as fault:
        raise DefinitionInvalid(f"{path.name} is not YAML: {fault}") from fault
    except DefinitionInvalid as fault:
        raise DefinitionInvalid(f"{path.name}: {fault.message}", hint=fault.hint) from None


def parse_mapping(raw: Any) -> Mapping:
    """The mapping of a parsed definition; DefinitionInvalid with all its faults and their places."""
    return _Parser(raw).mapping()


class _Parser:
    """Reads a definition and collects its faults, so that the user sees all of them at once."""

    def __init__(self, raw: Any) -> None:
        self.faults: list[str] = []
        self.raw = self._table(raw, "", _TOP)
        self.timezone = self._zone(self.raw.get("timezone", "UTC"), "timezone")
        self.nulls = frozenset(as_text(null) for null in self._list(self.raw.get("nulls"), "nulls"))

    def mapping(self) -> Mapping:
        raw = self.raw
        products = self._table(raw.get("products"), "products", ("group_by", "properties"))
        grouped = "products" in raw
        if grouped and not products.get("group_by"):
            self._fault("products.group_by", "the columns whose equal values make one event", None)
        names, name_value = self._names(raw.get("event"))
        result = Mapping(
            source=self._name(raw.get("source"), "source"),
            channel=str(raw.get("channel") or ""),
            region=str(raw.get("region") or "ES"),
            options=self._options(raw.get("file")),
            type=self._choice(raw.get("type", "track"), "type", EVENT_TYPES),
            names=names,
            name_value=name_value,
            id=self._columns(raw.get("id"), "id"),
            identifiers=tuple(
                (kind, tuple(self._value(one, f"identifiers.{kind}", "text") for one in self._many(values)))
                for kind, values in self._table(raw.get("identifiers"), "identifiers").items()
            ),
            traits=self._values(raw.get("traits"), "traits"),
            occurred=None if raw.get("occurred") is None else self._value(raw["occurred"], "occurred", "moment"),
            properties=self._values(raw.get("properties"), "properties", totals=True),
            group_by=self._columns(products.get("group_by"), "products.group_by"),
            products=self._values(products.get("properties"), "products.properties"),
            skip_when=tuple(
                self._condition(one, f"skip_when[{index}]")
                for index, one in enumerate(self._many(raw.get("skip_when")))
            ),
            digest=_digest(self.raw),
        )
        if result.type == "track" and not names and name_value is None:
            self._fault("event", "the name of the event, a column, or rules", None)
        if self.faults:
            raise DefinitionInvalid("; ".join(self.faults), hint="docs/reference/mapping.md describes every key")
        return result

    # ── small readers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _fault(self, place: str, expected: str, found: Any) -> None:
        self.faults.append(f"{place or 'mapping'}: expected {expected}, got {found!r}"[:300])

    def _table(self, raw: Any, place: str, known: tuple[str, ...] = ()) -> dict[str, Any]:
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            self._fault(place, "keys with values", raw)
            return {}
        for key in raw:
            if known and key not in known:
                self.faults.append(f"{place or 'mapping'}: there is no key {key!r}. {nearest(str(key), list(known))}")
        return {str(key): value for key, value in raw.items()}

    @staticmethod
    def _many(raw: Any) -> list[Any]:
        if raw is None:
            return []
        return raw if isinstance(raw, list) else [raw]

    def _list(self, raw: Any, place: str) -> list[Any]:
        if raw is None:
            return []
        if not isinstance(raw, list):
            self._fault(place, "a list", raw)
            return []
        return raw

    def _choice(self, raw: Any, place: str, known: tuple[str, ...]) -> str:
        if raw not in known:
            self.faults.append(
                f"{place}: expected one of {', '.join(known)}, got {raw!r}. {nearest(str(raw), list(known))}"
            )
            return known[0]
        return str(raw)

    def _name(self, raw: Any, place: str) -> str:
        if not isinstance(raw, str) or not _NAME.fullmatch(raw):
            self._fault(place, "a name of letters, digits and _ . : -", raw)
            return ""
        return raw

    def _columns(self, raw: Any, place: str) -> tuple[str, ...]:
        columns = self._many(raw)
        for column in columns:
            if not isinstance(column, str):
                self._fault(place, "names of columns", column)
        return tuple(str(column) for column in columns)

    def _zone(self, raw: Any, place: str) -> str:
        try:
            ZoneInfo(str(raw))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self._fault(place, "a time zone such as Europe/Madrid", raw)
            return "UTC"
        return str(raw)

    def _options(self, raw: Any) -> Options:
        table = self._table(raw, "file", Options.__struct_fields__)
        if table.get("format") is not None:
            self._choice(table["format"], "file.format", FORMATS)
        for key in ("separator", "quote", "escape"):
            text = table.get(key)
            if text is not None and (not isinstance(text, str) or len(text) > 1 or (not text and key != "quote")):
                self._fault(f"file.{key}", "one character", text)
        try:
            return msgspec.convert(
                {key: value for key, value in table.items() if key in Options.__struct_fields__}, Options
            )
        except msgspec.ValidationError as fault:
            self.faults.append(f"file: {fault}")
            return Options()

    # ── the event's name ──────────────────────────────────────────────────────────────────────────────────────────────

    def _names(self, raw: Any) -> tuple[tuple[NameRule, ...], Value | None]:
        if raw is None:
            return (), None
        if isinstance(raw, str):
            return (NameRule(raw),), None
        if isinstance(raw, list):
            return tuple(self._rule(one, f"event[{index}]") for index, one in enumerate(raw)), None
        return (), self._value(raw, "event", "text")

    def _rule(self, raw: Any, place: str) -> NameRule:
        table = self._table(raw, place, ("is", "when"))
        if not isinstance(table.get("is"), str):
            self._fault(f"{place}.is", "the name of an event", table.get("is"))
        when = None if table.get("when") is None else self._condition(table["when"], f"{place}.when")
        return NameRule(str(table.get("is")), when)

    # ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _condition(self, raw: Any, place: str) -> Condition:
        table = self._table(raw, place, ("column", "not", "all", "any", *TESTS))
        no = table.get("not", False) is True
        for several in ("all", "any"):
            if several in table:
                parts = tuple(
                    self._condition(one, f"{place}.{several}[{index}]")
                    for index, one in enumerate(self._list(table[several], f"{place}.{several}"))
                )
                return Condition(place, several, parts=parts, no=no)
        tests = [test for test in TESTS if test in table]
        if len(tests) != 1 or not isinstance(table.get("column"), str):
            self._fault(place, f"a column and one of {', '.join(TESTS)}", raw)
            return Condition(place, "empty")
        argument = table[tests[0]]
        match tests[0]:
            case "in":
                argument = frozenset(as_text(one) for one in self._list(argument, f"{place}.in"))
            case "empty":
                no, argument = no != (argument is False), None
            case "matches":
                self._pattern(argument, f"{place}.matches")
            case "below" | "above":
                if isinstance(argument, bool) or not isinstance(argument, int | float):
                    self._fault(f"{place}.{tests[0]}", "a number", argument)
            case _:
                argument = as_text(argument)
        return Condition(place, tests[0], table["column"], argument, (), no)

    def _pattern(self, raw: Any, place: str) -> None:
        try:
            re.compile(raw)
        except (re.error, TypeError) as fault:
            self._fault(place, f"a regular expression ({fault})", raw)

    # ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _values(self, raw: Any, place: str, *, totals: bool = False) -> tuple[tuple[str, Value], ...]:
        return tuple(
            (name, self._value(value, f"{place}.{name}", "", totals=totals))
            for name, value in self._table(raw, place).items()
        )

    def _value(self, raw: Any, place: str, type_: str, *, totals: bool = False) -> Value:
        if isinstance(raw, str):
            return Value(place, "column", raw, spec=Spec(type=type_, timezone=self.timezone, nulls=self.nulls))
        if isinstance(raw, list) and raw:
            parts = tuple(self._value(one, f"{place}[{index}]", type_, totals=totals) for index, one in enumerate(raw))
            return Value(place, "first", parts=parts)
        table = self._table(raw, place, _VALUE)
        origins = [origin for origin in ORIGINS if origin in table]
        if len(origins) != 1:
            self._fault(place, f"a column, or one of {', '.join(ORIGINS)}", raw)
            return Value(place, "constant")
        origin = origins[0]
        if origin in TOTALS and not totals:
            self._fault(f"{place}.{origin}", "no total here: totals belong to `properties`", table[origin])
        number = "number" if origin in ("multiply", "sum", "min", "max") else type_
        spec = self._spec(table, place, number if type_ != "moment" else type_)
        argument = table[origin]
        column, constant, parts = "", None, ()
        if origin == "column":
            if not isinstance(argument, str):
                self._fault(f"{place}.column", "the name of a column", argument)
            column = str(argument)
        elif origin == "constant":
            constant = argument
        elif origin != "count":
            inner = "number" if origin in ("multiply", "sum", "min", "max") else "text"
            parts = tuple(self._value(one, f"{place}.{origin}", inner) for one in self._many(argument))
            if origin != "concat" and not all(_is_number(part) for part in parts):
                self._fault(
                    f"{place}.{origin}", "numbers: a column or a value of type integer, number or money", argument
                )
        when = None if table.get("when") is None else self._condition(table["when"], f"{place}.when")
        required = table.get("required") is True
        return Value(place, origin, column, constant, parts, spec, table.get("default"), required, when)

    def _spec(self, table: dict[str, Any], place: str, type_: str) -> Spec:
        declared = table.get("type")
        if declared is not None and type_ != "moment":
            type_ = self._choice(declared, f"{place}.type", TYPES)
        decimal = table.get("decimal", ".")
        if decimal not in (".", ","):
            self._fault(f"{place}.decimal", "'.' or ','", decimal)
        mapped = table.get("values")
        if mapped is not None:
            mapped = {as_text(key): value for key, value in self._table(mapped, f"{place}.values").items()}
        formats = tuple(str(one) for one in self._many(table.get("format")) + self._many(table.get("formats")))
        separator = table.get("separator")
        return Spec(
            type=type_,
            operations=self._operations(table.get("do"), f"{place}.do", type_),
            values=mapped,
            otherwise=table.get("otherwise"),
            has_otherwise="otherwise" in table,
            decimal=str(decimal),
            formats=formats,
            timezone=self._zone(table["timezone"], f"{place}.timezone") if "timezone" in table else self.timezone,
            nulls=self.nulls,
            separator=(" " if "concat" in table else ",") if separator is None else str(separator),
        )

    def _operations(self, raw: Any, place: str, type_: str) -> tuple[tuple[str, Any], ...]:
        known = [*TEXT_OPERATIONS, *NUMBER_OPERATIONS]
        operations: list[tuple[str, Any]] = []
        for one in self._many(raw):
            name, argument = next(iter(one.items())) if isinstance(one, dict) and len(one) == 1 else (one, None)
            if name not in known:
                self.faults.append(f"{place}: there is no operation {name!r}. {nearest(str(name), known)}")
                continue
            if fault := _argument_fault(name, argument):
                self._fault(f"{place}.{name}", fault, argument)
                continue
            if name in NUMBER_OPERATIONS and type_ not in NUMBERS:
                self._fault(f"{place}.{name}", "type integer, number or money with it", type_ or "no type")
            operations.append((name, tuple(argument) if isinstance(argument, list) else argument))
        return tuple(operations)


def _is_number(value: Value) -> bool:
    if value.origin == "first":
        return all(_is_number(part) for part in value.parts)
    if value.origin == "constant":
        return isinstance(value.constant, int | float) and not isinstance(value.constant, bool)
    return value.spec.type in NUMBERS


def _argument_fault(name: str, argument: Any) -> str:
    """What the operation expects, when `argument` is not that; else empty."""
    if name in WITHOUT_ARGUMENT:
        return "" if argument is None else "no argument"
    if name in ("prefix", "suffix"):
        return "" if isinstance(argument, str) else "a text"
    if name in ("replace", "slice"):
        kinds = str if name == "replace" else (int, type(None))
        is_pair = isinstance(argument, list) and len(argument) == 2 and all(isinstance(one, kinds) for one in argument)
        return "" if is_pair else ("[from, to]" if name == "replace" else "[start, end]")
    if name == "regex":
        try:
            re.compile(argument)
        except (re.error, TypeError) as fault:
            return f"a regular expression ({fault})"
        return ""
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        return "a number"
    if name in ("pad", "round") and not (isinstance(argument, int) and 0 <= argument <= (64 if name == "pad" else 10)):
        return "a whole number from 0 to 64" if name == "pad" else "a whole number from 0 to 10"
    return ""


def _digest(raw: dict[str, Any]) -> str:
    """Names the definition, whatever its layout and comments."""
    return hashlib.blake2b(msgspec.json.encode(_jsonable(raw), order="sorted"), digest_size=16).hexdigest()


def _jsonable(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {str(key): _jsonable(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_jsonable(value) for value in raw]
    return raw if isinstance(raw, int | float | bool | str | None) else str(raw)
