"""What a fact of the river means for commerce: frozen records, complete enough to be carried out later and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """So much of a product, in thousandths of its unit, below 0 when it came back.

    `sku` is empty until the product is known; `items` are the ids that were told, the surest first; `unit` is the code
    of UN/ECE that was told, empty for that of the product; `price` is for the whole line, in minor units.
    """

    items: tuple[str, ...]
    amount: int
    sku: str = ""
    unit: str = ""
    name: str = ""
    price: int = 0


def without(lines: Iterable[Line], goods: Mapping[str, int]) -> tuple[Line, ...]:
    """The lines without so much (thousandths by article) of what was bought with them; prices in proportion."""
    away, found = dict(goods), []
    for line in lines:
        taken = min(away.get(line.sku, 0), max(0, line.amount))
        if not taken:
            found.append(line)
            continue
        away[line.sku] -= taken
        if left := line.amount - taken:
            found.append(msgspec.structs.replace(line, amount=left, price=line.price * left // line.amount))
    return tuple(found)


class Where(msgspec.Struct, frozen=True):
    """Which event said it: its position, source, channel and id, and when it happened (microseconds)."""

    position: int
    source: str
    channel: str
    event_id: str
    at: int


class Deed(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Something that is to have its effect once: `key` says what makes it one, whatever brings it."""

    where: Where
    key: str
    ids: str = ""
    """The channel in which ids of products are looked up."""


class Sale(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """A till has sold. `total` in minor units of `currency`; `who` identifiers as `kind:value`."""

    place: str
    number: str
    lines: tuple[Line, ...]
    currency: str = ""
    total: int = 0
    who: tuple[str, ...] = ()
    order: str = ""


class Return(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """Goods came back to `place`; `sold_at` is where they were sold; `origin` names the receipt they were sold with.

    `receipt` is that receipt's number as it is printed, `origin_key` what makes it one (`reading.receipt_key`); `who`
    are identifiers of who brought them (`kind:value`).
    """

    place: str
    number: str
    lines: tuple[Line, ...]
    sold_at: str = ""
    origin: str = ""
    order: str = ""
    currency: str = ""
    total: int = 0
    is_damaged: bool = False
    receipt: str = ""
    origin_key: str = ""
    who: tuple[str, ...] = ()


class Cancel(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """A sale, or a movement of goods, does not count, whether it came already or not; `cancelled` is its key."""

    cancelled: str


class Levels(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """What another system says lies in a place, each line's amount as it was at `where.at`."""

    place: str
    lines: tuple[Line, ...]
    reference: str = ""


class Goods(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """Goods that came, left or broke: `step` says how (`reading.STEPS`)."""

    step: str
    place: str
    lines: tuple[Line, ...]
    reference: str = ""


class Capture(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """An event of EPCIS is kept, so that it can be queried; `body` is its JSON."""

    body: bytes


class Order(Deed, frozen=True, kw_only=True, omit_defaults=True):
    """What another system says of one of its orders: how it stands (`lines`), or that it `is_cancelled`.

    `place` is where its goods come from, empty where nobody said; `is_fulfilled`: all of them have left. Money in
    minor units of `currency`; `total` None when it was not told.
    """

    order: str
    lines: tuple[Line, ...] = ()
    who: tuple[str, ...] = ()
    place: str = ""
    currency: str = ""
    total: int | None = None
    shipping: int = 0
    number: str = ""
    is_fulfilled: bool = False
    is_cancelled: bool = False


AnyDeed = Sale | Return | Cancel | Levels | Goods | Capture | Order
