"""PostgreSQL for Log and Tables: several intakes and runners over one database (`cauce[postgres]`).

Rows travel as binary arrays, one statement for each table and batch, and the statements of a transaction are sent
without waiting for one another's answers: a batch costs as many round trips as it asks questions, whatever its size.
Who may write the state is settled by a lock that the writing session itself holds, so who lost the session can commit
nothing. See `docs/decisions/postgres.md`.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import errors, pq
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader

from cauce.engines.api import Capabilities, Reader, Row, Table
from cauce.engines.wire import ARRAY_TYPES, ENCODERS, Int8Array, blobs, integers, texts
from cauce.errors import Busy, CauceError, Locked, StorageBroken
from cauce.model import Record

PREFIX = "cauce"
"""Schemas: `cauce` (log, lease), `cauce_state`, `cauce_control`, `cauce_replay`."""
SERVER_VERSION_MIN = 140_000
CONNECT_SECONDS_MAX = 5
SILENCE_SECONDS_MAX = 8
"""How long the other side of a connection may keep silent before the connection is given up."""
BEAT_SECONDS = 1.5
DEAD_SECONDS = 6.0
"""A holder of the river that shows no sign of life for so long is cut off; with `SILENCE_SECONDS_MAX`, the bound of ten
seconds within which another one takes over."""
RETRY_SECONDS = 2
ROWS_PER_STATEMENT = 20_000
BYTES_PER_STATEMENT = 16_000_000
KEYS_PER_QUERY = 200_000
TYPES = {"integer": "bigint", "text": 'text collate "C"', "blob": "bytea", "real": "double precision"}
_SHOWN_TYPES = {"bigint": "integer", "text": "text", "bytea": "blob", "double precision": "real"}

_logger = logging.getLogger(__name__)


# -- statements ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1_000)
def translated(sql: str) -> bytes:
    """Engine-neutral SQL (`?`, `in {keys}`) as the driver wants it; quoted texts stay as they are."""
    sql = re.sub(r"\bin\s*\{keys\}", "= any(?)", sql)
    parts = re.split(r"('(?:[^']|'')*')", sql)
    for index in range(0, len(parts), 2):
        parts[index] = parts[index].replace("%", "%%").replace("?", "%b")
    for index in range(1, len(parts), 2):
        parts[index] = parts[index].replace("%", "%%")
    return "".join(parts).encode()


def _list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


@lru_cache(maxsize=200)
def _upsert(table: Table) -> bytes:
    rest = [name for name in table.names if name not in table.key]
    replaced = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    change = f"update set {replaced}" if rest else "nothing"
    return (
        f'insert into "{table.name}" ({_list(table.names)}) '
        f"select * from unnest({', '.join(['%b'] * len(table.columns))}) "
        f"on conflict ({_list(table.key)}) do {change}"
    ).encode()


# -- faults -------------------------------------------------------------------------------------------------------------

_TRANSIENT = (
    errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure, errors.QueryCanceled,
    errors.TooManyConnections, errors.CannotConnectNow, errors.IdleInTransactionSessionTimeout,
)  # fmt: skip


def without_password(url: str) -> str:
    """Where the database is, for people: `postgresql://host:5432/name`; never user, password or options."""
    found = urlsplit(url)
    return f"postgresql://{found.netloc.rpartition('@')[2]}{found.path}"


def _said(fault: psycopg.Error) -> str:
    """The first line of what the server or the driver says."""
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0]


def fault_of(fault: psycopg.Error, place: str, *, is_cut: bool) -> CauceError:
    """The error of ours for one of the driver's. Busy for what passes by itself, StorageBroken for the rest."""
    text = _said(fault)
    if isinstance(fault, errors.InsufficientPrivilege):
        return StorageBroken(f"{place}: {text}", hint="See docs/howto/postgres.md for the rights Cauce needs")
    if isinstance(fault, errors.DiskFull):
        return StorageBroken(f"{place}: the server's disk is full ({text})", hint="Make room; nothing is half written")
    if isinstance(fault, errors.UntranslatableCharacter | errors.CharacterNotInRepertoire):
        return StorageBroken(f"{place}: {text}", hint="Text must be UTF-8 without NUL")
    if is_cut or isinstance(fault, _TRANSIENT):
        return Busy(f"{place}: {text}", retry_after_seconds=RETRY_SECONDS, hint="Cauce connects again by itself")
    return StorageBroken(f"{place}: {text}")


