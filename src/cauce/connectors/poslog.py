"""Transactions of tills as ARTS (now OMG) POSLog has them, version 2 to 6: receipts, returns, cancellations.

A record's body is `{"batch": [ITEM, …]}`; an ITEM is `{"part": …, "poslog": "<Transaction>…</Transaction>"}`, one for
each event that a transaction is: a receipt, a return for each receipt that goods come back to. So each can be mended
and erased alone. A transaction is known by store, workstation, sequence and business day, whatever file brings it.

Elements are known by their local names, because every maker has a namespace of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree.ElementTree import Element, ParseError, tostring

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from stdnum import ean

from cauce.connectors.reading import aside, read_body, refused, shown
from cauce.connectors.values import moment_of
from cauce.errors import Unreadable
from cauce.model import Event, Identifier, Reason, Received, Record, Source, position_of

NAME = "poslog"
READS_COMPRESSED = True

RECEIPT, RETURNED, CANCELLED = "Receipt Issued", "Product Returned", "Receipt Cancelled"
PRACTISED, OPERATED = "Practice Receipt Issued", "Till Operated"
ITEMS_PER_RECORD = 500
RECORD_BYTES = 2**20
TRANSACTIONS_MAX = 1_000_000
ID_CHARACTERS_MAX = 100
_VOIDED = frozenset(("voided", "suspended", "suspendeddeleted", "failed", "cancelled", "canceled"))
_POST_VOIDED = frozenset(("postvoided", "postvoid", "void", "voided"))
_UNITS = {"kg": "KGM", "g": "GRM", "l": "LTR", "ml": "MLT", "lb": "LBR", "ea": "", "each": "", "pcs": ""}
_UNIT = re.compile(r"[A-Z0-9]{2,3}")
_DECIMAL = re.compile(r"[-+]?\d{1,15}(\.\d{1,12})?")
_KINDS = ("RetailTransaction", "ControlTransaction", "TenderControlTransaction", "InventoryControlTransaction")


class Fault(Exception):
    """Why a transaction cannot become an event."""

    def __init__(self, code: str, path: str, expected: str, found: Any) -> None:
        super().__init__(code)
        self.reason = Reason(code, path, expected, shown(found))


# -- at the door ------------------------------------------------------------------------------------------------------


def frame(body: bytes, _manner: str = "") -> list[bytes]:
    """Bodies of records for a POSLog document. Unreadable when it is no XML, or holds no transaction."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as fault:
        raise Unreadable(f"the body is no XML that can be read: {fault}", hint="Send a POSLog document") from None
    transactions = (
        [root] if _name(root) == "Transaction" else [one for one in root.iter() if _name(one) == "Transaction"]
    )
    if not transactions:
        raise Unreadable(
            f"expected a POSLog document with transactions, got <{_name(root)[:80]}>", hint="Send <POSLog> … </POSLog>"
        )
    items = [item for transaction in transactions for item in _items(transaction)]
    return list(_packed(items))


def _items(transaction: Element) -> Iterator[bytes]:
    text = tostring(transaction, encoding="unicode")
    for part in _parts(transaction):
        yield msgspec.json.encode({"part": part, "poslog": text})


def _packed(items: list[bytes]) -> Iterator[bytes]:
    """Items in bodies of bounded size, at least one in each."""
    waiting: list[bytes] = []
    size = 0
    for item in items:
        if waiting and (len(waiting) >= ITEMS_PER_RECORD or size + len(item) > RECORD_BYTES):
            yield b'{"batch":[' + b",".join(waiting) + b"]}"
            waiting, size = [], 0
        waiting.append(item)
        size += len(item)
    if waiting:
        yield b'{"batch":[' + b",".join(waiting) + b"]}"


def _parts(transaction: Element) -> list[str]:
    """What events a transaction is: *receipt*, *return:N* for the Nth receipt that goods come back to, or *other*."""
    retail = _child(transaction, "RetailTransaction")
    if retail is None:
        return ["other"]
    if _post_void(retail) is not None:
        return ["cancel"]
    if _is_cancelled(transaction, retail):
        return ["receipt"]
    links = list(_returns(retail))
    parts = [f"return:{number + 1}" for number in range(len(links))]
    return ["receipt", *parts] if _lines(retail, "Sale") or not parts else parts


