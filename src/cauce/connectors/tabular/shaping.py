"""Rows → items: one event a row, or one event for all rows of a group. Deterministic: same rows, same items, same ids.

An event's id follows from its type, its name and the `id` columns; without them from all cells of the row and the
number of its occurrence in the table, so that the same table twice gives the same ids and two equal rows stay two
events. Groups are gathered over the whole table, wherever their rows stand, by DuckDB, which spills to disk.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from cauce.connectors.tabular.canonical import shown
from cauce.connectors.tabular.mapping import TOTALS, Condition, Mapping, Value
from cauce.connectors.tabular.reading import Broken, Row
from cauce.connectors.tabular.values import Fault, Memory, as_text, converter, outgoing
from cauce.errors import DefinitionInvalid, TooLarge
from cauce.registry import nearest

GROUP_ROWS_MAX = 10_000
LOAD_ROWS = 20_000
MEMORY_MB = 512

Cells = list[Any]
OfRow = Callable[[Cells], Any]
OfRows = Callable[[list[Cells]], Any]
Item = list[Any] | dict[str, Any]
Progress = Callable[[int, int], None]
"""(done, total) of the second half of the work, when groups are read back."""

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Shaper:
    """A mapping bound to the columns of a table. DefinitionInvalid when it names a column that is not there."""

    def __init__(self, mapping: Mapping, columns: list[str]) -> None:
        self.mapping = mapping
        self.columns = columns
        self.skipped = 0
        self.rows_read = 0
        self._where = {name: index for index, name in enumerate(columns)}
        self._check_columns()
        self._names = [(rule.name, self._condition(rule.when) if rule.when else None) for rule in mapping.names]
        self._name = self._first(mapping.name_value) if mapping.name_value else None
        self._ids = [self._where[column] for column in mapping.id or mapping.group_by]
        self._group = [self._where[column] for column in mapping.group_by]
        self._occurred = self._first(mapping.occurred) if mapping.occurred else None
        self._identifiers = [(kind, [self._first(one) for one in values]) for kind, values in mapping.identifiers]
        self._traits = [(name, self._first(value)) for name, value in mapping.traits]
        self._properties = [(name, self._of_rows(value)) for name, value in mapping.properties]
        self._products = [(name, self._of_row(value)) for name, value in mapping.products]
        self._skips = [self._condition(condition) for condition in mapping.skip_when]

    def items(self, rows: Iterator[Row], on_progress: Progress | None = None) -> Iterator[Item]:
        """Items in the order of their first rows; broken lines as soon as they are met."""
        return self._grouped(rows, on_progress or (lambda _done, _total: None)) if self._group else self._single(rows)

    # ── rows and groups ───────────────────────────────────────────────────────────────────────────────────────────────

    def _kept(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows_read += 1
            cells = row[1]
            if self._skips and not isinstance(cells, Broken) and any(skip(cells) for skip in self._skips):
                self.skipped += 1
                continue
            yield row

    def _single(self, rows: Iterator[Row]) -> Iterator[Item]:
        with closing(_Occurrences()) as occurrences:
            for line, cells in self._kept(rows):
                if isinstance(cells, Broken):
                    yield self._broken(line, cells, occurrences)
                else:
                    yield self._event(line, [cells], occurrences)

    def _grouped(self, rows: Iterator[Row], on_progress: Progress) -> Iterator[Item]:
        with (
            tempfile.TemporaryDirectory(prefix="cauce-import-") as folder,
            _Groups(Path(folder)) as groups,
            closing(_Occurrences()) as occurrences,
        ):
            for line, cells in self._kept(rows):
                if isinstance(cells, Broken):
                    yield self._broken(line, cells, occurrences)
                    continue
                key = [as_text(cells[index]).strip() if cells[index] is not None else "" for index in self._group]
                if any(key):
                    groups.add("\x1f".join(key), line, cells)
                else:
                    yield self._event(line, [cells], occurrences)
            for line, members, done in groups.read():
                yield self._event(line, members, occurrences)
                on_progress(done, groups.count)

    def _broken(self, line: int, broken: Broken, occurrences: _Occurrences) -> Item:
        reason = {"code": broken.code, "path": "/row", "expected": broken.expected, "found": shown(broken.raw)}
        id_ = occurrences.id_of(["", "", broken.raw])
        return {"line": line, "messageId": id_, "row": broken.raw, "reasons": [reason]}

    # ── one event ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _event(self, line: int, rows: list[Cells], occurrences: _Occurrences) -> Item:
        reasons: list[dict[str, str]] = []
        name = self._name_of(rows, reasons)
        occurred = self._occurred(rows) if self._occurred else None
        if occurred.__class__ is Fault:
            reasons.append(_reason("/occurred", occurred))
            occurred = occurred.found
        elif occurred is None and self._occurred:
            reasons.append(_reason("/occurred", _missing("a moment")))
        identifiers = self._identifiers_of(rows, reasons)
        traits = _filled(self._traits, rows, "/traits", reasons)
        properties = _filled(self._properties, rows, "/properties", reasons)
        if self._products:
            properties["products"] = [
                _filled(self._products, cells, f"/properties/products/{index}", reasons)
                for index, cells in enumerate(rows)
            ]
        kind = self.mapping.type
        id_ = self._id_of(rows[0], kind, name, occurrences, reasons)
        if not reasons:
            return [line, id_, kind, name, occurred, identifiers, traits, properties]
        read = [dict(zip(self.columns, cells, strict=True)) for cells in rows]
        return {
            "line": line, "messageId": id_, "type": kind, "event": name, "occurred": occurred,
            "identifiers": identifiers, "traits": traits, "properties": properties,
            "row": read[0] if len(read) == 1 else read, "reasons": reasons,
        }  # fmt: skip

    def _identifiers_of(self, rows: list[Cells], reasons: list[dict[str, str]]) -> dict[str, Any]:
        identifiers: dict[str, Any] = {}
        for kind, getters in self._identifiers:
            found: list[Any] = []
            for getter in getters:
                value = getter(rows)
                if value.__class__ is Fault:
                    reasons.append(
                        _reason(f"/identifiers/{kind}" + (f"/{len(found)}" if len(getters) > 1 else ""), value)
                    )
                    value = value.found
                if value is not None and value not in found:
                    found.append(value)
            if found:
                identifiers[kind] = found if len(getters) > 1 else found[0]
        return identifiers

    def _name_of(self, rows: list[Cells], reasons: list[dict[str, str]]) -> Any:
        if self._name is not None:
            name = self._name(rows)
            if name.__class__ is Fault or name is None:
                fault = _missing("the name of an event") if name is None else name
                reasons.append(_reason("/event", fault))
                return fault.found
            return name
        for name, when in self._names:
            if when is None or when(rows[0]):
                return name
        if self._names:
            reasons.append(_reason("/event", _missing("a rule of the mapping that names the event")))
            return None
        return ""

    def _id_of(
        self, cells: Cells, kind: str, name: Any, occurrences: _Occurrences, reasons: list[dict[str, str]]
    ) -> str:
        if not self._ids:
            return occurrences.id_of([kind, name, cells])
        values = [as_text(cells[index]).strip() if cells[index] is not None else "" for index in self._ids]
        if any(values):
            return _id(blake2b(_encode([kind, name, *values]), digest_size=16).hexdigest())
        path = "/row/" + _escaped(self.columns[self._ids[0]])
        columns = ", ".join(self.mapping.id or self.mapping.group_by)
        reasons.append(_reason(path, Fault("value_missing", f"a value in {columns}", cells[self._ids[0]])))
        return occurrences.id_of([kind, name, cells])

    # ── binding values to columns ─────────────────────────────────────────────────────────────────────────────────────

    def _check_columns(self) -> None:
        faults = [
            f"{place}: there is no column {column!r}. {nearest(column, self.columns)}"
            for place, column in named_columns(self.mapping)
            if column not in self._where
        ]
        if faults:
            raise DefinitionInvalid("; ".join(dict.fromkeys(faults)))

    def _of_rows(self, value: Value) -> OfRows:
        """A value or a total of a whole group; `when` of a total looks at the first row."""
        if value.origin == "first" and any(part.origin in TOTALS for part in value.parts):
            parts = [self._of_rows(part) for part in value.parts]
            return lambda rows: _first_filled(parts, rows)
        if value.origin not in TOTALS:
            return self._first(value)
        total = self._total(value)
        if value.when is None:
            return total
        holds = self._condition(value.when)
        return lambda rows: total(rows) if holds(rows[0]) else None

    def _first(self, value: Value) -> OfRows:
        """The value of the first row of a group that has one."""
        of_row = self._of_row(value)

        def first(rows: list[Cells]) -> Any:
            for cells in rows:
                found = of_row(cells)
                if found is not None:
                    return found
            return None

        return first if self._group else lambda rows: of_row(rows[0])

    def _of_row(self, value: Value, *, exact: bool = False) -> OfRow:
        computed = self._computed(value, exact=exact)
        if value.when is not None:
            holds, always = self._condition(value.when), computed
            computed = lambda cells: always(cells) if holds(cells) else None  # noqa: E731 - one of two forms
        if value.required:
            return lambda cells: _missing("a value") if (found := computed(cells)) is None else found
        if value.default is not None:
            default = value.default
            return lambda cells: default if (found := computed(cells)) is None else found
        return computed

    def _computed(self, value: Value, *, exact: bool) -> OfRow:
        if value.origin == "constant":
            number = exact and isinstance(value.constant, int | float)
            constant = Decimal(str(value.constant)) if number else value.constant
            return lambda _cells: constant
        if value.origin == "first":
            choices = [self._of_row(part, exact=exact) for part in value.parts]
            return lambda cells: _first_filled(choices, cells)
        convert = converter(value.spec, exact=exact)
        if value.origin == "column":
            index = self._where[value.column]

            def of_column(cells: Cells) -> Any:
                cell = cells[index]
                # The look-up without a call is what most of the time of an import hangs on.
                return convert[cell] if cell.__class__ is str else convert(cell)

            return of_column
        parts = [self._of_row(part, exact=value.origin == "multiply") for part in value.parts]
        separator = value.spec.separator

        def combined(cells: Cells) -> Any:
            found = [part(cells) for part in parts]
            for one in found:
                if one.__class__ is Fault:
                    return one
            if value.origin == "concat":
                return convert(separator.join(as_text(one) for one in found if one is not None))
            product = Decimal(1)
            for one in found:
                if one is None:
                    return None
                product *= one
            return convert(product)

        return combined

    def _total(self, value: Value) -> OfRows:
        """Sum, count, minimum or maximum over the rows of a group; None when no row has a value."""
        if value.origin == "count":
            return len
        parts = [self._of_row(part, exact=True) for part in value.parts]
        convert = converter(value.spec)
        totals: dict[str, Callable[[list[Decimal]], Decimal]] = {"sum": _sum, "min": min, "max": max}
        total = totals[value.origin]
        default = value.default

        def over(rows: list[Cells]) -> Any:
            found = []
            for cells in rows:
                for part in parts:
                    one = part(cells)
                    if one.__class__ is Fault:
                        return one
                    if one is not None:
                        found.append(one)
            return convert(total(found)) if found else outgoing(default)

        return over

    def _condition(self, condition: Condition) -> Callable[[Cells], bool]:
        test = self._test(condition)
        return (lambda cells: not test(cells)) if condition.no else test

    def _test(self, condition: Condition) -> Callable[[Cells], bool]:
        if condition.test in ("all", "any"):
            parts = [self._condition(part) for part in condition.parts]
            judge = all if condition.test == "all" else any
            return lambda cells: judge(part(cells) for part in parts)
        index, argument = self._where[condition.column], condition.argument
        on_text: dict[str, Callable[[str], bool]] = {
            "equals": lambda text: text == argument,
            "in": lambda text: text in argument,
            "startswith": lambda text: text.startswith(argument),
            "endswith": lambda text: text.endswith(argument),
            "contains": lambda text: argument in text,
            "empty": lambda text: not text,
        }
        judge_text = on_text.get(condition.test)
        if condition.test == "matches":
            pattern = re.compile(argument)
            judge_text = lambda text: pattern.search(text) is not None  # noqa: E731 - one of two forms
        if judge_text is not None:
            chosen = judge_text
            judged = Memory(lambda cell: chosen("" if cell is None else as_text(cell).strip()))
            return lambda cells: bool(judged(cells[index]))
        bound, is_below = Decimal(str(argument)), condition.test == "below"

        def compare(cells: Cells) -> bool:
            number = _number(cells[index])
            return number is not None and (number < bound if is_below else number > bound)

        return compare


_number = converter(msgspec.structs.replace(Value("", "column").spec, type="number"), exact=True)


def named_columns(mapping: Mapping) -> Iterator[tuple[str, str]]:
    """(place, column) of every column that a mapping names."""

    def of_value(value: Value) -> Iterator[tuple[str, str]]:
        if value.origin == "column":
            yield value.place, value.column
        for part in value.parts:
            yield from of_value(part)
        if value.when is not None:
            yield from of_condition(value.when)

    def of_condition(condition: Condition) -> Iterator[tuple[str, str]]:
        if condition.column:
            yield condition.place, condition.column
        for part in condition.parts:
            yield from of_condition(part)

    yield from (("id", column) for column in mapping.id)
    yield from (("products.group_by", column) for column in mapping.group_by)
    single = [value for value in (mapping.occurred, mapping.name_value) if value is not None]
    several = [value for _, values in mapping.identifiers for value in values]
    named = [value for _, value in (*mapping.traits, *mapping.properties, *mapping.products)]
    for value in (*single, *several, *named):
        yield from of_value(value)
    for condition in (*mapping.skip_when, *(rule.when for rule in mapping.names if rule.when)):
        yield from of_condition(condition)


def _first_filled(choices: list[Callable[[Any], Any]], source: Any) -> Any:
    for choice in choices:
        found = choice(source)
        if found is not None:
            return found
    return None


def _filled(fields: list[Any], source: Any, place: str, reasons: list[dict[str, str]]) -> dict[str, Any]:
    """Values by name, without the empty ones; a fault leaves what was found at its place, and a reason."""
    result = {}
    for name, getter in fields:
        value = getter(source)
        if value is None:
            continue
        if value.__class__ is Fault:
            reasons.append(_reason(f"{place}/{_escaped(name)}", value))
            value = value.found
        result[name] = value
    return result


def _escaped(name: str) -> str:
    """A name as part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _id(digest: str, occurrence: int = 1) -> str:
    return f"f_{digest}" if occurrence == 1 else f"f_{digest}_{occurrence}"


