"""What other parts of commerce, and doors, do with stock and ask of it."""

from __future__ import annotations

from cauce.commerce.stock.availability import Available, availability, available, within_caps
from cauce.commerce.stock.facts import (
    Carried,
    Entry,
    adjust,
    damage,
    dispose,
    give_back,
    receive,
    repair,
    sell_fact,
)
from cauce.commerce.stock.movements import Movement, movements
from cauce.commerce.stock.moving import Arrive, Came, Goods, Move, Sent, arrive, move
from cauce.commerce.stock.supply import Expect, Expectation, expected

__all__ = [
    "Arrive",
    "Available",
    "Came",
    "Carried",
    "Entry",
    "Expect",
    "Expectation",
    "Goods",
    "Move",
    "Movement",
    "Sent",
    "adjust",
    "arrive",
    "availability",
    "available",
    "damage",
    "dispose",
    "expected",
    "give_back",
    "move",
    "movements",
    "receive",
    "repair",
    "sell_fact",
    "within_caps",
]
