"""One connection to PostgreSQL: how it is opened, asked, lost and found again, and what its faults mean for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import errors, pq
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrBinaryDumper

from cauce.engines.api import Row
from cauce.engines.postgres.wire import ARRAY_TYPES, storable
from cauce.errors import Busy, CauceError, StorageBroken

SERVER_VERSION_MIN = 140_000
CONNECT_SECONDS_MAX = 5
SILENCE_SECONDS_MAX = 8
"""How long the other side of a connection may keep silent before the connection is given up."""
RETRY_SECONDS = 2
PREFIX = "cauce"
"""Schemas: `cauce` (log, lease), `cauce_state`, `cauce_control`, `cauce_replay`."""


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


def settings_of(schema: str, *, durable: bool = False) -> dict[str, str]:
    """Settings of a session. What is not durable at its commit is rebuilt from the log, which is."""
    return {
        "synchronous_commit": "on" if durable else "off",
        "search_path": f'"{schema}"',
        "jit": "off",  # compiling costs more than any of our queries
        "work_mem": "64MB",
    }


def lock_number(*names: str) -> int:
    """The number of an advisory lock: 63 bits of a name, never 0."""
    digest = blake2b("\x1f".join(("cauce", *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


_TRANSIENT = (
    errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure, errors.QueryCanceled,
    errors.TooManyConnections, errors.CannotConnectNow, errors.IdleInTransactionSessionTimeout,
)  # fmt: skip

_LAST_WORDS = (errors.AdminShutdown, errors.CrashShutdown, errors.IdleSessionTimeout)
"""What a server says before it ends a connection."""


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
            return StorageBroken(
                f"{place} lets nobody in: {text}", hint="Check user, password and database of `tables`"
            )
    return Busy(
        f"{place} cannot be reached: {text}",
        retry_after_seconds=RETRY_SECONDS,
        hint="Check the setting `tables`, and that the server runs; Cauce tries again by itself",
    )


class _ArrayDumper(Dumper):
    """Sends what is encoded already."""

    format = pq.Format.BINARY

    def dump(self, obj: Any) -> Any:
        return obj


class _TextDumper(StrBinaryDumper):
    """A text as the tables would hold it, so that looking for one that cannot be there finds nothing."""

    def dump(self, obj: str) -> Any:
        return super().dump(storable(obj))


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
    adapters.register_dumper(str, _TextDumper)
    adapters.register_loader("numeric", _WholeNumberLoader)
    return adapters


_ADAPTERS = _adapters()
_KEEPALIVE: dict[str, Any] = {
    "keepalives": 1, "keepalives_idle": 2, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS_MAX * 1_000,
}  # fmt: skip


_ATTENTIVE = {
    "client_connection_check_interval": "2s", "tcp_keepalives_idle": "2", "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3", "tcp_user_timeout": str(SILENCE_SECONDS_MAX * 1_000),
}  # fmt: skip
"""How the server notices that we are gone, also in the middle of a statement."""


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
        self._untouched = ""

    # -- questions ----------------------------------------------------------------------------------------------

    def ask(self, query: bytes, parameters: Sequence[Any] = (), *, once: bool = False) -> list[Row]:
        """Rows; asked a second time over a new connection when the old one turns out to be cut, unless `once`.

        In a transaction that only reads, too, as long as nothing was read in it.
        """
        untouched, self._untouched = self._untouched, ""
        is_free = bool(untouched) or not self._in_transaction
        again = is_free and not (once or self._exclusive or self._connection is None)
        try:
            return self._fetched(query, parameters)
        except psycopg.OperationalError as fault:
            if not again or not self._was_cut(fault):
                raise self._fault(fault) from None
        except psycopg.Error as fault:
            raise self._fault(fault) from None
        if untouched:
            self.roll_back()
            self.begin(untouched)
            self._untouched = ""
        try:
            return self._fetched(query, parameters)
        except psycopg.Error as fault:
            raise self._fault(fault) from None

    def ask_each(self, questions: Iterable[tuple[bytes, Sequence[Any]]]) -> list[list[Row]]:
        """Rows of each question with its parameters; all are sent before the first answer is waited for."""
        if not self._in_transaction:
            self.begin("read only")
            try:
                return self.ask_each(questions)
            finally:
                self.end()
        try:
            cursors = [self._cursor().execute(query, parameters) for query, parameters in questions]
            found = [cursor.fetchall() for cursor in cursors]
        except psycopg.Error as fault:
            raise self._fault(fault) from None
        self._untouched = ""
        self._waited()
        return found

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
        was_open = self._connection is not None
        try:
            self._begun(how)
        except psycopg.Error as fault:
            was_cut = self._was_cut(fault)
            self.roll_back()
            if self._exclusive or not was_open or not was_cut:
                raise self._fault(fault) from None
        else:
            return
        try:  # nothing was asked yet, so it begins again over a new connection
            self._begun(how)
        except psycopg.Error as fault:
            self.roll_back()
            raise self._fault(fault) from None

    def _begun(self, how: str) -> None:
        connection = self._opened()
        if connection.info.transaction_status is not pq.TransactionStatus.IDLE:
            connection.rollback()
        self._leaving = connection.pipeline()
        self._pipeline = self._leaving.__enter__()
        self._in_transaction = True
        self._cursor().execute(f"begin {how}".encode())
        self._untouched = how if "read only" in how else ""

    @property
    def is_in_transaction(self) -> bool:
        return self._in_transaction

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

    def end(self) -> None:
        """Leaves a transaction that only read, with one round trip."""
        try:
            self._cursor().execute(b"rollback")
            self._waited()
            self._leave_pipeline()
            self._in_transaction = False
        except psycopg.Error:
            self.roll_back()

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
                # Not by a statement: the driver forgets what it believes to have prepared after the fault, and what
                # the server never saw.
                connection.rollback()
        except psycopg.Error:
            connection.close()

    def _leave_pipeline(self) -> None:
        leaving, self._leaving, self._pipeline = self._leaving, None, None
        if leaving is not None:
            leaving.__exit__(None, None, None)

    # -- the connection -----------------------------------------------------------------------------------------

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Row]]:
        """The connection itself, for what only the driver does; its faults become ours."""
        try:
            yield self._opened()
        except psycopg.Error as fault:
            raise self._fault(fault) from None

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

    def _was_cut(self, fault: psycopg.Error) -> bool:
        """Whether the fault is the end of the connection; a server's last words may come before its silence."""
        if isinstance(fault, _LAST_WORDS) and self._connection is not None:
            self._connection.close()
        return self._is_cut()

    def _fault(self, fault: psycopg.Error) -> CauceError:
        return fault_of(fault, self.place, is_cut=self._was_cut(fault))

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
        _set(connection, self._settings)
        with suppress(errors.InvalidParameterValue):  # a server whose system cannot notice silence
            _set(connection, _ATTENTIVE)


def _set(connection: psycopg.Connection[Row], settings: Mapping[str, str]) -> None:
    calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    connection.execute(f"select {calls}".encode(), [value for pair in settings.items() for value in pair])


class _Adapted:
    """What `psycopg.connect` wants to find the adapters in."""

    adapters = _ADAPTERS
    connection = None


_ADAPTED = _Adapted()
