"""Commands on baskets: lines in and out, baskets that meet, move and run out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cauce.commerce.baskets import rules
from cauce.commerce.baskets.rules import LineState
from cauce.commerce.baskets.store import BASKET as BASKET_KIND
from cauce.commerce.baskets.store import BASKETS, EXPIRED, HOMES, KINDS, MERGED, OPEN, WISH_LIST, Basket, Home
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, TooLarge

LINES_MAX, OWNERS_MAX = 500, 200
TEXT_MAX, NOTE_MAX = 200, 2_000
AMOUNT_MAX = 10**12
KEPT_SECONDS = {BASKET_KIND: 90 * 86_400, WISH_LIST: 730 * 86_400}
"""How long a list is kept after its last change."""
KEPT_SECONDS_MAX = 3_650 * 86_400
AHEAD_SECONDS_MAX = 86_400
FORGET_MAX = 1_000


class Put(Command, frozen=True, kw_only=True):
    """Puts a line in, or changes it: `line` is the client's own id of it, so that it is one line however often it is
    said. `changed` is when the client did so (microseconds, 0: now): of two changes the later one stands.

    The basket is that of `owners`, all identifiers of one person: if they have several open ones these meet here, if
    they have none the first of them gets one. Or it is named by `basket`.
    """

    line: str
    sku: str
    amount: int
    owners: tuple[str, ...] = ()
    basket: int = 0
    kind: str = BASKET_KIND
    channel: str = ""
    note: str = ""
    changed: int = 0
    kept_seconds: int = 0
    tells: bool = True


class Remove(Command, frozen=True, kw_only=True):
    """Takes a line out, for good: who wants it again puts in a new one. Without `line`, all lines."""

    owners: tuple[str, ...] = ()
    basket: int = 0
    line: str = ""
    kind: str = BASKET_KIND
    channel: str = ""
    changed: int = 0
    tells: bool = True


class Merge(Command, frozen=True, kw_only=True):
    """Lets baskets meet in one; every identifier that had one of them finds that one from now on."""

    into: int
    baskets: tuple[int, ...]


class MoveTo(Command, frozen=True, kw_only=True):
    """Gives a basket to another identifier; if that has an open one they meet there."""

    basket: int
    owner: str


class ForgetBaskets(Command, frozen=True, kw_only=True):
    """Removes baskets that ran out, at most so many."""

    limit: int = FORGET_MAX


class EraseBaskets(Command, frozen=True, kw_only=True):
    """Removes all that these identifiers have: their person is erased."""

    owners: tuple[str, ...]


class Kept(msgspec.Struct, frozen=True):
    """The basket that a command was about."""

    basket: int
    kind: str
    lines: int
    changed: int
    expires: int


def put(work: Work, command: Put) -> Kept:
    _check_put(command)
    basket = home(work, command.owners, command.basket, command.kind)
    lines = basket.line_states
    changed = min(command.changed or work.now, work.now + AHEAD_SECONDS_MAX * 1_000_000)
    before = lines.get(command.line)
    added = before.added if before else changed
    said = LineState(0, 0, changed, command.amount, command.sku, command.channel, command.note, added)
    lines[command.line] = now = rules.joined(before, said) if before else said
    if len(lines) > LINES_MAX:
        raise TooLarge(f"expected at most {LINES_MAX} lines in a basket", hint="Remove some, or start a new one")
    basket = _kept(work, basket, lines, command.kept_seconds)
    if command.tells:
        _tell_difference(work, basket, before, now, command.channel)
    return shown(basket)


def remove(work: Work, command: Remove) -> Kept:
    """NotFound when the basket never had the line."""
    basket = home(work, command.owners, command.basket, command.kind, makes=False)
    lines = basket.line_states
    if command.line and command.line not in lines:
        raise NotFound(f"there is no line {command.line!r} in basket {basket.id}")
    for id_ in (command.line,) if command.line else tuple(lines):
        before = lines[id_]
        if not before.removed:
            lines[id_] = before._replace(removed=command.changed or work.now)
            if command.tells:
                _tell_difference(work, basket, before, lines[id_], command.channel)
    return shown(_kept(work, basket, lines))


def merge(work: Work, command: Merge) -> Kept:
    target = root(work, command.into)
    for id_ in command.baskets:
        target = _met(work, target, root(work, id_))
    return shown(target)


def move(work: Work, command: MoveTo) -> Kept:
    _check_owners((command.owner,))
    basket = root(work, command.basket)
    there = _at(work, command.owner, basket.kind)
    if there is not None and there.id != basket.id:
        return shown(_met(work, there, basket))
    work.put(HOMES, Home(command.owner, basket.kind, basket.id))
    former = work.get(HOMES, basket.owner, basket.kind)
    if former is not None and former.basket == basket.id and basket.owner != command.owner:
        work.drop(HOMES, basket.owner, basket.kind)
    return shown(work.put(BASKETS, basket._replace(owner=command.owner, changed=work.now)))


def forget(work: Work, command: ForgetBaskets) -> int:
    limit = min(max(command.limit, 1), FORGET_MAX)
    gone = work.select(BASKETS, "expires <= ? order by expires limit ?", work.now, limit)
    return _removed(work, gone)


def erase(work: Work, command: EraseBaskets) -> int:
    """How many baskets it was; one that is another person's by now stays theirs."""
    removed = 0
    for owner in dict.fromkeys(command.owners):
        removed += _removed(work, work.select(BASKETS, "owner = ?", owner))
        for found in work.select(HOMES, "owner = ?", owner):
            work.drop(HOMES, found.owner, found.kind)
    return removed


