"""Ids that channels use for products: what they mean, and the queue of those that nobody knows yet."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cauce.commerce.catalogue.nouns import ANY, Item, Unknown
from cauce.commerce.catalogue.rules import checks
from cauce.commerce.catalogue.rules.codes import gtin_in, gtin_or_none
from cauce.commerce.catalogue.store import GTINS, ITEMS, PRODUCTS, UNKNOWN, ItemRow, Source, UnknownRow, row
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import NotFound


class SeeItem(Command, frozen=True, kw_only=True):
    """Somebody met an id: it is resolved, or waits in the queue. `name` is what the channel calls it."""

    channel: str
    id: str
    name: str = ""


class MapItem(Command, frozen=True, kw_only=True):
    """An id of a channel ("" for any) means a product from now on, for all that comes with it."""

    channel: str
    id: str
    sku: str
    by: str = ""


class UnmapItem(Command, frozen=True, kw_only=True):
    """An id of a channel means nothing of its own any more."""

    channel: str
    id: str


class IgnoreItem(Command, frozen=True, kw_only=True):
    """An unknown id is no goods and waits for nobody, or (`ignored` false) waits again."""

    channel: str
    id: str
    ignored: bool = True


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The SKU that an id means, "" when it waits to be resolved."""

    sku: str


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """An id with its product, whether that was *added*, *changed* or *unchanged*, and how often it had come unknown."""

    item: Item
    change: str
    waited: int


def resolve(source: Source, channel: str, id: str) -> str | None:
    """The SKU that an id of a channel means: one it was mapped to, else one that it is, else one whose GTIN it is."""
    id = id.strip()
    found = row(source, ITEMS, channel, id) or row(source, ITEMS, ANY, id)
    if found is not None:
        return found.sku
    if row(source, PRODUCTS, id) is not None:
        return id
    gtin = gtin_or_none(id) or gtin_or_none(gtin_in(id))
    known = row(source, GTINS, gtin) if gtin else None
    return known.sku if known else None


def see_item(work: Work, command: SeeItem) -> Seen:
    found = resolve(work, command.channel, command.id)
    if found is None:
        note_unknown(work, command.channel, checks.item(command.id), command.name)
    return Seen(sku=found or "")


def map_item(work: Work, command: MapItem) -> Mapped:
    """NotFound when there is no such product."""
    channel, id_ = checks.channel(command.channel), checks.item(command.id)
    if work.get(PRODUCTS, command.sku) is None:
        raise NotFound(
            f"there is no product with the SKU {command.sku[:80]!r}", hint="Put the product in first, then its ids"
        )
    before = work.get(ITEMS, channel, id_)
    if before is None or before.sku != command.sku:
        work.put(ITEMS, ItemRow(channel, id_, command.sku, work.now, command.by))
    waited = _left(work, channel, id_) if channel else leave_queue(work, {id_})
    change = "added" if before is None else "unchanged" if before.sku == command.sku else "changed"
    return Mapped(item=Item(channel=channel, id=id_, sku=command.sku), change=change, waited=waited)


def unmap_item(work: Work, command: UnmapItem) -> None:
    found = work.need(ITEMS, command.channel, command.id)
    work.drop(ITEMS, found.channel, found.id)


def ignore_item(work: Work, command: IgnoreItem) -> Unknown:
    found = work.get(UNKNOWN, command.channel, command.id)
    if found is None:
        raise NotFound(f"no unknown id {command.id[:80]!r} of {command.channel[:80]!r} waits")
    return unknown_of(work.put(UNKNOWN, found._replace(ignored=int(command.ignored))))


def note_unknown(work: Work, channel: str, id: str, name: str = "") -> UnknownRow:
    """An id that `resolve` knows nothing of is put into the queue, or seen once more there.

    For tills, orders and baskets; `name` is what the channel calls it. An id that is too long is cut, as it is shown.
    """
    key = channel.strip()[: checks.ID_CHARACTERS_MAX], id.strip()[: checks.ITEM_CHARACTERS_MAX] or "?"
    name = " ".join(name.split())[: checks.NAME_CHARACTERS_MAX]
    before = work.get(UNKNOWN, *key)
    if before is None:
        return work.put(UNKNOWN, UnknownRow(*key, name, work.now, work.now, 1, 0))
    return work.put(UNKNOWN, before._replace(name=name or before.name, last=work.now, times=before.times + 1))


def unknown_of(row: UnknownRow) -> Unknown:
    return Unknown(
        channel=row.channel,
        id=row.id,
        name=row.name,
        first=row.first,
        last=row.last,
        count=row.times,
        ignored=bool(row.ignored),
    )


def leave_queue(work: Work, ids: Iterable[str]) -> int:
    """Unknown ids that are known now, in whatever channel, leave the queue; how often they had come."""
    wanted = sorted(ids)
    listed = marks(wanted)
    return sum(_left(work, row.channel, row.id) for row in work.select(UNKNOWN, f"id in ({listed})", *wanted))


def _left(work: Work, channel: str, id: str) -> int:
    waiting = work.get(UNKNOWN, channel, id)
    if waiting is None:
        return 0
    work.drop(UNKNOWN, channel, id)
    return waiting.times


ACTIONS = (
    Action(SeeItem, see_item, Seen),
    Action(MapItem, map_item, Mapped),
    Action(UnmapItem, unmap_item, None),
    Action(IgnoreItem, ignore_item, Unknown),
)
