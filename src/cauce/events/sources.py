"""Sources and keys, in `control.db`: who may send events, and who may read.

Keys are 27 characters of base 62 chosen by the machine (160 bits; the RudderStack browser SDK insists on 27). They are
kept as SHA-256 only: a slow hash protects secrets that people choose and others guess, and nobody guesses 160 random
bits, while each request must be checked in microseconds.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from cauce.errors import Conflict, DefinitionInvalid, NotFound, StorageBroken
from cauce.model import DECISIONS, Source
from cauce.registry import nearest

KEY_CHARACTERS = 27
ALPHABET = string.ascii_letters + string.digits
HINT_CHARACTERS = 4
REFRESH_SECONDS = 1.0
"""How late, at most, another process's change is seen."""
LOCK_WAIT_SECONDS = 10
ROLES = ("reader", "admin")
MODES = ("observe", "quarantine")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_SCHEMA = (
    "create table if not exists sources (name text primary key, source blob not null, created integer not null)",
    "create table if not exists keys (hash blob primary key, source text not null, hint text not null,"
    " created integer not null, revoked integer)",
    "create table if not exists access_keys (hash blob primary key, name text not null unique, role text not null,"
    " hint text not null, created integer not null)",
    "create table if not exists key_audit (id integer primary key, at integer not null, who text not null,"
    " what text not null, subject text not null)",
)


class Key(msgspec.Struct, frozen=True):
    """A write key as it may be shown: its last characters, and since when (microseconds UTC) it was made or revoked."""

    source: str
    hint: str
    created: int
    revoked: int | None = None


