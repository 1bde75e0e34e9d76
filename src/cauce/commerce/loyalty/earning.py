"""A purchase earns, a return takes back; in which order they become known makes no difference.

What a purchase earned is a function of the purchases and returns of the people it belongs to: their tier at that moment
and the maximum of that day. A fact that comes late makes those after it be counted anew, and only the difference is
moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cauce.commerce.loyalty import lots, programmes, rules
from cauce.commerce.loyalty.calendar import day_of
from cauce.commerce.loyalty.definition import PURCHASE, Programme
from cauce.commerce.loyalty.members import enrolled, entries_of, reviewed
from cauce.commerce.loyalty.rules import Bought, Came, Line, Returned, ReturnedLine
from cauce.commerce.loyalty.store import (
    CLAWED,
    DOCUMENTS,
    HEADS,
    ISSUED,
    MEMBERS,
    PURCHASES,
    RETURNS,
    Document,
    Head,
    Purchase,
    Return,
    counter,
)
from cauce.commerce.loyalty.tiers import standings
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid

LINES_MAX = 1_000
NAMES_MAX = 20
TEXT_MAX = 200
COUNTED_MAX = 5_000
"""Purchases of one person that are counted together, the latest ones: nobody shops more often in a tier's window."""


class Earn(Command, frozen=True, kw_only=True):
    """Somebody bought something, or did something else that may earn.

    `documents` are all names that the purchase is known by (order, receipt), `who` all identifiers of the person
    (`kind:value`, normalised), the most personal first; `programme` "" means every programme; `at` in microseconds.
    What one that `leads` says holds, whatever other documents say of the same purchase; it may be said anew with more
    lines, at the same `at`.
    """

    documents: tuple[str, ...]
    who: tuple[str, ...]
    at: int
    lines: tuple[Line, ...] = ()
    channel: str = ""
    place: str = ""
    currency: str = ""
    event: str = PURCHASE
    programme: str = ""
    leads: bool = False


class ClawBack(Command, frozen=True, kw_only=True):
    """Goods of a purchase came back: some lines, an `amount` of it (minor units), or `whole`. `id` names the return."""

    document: str
    id: str
    at: int
    lines: tuple[ReturnedLine, ...] = ()
    amount: int = 0
    whole: bool = False
    channel: str = ""


class Points(msgspec.Struct, frozen=True):
    """What a purchase earned in a programme: points with bonus, what returns took back, and the tier that gave it.

    `again`: the purchase was known already, under one of its names, and earned nothing more.
    """

    programme: str
    member: str
    document: str
    points: int
    clawed: int
    tier: str = ""
    again: bool = False


class Given(NamedTuple):
    """What a purchase shall have earned."""

    tier: str
    points: int


def earn(work: Work, command: Earn) -> tuple[Points, ...]:
    """What the purchase earned in each programme; nothing where nobody of `who` can be a member."""
    _check(command)
    found = [_earned(work, head, command) for head in programmes.heads(work, command.programme)]
    return tuple(each for each in found if each is not None)


def claw_back(work: Work, command: ClawBack) -> tuple[Points, ...]:
    """What is left of what the purchase earned. A return that is known before its purchase waits for it."""
    _check_return(command)
    if work.get(RETURNS, command.document, command.id) is None:
        lines = msgspec.json.encode(command.lines).decode()
        work.append(RETURNS, Return(
            command.document, command.id, command.at, work.now, command.channel, lines, command.amount,
            int(command.whole),
        ))  # fmt: skip
    answers = []
    for document in work.select(DOCUMENTS, "document = ? order by programme", command.document):
        purchase = work.need(PURCHASES, document.purchase)
        if not purchase.member:
            continue  # whose it was is erased, and their points with them
        _count_returns(work, purchase)
        purchase = work.need(PURCHASES, purchase.id)
        answers.append(_shown(purchase, again=False))
    return tuple(answers)


