"""Goods that are to come, by day: what was ordered of a supplier, or is on its way from another place."""

from __future__ import annotations

from datetime import date

import msgspec

from cauce.commerce.stock.levels import opened
from cauce.commerce.stock.store import EXPECTED, Expected
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid


class Expect(Command, frozen=True, kw_only=True):
    """So much of a product is to come to a place on a day (ISO 8601) under a reference; 0 calls it off.

    The same reference, product and place again replaces what was expected.
    """

    sku: str
    place: str
    amount: int
    on: str
    reference: str


class Expectation(msgspec.Struct, frozen=True):
    """What is expected: `amount` in all, of which `left` did not come yet."""

    reference: str
    sku: str
    place: str
    amount: int
    left: int
    on: str


def expect(work: Work, command: Expect) -> Expectation:
    return expected(work, command)


def expected(work: Work, command: Expect) -> Expectation:
    """Notes what is to come, also when a part of it came already."""
    if command.amount < 0 or not command.reference:
        raise DefinitionInvalid("expected an amount of 0 or more and a reference, such as a purchase order's number")
    day = day_of(command.on)
    opened(work, command.sku, command.place)
    before = work.get(EXPECTED, command.reference, command.sku, command.place)
    came = before.met if before else 0
    row = Expected(command.reference, command.sku, command.place, command.amount, came, day, work.now)
    return shown(work.put(EXPECTED, row))


def met(work: Work, reference: str, sku: str, place: str, amount: int) -> None:
    """So much came under a reference, whether it was announced or will be."""
    if not reference:
        return
    before = work.get(EXPECTED, reference, sku, place)
    row = before or Expected(reference, sku, place, 0, 0, "", work.now)
    work.put(EXPECTED, row._replace(met=row.met + amount))


def shown(row: Expected) -> Expectation:
    return Expectation(row.reference, row.sku, row.place, row.amount, max(0, row.amount - row.met), row.day)


def day_of(text: str) -> str:
    """An ISO 8601 day; DefinitionInvalid for anything else."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise DefinitionInvalid(f"expected a day such as 2026-11-30, got {text[:40]!r}") from None


ACTIONS = (Action(Expect, expect, Expectation),)