def _not_connected(fault: psycopg.Error, place: str) -> CauceError:
    text = " ".join(str(fault).split())
    for sign in ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied"):
        if sign in text:
            return StorageBroken(f"{place} lets nobody in: {text}", hint="Check user, password and database of `tables`")
    return Busy(
        f"{place} cannot be reached: {text}",
        retry_after_seconds=RETRY_SECONDS,
        hint="Check the setting `tables`, and that the server runs; Cauce tries again by itself",
    )


# -- sessions -----------------------------------------------------------------------------------------------------------


class _ArrayDumper(Dumper):
    """Sends what is encoded already."""

    format = pq.Format.BINARY

    def dump(self, obj: Any) -> Any:
        return obj


class _WholeNumberLoader(Loader):
    """`sum` of 64-bit numbers is *numeric* for PostgreSQL and a whole number for Cauce."""

    format = pq.Format.BINARY

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        self._decimal = NumericBinaryLoader(oid, context)

    def load(self, data: Any) -> int | float:
        found = self._decimal.load(data)
        return int(found) if found == found.to_integral_value() else float(found)


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    for kind, oid in ARRAY_TYPES.items():
        adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": oid}))
    adapters.register_dumper(int, Int8BinaryDumper)  # always one type, so that a statement is prepared once
    adapters.register_loader("numeric", _WholeNumberLoader)
    return adapters


_ADAPTERS = _adapters()
_KEEPALIVE = {
    "keepalives": 1, "keepalives_idle": 2, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS_MAX * 1_000,
}  # fmt: skip


