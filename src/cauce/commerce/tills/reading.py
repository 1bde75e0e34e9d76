"""What an event of the river means for commerce; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from cauce.commerce.tills import movements
from cauce.commerce.tills.deeds import AnyDeed, Cancel, Levels, Line, Order, Return, Sale, Where
from cauce.commerce.tills.store import SEPARATOR, Habit
from cauce.model import Event

RECEIPT, RETURNED, CANCELLED = "Receipt Issued", "Product Returned", "Receipt Cancelled"
LEVEL = "Stock Level Changed"
ORDER_CANCELLED, ORDER_REFUNDED = "Order Cancelled", "Order Refunded"
ORDERS = frozenset(("Order Completed", "Order Updated", ORDER_CANCELLED, ORDER_REFUNDED))
NAMES = frozenset((RECEIPT, RETURNED, CANCELLED, LEVEL, movements.CAPTURED)) | ORDERS
"""Events that may mean something for commerce."""

DEFAULT = Habit("*", receipts=1, orders=0, levels=0, goods=1, ids="", at=0, by="")
"""What the facts of a source do until somebody says otherwise.

What a till has sold is a fact. A level of another system is its own opinion, and two systems that correct one another
never come to rest; one order is often told by several sources, by the browser and by the shop: whose levels and whose
orders count here is for people to say.
"""
LINES_MAX = 10_000
AMOUNT_MAX = 10**12
"""A thousand million units in one line: more is a mistake."""
TEXT_CHARACTERS_MAX = 200
UNITS = {"g": "GRM", "kg": "KGM", "l": "LTR", "ml": "MLT", "m": "MTR", "cm": "CMT", "m2": "MTK", "{piece}": "H87"}
"""UCUM, in small letters → UN/ECE Recommendation 20."""
_ITEMS = ("sku", "gtin", "variant_id", "product_id", "item_id", "barcode")
"""Where the ids of a product stand, the surest first."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAMAGED = frozenset(("damaged", "defective", "broken", "faulty"))


class Known(NamedTuple):
    """What is known outside: `place_of` the place that a store's number means (None: none of ours), `zone_of` the IANA
    time zone of a place, `exponent_of` the decimals of a currency.
    """

    place_of: Callable[[str], str | None]
    zone_of: Callable[[str], str]
    exponent_of: Callable[[str], int]


