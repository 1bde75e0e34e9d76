"""Addresses of channels that are told of changes of stock, each with how far it knows.

A message may come twice and is told again until it was received; its content is the present state of each stock, so
that coming twice or late does no harm.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from cauce.commerce.stock.feed import Cursor, Wish
from cauce.commerce.stock.levels import SERIES
from cauce.commerce.stock.store import HOOKS, Hook
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.store import NUMBERS
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader
from cauce.errors import DefinitionInvalid, NotFound, TooLarge

ACTIVE, PAUSED = "active", "paused"
HOOKS_MAX = 100
SECOND = 1_000_000
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5, 6 * 3_600
PATIENCE_SECONDS = 5 * 86_400
"""Who has not received anything for so long is not told any more, until somebody resumes it."""
FAULT_CHARACTERS_MAX = 300
PLAIN, SECURE = "http", "https"


class AddHook(Command, frozen=True, kw_only=True):
    """Tells an address of changes. `id` and `salt` are chosen by chance; the salt makes its secret."""

    id: str
    url: str
    salt: str
    wish: Wish = Wish()
    only_changes: bool = False
    by: str = ""


class RemoveHook(Command, frozen=True, kw_only=True):
    """Tells an address no more."""

    id: str


class ResumeHook(Command, frozen=True, kw_only=True):
    """Tries an address again, now."""

    id: str


class Delivered(Command, frozen=True, kw_only=True):
    """An address knows everything up to a cursor."""

    id: str
    cursor: str


class Undelivered(Command, frozen=True, kw_only=True):
    """An address did not receive what it was told, and why."""

    id: str
    fault: str


class Registered(msgspec.Struct, frozen=True):
    """A hook as it stands; `due` is when it is tried again (microseconds), `cursor` how far it knows."""

    id: str
    url: str
    wish: Wish
    state: str
    cursor: str
    failures: int
    due: int
    fault: str
    at: int
    by: str


def add_hook(work: Work, command: AddHook) -> Registered:
    checked_address(command.url)
    if len(work.select(HOOKS, "state <> '' order by id limit ?", HOOKS_MAX)) == HOOKS_MAX:
        raise TooLarge(f"expected at most {HOOKS_MAX} hooks", hint="Remove one that nobody listens to")
    cursor = ""
    if command.only_changes:
        last = work.get(NUMBERS, SERIES)
        cursor = Cursor(last.last if last else 0).text
    wish = msgspec.json.encode(command.wish).decode()
    row = Hook(command.id, command.url, command.salt, wish, ACTIVE, cursor, 0, 0, work.now, "", work.now, command.by)
    return shown(work.add(HOOKS, row))


def remove_hook(work: Work, command: RemoveHook) -> bool:
    work.need(HOOKS, command.id)
    work.drop(HOOKS, command.id)
    return True


def resume_hook(work: Work, command: ResumeHook) -> Registered:
    found = work.need(HOOKS, command.id)
    return shown(work.put(HOOKS, found._replace(state=ACTIVE, failures=0, since=0, due=work.now)))


def delivered(work: Work, command: Delivered) -> bool:
    found = work.get(HOOKS, command.id)
    if found is None:
        return False  # it was removed meanwhile
    work.put(HOOKS, found._replace(cursor=command.cursor, failures=0, since=0, due=work.now, fault=""))
    return True


def undelivered(work: Work, command: Undelivered) -> bool:
    """The pauses double; after `PATIENCE_SECONDS` without success the hook is paused."""
    found = work.get(HOOKS, command.id)
    if found is None:
        return False
    since = found.since or work.now
    pause = pause_seconds(found.failures)
    state = PAUSED if work.now - since > PATIENCE_SECONDS * SECOND else found.state
    row = found._replace(
        failures=found.failures + 1,
        since=since,
        due=work.now + pause * SECOND,
        state=state,
        fault=command.fault[:FAULT_CHARACTERS_MAX],
    )
    work.put(HOOKS, row)
    return True


def pause_seconds(failures: int) -> int:
    """How long to wait after a failure, of which so many came before it."""
    return min(FIRST_PAUSE_SECONDS << min(failures, 20), LONGEST_PAUSE_SECONDS)


def hooks(reader: Reader) -> list[Registered]:
    """All hooks, in the order in which they were added."""
    rows = reader.select(f"select {HOOKS.columns} from {HOOKS.name} order by at, id")
    return [shown(HOOKS.of(row)) for row in rows]


def hook(reader: Reader, id_: str) -> Registered:
    """NotFound when there is none."""
    found = reader.select(HOOKS.by_key, (id_,))
    if not found:
        raise NotFound(f"there is no hook {id_[:80]!r}")
    return shown(HOOKS.of(found[0]))


def due_hooks(reader: Reader, now: int) -> list[Hook]:
    """Active hooks whose time has come."""
    rows = reader.select(
        f"select {HOOKS.columns} from {HOOKS.name} where state = ? and due <= ? order by due, id", (ACTIVE, now)
    )
    return [HOOKS.of(row) for row in rows]


def wish_of(row: Hook) -> Wish:
    return msgspec.json.decode(row.filter, type=Wish)


def shown(row: Hook) -> Registered:
    return Registered(
        row.id, row.url, wish_of(row), row.state, row.cursor, row.failures, row.due, row.fault, row.at, row.by
    )


def checked_address(url: str) -> Any:
    """The parts of an address that can be told; DefinitionInvalid otherwise. Where it leads is seen when it is used."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DefinitionInvalid(f"expected an address such as https://shop.example/stock, got {url[:80]!r}") from None
    if parts.scheme not in (PLAIN, SECURE) or not parts.hostname or port == 0:
        raise DefinitionInvalid(f"expected an address such as https://shop.example/stock, got {url[:80]!r}")
    if parts.username or parts.password or not url.isprintable() or " " in url:
        raise DefinitionInvalid("expected an address without user name, password and blanks")
    return parts


ACTIONS = (
    Action(AddHook, add_hook, Registered),
    Action(RemoveHook, remove_hook, bool),
    Action(ResumeHook, resume_hook, Registered),
    Action(Delivered, delivered, bool),
    Action(Undelivered, undelivered, bool),
)
