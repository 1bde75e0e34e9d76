"""SQLite: the embedded default for Log and Tables.

One writer per file, many readers (WAL). Rows of tables in *heap* layout lie in the order in which they came, and their
keys in an index: for new rows with random keys a batch then dirties half as many pages. Tables in *runs* layout are
kept as sorted runs: every flush appends one small sorted tree, and runs of one level are merged into one of the next
when there are enough of them. Random writes into one big tree cost 20 µs a row at some millions of rows; this costs
about 4 µs and stays flat.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from cauce.engines.api import Capabilities, Changes, Keys, Merge, Reader, Row, Table
from cauce.engines.ranges import within
from cauce.errors import Locked, StorageBroken
from cauce.model import Record

KEYS_PER_QUERY = 500
ROWS_PER_INSERT = 250
ROWS_PER_UPSERT = (32, 8, 2, 1)
"""Rows of one statement, as many as there are: each row of its own would let go of the interpreter, and wait for it."""
STATE_PAGES_PER_CHECKPOINT = 64_000
"""256 MB: a page that many batches write reaches the state's file once."""
DURABLE_PAGES_PER_CHECKPOINT = 16_000
"""Where every commit waits for the disk, a log that is soon written over again is quicker than one that grows."""
RUN_ROWS_MAX = 1_000_000
"""A merge never makes a run larger than this, which bounds the pause it causes; beyond, runs stand side by side."""
RUNS_PER_LEVEL = 8

_RUNS = Table(
    "run", (("owner", "text"), ("run", "integer"), ("level", "integer"), ("rows", "integer")), ("owner", "run")
)


def connect(path: str, *, durable: bool, read_only: bool = False, cache_mb: int = 64) -> sqlite3.Connection:
    """A connection in WAL mode; `durable` syncs at every commit, otherwise at checkpoints."""
    uri = f"file:{path}?mode=ro" if read_only else path
    try:
        connection = sqlite3.connect(
            uri, uri=read_only, isolation_level=None, check_same_thread=False, cached_statements=1_000, timeout=30
        )
        if not read_only:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma secure_delete = on" if durable else "pragma secure_delete = fast")
        connection.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
        connection.execute(f"pragma cache_size = -{cache_mb * 1024}")
        connection.execute("pragma temp_store = memory")
        connection.execute("pragma mmap_size = 268435456")
    except sqlite3.Error as fault:
        raise StorageBroken(f"cannot open {path}: {fault}") from fault
    return connection


def scrub(connection: sqlite3.Connection) -> None:
    """Rewrites the file without what deleted rows left in free pages, and empties the write-ahead log."""
    connection.execute("vacuum")
    connection.execute("pragma wal_checkpoint(truncate)")


