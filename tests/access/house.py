"""A control database with everything that stands on it, and clocks that stand until they are moved."""

from __future__ import annotations

from pathlib import Path

from argon2 import PasswordHasher

from cauce.access.api import Access, Audit, Control, Limits
from cauce.engines.sqlite import SqliteTables
from tests.furnished import FurnishedTables

PASSWORD = "zapatos rojos 42"
OTHER = "una lampara verde"
SECRET = b"of an installation of the tests"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Argon2 as weak as it goes: tests of everything else need not wait for it."""


class Clock:
    """Seconds that pass only when told; microseconds UTC as `micro`."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def micro(self) -> int:
        return int(self.now * 1_000_000)


class House:
    """Access over a file. Close it."""

    def __init__(
        self, path: Path, clock: Clock | None = None, *, hasher: PasswordHasher = QUICK, limits: Limits | None = None
    ) -> None:
        self.clock = clock or Clock()
        tables = FurnishedTables() if str(path) == ":memory:" else SqliteTables(path)
        self.control = Control(tables, clock=self.clock)
        self.audit = Audit(self.control, clock=self.clock.micro)
        self.access = Access(
            self.control, self.audit, SECRET, limits, clock=self.clock.micro, steady_clock=self.clock, hasher=hasher
        )
        self.accounts, self.sessions, self.tokens = self.access.accounts, self.access.sessions, self.access.tokens

    def actions(self) -> list[str]:
        """What the audit trail says was done, oldest first."""
        return [entry.action for entry in reversed(self.audit.entries(limit=500).entries)]

    def close(self) -> None:
        self.access.close()
        self.control.close()
