"""Goods that were seen somewhere (GS1 EPCIS 2.0): which steps move stock, and how; pure.

A step of the Core Business Vocabulary says what happened to the goods; most of them only observe. Goods are counted
where an ObjectEvent or a TransformationEvent names them: an aggregation or a transaction speaks of goods that another
event has moved. An error declaration takes back what the event that it declares wrong has done, before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from hashlib import blake2b
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from stdnum import ean

from cauce.commerce.tills.deeds import AnyDeed, Cancel, Capture, Goods, Levels, Line, Where
from cauce.commerce.tills.store import SEPARATOR

CAPTURED = "Goods Observed"
"""The event of the river that carries one event of EPCIS in its properties."""

STEPS: dict[str, str] = {
    "receiving": "received",
    "shipping": "shipped",
    "void_shipping": "unshipped",
    "retail_selling": "sold",
    "destroying": "destroyed",
    "dispensing": "destroyed",
}
"""Business steps that change what lies on the shelf, and how; a disposition may say more (`_step`)."""
COUNTS = frozenset(("stock_taking", "cycle_counting"))
MADE, USED = "made", "used"
_DAMAGED = frozenset(("damaged", "non_sellable_other", "expired", "recalled"))
_encode = msgspec.json.Encoder(order="deterministic").encode
_VOCABULARY = ("https://ref.gs1.org/cbv/", "https://ns.gs1.org/cbv/", "urn:epcglobal:cbv:")

PlaceOf = Callable[[str], str | None]


def read(event: Mapping[str, Any], where: Where, ids: str, place_of: PlaceOf, *, moves: bool) -> list[AnyDeed]:
    """What one event of EPCIS asks for: to be kept, and what it does to the stock when it is at one of our places."""
    key = key_of(event)
    found: list[AnyDeed] = [Capture(where=where, key=f"captured{SEPARATOR}{digest(event)}", body=_encode(event))]
    if not moves:
        return found
    if "errorDeclaration" in event:
        return [*found, Cancel(where=where, key=f"declared{SEPARATOR}{key}", cancelled=key)]
    place = place_at(event, place_of)
    if place is None:
        return found
    found += _moved(event, where, key, ids, place)
    return found


def _moved(event: Mapping[str, Any], where: Where, key: str, ids: str, place: str) -> Iterator[AnyDeed]:
    reference = next(iter(transactions(event)), ("", ""))[1]
    if event.get("type") == "TransformationEvent":
        for prefix, step in (("input", USED), ("output", MADE)):
            lines = lines_of(event, f"{prefix}EPCList", f"{prefix}QuantityList")
            if lines:
                own = f"{key}{SEPARATOR}{step}" if step == MADE else key
                yield Goods(where=where, key=own, ids=ids, step=step, place=place, lines=lines, reference=reference)
        return
    if event.get("type") != "ObjectEvent":
        return
    lines = lines_of(event, "epcList", "quantityList")
    step = word(event.get("bizStep"))
    if lines and step in COUNTS:
        yield Levels(where=where, key=key, ids=ids, place=place, lines=lines, reference=reference)
    elif lines and (name := _step(step, word(event.get("disposition")))):
        yield Goods(where=where, key=key, ids=ids, step=name, place=place, lines=lines, reference=reference)


def _step(step: str, disposition: str) -> str:
    """How a business step moves stock, "" when it does not."""
    if step == "receiving" and disposition == "returned":
        return "returned"
    if step in ("inspecting", "holding", "storing") and disposition in _DAMAGED:
        return "damaged"
    if disposition in ("destroyed", "disposed", "stolen"):
        return "destroyed"
    return STEPS.get(step, "")


def key_of(event: Mapping[str, Any]) -> str:
    """What makes an event one, whoever sends it and whether or not it declares itself wrong."""
    id_ = event.get("eventID")
    if isinstance(id_, str) and id_:
        return f"epcis{SEPARATOR}{id_}"
    return f"epcis{SEPARATOR}{digest({name: value for name, value in event.items() if name != 'errorDeclaration'})}"


def digest(event: Mapping[str, Any]) -> str:
    """128 bits of what an event says, without when somebody recorded it."""
    told = {name: value for name, value in event.items() if name not in ("recordTime", "@context")}
    return blake2b(_encode(told), digest_size=16).hexdigest()


def place_at(event: Mapping[str, Any], place_of: PlaceOf) -> str | None:
    """Our place where the goods are, or were seen last: the business location, else the read point."""
    for name in ("bizLocation", "readPoint"):
        location = event.get(name)
        id_ = location.get("id") if isinstance(location, Mapping) else None
        if isinstance(id_, str) and id_:
            found = place_of(id_) or place_of(gln_of(id_) or id_)
            if found is not None:
                return found
    return None


def transactions(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(type, id) of the business transactions that it belongs to."""
    listed = event.get("bizTransactionList")
    return [
        (word(one.get("type")), str(one.get("bizTransaction")))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, Mapping)
    ]


