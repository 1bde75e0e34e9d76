"""What must hold in every store of commerce, as questions to it: the invariants that a snapshot can show.

Each check finds what breaks one of them and says which. The checks read what is stored, with SQL of their own, and ask
none of the parts that wrote it; so they also find what a fault of those parts would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from cauce.commerce.transact import keys
from cauce.engines.api import Reader

GRACE_SECONDS = 60
"""How long after its time a hold may still be open: the clerk may be away for a moment."""
SHOWN_MAX = 100
IN_TIME = "no hold is open after its time"


class Broken(msgspec.Struct, frozen=True):
    """One thing that should not be: the invariant's name, and what it is about, in words."""

    invariant: str
    what: str


Check = Callable[[Reader], Iterator[str]]


def balances(reader: Reader) -> Iterator[str]:
    """A balance is the sum of its entries; what is pending is the sum of the open holds."""
    rows = reader.select(
        "select a.id, a.book, a.subject, a.name, a.posted, coalesce(m.moved, 0), a.pending, coalesce(h.held, 0) "
        "from account a "
        "left join (select id, sum(amount) as moved from ("
        "select credit as id, amount from transfer union all select debit as id, -amount from transfer) t "
        "group by id) m "
        "on m.id = a.id "
        "left join (select debit as id, sum(remaining) as held from hold where state = 'open' group by debit) h "
        "on h.id = a.id "
        "where a.posted <> coalesce(m.moved, 0) or a.pending <> coalesce(h.held, 0)"
    )
    for _, book, subject, name, posted, moved, pending, held in rows:
        yield (
            f"{book} {_words(subject)} {name}: {posted} stand there and the entries come to {int(moved)}; "
            f"{pending} are pending and the open holds come to {int(held)}"
        )


def floors(reader: Reader) -> Iterator[str]:
    """Where nothing can be owed nothing is: free and held are never negative."""
    rows = reader.select(
        "select book, subject, name, posted, pending from account "
        "where pending < 0 or (floor = 1 and posted - pending < 0)"
    )
    for book, subject, name, posted, pending in rows:
        yield f"{book} {_words(subject)} {name}: {posted} stand there, {pending} are pending"


def nothing_made_or_lost(reader: Reader) -> Iterator[str]:
    """Within a book what one account gives another one gets: all balances come to nothing."""
    for book, total in reader.select("select book, sum(posted) from account group by book"):
        if total:
            yield f"the accounts of {book} come to {int(total)}"


def entries_of_accounts(reader: Reader) -> Iterator[str]:
    """Every entry lies between two accounts that there are, in the book it names."""
    rows = reader.select(
        "select t.id, t.book, d.book, c.book from transfer t left join account d on d.id = t.debit "
        "left join account c on c.id = t.credit where d.book is null or c.book is null or d.book <> t.book "
        "or c.book <> t.book"
    )
    for id_, book, debit, credit in rows:
        yield f"entry {id_} of {book} lies between {debit} and {credit}"


def holds(reader: Reader) -> Iterator[str]:
    """A hold is kept at most once: what was posted of it, what is left and how it ended agree."""
    rows = reader.select(
        "select h.id, h.state, h.amount, h.remaining, coalesce(t.kept, 0) from hold h "
        "left join (select hold, sum(amount) as kept from transfer where hold > 0 group by hold) t on t.hold = h.id "
        "where (h.state = 'open' and coalesce(t.kept, 0) + h.remaining <> h.amount) "
        "or (h.state = 'posted' and coalesce(t.kept, 0) <> h.amount) "
        "or (h.state in ('voided', 'expired') and coalesce(t.kept, 0) >= h.amount)"
    )
    for id_, state, amount, remaining, kept in rows:
        yield f"hold {id_} of {amount} is {state}: {int(kept)} were kept, {remaining} are left"


def late(reader: Reader, now: int) -> Iterator[str]:
    """A hold that ran out is swept soon; `now` in microseconds."""
    before = now - GRACE_SECONDS * 1_000_000
    for id_, due in reader.select("select id, due from hold where due > 0 and due < ? and state = 'open'", (before,)):
        yield f"hold {id_} ran out at {due} and is still open"


def reservations(reader: Reader) -> Iterator[str]:
    """All lines of a reservation or none: its holds stand as it does, and what is sold was sold in time."""
    of_state = {"open": "open", "confirmed": "posted", "released": "voided", "expired": "expired"}
    kept = {
        id_: (state, ended, owner)
        for id_, state, ended, owner in reader.select(
            "select id, state, ended, owner from hold where owner like 'stock:%'"
        )
    }
    for id_, due, state, lines in reader.select("select id, due, state, lines from reservation order by id"):
        found = [kept.pop(line["hold"], ("gone", 0, "")) for line in msgspec.json.decode(lines)]
        # What ran out is swept in pieces, so that a reservation may be closed a moment before its last hold.
        allowed = {of_state[state]} if state != "expired" else {"expired", "open"}
        states = {state for state, _, _ in found}
        if not states <= allowed or {owner for _, _, owner in found} != {f"stock:{id_}"}:
            yield f"reservation {id_} is {state} and its holds are {', '.join(sorted(states))}"
        if state == "confirmed" and max(ended for _, ended, _ in found) >= due:
            yield f"reservation {id_} was confirmed after it had run out"
    for id_, (state, _, owner) in kept.items():
        yield f"hold {id_} of {owner} is {state}, and no reservation has it"


