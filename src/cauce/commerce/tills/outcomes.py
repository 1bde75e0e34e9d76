"""What became of facts of the river: receipts and movements as they were kept, and of one fact whatever came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from cauce.commerce.tills.api import Rows
from cauce.commerce.tills.applying import Followed, Mend
from cauce.commerce.tills.carrying import ORDERED, STEPS
from cauce.commerce.tills.deeds import AnyDeed, Cancel, Goods, Sale
from cauce.commerce.tills.follower import SOURCE, Commerce, Follower
from cauce.commerce.tills.reading import NAMES, NoPlace, Unfit, plain_number
from cauce.commerce.tills.store import (
    CANCELLED,
    CURSORS,
    DONE,
    FOLLOWER,
    PENDING,
    RECEIPTS,
    SEPARATOR,
    UNFIT,
    WAITING,
    Done,
    Pending,
    Receipt,
    id_of,
)
from cauce.commerce.transact.records import Records
from cauce.errors import DefinitionInvalid
from cauce.model import Event

R = TypeVar("R", Receipt, Done)
KINDS = (*STEPS, ORDERED)
"""How goods of a receipt or movement went; *ordered*: those of an order that is known here."""
OUTCOMES: dict[str, str] = {
    "to_come": "The river is not followed so far yet.",
    "done": "It had its effect.",
    "cancelled": "It had its effect, and a later fact took that back.",
    "waits_for_product": "Lines of it wait until somebody says which product they mean.",
    "waits_for_store": "Its store is no place of ours yet.",
    "waits_for_mending": "It cannot be used as it is.",
    "applied": "It was mended, and had its effect.",
    "dropped": "Somebody decided that it shall have none.",
    "known": "Another event had told the same, and had the effect.",
    "none": "It does nothing here: by the habits of its source, or because it is a test or our own word.",
}
"""What can become of a fact."""
LINES_MAX = 500
"""Lines that wait for their product, as far as they are told."""


class Which(NamedTuple):
    """Which receipts and movements are wanted; empty: whatever. `till` is that of a store, so it needs the `place`."""

    kind: str = ""
    place: str = ""
    till: str = ""
    source: str = ""
    state: str = ""


class Till(NamedTuple):
    """Where and when a till counted a receipt, as far as it says."""

    till: str
    business_day: str
    sequence: str


class Outcome(NamedTuple):
    """What became of a fact: a word of OUTCOMES, with `reason` and `message` where it cannot be used, `by` whom it was
    decided, `told_by` the position of the event that had the effect instead, `kept` what was kept of it."""

    outcome: str
    reason: str = ""
    message: str = ""
    by: str = ""
    told_by: int = 0
    kept: tuple[Receipt, ...] = ()
    waiting: tuple[Pending, ...] = ()


def receipts(rows: Rows, which: Which, *, before: tuple[str, int, int] | None = None, limit: int = 50) -> list[Receipt]:
    """Receipts and movements by place, the latest of each first; `before` is place, moment and id of the last seen."""
    if which.till and not which.place:
        raise DefinitionInvalid("expected the place of the till", hint="Tills are numbered store by store")
    conditions, told = ["1 = 1"], list[Any]()
    for column, value in (
        ("step", which.kind), ("place", which.place), ("source", which.source), ("state", which.state),
    ):  # fmt: skip
        if value:
            conditions.append(f"{column} = ?")
            told.append(value)
    if which.till:
        start = SEPARATOR.join(("receipt", which.place, plain_number(which.till), ""))
        conditions.append("substr(key, 1, cast(? as integer)) = ?")
        told += [len(start), start]
    if before:
        conditions.append("(place, at, id) < (?, ?, ?)")
        told += before
    sql = (
        f"select {RECEIPTS.columns} from {RECEIPTS.name} where {' and '.join(conditions)} "
        "order by place desc, at desc, id desc limit ?"
    )
    return [RECEIPTS.of(row) for row in rows.select(sql, (*told, limit))]


def till_of(receipt: Receipt) -> Till:
    """What a receipt's key says of its till; empty for other movements."""
    kind, *rest = receipt.key.split(SEPARATOR)
    if kind != "receipt" or len(rest) != 4:
        return Till("", "", "")
    _, till, day, sequence = rest
    return Till(till, day, sequence if day else "")


def lines_of(receipt: Receipt) -> list[tuple[str, int]]:
    """The (SKU, thousandths) that had their effect on the stock."""
    return msgspec.json.decode(receipt.lines, type=list[tuple[str, int]])


