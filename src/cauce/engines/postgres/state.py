"""The state in one schema: an ordinary table for each of ours, changed by one statement for each table and batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from itertools import islice
from typing import Any

from cauce.engines.api import Capabilities, Changes, Keys, Merge, Reader, Row, Table
from cauce.engines.postgres.session import Session, lock_number, settings_of, translated
from cauce.engines.postgres.wire import ENCODERS, integers, texts
from cauce.engines.ranges import within
from cauce.errors import StorageBroken

ROWS_PER_STATEMENT = 20_000
BYTES_PER_STATEMENT = 16_000_000
KEYS_PER_QUERY = 200_000
ROWS_TOGETHER = 5_000
"""Rows of several tables that one statement takes."""
TYPES = {"integer": "bigint", "text": 'text collate "C"', "blob": "bytea", "real": "double precision"}
_SHOWN_TYPES = {"bigint": "integer", "text": "text", "bytea": "blob", "double precision": "real"}


def _list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_MERGED = {
    "replace": '"{1}" = excluded."{1}"',
    "sum": '"{1}" = "{0}"."{1}" + excluded."{1}"',
    "min": '"{1}" = least("{0}"."{1}", excluded."{1}")',
    "max": '"{1}" = greatest("{0}"."{1}", excluded."{1}")',
}


@lru_cache(maxsize=200)
def _upsert(table: Table, how: tuple[tuple[str, str], ...]) -> bytes:
    changes = ", ".join(_MERGED[sort].format(table.name, name) for name, sort in how)
    change = f"update set {changes}" if how else "nothing"
    conflict = "" if table.sealed else f" on conflict ({_list(table.key)}) do {change}"
    return (
        f'insert into "{table.name}" ({_list(table.names)}) '
        f"select * from unnest({', '.join(['%b'] * len(table.columns))}){conflict}"
    ).encode()


@lru_cache(maxsize=200)
def _upsert_each(tables: tuple[Table, ...]) -> bytes:
    *others, last = (_upsert(table, _replacing(table)) for table in tables)
    if not others:
        return last
    parts = b", ".join(b'"%d" as (%b)' % (place, statement) for place, statement in enumerate(others))
    return b"with " + parts + b" " + last


@lru_cache(maxsize=200)
def _replacing(table: Table) -> tuple[tuple[str, str], ...]:
    return tuple((name, "replace") for name in table.names if name not in (*table.key, *table.fixed))


def _columns(table: Table, rows: Sequence[Row]) -> list[bytes]:
    """Rows as an array for each column."""
    return [ENCODERS[kind](column) for (_, kind), column in zip(table.columns, zip(*rows, strict=True), strict=True)]


def _ordered(keys: Keys) -> list[Any]:
    return sorted(set(keys))


def _array_of(keys: Sequence[Any]) -> bytes:
    """Keys of one type, at least one, as they are sent."""
    return texts(keys) if isinstance(keys[0], str) else integers(keys)


class PostgresReader:
    """Reads one schema; one thread at a time, several readers side by side. Connects again by itself."""

    def __init__(self, url: str, schema: str, *, session: Session | None = None) -> None:
        self.schema = schema
        self._url = url
        self._session = session or Session(url, "cauce reader", settings_of(schema))
        self._depth = 0

    @property
    def round_trips(self) -> int:
        """How often a question had to wait for the server since this was opened."""
        return self._session.round_trips

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._session.ask(translated(sql), parameters)

    def select_each(self, sql: str, parameters: Iterable[Sequence[Any]]) -> list[list[Row]]:
        statement = translated(sql)
        return self._session.ask_each((statement, each) for each in parameters)

    def select_keys_each(self, questions: Sequence[tuple[str, Keys]]) -> list[list[Row]]:
        """Bounded by what one answer may hold: few keys are asked for together, many one question after the other."""
        wanted = [(sql, _ordered(keys)) for sql, keys in questions]
        if sum(len(keys) for _, keys in wanted) > KEYS_PER_QUERY:
            return [self.select_keys(sql, keys) for sql, keys in wanted]
        asked = self._session.ask_each((translated(sql), [_array_of(keys)]) for sql, keys in wanted if keys)
        answers = iter(asked)
        return [next(answers) if keys else [] for _, keys in wanted]

    def select_keys(self, sql: str, keys: Keys, parameters: Sequence[Any] = ()) -> list[Row]:
        ordered = _ordered(keys)
        rows: list[Row] = []
        for start in range(0, len(ordered), KEYS_PER_QUERY):
            group = _array_of(ordered[start : start + KEYS_PER_QUERY])
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
        where, parameters = within(table, prefix, after, before)
        order = ", ".join(f'"{column}"{" desc" if descending else ""}' for column in table.key[1:])
        sql = f'select {_list(table.names)} from "{table.name}" where {where} order by {order}'
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
                self._session.end()

    def close(self) -> None:
        self._session.close()


class PostgresTables(PostgresReader):
    """The writing side of one schema. `session` holds the lock of the state; without, writers share the schema."""

    def __init__(self, url: str, schema: str, *, session: Session | None = None) -> None:
        super().__init__(
            url, schema, session=session or Session(url, "cauce tables", settings_of(schema, durable=True))
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
            with nullcontext() if self._session.is_in_transaction else self.transaction():
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
        rows: list[tuple[str, str, str]] = self.select(
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
        self._put(table, rows, _replacing(table))

    def upsert_each(self, changes: Changes) -> None:
        pieces = [(table, group) for table, rows in changes for group in _groups(table, rows)]
        tables = tuple(table for table, _ in pieces)
        if len(set(tables)) < len(tables) or sum(len(group) for _, group in pieces) > ROWS_TOGETHER:
            for table, group in pieces:
                self.upsert(table, group)
        elif pieces:
            columns = [column for table, group in pieces for column in _columns(table, group)]
            self._session.send(_upsert_each(tables), columns)

    def merge(self, table: Table, rows: Iterable[Row], how: Mapping[str, Merge]) -> None:
        self._put(table, rows, tuple(how.items()))

    def _put(self, table: Table, rows: Iterable[Row], how: tuple[tuple[str, str], ...]) -> None:
        statement = _upsert(table, how)
        for group in _groups(table, rows):
            self._session.send(statement, _columns(table, group))

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


def _creation(table: Table) -> Iterator[str]:
    columns = ", ".join(f'"{column}" {TYPES[kind]}' for column, kind in table.columns)
    # Room in each page lets a changed row stay where it is, without touching an index.
    room = "" if table.layout == "runs" else " with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)"
    checks = "".join(f", check ({condition})" for condition in table.checks)
    yield f'create table if not exists "{table.name}" ({columns}, primary key ({_list(table.key)}){checks}){room}'
    if table.sealed:
        refuse = f"{table.name}_refuse"
        yield (
            f'create function "{refuse}"() returns trigger language plpgsql as '
            f"$$ begin raise exception 'rows of {table.name} are never changed'; end $$"
        )
        yield (
            f'create trigger "{refuse}" before update or delete or truncate on "{table.name}" '
            f'for each statement execute function "{refuse}"()'
        )
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