def commands(reader: Reader) -> Iterator[str]:
    """A key was answered once, and is found again."""
    for key, times in reader.select("select key, count(*) from command group by key having count(*) > 1"):
        yield f"the key {key!r} was answered {times} times"
    ((last,),) = reader.select("select coalesce(max(id), 0) from command")
    of_index = "from command_key k where k.hash = c.hash and k.id = c.id"
    lost = f"select id, key from command c where id <= ? and not exists (select 1 {of_index})"
    for id_, key in reader.select(lost, (keys.settled(last),)):
        yield f"command {id_} would not be found again by its key {key!r}"


_STATES = ("placed", "allocated", "picked", "ready", "shipped", "delivered", "collected", "returned", "cancelled")


def orders(reader: Reader) -> Iterator[str]:
    """What stands at a line is what its history comes to, and what its places hold of it; totals add up."""
    moved: dict[tuple[int, int, str], int] = {}
    for order, line, was, became, amount in reader.select(
        "select order_id, line, was, became, sum(amount) from order_history where line > 0 "
        "group by order_id, line, was, became"
    ):
        for state, sign in ((was, -1), (became, 1)):
            moved[order, line, state] = moved.get((order, line, state), 0) + sign * int(amount)
    columns = ", ".join(_STATES)
    for order, line, ordered, *amounts in reader.select(f"select order_id, line, amount, {columns} from order_line"):
        for state, amount in zip(_STATES, amounts, strict=True):
            said = moved.get((order, line, state), 0) + (ordered if state == "placed" else 0)
            if said != amount:
                yield f"order {order} line {line}: {amount} are {state}, its history says {said}"
    rows = reader.select(
        "select o.id, o.total, o.shipping, o.adjustment, coalesce(sum(l.total), 0) from customer_order o "
        "left join order_line l on l.order_id = o.id group by o.id, o.total, o.shipping, o.adjustment "
        "having o.total <> coalesce(sum(l.total), 0) + o.shipping + o.adjustment"
    )
    for order, total, shipping, adjustment, lines in rows:
        yield f"order {order} comes to {total}, its lines to {int(lines)} with {shipping} and {adjustment}"
    parts = _STATES[1:]
    sums = ", ".join(f"coalesce(sum(a.{state}), 0)" for state in parts)
    stated = ", ".join(f"l.{state}" for state in parts)
    broken = " or ".join(f"coalesce(sum(a.{state}), 0) > l.{state}" for state in parts)
    for order, line, *_ in reader.select(
        f"select l.order_id, l.line, {sums} from order_line l join order_allocation a "
        f"on a.order_id = l.order_id and a.line = l.line group by l.order_id, l.line, {stated} having {broken}"
    ):
        yield f"order {order} line {line}: its places hold more of it than it has"


def points(reader: Reader) -> Iterator[str]:
    """A purchase earns once in a programme, whatever it is called; what returns took back is at most what it earned."""
    for programme, document, times in reader.select(
        "select programme, document, count(*) from loyalty_purchase where same_as = 0 "
        "group by programme, document having count(*) > 1"
    ):
        yield f"{document} earned {times} times in {programme}"
    for document, earned, clawed in reader.select(
        "select document, points, clawed from loyalty_purchase where clawed > points or clawed < 0"
    ):
        yield f"{document} earned {earned} and {clawed} were taken back"


def payments(reader: Reader) -> Iterator[str]:
    """Refunds are at most what was captured, and both are what their facts come to."""
    rows = reader.select(
        "select o.id, o.captured, o.refunded, "
        "coalesce(sum(case when p.fact = 'captured' then p.counted end), 0), "
        "coalesce(sum(case when p.fact = 'refunded' then p.counted end), 0) "
        "from customer_order o left join order_payment p on p.order_id = o.id "
        "group by o.id, o.captured, o.refunded"
    )
    for order, captured, refunded, said_captured, said_refunded in rows:
        if refunded > captured:
            yield f"order {order}: {refunded} were refunded of {captured}"
        if (captured, refunded) != (int(said_captured), int(said_refunded)):
            yield (
                f"order {order}: {captured} captured and {refunded} refunded stand there, "
                f"its payments come to {int(said_captured)} and {int(said_refunded)}"
            )


