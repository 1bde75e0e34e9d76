"""Lines that wait for goods: tried again, the oldest order first, when more of their product may be promised.

Which lines wait, and for which product more may be promised since somebody looked, is written down in the transaction
that makes it so. The clerk looks at those products, a bounded piece each time. Who wants one of them meanwhile lets
those who wait go first, in the same transaction, so that nobody who came later has what they could have had: some of
them are served there, and what the others could have is kept back until the clerk has come to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from cauce.commerce.catalogue.api import Position
from cauce.commerce.fulfilment.allocating import SourceOrder, allocate, record, wish_of
from cauce.commerce.fulfilment.dating import may_wait, undated
from cauce.commerce.fulfilment.rules.definition import rule_for
from cauce.commerce.fulfilment.rules.sourcing import Choice, possible
from cauce.commerce.fulfilment.sourcing import InForce, Sourced, Within, available_in, in_force, sent_to, sourced
from cauce.commerce.fulfilment.store import AWAITED, BACKORDERS, Awaited, BackorderedLine
from cauce.commerce.ledger import api as ledger
from cauce.commerce.orders import api as orders
from cauce.commerce.orders.api import Line, Note, Order
from cauce.commerce.stock import api as stock
from cauce.commerce.transact.carrier import Action, Command, Need
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model.time import MINUTE

BY = "cauce"
ALL = ""
"""The row that counts over all products; no product is called so."""
LOOK_AGAIN = 15 * MINUTE
"""A place may serve again without more goods: it opens, has fewer open orders, other rules hold."""
ORDERS_MAX = 100
"""Orders that the clerk tries at a time."""
PRODUCTS_MAX = 20
TURNS_MAX = 20
"""Orders that go first in the command of somebody who came later; the clerk tries the others."""
CLAIMS_MAX = 1_000
"""Lines that wait whose amounts are summed up; while more of them wait for their turn, all of it is kept back."""
NOTHING = Sourced(rule="", version=0, choice=Choice(taken={}, verdicts=()))
NOBODY = Awaited(ALL, 0, 0, 0, 0, 0)
ID_MAX = 2**62


class ServeWaiting(Command, frozen=True, kw_only=True):
    """Lines that wait get their places as far as there are goods for them now; at most `limit` orders are tried."""

    limit: int = ORDERS_MAX


class Served(msgspec.Struct, frozen=True):
    """Numbers of orders that something was found for."""

    orders: tuple[str, ...] = ()


def serve_waiting(work: Work, command: ServeWaiting) -> Served:
    """A line has the whole that it waits for, or as much of it as there is; one that has nothing goes on waiting."""
    total = work.get(AWAITED, ALL)
    if total is None or not total.due:
        _enrol(work)
        total = work.need(AWAITED, ALL)
    if not total.lines:
        return Served()
    asked = "sku <> '' and due <= ? order by due, sku limit ?"
    left, served = max(1, min(command.limit, ORDERS_MAX)), dict[str, None]()
    for awaited in work.select(AWAITED, asked, work.now, PRODUCTS_MAX):
        if left <= 0:
            break
        if work.get(AWAITED, awaited.sku) is None:
            continue  # who waited for it waits no more: an order before had this product too
        tried = _serve(work, awaited.sku, left, served)
        left -= tried
    return Served(tuple(served))


def has_risen(work: Work, sku: str = ALL) -> bool:
    """Whether more of a product that is waited for, or of any, may be promised, and the clerk has not looked yet."""
    awaited = work.get(AWAITED, sku)
    return awaited is not None and awaited.rose > 0


def wanted_by(work: Work, command: SourceOrder) -> tuple[list[str], int]:
    """What somebody looks for by hand for an order that waits; those who wait longer go first."""
    order = orders.numbered(work, command.order)
    return [line.sku for line in orders.lines_of(work, order) if line.placed], order.id


def first_served(work: Work, skus: Iterable[str], before: int = 0) -> dict[int, int]:
    """Those who wait for some products go first, now that somebody else wants them; with `before` only earlier orders.

    What is kept back, by account of the ledger, for those whose turn does not come within `TURNS_MAX`: `given_back`
    undoes it. Asks the tables, when more of one of the products may be promised and the clerk has not looked yet.
    """
    wanted = [sku for sku in dict.fromkeys(skus) if has_risen(work, sku)]
    left = TURNS_MAX
    for sku in wanted:
        if left and has_risen(work, sku):
            left -= _serve(work, sku, left, {}, before)
    kept: dict[int, int] = {}
    for sku in wanted:
        kept.update(_kept_back(work, sku, before))
    return kept


def given_back(work: Work, kept: Mapping[int, int]) -> None:
    """What was kept back for those who wait may be promised again: to them."""
    for id_, amount in kept.items():
        account = work.need(ledger.ACCOUNTS, id_)
        work.put(ledger.ACCOUNTS, account._replace(pending=account.pending - amount))


def _kept_back(work: Work, sku: str, before: int) -> dict[int, int]:
    """Keeps back in every place what those could have whose turn has not come; how much, by account.

    Whoever takes more than that leaves in its place as much as all of them want together, so nobody is overtaken.
    """
    awaited = work.get(AWAITED, sku)
    if awaited is None or not awaited.rose:
        return {}
    asked = (
        "select l.placed from backorder_line b join order_line l on l.order_id = b.order_id and l.line = b.line "
        "where b.sku = ? and b.order_id > ? and b.order_id < ? limit ?"
    )
    claims = [int(amount) for (amount,) in work.ask(asked, sku, awaited.reached, before or ID_MAX, CLAIMS_MAX + 1)]
    if not claims:
        return {}
    kept: dict[int, int] = {}
    for id_ in stock.accounts_of(work, sku):
        account = work.get(ledger.ACCOUNTS, id_)
        free = account.available if account else 0
        amount = min(free, sum(claims)) if len(claims) <= CLAIMS_MAX else free
        if account and amount > 0:
            work.put(ledger.ACCOUNTS, account._replace(pending=account.pending + amount))
            kept[id_] = amount
    return kept


NOTED_NEEDS: tuple[Need, ...] = ((AWAITED, ALL),)
"""The row that `has_risen` and `noted` ask for after any command."""


def noted(work: Work) -> None:
    """After any command: who waits now, who does not any more, and what they may have again."""
    given_up = _kept(work) if work.touches(orders.CHANGED) else set()
    total = work.get(AWAITED, ALL)
    if total is None or not total.lines:
        return
    for sku in stock.risen_now(work) - given_up:
        _look_at(work, sku)
    for sku in stock.announced_now(work):
        undated(work, sku)


# -- who waits --------------------------------------------------------------------------------------------------


def _kept(work: Work) -> set[str]:
    """Writes down which lines wait; the products of those that a place has just given up, and that wait on.

    What a place cannot serve is not offered to those who wait at once: it would be the same place again.
    """
    given_up = set[str]()
    for line, before in orders.lines_changed_now(work):
        was = before.placed if before else 0
        if not line.placed and not was:
            continue
        undated(work, line.sku)
        is_waiting = bool(line.placed) and may_wait(orders.order(work, line.order_id), work.now)
        is_new = _put(work, line, is_waiting=is_waiting)
        if is_waiting and before and line.placed > was:
            given_up.add(line.sku)
        elif is_waiting and is_new:
            _look_at(work, line.sku, line.order_id)  # it may be there already
    return given_up


def _put(work: Work, line: Line, *, is_waiting: bool) -> bool:
    """A line waits, or does not; whether that is new."""
    known = work.get(BACKORDERS, line.order_id, line.line)
    if is_waiting == (known is not None):
        return False
    total = work.get(AWAITED, ALL) or NOBODY
    awaited = work.get(AWAITED, line.sku) or Awaited(line.sku, 0, 0, work.now + LOOK_AGAIN, 0, 0)
    if is_waiting:
        work.put(BACKORDERS, BackorderedLine(line.order_id, line.line, line.sku, 0))
        work.put(AWAITED, total._replace(lines=total.lines + 1))
        work.put(AWAITED, awaited._replace(lines=awaited.lines + 1, undated=1))
        return True
    work.drop(BACKORDERS, line.order_id, line.line)
    ends = awaited.lines == 1
    work.put(AWAITED, total._replace(lines=total.lines - 1, rose=total.rose - (awaited.rose if ends else 0)))
    if ends:
        work.drop(AWAITED, line.sku)
    else:
        work.put(AWAITED, awaited._replace(lines=awaited.lines - 1))
    return True


def _look_at(work: Work, sku: str, first: int = 1) -> None:
    """There is reason to look whether somebody who waits for a product can have it, from the order `first` on."""
    awaited = work.get(AWAITED, sku)
    if awaited is None or (awaited.rose and awaited.reached < first):
        return
    if not awaited.rose:
        total = work.need(AWAITED, ALL)
        work.put(AWAITED, total._replace(rose=total.rose + 1))
    reached = first - 1 if awaited.rose else 0
    work.put(AWAITED, awaited._replace(rose=1, reached=reached, due=work.now))


def _looked(work: Work, sku: str) -> None:
    """Everybody who waits for a product was tried."""
    awaited = work.get(AWAITED, sku)
    if awaited is None:
        return
    if awaited.rose:
        total = work.need(AWAITED, ALL)
        work.put(AWAITED, total._replace(rose=total.rose - 1))
    work.put(AWAITED, awaited._replace(rose=0, reached=0, due=work.now + LOOK_AGAIN, undated=1))


def _enrol(work: Work) -> None:
    """Lines that waited before they were written down, once in the life of a store."""
    total = work.get(AWAITED, ALL) or NOBODY
    work.put(AWAITED, total._replace(due=work.now))
    for line in orders.placed_lines(work):
        if _put(work, line, is_waiting=may_wait(orders.order(work, line.order_id), work.now)):
            _look_at(work, line.sku, line.order_id)


# -- one product ------------------------------------------------------------------------------------------------


def _serve(work: Work, sku: str, limit: int, served: dict[str, None], before: int = 0) -> int:
    """Tries the orders that wait for a product, at most `limit`, and with `before` only earlier ones; how many."""
    rows, rules = Within(work), in_force(Within(work))
    asked = (
        "select distinct order_id from backorder_line where sku = ? and order_id > ? and order_id < ? "
        "order by order_id limit ?"
    )
    awaited = work.need(AWAITED, sku)
    queue = [int(id_) for (id_,) in work.ask(asked, sku, awaited.reached, before or ID_MAX, limit + 1)]
    tried = 0
    has_any = bool(available_in(rows, [sku], ""))
    while has_any and tried < min(len(queue), limit):
        order = orders.order(work, queue[tried])
        tried += 1
        if _tried(work, order, sku, rules):
            served[order.number] = None
            has_any = bool(available_in(rows, [sku], ""))
    if has_any and tried and (before or tried < len(queue)):
        known = work.get(AWAITED, sku)
        if known is not None:
            work.put(AWAITED, known._replace(reached=queue[tried - 1]))
    elif not before:
        _looked(work, sku)
    return tried


def _tried(work: Work, order: Order, sku: str, rules: InForce) -> bool:
    """Whether an order, whose turn it is for a product, got something of what it waits for: all at once if that can be,
    else line by line. Its other products it has with it, unless others come before it there.
    """
    waiting = [line for line in orders.lines_of(work, order) if line.placed]
    if not may_wait(order, work.now):
        for line in waiting:
            _put(work, line, is_waiting=False)
        return False
    waiting = [line for line in waiting if line.sku == sku or _has_turn(work, line)]
    where = sent_to(work, order.id)
    if len(waiting) > 1 and _found(work, order, [(line, line.placed) for line in waiting], where, rules).choice.taken:
        return True
    return sum([_has_part(work, order, line, where, rules) for line in waiting]) > 0


def _has_turn(work: Work, line: Line) -> bool:
    """Whether nobody who waits for longer has still to be tried for the product of a line, of which more has come."""
    awaited = work.get(AWAITED, line.sku)
    if awaited is None or not awaited.rose:
        return True
    asked = "select 1 from backorder_line where sku = ? and order_id > ? and order_id < ? limit 1"
    return not work.ask(asked, line.sku, awaited.reached, line.order_id)


def _has_part(work: Work, order: Order, line: Line, where: Position | None, rules: InForce) -> bool:
    """Whether a line got all that it waits for, or at least what there is."""
    found = _found(work, order, [(line, line.placed)], where, rules)
    rule = rule_for(rules.rules, order.kind, order.channel)
    if found.choice.taken or rule is None:
        return bool(found.choice.taken)
    amount = possible(rule, found.choice, line.sku)
    return bool(amount and _found(work, order, [(line, amount)], where, rules).choice.taken)


def _found(
    work: Work, order: Order, parts: Sequence[tuple[Line, int]], where: Position | None, rules: InForce
) -> Sourced:
    """What the rules say to parts of an order; what they choose is held and recorded."""
    wish = wish_of(order, parts, position=where)
    try:
        found = sourced(Within(work), wish, work.now, rules)
    except (DefinitionInvalid, NotFound):  # such as a place that is not in the catalogue any more
        return NOTHING
    if found.choice.taken:
        after = allocate(work, order, parts, found, Note(BY, why=found.rule))
        record(work, order.id, wish, found, BY)
        if found.promised > after.promised:
            orders.promise(work, order.id, found.promised)
    return found


ACTIONS = (Action(ServeWaiting, serve_waiting, Served),)