# -- in the river -----------------------------------------------------------------------------------------------------


def decode(record: Record, source: Source) -> list[Received]:
    """Events of a record in order, each as an event or with the reason why it is none; pure, never raises."""
    found: list[Received] = []
    for index, item in enumerate(read_body(record).items):
        other = aside(record, source, index, item)
        if other is not None:
            found.append(other)
            continue
        try:
            event = _event(record, source, position_of(record.offset, index), item)
        except Fault as fault:
            found.append(refused(record, source, index, item, fault.reason))
            continue
        found.append(Received(event.position, record.source, source.channel, record.received, item, event))
    return found


def _event(record: Record, source: Source, position: int, item: dict[str, Any]) -> Event:
    transaction = _read(item)
    part = str(item.get("part") or "receipt")
    own = _own(transaction)
    id_ = "-".join((own["store_id"], own["till_id"], own["business_day"], own["sequence_number"], part))
    item["messageId"] = id_[:ID_CHARACTERS_MAX]
    name, told, retail = _told(transaction, part, own)
    stamp = _text(transaction, "EndDateTime") or _text(transaction, "POSLogDateTime")
    occurred = moment_of(stamp or _text(transaction, "BeginDateTime"))
    if occurred is None:
        occurred = moment_of(own["business_day"])
    if occurred is None:
        raise Fault("time_unreadable", "/poslog/EndDateTime", "an ISO 8601 time", stamp)
    if stamp and not re.search(r"(Z|[+-]\d\d:?\d\d)$", stamp):
        told["occurred_local"] = stamp
    who, traits = _who(retail, source) if retail is not None else ((), {})
    properties = {key: value for key, value in told.items() if value is not None and value != ""}
    return Event(
        item["messageId"], record.source, source.channel, "track", name, occurred, record.received, position, who,
        traits, properties, {"library": {"name": NAME}},
    )  # fmt: skip


def _read(item: dict[str, Any]) -> Element:
    text = item.get("poslog")
    if not isinstance(text, str):
        raise Fault("value_missing", "/poslog", "a <Transaction>", text)
    try:
        found: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as fault:
        raise Fault("unreadable", "/poslog", f"XML ({fault})", text) from None
    if _name(found) != "Transaction":
        raise Fault("type_unknown", "/poslog", "a <Transaction>", _name(found))
    return found


def _own(transaction: Element) -> dict[str, str]:
    """What makes a transaction one; Fault when a part of it is missing."""
    day = _text(transaction, "BusinessDayDate")[:10]
    found = {
        "store_id": _store(transaction),
        "till_id": _text(transaction, "WorkstationID"),
        "business_day": day,
        "sequence_number": _text(transaction, "SequenceNumber"),
    }
    names = ("RetailStoreID", "WorkstationID", "BusinessDayDate", "SequenceNumber")
    for name, value in zip(names, found.values(), strict=True):
        if not value:
            raise Fault("value_missing", f"/poslog/{name}", "text that is not empty", value)
    if moment_of(day) is None:
        raise Fault("time_unreadable", "/poslog/BusinessDayDate", "a day such as 2026-11-30", day)
    return found


def _told(transaction: Element, part: str, own: dict[str, str]) -> tuple[str, dict[str, Any], Element | None]:
    """Name and properties of the event, and the element that names the customer."""
    receipt = "-".join(own.values())
    told: dict[str, Any] = {
        **own,
        "associate_id": _text(transaction, "OperatorID"),
        "currency": _text(transaction, "CurrencyCode").upper(),
        "is_offline": _flag(transaction, "OfflineFlag") or None,
    }
    retail = _child(transaction, "RetailTransaction")
    if retail is None:
        kind = next((name for name in _KINDS if _child(transaction, name) is not None), "")
        holder = _child(transaction, kind) if kind else None
        told |= {"kind": kind or "other", "reason": _text(holder, "ReasonCode") if holder is not None else ""}
        return OPERATED, told, None
    told["receipt_id"] = _text(retail, "ReceiptNumber") or receipt
    void = _post_void(retail)
    if void is not None:
        return CANCELLED, {**told, **_linked(void), "receipt_id": _receipt_of(void), "cancelled_by": receipt}, retail
    if _flag(transaction, "TrainingModeFlag") or _flag(transaction, "TrainingFlag"):
        return PRACTISED, {**told, **_sale(retail)}, None
    if _is_cancelled(transaction, retail):
        return CANCELLED, told, retail
    if part.startswith("return:"):
        return RETURNED, {**told, "return_id": f"{receipt}-R{part[7:]}", **_return(retail, part)}, retail
    return RECEIPT, {**told, **_sale(retail)}, retail