class SqliteReader:
    """Reads of one file; one thread at a time, several readers side by side."""

    def __init__(self, path: str | Path, *, connection: sqlite3.Connection | None = None) -> None:
        self.path = str(path)
        self._connection = connection or connect(self.path, durable=False, read_only=True)
        self._runs: dict[str, list[int]] = {}
        self._runs_version: int | None = None

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def select_each(self, sql: str, parameters: Iterable[Sequence[Any]]) -> list[list[Row]]:
        return [self._connection.execute(sql, each).fetchall() for each in parameters]

    def select_keys_each(self, questions: Sequence[tuple[str, Keys]]) -> list[list[Row]]:
        return [self.select_keys(sql, keys) for sql, keys in questions]

    def select_keys(self, sql: str, keys: Keys, parameters: Sequence[Any] = ()) -> list[Row]:
        ordered: list[Any] = sorted(set(keys))
        rows: list[Row] = []
        for start in range(0, len(ordered), KEYS_PER_QUERY):
            group = ordered[start : start + KEYS_PER_QUERY]
            # Always the same number of marks keeps one prepared statement; repeating a key changes nothing.
            group += group[-1:] * (_marks(len(group)) - len(group))
            rows += self._connection.execute(_asked(sql, len(group)), (*parameters, *group)).fetchall()
        return rows

    def scan(
        self,
        table: Table,
        prefix: int,
        *,
        after: Sequence[int] = (),
        before: Sequence[int] = (),
        descending: bool = False,
        limit: int = 0,
    ) -> list[Row]:
        where, parameters = within(table, prefix, after, before)
        direction = " desc" if descending else ""
        order = ", ".join(f"{column}{direction}" for column in table.key[1:])
        tail = f" where {where} order by {order}" + (f" limit {int(limit)}" if limit else "")
        columns = ", ".join(table.names)
        with self.snapshot():  # a writer may drop a merged run between the list of runs and the reading
            lists = [
                found
                for run in self._run_names(table)
                if (found := self._connection.execute(f"select {columns} from {run}{tail}", parameters).fetchall())
            ]
        if len(lists) <= 1:
            return lists[0] if lists else []
        merged = merge(*lists, key=_key_of(table), reverse=descending)
        return list(islice(merged, limit)) if limit else list(merged)

    def scan_all(self, table: Table, batch: int = 10_000) -> Iterator[list[Row]]:
        columns, order = ", ".join(table.names), ", ".join(table.key)
        with self.snapshot():
            cursors = [
                self._connection.execute(f"select {columns} from {run} order by {order}")
                for run in self._run_names(table)
            ]
            rows: Iterator[Row] = iter(cursors[0]) if len(cursors) == 1 else merge(*cursors, key=_key_of(table))
            while chunk := list(islice(rows, batch)):
                yield chunk

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("begin")
        try:
            yield
        finally:
            self._connection.execute("rollback")

    def close(self) -> None:
        self._connection.close()

    def _run_names(self, table: Table) -> list[str]:
        if table.layout != "runs":
            return [table.name]
        rows = self._connection.execute("select run from run where owner = ? order by run", (table.name,)).fetchall()
        return [f"{table.name}_run_{run}" for (run,) in rows]


