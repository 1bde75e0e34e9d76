"""Results of statements as a page shows them: cells in the visitor's words, a chart, and files to take away."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from babel import dates
from markupsafe import Markup

from cauce.console import charts
from cauce.console.catalogues import marked
from cauce.console.words import Words
from cauce.errors import DefinitionInvalid
from cauce.model.time import from_datetime

CELL_CHARACTERS_MAX = 300
POINTS_MAX = 200
SERIES_MAX = 8
BARS_MAX = 40
KINDS = {"columns": marked("Columns"), "lines": marked("Lines"), "bars": marked("Bars")}
_PLAIN_NUMBERS = re.compile(r"(^|_)(id|ids|position|subject|year|a|b|number)$", re.I)
_STARTS_A_FORMULA = ("=", "@", "\t", "\r")


class Column(msgspec.Struct, frozen=True):
    """A column of a result: its name, the sort of its values in words, and whether they stand to the right."""

    name: str
    sort: str
    is_number: bool


class Cell(msgspec.Struct, frozen=True):
    """A value as it is shown; `full` when it was cut. `sort` is *null*, *number*, *text*, *json* or *moment*."""

    text: str
    sort: str
    full: str = ""


def columns_of(table: Any, words: Words) -> list[Column]:
    """The columns of a result."""
    return [Column(field.name, words.say(_sort(field.type)), _is_number(field.type)) for field in table.schema]


def rows_of(table: Any, start: int, count: int, words: Words) -> list[list[Cell]]:
    """Some rows of a result, in the visitor's words."""
    part = table.slice(start, count)
    fields = list(table.schema)
    columns = [column.to_pylist() for column in part.columns]
    rows = zip(*columns, strict=True)
    return [[_cell(value, field, words) for value, field in zip(row, fields, strict=True)] for row in rows]


def charted(table: Any) -> dict[str, Any] | None:
    """What a result lends itself to: labels, numbers and the sort of chart; None when there is nothing to draw."""
    numbers = [field.name for field in table.schema if _is_number(field.type) and not _PLAIN_NUMBERS.search(field.name)]
    labels = [field for field in table.schema if field.name not in numbers and _is_label(field.type)]
    if not numbers or table.num_rows < 2:
        return None
    if not labels:
        labels = [field for field in table.schema if field.name in numbers][:1]
        numbers = [name for name in numbers if name != labels[0].name]
    if not numbers:
        return None
    if len(labels) > 1 and len(set(table.column(labels[0].name).to_pylist())) == 1:
        labels = labels[1:]  # one place only: what it is split by says more
    in_time = pa.types.is_temporal(labels[0].type)
    kind = "lines" if in_time and table.num_rows > 12 else "columns" if in_time or table.num_rows <= 12 else "bars"
    split = labels[1].name if len(labels) > 1 else ""
    return {"kind": kind, "x": labels[0].name, "y": numbers[:1] if split else numbers[:3], "split": split}


def chart(table: Any, kind: str, x: str, y: Sequence[str], split: str, words: Words) -> Markup:
    """A drawing of a result; DefinitionInvalid says why there can be none."""
    names = table.column_names
    for name in (x, *y, *([split] if split else [])):
        if names.count(name) != 1:
            raise DefinitionInvalid(words.say(marked("There is no single column called “%(name)s”."), name=name))
    if kind not in KINDS or not y:
        raise DefinitionInvalid(words.say(marked("Choose a kind of chart and a column of numbers.")))
    labels, series = _split(table, x, y[0], split, words) if split else _side_by_side(table, x, y, words)
    values = [value for one in series for value in one.values if value is not None]
    if min(values, default=0) < 0:
        raise DefinitionInvalid(words.say(marked("Charts show numbers from zero up, and some are below.")))
    title = words.say(marked("%(numbers)s by %(name)s"), numbers=", ".join(y), name=x)
    if kind == "columns":
        filled = [charts.Series(one.name, one.color, [value or 0 for value in one.values]) for one in series]
        return charts.columns(labels, filled, words, title)
    if kind == "lines":
        return charts.lines(labels, series, words, title)
    rows = [
        (label, 0, [(one.name, one.values[at] or 0) for one in series]) for at, label in enumerate(labels[:BARS_MAX])
    ]
    items = Markup("").join(
        Markup("<li><span>{}</span><b>{}</b>{}</li>").format(label, words.number(sum(value for _, value in parts)), bar)
        for (label, _, parts), bar in zip(rows, charts.bars(rows, words), strict=True)
    )
    return Markup('<ul class="bars" aria-label="{}">{}</ul>').format(title, items)


def legend(table: Any, y: Sequence[str], split: str) -> list[tuple[str, int]]:
    """Names of the series of a chart with their colors; nothing for a single one."""
    names = _values_of(table, split)[:SERIES_MAX] if split and split in table.column_names else list(y)
    return [(str(name), _color(str(name), at)) for at, name in enumerate(names)] if len(names) > 1 else []


def as_csv(table: Any) -> bytes:
    """Rows as CSV with a header; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_unformulated(name) for name in table.column_names])
    for batch in table.to_batches(max_chunksize=10_000):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            writer.writerow([_unformulated(_plain(value)) for value in row])
    return "\ufeff".encode() + out.getvalue().encode()


def as_json(table: Any) -> bytes:
    """Rows as a list of JSON objects; numbers with decimals keep all of them, as text."""
    rows = [
        dict(zip(table.column_names, row, strict=True))
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
    ]
    return msgspec.json.encode(rows, enc_hook=_encoded, order=None)


def as_parquet(table: Any) -> bytes:
    """Rows as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(_unique(table), out, compression="zstd")
    return out.getvalue()


