"""A target for imports that keeps bodies in memory and decodes them as the runner would."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from cauce.access.api import Control
from cauce.connectors import files
from cauce.engines.sqlite import SqliteTables
from cauce.model import Event, Received, Record, Source


class Interrupted(BaseException):
    """Stands for Ctrl-C or a crash."""


class Bed:
    """Appends to a list; `dies_at` interrupts the n-th append (before it, or after it when `late`)."""

    def __init__(self, folder: Path, *, dies_at: int = 0, late: bool = False, control: str = "control.db") -> None:
        self._control_path = folder / control
        self.bodies: list[tuple[str, str, bytes]] = []
        self.dies_at, self.late = dies_at, late
        self.appends = 0

    @cached_property
    def control(self) -> Control:
        """Opened when it is needed, and again by the next bed of the same folder."""
        return Control(SqliteTables(self._control_path))

    def append(self, source: str, connector: str, bodies: list[bytes]) -> None:
        self.appends += 1
        dies = self.appends == self.dies_at
        if dies and not self.late:
            raise Interrupted
        self.bodies += [(source, connector, body) for body in bodies]
        if dies:
            raise Interrupted

    @property
    def received(self) -> list[Received]:
        found: list[Received] = []
        for offset, (source, connector, body) in enumerate(self.bodies, 1):
            record = Record(offset, source, connector, 1_700_000_000_000_000, body)
            found += files.decode(record, Source(source, "store"))
        return found

    @property
    def events(self) -> list[Event]:
        """Events without repetitions, as `quality` lets them through."""
        found: dict[str, Event] = {}
        for item in self.received:
            if item.event is not None:
                found.setdefault(item.event.id, item.event)
        return list(found.values())

    @property
    def bad(self) -> list[Received]:
        found: dict[str, Received] = {}
        for item in self.received:
            if item.event is None:
                found.setdefault(item.raw["messageId"], item)
        return list(found.values())

    def essence(self) -> list[object]:
        """What came out, without the position in the log."""
        events = [(one.id, one.name, one.occurred, one.identifiers, one.traits, one.properties) for one in self.events]
        return [events, [(item.raw["messageId"], item.raw["line"], item.reasons) for item in self.bad]]