class SqliteTables(SqliteReader):
    """The writing side of one file."""

    def __init__(self, path: str | Path, *, cache_mb: int = 256, durable: bool = False) -> None:
        # State is rebuilt from the log after a power loss, and the offset lies in the same transaction:
        # syncing at checkpoints is enough. What is written nowhere else asks for `durable`.
        super().__init__(path, connection=connect(str(path), durable=durable, cache_mb=cache_mb))
        pages = DURABLE_PAGES_PER_CHECKPOINT if durable else STATE_PAGES_PER_CHECKPOINT
        self._connection.execute(f"pragma wal_autocheckpoint = {pages}")
        self.create((_RUNS,))
        self._shapes: dict[str, Table] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("sqlite", durable=True, concurrent_writers=False, shared_between_processes=True)

    def create(self, tables: Iterable[Table]) -> None:
        wanted = [table for table in tables if table.layout != "runs"]
        present = {name for (name,) in self.select("select name from sqlite_master where type = 'table'")}
        is_whole = present.issuperset(table.name for table in wanted)
        # New tables come in one transaction: one for each would take most of the time that a first start needs.
        with nullcontext() if is_whole or self._connection.in_transaction else self.transaction():
            for table in wanted:
                self._create_rows(table, table.name)

    def _create_rows(self, table: Table, name: str) -> None:
        key = ", ".join(table.key)
        is_number = len(table.key) == 1 and dict(table.columns)[table.key[0]] == "integer"
        if table.layout == "heap":
            rule, tail = f"unique ({key})", ""
        else:  # a key that is one integer is the row's own number; any other orders the rows
            rule, tail = f"primary key ({key})", "" if is_number else " without rowid"
        columns = [f"{column} {kind}" for column, kind in table.columns]
        checks = [f"check ({condition})" for condition in table.checks]
        self._connection.execute(f"create table if not exists {name} ({', '.join([*columns, rule, *checks])}){tail}")
        present = [(row[1], row[2].lower()) for row in self._connection.execute(f"pragma table_info({name})")]
        if present != [(column, kind) for column, kind in table.columns]:
            raise StorageBroken(
                f"table {name} in {self.path} has columns {present}, expected {list(table.columns)}",
                hint="It was written by another version; rebuild the state with `cauce replay --apply`",
            )
        for change in ("update", "delete") if table.sealed else ():
            self._connection.execute(
                f"create trigger if not exists {name}_no_{change} before {change} on {name} "
                f"begin select raise(abort, 'rows of {name} are never changed'); end"
            )
        for index in table.indexes:
            self._connection.execute(
                f"create index if not exists {name}_by_{'_'.join(index)} on {name} ({', '.join(index)})"
            )

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        yield  # nobody else writes, so what this connection sees does not move

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("begin immediate")
            yield
        except BaseException as fault:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            if isinstance(fault, sqlite3.Error):
                raise StorageBroken(f"cannot change {self.path}: {fault}") from fault
            raise
        try:
            self._connection.execute("commit")
        except sqlite3.Error as fault:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise StorageBroken(f"cannot commit to {self.path}: {fault}") from fault

    def upsert(self, table: Table, rows: Iterable[Row]) -> None:
        if table.layout != "runs":
            self._put(partial(upsert_of, table), rows)
            return
        ordered = sorted(rows, key=_key_of(table))
        if not ordered:
            return
        run = self._add_run(table, 0, len(ordered))
        self._put(lambda count: f"insert or replace into {table.name}_run_{run} values {_rows(table, count)}", ordered)
        self._merge_full_levels(table)

    def upsert_each(self, changes: Changes) -> None:
        for table, rows in changes:
            self.upsert(table, rows)

    def _put(self, statement: Callable[[int], str], rows: Iterable[Row]) -> None:
        """Puts rows down, in their order, by a statement for so many."""
        ordered = list(rows)
        done = 0
        for count in ROWS_PER_UPSERT:
            end = len(ordered) - (len(ordered) - done) % count
            if done < end:
                groups = (ordered[start : start + count] for start in range(done, end, count))
                self._connection.executemany(statement(count), (list(chain.from_iterable(group)) for group in groups))
                done = end

    def merge(self, table: Table, rows: Iterable[Row], how: Mapping[str, Merge]) -> None:
        forms = {"sum": "{0} = {0} + excluded.{0}", "min": "{0} = min({0}, excluded.{0})"}
        forms["max"] = "{0} = max({0}, excluded.{0})"
        changes = ", ".join(forms[sort].format(column) for column, sort in how.items())
        tail = f"on conflict ({', '.join(table.key)}) do update set {changes}"
        self._put(lambda count: f"insert into {table.name} values {_rows(table, count)} {tail}", rows)

    def delete(self, table: Table, keys: Iterable[int]) -> None:
        for name in self._run_names(table):
            self._connection.executemany(f"delete from {name} where {table.key[0]} = ?", [(key,) for key in keys])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._connection.execute(sql, parameters).rowcount

    def scrub(self) -> None:
        scrub(self._connection)

    def reader(self) -> Reader:
        return SqliteReader(self.path)

    def _add_run(self, table: Table, level: int, rows: int) -> int:
        (run,) = self._connection.execute("select coalesce(max(run), 0) + 1 from run").fetchone()
        self._create_rows(table, f"{table.name}_run_{run}")
        self._connection.execute("insert into run values (?, ?, ?, ?)", (table.name, run, level, rows))
        return int(run)

    def _merge_full_levels(self, table: Table) -> None:
        level = 0
        while True:
            runs = self._connection.execute(
                "select run, rows from run where owner = ? and level = ? order by run", (table.name, level)
            ).fetchall()
            total = sum(rows for _, rows in runs)
            if len(runs) < RUNS_PER_LEVEL or total > RUN_ROWS_MAX:
                return
            merged = self._add_run(table, level + 1, total)
            columns = ", ".join(table.names)
            parts = " union all ".join(f"select {columns} from {table.name}_run_{run}" for run, _ in runs)
            order = ", ".join(str(table.names.index(column) + 1) for column in table.key)
            # Both sides are sorted, so SQLite merges them without a sorter and the new tree grows at its end.
            self._connection.execute(f"insert into {table.name}_run_{merged} {parts} order by {order}")
            for run, _ in runs:
                self._connection.execute(f"drop table {table.name}_run_{run}")
                self._connection.execute("delete from run where owner = ? and run = ?", (table.name, run))
            level += 1


