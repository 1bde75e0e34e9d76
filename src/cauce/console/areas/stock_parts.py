"""The matrix of products and places, and how amounts and moments are typed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from babel.dates import format_date

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.stock import questions
from cauce.commerce.stock.api import Available
from cauce.console.areas.products_words import amount_said, unit_said
from cauce.console.visit import Visit
from cauce.errors import DefinitionInvalid
from cauce.model.time import from_datetime

COLUMNS_MAX = 40
AMOUNT_MAX = 2**53
PIECE = "H87"


class Cell(NamedTuple):
    """A product in a place: its state (empty when it was never there) and what may be promised, as it is said."""

    place: str
    place_name: str
    state: str
    available: str
    held: str


class Line(NamedTuple):
    """A product and its cells, in the order of the columns."""

    sku: str
    name: str
    total: str
    is_out: bool
    cells: list[Cell]


class Matrix(NamedTuple):
    """Places as columns, products as lines; `hidden` columns have no room, `after` is where the next page begins."""

    places: list[tuple[str, str]]
    hidden: int
    lines: list[Line]
    after: str


def matrix_of(visit: Visit, asked: dict[str, str], rows: int) -> Matrix:
    """The matrix of what was asked for: words of products, a category, words of places, a channel, only scarce ones."""
    commerce = visit.platform.commerce
    reader = commerce.reader
    places = [(id_, name) for id_, name in _places(visit) if _fits(asked["where"], (id_, name))]
    if asked["q"] or asked["category"]:
        found = [
            product.sku
            for product in catalogue.products(
                commerce, text=asked["q"], category=asked["category"], after=asked["after"], limit=rows + 1
            )
        ]
    else:
        found = questions.skus(reader, after=asked["after"], scarce=asked["only"] == "scarce", limit=rows + 1)
    shown = found[:rows]
    columns = places[:COLUMNS_MAX]
    stock = questions.table(reader, shown, [id_ for id_, _ in places], asked["channel"])
    lines = [_line(visit, sku, columns, [one for key, one in stock.items() if key[0] == sku]) for sku in shown]
    if asked["only"] == "scarce":
        lines = [line for line in lines if any(cell.state in ("low", "out") for cell in line.cells)]
    return Matrix(columns, len(places) - len(columns), lines, shown[-1] if len(found) > rows else "")


def _line(visit: Visit, sku: str, places: list[tuple[str, str]], stock: Iterable[Available]) -> Line:
    by_place = {one.place: one for one in stock}
    product = catalogue.product(visit.platform.commerce, sku)
    unit = product.unit if product else PIECE
    total = sum(one.available for one in by_place.values())
    cells = []
    for id_, name in places:
        one = by_place.get(id_)
        if one is None:
            cells.append(Cell(id_, name, "", "", ""))
        else:
            held = amount_said(visit, one.held, unit) if one.held else ""
            cells.append(Cell(id_, name, one.state, amount_said(visit, one.available, unit), held))
    return Line(
        sku, product.name(visit.words.language) if product else sku, amount_said(visit, total, unit), total <= 0, cells
    )


def channels(visit: Visit) -> list[tuple[str, str]]:
    """Channels whose view may be chosen."""
    names = {source.channel for source in visit.platform.sources.list()}
    names |= {cap.channel for cap in questions.caps(visit.platform.commerce.reader)}
    return [(name, visit.words.channel(name)) for name in sorted(names)]


def name_of(visit: Visit, sku: str) -> str:
    """The name of a product, its SKU when the catalogue does not know it."""
    product = catalogue.product(visit.platform.commerce, sku)
    return product.name(visit.words.language) if product else sku


def unit_of(visit: Visit, sku: str) -> str:
    """The sign of a product's unit, empty for pieces."""
    product = catalogue.product(visit.platform.commerce, sku)
    return unit_said(visit, product.unit) if product and not catalogue.is_whole(product.unit) else ""


def place_name(visit: Visit, id_: str) -> str:
    place = catalogue.place(visit.platform.commerce, id_)
    return place.name or id_ if place else id_


def day_of(visit: Visit, text: str) -> str:
    """A day such as 2026-11-21 as it is written here; what is no day as it stands."""
    try:
        return format_date(date.fromisoformat(text), "medium", locale=visit.words.locale)
    except ValueError:
        return text


def _places(visit: Visit) -> list[tuple[str, str]]:
    """Places that have or had stock, by id and name."""

    def asked(platform: Any) -> list[tuple[str, str]]:
        known = {one.id: one.name or one.id for one in catalogue.places(platform.commerce, retired=True)}
        return [(id_, known.get(id_, id_)) for id_ in questions.stocked_places(platform.commerce.reader)]

    found: list[tuple[str, str]] = visit.kept("stock.places", asked, seconds=5)
    return found


def _fits(words: str, texts: Iterable[str]) -> bool:
    """Whether every word stands in one of the texts."""
    whole = " ".join(texts).casefold()
    return all(word in whole for word in words.casefold().split())


def amount_of(text: str, *, zero: bool = False, below_zero: bool = False) -> int:
    """Thousandths of what was typed, with a comma or a point; DefinitionInvalid for anything else."""
    try:
        thousandths = Decimal(text.strip().replace(",", ".")) * 1_000
    except InvalidOperation:
        raise DefinitionInvalid(f"expected a number such as 2 or 0.65, got {text[:40]!r}") from None
    if not thousandths.is_finite() or thousandths != thousandths.to_integral_value():
        raise DefinitionInvalid(f"expected at most three decimals, got {text[:40]!r}")
    found = int(thousandths)
    if abs(found) > AMOUNT_MAX or (found < 0 and not below_zero) or (found == 0 and not zero):
        raise DefinitionInvalid(f"expected an amount that makes sense here, got {text[:40]!r}")
    return found


def moment_of(visit: Visit, text: str) -> int:
    """Microseconds of a date and time as a form sends it, in the visitor's zone; 0 for none."""
    if not text.strip():
        return 0
    try:
        return from_datetime(datetime.fromisoformat(text).replace(tzinfo=visit.words.zone))
    except ValueError:
        raise DefinitionInvalid(f"expected a date and a time, got {text[:40]!r}") from None