class Session:
    """One connection, opened when it is first needed; for one thread at a time. Counts what it costs.

    A lost connection is opened again by the next question outside a transaction, unless it is `exclusive`: then
    everything that follows is Busy, because what the session held (a lock) may be another's by now.
    """

    def __init__(self, url: str, name: str, settings: Mapping[str, str], *, exclusive: bool = False) -> None:
        self.place = without_password(url)
        self.statements = 0
        self.round_trips = 0
        self._url = url
        self._name = name
        self._settings = dict(settings)
        self._exclusive = exclusive
        self._connection: psycopg.Connection[Row] | None = None
        self._pipeline: psycopg.Pipeline | None = None
        self._leaving: AbstractContextManager[psycopg.Pipeline] | None = None
        self._in_transaction = False

    # -- questions ----------------------------------------------------------------------------------------------

    def ask(self, query: bytes, parameters: Sequence[Any] = (), *, once: bool = False) -> list[Row]:
        """Rows; asked a second time over a new connection when the old one turns out to be cut, unless `once`."""
        again = not (once or self._in_transaction or self._exclusive or self._connection is None)
        try:
            return self._fetched(query, parameters)
        except psycopg.OperationalError as fault:
            if not again or not self._is_cut():
                raise self._fault(fault) from None
        except psycopg.Error as fault:
            raise self._fault(fault) from None
        try:
            return self._fetched(query, parameters)
        except psycopg.Error as fault:
            raise self._fault(fault) from None

    def change(self, query: bytes, parameters: Sequence[Any] = ()) -> int:
        """The number of rows that one changing statement touched; waits for the answer."""
        try:
            cursor = self._cursor()
            cursor.execute(query, parameters)
            self._waited()
            if self._pipeline is not None:
                self._pipeline.sync()
            return cursor.rowcount
        except psycopg.Error as fault:
            raise self._fault(fault) from None

    def send(self, query: bytes, parameters: Sequence[Any] = ()) -> None:
        """One statement; inside a transaction nobody waits for its answer before the next question or the commit."""
        try:
            self._cursor().execute(query, parameters)
            if self._pipeline is None:
                self._waited()
        except psycopg.Error as fault:
            raise self._fault(fault) from None

    def _fetched(self, query: bytes, parameters: Sequence[Any]) -> list[Row]:
        cursor = self._cursor()
        cursor.execute(query, parameters)
        self._waited()
        return cursor.fetchall()

    # -- transactions -------------------------------------------------------------------------------------------

    def begin(self, how: str = "") -> None:
        """From here on all or nothing; statements are sent one after the other without waiting."""
        assert not self._in_transaction, "a transaction does not nest"
        connection = self._opened()
        try:
            if not self._exclusive and connection.info.transaction_status is not pq.TransactionStatus.IDLE:
                connection.rollback()
            self._leaving = connection.pipeline()
            self._pipeline = self._leaving.__enter__()
            self._in_transaction = True
            self._cursor().execute(f"begin {how}".encode())
        except psycopg.Error as fault:
            self.roll_back()
            raise self._fault(fault) from None

    def commit(self) -> None:
        """Durable as far as the session's settings say. When it fails, nothing is there, or (a cut) all of it."""
        try:
            cursor = self._cursor()
            cursor.execute(b"commit")
            self._waited()
            self._leave_pipeline()
        except psycopg.Error as fault:
            self.roll_back()
            raise self._fault(fault) from None
        self._in_transaction = False
        if cursor.statusmessage != "COMMIT":
            raise StorageBroken(f"{self.place}: the transaction had failed before its commit")

    def roll_back(self) -> None:
        """Leaves the transaction; a connection that cannot is closed."""
        self._in_transaction = False
        connection = self._connection
        if connection is None:
            return
        with suppress(psycopg.Error):
            self._leave_pipeline()
        try:
            if connection.info.transaction_status is not pq.TransactionStatus.IDLE:
                self._waited()
                connection.execute(b"rollback")
        except psycopg.Error:
            connection.close()

    def _leave_pipeline(self) -> None:
        leaving, self._leaving, self._pipeline = self._leaving, None, None
        if leaving is not None:
            leaving.__exit__(None, None, None)

    # -- the connection -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connects now, to hear of faults early."""
        self._opened()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _cursor(self) -> psycopg.Cursor[Row]:
        self.statements += 1
        return self._opened().cursor(binary=True)

    def _waited(self) -> None:
        self.round_trips += 1

    def _is_cut(self) -> bool:
        return self._connection is not None and (self._connection.closed or self._connection.broken)

    def _fault(self, fault: psycopg.Error) -> CauceError:
        return fault_of(fault, self.place, is_cut=self._is_cut())

    def _opened(self) -> psycopg.Connection[Row]:
        if self._connection is not None and not self._is_cut():
            return self._connection
        if self._connection is not None and (self._exclusive or self._in_transaction):
            raise Busy(f"{self.place}: the connection was cut", retry_after_seconds=RETRY_SECONDS)
        try:
            connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_SECONDS_MAX, context=_ADAPTED,
                application_name=self._name, **_KEEPALIVE,
            )  # fmt: skip
        except psycopg.Error as fault:
            raise _not_connected(fault, self.place) from None
        connection.prepare_threshold = 2
        self._connection = connection
        try:
            self._greet(connection)
        except psycopg.Error as fault:
            connection.close()
            raise self._fault(fault) from None
        return connection

    def _greet(self, connection: psycopg.Connection[Row]) -> None:
        if connection.info.server_version < SERVER_VERSION_MIN:
            raise StorageBroken(
                f"{self.place} runs PostgreSQL {connection.info.server_version // 10_000}, expected 14 or newer"
            )
        calls = ", ".join(["set_config(%s, %s, false)"] * len(self._settings))
        flat = [value for pair in self._settings.items() for value in pair]
        connection.execute(f"select {calls}".encode(), flat)


class _Adapted:
    """What `psycopg.connect` wants to find the adapters in."""

    adapters = _ADAPTERS
    connection = None