def _removed(work: Work, gone: Iterable[Basket]) -> int:
    count = 0
    for basket in gone:
        for found in work.select(HOMES, "basket = ?", basket.id):
            work.drop(HOMES, found.owner, found.kind)
        work.drop(BASKETS, basket.id)
        count += 1
    return count


def ordered(work: Work, basket_id: int, wanted: Mapping[str, tuple[str, int]], order: int) -> Basket:
    """Takes lines (by id: product and amount) out of a basket because they are ordered.

    Conflict when one of them is not there as it was seen: somebody ordered or changed it meanwhile.
    """
    basket = root(work, basket_id)
    lines = basket.line_states
    for id_, (sku, amount) in wanted.items():
        line = lines.get(id_)
        if line is None or line.removed or (line.sku, line.amount) != (sku, amount):
            seen = "was ordered already" if line and line.ordered else "has changed"
            raise Conflict(f"line {id_!r} of basket {basket_id} {seen}", hint="Look at the basket once more")
        lines[id_] = line._replace(removed=work.now, ordered=order)
    return _kept(work, basket, lines)


def root(work: Work, id_: int) -> Basket:
    """The basket that has the lines of this one now. Ended when it has run out."""
    basket = work.need(BASKETS, id_)
    while basket.state == MERGED:
        basket = work.need(BASKETS, basket.successor)
    if not _is_open(work, basket):
        raise Ended(f"basket {id_} has run out", hint="Begin a new one")
    return basket


def home(work: Work, owners: tuple[str, ...], id_: int, kind: str, *, makes: bool = True) -> Basket:
    """The one open basket of a person; several meet in the one that changed last."""
    if id_:
        return root(work, id_)
    if kind not in KINDS:
        raise DefinitionInvalid(f"expected kind to be one of {', '.join(KINDS)}, got {kind!r}")
    _check_owners(owners)
    found = {one.id: one for owner in owners if (one := _at(work, owner, kind)) is not None}
    if not found:
        if not makes:
            raise NotFound(f"there is no open {kind.replace('_', ' ')} of {owners[0]}")
        return _begun(work, owners[0], kind)
    best = max(found.values(), key=lambda one: (one.changed, -one.id))
    for other in found.values():
        if other.id != best.id:
            best = _met(work, best, other)
    return best


def shown(basket: Basket) -> Kept:
    lines = sum(not line.removed for line in basket.line_states.values())
    return Kept(basket.id, basket.kind, lines, basket.changed, basket.expires)


def _at(work: Work, owner: str, kind: str) -> Basket | None:
    """The open basket of an identifier."""
    found = work.get(HOMES, owner, kind)
    if found is None:
        return None
    basket = work.get(BASKETS, found.basket)
    while basket is not None and basket.state == MERGED:
        basket = work.get(BASKETS, basket.successor)
    if basket is None or not _is_open(work, basket):
        if basket is not None and basket.state == OPEN:
            work.put(BASKETS, basket._replace(state=EXPIRED))
        return None
    return basket


def _is_open(work: Work, basket: Basket) -> bool:
    return basket.state == OPEN and basket.expires > work.now


