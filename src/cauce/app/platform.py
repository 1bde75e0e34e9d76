"""An open installation: what doors, tests and scripts work with."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from cauce.access.api import Control
from cauce.app.assembly import Parts, Views, access_over, assemble
from cauce.app.questions import Questions
from cauce.app.replay import ReplayReport, replayed
from cauce.app.sql_views import sql_views
from cauce.app.storage import Rebuilt, storage_of
from cauce.app.trials import Trials
from cauce.commerce.api import Commerce, Engines
from cauce.engines.api import Log, Reader
from cauce.errors import Busy, Locked, NotFound, StorageBroken
from cauce.events import decisions
from cauce.events.api import Archive
from cauce.events.book import SOURCE_APPLIED, told
from cauce.events.sources import Sources
from cauce.events.sql import Limits, Result, Sql
from cauce.identity.api import People, Rules
from cauce.model import DECISIONS, Fate, Source, position_of
from cauce.profiles.api import Profiles
from cauce.profiles.definitions import default_definitions
from cauce.quality.api import Quality
from cauce.runner import Runner, settled
from cauce.search.api import ERASED, Search, Sight
from cauce.settings import Settings

WAIT_SECONDS_MAX = 600.0
IDLE_SECONDS, IDLE_SECONDS_REMOTE = 0.01, 0.04
"""How long a runner that has caught up waits before it looks again: a server is asked less often than a file."""
TURN_SECONDS = 0.5
"""How long a process that wants to run the river waits before it asks again."""

_logger = logging.getLogger(__name__)


class Platform:
    """An open installation. Any number of processes may have one open; one of them at a time runs the river.

    Close it (or use `with`). Reading attributes (`people`, `profiles`, `quality`, `archive`) belong to the calling
    thread and see what is committed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        folder = settings.folder
        self.history_path = folder / "history"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.secret = _secret(folder / "secret.key")
        except OSError as fault:
            raise StorageBroken(f"cannot use the data folder {folder}: {fault.strerror}") from None
        self.storage = storage_of(settings, self.secret)
        self.log: Log = self.storage.log()
        self.control = Control(self.storage.control())
        self.access = access_over(self.control, self.secret, settings)
        self.audit = self.access.audit
        self.sources = Sources(self.control, self.audit, self._tell_source)
        self.questions = Questions(self)
        self.trials = Trials(settings)
        self.commerce = Commerce(Engines(self.storage.commerce, self.storage.commerce_reader))
        self._parts = Parts(self.log, self.source_of, settings, self.secret)
        self._runner: Runner | None = None
        self._local = threading.local()
        self._opened: list[Reader] = []
        self._searches: list[Search] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, settings: Settings | str | os.PathLike[str] | None = None) -> Platform:
        """Opens (and creates) the installation of a data folder or of settings; default: those of the environment."""
        if isinstance(settings, Settings):
            return cls(settings)
        return cls(Settings.from_environment(data=os.fspath(settings) if settings is not None else None))

    def _start(self) -> None:
        if self.log.end() == 0:
            with self.storage.starting():
                if self.log.end() == 0:  # else another process was quicker
                    self.append(DECISIONS, DECISIONS, _first_decisions())
        if not self.storage.has_state():
            self.drain()

    # -- asking -------------------------------------------------------------------------------------------------

    @property
    def views(self) -> Views:
        """This thread's views of the committed state."""
        found: Views | None = getattr(self._local, "views", None)
        if found is None:
            reader = self.storage.reader()
            found = self._local.views = Views(self._parts, reader)
            self._opened.append(reader)
        return found

    @property
    def reader(self) -> Reader:
        return self.views.reader

    @property
    def quality(self) -> Quality:
        return self.views.quality

    @property
    def archive(self) -> Archive:
        return self.views.archive

    @property
    def people(self) -> People:
        return self.views.people

    @property
    def profiles(self) -> Profiles:
        return self.views.profiles

    @property
    def search(self) -> Search:
        """Finds people by any identifier or name."""
        found: Search | None = getattr(self._local, "search", None)
        if found is None:
            sight = Sight(self.reader, self.people, self.profiles, self.archive)
            found = self._local.search = Search(self.settings.folder / "search.db", sight)
            self._searches.append(found)
        return found

    def health(self) -> dict[str, Any]:
        """Whether events can be taken in, and how far the river has come: offsets are records of the log."""
        end, done = self.log.end(), settled(self.reader)
        return {
            "log_end": end,
            "offset": done,
            "lag_records": end - done,
            "lag_bytes": self.log.bytes_after(done) if end > done else 0,
            "runner": self._runner is not None or self.storage.is_written(),
        }

    def status(self) -> dict[str, Any]:
        """Counts by source and in all, whether they add up, who is known, how far the river has come."""
        with self.reader.snapshot():
            balance = self.quality.balance()
            counts = self.people.counts()
            last = self.archive.last_position()
            stored = self.archive.bodies([last]) if last else {}
        sources = [msgspec.to_builtins(row) for row in balance]
        return {
            "sources": sources,
            "totals": {fate: sum(row[fate] for row in sources) for fate in ("received", *map(str, Fate))},
            "adds_up": all(row["adds_up"] for row in sources),
            "last_stored": stored[last].event.received if stored else None,
            **counts,
            **self.health(),
        }

    def sql(self, statement: str, *, rows_max: int = 10_000, limits: Limits | None = None) -> Result:
        """Rows of one reading SQL statement over the views `events`, `people`, `identifiers`, `links`, `traits`."""
        return self.sql_engine(limits).query(statement, rows_max=rows_max)

    def sql_engine(self, limits: Limits | None = None) -> Sql:
        """DuckDB over this thread's view of the state and the history files."""
        return Sql(self.history_path, lambda: self.reader, sql_views(lambda: self.profiles), limits)

    # -- telling ------------------------------------------------------------------------------------------------

    def append(self, source: str, connector: str, bodies: Sequence[bytes]) -> int:
        """Appends bodies for a source to the log, durable on return; the offset of the last."""
        received = time.time_ns() // 1_000
        first = self.log.append([(source, connector, received, body) for body in bodies])
        return first + len(bodies) - 1

    def decide(self, name: str, properties: dict[str, Any], by: str, *, wait: bool = True) -> int:
        """Records a decision and waits until it is applied, unless told not to `wait`; its position."""
        if name == ERASED:
            # First: the decision is told only when nothing else knows them any more, and may be told again.
            self.commerce.erase(properties.get("identifiers", ()))
        body = decisions.encode(name, properties, by, time.time_ns() // 1_000)
        offset = self.append(DECISIONS, DECISIONS, [body])
        if not wait:
            return position_of(offset, 0)
        self.drain(offset)
        if name == ERASED:
            self.search.refresh()  # an erasure is done when it is done everywhere
        return position_of(offset, 0)

    def replay_quarantined(self, request: dict[str, Any], by: str) -> int:
        """Sends mended quarantine entries (`quality.replay_request`) through the river again."""
        return self.decide("quarantine.replayed", request, by)

    # -- running ------------------------------------------------------------------------------------------------

    def drain(self, until: int | None = None, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Waits until the log is processed up to offset `until` (default: its present end).

        Processes it here when no other process does; Busy when another one takes too long. `on_progress` is called
        with (offset, until).
        """
        until = self.log.end() if until is None else until
        waited_since = time.monotonic()
        seen = -1
        while True:
            if self._drained(until, on_progress):
                return
            done = settled(self.reader) if self.storage.has_state() else 0
            if on_progress:
                on_progress(done, until)
            if done >= until:
                return
            if done != seen:
                seen, waited_since = done, time.monotonic()
            if time.monotonic() - waited_since > WAIT_SECONDS_MAX:
                raise Busy(f"the runner stands at record {done}, waited for {until}", retry_after_seconds=60)
            time.sleep(0.02)

    def _drained(self, until: int, on_progress: Callable[[int, int], None] | None) -> bool:
        """Processes the log up to `until` here; False when another process runs the river, or this one lost it."""
        if self.storage.is_written():
            return False
        with suppress(Busy), self.running() as runner:
            while runner.offset < until and runner.run_once():
                if on_progress:
                    on_progress(runner.offset, until)
            runner.settle()
            return runner.offset >= until
        return False

    def run(self, stopping: Callable[[], bool]) -> None:
        """Runs the river until `stopping()`; waits for its turn while another process runs it.

        Whoever loses the river (a connection was cut, the server starts again) gives up the batch in progress and
        waits for its turn once more.
        """
        while not stopping():
            try:
                with self.running() as runner:
                    remote = runner.tables.capabilities.remote
                    runner.run(stopping, idle_seconds=IDLE_SECONDS_REMOTE if remote else IDLE_SECONDS)
                    return
            except Locked:
                pass
            except Busy as fault:
                _logger.warning("the river stands still: %s", fault)
            time.sleep(TURN_SECONDS)

    @contextmanager
    def running(self) -> Iterator[Runner]:
        """The runner, while this process may run the river; Locked while another one does not share it."""
        with self.storage.running() as (tables, turns):
            try:
                self._runner = assemble(self._parts, tables, self.history_path, turns)
                yield self._runner
            finally:
                if self._runner is not None:
                    self._runner.close()
                self._runner = None

    def _swap(self, rebuilt: Rebuilt) -> None:
        """Puts the rebuilt state in the place of the old one, while nobody runs the river."""
        self._local = threading.local()
        self._close_views()
        try:
            self.storage.adopt(rebuilt)
        except Locked as fault:
            raise Locked(f"the rebuilt state was not put in place: {fault.message}", hint="Stop `cauce up`") from None

    def _tell_source(self, source: Source, by: str) -> None:
        """Records a source's settings, which hold for the records after it."""
        self.append(DECISIONS, DECISIONS, [decisions.encode(SOURCE_APPLIED, told(source), by, time.time_ns() // 1_000)])

    def source_of(self, name: str) -> Source | None:
        with suppress(NotFound):
            return self.sources.get(name)
        return None

    def replay(self, *, apply: bool = False, on_progress: Callable[[int, int], None] | None = None) -> ReplayReport:
        """Rebuilds all state from the log in a folder beside, compares it with the present one at the same record.

        `apply` puts the rebuilt state in the place of the old one; Locked while another process runs the river.
        """
        self.drain()
        swap = self._swap if apply else None
        report = replayed(self._parts, self.storage, swap, on_progress or (lambda _done, _total: None))
        if apply:
            self.search.refresh(anew=True)
        return report

    # -- closing ------------------------------------------------------------------------------------------------

    def _close_views(self) -> None:
        for search in self._searches:
            search.close()
        for reader in self._opened:
            reader.close()
        self._searches, self._opened = [], []

    def close(self) -> None:
        self._close_views()
        self.commerce.close()
        self.log.close()
        self.access.close()
        self.questions.close()
        self.trials.close()
        self.control.close()
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _first_decisions() -> list[bytes]:
    """A fresh installation starts with identity rules and computed traits, decided like any other definition.

    So they are in the log, and a later release that packages others does not change what was decided here.
    """
    traits = {"definitions": {"traits": msgspec.to_builtins(default_definitions())}}
    rules = {"rules": Rules.default().as_dict()}
    now = time.time_ns() // 1_000
    first = (("identity.rules_applied", rules), ("trait.applied", traits))
    return [decisions.encode(name, content, "cauce", now) for name, content in first]


def _secret(path: Path) -> bytes:
    """The key that identifier ids are derived with: made once, kept beside the data, readable by its owner only."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(fresh, path)  # the first of several processes wins
    fresh.unlink()
    return path.read_bytes()
