"""Whole tables and logs copied into PostgreSQL by binary COPY, a piece at a time, each piece a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cauce.engines.api import Row, Table
from cauce.engines.postgres.session import PREFIX, Session, settings_of
from cauce.engines.postgres.wire import storable
from cauce.model import Record

_TYPES = {"integer": "int8", "text": "text", "blob": "bytea", "real": "float8"}
_LOG = Table(
    "log",
    (
        ("at", "integer"), ("source", "text"), ("connector", "text"), ("received", "integer"), ("total", "integer"),
        ("body", "blob"),
    ),
    ("at",),
)  # fmt: skip


class Copier:
    """Copies into the schemas of one installation that nobody else uses meanwhile. Close it."""

    def __init__(self, url: str, home: str = PREFIX) -> None:
        self._home = home
        self._session = Session(url, "cauce copy", settings_of(home, durable=True), exclusive=True)

    def copied_log(self) -> tuple[int, int]:
        """(last offset, bytes) of the records that are there."""
        (found,) = self._session.ask(b"select coalesce(max(at), 0), coalesce(max(total), 0) from log")
        return int(found[0]), int(found[1])

    def append(self, records: Sequence[Record], total: int) -> int:
        """Adds records with the offsets they have; `total` bytes came before them. Returns the total after them."""
        rows: list[Row] = []
        for record in records:
            total += len(record.body)
            rows.append((record.offset, record.source, record.connector, record.received, total, record.body))
        self._copy(self._home, _LOG, rows)
        return total

    def end_log(self) -> None:
        """The copied records are the whole log: the next one follows them."""
        self._session.change(
            b"update log_end set (at, total) = (select coalesce(max(at), 0), coalesce(max(total), 0) from log)"
        )

    def replace(self, schema: str, table: Table, rows: Iterable[Row]) -> None:
        """Makes the content of a table these rows, all or nothing."""
        self._copy(schema, table, rows, emptied=True)

    def analyse(self) -> None:
        """Lets the planner know how large everything is now."""
        self._session.change(b"analyze")

    def close(self) -> None:
        self._session.close()

    def _copy(self, schema: str, table: Table, rows: Iterable[Row], *, emptied: bool = False) -> None:
        place = f'"{schema}"."{table.name}"'
        columns = ", ".join(f'"{name}"' for name in table.names)
        with self._session.connected() as connection, connection.transaction(), connection.cursor() as cursor:
            if emptied:
                # What came half, before, is taken back, also where rows are never changed.
                cursor.execute(f"alter table {place} disable trigger user".encode())
                cursor.execute(f"delete from {place}".encode())
                cursor.execute(f"alter table {place} enable trigger user".encode())
            with cursor.copy(f"copy {place} ({columns}) from stdin (format binary)".encode()) as copy:
                copy.set_types([_TYPES[kind] for _, kind in table.columns])
                for row in rows:
                    copy.write_row(row)


def as_stored(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows as PostgreSQL gives them back: text without NUL."""
    for row in rows:
        if any(isinstance(value, str) and "\x00" in value for value in row):
            yield tuple(storable(value) if isinstance(value, str) else value for value in row)
        else:
            yield row
