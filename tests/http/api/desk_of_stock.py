"""Things of stock that an example of the API's table ends: each is made anew when it is asked for."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from cauce.app import Platform
from cauce.commerce.stock import questions
from cauce.commerce.stock.api import Entry, Goods, Move
from cauce.commerce.stock.hooks import AddHook
from cauce.commerce.stock.keeping import Receive, Sell
from cauce.commerce.stock.reserving import Line, Reserve
from cauce.commerce.tills.api import state
from cauce.commerce.tills.applying import Follow
from cauce.commerce.tills.follower import misfit
from cauce.model import Event


def hold(platform: Platform) -> str:
    sku = _stocked(platform)
    return str(platform.commerce.do(Reserve(lines=(Line(sku, "S01", 1_000),))).id)


def shipment(platform: Platform) -> str:
    sku = _stocked(platform)
    return str(platform.commerce.do(Move(origin="S01", destination="S02", lines=(Goods(sku, 1_000),))).id)


def task(platform: Platform) -> str:
    """Something is sold of which there is nothing."""
    sku = f"T-{secrets.token_hex(4)}"
    platform.commerce.do(Sell(lines=(Entry(sku, "S01", 1_000),)))
    return next(str(one.id) for one in questions.tasks(platform.commerce.reader, limit=1_000) if one.sku == sku)


def hook(platform: Platform) -> str:
    command = AddHook(id=f"h_{secrets.token_hex(8)}", url="https://shop.example/stock", salt=secrets.token_hex(8))
    return str(platform.commerce.do(command).id)


def fact(platform: Platform) -> str:
    """The position of a receipt whose quantity nobody can read."""
    position = 2**52 + secrets.randbelow(2**51)
    lines = [{"sku": _stocked(platform), "quantity": "two", "price": 10.0}]
    told = {"store_id": "S01", "receipt_id": f"R{position}", "currency": "EUR", "total": 20.0, "products": lines}
    moment = platform.commerce.now
    event = Event(f"e{position}", "store", "store", "track", "Receipt Issued", moment, moment, position, (), {}, told)
    after = state(platform.commerce, 0).position
    aside = misfit(event, "amount_unreadable", "expected an amount, got 'two'")
    platform.commerce.do(Follow(after=after, until=after, unfit=(aside,)))
    return str(position)


def _stocked(platform: Platform) -> str:
    sku = f"T-{secrets.token_hex(4)}"
    platform.commerce.do(Receive(lines=(Entry(sku, "S01", 5_000),)))
    return sku


FRESH: dict[str, Callable[[Platform], str]] = {
    "hold": hold,
    "shipment": shipment,
    "task": task,
    "hook": hook,
    "fact": fact,
}
