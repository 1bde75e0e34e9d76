"""Who did what to whom, when and from where: entries that are only added.

A change is noted in its own transaction. A look is noted a moment later together with others, so that reading stays
quick, and once a minute per person at most, so that a page that refreshes itself does not fill the trail.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from cauce.access.actor import Actor
from cauce.access.control import Control
from cauce.access.rules import address_masked, is_action, without_addresses
from cauce.access.store import AUDIT, open_audit
from cauce.engines.api import Row
from cauce.errors import StorageBroken
from cauce.model.time import DAY

LOOK_SECONDS = 60
"""A second look at the same person by the same somebody within this time is the same look."""
FLUSH_SECONDS = 0.25
LOOKS_MAX = 10_000
TEXT_CHARACTERS_MAX = 200
PAGE_MAX = 500

_logger = logging.getLogger(__name__)

Details = Mapping[str, str | int | bool]
Addresses = Literal["masked", "whole", "none"]


class Entry(msgspec.Struct, frozen=True):
    """One entry: `kind` says whether an account, a token or a command acted; `happened` in microseconds UTC."""

    id: int
    happened: int
    actor: str
    kind: str
    action: str
    subject: str
    details: dict[str, str | int | bool]
    address: str


class _Row(msgspec.Struct, array_like=True):
    id: int
    happened: int
    actor: str
    kind: str
    action: str
    subject: str
    details: dict[str, str | int | bool]
    address: str

    def entry(self) -> Entry:
        return Entry(*msgspec.structs.astuple(self))


class Filter(msgspec.Struct, frozen=True):
    """Which entries: exact `actor`, `action` (or its area: `source`) and `subject`; `after`/`before` microseconds."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    after: int = 0
    before: int = 0


class Page(msgspec.Struct, frozen=True):
    """Entries, newest first, and the cursor of the next page, 0 when this is the last."""

    entries: list[Entry]
    cursor: int


def now_microseconds() -> int:
    return time.time_ns() // 1_000