def baskets(reader: Reader) -> Iterator[str]:
    """A basket that was merged into another lost no line there: each stands in it, or is known to be removed."""
    rows = reader.select("select id, successor, lines from basket order by id")
    lines = {id_: set(msgspec.json.decode(content, type=dict[str, msgspec.Raw])) for id_, _, content in rows}
    for id_, successor, _ in rows:
        lost = lines[id_] - lines[successor] if successor in lines else set()
        if lost:
            yield f"basket {id_} went into {successor}, which lacks {', '.join(sorted(lost))}"


def pickups(reader: Reader) -> Iterator[str]:
    """What was handed over at the desks is what the lines say was collected."""
    handed: dict[int, int] = {}
    for order, lines in reader.select("select order_id, lines from pickup_handed order by id"):
        handed[order] = handed.get(order, 0) + sum(
            amount for _, amount in msgspec.json.decode(lines, type=list[tuple[int, int]])
        )
    for order, amount in handed.items():
        ((collected,),) = reader.select(
            "select coalesce(sum(amount), 0) from order_history where order_id = ? and became = 'collected'", (order,)
        )
        if collected < amount:
            yield f"order {order}: {amount} were handed over, {int(collected)} were collected"


def returned(reader: Reader) -> Iterator[str]:
    """What came back of a receipt, at desks and tills, is at most what it says was bought."""
    for place, receipt, sku, bought, back in reader.select(
        "select b.place, b.receipt, b.sku, b.bought, b.returned + coalesce(t.amount, 0) from receipt_back b "
        "left join receipt_told_back t on t.place = b.place and t.receipt = b.receipt and t.sku = b.sku "
        "where b.returned + coalesce(t.amount, 0) > b.bought"
    ):
        yield f"receipt {receipt} of {place}: {back} thousandths of {sku} came back of {bought}"


def slots(reader: Reader) -> Iterator[str]:
    """A slot has as many places as it says, those that are taken are of bookings, and no two slots are had at once."""
    amounts: dict[tuple[str, str], int] = {}
    held: dict[str, int] = {}
    for subject, name, posted, pending in reader.select(
        "select subject, name, posted, pending from account where book = 'slots'"
    ):
        amounts[subject, name] = posted
        if name == "open":
            held[subject] = pending
    parties: dict[tuple[str, int], int] = {}
    bookings = reader.select(
        "select b.resource, s.start, sum(b.party) from booking b join booking_slot s "
        "on s.resource = b.resource and s.start >= b.start and s.start < b.finish "
        "where b.state in ('confirmed', 'attended', 'no_show') group by b.resource, s.start"
    )
    parties.update(((resource, start), int(party)) for resource, start, party in bookings)
    before: tuple[str, int] = ("", 0)
    for resource, start, finish, capacity in reader.select(
        "select resource, start, finish, capacity from booking_slot order by resource, start"
    ):
        subject = f"{resource}\x1f{start}"
        booked = amounts.get((subject, "booked"), 0)
        there = amounts.get((subject, "open"), 0) + booked
        if there != capacity:
            yield f"{resource} at {start} has {there} places, {capacity} are said to be there"
        if booked != parties.get((resource, start), 0):
            of_bookings = parties.get((resource, start), 0)
            yield f"{resource} at {start}: {booked} places are taken, its bookings come to {of_bookings}"
        if booked or held.get(subject, 0):
            if before[0] == resource and start < before[1]:
                yield f"{resource} at {start} is had while a slot before it lasts until {before[1]}"
            before = (resource, finish)


CHECKS: dict[str, Check] = {
    "a balance is the sum of its entries": balances,
    "free and held are never negative": floors,
    "nothing is made or lost": nothing_made_or_lost,
    "every entry lies between two accounts": entries_of_accounts,
    "a hold is kept or given back, once": holds,
    "all lines or none": reservations,
    "one answer for a key": commands,
    "an order's amounts are those of its history": orders,
    "refunds are at most what was captured": payments,
    "a purchase earns once": points,
    "merged baskets lose no line": baskets,
    "what was handed over was collected": pickups,
    "no more comes back of a receipt than it says": returned,
    "a slot holds no more than it can": slots,
}
"""What is proven, in words, and how."""


def broken(reader: Reader, now: int) -> list[Broken]:
    """Everything that breaks an invariant, at most `SHOWN_MAX` of each; empty when all is well.

    `now` in microseconds, 0 where nobody is at work who would sweep what runs out.
    """
    with reader.snapshot():
        found = [Broken(name, what) for name, check in CHECKS.items() for what in islice(check(reader), SHOWN_MAX)]
        if now:
            found += [Broken(IN_TIME, what) for what in islice(late(reader, now), SHOWN_MAX)]
    return found


def _words(subject: str) -> str:
    return subject.replace("\x1f", " at ")
