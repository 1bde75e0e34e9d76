"""What follows from every change of stock: debts are paid, the feed moves on, thresholds are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cauce.commerce.ledger import api as ledger
from cauce.commerce.stock import rules
from cauce.commerce.stock.store import (
    BOOK,
    DEFAULTS,
    FREE,
    LEVELS,
    OVERSOLD,
    SEPARATOR,
    STOCKS,
    TASKS,
    Default,
    Level,
    Stock,
    Task,
    place_of,
    stock_id,
)
from cauce.commerce.transact.carrier import Action
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid

CHANGES = "stock_change"
"""The series that numbers changes: the cursor of the feed."""
TASK_OVERSOLD = "oversold"
SHELF = frozenset({FREE, OVERSOLD})
"""Accounts that say what lies on the shelf."""
NAME_CHARACTERS_MAX = 200
CHANNEL = "stock"
"""The channel of what happens to stock without anybody's doing."""


def opened(work: Work, sku: str, place: str) -> Level:
    """What is known of a product in a place, from now on at least that there is such a thing."""
    id_ = stock_id(sku, place)
    level = work.get(LEVELS, id_)
    if level is not None:
        return level
    _check_name("sku", sku)
    _check_name("place", place)
    default = default_of(work, place)
    if work.get(STOCKS, id_) is None:
        work.put(STOCKS, Stock(id_, sku, place, default.safety))
    return work.put(LEVELS, Level(id_, work.number(CHANGES), rules.NEVER, default.low, -1, -1, 0, 0, 0))


def default_of(work: Work, place: str) -> Default:
    """What holds in a place for every product that has nothing of its own."""
    return work.get(DEFAULTS, place) or Default(place, 0, 0)


def watched(action: Action) -> Action:
    """The same action, after which everybody who waits for a change of stock is served, whoever made it."""

    def handle(work: Work, command: Any) -> Any:
        answer = action.handle(work, command)
        changed = work.changed(ledger.ACCOUNTS)
        for subject in dict.fromkeys(row.subject for row in changed if row.name in SHELF and row.book == BOOK):
            sku, _, place = subject.partition(SEPARATOR)
            noted(work, sku, place)
        return answer

    def needs(command: Any) -> Iterator[tuple[Records[Any], int]]:
        assert action.needs is not None
        for of, key in action.needs(command):
            yield of, key
            if of is STOCKS:
                yield LEVELS, key

    return action._replace(handle=handle, needs=needs if action.needs else None)


def noted(work: Work, sku: str, place: str) -> Level:
    """What is free, promised or kept back has changed: pays debts, tells thresholds, moves the feed on."""
    level = settled(work, sku, place)
    stock, free = work.need(STOCKS, level.id), work.get(ledger.ACCOUNTS, level.id)
    available = (free.available if free else 0) - stock.safety
    state = rules.state_of(available, level.low)
    name = rules.crossing(level.state, state)
    if name:
        properties = {"sku": sku, "place": place, "available": max(0, available) / 1_000, "low": level.low / 1_000}
        work.tell(Told(name=name, at=work.now, channel=CHANNEL, properties=properties))
    return work.put(LEVELS, level._replace(number=work.number(CHANGES), state=state))


def owed(work: Work, sku: str, place: str) -> Task:
    """The task about what was taken and was not there, opened or brought up to date."""
    level = opened(work, sku, place)
    amount = -ledger.account(work, place_of(sku, place, OVERSOLD)).posted
    if level.task:
        found = work.need(TASKS, level.task)
        grown = amount > found.amount
        kept = (found.done, found.by) if not grown else (0, "")
        return work.put(TASKS, found._replace(amount=amount, done=kept[0], by=kept[1]))
    id_ = work.number("stock_task")
    work.put(LEVELS, level._replace(task=id_))
    return work.append(TASKS, Task(id_, TASK_OVERSOLD, level.id, sku, place, amount, work.now, 0, ""))


def settled(work: Work, sku: str, place: str) -> Level:
    """What is free again or came in pays what was sold before it was there."""
    level = opened(work, sku, place)
    if not level.task:
        return level
    debt = place_of(sku, place, OVERSOLD)
    free = ledger.account(work, place_of(sku, place, FREE))
    amount = min(-ledger.account(work, debt).posted, free.available)
    if amount > 0:
        ledger.move(work, place_of(sku, place, FREE), debt, amount, "owed")
    left = -ledger.account(work, debt).posted
    task = work.need(TASKS, level.task)
    if left > 0:
        if left != task.amount:
            work.put(TASKS, task._replace(amount=left))
        return level
    work.put(TASKS, task._replace(amount=0, done=task.done or work.now))
    return work.put(LEVELS, level._replace(task=0))


def _check_name(what: str, name: str) -> None:
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or SEPARATOR in name or "\0" in name:
        raise DefinitionInvalid(f"expected a {what} of 1 to {NAME_CHARACTERS_MAX} characters, got {name[:80]!r}")