class Audit:
    """The audit trail over the control database; any number of threads and processes. Close it."""

    def __init__(
        self,
        control: Control,
        *,
        addresses: Addresses = "masked",
        days: int = 0,
        clock: Callable[[], int] = now_microseconds,
    ) -> None:
        self._control = control
        self._addresses = addresses
        self._clock = clock
        open_audit(control)
        if days:
            self._drop_before(clock() - days * DAY)
        self._looks: list[Row] = []
        self._looked: dict[tuple[str, str, str], int] = {}
        self._lock = threading.Lock()
        self._waking = threading.Event()
        self._closed = False
        self._writer: threading.Thread | None = None

    def _drop_before(self, moment: int) -> None:
        """Forgets what is older than the installation keeps; done whenever it is opened."""
        oldest = self._control.select("select happened from access_audit order by id limit 1")
        if oldest and oldest[0][0] < moment:
            with self._control.changing(quietly=True):
                self._control.execute("delete from access_audit where happened < ?", moment)

    # -- telling ------------------------------------------------------------------------------------------------

    def note(
        self,
        actor: Actor | str,
        action: str,
        subject: str = "",
        details: Details | None = None,
        *,
        address: str = "",
    ) -> None:
        """Notes an action, durable on return, or with the transaction that it stands in.

        `actor` is "" when nobody is known, as before a sign-in. `address` is that of the actor unless another is said.
        `action` is `area.verb`; `subject` an id or name, never a value of a person; `details` hold no such value.
        """
        row = self._row(actor, action, subject, details or {}, address)
        with self._control.changing(quietly=True):
            self._insert([row])

    def look(self, actor: Actor | str, action: str, subject: str, *, address: str = "") -> None:
        """Notes that somebody saw something, within a moment; a repeated look is noted once a minute."""
        row = self._row(actor, action, subject, {}, address)
        seen = (row[1], action, subject)
        with self._lock:
            if row[0] - self._looked.get(seen, -LOOK_SECONDS * 1_000_000) < LOOK_SECONDS * 1_000_000:
                return
            if len(self._looked) >= LOOKS_MAX:
                self._looked.clear()
            self._looked[seen] = row[0]
            self._looks.append(row)
            waiting = len(self._looks)
            if self._writer is None and not self._closed:
                self._writer = threading.Thread(target=self._write, name="audit", daemon=True)
                self._writer.start()
        if waiting >= LOOKS_MAX or self._closed:
            self.flush()

    def flush(self) -> None:
        """Writes the looks that wait; they wait on when that fails."""
        with self._control.alone():
            rows = self._looks[:]
            with self._control.changing(quietly=True):
                self._insert(rows)
            with self._lock:
                del self._looks[: len(rows)]

    def close(self) -> None:
        """Writes what waits and ends its thread; the control database stays open."""
        with self._lock:
            self._closed = True
            writer = self._writer
        self._waking.set()
        if writer is not None:
            writer.join()
        if self._looks:
            self.flush()

    # -- asking -------------------------------------------------------------------------------------------------

    def entries(self, wanted: Filter | None = None, *, cursor: int = 0, limit: int = 50) -> Page:
        """A page of entries, newest first; `cursor` comes from the page before."""
        if self._looks:
            self.flush()
        where, parameters = _conditions(wanted or Filter(), cursor)
        limit = max(1, min(limit, PAGE_MAX))
        rows = self._control.select(
            "select id, happened, actor, kind, action, subject, details, address from access_audit"
            f" where {where} order by id desc limit ?",
            *parameters,
            limit + 1,
        )
        found = [msgspec.convert((*row[:6], msgspec.json.decode(row[6]), row[7]), _Row).entry() for row in rows[:limit]]
        return Page(found, found[-1].id if len(rows) > limit else 0)

    def actions(self) -> list[str]:
        """Every action that was ever noted, by name."""
        return [row[0] for row in self._control.select("select distinct action from access_audit order by action")]

    # -- inside -------------------------------------------------------------------------------------------------

    def _row(self, actor: Actor | str, action: str, subject: str, details: Details, address: str) -> Row:
        assert is_action(action), f"expected an action such as source.added, got {action!r}"
        name, kind = (actor, "command" if actor else "") if isinstance(actor, str) else (actor.name, str(actor.kind))
        address = address or ("" if isinstance(actor, str) else actor.address)
        kept = {key: _bounded(value) for key, value in details.items()}
        return (
            self._clock(), name, kind, action, subject[:TEXT_CHARACTERS_MAX], msgspec.json.encode(kept).decode(),
            self.address(address),
        )  # fmt: skip

    def address(self, address: str) -> str:
        """An address as the installation keeps it: masked by default."""
        if self._addresses == "none":
            return ""
        return address_masked(address) if self._addresses == "masked" else address[:63]

    def _insert(self, rows: list[Row]) -> None:
        if rows:
            first = self._control.next_id(AUDIT)
            self._control.upsert(AUDIT, [(first + place, *row) for place, row in enumerate(rows)])

    def _write(self) -> None:
        while not self._waking.wait(FLUSH_SECONDS):
            if self._looks:
                try:
                    self.flush()
                except StorageBroken as fault:
                    _logger.warning("looks wait to be written: %s", fault)


def _bounded(value: str | int | bool) -> str | int | bool:
    assert isinstance(value, str | int), f"expected a text, a whole number or a truth value, got {value!r}"
    return without_addresses(value[:TEXT_CHARACTERS_MAX]) if isinstance(value, str) else value


def _conditions(wanted: Filter, cursor: int) -> tuple[str, list[str | int]]:
    where, parameters = ["1 = 1"], list[str | int]()
    for condition, value in (
        ("id < ?", cursor),
        ("actor = ?", wanted.actor),
        ("subject = ?", wanted.subject),
        ("happened >= ?", wanted.after),
        ("happened < ?", wanted.before),
    ):
        if value:
            where.append(condition)
            parameters.append(value)
    if wanted.action:
        # An area is everything between `area.` and `area/`, the next character after the dot.
        where.append("(action = ? or (action >= ? and action < ?))")
        parameters += [wanted.action, f"{wanted.action}.", f"{wanted.action}/"]
    return " and ".join(where), parameters
