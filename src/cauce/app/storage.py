"""Where one installation's log, state and control database live, chosen by the setting `tables`, and who writes them.

`embedded`: files in the data folder. `postgresql://…`: schemas of one database; the data folder then holds the secret
key and the history files, and is shared by all processes.
"""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cauce.engines.api import Log, Reader, Tables, Turns
from cauce.engines.sqlite import SqliteLog, SqliteReader, SqliteTables
from cauce.errors import Busy, Locked, MissingExtra, StorageBroken
from cauce.runner import PARCELS, rests
from cauce.settings import EMBEDDED, Settings

if TYPE_CHECKING:
    from cauce.engines.postgres import Database, Lease


PAUSE_SECONDS_MAX = 1.0
"""How long runners are kept from beginning with a batch, so that the state comes to rest."""
REST_TRIES = 10
MOVED = "moved-to-postgresql.txt"
"""Stands in the folder of an installation whose log and state were copied into PostgreSQL."""


class Rebuilt(NamedTuple):
    """An empty state beside the present one, and the folder of its history files."""

    tables: Tables
    history: Path


class Running(NamedTuple):
    """The state's tables for one runner; `turns` when there may be others beside it."""

    tables: Tables
    turns: Turns | None = None


class Storage(Protocol):
    """One installation's data. Whatever it opens is closed by who asked for it."""

    def log(self) -> Log: ...

    def control(self) -> Tables:
        """Sources, accounts and what else doors write themselves."""
        ...

    def commerce(self) -> Tables:
        """Stock, orders, points and bookings: what commands write, apart from the river."""
        ...

    def commerce_reader(self) -> Reader: ...

    def reader(self) -> Reader:
        """The committed state."""
        ...

    def has_state(self) -> bool:
        """Whether a runner was ever here, of a release that kept what this one reads."""
        ...

    def starting(self) -> AbstractContextManager[None]:
        """One process at a time, for what the first of several must do alone; waits for its turn."""
        ...

    def clerking(self) -> AbstractContextManager[None]:
        """One clerk at a time; Locked while another process carries facts between commerce and the river."""
        ...

    def running(self) -> AbstractContextManager[Running]:
        """What a runner writes with; Locked while another process has it and does not share.

        Whoever loses it (its connection was cut, it was taken for dead) can commit nothing any more.
        """
        ...

    def is_written(self) -> bool:
        """Whether some living process runs the river."""
        ...

    def pausing(self) -> AbstractContextManager[None]:
        """No runner begins with a batch meanwhile; for moments only."""
        ...

    def rebuilding(self) -> AbstractContextManager[Rebuilt]:
        """An empty state beside the present one, which is gone at the end; Locked when another process rebuilds."""
        ...

    def adopt(self, rebuilt: Rebuilt) -> None:
        """Puts a rebuilt state in the place of the present one; Locked while another process writes that."""
        ...

    def close(self) -> None: ...


def storage_of(settings: Settings, secret: bytes) -> Storage:
    """The storage that the settings name; MissingExtra when its driver is not installed."""
    if settings.tables != EMBEDDED:
        return PostgresStorage(settings.tables, settings.folder, secret)
    moved = settings.folder / MOVED
    if moved.exists():
        raise StorageBroken(
            f"the installation of {settings.folder} moved to {moved.read_text().strip()}",
            hint=f"Set CAUCE_TABLES to that database; delete {moved} to use the files again as they were then",
        )
    return EmbeddedStorage(settings.folder)


def postgres_engine() -> ModuleType:
    """The engine for PostgreSQL; MissingExtra when its driver is not installed."""
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtra(
            "tables in PostgreSQL need psycopg, which is not installed", hint="pip install 'cauce[postgres]'"
        )
    # The driver is optional and slow to import: only who uses it pays for it.
    return importlib.import_module("cauce.engines.postgres")


