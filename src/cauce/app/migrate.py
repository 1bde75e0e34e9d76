"""From an embedded installation to PostgreSQL: copies log, state, commerce and control, and proves that all is there.

The history stays where it is, in the data folder. What was interrupted goes on where it stopped: records follow the
last one that arrived, and tables that have not arrived are copied again. Until the proof is complete, nobody can open
the new installation; afterwards nobody can open the old one by mistake.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from cauce.app.assembly import Parts, assemble
from cauce.app.replay import TableReport, matched
from cauce.app.storage import MOVED, EmbeddedStorage, fingerprint, postgres_engine
from cauce.commerce.api import ALL_TABLES
from cauce.engines.api import Log, Row, Table
from cauce.engines.memory import MemoryLog, MemoryTables
from cauce.engines.sqlite import SqliteLog, SqliteReader
from cauce.errors import Conflict, DefinitionInvalid, Locked, NotFound, StorageBroken
from cauce.runner import TABLES, progress
from cauce.settings import EMBEDDED, Settings

if TYPE_CHECKING:
    from cauce.engines.postgres import Copier, Database

RECORDS_PER_PIECE = 5_000
BYTES_PER_PIECE = 16_000_000
ENGINE_TABLES = frozenset(("run", "sqlite_sequence", "sqlite_stat1"))
"""Tables that SQLite, or our engine for it, keeps for itself."""

NAMES = ("embedded", "postgresql")

OnProgress = Callable[[str, int, int], None]
"""Told (what, done, total) now and then."""


class Side(NamedTuple):
    """One SQLite file, the schema that its tables go to, and these tables."""

    path: Path
    schema: str
    tables: tuple[Table, ...]

    @property
    def name(self) -> str:
        return self.path.stem


class MigrationReport(msgspec.Struct, frozen=True):
    """What was copied, and how each part compares; `resumed_records` had arrived before."""

    target: str
    records: int
    resumed_records: int
    equal: bool
    tables: tuple[TableReport, ...]


def migrate(settings: Settings, url: str, on_progress: OnProgress) -> MigrationReport:
    """Copies the embedded installation of the settings' folder into an empty database, and compares.

    Conflict when the target holds another installation, Locked while something else uses the embedded one.
    """
    home = settings.folder
    if not (home / "log.db").exists():
        raise NotFound(f"there is no embedded installation in {home}", hint="Name its folder: cauce --data FOLDER")
    if not url.startswith(("postgresql://", "postgres://")):
        raise DefinitionInvalid("expected --to to be a URL such as postgresql://user@host/database")
    engine = postgres_engine()
    secret = (home / "secret.key").read_bytes()
    with ExitStack() as stack:
        stack.enter_context(EmbeddedStorage(home).running())
        shop = [home / "commerce.db"] if (home / "commerce.db").exists() else []
        stack.enter_context(_still(home / "log.db", home / "control.db", *shop))
        database = engine.Database(url)
        stack.callback(database.close)
        _prepare(database, secret)
        copier = engine.Copier(url, database.home)
        stack.callback(copier.close)
        log = stack.enter_context(closing(SqliteLog(home / "log.db")))
        _require_processed(home, log)
        resumed, _ = copier.copied_log()
        _copy_log(log, copier, on_progress)
        sides = (
            Side(home / "state.db", database.state, state_tables(settings, secret)),
            Side(home / "control.db", database.control, tables_in(home / "control.db")),
            *(Side(path, database.commerce, ALL_TABLES) for path in shop),
        )
        for side in sides:
            _copy_tables(side, database, copier, on_progress)
        copier.analyse()
        tables = (
            _compared_log(log, database, on_progress),
            *(report for side in sides for report in _compared_tables(side, database)),
            _history(home / "history", database),
        )
        equal = all(table.equal for table in tables)
        if equal:
            database.set_arriving("")
            (home / MOVED).write_text(f"{database.place}\n")
        return MigrationReport(database.place, log.end(), resumed, equal, tables)


def _prepare(database: Database, secret: bytes) -> None:
    database.prepare(fingerprint(secret), may_arrive=True)
    if database.arriving():
        return
    if not database.is_empty():
        raise Conflict(
            f"{database.place} holds an installation already",
            hint="Migrate into an empty database, or drop the schemas cauce and cauce_…",
        )
    database.set_arriving(fingerprint(secret))


def _require_processed(home: Path, log: Log) -> None:
    with closing(SqliteReader(home / "state.db")) as reader:
        done, end = progress(reader), log.end()
    if done < end:
        raise Conflict(
            f"the state stands at record {done} of {end}", hint="Let it catch up first: cauce status, or cauce up"
        )


@contextmanager
def _still(*paths: Path) -> Iterator[None]:
    """Nobody writes these files meanwhile; Locked when somebody does not let go of one."""
    with ExitStack() as stack:
        for path in paths:
            connection = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None, timeout=5)))
            try:
                connection.execute("begin immediate")
            except sqlite3.OperationalError:
                raise Locked(f"another process writes {path}", hint="Stop `cauce up`") from None
        yield


# --- copying ---------------------------------------------------------------------------------------------------------


def _copy_log(log: Log, copier: Copier, on_progress: OnProgress) -> None:
    end = log.end()
    done, total = copier.copied_log()
    while done < end:
        records = log.read(done, records_max=RECORDS_PER_PIECE, bytes_max=BYTES_PER_PIECE)
        total = copier.append(records, total)
        done = records[-1].offset
        on_progress("log", done, end)
    copier.end_log()


def _copy_tables(side: Side, database: Database, copier: Copier, on_progress: OnProgress) -> None:
    with closing(SqliteReader(side.path)) as reader, closing(database.tables(side.schema)) as target:
        target.create(side.tables)
        for number, table in enumerate(side.tables, start=1):
            copier.replace(side.schema, table, (row for chunk in reader.scan_all(table) for row in chunk))
            on_progress(side.name, number, len(side.tables))


def state_tables(settings: Settings, secret: bytes) -> tuple[Table, ...]:
    """The tables of every stage, as the river of these settings has them."""
    parts = Parts(MemoryLog(), lambda _name: None, settings.changed(tables=EMBEDDED), secret)
    runner = assemble(parts, MemoryTables(), settings.folder / "replay" / "history")  # nothing is written there
    try:
        return (*TABLES, *(table for stage in runner.stages for table in stage.tables))
    finally:
        runner.close()


def tables_in(path: Path) -> tuple[Table, ...]:
    """The tables of an SQLite file as they stand there, with their keys and indexes."""
    found: list[Table] = []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
        for (name,) in names:
            if name in ENGINE_TABLES:
                continue
            shape = connection.execute(f'pragma table_info("{name}")').fetchall()
            key = tuple(row[1] for row in sorted(shape, key=lambda row: row[5]) if row[5])
            indexes = []
            for index in connection.execute(f'pragma index_list("{name}")').fetchall():
                if index[3] == "c":
                    columns = connection.execute(f'pragma index_info("{index[1]}")').fetchall()
                    indexes.append(tuple(column for _, _, column in columns))
            named = tuple((str(row[1]), str(row[2]).lower()) for row in shape)
            if not key:
                raise StorageBroken(f"table {name} of {path} has no key, so it cannot be copied exactly")
            found.append(Table(name, named, key, indexes=tuple(sorted(indexes))))
    return tuple(found)


# --- proof -----------------------------------------------------------------------------------------------------------


def _compared_log(log: Log, database: Database, on_progress: OnProgress) -> TableReport:
    """Every record of both logs, in constant memory."""
    end = log.end()

    def told() -> Iterator[Row]:
        for row in _records(log):
            if row[0] % RECORDS_PER_PIECE == 0 or row[0] == end:
                on_progress("proof", row[0], end)
            yield row

    with closing(database.log()) as target:
        return matched("log", postgres_engine().as_stored(told()), _records(target), NAMES)


def _compared_tables(side: Side, database: Database) -> Iterator[TableReport]:
    """Every table of both sides, row by row in key order, in constant memory."""
    with closing(SqliteReader(side.path)) as ours, closing(database.reader(side.schema)) as theirs:
        for table in side.tables:
            mine = (row for chunk in ours.scan_all(table) for row in chunk)
            other = (row for chunk in theirs.scan_all(table) for row in chunk)
            yield matched(f"{side.name}.{table.name}", postgres_engine().as_stored(mine), other, NAMES)


def _records(log: Log) -> Iterator[Row]:
    offset = 0
    while records := log.read(offset, records_max=RECORDS_PER_PIECE, bytes_max=BYTES_PER_PIECE):
        for record in records:
            yield (record.offset, record.source, record.connector, record.received, record.body)
        offset = records[-1].offset


def _history(folder: Path, database: Database) -> TableReport:
    """The listed files, which stay where they are: each is there and holds as many events as it should."""
    with closing(database.reader(database.state)) as reader:
        rows = reader.select("select path, rows from history_file order by first_position")
    differences: list[str] = []
    for path, count in rows:
        try:
            found = pq.read_metadata(folder / path).num_rows
        except (OSError, pa.ArrowException) as fault:
            differences.append(f"{path}: {fault}")
            continue
        if found != count:
            differences.append(f"{path} holds {found} events, listed are {count}")
    return TableReport("history", len(rows), not differences, tuple(differences[:5]))