def forget_return(work: Work, document: str, id_: str, goods: Mapping[str, int]) -> None:
    """What so much of a return (thousandths by article) took back is given again: something else accounts for it."""
    row = work.get(RETURNS, document, id_)
    if row is None:
        return
    lines = msgspec.json.decode(row.lines, type=tuple[ReturnedLine, ...])
    left, kept = dict(goods), list[ReturnedLine]()
    for line in lines:
        taken = min(left.get(line.sku, 0), line.quantity)
        if not taken:
            kept.append(line)
            continue
        left[line.sku] -= taken
        if quantity := line.quantity - taken:
            kept.append(ReturnedLine(line.sku, quantity, line.amount * quantity // line.quantity))
    if kept == list(lines):
        return
    if kept:
        work.put(RETURNS, row._replace(lines=msgspec.json.encode(kept).decode()))
    else:
        work.drop(RETURNS, document, id_)
    for known in work.select(DOCUMENTS, "document = ? order by programme", document):
        _count_returns(work, work.need(PURCHASES, known.purchase), anew=True)


# -- earning ----------------------------------------------------------------------------------------------------


def _earned(work: Work, head: Head, command: Earn) -> Points | None:
    known = _known(work, head.programme, command.documents)
    if known and (not command.leads or any(each.leads for each in known)):
        return _once_more(work, head, command, known)
    programme = programmes.at(work, head, command.at)
    member = programme.member_of(command.who)
    if not member:
        return None
    circle = circle_of(member, command.who)
    bought = _bought(command)
    found = rules.earned(programme, bought)
    if command.event != PURCHASE and not any(found.micro):
        return None
    purchase = Purchase(
        id=work.number("loyalty_purchase"), programme=head.programme, member=member, document=command.documents[0],
        at=command.at, received=work.now, event=command.event, channel=command.channel,
        amount=found.amount if command.event == PURCHASE else 0, base=sum(found.micro), tier="", points=0, clawed=0,
        lot=lots.new_lot(work, programme, member, command.documents[0], command.at).id,
        bought=msgspec.json.encode(bought).decode(), returned="[]", leads=int(command.leads), same_as=0,
    )  # fmt: skip
    work.append(PURCHASES, purchase)
    before = sum(each.points for each in known)
    _joined(work, purchase, known)
    _name(work, purchase, command.documents)
    enrolled(work, head.programme, member, command.at, circle)
    _count_returns(work, purchase, told=False)
    _recount(work, head, circle, command.at)
    purchase = work.need(PURCHASES, purchase.id)
    _tell_earned(work, purchase, before)
    reviewed(work, head, member, circle, command.channel)
    return _shown(purchase, again=bool(known))


def _once_more(work: Work, head: Head, command: Earn, known: list[Purchase]) -> Points:
    """A purchase that is known: its new names are noted; when it stood there twice, the later one earns nothing."""
    first, *doubles = sorted(known, key=lambda each: (-each.leads, each.at, each.document, each.id))
    before = sum(each.points for each in known)
    _name(work, first, command.documents)
    _joined(work, first, doubles)
    if command.leads and first.member:
        first = _restated(work, head, first, command)
    _count_returns(work, work.need(PURCHASES, first.id), anew=True)
    first = work.need(PURCHASES, first.id)
    if command.leads:
        _tell_earned(work, first, before)
    for member in dict.fromkeys([first.member, *(each.member for each in doubles)]):
        if member:
            reviewed(work, head, member, circle_of(member, command.who), command.channel)
    return _shown(first, again=True)


def _joined(work: Work, first: Purchase, doubles: Iterable[Purchase]) -> None:
    """Purchases that turned out to be one: only the first of them earns; an erased person's stay as they were."""
    for double in doubles:
        work.put(PURCHASES, double._replace(same_as=first.id))
        for document in work.select(DOCUMENTS, "purchase = ?", double.id):
            work.put(DOCUMENTS, document._replace(purchase=first.id))
        if double.member:
            _give(work, work.need(PURCHASES, double.id), Given("", 0))


def _restated(work: Work, head: Head, purchase: Purchase, command: Earn) -> Purchase:
    """The purchase with what is known by now to have been bought; when it happened stays."""
    bought = msgspec.structs.replace(_bought(command), at=purchase.at)
    found = rules.earned(programmes.at(work, head, purchase.at), bought)
    return work.put(PURCHASES, purchase._replace(
        bought=msgspec.json.encode(bought).decode(), amount=found.amount, base=sum(found.micro),
    ))  # fmt: skip


def _bought(command: Earn) -> Bought:
    return Bought(command.event, command.at, command.channel, command.place, command.currency, command.lines)


def _known(work: Work, programme: str, documents: Iterable[str]) -> list[Purchase]:
    """Purchases that are known under these names, each once."""
    ids = [found.purchase for name in documents if (found := work.get(DOCUMENTS, programme, name))]
    return [work.need(PURCHASES, id_) for id_ in dict.fromkeys(ids)]


def _name(work: Work, purchase: Purchase, documents: Iterable[str]) -> None:
    for name in documents:
        if work.get(DOCUMENTS, purchase.programme, name) is None:
            work.put(DOCUMENTS, Document(purchase.programme, name, purchase.id))


def circle_of(member: str, who: Iterable[str]) -> list[str]:
    """The member and the identifiers that count with it."""
    return list(dict.fromkeys((member, *sorted(who))))[: lots.CIRCLE_MAX]


def _circle(work: Work, purchase: Purchase) -> list[str]:
    """The identifiers that its member was last counted with."""
    found = work.get(MEMBERS, purchase.programme, purchase.member)
    return msgspec.json.decode(found.circle, type=list[str]) if found else [purchase.member]


# -- returns ----------------------------------------------------------------------------------------------------


def _count_returns(work: Work, purchase: Purchase, *, told: bool = True, anew: bool = False) -> None:
    """Takes back what the returns known under any of its names come to; and counts anew what came after them."""
    if not purchase.member:
        return
    names = [each.document for each in work.select(DOCUMENTS, "purchase = ?", purchase.id)]
    rows = work.select(RETURNS, f"document in ({marks(names)})", *names)
    came = {row.id: row for row in sorted(rows, key=lambda row: (row.id, row.document))}
    if not came and not anew:
        return
    head = work.need(HEADS, purchase.programme)
    programme = programmes.at(work, head, purchase.at)
    found = rules.earned(programme, msgspec.json.decode(purchase.bought, type=Bought))
    returned = rules.returned(found, map(_came, came.values()))
    before = purchase
    purchase = work.put(PURCHASES, purchase._replace(returned=msgspec.json.encode(returned).decode()))
    _give(work, purchase, Given(purchase.tier, purchase.points))
    circle = _circle(work, purchase)
    _recount(work, head, circle, min([purchase.at, *(row.at for row in came.values())] if anew else
                                     [row.at for row in came.values()]))  # fmt: skip
    after = work.need(PURCHASES, purchase.id)
    if told and after.clawed > before.clawed:
        _tell(work, after, "Loyalty Points Clawed Back", after.clawed - before.clawed)
        reviewed(work, head, after.member, circle, after.channel)


def _came(row: Return) -> Came:
    lines = msgspec.json.decode(row.lines, type=tuple[ReturnedLine, ...])
    return Came(row.id, row.at, lines, row.amount, bool(row.whole))


# -- counting ---------------------------------------------------------------------------------------------------


def _recount(work: Work, head: Head, circle: Sequence[str], since: int) -> None:
    """Brings what purchases from `since` on have earned to what they should have, of all identifiers of a person."""
    rows = work.select(
        PURCHASES,
        f"programme = ? and member in ({marks(circle)}) and same_as = 0 order by at desc, document desc limit ?",
        head.programme,
        *circle,
        COUNTED_MAX,
    )
    rows.sort(key=lambda row: (row.at, row.document))
    for row, given in zip(rows, _wanted(work, head, rows, since), strict=True):
        if given is not None:
            _give(work, row, given)


def _wanted(work: Work, head: Head, rows: Sequence[Purchase], since: int) -> list[Given | None]:
    """What each purchase should have earned; None for those before `since`, which nothing changes."""
    wanted: list[Given | None] = [None] * len(rows)
    of_day: dict[tuple[str, str], int] = {}
    each_programme = [programmes.at(work, head, row.at) for row in rows]
    tiers = _tiers(each_programme, rows, since)
    for index, (row, programme) in enumerate(zip(rows, each_programme, strict=True)):
        day = (programme.zone, day_of(row.at, programme.zone).isoformat()) if programme.day_max else ("", "")
        points = row.points
        if row.at >= since:
            found = rules.earned(programme, msgspec.json.decode(row.bought, type=Bought), tiers[index])
            points = rules.points_of(programme, found, tiers[index])
            if programme.day_max:
                points = min(points, max(0, programme.day_max - of_day.get(day, 0)))
            wanted[index] = Given(tiers[index], points)
        of_day[day] = of_day.get(day, 0) + points
    return wanted


def _tiers(each_programme: Sequence[Programme], rows: Sequence[Purchase], since: int) -> dict[int, str]:
    """The tier at each purchase from `since` on, by its place; each as the programme was then."""
    found: dict[int, str] = {}
    for programme in dict.fromkeys(each_programme):
        places = [index for index, row in enumerate(rows) if row.at >= since and each_programme[index] == programme]
        if not programme.tiers.levels:
            found.update(dict.fromkeys(places, ""))
            continue
        entries = [entry for row in rows for entry in entries_of(programme, row)]
        held = standings(programme.tiers, programme.zone, entries, [rows[index].at for index in places])
        found.update((index, each.tier) for index, each in zip(places, held, strict=True))
    return found


def _give(work: Work, purchase: Purchase, given: Given) -> None:
    """Moves the difference between what a purchase has earned and what it shall have."""
    history = msgspec.json.decode(purchase.returned, type=tuple[Returned, ...])
    clawed = rules.clawed(given.points, history)
    if (given.tier, given.points, clawed) == (purchase.tier, purchase.points, purchase.clawed):
        return
    issued, back = counter(purchase.programme, ISSUED), counter(purchase.programme, CLAWED)
    more, clawed_more = given.points - purchase.points, clawed - purchase.clawed
    if more > 0:
        lots.deposit(work, purchase.lot, more, issued, purchase.document)
    if clawed_more < 0:
        lots.deposit(work, purchase.lot, -clawed_more, back, purchase.document)
    if more < 0:
        lots.withdraw(work, purchase.lot, -more, issued, purchase.document)
    if clawed_more > 0:
        lots.withdraw(work, purchase.lot, clawed_more, back, purchase.document)
    work.put(PURCHASES, purchase._replace(tier=given.tier, points=given.points, clawed=clawed))


# -- telling ----------------------------------------------------------------------------------------------------


def _tell_earned(work: Work, purchase: Purchase, before: int) -> None:
    """Of points that are new: `before` is what the same purchase had earned by other names."""
    if purchase.points > before:
        _tell(work, purchase, "Loyalty Points Earned", purchase.points - before)


def _tell(work: Work, purchase: Purchase, name: str, points: int) -> None:
    circle = tuple(_circle(work, purchase))
    free = sum(free for _, free in lots.spendable(work, purchase.programme, circle))
    work.tell(Told(
        name=name, at=work.now, channel=purchase.channel, who=circle,
        properties={
            "programme": purchase.programme, "points": points, "document": purchase.document,
            "balance": free - lots.owed(work, purchase.programme, circle),
        },
    ))  # fmt: skip


def _shown(purchase: Purchase, *, again: bool) -> Points:
    return Points(
        purchase.programme, purchase.member, purchase.document, purchase.points, purchase.clawed, purchase.tier, again
    )


# -- checking ---------------------------------------------------------------------------------------------------


def _check(command: Earn) -> None:
    faults = []
    if not 0 < len(command.documents) <= NAMES_MAX or not all(map(_is_name, command.documents)):
        faults.append(f"documents: expected 1 to {NAMES_MAX} names of at most {TEXT_MAX} characters")
    if len(command.who) > lots.CIRCLE_MAX or not all(":" in each for each in command.who):
        faults.append(f"who: expected at most {lots.CIRCLE_MAX} identifiers such as loyalty:9001")
    if len(command.lines) > LINES_MAX:
        faults.append(f"lines: expected at most {LINES_MAX}, got {len(command.lines)}")
    for index, line in enumerate(command.lines):
        if not 0 <= line.amount <= 2**43 or not 0 <= line.quantity <= 2**43:
            faults.append(f"lines[{index}]: expected amount and quantity not below 0")
    if faults:
        raise DefinitionInvalid("; ".join(faults))


def _check_return(command: ClawBack) -> None:
    if not _is_name(command.document) or not _is_name(command.id):
        raise DefinitionInvalid(f"document, id: expected names of 1 to {TEXT_MAX} characters")
    if not (command.lines or command.amount > 0 or command.whole):
        raise DefinitionInvalid("expected lines, an amount above 0, or whole: what came back?")
    if len(command.lines) > LINES_MAX or command.amount < 0 or command.amount > 2**43:
        raise DefinitionInvalid(f"lines, amount: expected at most {LINES_MAX} lines and an amount not below 0")
    if any(not 0 <= line.quantity <= 2**43 or not 0 <= line.amount <= 2**43 for line in command.lines):
        raise DefinitionInvalid("lines: expected quantities and amounts not below 0")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= TEXT_MAX


ACTIONS = (
    Action(Earn, earn, tuple[Points, ...]),
    Action(ClawBack, claw_back, tuple[Points, ...]),
)