_ADAPTED = _Adapted()


# -- state --------------------------------------------------------------------------------------------------------------


class PostgresReader:
    """Reads one schema; one thread at a time, several readers side by side. Connects again by itself."""

    def __init__(self, url: str, schema: str, *, session: Session | None = None) -> None:
        self.schema = schema
        self._url = url
        self._session = session or Session(url, "cauce reader", _settings_of(schema))
        self._depth = 0

    @property
    def round_trips(self) -> int:
        """How often a question had to wait for the server since this was opened."""
        return self._session.round_trips

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._session.ask(translated(sql), parameters)

    def select_keys(self, sql: str, keys: Iterable[int], parameters: Sequence[Any] = ()) -> list[Row]:
        ordered = sorted(set(keys))
        rows: list[Row] = []
        for start in range(0, len(ordered), KEYS_PER_QUERY):
            group = integers(ordered[start : start + KEYS_PER_QUERY])
            rows += self._session.ask(translated(sql), (*parameters, group))
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
        rest = table.key[1:]
        where = [f'"{table.key[0]}" = ?']
        parameters: list[Any] = [prefix]
        for bound, sign in ((after, ">"), (before, "<")):
            if bound:
                where.append(f"({_list(rest[: len(bound)])}) {sign} ({', '.join('?' * len(bound))})")
                parameters += bound
        order = ", ".join(f'"{column}"{" desc" if descending else ""}' for column in rest)
        sql = f'select {_list(table.names)} from "{table.name}" where {" and ".join(where)} order by {order}'
        return self.select(f"{sql} limit {int(limit)}" if limit else sql, parameters)

    def scan_all(self, table: Table, batch: int = 10_000) -> Iterator[list[Row]]:
        places = [table.names.index(column) for column in table.key]
        begin = f'select {_list(table.names)} from "{table.name}"'
        end = f"order by {_list(table.key)} limit {int(batch)}"
        after = f"where ({_list(table.key)}) > ({', '.join('?' * len(table.key))})"
        with self.snapshot():
            rows = self.select(f"{begin} {end}")
            while rows:
                yield rows
                if len(rows) < batch:
                    return
                last = rows[-1]
                rows = self.select(f"{begin} {after} {end}", [last[place] for place in places])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._depth == 0:
            self._session.begin("isolation level repeatable read, read only")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._session.roll_back()

    def close(self) -> None:
        self._session.close()


class PostgresTables(PostgresReader):
    """The writing side of one schema. `session` holds the lock of the state; without, writers share the schema."""

    def __init__(self, url: str, schema: str, *, session: Session | None = None) -> None:
        super().__init__(
            url, schema, session=session or Session(url, "cauce tables", _settings_of(schema, durable=True))
        )
        self._known: set[Table] = set()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            "postgres", durable=True, concurrent_writers=True, shared_between_processes=True, remote=True
        )

    def create(self, tables: Iterable[Table]) -> None:
        wanted = [table for table in tables if table not in self._known]
        if not wanted:
            return
        present = self._shapes()
        missing = [table for table in wanted if table.name not in present]
        if missing:
            with self.transaction():
                # Two processes that create the same table at once would meet a fault of the catalogue.
                self._session.ask(b"select pg_advisory_xact_lock(%b)", [lock_number(self.schema, "shape")])
                for statement in (each for table in missing for each in _creation(table)):
                    self._session.send(statement.encode())
            present = self._shapes()
        for table in wanted:
            if present.get(table.name) != list(table.columns):
                raise StorageBroken(
                    f"table {self.schema}.{table.name} at {self._session.place} has columns {present.get(table.name)}, "
                    f"expected {list(table.columns)}",
                    hint="It was written by another version; rebuild the state with `cauce replay --apply`",
                )
        self._known.update(wanted)

    def _shapes(self) -> dict[str, list[tuple[str, str]]]:
        """Columns of every table of the schema, in their order."""
        rows = self.select(
            "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_class c "
            "join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid "
            "where n.nspname = ? and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped "
            "order by c.relname, a.attnum",
            [self.schema],
        )
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in rows:
            found.setdefault(table, []).append((column, _SHOWN_TYPES.get(kind, kind)))
        return found

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        yield  # whoever writes the state is alone, so what it sees does not move

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._session.begin()
        try:
            yield
        except BaseException:
            self._session.roll_back()
            raise
        self._session.commit()

    def upsert(self, table: Table, rows: Iterable[Row]) -> None:
        statement = _upsert(table)
        encoders = [ENCODERS[kind] for _, kind in table.columns]
        for group in _groups(table, rows):
            columns = [encode(column) for encode, column in zip(encoders, zip(*group, strict=True), strict=True)]
            self._session.send(statement, columns)

    def delete(self, table: Table, keys: Iterable[int]) -> None:
        ordered = sorted(set(keys))
        for start in range(0, len(ordered), KEYS_PER_QUERY):
            group = integers(ordered[start : start + KEYS_PER_QUERY])
            self._session.send(f'delete from "{table.name}" where "{table.key[0]}" = any(%b)'.encode(), [group])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._session.change(translated(sql), parameters)

    def scrub(self) -> None:
        for name in sorted(self._shapes()):
            self._session.change(f'vacuum (full, analyze) "{name}"'.encode())

    def reader(self) -> Reader:
        return PostgresReader(self._url, self.schema)


