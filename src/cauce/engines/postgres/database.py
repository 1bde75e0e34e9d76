"""The schemas of one installation, and how they are made and brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cauce.engines.postgres import lease, log
from cauce.engines.postgres.log import PostgresLog
from cauce.engines.postgres.session import PREFIX, Session, lock_number, settings_of
from cauce.engines.postgres.state import PostgresReader, PostgresTables
from cauce.engines.postgres.turns import PostgresTurns
from cauce.engines.postgres.wire import texts
from cauce.errors import CauceError, Locked, StorageBroken

_STEPS: tuple[tuple[str, ...], ...] = ((*log.SCHEMA, *lease.SCHEMA), ())
"""What leads from version n of the schema to n + 1; missing schemas are made by every step."""

GATE_SECONDS_MAX = 5
"""How long the gate may stay shut: a process that was stopped meanwhile must not stop the river."""


class Database:
    """The schemas of one installation: made and brought up to date by `prepare`."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        self.url = url
        self.home = prefix
        self.state, self.control, self.commerce, self.replay = (
            f"{prefix}_{part}" for part in ("state", "control", "commerce", "replay")
        )
        self._session = Session(url, "cauce", settings_of(prefix, durable=True))

    def prepare(self, fingerprint: str, *, may_arrive: bool = False) -> None:
        """Creates what is missing; `fingerprint` names the secret key that ids are derived with.

        StorageBroken when rights are missing, when a later version wrote it, when another secret key did, or when a
        migration into it is not finished (unless `may_arrive`).
        """
        if self._version() != len(_STEPS):
            self._make(fingerprint)
        found, arriving = self._session.ask(b"select secret, arriving from installation where id = 1")[0]
        if arriving and not may_arrive:
            raise StorageBroken(
                f"an installation is on its way into {self._session.place} and has not arrived",
                hint="Finish it: `cauce migrate` goes on where it stopped",
            )
        if found != fingerprint:
            raise StorageBroken(
                f"the installation in {self._session.place} was made with another secret key",
                hint="All processes share one `secret.key`: use the data folder that it was made with",
            )

    def arriving(self) -> str:
        """What is being copied into this installation; empty when nothing is."""
        return str(self._session.ask(b"select arriving from installation where id = 1")[0][0])

    def set_arriving(self, what: str) -> None:
        self._session.change(b"update installation set arriving = %b where id = 1", [what])

    @property
    def place(self) -> str:
        """Where it is, for people, without user and password."""
        return self._session.place

    def log(self) -> PostgresLog:
        return PostgresLog(self.url, self.home)

    def reader(self, schema: str) -> PostgresReader:
        return PostgresReader(self.url, schema)

    def tables(self, schema: str, session: Session | None = None) -> PostgresTables:
        """The writing side of a schema, over a session that may run the river where one is needed."""
        return PostgresTables(self.url, schema, session=session)

    def turns(self, session: Session) -> PostgresTurns:
        """The turns of a runner that writes the state over `session`."""
        return PostgresTurns(session, self.state)

    @contextmanager
    def gate_shut(self) -> Iterator[None]:
        """No runner begins with a batch meanwhile; the server opens the gate when this process does not."""
        settings = {**settings_of(self.state), "idle_session_timeout": f"{GATE_SECONDS_MAX}s"}
        session = Session(self.url, "cauce gate", settings, exclusive=True)
        try:
            with self.turns(session).alone():
                yield
        finally:
            session.close()

    def is_empty(self) -> bool:
        """Whether there is no installation, or one without any record, state or account."""
        tables = self._session.ask(
            b"select schemaname, tablename from pg_tables where schemaname = any(%b) "
            b"and (schemaname, tablename) <> all (values (%b, 'installation'), (%b, 'log_end'), (%b, 'lease'))",
            [texts([self.home, self.state, self.control, self.commerce]), self.home, self.home, self.home],
        )
        return not any(
            self._session.ask(f'select exists (select from "{schema}"."{table}")'.encode())[0][0]
            for schema, table in tables
        )

    def has_table(self, schema: str, table: str) -> bool:
        query = b"select exists (select from pg_tables where schemaname = %b and tablename = %b)"
        return bool(self._session.ask(query, [schema, table])[0][0])

    @contextmanager
    def alone(self, what: str, *, wait: bool = True) -> Iterator[Session]:
        """A session that does `what` while nobody else does; waits for its turn, or Locked."""
        session = Session(self.url, f"cauce {what}", settings_of(self.home, durable=True), exclusive=True)
        try:
            how = "pg_advisory_lock(%b)" if wait else "pg_try_advisory_lock(%b)"
            if session.ask(f"select {how}".encode(), [lock_number(self.home, what)])[0][0] is False:
                raise Locked(f"another process does the same ({what}) at {session.place}")
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
                for schema in (self.home, self.state, self.control, self.commerce, self.replay):
                    if schema not in present:  # asking for one that is there needs the right to create all the same
                        session.change(f'create schema "{schema}"'.encode())
                if version == 0:
                    session.change(
                        b"create table installation (id bigint primary key, version bigint not null,"
                        b" secret text not null, arriving text not null)"
                    )
                    session.change(b"insert into installation values (1, 0, %b, '')", [fingerprint])
                for statement in (each for step in _STEPS[version:] for each in step):
                    session.change(statement.encode())
                session.change(b"update installation set version = %b where id = 1", [len(_STEPS)])
            except BaseException:
                session.roll_back()
                raise
            session.commit()
