"""What lay where, as warehouses and other systems say it in tables: CSV, Excel, JSON lines, Parquet.

A row says how much of a product lay in a place, and since when that is so. Columns are known by the names below,
whatever their case and the signs between words; others are left alone. What is wrong with a row stands beside its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cauce.connectors.tabular.reading import Broken, open_sheet
from cauce.errors import DefinitionInvalid

COLUMNS: dict[str, tuple[tuple[str, ...], str]] = {
    "place": (
        ("place", "place_id", "store", "store_id", "location", "location_id", "warehouse", "gln", "tienda", "almacen"),
        "Where it lies: the id of a place, its GLN, or what the source of the feed calls it.",
    ),
    "item": (
        ("sku", "gtin", "ean", "upc", "item", "item_id", "product", "product_id", "article", "referencia"),
        "Which product: its SKU, a GTIN, or an id that a channel uses.",
    ),
    "quantity": (
        ("quantity", "available", "on_hand", "stock", "amount", "count", "units", "cantidad", "existencias"),
        "How much lies there with what is promised, without what is damaged; up to three decimals.",
    ),
    "unit": (("unit", "uom", "unidad"), "The unit when it is not that of the product: KGM, GRM, LTR …"),
    "counted_at": (
        ("counted_at", "counted", "at", "updated_at", "timestamp", "date", "fecha"),
        "When it was so: ISO 8601. Without a zone it is the time of the place.",
    ),
}
"""Field → (names of columns that hold it, what it is)."""
AMOUNT_MAX = 10**12
TEXT_CHARACTERS_MAX = 200


class Counted(NamedTuple):
    """So much lay in a place, in thousandths of `unit` ("" for the product's own); `at` ISO 8601, "" when not told."""

    line: int
    place: str
    item: str
    amount: int
    unit: str
    at: str


class Bad(NamedTuple):
    """A row that says nothing that can be used, and why."""

    line: int
    why: str


Row = Counted | Bad


def read(path: Path, place: str = "") -> Iterator[Row]:
    """Rows of a feed. `place` is for rows that name none. DefinitionInvalid when a needed column is missing."""
    sheet = open_sheet(path)
    columns = _columns(sheet.columns, needs_place=not place)
    for line, cells in sheet.rows():
        if isinstance(cells, Broken):
            yield Bad(line, f"expected {cells.expected}")
            continue
        yield _row(line, {field: cells[index] for field, index in columns.items()}, place)


def _columns(names: Sequence[str], *, needs_place: bool) -> dict[str, int]:
    """Where each field stands; the first of its names that there is."""
    plain = [re.sub(r"[^a-z0-9]+", "_", str(name).strip().lower()).strip("_") for name in names]
    found = {field: plain.index(name) for field, (known, _) in COLUMNS.items() for name in known[::-1] if name in plain}
    for field in ("item", "quantity", *(("place",) if needs_place else ())):
        if field not in found:
            there = ", ".join(map(str, names))
            raise DefinitionInvalid(
                f"expected a column for {field}, such as {COLUMNS[field][0][0]!r}; there are {there}",
                hint="Rename a column, or tell --place" if field == "place" else "Rename a column",
            )
    return found


def _row(line: int, cells: Mapping[str, Any], place: str) -> Row:
    item, where = _text(cells.get("item")), _text(cells.get("place")) or place
    if not item:
        return Bad(line, "no product is named")
    if not where:
        return Bad(line, "no place is named")
    told = cells.get("quantity")
    amount = thousandths(told)
    if amount is None:
        return Bad(line, f"expected a quantity of 0 or more with at most three decimals, got {str(told)[:40]!r}")
    at = _text(cells.get("counted_at"))
    if at and moment(at, "UTC") is None:
        return Bad(line, f"expected a time of ISO 8601, got {at[:40]!r}")
    return Counted(line, where, item, amount, _text(cells.get("unit")).upper(), at)


def thousandths(value: Any) -> int | None:
    """A quantity as whole thousandths; None for what is none, is below 0, or cannot be right."""
    text = str(value).strip() if not isinstance(value, bool) else ""
    if re.fullmatch(r"\d+,\d{1,3}", text):  # a comma before decimals, as in most of Europe
        text = text.replace(",", ".")
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return None
    if not exact.is_finite() or not 0 <= exact <= AMOUNT_MAX // 1_000:
        return None
    found = int((exact * 1_000).quantize(Decimal(1), ROUND_HALF_UP))
    return found if Decimal(found) == exact * 1_000 else None


def moment(text: str, zone: str) -> int | None:
    """Microseconds of a time of ISO 8601, in the time of a zone when it names none; None when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(zone))
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool | list | dict):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a spreadsheet knows no whole numbers
    return str(value).strip()[:TEXT_CHARACTERS_MAX]