FILES = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "json": (as_json, "application/json"),
    "parquet": (as_parquet, "application/vnd.apache.parquet"),
}
"""Kinds of files that a result can be taken away as."""


def _sort(kind: Any) -> str:
    """The sort of a column's values in words."""
    tests = (
        (pa.types.is_boolean, marked("yes or no")),
        (pa.types.is_integer, marked("whole number")),
        (_is_number, marked("number")),
        (pa.types.is_date, marked("day")),
        (pa.types.is_timestamp, marked("moment")),
        (pa.types.is_temporal, marked("time")),
        (pa.types.is_string, marked("text")),
        (pa.types.is_large_string, marked("text")),
        (pa.types.is_list, marked("list")),
        (pa.types.is_struct, marked("object")),
    )
    return next((said for test, said in tests if test(kind)), marked("other"))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_label(kind: Any) -> bool:
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(is_text or pa.types.is_temporal(kind) or pa.types.is_boolean(kind))


def _cell(value: Any, field: Any, words: Words) -> Cell:
    if value is None:
        return Cell("null", "null")
    if isinstance(value, bool):
        return Cell(words.value(value), "text")
    if isinstance(value, int | float | Decimal):
        return Cell(_number(value, field.name, words), "number")
    if isinstance(value, datetime):
        return Cell(_moment(value, words), "moment", value.isoformat())
    if isinstance(value, date):
        return Cell(_day(value, words), "moment", value.isoformat())
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=_encoded).decode()
    sort = "json" if not isinstance(value, str) or text.startswith(("{", "[")) else "text"
    if len(text) > CELL_CHARACTERS_MAX:
        return Cell(text[:CELL_CHARACTERS_MAX] + "…", sort, text[:10_000])
    return Cell(text, sort)


def _number(value: Any, name: str, words: Words) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and _PLAIN_NUMBERS.search(name):
        return str(value)
    digits = min(max(-int(value.as_tuple().exponent), 0), 12) if isinstance(value, Decimal) else 6
    return words.number(value, digits)


def _day(value: date, words: Words) -> str:
    return str(dates.format_date(value, "medium", locale=words.locale))


def _moment(value: datetime, words: Words) -> str:
    """A moment in the visitor's zone; one that says no zone as it stands."""
    return words.moment(from_datetime(value)) if value.tzinfo else value.isoformat(" ", "seconds")


def _label(value: Any, words: Words) -> str:
    if isinstance(value, datetime):
        return words.short_day(from_datetime(value)) if _is_midnight(value, words) else _moment(value, words)
    if isinstance(value, date):
        return _day(value, words)
    return words.value(value)[:80]


def _is_midnight(value: datetime, words: Words) -> bool:
    local = words.local(from_datetime(value))
    return (local.hour, local.minute, local.second) == (0, 0, 0) or (value.hour, value.minute) == (0, 0)


def _float(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _side_by_side(table: Any, x: str, y: Sequence[str], words: Words) -> tuple[list[str], list[charts.Series]]:
    part = table.slice(0, POINTS_MAX)
    labels = [_label(value, words) for value in part.column(x).to_pylist()]
    series = []
    for at, name in enumerate(y[:SERIES_MAX]):
        if not _is_number(table.schema.field(name).type):
            raise DefinitionInvalid(words.say(marked("“%(name)s” holds no numbers."), name=name))
        series.append(charts.Series(name, _color(name, at), [_float(value) for value in part.column(name).to_pylist()]))
    return labels, series


def _split(table: Any, x: str, y: str, split: str, words: Words) -> tuple[list[str], list[charts.Series]]:
    """One series for each value of a column."""
    if not _is_number(table.schema.field(y).type):
        raise DefinitionInvalid(words.say(marked("“%(name)s” holds no numbers."), name=y))
    places = list(dict.fromkeys(table.column(x).to_pylist()))[:POINTS_MAX]
    names = _values_of(table, split)[:SERIES_MAX]
    found: dict[Any, dict[Any, float]] = {name: {} for name in names}
    for place, name, value in _triples(table, x, split, y):
        if name in found:
            found[name][place] = found[name].get(place, 0.0) + (0.0 if value is None else float(value))
    series = [
        charts.Series(str(name), _color(str(name), at), [found[name].get(place) for place in places])
        for at, name in enumerate(names)
    ]
    return [_label(place, words) for place in places], series


def _triples(table: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def _values_of(table: Any, name: str) -> list[Any]:
    return list(dict.fromkeys(table.column(name).to_pylist())) if name else []


def _color(name: str, at: int) -> int:
    """The color of a channel where it is one, else the next."""
    return charts.color_of(name) if name in charts.CHANNELS else at % charts.COLORS


def _plain(value: Any) -> Any:
    if isinstance(value, list | dict):
        return msgspec.json.encode(value, enc_hook=_encoded).decode()
    return value.isoformat() if isinstance(value, datetime | date) else value


def _unformulated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    risky = value.startswith(_STARTS_A_FORMULA) or re.match(r"[+-](?![\d ().-]+$)", value)
    return "'" + value if risky else value


def _encoded(value: Any) -> Any:
    return str(value)


def _unique(table: Any) -> Any:
    """The table with every column's name once: Parquet readers want that."""
    names: list[str] = []
    for name in table.column_names:
        names.append(name if name not in names else f"{name}_{len(names) + 1}")
    return table.rename_columns(names)
