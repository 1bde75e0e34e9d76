"""What follows from every change of stock: debts are paid, the feed moves on, thresholds are told."""

from __future__ import annotations

from cauce.commerce.ledger import api as ledger
from cauce.commerce.ledger.api import Account
from cauce.commerce.stock import rules
from cauce.commerce.stock.store import (
    BOOK,
    CHANGES,
    CHANGES_KEPT,
    DEFAULTS,
    FREE,
    LEVELS,
    OVERSOLD,
    SEPARATOR,
    STOCKS,
    TASKS,
    Change,
    Default,
    Level,
    Stock,
    Task,
    place_of,
    stock_id,
)
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid

SERIES = "stock_change"
"""The series that numbers changes: the cursor of the feed."""
TASK_OVERSOLD = "oversold"
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
        work.put(STOCKS, Stock(id_, sku, place, default.safety, default.low))
        fed(work, id_)
    return work.put(LEVELS, Level(id_, -1, -1, 0, 0, 0))


def default_of(work: Work, place: str) -> Default:
    """What holds in a place for every product that has nothing of its own."""
    return work.get(DEFAULTS, place) or Default(place, 0, 0)


def watched(work: Work) -> None:
    """After any command: everybody who waits for a change of stock is served, whoever made it."""
    for row in work.changed(ledger.ACCOUNTS):
        if row.name == FREE and row.book == BOOK:
            noted(work, row)


def noted(work: Work, free: Account) -> None:
    """What lies free of a stock, or is promised of it, has changed: pays debts, tells thresholds, feeds channels."""
    before = work.before(ledger.ACCOUNTS, free.id)
    stock = work.get(STOCKS, free.id)
    if stock is None:
        opened(work, *free.subject.split(SEPARATOR, 1))
        stock = work.need(STOCKS, free.id)
    available = free.available
    if before is None or available > before.available:
        settled(work, stock.sku, stock.place)
        available = work.need(ledger.ACCOUNTS, free.id).available
    if before is not None:  # what is there for the first time does not come back
        crossed(work, stock, before.available, available)
    fed(work, free.id)


def crossed(work: Work, stock: Stock, before: int, after: int, *, was: Stock | None = None) -> None:
    """Tells the river when a change of what is available, or of what is kept back (`was`), crossed a threshold."""
    was = was or stock
    if before - was.safety > was.low and after - stock.safety > stock.low:
        return  # as nearly always: there was plenty, and still is
    states = (
        rules.state_of(before - was.safety, was.low),
        rules.state_of(after - stock.safety, stock.low),
    )
    name = rules.crossing(*states)
    if name:
        available = max(0, after - stock.safety)
        properties = {
            "sku": stock.sku,
            "place": stock.place,
            "available": available / 1_000,
            "low": stock.low / 1_000,
        }
        work.tell(Told(name=name, at=work.now, channel=CHANNEL, properties=properties))


def fed(work: Work, id_: int) -> None:
    """The feed moves on by a change of a stock: once for all that changed it together."""
    work.finally_once(_moved_on, id_)


def _moved_on(work: Work, id_: int) -> None:
    number = work.number(SERIES)
    work.append(CHANGES, Change(number % CHANGES_KEPT, number, id_))


def relimited(work: Work, stock: Stock) -> Stock:
    """Changes what is kept back of a stock, or when it is low."""
    was = work.need(STOCKS, stock.id)
    if was == stock:
        return stock
    free = work.get(ledger.ACCOUNTS, stock.id)
    if free is not None:
        crossed(work, stock, free.available, free.available, was=was)
    fed(work, stock.id)
    return work.put(STOCKS, stock)


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
