"""SQL over everything that is stored: DuckDB, in memory, on the history files and the tail that is in none yet.

Views: `events` and `decisions` here, others (`people`, `identifiers`, `links`, `traits`) as the composition root gives
them. All views of one statement show one moment: the reader's snapshot. A statement can only read, and only this.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from cauce.engines.api import Reader, Table
from cauce.errors import Conflict, DefinitionInvalid, StorageBroken, TooLarge, Unsupported
from cauce.events import store
from cauce.events.history import SCHEMA, Folder, columns_of
from cauce.events.masking import Shield
from cauce.registry import nearest

View = Callable[[Reader], pa.Table]
"""The rows of a view, as the reader sees them."""

IDENTIFIERS = "identifiers"
"""The view that says whose an event is: it has the columns `id` and `person`."""

OWN_VIEWS = ("events", "decisions")

TAIL_ROWS_PER_BATCH = 10_000
TRIES = 5
"""A file may be compacted away between the snapshot and the reading; then the statement starts again."""

_ARROW_TYPES = {"integer": pa.int64(), "text": pa.string(), "real": pa.float64(), "blob": pa.binary()}
_READING = {"SELECT", "EXPLAIN", "MULTI"}  # MULTI is what PIVOT is made of

_EVENT_COLUMNS = """
    e.position, e.id, e.source, e.channel, e.type, e.name, e.occurred, e.received, {person}e.subject,
    e.identifier_ids, e.identifiers, e.traits::json as traits, e.properties::json as properties,
    e.context::json as context
"""


ROW_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree", "histogram", "repeat"})
"""Functions of the engine that give rows and tell nothing; a strict statement may call no other such function."""

_ABOUT_THE_ENGINE = frozenset(
    {
        "current_catalog", "current_connection_id", "current_database", "current_query", "current_query_id",
        "current_role", "current_schema", "current_schemas", "current_setting", "current_transaction_id",
        "current_user", "currval", "getenv", "getvariable", "get_block_size", "in_search_path", "inet_client_addr",
        "inet_client_port", "inet_server_addr", "inet_server_port", "json_deserialize_sql", "json_serialize_plan",
        "json_serialize_sql", "nextval", "parse_duckdb_log_message", "session_user", "setseed", "setval", "sleep_ms",
        "stats", "txid_current", "user", "version", "write_log",
    }
)  # fmt: skip
_CATALOGUES = ("duckdb_", "pragma_", "sqlite_", "information_schema", "pg_catalog")
_HARMLESS = frozenset({"pg_typeof", "pg_size_pretty"})


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one statement."""

    seconds: float = 60.0
    memory_mb: int = 1_024
    threads: int = 2


