"""Which price holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cauce.commerce.catalogue.nouns import ANY, Price


def in_force(prices: Iterable[Price], channel: str, currency: str, at: int) -> Price | None:
    """The price that holds at an instant (microseconds): one of the channel before one for any, then the latest start.

    So an offer lies over the usual price while it lasts, and the usual one is there again afterwards.
    """
    fitting = [
        price
        for price in prices
        if price.currency == currency
        and price.channel in (channel, ANY)
        and price.start <= at
        and (not price.until or at < price.until)
    ]
    return max(fitting, key=lambda price: (price.channel == channel, price.start), default=None)


def with_prices(present: Sequence[Price], told: Iterable[Price]) -> tuple[Price, ...]:
    """Prices with others added; one of the same channel, currency and start is replaced."""
    found = {_place(price): price for price in (*present, *told)}
    return tuple(found[place] for place in sorted(found))


def _place(price: Price) -> tuple[str, str, int]:
    return price.channel, price.currency, price.start