def _begun(work: Work, owner: str, kind: str) -> Basket:
    id_ = work.number("basket")
    work.put(HOMES, Home(owner, kind, id_))
    expires = work.now + KEPT_SECONDS[kind] * 1_000_000
    return work.append(BASKETS, Basket(id_, kind, owner, work.now, work.now, expires, OPEN, 0, "{}"))


def _met(work: Work, target: Basket, other: Basket) -> Basket:
    """Two baskets that meet: the first has all lines, the second leads to it."""
    if target.id == other.id:
        return target
    if target.kind != other.kind:
        raise Conflict(f"a {target.kind.replace('_', ' ')} and a {other.kind.replace('_', ' ')} cannot be one")
    work.put(BASKETS, other._replace(state=MERGED, successor=target.id, changed=work.now))
    work.put(HOMES, Home(other.owner, other.kind, target.id))
    lines = rules.merged(target.line_states, other.line_states)
    if len(lines) > LINES_MAX:
        raise TooLarge(f"expected at most {LINES_MAX} lines in both baskets together, got {len(lines)}")
    return _kept(work, target._replace(expires=max(target.expires, other.expires)), lines)


def _kept(work: Work, basket: Basket, lines: Mapping[str, LineState], seconds: int = 0) -> Basket:
    expires = work.now + (seconds or KEPT_SECONDS[basket.kind]) * 1_000_000
    body = msgspec.json.encode(dict(sorted(lines.items()))).decode()
    kept = basket._replace(lines=body, changed=work.now, expires=expires if seconds else max(expires, basket.expires))
    return work.put(BASKETS, kept)


def _check_put(command: Put) -> None:
    if not 0 < len(command.line) <= TEXT_MAX or not 0 < len(command.sku) <= TEXT_MAX:
        raise DefinitionInvalid(f"expected a line id and a sku of 1 to {TEXT_MAX} characters")
    if not 0 < command.amount <= AMOUNT_MAX:
        raise DefinitionInvalid(
            f"expected an amount of 1 to {AMOUNT_MAX} thousandths, got {command.amount}", hint="Remove it instead"
        )
    if len(command.note) > NOTE_MAX or len(command.channel) > TEXT_MAX:
        raise DefinitionInvalid(f"expected a note of at most {NOTE_MAX} characters")
    if not 0 <= command.kept_seconds <= KEPT_SECONDS_MAX:
        raise DefinitionInvalid(f"expected kept_seconds of 0 to {KEPT_SECONDS_MAX}, got {command.kept_seconds}")
    if command.changed < 0:
        raise DefinitionInvalid("expected changed in microseconds since 1970")


def _check_owners(owners: Iterable[str]) -> None:
    found = tuple(owners)
    if not 0 < len(found) <= OWNERS_MAX:
        raise DefinitionInvalid(f"expected 1 to {OWNERS_MAX} owners, or a basket, got {len(found)}")
    for owner in found:
        kind, _, value = owner.partition(":")
        if not kind or not value or len(owner) > TEXT_MAX:
            raise DefinitionInvalid(f"expected an owner to be kind:value, got {owner[:80]!r}")


def _tell_difference(work: Work, basket: Basket, before: LineState | None, now: LineState, channel: str) -> None:
    """Product Added or Product Removed, by how much more or less lies there than before."""
    had = before.amount if before and not before.removed else 0
    has = 0 if now.removed else now.amount
    if has == had and before and before.sku == now.sku:
        return
    product = catalogue.product(work, now.sku)
    is_wish = basket.kind == WISH_LIST
    difference = abs(has - had)
    said: dict[str, Any] = {
        "wishlist_id" if is_wish else "cart_id": name_of(basket.id, basket.kind),
        "sku": now.sku,
        "name": product.name() if product else now.sku,
    }
    if not is_wish:
        said["quantity"] = difference / 1_000 if difference % 1_000 else difference // 1_000
    name = "Product Added" if has > had else "Product Removed"
    if is_wish:
        name += " to Wishlist" if has > had else " from Wishlist"
    work.tell(
        Told(name=name, at=work.now, channel=channel or now.channel or "basket", who=(basket.owner,), properties=said)
    )


def name_of(id_: int, kind: str = BASKET_KIND) -> str:
    """What a basket is called in events."""
    return f"{'B' if kind == BASKET_KIND else 'L'}-{id_}"


ACTIONS = (
    Action(Put, put, Kept),
    Action(Remove, remove, Kept),
    Action(Merge, merge, Kept),
    Action(MoveTo, move, Kept),
    Action(ForgetBaskets, forget, int),
    Action(EraseBaskets, erase, int),
)