def _settings_of(schema: str, *, durable: bool = False) -> dict[str, str]:
    """Settings of a session. What is not durable at its commit is rebuilt from the log, which is."""
    return {
        "synchronous_commit": "on" if durable else "off",
        "search_path": f'"{schema}"',
        "jit": "off",  # compiling costs more than any of our queries
        "work_mem": "64MB",
        "client_connection_check_interval": "2s",
        "tcp_keepalives_idle": "2",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
    }


def _creation(table: Table) -> Iterator[str]:
    columns = ", ".join(f'"{column}" {TYPES[kind]}' for column, kind in table.columns)
    # Room in each page lets a changed row stay where it is, without touching an index.
    room = "" if table.layout == "runs" else " with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)"
    yield f'create table if not exists "{table.name}" ({columns}, primary key ({_list(table.key)})){room}'
    for column, kind in table.columns:
        if kind == "blob":  # what stages store is compressed or short already
            yield f'alter table "{table.name}" alter column "{column}" set storage external'
    for index in table.indexes:
        name = f"{table.name}_by_{'_'.join(index)}"
        yield f'create index if not exists "{name}" on "{table.name}" ({_list(index)})'


def _groups(table: Table, rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows for one statement each: bounded, the last of equal keys only, because a statement touches a row once."""
    places = [table.names.index(column) for column in table.key]
    varying = [place for place, (_, kind) in enumerate(table.columns) if kind in ("blob", "text")]
    left = iter(rows)
    while taken := list(islice(left, ROWS_PER_STATEMENT)):
        if len(places) == 1:
            place = places[0]
            unique = {row[place]: row for row in taken}
        else:
            unique = {tuple(row[place] for place in places): row for row in taken}
        yield from _bounded(list(unique.values()), varying)


def _bounded(rows: list[Row], varying: Sequence[int]) -> Iterator[list[Row]]:
    """Pieces of at most about `BYTES_PER_STATEMENT`."""
    sizes = [sum(len(row[place] or "") for place in varying) for row in rows] if varying else []
    if sum(sizes) <= BYTES_PER_STATEMENT:
        yield rows
        return
    piece: list[Row] = []
    size = 0
    for row, row_size in zip(rows, sizes, strict=True):
        if piece and size + row_size > BYTES_PER_STATEMENT:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += row_size
    yield piece


def lock_number(*names: str) -> int:
    """The number of an advisory lock: 63 bits of a name, never 0."""
    digest = blake2b("\x1f".join(("cauce", *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


# -- the log ------------------------------------------------------------------------------------------------------------

_LOG_SCHEMA = (
    "create table log (at bigint primary key, source text not null, connector text not null, received bigint not null,"
    " total bigint not null, body bytea not null) with (toast_tuple_target = 8160, autovacuum_enabled = true)",
    "alter table log alter column body set storage external",
    "create table log_end (id bigint primary key, at bigint not null, total bigint not null) with (fillfactor = 10)",
    "insert into log_end values (1, 0, 0)",
)
"""`total` is the number of bytes up to and with a record when it was appended: what lies between two is a subtraction.
Whoever appends first raises `log_end`, whose row lock is held until the commit: records become visible in the order of
their offsets, and none is ever skipped by a reader."""

_APPEND = b"""
with given as (
    select * from unnest(%b, %b, %b, %b) with ordinality as given (source, connector, received, body, place)
), sized as (
    select *, sum(octet_length(body)) over (order by place) as size from given
), before as (
    update log_end set at = at + %b, total = total + %b where id = 1 returning at - %b as at, total - %b as total
)
insert into log (at, source, connector, received, total, body)
select before.at + place, source, connector, received, before.total + size, body from sized, before
returning at
"""
_READ = b"""
with bound as (
    select coalesce((select total from log where at <= %b order by at desc limit 1), 0) + %b as total,
           (select at from log where at > %b order by at limit 1) as first
)
select at, source, connector, received, body from log, bound
where at > %b and (log.total <= bound.total or at = bound.first) order by at limit %b
"""
_GET = b"select at, source, connector, received, body from log where at = any(%b) order by at"
_BYTES_AFTER = b"""
select (select total from log_end where id = 1)
     - coalesce((select total from log where at <= %b order by at desc limit 1), 0)
"""


class PostgresLog:
    """The log in one table, for any number of threads and processes; appended with one round trip and one sync."""

    def __init__(self, url: str, schema: str = PREFIX) -> None:
        self._lock = threading.Lock()
        self._session = Session(url, "cauce log", _settings_of(schema, durable=True))

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            "postgres", durable=True, concurrent_writers=True, shared_between_processes=True, remote=True
        )

    @property
    def round_trips(self) -> int:
        """How often this log had to wait for the server since it was opened."""
        return self._session.round_trips

    def append(self, records: Sequence[tuple[str, str, int, bytes]]) -> int:
        if not records:
            return self.end() + 1
        source, connector, received, body = zip(*records, strict=True)
        count, size = len(records), sum(map(len, body))
        columns = (texts(source), texts(connector), integers(received), blobs(body))
        with self._lock:
            rows = self._session.ask(_APPEND, (*columns, count, size, count, size), once=True)
        return int(min(rows)[0])

    def read(self, after: int, *, records_max: int, bytes_max: int) -> list[Record]:
        with self._lock:
            rows = self._session.ask(_READ, (after, bytes_max, after, after, records_max))
        return [Record(*row) for row in rows]

    def get(self, offsets: Iterable[int]) -> list[Record]:
        with self._lock:
            rows = self._session.ask(_GET, [integers(sorted(set(offsets)))])
        return [Record(*row) for row in rows]

    def rewrite(self, offset: int, body: bytes) -> None:
        with self._lock:
            self._session.change(b"update log set body = %b where at = %b", (body, offset))

    def scrub(self) -> None:
        with self._lock:
            self._session.change(b"vacuum (full, analyze) log")

    def end(self) -> int:
        with self._lock:
            return int(self._session.ask(b"select at from log_end where id = 1")[0][0])

    def bytes_after(self, offset: int) -> int:
        with self._lock:
            return int(self._session.ask(_BYTES_AFTER, [offset])[0][0])

    def close(self) -> None:
        with self._lock:
            self._session.close()


# -- the river's lock ---------------------------------------------------------------------------------------------------

_HOLDER = """
select l.pid, clock_timestamp() - greatest(b.beat, a.state_change, a.backend_start) > make_interval(secs => %b)
from pg_locks l join pg_stat_activity a on a.pid = l.pid
left join {lease} b on b.id = 1 and b.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.database = a.datid
and a.datname = current_database() and l.classid::bigint = %b and l.objid::bigint = %b
"""


class Lease:
    """Who writes the state: one session at a time, by a lock that ends with it.

    A holder whose process vanished without a word (its machine lost power, its network is cut, it was stopped) shows no
    sign of life: whoever wants the lock then ends that session on the server, and so it can never commit again.
    """

    def __init__(self, url: str, state: str, home: str = PREFIX) -> None:
        self._url = url
        self._state = state
        self._lease = f'"{home}".lease'
        self._number = lock_number(state, "river")
        self._asking = Session(url, "cauce lease", {"jit": "off"})
        self._lock = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[Session]:
        """The session that may write the state; Locked when another one may."""
        settings = {**_settings_of(self._state), "tcp_user_timeout": str(SILENCE_SECONDS_MAX * 1_000)}
        session = Session(self._url, "cauce runner", settings, exclusive=True)
        heart = _Heart(self._url, self._lease)
        try:
            if not self._taken(session):
                raise Locked(f"another process runs the river of {session.place}")
            (pid,) = session.ask(
                f"insert into {self._lease} values (1, pg_backend_pid(), %b, clock_timestamp()) on conflict (id) do "
                "update set pid = excluded.pid, holder = excluded.holder, beat = excluded.beat returning pid".encode(),
                [f"{socket.gethostname()}:{os.getpid()}"],
            )[0]
            heart.start(int(pid))
            yield session
        finally:
            heart.stop()
            with suppress(CauceError):
                session.ask(b"select pg_advisory_unlock_all()")
            session.close()

    def is_held(self) -> bool:
        """Whether a living process holds the lock."""
        return any(not is_dead for _, is_dead in self._holders())

    def close(self) -> None:
        self._asking.close()

    def _taken(self, session: Session) -> bool:
        if self._tried(session):
            return True
        dead = [pid for pid, is_dead in self._holders() if is_dead]
        for pid in dead:
            _logger.warning("ending session %d, which held the river and showed no sign of life", pid)
            session.ask(b"select pg_terminate_backend(%b::int, 2000)", [pid])
        return bool(dead) and self._tried(session)

    def _tried(self, session: Session) -> bool:
        return bool(session.ask(b"select pg_try_advisory_lock(%b)", [self._number])[0][0])

    def _holders(self) -> list[tuple[int, bool]]:
        """(session, whether it is dead) of who holds the lock: one at most."""
        query = _HOLDER.format(lease=self._lease).encode()
        with self._lock:
            rows = self._asking.ask(query, (DEAD_SECONDS, self._number >> 32, self._number & 0xFFFFFFFF))
        return [(int(pid), bool(is_dead)) for pid, is_dead in rows]


class _Heart:
    """Says every now and then that the holder lives, over a connection of its own."""

    def __init__(self, url: str, lease: str) -> None:
        self._session = Session(url, "cauce heart", {"jit": "off", "synchronous_commit": "off"})
        self._lease = lease
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, pid: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(pid,), name="lease-heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._session.close()

    def _run(self, pid: int) -> None:
        beat = f"update {self._lease} set beat = clock_timestamp() where id = 1 and pid = %b".encode()
        while not self._stopping.wait(BEAT_SECONDS):
            with suppress(CauceError):  # a server that is away counts no time either
                self._session.change(beat, [pid])


# -- an installation ----------------------------------------------------------------------------------------------------

_STEPS: tuple[tuple[str, ...], ...] = (
    (
        *_LOG_SCHEMA,
        "create table lease (id bigint primary key, pid integer not null, holder text not null,"
        " beat timestamptz not null) with (fillfactor = 10)",
    ),
)
"""What leads from version n of the schema to n + 1."""


class Database:
    """The schemas of one installation: made and brought up to date by `prepare`."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        self.url = url
        self.home = prefix
        self.state, self.control, self.replay = (f"{prefix}_{part}" for part in ("state", "control", "replay"))
        self._session = Session(url, "cauce", _settings_of(prefix, durable=True))

    def prepare(self, fingerprint: str) -> None:
        """Creates what is missing; `fingerprint` names the secret key that ids are derived with.

        StorageBroken when rights are missing, when a later version wrote it, or when another secret key did.
        """
        if self._version() != len(_STEPS):
            self._make(fingerprint)
        (found,) = self._session.ask(b"select secret from installation where id = 1")[0]
        if found != fingerprint:
            raise StorageBroken(
                f"the installation in {self._session.place} was made with another secret key",
                hint="All processes share one `secret.key`: use the data folder that it was made with",
            )

    def is_empty(self) -> bool:
        """Whether there is no installation, or one without any record, state or account."""
        tables = self._session.ask(
            b"select schemaname, tablename from pg_tables where schemaname = any(%b) "
            b"and (schemaname, tablename) <> all (values (%b, 'installation'), (%b, 'log_end'), (%b, 'lease'))",
            [texts([self.home, self.state, self.control]), self.home, self.home, self.home],
        )
        return not any(
            self._session.ask(f'select exists (select from "{schema}"."{table}")'.encode())[0][0]
            for schema, table in tables
        )

    def has_table(self, schema: str, table: str) -> bool:
        query = b"select exists (select from pg_tables where schemaname = %b and tablename = %b)"
        return bool(self._session.ask(query, [schema, table])[0][0])

    @contextmanager
    def alone(self, what: str) -> Iterator[Session]:
        """A session that does `what` while nobody else does; waits for its turn."""
        session = Session(self.url, f"cauce {what}", _settings_of(self.home, durable=True), exclusive=True)
        try:
            session.ask(b"select pg_advisory_lock(%b)", [lock_number(self.home, what)])
            yield session
        finally:
            with suppress(CauceError):
                session.ask(b"select pg_advisory_unlock_all()")
            session.close()

    def empty(self, schema: str, session: Session) -> None:
        """Drops every table of a schema, inside the session's transaction."""
        for (table,) in session.ask(b"select tablename from pg_tables where schemaname = %b", [schema]):
            session.send(f'drop table "{schema}"."{table}"'.encode())

    def adopt(self, session: Session) -> None:
        """Puts the rebuilt state in the place of the present one, at once; `session` holds the river."""
        session.begin()
        try:
            self.empty(self.state, session)
            for (table,) in session.ask(b"select tablename from pg_tables where schemaname = %b", [self.replay]):
                session.send(f'alter table "{self.replay}"."{table}" set schema "{self.state}"'.encode())
        except BaseException:
            session.roll_back()
            raise
        session.commit()

    def close(self) -> None:
        self._session.close()

    def _version(self) -> int:
        """Version of what is there, 0 for nothing. StorageBroken for one that this release does not know."""
        if not self.has_table(self.home, "installation"):
            return 0
        (version,) = self._session.ask(b"select version from installation where id = 1")[0]
        if version > len(_STEPS):
            raise StorageBroken(
                f"{self._session.place} holds version {version} of the schema, this Cauce knows {len(_STEPS)}",
                hint="Use the release that wrote it, or a later one",
            )
        return int(version)

    def _make(self, fingerprint: str) -> None:
        with self.alone("schema") as session:
            version = self._version()  # again: another process may have been quicker
            session.begin()
            try:
                present = {name for (name,) in session.ask(b"select nspname from pg_namespace")}
                for schema in (self.home, self.state, self.control, self.replay):
                    if schema not in present:  # asking for one that is there needs the right to create all the same
                        session.change(f'create schema "{schema}"'.encode())
                if version == 0:
                    session.change(
                        b"create table installation (id bigint primary key, version bigint not null,"
                        b" secret text not null)"
                    )
                    session.change(b"insert into installation values (1, 0, %b)", [fingerprint])
                for statement in (each for step in _STEPS[version:] for each in step):
                    session.change(statement.encode())
                session.change(b"update installation set version = %b where id = 1", [len(_STEPS)])
            except BaseException:
                session.roll_back()
                raise
            session.commit()
