"""What lay where, as trading partners say it: InventoryReport of UBL 2.1, in and out.

https://docs.oasis-open.org/ubl/UBL-2.1.html. A line's quantity lay there at the end of the report's inventory period
in the line's own location, else in the report's. Items are known by the standard id (a GTIN), else by the seller's or
the buyer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, register_namespace, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from cauce.errors import Unreadable

REPORT = "urn:oasis:names:specification:ubl:schema:xsd:InventoryReport-2"
PARTS = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
VALUES = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
ITEM_IDS = ("StandardItemIdentification", "SellersItemIdentification", "BuyersItemIdentification")
PIECES = frozenset(("NAR", "EA", "C62", "PCE", "H87"))
"""Codes for pieces: the usual unit of a product, which needs no conversion."""


class ReportLine(NamedTuple):
    """So much of an item lay in a place: `quantity` as it is written, `at` ISO 8601, "" when nobody said."""

    line: int
    place: str
    items: tuple[str, ...]
    quantity: str
    unit: str
    at: str


class Stock(NamedTuple):
    """What a report says of a product in a place; `amount` in thousandths of `unit`."""

    place: str
    sku: str
    gtin: str
    name: str
    amount: int
    unit: str


def read(body: bytes) -> Iterator[ReportLine]:
    """Lines of an InventoryReport in order. Unreadable when it is none."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as fault:
        raise Unreadable(f"the file is no XML that can be read: {fault}") from None
    if _name(root) != "InventoryReport":
        raise Unreadable(f"expected an InventoryReport of UBL 2.1, got <{_name(root)[:80]}>")
    at = _ended(root)
    place = _text(root, "InventoryLocation", "ID") or _text(
        root, "InventoryReportingParty", "PartyIdentification", "ID"
    )
    for number, line in enumerate(_children(root, "InventoryReportLine"), start=1):
        quantity = next(iter(_children(line, "Quantity")), None)
        item = next(iter(_children(line, "Item")), None)
        ids = tuple(filter(None, (_text(item, name, "ID") for name in ITEM_IDS))) if item is not None else ()
        unit = (quantity.get("unitCode") or "").strip() if quantity is not None else ""
        yield ReportLine(
            number,
            _text(line, "InventoryLocation", "ID") or place,
            ids,
            (quantity.text or "").strip() if quantity is not None else "",
            "" if unit in PIECES else unit,
            at,
        )


def written(id_: str, issued: str, party: str, stocks: Iterable[Stock]) -> bytes:
    """An InventoryReport for a `party` (a name) of what lies where at `issued` (ISO 8601 with its offset)."""
    register_namespace("", REPORT)
    register_namespace("cac", PARTS)
    register_namespace("cbc", VALUES)
    root = Element(f"{{{REPORT}}}InventoryReport")
    day, _, clock = issued.partition("T")
    for name, value in (("UBLVersionID", "2.1"), ("ID", id_), ("IssueDate", day), ("IssueTime", clock)):
        _value(root, name, value)
    period = SubElement(root, f"{{{PARTS}}}InventoryPeriod")
    for name, value in (("EndDate", day), ("EndTime", clock)):
        _value(period, name, value)
    customer = SubElement(SubElement(root, f"{{{PARTS}}}RetailerCustomerParty"), f"{{{PARTS}}}Party")
    _value(SubElement(customer, f"{{{PARTS}}}PartyName"), "Name", party)
    for number, stock in enumerate(stocks, start=1):
        _line(root, number, stock)
    indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + bytes(tostring(root, encoding="utf-8"))


def _line(root: Element, number: int, stock: Stock) -> None:
    line = SubElement(root, f"{{{PARTS}}}InventoryReportLine")
    _value(line, "ID", str(number))
    _value(line, "Quantity", f"{Decimal(stock.amount) / 1_000:f}", unitCode=stock.unit or "H87")
    item = SubElement(line, f"{{{PARTS}}}Item")
    if stock.name:
        _value(item, "Name", stock.name)
    for name, value in (("SellersItemIdentification", stock.sku), ("StandardItemIdentification", stock.gtin)):
        if value:
            _value(SubElement(item, f"{{{PARTS}}}{name}"), "ID", value)
    _value(SubElement(line, f"{{{PARTS}}}InventoryLocation"), "ID", stock.place)


def _value(holder: Element, name: str, value: str, **attributes: str) -> None:
    SubElement(holder, f"{{{VALUES}}}{name}", attributes).text = value


def _ended(root: Element) -> str:
    """When the inventory period ended; a day without a time means the end of that day."""
    period = next(iter(_children(root, "InventoryPeriod")), None)
    if period is None:
        return _text(root, "IssueDate") and f"{_text(root, 'IssueDate')}T{_text(root, 'IssueTime') or '23:59:59'}"
    day = _text(period, "EndDate") or _text(period, "StartDate")
    return f"{day}T{_text(period, 'EndTime') or '23:59:59'}" if day else ""


def _name(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _children(holder: Element, name: str) -> list[Element]:
    return [child for child in holder if _name(child) == name]


def _text(holder: Element, *path: str) -> str:
    """The text at the end of a path of names, "" when there is none."""
    for name in path:
        found = next(iter(_children(holder, name)), None)
        if found is None:
            return ""
        holder = found
    return (holder.text or "").strip()[:200]
