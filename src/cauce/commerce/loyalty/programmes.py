"""Programmes are applied by command: every version stays, and each holds for what happens from its time on."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty.definition import Programme, read_programme, stored_programme
from cauce.commerce.loyalty.store import HEADS, VERSIONS, Head, Version, reward_place
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.registry import nearest

PROGRAMMES_MAX = 200


class ApplyProgramme(Command, frozen=True, kw_only=True):
    """A new programme, or the next version of one. `document` is YAML or JSON; `expected` the version it is made from
    (0: whichever), so that two people who change one do not overwrite each other."""

    document: str
    by: str
    expected: int = 0


class RetireProgramme(Command, frozen=True, kw_only=True):
    """Nothing is earned in a programme any more; points can be spent until they expire."""

    programme: str
    by: str


class Applied(msgspec.Struct, frozen=True):
    """The version in force, and since when (microseconds)."""

    programme: str
    version: int
    at: int
    is_open: bool


class Since(msgspec.Struct, frozen=True, array_like=True):
    version: int
    at: int


def apply_programme(work: Work, command: ApplyProgramme) -> Applied:
    """DefinitionInvalid names all that is wrong; Conflict when another version was applied meanwhile."""
    wanted = read_programme(command.document)
    head = work.get(HEADS, wanted.programme)
    if command.expected and command.expected != (head.version if head else 0):
        raise Conflict(
            f"version {head.version if head else 0} of {wanted.programme} was applied meanwhile, "
            f"this was made from version {command.expected}",
            hint="Look at the present version and apply your change to it",
        )
    if head is None and work.ask("select count(*) from loyalty_programme")[0][0] >= PROGRAMMES_MAX:
        raise DefinitionInvalid(f"expected at most {PROGRAMMES_MAX} programmes")
    before = latest(work, wanted.programme) if head else None
    if before and before.currency != wanted.currency:
        raise DefinitionInvalid(
            f"currency: expected {before.currency}, as the programme has, got {wanted.currency}",
            hint="Begin another programme for another currency; both can run side by side",
        )
    _supply(work, before, wanted)
    version = head.version + 1 if head else 1
    work.append(VERSIONS, Version(wanted.programme, version, work.now, command.by, command.document))
    versions = [*(_versions(head.versions) if head else ()), Since(version, work.now)]
    work.put(HEADS, Head(wanted.programme, version, 1, msgspec.json.encode(versions).decode()))
    return Applied(wanted.programme, version, work.now, True)


def retire_programme(work: Work, command: RetireProgramme) -> Applied:
    head = work.get(HEADS, command.programme)
    if head is None:
        raise unknown_programme(command.programme, [])
    work.put(HEADS, head._replace(is_open=0))
    return Applied(head.programme, head.version, work.now, False)


def latest(work: Work, programme: str) -> Programme:
    """A programme as it is now; NotFound when there is none."""
    head = work.get(HEADS, programme)
    if head is None:
        raise unknown_programme(programme, [row[0] for row in work.ask("select programme from loyalty_programme")])
    return stored_programme(work.need(VERSIONS, programme, head.version).document)


def at(work: Work, head: Head, moment: int) -> Programme:
    """A programme as it was at a moment; what happened before its first version is judged by that."""
    versions = _versions(head.versions)
    number = next((each.version for each in reversed(versions) if each.at <= moment), versions[0].version)
    return stored_programme(work.need(VERSIONS, head.programme, number).document)


def heads(work: Work, programme: str) -> list[Head]:
    """The programme of that name, or all that are open when there is none given."""
    if not programme:
        return work.select(HEADS, "is_open = 1 order by programme")
    head = work.get(HEADS, programme)
    if head is None:
        raise unknown_programme(programme, [row[0] for row in work.ask("select programme from loyalty_programme")])
    return [head] if head.is_open else []


def programmes(reader: Reader) -> dict[str, tuple[Head, Programme]]:
    """All programmes as they are now, by code."""
    rows = reader.select(
        f"select {', '.join('h.' + name for name in HEADS.table.names)}, v.document from loyalty_programme h "
        "join loyalty_version v on v.programme = h.programme and v.version = h.version order by h.programme"
    )
    return {row[0]: (HEADS.of(row[:-1]), stored_programme(row[-1])) for row in rows}


def versions(reader: Reader, programme: str) -> list[Version]:
    """Every version of a programme, oldest first."""
    rows = reader.select(
        f"select {VERSIONS.columns} from loyalty_version where programme = ? order by version", (programme,)
    )
    return [VERSIONS.of(row) for row in rows]


def unknown_programme(programme: str, known: list[str]) -> NotFound:
    return NotFound(f"there is no programme {programme[:80]!r}", hint=nearest(programme[:80], known) if known else "")


def _supply(work: Work, before: Programme | None, wanted: Programme) -> None:
    """A reward whose stock is told anew has so many more, or less, than it had."""
    for reward in wanted.rewards:
        had = before.reward(reward.reward) if before else None
        more = max(0, reward.stock) - max(0, had.stock if had else 0)
        stock, supply = (reward_place(wanted.programme, reward.reward, name) for name in ("stock", "supply"))
        free = ledger.account(work, stock).available
        if more > 0:
            ledger.move(work, supply, stock, more, "stock of a reward")
        elif more < 0 and reward.stock >= 0:
            if free < -more:
                raise DefinitionInvalid(
                    f"rewards: expected the stock of {reward.reward} to be at least {reward.stock - more - free}, "
                    f"got {reward.stock}: the others were given or are promised"
                )
            ledger.move(work, stock, supply, -more, "stock of a reward")


@lru_cache(maxsize=500)
def _versions(text: str) -> tuple[Since, ...]:
    return msgspec.json.decode(text, type=tuple[Since, ...])


ACTIONS = (
    Action(ApplyProgramme, apply_programme, Applied),
    Action(RetireProgramme, retire_programme, Applied),
)