class SqliteLog:
    """The log in one file: a row per request, appended with one sync for all that wait."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._connection = connect(self.path, durable=True, cache_mb=16)
        self._connection.execute("pragma wal_autocheckpoint = 4000")
        self._lock = threading.Lock()
        self._connection.execute(
            "create table if not exists log (at integer primary key autoincrement,"
            " source text not null, connector text not null, received integer not null, body blob not null)"
        )

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("sqlite", durable=True, concurrent_writers=True, shared_between_processes=True)

    def append(self, records: Sequence[tuple[str, str, int, bytes]]) -> int:
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                for start in range(0, len(records), ROWS_PER_INSERT):
                    group = records[start : start + ROWS_PER_INSERT]
                    # One statement lets go of the interpreter once; a statement per row would wait for it each time.
                    self._connection.execute(
                        "insert into log (source, connector, received, body) values "
                        + ", ".join(["(?, ?, ?, ?)"] * len(group)),
                        [value for record in group for value in record],
                    )
                (last,) = self._connection.execute("select seq from sqlite_sequence where name = 'log'").fetchone()
                self._connection.execute("commit")
            except sqlite3.Error as fault:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                if "locked" in str(fault):
                    raise Locked(f"the log {self.path} is locked by another process") from fault
                raise StorageBroken(f"cannot append to the log {self.path}: {fault}") from fault
        return int(last) - len(records) + 1

    def read(self, after: int, *, records_max: int, bytes_max: int) -> list[Record]:
        found: list[Record] = []
        size = 0
        with self._lock:
            cursor = self._connection.execute(
                "select at, source, connector, received, body from log where at > ? order by at limit ?",
                (after, records_max),
            )
            for row in cursor:
                size += len(row[4])
                if found and size > bytes_max:
                    break
                found.append(Record(*row))
            cursor.close()
        return found

    def get(self, offsets: Iterable[int]) -> list[Record]:
        found: list[Record] = []
        with self._lock:
            for offset in sorted(set(offsets)):
                row = self._connection.execute(
                    "select at, source, connector, received, body from log where at = ?", (offset,)
                ).fetchone()
                if row:
                    found.append(Record(*row))
        return found

    def rewrite(self, offset: int, body: bytes) -> None:
        with self._lock:
            self._connection.execute("update log set body = ? where at = ?", (body, offset))

    def scrub(self) -> None:
        with self._lock:
            scrub(self._connection)

    def end(self) -> int:
        with self._lock:
            row = self._connection.execute("select max(at) from log").fetchone()
        return int(row[0] or 0)

    def bytes_after(self, offset: int) -> int:
        with self._lock:
            row = self._connection.execute("select sum(length(body)) from log where at > ?", (offset,)).fetchone()
        return int(row[0] or 0)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


@lru_cache(maxsize=1_000)
def upsert_of(table: Table, count: int) -> str:
    """Replaces rows; of heaps and of tables with fixed columns in place, because `replace` writes all indexes anew."""
    rows = _rows(table, count)
    if table.sealed:
        return f"insert into {table.name} values {rows}"
    if not table.fixed and table.layout != "heap":
        return f"insert or replace into {table.name} values {rows}"
    changing = [name for name in table.names if name not in table.key and name not in table.fixed]
    values = ", ".join(f"{name} = excluded.{name}" for name in changing)
    return f"insert into {table.name} values {rows} on conflict ({', '.join(table.key)}) do update set {values}"


def _rows(table: Table, count: int) -> str:
    """Marks for `count` rows of a table."""
    return ", ".join([f"({','.join('?' * len(table.columns))})"] * count)


@lru_cache(maxsize=1_000)
def _asked(sql: str, keys: int) -> str:
    """A question about so many keys."""
    return sql.replace("{keys}", f"({','.join('?' * keys)})")


def _marks(count: int) -> int:
    """Number of marks for `count` keys: the next power of two, at most the group size."""
    return min(KEYS_PER_QUERY, 1 << (count - 1).bit_length())


def _key_of(table: Table) -> Any:
    places = [table.names.index(column) for column in table.key]
    return itemgetter(*places)
