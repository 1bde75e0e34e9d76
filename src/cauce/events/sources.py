"""Sources and their write keys, in the control database: who may send events.

Keys are 27 characters of base 62 chosen by the machine (160 bits; the RudderStack browser SDK insists on 27). They are
kept as SHA-256 only: a slow hash protects secrets that people choose and others guess, and nobody guesses 160 random
bits, while each request must be checked in microseconds.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import msgspec

from cauce.access.api import Actor, Audit, Control, now_microseconds
from cauce.engines.api import Table
from cauce.errors import Conflict, DefinitionInvalid, NotFound
from cauce.events.connections import EVENT_BYTES_MAX, Connections
from cauce.model import DECISIONS, Source
from cauce.registry import nearest

KEY_CHARACTERS = 27
ALPHABET = string.ascii_letters + string.digits
HINT_CHARACTERS = 4
MODES = ("observe", "quarantine")

SOURCES = Table("sources", (("name", "text"), ("source", "blob"), ("created", "integer")), ("name",))
KEYS = Table(
    "keys",
    (("hash", "blob"), ("source", "text"), ("hint", "text"), ("created", "integer"), ("revoked", "integer")),
    ("hash",),
)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Key(msgspec.Struct, frozen=True):
    """A write key as it may be shown: its last characters, and since when (microseconds UTC) it was made or revoked."""

    source: str
    hint: str
    created: int
    revoked: int | None = None


Listed = list[Source]
Keys = list[Key]
Tell = Callable[[Source, str], None]
"""Takes a source's new settings, and the name of who made them."""


class _Known(msgspec.Struct, frozen=True):
    """What is in the database, by what it is looked up by."""

    sources: dict[str, Source]
    keys: dict[bytes, Source]


class Sources:
    """Sources and write keys; any number of threads and processes. `by` is who changes something.

    `connections` holds what sources share with systems that sign what they send.
    `tell` gets the new settings of a source before they hold at the door, and who made them: the river reads by them.
    """

    def __init__(self, control: Control, audit: Audit, tell: Tell | None = None) -> None:
        self._control = control
        self._audit = audit
        self._tell: Tell = tell or (lambda _source, _by: None)
        control.migrated("sources", (SOURCES, KEYS), ())
        self._known = _Known({}, {})
        self._watch = control.watch(self._load)
        self._watch.refresh()
        self.connections = Connections(control, audit, self._newest, self._enlarge)

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

    def keys(self, name: str) -> Keys:
        """Write keys of a source, oldest first, the revoked ones too."""
        self.get(name)
        rows = self._control.select(
            "select source, hint, created, revoked from keys where source = ? order by created, hint", name
        )
        return [Key(*row) for row in rows]

    # -- telling ------------------------------------------------------------------------------------------------

    def add(self, source: Source, *, by: Actor | str = "") -> str:
        """Adds a source and gives its first write key, which is shown only now.

        Conflict when the name is taken, DefinitionInvalid when a value makes no sense.
        """
        _check(source)
        key, created = _new_key(), now_microseconds()
        with self._changing():
            if self._control.select("select 1 from sources where name = ?", source.name):
                raise Conflict(
                    f"there is a source {source.name!r} already", hint="Use `cauce sources rotate` for a key"
                )
            self._tell(source, name_of(by))
            self._control.upsert(SOURCES, [(source.name, msgspec.json.encode(source), created)])
            self._insert_key(key, source.name, created)
            details = {"channel": source.channel, "key": f"…{key[-HINT_CHARACTERS:]}"}
            self._audit.note(by, "source.added", source.name, details)
        return key

    def change(self, name: str, *, by: Actor | str = "", **changes: Any) -> Source:
        """The source with some fields replaced (`mode`, `enabled`, `region` …); its name stays."""
        with self._changing():
            rows = self._control.select("select source from sources where name = ?", name)
            present = msgspec.json.decode(rows[0][0], type=Source) if rows else self.get(name)
            changed = msgspec.structs.replace(present, **{**changes, "name": name})
            _check(changed)
            if changed != msgspec.structs.replace(present, enabled=changed.enabled):
                self._tell(changed, name_of(by))
            self._control.upsert(SOURCES, [(name, msgspec.json.encode(changed), self._created(name))])
            self._audit.note(by, "source.changed", name, dict(sorted(changes.items())))
        return changed

    def disable(self, name: str, *, by: Actor | str = "") -> Source:
        """Refuses the source's requests from now on; what it sent stays."""
        return self.change(name, by=by, enabled=False)

    def enable(self, name: str, *, by: Actor | str = "") -> Source:
        return self.change(name, by=by, enabled=True)

    def rotate(self, name: str, *, by: Actor | str = "") -> str:
        """A further write key of a source, shown only now; the older ones work until they are revoked."""
        self.get(name)
        key = _new_key()
        with self._changing():
            self._insert_key(key, name, now_microseconds())
            self._audit.note(by, "source.key_added", name, {"key": f"…{key[-HINT_CHARACTERS:]}"})
        return key

    def revoke(self, name: str, hint: str, *, by: Actor | str = "") -> None:
        """Makes the source's key that ends in `hint` worthless; NotFound when it has no such key."""
        ending = hint[-HINT_CHARACTERS:]
        with self._changing():
            living = [key.hint for key in self.keys(name) if key.revoked is None]
            if ending not in living:
                raise NotFound(
                    f"source {name!r} has no living key that ends in {ending!r}", hint=nearest(ending, living)
                )
            self._control.execute(
                "update keys set revoked = ? where source = ? and hint = ? and revoked is null",
                now_microseconds(),
                name,
                ending,
            )
            self._audit.note(by, "source.key_revoked", name, {"key": f"…{ending}"})

    # -- inside -------------------------------------------------------------------------------------------------

    def _current(self) -> _Known:
        """What is known, a second old at most."""
        self._watch.refresh()
        return self._known

    def _load(self) -> None:
        rows = self._control.select("select name, source from sources")
        sources = {name: msgspec.json.decode(body, type=Source) for name, body in rows}
        keys = {
            bytes(hash_): sources[name]
            for hash_, name in self._control.select("select hash, source from keys where revoked is null")
            if name in sources and sources[name].enabled
        }
        self._known = _Known(sources, keys)

    def _insert_key(self, key: str, name: str, created: int) -> None:
        self._control.upsert(KEYS, [(_hash(key), name, key[-HINT_CHARACTERS:], created, None)])

    def _newest(self, name: str) -> Source:
        """The source of that name, also when another process added it a moment ago."""
        try:
            return self.get(name)
        except NotFound:
            self._watch.reload()
            return self.get(name)

    def _enlarge(self, source: Source, by: Actor | str) -> None:
        self.change(source.name, by=by, event_bytes_max=EVENT_BYTES_MAX)

    def _created(self, name: str) -> int:
        return int(self._control.select("select created from sources where name = ?", name)[0][0])

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction; afterwards this process knows it at once."""
        with self._control.changing():
            yield
        self._watch.reload()


def name_of(by: Actor | str) -> str:
    """How the log calls whoever decided something."""
    return by if isinstance(by, str) else by.name


def _hash(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _new_key() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(KEY_CHARACTERS))


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
