"""The log in one table: offsets are given under the lock of one row, so that their order is the order of visibility."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from cauce.engines.api import Capabilities
from cauce.engines.postgres.session import PREFIX, Session, settings_of
from cauce.engines.postgres.wire import blobs, integers, texts
from cauce.model import Record

SCHEMA = (
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
        self._session = Session(url, "cauce log", settings_of(schema, durable=True))

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