class Access(msgspec.Struct, frozen=True):
    """Somebody who may read (`reader`) or also decide (`admin`)."""

    name: str
    role: Literal["reader", "admin"]


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what to which source or key, and when (microseconds UTC)."""

    at: int
    who: str
    what: str
    subject: str


Listed = list[Source]
Keys = list[Key]
Accesses = list[tuple[Access, str, int]]
Audit = list[AuditEntry]
Rows = list[tuple[Any, ...]]


class _Known(msgspec.Struct, frozen=True):
    """What is in the database, by what it is looked up by."""

    sources: dict[str, Source]
    keys: dict[bytes, Source]
    access: dict[bytes, Access]


class Sources:
    """Sources, write keys and access keys; any number of threads and processes. Close it."""

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = str(path)
        self._clock = clock
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                self.path, timeout=LOCK_WAIT_SECONDS, check_same_thread=False, isolation_level=None
            )
            self._connection.execute("pragma journal_mode = wal")
            for statement in _SCHEMA:
                self._connection.execute(statement)
        except sqlite3.Error as fault:
            raise StorageBroken(f"cannot open the sources in {self.path}: {fault}") from None
        self._version = -1
        self._checked = float("-inf")
        self._known = _Known({}, {}, {})
        self._refresh()

    # -- asking -------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Source:
        """The source of that name; NotFound with the nearest name when there is none."""
        known = self._current().sources
        found = known.get(name)
        if found is None:
            raise NotFound(f"no source is named {name!r}", hint=nearest(name, list(known)))
        return found

    def list(self) -> Listed:
        """All sources by name."""
        return [source for _, source in sorted(self._current().sources.items())]

    def authenticate(self, key: str) -> Source | None:
        """The enabled source that a write key belongs to, None when it belongs to none or was revoked."""
        return self._current().keys.get(_hash(key))

    def authenticate_access(self, key: str) -> Access | None:
        """Whose access key it is, None when it is nobody's."""
        return self._current().access.get(_hash(key))

    def keys(self, name: str) -> Keys:
        """Write keys of a source, oldest first, the revoked ones too."""
        self.get(name)
        rows = self._select(
            "select source, hint, created, revoked from keys where source = ? order by created, hint", name
        )
        return [Key(*row) for row in rows]

    def access(self) -> Accesses:
        """(who, last characters of the key, since when) of all access keys, by name."""
        rows = self._select("select name, role, hint, created from access_keys order by name")
        return [(Access(name, role), hint, created) for name, role, hint, created in rows]

    @property
    def has_access_keys(self) -> bool:
        """Whether anybody has an access key; until then the read API may be open on a local address."""
        return bool(self._current().access)

    def audit(self, limit: int = 100) -> Audit:
        """The latest changes, newest first."""
        rows = self._select("select at, who, what, subject from key_audit order by id desc limit ?", limit)
        return [AuditEntry(*row) for row in rows]

    # -- telling ------------------------------------------------------------------------------------------------

    def add(self, source: Source, *, by: str = "") -> str:
        """Adds a source and gives its first write key, which is shown only now.

        Conflict when the name is taken, DefinitionInvalid when a value makes no sense.
        """
        _check(source)
        key, created = _new_key(), _now()
        with self._changing(by, "source added", source.name):
            if self._select("select 1 from sources where name = ?", source.name):
                raise Conflict(
                    f"there is a source {source.name!r} already", hint="Use `cauce sources rotate` for a key"
                )
            self._connection.execute(
                "insert into sources values (?, ?, ?)", (source.name, msgspec.json.encode(source), created)
            )
            self._insert_key(key, source.name, created)
        return key

    def change(self, name: str, *, by: str = "", **changes: Any) -> Source:
        """The source with some fields replaced (`mode`, `enabled`, `region` …); its name stays."""
        changed = msgspec.structs.replace(self.get(name), **{**changes, "name": name})
        _check(changed)
        what = "source changed: " + ", ".join(f"{field}={value}" for field, value in sorted(changes.items()))
        with self._changing(by, what, name):
            self._connection.execute(
                "update sources set source = ? where name = ?", (msgspec.json.encode(changed), name)
            )
        return changed

    def disable(self, name: str, *, by: str = "") -> Source:
        """Refuses the source's requests from now on; what it sent stays."""
        return self.change(name, by=by, enabled=False)

    def enable(self, name: str, *, by: str = "") -> Source:
        return self.change(name, by=by, enabled=True)

    def rotate(self, name: str, *, by: str = "") -> str:
        """A further write key of a source, shown only now; the older ones work until they are revoked."""
        self.get(name)
        key = _new_key()
        with self._changing(by, f"key …{key[-HINT_CHARACTERS:]} added", name):
            self._insert_key(key, name, _now())
        return key

    def revoke(self, name: str, hint: str, *, by: str = "") -> None:
        """Makes the source's key that ends in `hint` worthless; NotFound when it has no such key."""
        living = [key.hint for key in self.keys(name) if key.revoked is None]
        ending = hint[-HINT_CHARACTERS:]
        if ending not in living:
            raise NotFound(f"source {name!r} has no living key that ends in {ending!r}", hint=nearest(ending, living))
        with self._changing(by, f"key …{ending} revoked", name):
            self._connection.execute(
                "update keys set revoked = ? where source = ? and hint = ? and revoked is null", (_now(), name, ending)
            )

    def add_access(self, name: str, role: str, *, by: str = "") -> str:
        """A new access key, shown only now. Conflict when the name has one, DefinitionInvalid for an unknown role."""
        _check_name(name)
        if role not in ROLES:
            raise DefinitionInvalid(f"expected role to be one of {', '.join(ROLES)}, got {role!r}")
        key = _new_key()
        with self._changing(by, f"access key …{key[-HINT_CHARACTERS:]} added as {role}", name):
            if self._select("select 1 from access_keys where name = ?", name):
                raise Conflict(f"{name!r} has an access key already", hint="Revoke it first")
            self._connection.execute(
                "insert into access_keys values (?, ?, ?, ?, ?)",
                (_hash(key), name, role, key[-HINT_CHARACTERS:], _now()),
            )
        return key

    def revoke_access(self, name: str, *, by: str = "") -> None:
        """Makes somebody's access key worthless; NotFound when there is none."""
        names = [access.name for access, _, _ in self.access()]
        if name not in names:
            raise NotFound(f"nobody named {name!r} has an access key", hint=nearest(name, names))
        with self._changing(by, "access key revoked", name):
            self._connection.execute("delete from access_keys where name = ?", (name,))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _current(self) -> _Known:
        """What is known, at most `REFRESH_SECONDS` old."""
        if self._clock() - self._checked >= REFRESH_SECONDS:
            with self._lock:
                self._refresh()
        return self._known

    def _refresh(self) -> None:
        try:
            (version,) = self._connection.execute("pragma data_version").fetchone()
            if version != self._version:
                self._load()
                self._version = version
        except sqlite3.Error as fault:
            raise StorageBroken(f"cannot read the sources in {self.path}: {fault}") from None
        self._checked = self._clock()

    def _load(self) -> None:
        rows = self._select("select name, source from sources")
        sources = {name: msgspec.json.decode(body, type=Source) for name, body in rows}
        keys = {
            bytes(hash_): sources[name]
            for hash_, name in self._select("select hash, source from keys where revoked is null")
            if name in sources and sources[name].enabled
        }
        access = {
            bytes(hash_): Access(name, role)
            for hash_, name, role in self._select("select hash, name, role from access_keys")
        }
        self._known = _Known(sources, keys, access)

    def _select(self, sql: str, *parameters: Any) -> Rows:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def _insert_key(self, key: str, name: str, created: int) -> None:
        self._connection.execute(
            "insert into keys values (?, ?, ?, ?, null)", (_hash(key), name, key[-HINT_CHARACTERS:], created)
        )

    @contextmanager
    def _changing(self, who: str, what: str, subject: str) -> Iterator[None]:
        """One transaction with its audit entry; afterwards this process knows it at once."""
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                yield
                self._connection.execute(
                    "insert into key_audit (at, who, what, subject) values (?, ?, ?, ?)", (_now(), who, what, subject)
                )
                self._connection.execute("commit")
            except sqlite3.Error as fault:
                raise StorageBroken(f"cannot change the sources in {self.path}: {fault}") from None
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
            self._load()


def _hash(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _new_key() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(KEY_CHARACTERS))


def _now() -> int:
    return time.time_ns() // 1_000


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name == DECISIONS:
        raise DefinitionInvalid(
            f"expected a name of lower-case letters, digits and . _ - (at most 63, not {DECISIONS!r}), got {name!r}"
        )


def _check(source: Source) -> None:
    _check_name(source.name)
    if not source.channel or len(source.channel) > 63:
        raise DefinitionInvalid(f"expected channel to have 1–63 characters, got {source.channel!r}")
    if source.mode not in MODES:
        raise DefinitionInvalid(f"expected mode to be one of {', '.join(MODES)}, got {source.mode!r}")
    if not re.fullmatch(r"[A-Z]{2}", source.region):
        raise DefinitionInvalid(f"expected region to be a country of ISO 3166 such as ES, got {source.region!r}")
    if not re.fullmatch(r"[a-z][a-z0-9_:]{0,63}", source.user_id_kind):
        raise DefinitionInvalid(f"expected user_id_kind to be a kind of identifier, got {source.user_id_kind!r}")
