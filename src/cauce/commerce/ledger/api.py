"""What other parts of commerce do with the ledger, inside a unit of work."""

from __future__ import annotations

from collections.abc import Iterable

from cauce.commerce.ledger import rules
from cauce.commerce.ledger.store import (
    ACCOUNTS,
    EXPIRED,
    HOLDS,
    OPEN,
    POSTED,
    TABLES,
    TRANSFERS,
    VOIDED,
    Account,
    Hold,
    Place,
    Transfer,
    id_of,
)
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader
from cauce.errors import Ended

__all__ = [
    "ACCOUNTS",
    "EXPIRED",
    "HOLDS",
    "OPEN",
    "POSTED",
    "TABLES",
    "TRANSFERS",
    "VOIDED",
    "Account",
    "Hold",
    "Place",
    "Transfer",
    "account",
    "balances",
    "hold",
    "id_of",
    "move",
    "past_due",
    "post",
    "void",
]


def account(work: Work, place: Place) -> Account:
    """The account of a place; an empty one when nothing ever moved there."""
    id_ = id_of(place)
    found = work.get(ACCOUNTS, id_)
    return found or Account(id_, place.book, place.subject, place.name, int(place.floor), 0, 0)


def move(work: Work, debit: Place, credit: Place, amount: int, why: str) -> Transfer:
    """Moves an amount for good. Shortage when `debit` has a floor and less is available there."""
    rules.checked(amount)
    giver = work.put(ACCOUNTS, rules.debited(account(work, debit), amount))
    taker = work.put(ACCOUNTS, rules.credited(account(work, credit), amount))
    return _noted(work, giver, taker, amount, hold=0, why=why)


def hold(work: Work, debit: Place, credit: Place, amount: int, *, due: int, owner: str) -> Hold:
    """Promises an amount until `due` (microseconds, 0: no end). Shortage when less is available."""
    rules.checked(amount)
    giver = work.put(ACCOUNTS, rules.promised(account(work, debit), amount))
    taker = id_of(credit)
    if work.get(ACCOUNTS, taker) is None:
        work.put(ACCOUNTS, account(work, credit))
    id_ = work.number("hold")
    return work.append(HOLDS, Hold(id_, work.now, giver.id, taker, amount, amount, due, OPEN, owner, work.cause, 0))


def post(work: Work, hold_id: int, amount: int | None = None, *, why: str) -> Transfer:
    """Keeps a promise, whole or for `amount` of it; the rest stays promised. Ended when the hold is no longer open."""
    found = _open(work, hold_id)
    if found.due and found.due <= work.now:
        raise Ended(f"hold {hold_id} is no longer open: it has run out")
    kept = rules.checked(found.remaining if amount is None else amount)
    if kept > found.remaining:
        raise Ended(f"hold {hold_id} promises {found.remaining}, {kept} are wanted of it")
    giver = work.put(ACCOUNTS, rules.kept(work.need(ACCOUNTS, found.debit), kept))
    taker = work.put(ACCOUNTS, rules.credited(work.need(ACCOUNTS, found.credit), kept))
    if kept == found.remaining:
        _close(work, found, POSTED)
    else:
        work.put(HOLDS, found._replace(remaining=found.remaining - kept))
    return _noted(work, giver, taker, kept, hold=hold_id, why=why)


def void(work: Work, hold_id: int, *, state: str = VOIDED) -> Hold:
    """Takes back what is left of a promise, also of one that has run out. Ended when the hold is no longer open."""
    found = _open(work, hold_id)
    work.put(ACCOUNTS, rules.released(work.need(ACCOUNTS, found.debit), found.remaining))
    return _close(work, found, state)


def past_due(work: Work, limit: int, *, debits: Iterable[int] = ()) -> list[Hold]:
    """Open holds that have run out, oldest first: all, or those of some accounts; asks the tables."""
    wanted = frozenset(debits)
    holds = work.select(HOLDS, "due > 0 and due <= ? order by due, id limit ?", work.now, limit)
    return [one for one in holds if not wanted or one.debit in wanted]


def balances(reader: Reader, book: str, subject: str) -> dict[str, Account]:
    """The accounts of a subject by name, as committed."""
    rows = reader.select(f"select {ACCOUNTS.columns} from account where book = ? and subject = ?", (book, subject))
    return {row.name: row for row in map(ACCOUNTS.of, rows)}


def _open(work: Work, hold_id: int) -> Hold:
    found = work.need(HOLDS, hold_id)
    if found.state != OPEN:
        raise Ended(f"hold {hold_id} is no longer open: it was {found.state}")
    return found


def _close(work: Work, found: Hold, state: str) -> Hold:
    return work.put(HOLDS, found._replace(remaining=0, due=0, state=state, ended=work.now))


def _noted(work: Work, giver: Account, taker: Account, amount: int, *, hold: int, why: str) -> Transfer:
    id_ = work.number("transfer")
    noted = Transfer(id_, work.now, giver.book, giver.id, taker.id, amount, hold, why, work.cause)
    return work.append(TRANSFERS, noted)
