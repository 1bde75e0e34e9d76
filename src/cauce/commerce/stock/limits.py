"""What is kept back from every promise, when stock is low, and how much of it a channel may see and take at once."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cauce.commerce.stock.levels import default_of, opened, relimited
from cauce.commerce.stock.store import CAPS, DEFAULTS, LEVELS, STOCKS, Cap
from cauce.commerce.transact.carrier import Action, Command, Need
from cauce.commerce.transact.records import records
from cauce.commerce.transact.work import Work
from cauce.engines.api import Table
from cauce.errors import DefinitionInvalid, TooLarge


class Bounded(NamedTuple):
    """A channel that has caps, and how many."""

    channel: str
    caps: int


BOUNDED = records("stock_bounded", Bounded, checks=("caps > 0",))
TABLES: tuple[Table, ...] = (BOUNDED.table,)

PRODUCTS_MAX = 100_000
"""Products of a place whose limits change together."""
ANY = ""
"""Any product or place, where a more particular one may stand beside it."""


class SetSafety(Command, frozen=True, kw_only=True):
    """What is kept back of a product in a place; without `sku` of all products there. None: as much as of all."""

    place: str
    amount: int | None
    sku: str = ANY


class SetLow(Command, frozen=True, kw_only=True):
    """When a product is low in a place; without `sku` what holds for all products there. None: as for all."""

    place: str
    amount: int | None
    sku: str = ANY


class Limits(msgspec.Struct, frozen=True):
    """What holds for a product in a place, or (without `sku`) for the place."""

    place: str
    sku: str
    safety: int
    low: int


class SetCap(Command, frozen=True, kw_only=True):
    """The most that a channel may see, and take at once, of a product (any, without `sku`) in a place (any, without
    `place`). It is no share of the stock: of what is left when it took that, it sees as much again.

    None lifts it. The most particular one holds: of the product in the place, the product, the place, the channel.
    """

    channel: str
    amount: int | None
    sku: str = ANY
    place: str = ANY


class Capped(msgspec.Struct, frozen=True):
    """The most that a channel may see, None without limit."""

    channel: str
    sku: str
    place: str
    amount: int | None


def set_safety(work: Work, command: SetSafety) -> Limits:
    own = _checked(command.amount)
    default = default_of(work, command.place)
    if not command.sku:
        default = work.put(DEFAULTS, default._replace(safety=max(0, own)))
        _follow(work, command.place)
        return Limits(command.place, ANY, default.safety, default.low)
    level = opened(work, command.sku, command.place)
    work.put(LEVELS, level._replace(own=own))
    safety = default.safety if own < 0 else own
    stock = relimited(work, work.need(STOCKS, level.id)._replace(safety=safety))
    return Limits(command.place, command.sku, stock.safety, stock.low)


def set_low(work: Work, command: SetLow) -> Limits:
    own = _checked(command.amount)
    default = default_of(work, command.place)
    if not command.sku:
        default = work.put(DEFAULTS, default._replace(low=max(0, own)))
        _follow(work, command.place)
        return Limits(command.place, ANY, default.safety, default.low)
    level = opened(work, command.sku, command.place)
    work.put(LEVELS, level._replace(own_low=own))
    low = default.low if own < 0 else own
    stock = relimited(work, work.need(STOCKS, level.id)._replace(low=low))
    return Limits(command.place, command.sku, stock.safety, stock.low)


def set_cap(work: Work, command: SetCap) -> Capped:
    if not command.channel:
        raise DefinitionInvalid("expected the channel that may not see more")
    key = command.channel, command.sku, command.place
    is_lifted, stood = _checked(command.amount) < 0, work.get(CAPS, *key) is not None
    if is_lifted:
        work.drop(CAPS, *key)
    else:
        work.put(CAPS, Cap(*key, command.amount or 0))
    _count(work, command.channel, (not is_lifted) - stood)
    return Capped(command.channel, command.sku, command.place, command.amount)


def cap_of(work: Work, sku: str, place: str, channel: str) -> int | None:
    """The most that a channel may see of a product in a place, None without limit."""
    if not is_bounded(work, channel):
        return None
    for key in particular(sku, place):
        found = work.get(CAPS, channel, *key)
        if found is not None:
            return found.most
    return None


def is_bounded(work: Work, channel: str) -> bool:
    """Whether anything bounds what a channel may see; quick, for most channels see everything."""
    return bool(channel) and work.get(BOUNDED, channel) is not None


def bounded_needs(channel: str) -> tuple[Need, ...]:
    """The row that `is_bounded` will ask for."""
    return ((BOUNDED, channel),) if channel else ()


def _count(work: Work, channel: str, more: int) -> None:
    """Keeps how many caps a channel has."""
    known = work.get(BOUNDED, channel)
    caps = (known.caps if known else 0) + more
    if caps:
        work.put(BOUNDED, Bounded(channel, caps))
    elif known:
        work.drop(BOUNDED, channel)


def particular(sku: str, place: str) -> tuple[tuple[str, str], ...]:
    """Of which product and place a cap may be told, the most particular first."""
    return (sku, place), (sku, ANY), (ANY, place), (ANY, ANY)


def _follow(work: Work, place: str) -> None:
    """What holds for a place has changed: its products that have nothing of their own follow."""
    stocks = work.select(STOCKS, "place = ? order by sku limit ?", place, PRODUCTS_MAX + 1)
    if len(stocks) > PRODUCTS_MAX:
        raise TooLarge(f"{place} has more than {PRODUCTS_MAX} products", hint="Set them one by one")
    work.prefetch(LEVELS, [stock.id for stock in stocks])
    default = default_of(work, place)
    for stock in stocks:
        level = opened(work, stock.sku, place)
        safety = stock.safety if level.own >= 0 else default.safety
        low = stock.low if level.own_low >= 0 else default.low
        relimited(work, stock._replace(safety=safety, low=low))


def _checked(amount: int | None) -> int:
    """The amount, -1 for none of its own."""
    if amount is not None and amount < 0:
        raise DefinitionInvalid(f"expected an amount of 0 or more, got {amount}")
    return -1 if amount is None else amount


ACTIONS = (Action(SetSafety, set_safety, Limits), Action(SetLow, set_low, Limits), Action(SetCap, set_cap, Capped))