class Unfit(Exception):
    """Why a fact cannot have its effect; a stable `reason` and a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NoPlace(Exception):
    """The fact names a store that is no place of ours."""

    def __init__(self, store: str) -> None:
        super().__init__(store)
        self.store = store


def read(event: Event, habit: Habit, known: Known) -> list[AnyDeed]:
    """What is to be done for an event, [] when it concerns nobody here; raises Unfit or NoPlace."""
    name, told = event.name, event.properties
    if told.get("is_training") is True or told.get("is_test") is True:
        return []
    if name in (RECEIPT, RETURNED, CANCELLED):
        return [_TILL[name](event, habit, known)] if habit.receipts else []
    if name == LEVEL:
        return [_level(event, habit, known)] if habit.levels else []
    if name in ORDERS:
        return _order(event, habit, known) if habit.orders else []
    if name == movements.CAPTURED:
        return movements.read(told, _where(event), _ids(event, habit), known.place_of, moves=bool(habit.goods))
    return []


def key_of(*parts: str) -> str:
    return SEPARATOR.join(part.replace(SEPARATOR, " ") for part in parts)


def _sale(event: Event, habit: Habit, known: Known) -> Sale:
    told = event.properties
    place = _place(told, "store_id", known)
    currency = text(told, "currency").upper()
    return Sale(
        where=_where_local(event, known.zone_of(place)),
        key=receipt_key(told, place, ""),
        ids=_ids(event, habit),
        place=place,
        number=_needed(told, "receipt_id"),
        lines=_lines(told, currency, known),
        currency=currency,
        total=_minor(told, "total", currency, known),
        who=who_of(event),
        order=text(told, "order_id"),
    )


def _return(event: Event, habit: Habit, known: Known) -> Return:
    told = event.properties
    place = _place(told, "store_id", known)
    store = text(told, "original_store_id")
    # Where it was bought is a word for the books; a store that nobody knows leaves it with the one it came to.
    sold_at = (known.place_of(store) if store else None) or place
    currency = text(told, "currency").upper()
    receipt, origin_key = text(told, "receipt_id"), _origin_key(told, sold_at)
    return Return(
        where=_where_local(event, known.zone_of(place)),
        key=key_of("return", place, _needed(told, "return_id")),
        ids=_ids(event, habit),
        place=place,
        number=_needed(told, "return_id"),
        lines=_lines(told, currency, known),
        sold_at=sold_at,
        origin=_origin(origin_key, receipt, sold_at),
        order=text(told, "order_id"),
        currency=currency,
        total=_minor(told, "total", currency, known),
        is_damaged=text(told, "condition").lower() in _DAMAGED,
        receipt=receipt,
        origin_key=origin_key,
        who=who_of(event),
    )


def _origin_key(told: Mapping[str, Any], place: str) -> str:
    """What makes the receipt one that a return names; "" when it gives at most its number."""
    if text(told, "original_sequence_number") and text(told, "original_business_day"):
        return receipt_key(told, place, "original_")
    return ""


def _origin(origin_key: str, receipt: str, place: str) -> str:
    """The receipt that a return names, as loyalty knows it; "" when it names none."""
    if origin_key:
        return origin_key.replace(SEPARATOR, "/")
    return f"receipt/{place}//{receipt}" if receipt else ""


def _cancel(event: Event, _habit: Habit, known: Known) -> Cancel:
    told = event.properties
    place = _place(told, "store_id", known)
    cancelled = receipt_key(told, place, "")
    return Cancel(where=_where(event), key=key_of("cancelled", cancelled), cancelled=cancelled)


_TILL: dict[str, Callable[[Event, Habit, Known], AnyDeed]] = {
    RECEIPT: _sale,
    RETURNED: _return,
    CANCELLED: _cancel,
}


def _level(event: Event, habit: Habit, known: Known) -> Levels:
    told = event.properties
    product = {**told, "quantity": told.get("available", told.get("quantity"))}
    if product["quantity"] is None:
        raise Unfit("amount_missing", "expected the amount that is there as `available`, found none")
    line = _line(product, "", known, 0)
    # What is owed to somebody elsewhere is less than nothing there; a shelf holds nothing at least.
    line = Line(line.items, max(0, line.amount), unit=line.unit, name=line.name)
    return Levels(
        where=_where(event),
        key=key_of("event", event.source, event.id),
        ids=_ids(event, habit),
        place=_place(told, "store_id", known),
        lines=(line,),
        reference=event.source,
    )


def _order(event: Event, habit: Habit, known: Known) -> list[AnyDeed]:
    """What an order is told to be. What was paid back is a matter of money: goods come back as returns."""
    told = event.properties
    lines = () if event.name in (ORDER_CANCELLED, ORDER_REFUNDED) else _order_lines(told, known)
    if event.name == ORDER_REFUNDED or not (lines or event.name == ORDER_CANCELLED):
        return []
    currency = text(told, "currency").upper()
    if lines and not currency:
        raise Unfit("value_missing", "expected `currency` of the order, found none")
    found = Order(
        where=_where(event),
        key=key_of("event", event.source, event.id),
        ids=_ids(event, habit),
        order=_needed(told, "order_id"),
        lines=lines,
        who=who_of(event),
        place=known.place_of(text(told, "store_id")) or "",
        currency=currency,
        total=_minor(told, "total", currency, known) if number(told.get("total")) is not None else None,
        shipping=_minor(told, "shipping", currency, known),
        number=text(told, "order_number"),
        is_fulfilled=text(told, "fulfillment_status").lower() == "fulfilled",
        is_cancelled=event.name == ORDER_CANCELLED,
    )
    return [found]


def _order_lines(told: Mapping[str, Any], known: Known) -> tuple[Line, ...]:
    lines = _lines(told, text(told, "currency").upper(), known)
    return tuple(line for line in lines if line.amount > 0)


def receipt_key(told: Mapping[str, Any], place: str, prefix: str) -> str:
    """What makes a receipt one, from whatever source: store, workstation, business day and sequence.

    Without day and sequence it is the number that is printed on it.
    """
    till, day, sequence = text(told, f"{prefix}till_id"), text(told, f"{prefix}business_day"), ""
    if day:
        sequence = text(told, f"{prefix}sequence_number")
        try:
            day = date.fromisoformat(day).isoformat()
        except ValueError:
            raise Unfit("day_unreadable", f"expected a business day such as 2026-11-30, got {day!r}") from None
    if sequence:
        return key_of("receipt", place, plain_number(till), day, plain_number(sequence))
    return key_of("receipt", place, plain_number(till), "", _needed(told, f"{prefix}receipt_id"))


def plain_number(number: str) -> str:
    """A number without the zeros in front of it, which one system prints and another one does not."""
    return number.lstrip("0") or "0" if number.isascii() and number.isdigit() else number


def _where(event: Event) -> Where:
    return Where(event.position, event.source, event.channel, event.id, event.occurred)


def _where_local(event: Event, zone: str) -> Where:
    """As `_where`; a till that told the time of its clock and no zone meant that of its place."""
    where = _where(event)
    local = event.properties.get("occurred_local")
    if not isinstance(local, str):
        return where
    try:
        moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, OSError):  # neither a time nor a zone
        return where
    since = moment - _EPOCH
    return msgspec.structs.replace(where, at=(since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _ids(event: Event, habit: Habit) -> str:
    return habit.ids or event.channel


def who_of(event: Event) -> tuple[str, ...]:
    return tuple(f"{one.kind}:{one.value}" for one in event.identifiers)


def _place(told: Mapping[str, Any], key: str, known: Known) -> str:
    store = text(told, key)
    place = known.place_of(store)
    if place is None:
        raise NoPlace(store)
    return place


def _lines(told: Mapping[str, Any], currency: str, known: Known) -> tuple[Line, ...]:
    products = told.get("products") or []
    if not isinstance(products, list) or len(products) > LINES_MAX:
        raise Unfit("lines_unreadable", f"expected `products` to be a list of at most {LINES_MAX}")
    found = (_line(product, currency, known, index) for index, product in enumerate(products))
    return tuple(line for line in found if line.amount)


def _line(product: Any, currency: str, known: Known, index: int) -> Line:
    if not isinstance(product, dict):
        raise Unfit("line_unreadable", f"expected line {index + 1} to be an object")
    items = tuple(dict.fromkeys(filter(None, (text(product, key) for key in _ITEMS))))
    if not items:
        raise Unfit("item_missing", f"line {index + 1} names no product: none of {', '.join(_ITEMS)}")
    quantity = product.get("quantity")
    amount = thousandths(1 if quantity is None or quantity == "" else quantity, f"line {index + 1}")
    price = number(product.get("price"))
    total = 0
    if price is not None and currency:
        charged = price * amount / 1_000 - (number(product.get("discount")) or 0)
        total = _rounded(charged.scaleb(known.exponent_of(currency)))
    unit = text(product, "unit")
    return Line(items, amount, unit=UNITS.get(unit.lower(), unit), name=text(product, "name"), price=total)


def thousandths(value: Any, what: str) -> int:
    """A quantity in thousandths of its unit; Unfit when it is no number, or none that can be right."""
    exact = number(value)
    if exact is None:
        raise Unfit("amount_unreadable", f"expected the quantity of {what} to be a number, got {str(value)[:40]!r}")
    found = _rounded(exact * 1_000)
    if abs(found) > AMOUNT_MAX:
        raise Unfit("amount_unreadable", f"expected a quantity of at most {AMOUNT_MAX // 1_000} in {what}, got {exact}")
    return found


def number(value: Any) -> Decimal | None:
    """A JSON number, or a text that is one, exactly; None for anything else."""
    if value.__class__ is bool or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) < 30 else None


def _minor(told: Mapping[str, Any], key: str, currency: str, known: Known) -> int:
    amount = number(told.get(key))
    return _rounded(amount.scaleb(known.exponent_of(currency))) if amount is not None and currency else 0


def _rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def _needed(told: Mapping[str, Any], key: str) -> str:
    found = text(told, key)
    if not found:
        raise Unfit("value_missing", f"expected `{key}`, found none")
    return found


def text(told: Mapping[str, Any], key: str) -> str:
    """A value as text of bounded length; "" when it is none."""
    value = told.get(key)
    if isinstance(value, str):
        return value.strip()[:TEXT_CHARACTERS_MAX]
    return str(value) if value.__class__ is int else ""