def _sale(retail: Element) -> dict[str, Any]:
    totals = {str(total.get("TotalType") or ""): total.text for total in _children(retail, "Total")}
    tenders = _lines(retail, "Tender")
    return {
        "total": _amount(totals.get("TransactionGrandAmount") or totals.get("TransactionNetAmount"), "Total"),
        "tax": _amount(totals.get("TransactionTaxAmount"), "Total"),
        "payment_method": ", ".join(
            dict.fromkeys(one.get("TenderType") or "" for one in tenders if one.get("TenderType"))
        ),
        "products": [_product(line) for line in _lines(retail, "Sale")],
    }


def _return(retail: Element, part: str) -> dict[str, Any]:
    """One return: the goods that come back to one receipt."""
    groups = list(_returns(retail).items())
    number = int(part[7:]) if part[7:].isdigit() else 0
    if not 0 < number <= len(groups):
        raise Fault("value_not_allowed", "/part", f"return:1 to return:{len(groups)}", part)
    _, lines = groups[number - 1]
    link = _child(lines[0], "TransactionLink")
    products = [_product(line) for line in lines]
    total = sum((abs(_decimal(line, "ExtendedAmount") or Decimal()) for line in lines), Decimal())
    disposal = _child(lines[0], "Disposal")
    method = (disposal.get("Method") or "").lower() if disposal is not None else ""
    return {
        **({f"original_{key}": value for key, value in _linked(link).items()} if link is not None else {}),
        "receipt_id": _receipt_of(link) if link is not None else "",
        "reason": _text(lines[0], "Reason"),
        "condition": "damaged" if method in ("destroy", "damaged", "dispose") else "",
        "total": _plain(total),
        "products": [{**one, "quantity": abs(one["quantity"])} for one in products],
    }


def _product(line: Element) -> dict[str, Any]:
    """A line in the words of the vocabulary; `price` is what one unit was charged with."""
    identity = _child(line, "POSIdentity")
    scanned = _text(identity, "POSItemID") if identity is not None else ""
    item = _text(line, "ItemID")
    if not (scanned or item):
        raise Fault("value_missing", "/poslog/LineItem/ItemID", "the id of an item", "")
    quantity, element = _quantity(line)
    extended = _decimal(line, "ExtendedAmount")
    price = _decimal(line, "ActualSalesUnitPrice")
    if price is None and extended is not None and quantity:
        price = (abs(extended) / abs(quantity)).quantize(Decimal("0.000001"))
    told = {
        "sku": item if item != scanned else "",
        "product_id": scanned,
        "gtin": scanned if scanned.isdigit() and len(scanned) in (8, 12, 13, 14) and ean.is_valid(scanned) else "",
        "name": _text(line, "Description"),
        "quantity": _plain(quantity),
        "unit": _unit(element),
        "price": _plain(price) if price is not None else None,
    }
    return {key: value for key, value in told.items() if value is not None and value != ""}


def _quantity(line: Element) -> tuple[Decimal, Element | None]:
    element = _child(line, "Quantity")
    if element is None or not (element.text or "").strip():
        return Decimal(1), element
    told = _decimal(line, "Quantity")
    weight = _number(element.get("Units") or "", "Quantity")
    if weight is not None and element.get("UnitOfMeasureCode") and _unit(element):
        return weight, element
    return told if told is not None else Decimal(1), element


def _unit(element: Element | None) -> str:
    code = (element.get("UnitOfMeasureCode") or "").strip() if element is not None else ""
    known = _UNITS.get(code.lower())
    return known if known is not None else code if _UNIT.fullmatch(code) else ""