def lines_of(event: Mapping[str, Any], epcs: str, quantities: str) -> tuple[Line, ...]:
    """Trade items with their amounts: one for each serial number, and what the quantity list says; summed."""
    amounts: dict[tuple[str, str], int] = {}
    for epc in event.get(epcs) or ():
        gtin = gtin_of(epc) if isinstance(epc, str) else None
        if gtin:
            amounts[gtin, ""] = amounts.get((gtin, ""), 0) + 1_000
    for element in event.get(quantities) or ():
        gtin = gtin_of(str(element.get("epcClass"))) if isinstance(element, Mapping) else None
        quantity = element.get("quantity") if gtin else None
        if gtin and quantity.__class__ in (int, float):
            key = gtin, str(element.get("uom") or "")
            amounts[key] = amounts.get(key, 0) + int((Decimal(repr(quantity)) * 1_000).to_integral_value())
    return tuple(Line((gtin,), amount, unit=unit) for (gtin, unit), amount in amounts.items() if amount > 0)


def word(value: Any) -> str:
    """The bare word of the Core Business Vocabulary, however it is written; other vocabularies stay as they are."""
    if not isinstance(value, str):
        return ""
    for prefix in _VOCABULARY:
        if value.startswith(prefix):
            rest = value.removeprefix(prefix)
            return rest.partition(":")[2] or rest.partition("-")[2] or rest
    return value


def gtin_of(epc: str) -> str | None:
    """The 14 digits of a trade item's GTIN, from a URN or a GS1 Digital Link; None for anything else."""
    if epc.startswith("urn:epc:"):
        scheme, _, rest = epc.removeprefix("urn:epc:").partition(":")[2].partition(":")
        parts = rest.split(".")
        if scheme in ("sgtin", "lgtin", "itip") and len(parts) >= 2 and "".join(parts[:2]).isdigit() and parts[1]:
            return _with_check_digit(parts[1][0] + parts[0] + parts[1][1:], 14)
        return None
    gtin = _link(epc, ("01", "gtin"))
    return gtin.zfill(14) if gtin and gtin.isdigit() and len(gtin) <= 14 else None


def gln_of(location: str) -> str | None:
    """The 13 digits of a location's GLN, from a URN or a GS1 Digital Link; None for anything else."""
    if location.startswith("urn:epc:id:"):
        scheme, _, rest = location.removeprefix("urn:epc:id:").partition(":")
        parts = rest.split(".")
        if scheme in ("sgln", "pgln") and len(parts) >= 2 and "".join(parts[:2]).isdigit():
            return _with_check_digit(parts[0] + parts[1], 13)
        return None
    gln = _link(location, ("414", "gln"))
    return gln if gln and gln.isdigit() and len(gln) == 13 else None


def _with_check_digit(digits: str, length: int) -> str | None:
    return digits + ean.calc_check_digit(digits) if len(digits) == length - 1 else None


def _link(url: str, names: tuple[str, ...]) -> str | None:
    """The value behind one of these names in the path of a GS1 Digital Link."""
    if not url.startswith(("https://", "http://")):
        return None
    parts = urlsplit(url).path.split("/")
    return next((unquote(value) for name, value in pairwise(parts) if name in names), None)
