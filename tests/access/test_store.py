"""The control database: what version 0.1 wrote is taken over, and what a later one wrote is left alone."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from cauce.access.api import Audit, Control
from cauce.access.rules import FORMER_ROLES
from cauce.engines.memory import MemoryTables
from cauce.engines.sqlite import SqliteTables
from cauce.errors import Conflict, StorageBroken
from cauce.events.sources import Sources
from cauce.model import Source
from tests.access.house import House

READER, ADMIN, WRITE_KEY = "r" * 27, "a" * 27, "w" * 27
SOURCE = b'{"name":"web","channel":"web","region":"PT","mode":"observe"}'


def former(path: Path) -> None:
    """A control database as version 0.1 wrote it."""
    database = sqlite3.connect(path)
    database.executescript("""
        pragma journal_mode = wal;
        create table sources (name text primary key, source blob not null, created integer not null);
        create table keys (hash blob primary key, source text not null, hint text not null,
            created integer not null, revoked integer);
        create table access_keys (hash blob primary key, name text not null unique, role text not null,
            hint text not null, created integer not null);
        create table key_audit (id integer primary key, at integer not null, who text not null,
            what text not null, subject text not null);
    """)

    def hashed(key: str) -> bytes:
        return sha256(key.encode()).digest()

    database.execute("insert into sources values ('web', ?, 1)", (SOURCE,))
    database.execute("insert into keys values (?, 'web', 'wwww', 2, null)", (hashed(WRITE_KEY),))
    database.execute("insert into access_keys values (?, 'first', 'reader', 'rrrr', 3)", (hashed(READER),))
    database.execute("insert into access_keys values (?, 'boss', 'admin', 'aaaa', 4)", (hashed(ADMIN),))
    for place, what in enumerate(
        ["source added", "key …wwww added", "source changed: mode=observe", "access key …rrrr added as reader",
         "access key revoked", "key …xxxx revoked"], start=1,
    ):  # fmt: skip
        database.execute("insert into key_audit values (?, ?, 'ana', ?, 'web')", (place, place * 10, what))
    database.commit()
    database.close()


def test_former_keys_keep_working_with_scopes_that_match(tmp_path):
    former(tmp_path / "control.db")
    house = House(tmp_path / "control.db")
    sources = Sources(house.control, house.audit)
    assert sources.authenticate(WRITE_KEY) == Source("web", "web", region="PT", mode="observe")
    assert house.access.by_token(READER).permissions == FORMER_ROLES["reader"]
    assert house.access.by_token(ADMIN).permissions == FORMER_ROLES["admin"]
    assert {token.name: (token.hint, token.created) for token in house.tokens.list()} == {
        "first": ("rrrr", 3), "boss": ("aaaa", 4),
    }  # fmt: skip
    house.tokens.revoke("first")
    assert house.tokens.authenticate(READER) is None
    house.close()


def test_the_former_key_audit_flows_into_the_trail_once(tmp_path):
    former(tmp_path / "control.db")
    for _ in range(2):
        house = House(tmp_path / "control.db")
        entries = house.audit.entries().entries[::-1]
        assert [(entry.action, entry.happened, entry.actor) for entry in entries] == [
            ("source.added", 10, "ana"),
            ("source.key_added", 20, "ana"),
            ("source.changed", 30, "ana"),
            ("token.added", 40, "ana"),
            ("token.revoked", 50, "ana"),
            ("source.key_revoked", 60, "ana"),
        ]
        assert len(house.tokens.list()) == 2
        house.close()
    names = {name for (name,) in sqlite3.connect(tmp_path / "control.db").execute("select name from sqlite_master")}
    assert not {"access_keys", "key_audit"} & names


def test_a_failed_migration_leaves_what_was_there(tmp_path):
    former(tmp_path / "control.db")
    database = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    database.execute("update access_keys set role = 'king'")
    with pytest.raises(KeyError):
        House(tmp_path / "control.db")
    database.execute("update access_keys set role = 'reader'")
    database.close()
    house = House(tmp_path / "control.db")
    assert len(house.tokens.list()) == 2
    house.close()


def test_a_later_version_is_refused(tmp_path):
    house = House(tmp_path / "control.db")
    with house.control.changing():
        house.control.execute("update control_version set version = 9 where part = 'access'")
    house.close()
    with pytest.raises(StorageBroken, match="holds version 9 of access, this Cauce knows 1"):
        House(tmp_path / "control.db")


@pytest.mark.parametrize("engine", ["sqlite", "memory"])
def test_every_engine_of_tables_serves(tmp_path, engine):
    control = Control(SqliteTables(tmp_path / "control.db") if engine == "sqlite" else MemoryTables())
    sources = Sources(control, Audit(control))
    key = sources.add(Source("web", "web"), by="ana")
    assert sources.authenticate(key) == Source("web", "web")
    sources.revoke("web", key)
    assert sources.authenticate(key) is None
    control.close()


def test_a_change_is_whole_or_not_at_all(house):
    before = house.control.changes()

    def twice():
        with house.control.changing():
            house.accounts.add("ana", "steward")
            house.accounts.add("ana", "steward")

    with pytest.raises(Conflict):
        twice()
    assert house.accounts.list() == []
    assert house.actions() == []
    assert house.control.changes() == before
    house.accounts.add("ana", "steward")
    assert house.control.changes() == before + 1
    house.audit.note("root", "source.added")
    assert house.control.changes() == before + 1  # nothing that others keep in memory


class Slow(SqliteTables):
    """Says when a change begins, which may have to wait for another process."""

    def __init__(self, path: Path) -> None:
        self.begun = threading.Event()
        super().__init__(path)

    @contextmanager
    def transaction(self):
        self.begun.set()
        with super().transaction():
            yield


def test_reading_waits_for_no_change(tmp_path):
    """The intake asks for keys: what a door changes meanwhile, or waits to change, must not hold it up."""
    tables = Slow(tmp_path / "control.db")
    control = Control(tables)
    sources = Sources(control, Audit(control))
    key = sources.add(Source("web", "web"))
    other = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    other.execute("begin immediate")  # another process is in the middle of something
    tables.begun.clear()
    changing = threading.Thread(target=sources.disable, args=("web",))
    changing.start()
    assert tables.begun.wait(30)
    assert control.changes() >= 1
    assert sources.authenticate(key) == Source("web", "web")
    assert changing.is_alive()
    other.execute("rollback")
    changing.join()
    assert sources.authenticate(key) is None
    other.close()
    control.close()