class Result(msgspec.Struct, frozen=True):
    """Rows of a statement as an Arrow table; `truncated` when there were more than asked for."""

    table: Any
    truncated: bool

    @property
    def columns(self) -> list[str]:
        return list(self.table.column_names)

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Python values; times are aware datetimes, JSON columns text."""
        columns = [column.to_pylist() for column in self.table.columns]
        return list(zip(*columns, strict=True))


class Asking:
    """A statement that runs, and may be stopped from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.is_stopped = False

    def stop(self) -> None:
        """Ends the statement as soon as the engine looks up; one that has not begun never begins."""
        with self._lock:
            self.is_stopped = True
            if self._connection is not None:
                self._connection.interrupt()

    @contextmanager
    def running(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Inside, the statement can be interrupted; Conflict when it was stopped before."""
        with self._lock:
            if self.is_stopped:
                raise Conflict(STOPPED)
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None


STOPPED = "the statement was stopped"


def table_view(table: Table, columns: Mapping[str, str] | None = None) -> View:
    """A view that is a table of the state as it stands; `columns` picks and renames them (column → name)."""
    kept = columns or {name: name for name in table.names}
    kinds = dict(table.columns)
    schema = pa.schema([(shown, _ARROW_TYPES[kinds[name]]) for name, shown in kept.items()])
    places = [table.names.index(name) for name in kept]

    def read(reader: Reader) -> pa.Table:
        batches = [
            pa.RecordBatch.from_arrays(
                [
                    pa.array([row[place] for row in rows], field.type)
                    for place, field in zip(places, schema, strict=True)
                ],
                schema=schema,
            )
            for rows in reader.scan_all(table)
        ]
        return pa.Table.from_batches(batches, schema)

    return read


class Sql:
    """Questions in SQL. `open_reader` gives the calling thread's reader of the state.

    `strict` refuses whatever is not a question about the views: functions that tell of the engine or read elsewhere.
    With a `shield` the statement runs over masked copies of the events; then `views` must be masked too.
    """

    def __init__(
        self,
        folder: Path,
        open_reader: Callable[[], Reader],
        views: Mapping[str, View] | None = None,
        limits: Limits | None = None,
        *,
        strict: bool = False,
        shield: Shield | None = None,
    ) -> None:
        self._folder = Folder(folder)
        self._open_reader = open_reader
        self._views = dict(views or {})
        self._limits = limits or Limits()
        self._strict = strict or shield is not None
        self._shield = shield

    @property
    def view_names(self) -> list[str]:
        return sorted({*OWN_VIEWS, *self._views})

    def query(self, statement: str, *, rows_max: int = 10_000, asking: Asking | None = None) -> Result:
        """The first `rows_max` rows of one reading statement; `asking` can stop it.

        DefinitionInvalid when it is no SQL or names what is not there, Unsupported when it would change something,
        TooLarge when it exceeds the limits of time or memory, Conflict when it was stopped.
        """
        asking = asking or Asking()
        for attempt in range(TRIES):
            try:
                with (
                    self.connection(statement, asking) as connection,
                    asking.running(connection),
                    self._in_time(connection),
                ):
                    _lock(connection)
                    return _fetched(_asked(connection, statement), rows_max)
            except duckdb.InterruptException:
                if asking.is_stopped:
                    raise Conflict(STOPPED) from None
                raise TooLarge(
                    f"the statement ran longer than {self._limits.seconds:g} seconds", hint="Ask for less at a time"
                ) from None
            except duckdb.OutOfMemoryException as fault:
                raise TooLarge(f"the statement needs more memory: {fault}", hint="Ask for less at a time") from None
            except duckdb.IOException as fault:
                if attempt == TRIES - 1:
                    raise StorageBroken(f"cannot read the history: {fault}") from fault
            except duckdb.Error as fault:
                raise DefinitionInvalid(
                    f"the statement cannot be run: {fault}", hint=f"Views: {', '.join(self.view_names)}"
                ) from None
        raise AssertionError("unreachable")

    @contextmanager
    def connection(self, statement: str, asking: Asking | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open connection with the views that the statement names, all of one moment; closed afterwards."""
        limits = self._limits
        connection = duckdb.connect(
            config={
                "memory_limit": f"{limits.memory_mb}MB",
                "threads": limits.threads,
                "python_enable_replacements": "false",
            }
        )
        try:
            connection.execute("set TimeZone = 'UTC'")
            names = self._named(connection, statement)
            reader = self._open_reader()
            with reader.snapshot():
                if not names.isdisjoint(OWN_VIEWS):
                    if IDENTIFIERS in self._views and _needs_person(statement):
                        names = names | {IDENTIFIERS}
                    self._add_events(connection, reader, asking or Asking())
                for name in sorted(names & self._views.keys()):
                    connection.register(name, self._views[name](reader))
            self._add_event_views(connection, names)
            yield connection
        finally:
            connection.close()

    def _named(self, connection: duckdb.DuckDBPyConnection, statement: str) -> set[str]:
        """The views that a statement names. Raises when it is not one reading statement."""
        try:
            statements = connection.extract_statements(statement)
        except duckdb.Error as fault:
            raise DefinitionInvalid(f"the statement is no SQL: {fault}") from None
        if len(statements) != 1:
            raise Unsupported(f"expected one SQL statement, got {len(statements)}", hint="Ask them one by one")
        kind = statements[0].type.name
        if kind not in _READING:
            raise Unsupported(
                f"expected a statement that reads, got {kind}",
                hint="Use select, from, describe, summarize or explain; `cauce export` writes files",
            )
        if self._strict:
            _refuse_elsewhere(statement)
        words = {word.lower() for word in re.findall(r"\w+", statement)}
        try:
            found = {name.lower() for name in connection.get_table_names(statement)}
        except duckdb.Error:  # a PIVOT, which is several statements inside
            found = words & set(self.view_names)
        if "show" in words:
            found |= set(self.view_names)
        strangers = sorted(name for name in found if name not in self.view_names and "." not in name)
        if strangers and (self._strict or not found & set(self.view_names)):
            raise DefinitionInvalid(f"there is no view {strangers[0]!r}", hint=nearest(strangers[0], self.view_names))
        return found & set(self.view_names)

    def _add_events(self, connection: duckdb.DuckDBPyConnection, reader: Reader, asking: Asking) -> None:
        paths = [self._folder.locate(file) for file in store.history_files(reader)]
        after = store.written_until(reader)
        chunks = store.rows(reader, after, 2**63 - 1, TAIL_ROWS_PER_BATCH)
        unwritten = pa.Table.from_batches(map(columns_of, chunks), SCHEMA)
        if self._shield is not None:
            paths = self._shield.copies(paths, lambda: asking.is_stopped)
            unwritten = self._shield.masked(unwritten)
        connection.register("unwritten_event", unwritten)
        files = [str(path) for path in paths]
        parts = ["select * from unwritten_event"]
        if files:
            places = ", ".join(_quoted(file) for file in files)
            parts.append(f"select * from read_parquet([{places}])")
            connection.execute(f"set allowed_paths = [{places}]")
        connection.execute(f"create view stored_event as {' union all by name '.join(parts)}")

    def _add_event_views(self, connection: duckdb.DuckDBPyConnection, names: set[str]) -> None:
        if names.isdisjoint(OWN_VIEWS):
            return
        person = IDENTIFIERS in names
        columns = _EVENT_COLUMNS.format(person="i.person, " if person else "")
        join = f"left join {IDENTIFIERS} i on i.id = e.subject" if person else ""
        for name, sign in (("events", "<>"), ("decisions", "=")):
            connection.execute(
                f"create view {name} as select {columns} from stored_event e {join} where e.type {sign} 'decision'"
            )

    @contextmanager
    def _in_time(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        timer = threading.Timer(self._limits.seconds, connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _needs_person(statement: str) -> bool:
    """Whether `events` must say whose each event is: joining a million identifiers in costs about a second.

    Only a plain select that names neither the column nor all columns can do without.
    """
    text = statement.lower()
    bare = re.sub(r"count\s*\(\s*\*\s*\)", "", text)
    plain = re.match(r"\s*(select|with|explain)\b", text) is not None
    everything = "*" in bare or "columns" in bare or re.search(r"\b(table|describe|summarize|show|pivot)\b", bare)
    return not plain or bool(everything) or re.search(r"\bperson\b", bare) is not None


def _refuse_elsewhere(statement: str) -> None:
    """Unsupported when a statement asks the engine about itself, or takes rows from anything but views.

    Looks at names alone, wherever they stand: what it lets pass is still shut in by `_lock`.
    """
    tokens = duckdb.tokenize(statement)
    ends = [*(start for start, _ in tokens[1:]), len(statement)]
    names = [statement[start:end].strip() for (start, _), end in zip(tokens, ends, strict=True)]
    kinds = [kind.name for _, kind in tokens]
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if kind not in ("identifier", "keyword"):
            continue
        bare = name.strip('"').lower()
        is_called = place + 1 < len(names) and names[place + 1].startswith("(")
        is_told = is_called and (bare in _ABOUT_THE_ENGINE or bare in _row_functions() or bare.startswith("pg_"))
        if bare not in _HARMLESS and (is_told or bare.startswith(_CATALOGUES)):
            raise Unsupported(
                f"expected a question about the views, got {bare!r}", hint="Only the views and plain functions are open"
            )


@cache
def _row_functions() -> frozenset[str]:
    """Functions that a strict statement may not take rows from: all that the engine has, but for a few."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select distinct lower(function_name) from duckdb_functions() "
            "where function_type in ('table', 'pragma', 'table_macro')"
        ).fetchall()
    return frozenset(name for (name,) in rows) - ROW_FUNCTIONS


def place_of(message: str, statement: str) -> tuple[int, int] | None:
    """(line, column), both from 1, that an engine's message points at with `LINE n:` and a caret; None without them."""
    found = re.search(r"^LINE (\d+): (.*)\n( *)\^", message, re.M)
    if found is None:
        return None
    line, shown = int(found[1]), found[2]
    column = len(found[3]) - len(f"LINE {line}: ") + 1
    lines = statement.splitlines()
    if shown.startswith("...") and 0 < line <= len(lines):
        start = lines[line - 1].find(shown.removeprefix("...").removesuffix("..."))
        column += start - 3 if start >= 0 else 0
    return line, max(1, column)


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on the statement reaches no file but the history's, and cannot change that."""
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _asked(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyRelation:
    """The relation of a statement; a fault says where it lies, which only `execute` tells."""
    try:
        return connection.sql(statement)
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
        connection.execute(statement)
        raise


def _fetched(relation: duckdb.DuckDBPyRelation | None, rows_max: int) -> Result:
    assert relation is not None, "a reading statement has a result"
    reader = relation.to_arrow_reader(min(rows_max + 1, 100_000))
    batches: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        if count > rows_max:
            break
    table = pa.Table.from_batches(batches, reader.schema)
    return Result(table.slice(0, rows_max), count > rows_max)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