def _returns(retail: Element) -> dict[tuple[str, ...], list[Element]]:
    """Lines that came back, by the receipt that they name; those that name none together."""
    found: dict[tuple[str, ...], list[Element]] = {}
    for line in _lines(retail, "Return"):
        link = _child(line, "TransactionLink")
        key = tuple(_linked(link).values()) if link is not None else ()
        found.setdefault(key, []).append(line)
    return found


def _linked(link: Element) -> dict[str, str]:
    return {
        "store_id": _store(link),
        "till_id": _text(link, "WorkstationID"),
        "business_day": _text(link, "BusinessDayDate")[:10],
        "sequence_number": _text(link, "SequenceNumber"),
    }


def _receipt_of(link: Element) -> str:
    return _text(link, "ReceiptNumber") or "-".join(_linked(link).values())


def _post_void(retail: Element) -> Element | None:
    """The link to the transaction that this one makes void, None when it makes none void."""
    for link in _children(retail, "TransactionLink"):
        if (link.get("ReasonCode") or "").lower() in _POST_VOIDED:
            return link
    return None


def _is_cancelled(transaction: Element, retail: Element) -> bool:
    status = (retail.get("TransactionStatus") or "").lower()
    return _flag(transaction, "CancelFlag") or _flag(retail, "CancelFlag") or status in _VOIDED


def _who(retail: Element, source: Source) -> tuple[tuple[Identifier, ...], dict[str, Any]]:
    """Identifiers and traits of the customer whom a transaction names."""
    customer = _child(retail, "Customer")
    account = _child(retail, "LoyaltyAccount")
    card = _deep(account, "LoyaltyAccountID", "LoyaltyID", "CustomerID") or _deep(
        customer, "LoyaltyID", "LoyaltyAccountID"
    )
    found = {
        source.user_id_kind: _text(customer, "CustomerID") if customer is not None else "",
        "loyalty": card,
        "email": _deep(customer, "EMailAddress", "EmailAddress"),
        "phone": _deep(customer, "TelephoneNumber", "FullTelephoneNumber"),
    }
    traits = {key: found[key] for key in ("email", "phone") if found[key]}
    return tuple(Identifier(kind, value) for kind, value in found.items() if value), traits


# -- elements ---------------------------------------------------------------------------------------------------------


def _name(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _children(holder: Element, name: str) -> list[Element]:
    return [child for child in holder if _name(child) == name]


def _child(holder: Element | None, name: str) -> Element | None:
    return next((child for child in holder if _name(child) == name), None) if holder is not None else None


def _lines(retail: Element, kind: str) -> list[Element]:
    """Lines of one kind that stand, without those that were taken back at the till."""
    found = (
        _child(line, kind)
        for line in _children(retail, "LineItem")
        if not (_flag(line, "VoidFlag") or _flag(line, "CancelFlag"))
    )
    return [line for line in found if line is not None]


def _text(holder: Element | None, name: str) -> str:
    child = _child(holder, name)
    return " ".join((child.text or "").split())[:200] if child is not None else ""


def _deep(holder: Element | None, *names: str) -> str:
    """The text of the first element of one of these names, at any depth."""
    for name in names:
        for element in holder.iter() if holder is not None else ():
            if _name(element) == name and (element.text or "").strip():
                return (element.text or "").strip()[:200]
    return ""


def _store(holder: Element) -> str:
    unit = _child(holder, "BusinessUnit")
    return _text(holder, "RetailStoreID") or (_text(unit, "UnitID") if unit is not None else "")


def _flag(element: Element, name: str) -> bool:
    return (element.get(name) or "").strip().lower() in ("true", "1")


def _decimal(holder: Element, name: str) -> Decimal | None:
    child = _child(holder, name)
    return _number(child.text or "", name) if child is not None else None


def _number(text: str, name: str) -> Decimal | None:
    text = text.strip()
    if not text:
        return None
    try:
        if _DECIMAL.fullmatch(text):
            return Decimal(text)
    except InvalidOperation:
        pass
    raise Fault("value_unreadable", f"/poslog/{name}", "a decimal number", text)


def _amount(text: str | None, name: str) -> int | float | None:
    found = _number(text or "", name)
    return _plain(found) if found is not None else None


def _plain(exact: Decimal) -> int | float:
    return int(exact) if exact == exact.to_integral_value() else float(exact)