def outcome_of(rows: Rows, follower: Follower, event: Event) -> Outcome | None:
    """What became of an event, None when it is no fact for commerce."""
    if event.name not in NAMES:
        return None
    aside = rows.select(UNFIT.by_key, (event.position,))
    if aside:
        row = UNFIT.of(aside[0])
        word = "waits_for_mending" if row.state == WAITING else row.state
        return Outcome(word, row.reason, row.message, row.by)
    followed = rows.select(f"select position from {CURSORS.name} where name = ?", (FOLLOWER,))
    if not followed or followed[0][0] < event.position:
        return Outcome("to_come")
    if event.source == SOURCE:
        return Outcome("none")
    try:
        deeds = follower.deeds_of(event)
    except NoPlace as fault:
        return Outcome("waits_for_store", message=f"store {fault.store!r} of {event.source} is no place")
    except Unfit as fault:
        return Outcome("waits_for_mending", fault.reason, fault.message)
    return _done(rows, event.position, deeds)


def tried_again(commerce: Commerce, follower: Follower, event: Event, *, by: str, key: str = "") -> Followed:
    """Lets a fact that waits for mending have its effect; DefinitionInvalid with the reason when it still cannot."""
    try:
        deeds = tuple(follower.deeds_of(event))
    except Unfit as fault:
        raise DefinitionInvalid(f"{event.name} at {event.position} still cannot be used: {fault.message}") from None
    except NoPlace as fault:
        raise DefinitionInvalid(
            f"store {fault.store!r} of {event.source} is no place", hint="`cauce commerce facts name` gives it one"
        ) from None
    wanted = Mend(key=key, position=event.position, deeds=deeds, rewards=follower.rewards, by=by)
    found: Followed = commerce.do(wanted)
    return found


def changed(event: Event, changes: Mapping[str, Any]) -> Event:
    """The event with other properties, by their paths (`products.0.quantity`). DefinitionInvalid for one it lacks."""
    properties = msgspec.json.decode(msgspec.json.encode(event.properties))
    for path, value in changes.items():
        _set(properties, path, value)
    return msgspec.structs.replace(event, properties=properties)


# -- parts ------------------------------------------------------------------------------------------------------------


def _set(properties: Any, path: str, value: Any) -> None:
    holder, steps = properties, path.split(".")
    if not all(steps):
        raise DefinitionInvalid(f"expected a path such as products.0.quantity, got {path[:80]!r}")
    try:
        for step in steps[:-1]:
            holder = holder[int(step)] if isinstance(holder, list) else holder.setdefault(step, {})
        holder[int(steps[-1]) if isinstance(holder, list) else steps[-1]] = value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        raise DefinitionInvalid(f"there is no {path[:80]} in this fact") from None


def _done(rows: Rows, position: int, deeds: Sequence[AnyDeed]) -> Outcome:
    """What became of an event that means these deeds."""
    kept: list[Receipt] = []
    told_by: list[int] = []
    for deed in deeds:
        if isinstance(deed, Sale | Goods | Cancel):
            row = _kept(rows, RECEIPTS, deed.cancelled if isinstance(deed, Cancel) else deed.key)
            kept += [row] if row else []
            # Of a cancellation nothing is kept but that the receipt does not count.
            told_by += [position if isinstance(deed, Cancel) else row.position] if row else []
        else:
            done = _kept(rows, DONE, deed.key)
            told_by += [done.position] if done else []
    waiting = _waiting(rows, position)
    if waiting:
        return Outcome("waits_for_product", kept=tuple(kept), waiting=waiting)
    if not told_by:
        return Outcome("none")
    is_wanted = any(isinstance(deed, Cancel) for deed in deeds)
    other = 0 if position in told_by else told_by[0]
    if kept and not is_wanted and all(row.state == CANCELLED for row in kept):
        return Outcome("cancelled", told_by=other, kept=tuple(kept))
    return Outcome("known" if other else "done", told_by=other, kept=tuple(kept))


def _kept(rows: Rows, of: Records[R], key: str) -> R | None:
    """The row with a key, which is found by its hash."""
    id_ = id_of(key)
    while found := rows.select(of.by_key, (id_,)):
        row = of.of(found[0])
        if row.key == key:
            return row
        id_ += 1
    return None


def _waiting(rows: Rows, position: int) -> tuple[Pending, ...]:
    sql = f"select {PENDING.columns} from {PENDING.name} where position = ? order by id limit ?"
    return tuple(PENDING.of(row) for row in rows.select(sql, (position, LINES_MAX)))
