"""Prices of products, per channel and currency, with the time in which they hold."""

from __future__ import annotations

import msgspec

from cauce.commerce.catalogue.nouns import Price
from cauce.commerce.catalogue.products import Put, refuse_outdated
from cauce.commerce.catalogue.rules import checks, pricing
from cauce.commerce.catalogue.store import PRICES, PRODUCTS, PricesRow
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import NotFound


class SetPrices(Command, frozen=True, kw_only=True):
    """Prices of a product: in the place of all it has, or (`add`) beside them.

    One that is added replaces that of the same channel, currency and start. `expected` as in `PutProduct`.
    """

    sku: str
    prices: tuple[Price, ...]
    add: bool = False
    expected: int | None = None


def set_prices(work: Work, command: SetPrices) -> Put:
    """NotFound when there is no such product."""
    if work.get(PRODUCTS, command.sku) is None:
        raise NotFound(
            f"there is no product with the SKU {command.sku[:80]!r}", hint="Put the product in first, then its prices"
        )
    row = work.get(PRICES, command.sku)
    present = msgspec.json.decode(row.body, type=tuple[Price, ...]) if row else ()
    version = row.version if row else 0
    refuse_outdated(command.expected, version, f"the prices of {command.sku}")
    told = checks.prices(command.prices, command.sku)
    wanted = checks.prices(pricing.with_prices(present, told), command.sku) if command.add else told
    if wanted == present:
        return Put(id=command.sku, change="unchanged", version=version)
    work.put(PRICES, PricesRow(command.sku, version + 1, msgspec.json.encode(wanted).decode()))
    return Put(id=command.sku, change="changed" if present else "added", version=version + 1)


ACTIONS = (Action(SetPrices, set_prices, Put),)