def _missing(expected: str) -> Fault:
    return Fault("value_missing", expected, None)


def _reason(path: str, fault: Fault) -> dict[str, str]:
    return {"code": fault.code, "path": path, "expected": fault.expected, "found": shown(fault.found)}


def _sum(numbers: list[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0))


class _Occurrences:
    """How often a digest came before: in a private temporary database, which spills to disk by itself."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("pragma journal_mode = off")
        self._database.execute("create table seen (digest blob primary key, count integer) without rowid")

    def id_of(self, content: list[Any]) -> str:
        """The id of a row by its content; equal rows are numbered."""
        digest = blake2b(_encode(content), digest_size=16)
        row = self._database.execute(
            "insert into seen values (?, 1) on conflict do update set count = count + 1 returning count",
            (digest.digest(),),
        ).fetchone()
        return _id(digest.hexdigest(), int(row[0]))

    def close(self) -> None:
        self._database.close()


class _Groups:
    """Rows by key, in the order in which keys first appear; their number is bounded only by the disk."""

    def __init__(self, folder: Path) -> None:
        self._database = duckdb.connect(str(folder / "groups.duckdb"))
        self._database.execute(f"set memory_limit = '{MEMORY_MB}MB'")
        self._database.execute("set threads = 1")
        self._database.execute("set enable_progress_bar = false")
        self._database.execute(f"set temp_directory = '{folder / 'spill'}'")
        self._database.execute("create table row (key varchar, line bigint, cells varchar)")
        self._keys: list[str] = []
        self._lines: list[int] = []
        self._cells: list[str] = []
        self.count = 0

    def __enter__(self) -> _Groups:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, key: str, line: int, cells: Cells) -> None:
        self._keys.append(key)
        self._lines.append(line)
        self._cells.append(_encode(cells).decode())
        self.count += 1
        if len(self._keys) >= LOAD_ROWS:
            self._load()

    def read(self) -> Iterator[tuple[int, list[Cells], int]]:
        """(first line, rows in order, rows read so far) of each group."""
        self._load()
        self._refuse_giants()
        self._database.execute(
            "select f.first, r.cells from row r"
            " join (select key, min(line) as first from row group by key) f using (key)"
            " order by f.first, r.line"
        )
        current, done = 0, 0
        members: list[Cells] = []
        while batch := self._database.fetchmany(LOAD_ROWS):
            for first, cells in batch:
                if first != current:
                    if members:
                        yield current, members, done
                    current, members = first, []
                members.append(_decode(cells))
                done += 1
        if members:
            yield current, members, done

    def _load(self) -> None:
        if self._keys:
            table = pa.table({"key": self._keys, "line": self._lines, "cells": self._cells})
            self._database.register("arriving", table)
            self._database.execute("insert into row select key, line, cells from arriving")
            self._database.unregister("arriving")
            self._keys, self._lines, self._cells = [], [], []

    def _refuse_giants(self) -> None:
        giant = self._database.execute(
            f"select key, count(*) from row group by key having count(*) > {GROUP_ROWS_MAX} order by 2 desc limit 1"
        ).fetchone()
        if giant:
            raise TooLarge(
                f"expected at most {GROUP_ROWS_MAX:,} rows with the same products.group_by,"
                f" got {giant[1]:,} with {giant[0][:60]!r}",
                hint="Group by a column that is different for every receipt or order",
            )
