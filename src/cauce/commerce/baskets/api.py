"""Baskets as other parts and doors see them: what lies in them, at today's prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from cauce.commerce.baskets import rules
from cauce.commerce.baskets.changing import (
    ACTIONS,
    EraseBaskets,
    ForgetBaskets,
    Kept,
    Merge,
    MoveTo,
    Put,
    Remove,
    name_of,
    ordered,
)
from cauce.commerce.baskets.rules import LineState
from cauce.commerce.baskets.store import BASKET, BASKETS, HOMES, KINDS, MERGED, OPEN, TABLES, WISH_LIST, Basket
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.transact.asking import marks
from cauce.engines.api import Row
from cauce.errors import NotFound

__all__ = [
    "ACTIONS",
    "BASKET",
    "KINDS",
    "TABLES",
    "WISH_LIST",
    "Asked",
    "BasketLine",
    "EraseBaskets",
    "ForgetBaskets",
    "Kept",
    "Merge",
    "MoveTo",
    "Put",
    "Remove",
    "Shown",
    "name_of",
    "named",
    "of_owners",
    "ordered",
]


class BasketLine(msgspec.Struct, frozen=True):
    """A line with the price that holds now. Money in minor units of `currency`; `price` None: there is no price.

    `amount` is in thousandths of `unit`, `added` and `changed` in microseconds; `basket` is the one that it lies in.
    """

    line: str
    sku: str
    name: str
    unit: str
    amount: int
    channel: str
    note: str
    added: int
    changed: int
    price: int | None
    total: int | None
    tax_class: str
    basket: int


class Shown(msgspec.Struct, frozen=True):
    """What lies in the baskets of a person, as one. `basket` is the one that takes what is put in next, 0: none yet.

    `total` is the sum of the lines that have a price; `unpriced` is how many have none.
    """

    basket: int
    kind: str
    owners: tuple[str, ...]
    channels: tuple[str, ...]
    currency: str
    lines: tuple[BasketLine, ...]
    total: int
    unpriced: int
    changed: int
    expires: int


class Rows(Protocol):
    def select(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]: ...


class Asked(NamedTuple):
    """How a basket is shown: at which prices, when (microseconds), in which language."""

    now: int
    currency: str = "EUR"
    channel: str = ""
    language: str = ""


def of_owners(rows: Rows, owners: Sequence[str], asked: Asked, *, kind: str = BASKET) -> Shown:
    """The baskets of all identifiers of a person, as one; nothing is changed."""
    if not owners:
        return _shown(rows, [], kind, asked)
    found = rows.select(
        f"select basket from {HOMES.name} where kind = ? and owner in ({marks(owners)})", (kind, *owners)
    )
    baskets = {one.id: one for (id_,) in found if (one := _root(rows, id_)) and _is_open(one, asked.now)}
    return _shown(rows, list(baskets.values()), kind, asked)


def named(rows: Rows, id_: int, asked: Asked) -> Shown:
    """A basket by its id, or the one that it was merged into. NotFound when there is none, or it has run out."""
    basket = _root(rows, id_)
    if basket is None or not _is_open(basket, asked.now):
        raise NotFound(f"there is no open basket {id_}")
    return _shown(rows, [basket], basket.kind, asked)


def _shown(rows: Rows, baskets: list[Basket], kind: str, asked: Asked) -> Shown:
    baskets.sort(key=lambda one: (-one.changed, one.id))
    lines: dict[str, LineState] = {}
    lies_in: dict[str, int] = {}
    for basket in baskets:
        for id_ in basket.line_states:
            lies_in.setdefault(id_, basket.id)
        lines = rules.merged(lines, basket.line_states)
    there = sorted((line.added, id_) for id_, line in lines.items() if not line.removed)
    shown = tuple(_line(rows, id_, lines[id_], lies_in[id_], asked) for _, id_ in there)
    return Shown(
        basket=baskets[0].id if baskets else 0,
        kind=kind,
        owners=tuple(dict.fromkeys(one.owner for one in baskets)),
        channels=_unique(line.channel for line in shown),
        currency=asked.currency,
        lines=shown,
        total=sum(line.total or 0 for line in shown),
        unpriced=sum(line.price is None for line in shown),
        changed=max((one.changed for one in baskets), default=0),
        expires=max((one.expires for one in baskets), default=0),
    )


def _line(rows: Rows, id_: str, line: LineState, basket: int, asked: Asked) -> BasketLine:
    product = catalogue.product(rows, line.sku)
    price = catalogue.price(rows, line.sku, asked.channel or line.channel, asked.currency, asked.now)
    return BasketLine(
        line=id_,
        sku=line.sku,
        name=product.name(asked.language) if product else "",
        unit=product.unit if product else "",
        amount=line.amount,
        channel=line.channel,
        note=line.note,
        added=line.added,
        changed=line.changed,
        price=price.amount if price else None,
        total=(line.amount * price.amount + 500) // 1_000 if price else None,
        tax_class=product.tax_class if product else "",
        basket=basket,
    )


def _root(rows: Rows, id_: int) -> Basket | None:
    while True:
        found = rows.select(BASKETS.by_key, (id_,))
        if not found:
            return None
        basket = BASKETS.of(found[0])
        if basket.state != MERGED:
            return basket
        id_ = basket.successor


def _is_open(basket: Basket, now: int) -> bool:
    return basket.state == OPEN and basket.expires > now


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
