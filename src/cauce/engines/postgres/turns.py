"""Turns of runners that share a state in PostgreSQL: advisory locks of the session that also commits.

Whoever dies loses them at once with its session, and can commit nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from cauce.engines.api import LANES
from cauce.engines.postgres.session import Session, lock_number
from cauce.engines.postgres.wire import integers
from cauce.errors import CauceError

POLL_SECONDS = 0.002
_HOLDERS = (
    b"select count(*) from pg_locks where locktype = 'advisory' and objsubid = 1 and granted"
    b" and database = (select oid from pg_database where datname = current_database())"
    b" and classid::bigint = %b and objid::bigint = %b"
)
"""How many sessions hold a lock: that of the river is shared by all who run it."""


class PostgresTurns:
    """Turns of one runner; `session` is the one that its tables write with."""

    def __init__(self, session: Session, state: str) -> None:
        self._session = session
        self._state = state
        self._river = lock_number(state, "river")
        self._turn = lock_number(state, "turn")
        self._lanes = lock_number(state, "lanes") - LANES  # so that the number of the last one is in range too
        self._taken: set[int] = set()

    def take(self, stretch: int) -> bool:
        if stretch not in self._taken and self._session.ask(
            b"select pg_try_advisory_lock(%b)", [self._number(stretch)]
        ) == [(True,)]:
            self._taken.add(stretch)
        return stretch in self._taken

    def leave(self, stretch: int) -> None:
        if stretch in self._taken:
            self._taken.discard(stretch)
            self._session.ask(b"select pg_advisory_unlock(%b)", [self._number(stretch)])

    @contextmanager
    def alone(self) -> Iterator[None]:
        self._session.ask(b"select pg_advisory_lock(%b)", [self._turn])
        try:
            yield
        finally:
            with suppress(CauceError):  # a session that was lost has lost its locks
                self._session.ask(b"select pg_advisory_unlock(%b)", [self._turn])

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, POLL_SECONDS))

    def is_alone(self) -> bool:
        return self._session.ask(_HOLDERS, [self._river >> 32, self._river & 0xFFFFFFFF]) == [(1,)]

    def lanes(self, wanted: Sequence[int], most: int) -> list[int]:
        rows = self._session.ask(
            b"select lane from unnest(%b) lane where pg_try_advisory_xact_lock(%b + lane) limit %b",
            [integers(wanted), self._lanes, most],
        )
        return [int(lane) for (lane,) in rows]

    def all_lanes(self) -> None:
        self._session.ask(
            b"select pg_advisory_xact_lock(%b + lane) from generate_series(0, %b) lane", [self._lanes, LANES - 1]
        )

    def _number(self, stretch: int) -> int:
        return lock_number(self._state, "stretch", str(stretch))