def _fresh_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def _replace_folder(new: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    if new.exists():
        new.rename(old)


class EmbeddedStorage:
    """Three SQLite files; the state's writer holds a lock on a file beside them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state.db"
        self._replay = folder / "replay"

    def log(self) -> Log:
        return SqliteLog(self._folder / "log.db")

    def control(self) -> Tables:
        return SqliteTables(self._folder / "control.db", cache_mb=4, durable=True)

    def commerce(self) -> Tables:
        return SqliteTables(self._folder / "commerce.db", cache_mb=64, durable=True)

    def commerce_reader(self) -> Reader:
        return SqliteReader(self._folder / "commerce.db")

    def reader(self) -> Reader:
        return SqliteReader(self._state)

    def has_state(self) -> bool:
        if not self._state.exists():
            return False
        with closing(self.reader()) as reader:
            return bool(reader.select("select 1 from sqlite_master where name = ?", [PARCELS.name]))

    @contextmanager
    def starting(self) -> Iterator[None]:
        with (self._folder / "start.lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def clerking(self) -> Iterator[None]:
        with self._alone("clerk.lock", "is the clerk of"):
            yield

    @contextmanager
    def running(self) -> Iterator[Running]:
        with self._alone("runner.lock", "runs the river of"):
            tables = SqliteTables(self._state)
            try:
                yield Running(tables)
            finally:
                tables.close()

    def is_written(self) -> bool:
        with (self._folder / "runner.lock").open("a+") as probe:
            try:
                fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            return False

    def pausing(self) -> AbstractContextManager[None]:
        return nullcontext()  # a batch and all that it says are one transaction

    @contextmanager
    def rebuilding(self) -> Iterator[Rebuilt]:
        with self._alone("replay.lock", "rebuilds the state of"):
            folder = _fresh_folder(self._replay)
            rebuilt = Rebuilt(SqliteTables(folder / "state.db"), folder / "history")
            try:
                yield rebuilt
            finally:
                rebuilt.tables.close()
                shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, rebuilt: Rebuilt) -> None:
        with self._alone("runner.lock", "runs the river of"):
            rebuilt.tables.close()
            for name in ("state.db", "state.db-wal", "state.db-shm"):
                (self._folder / name).unlink(missing_ok=True)
            _replace_folder(rebuilt.history, self._folder / "history")
            (self._replay / "state.db").rename(self._state)

    def close(self) -> None:
        """Nothing stays open between questions."""

    @contextmanager
    def _alone(self, name: str, what: str) -> Iterator[None]:
        with (self._folder / name).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Locked(f"another process {what} {self._folder}") from None
            yield


class PostgresStorage:
    """Schemas of one PostgreSQL database; each runner holds locks of its session."""

    def __init__(self, url: str, folder: Path, secret: bytes) -> None:
        postgres = postgres_engine()
        self._history = folder / "history"
        self._replay = folder / "replay"
        self._database: Database = postgres.Database(url)
        try:
            self._database.prepare(fingerprint(secret))
        except BaseException:
            self._database.close()
            raise
        self._lease: Lease = postgres.Lease(url, self._database.state, self._database.home)

    def log(self) -> Log:
        return self._database.log()

    def control(self) -> Tables:
        return self._database.tables(self._database.control)

    def commerce(self) -> Tables:
        return self._database.tables(self._database.commerce)

    def commerce_reader(self) -> Reader:
        return self._database.reader(self._database.commerce)

    def reader(self) -> Reader:
        return self._database.reader(self._database.state)

    def has_state(self) -> bool:
        return self._database.has_table(self._database.state, PARCELS.name)

    @contextmanager
    def starting(self) -> Iterator[None]:
        with self._database.alone("start"):
            yield

    @contextmanager
    def clerking(self) -> Iterator[None]:
        with self._database.alone("clerk", wait=False):
            yield

    @contextmanager
    def running(self) -> Iterator[Running]:
        with self._lease.share() as session:
            yield Running(self._database.tables(self._database.state, session), self._database.turns(session))

    def is_written(self) -> bool:
        return self._lease.is_held()

    def pausing(self) -> AbstractContextManager[None]:
        return self._database.gate_shut()

    @contextmanager
    def rebuilding(self) -> Iterator[Rebuilt]:
        with self._database.alone("replay", wait=False) as session:
            folder = _fresh_folder(self._replay)
            tables = self._database.tables(self._database.replay)
            try:
                self._database.empty(self._database.replay, session)
                yield Rebuilt(tables, folder / "history")
            finally:
                self._database.empty(self._database.replay, session)
                tables.close()
                shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, rebuilt: Rebuilt) -> None:
        with self._lease.hold() as session:
            rebuilt.tables.close()
            # The files first: what the present state lists and does not find, it makes again.
            _replace_folder(rebuilt.history, self._history)
            self._database.adopt(session)

    def close(self) -> None:
        self._lease.close()
        self._database.close()


@contextmanager
def at_rest(storage: Storage, reader: Reader) -> Iterator[None]:
    """Within it the reader sees one moment, at which all is done that the records before it have to say.

    Busy when there is no such moment: parcels wait, and no runner is there to fold them.
    """
    for _ in range(REST_TRIES):
        with ExitStack() as stack:
            with storage.pausing():
                deadline = time.monotonic() + PAUSE_SECONDS_MAX
                while not rests(reader) and time.monotonic() < deadline:
                    time.sleep(0.005)
                stack.enter_context(reader.snapshot())
                found = rests(reader)
            if found:
                yield
                return
        time.sleep(PAUSE_SECONDS_MAX)  # whoever waits to begin with a batch folds what others left behind
    raise Busy(
        "the state has parcels that no runner folds", retry_after_seconds=60, hint="Start one: cauce up, cauce runner"
    )


def fingerprint(secret: bytes) -> str:
    """Names a secret key without telling anything of it."""
    return blake2b(b"fingerprint", key=secret[:64], digest_size=16).hexdigest()
