"""What a source shares with a system that signs what it sends: secrets, and the addresses where both are found.

A signature is checked with the secret itself, so it cannot be kept as a hash like a write key. It lies in the control
database, which only its owner may read, and leaves it for two purposes: to check signatures (`signing`), and to ask the
system's own API when what came is compared with what is there (`api`). It is shown to nobody and written into no log.
People know it by its `hint`: the first digits of its SHA-256, which they can work out from what they pasted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cauce.access.api import Actor, Audit, Control, now_microseconds
from cauce.engines.api import Table
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import Source
from cauce.registry import nearest

SIGNING, API = "signing", "api"
PURPOSES = (SIGNING, API)
HINT_DIGITS = 8
CHARACTERS_MIN, CHARACTERS_MAX = 16, 512
LIVING_MAX = 8
"""Secrets of one purpose that hold at the same time; each costs a signature for every request."""
EVENT_BYTES_MAX = 1_048_576
"""Bound of one event of a source that has a signing secret: orders have hundreds of lines, clicks have not."""

SECRETS = Table(
    "source_secret",
    (
        ("source", "text"),
        ("connector", "text"),
        ("purpose", "text"),
        ("hint", "text"),
        ("secret", "blob"),  # empty once it is revoked
        ("created", "integer"),
        ("revoked", "integer"),  # since when, 0 for not
    ),
    ("source", "connector", "purpose", "hint"),
)
CONNECTIONS = Table(
    "source_connection",
    (
        ("source", "text"),
        ("connector", "text"),
        ("public_url", "text"),
        ("api_url", "text"),
        ("reconciled", "integer"),  # until when, 0 for never
    ),
    ("source", "connector"),
)

_CONNECTOR = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SECRET = re.compile(r"[!-~]+")
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))


class Secret(msgspec.Struct, frozen=True):
    """A secret as it may be shown: what it is for, its `hint`, and since when it was made or revoked (microseconds)."""

    source: str
    connector: str
    purpose: str
    hint: str
    created: int
    revoked: int | None = None


class Connection(msgspec.Struct, frozen=True):
    """`public_url` is the address that the system was told to send to; `api_url` is where its own API answers.

    `reconciled` is until when everything was fetched from there (microseconds UTC), 0 for never.
    """

    source: str
    connector: str
    public_url: str = ""
    api_url: str = ""
    reconciled: int = 0


class Lock(msgspec.Struct, frozen=True):
    """What the door must know to let a signed request in; it shows its secrets to no log."""

    source: Source
    secrets: tuple[bytes, ...]
    public_url: str = ""

    def __repr__(self) -> str:
        return f"Lock({self.source.name!r}, {len(self.secrets)} secrets, {self.public_url!r})"


SourceOf = Callable[[str], Source]
Enlarge = Callable[[Source, Actor | str], None]
Found = list[Secret]


class Connections:
    """Secrets and addresses by source and connector; any number of threads and processes."""

    def __init__(self, control: Control, audit: Audit, source_of: SourceOf, enlarge: Enlarge) -> None:
        """`source_of` raises NotFound; `enlarge` gives a source room for what shops send, before its first secret.

        Both look for what other processes changed, so they are asked before a transaction begins.
        """
        self._control = control
        self._audit = audit
        self._source_of = source_of
        self._enlarge = enlarge
        control.migrated("connections", (SECRETS, CONNECTIONS), ())
        self._secrets: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self._urls: dict[tuple[str, str], str] = {}
        self._watch = control.watch(self._load)
        self._watch.refresh()

    # -- asking -------------------------------------------------------------------------------------------------

    def lock(self, name: str, connector: str) -> Lock | None:
        """What opens the door for a source; None when it is unknown or switched off, or has no secret for that."""
        self._watch.refresh()
        secrets = self._secrets.get((name, connector))
        if not secrets:
            return None
        try:
            source = self._source_of(name)
        except NotFound:
            return None
        return Lock(source, secrets, self._urls.get((name, connector), "")) if source.enabled else None

    def secrets(self, name: str) -> Found:
        """Secrets of a source, oldest first, the revoked ones too; NotFound when there is no such source."""
        self._source_of(name)
        rows = self._control.select(
            "select source, connector, purpose, hint, created, revoked from source_secret where source = ?"
            " order by created, hint",
            name,
        )
        found = [Secret(*row) for row in rows]
        return [msgspec.structs.replace(one, revoked=one.revoked or None) for one in found]

    def connections(self, name: str) -> list[Connection]:
        """The systems that a source is connected to: all of which an address or a living secret is known."""
        known = {one.connector for one in self.secrets(name) if one.revoked is None}
        rows = self._control.select("select connector from source_connection where source = ?", name)
        return [self.connection(name, connector) for connector in sorted(known | {row[0] for row in rows})]

    def connection(self, name: str, connector: str) -> Connection:
        """What is known of one connection, with empty addresses where nothing is."""
        self._source_of(name)
        rows = self._control.select(
            "select source, connector, public_url, api_url, reconciled from source_connection"
            " where source = ? and connector = ?",
            name,
            connector,
        )
        return Connection(*rows[0]) if rows else Connection(name, connector)

    def credential(self, name: str, connector: str) -> str:
        """The newest living secret for the system's API; NotFound when there is none."""
        rows = self._control.select(
            "select secret from source_secret where source = ? and connector = ? and purpose = ? and revoked = 0"
            " order by created desc, hint limit 1",
            name,
            connector,
            API,
        )
        if not rows:
            raise NotFound(
                f"source {name!r} has no credential for the API of {connector}",
                hint=f"`cauce sources secret {name} --for {connector} --purpose api` takes one",
            )
        return bytes(rows[0][0]).decode("ascii")

    # -- telling ------------------------------------------------------------------------------------------------

    def add_secret(
        self, name: str, connector: str, secret: str, *, purpose: str = SIGNING, by: Actor | str = ""
    ) -> Secret:
        """Keeps a secret beside those that hold already, so that it can be changed without losing anything.

        NotFound without the source, DefinitionInvalid when the secret or its purpose makes no sense.
        """
        text = secret.strip()
        _check(connector, purpose, text)
        source = self._source_of(name)
        if purpose == SIGNING and not source.event_bytes_max:
            self._enlarge(source, by)  # a change of its own: it is told to the log
        with self._control.changing():
            same = [one for one in self.secrets(name) if (one.connector, one.purpose) == (connector, purpose)]
            living = [one for one in same if one.revoked is None]
            found = Secret(name, connector, purpose, hint_of(text), now_microseconds())
            if all(one.hint != found.hint for one in living):
                if len(living) >= LIVING_MAX:
                    raise DefinitionInvalid(
                        f"expected at most {LIVING_MAX} secrets of {connector} to hold for source {name!r} at a time",
                        hint="Revoke those that are no longer in use",
                    )
                self._control.upsert(SECRETS, [(name, connector, purpose, found.hint, text.encode(), found.created, 0)])
                details = {"connector": connector, "purpose": purpose, "secret": found.hint}
                self._audit.note(by, "source.secret_added", name, details)
        self._watch.reload()
        return found

    def revoke_secret(self, name: str, hint: str, *, by: Actor | str = "") -> None:
        """Makes a source's secret with that hint worthless and forgets it; NotFound when it has no such secret."""
        self._source_of(name)
        with self._control.changing():
            living = [one for one in self.secrets(name) if one.revoked is None]
            if hint not in [one.hint for one in living]:
                raise NotFound(
                    f"source {name!r} has no living secret with the hint {hint!r}",
                    hint=nearest(hint, [one.hint for one in living]),
                )
            self._control.execute(
                "update source_secret set revoked = ?, secret = ? where source = ? and hint = ? and revoked = 0",
                now_microseconds(),
                b"",
                name,
                hint,
            )
            for one in living:
                if one.hint == hint:
                    details = {"connector": one.connector, "purpose": one.purpose, "secret": hint}
                    self._audit.note(by, "source.secret_revoked", name, details)
        self._watch.reload()

    def connect(
        self,
        name: str,
        connector: str,
        *,
        public_url: str | None = None,
        api_url: str | None = None,
        by: Actor | str = "",
    ) -> Connection:
        """Keeps the addresses of a connection; None leaves one as it is, "" takes it away."""
        _check_connector(connector)
        told = {"public_url": public_url, "api_url": api_url}
        changes = {field: checked_url(field, url.strip()) for field, url in told.items() if url is not None}
        self._source_of(name)
        with self._control.changing():
            changed = msgspec.structs.replace(self.connection(name, connector), **changes)
            self._control.upsert(CONNECTIONS, [msgspec.structs.astuple(changed)])
            self._audit.note(by, "source.connected", name, {"connector": connector, **changes})
        self._watch.reload()
        return changed

    def mark(self, name: str, connector: str, reconciled: int) -> None:
        """Remembers until when everything was fetched."""
        with self._control.changing(quietly=True):
            known = self.connection(name, connector)
            changed = msgspec.structs.replace(known, reconciled=max(known.reconciled, reconciled))
            self._control.upsert(CONNECTIONS, [msgspec.structs.astuple(changed)])

    # -- inside -------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        rows: Sequence[Any] = self._control.select(
            "select source, connector, secret from source_secret where purpose = ? and revoked = 0 order by created",
            SIGNING,
        )
        found: dict[tuple[str, str], tuple[bytes, ...]] = {}
        for source, connector, secret in rows:
            found[source, connector] = (*found.get((source, connector), ()), bytes(secret))
        urls = self._control.select("select source, connector, public_url from source_connection")
        self._secrets, self._urls = found, {(source, connector): url for source, connector, url in urls}


def hint_of(secret: str) -> str:
    """The first digits of the SHA-256 of a secret: `printf %s SECRET | sha256sum` begins with them."""
    return sha256(secret.encode()).hexdigest()[:HINT_DIGITS]


def checked_url(field: str, url: str) -> str:
    """An address as it may be kept: https, or http on this machine; DefinitionInvalid when it is something else."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)
    if not (safe and host and _SECRET.fullmatch(url) and "@" not in parts.netloc and len(url) <= CHARACTERS_MAX):
        raise DefinitionInvalid(
            f"expected {field} to be an https address without a user or password, got {url[:80]!r}",
            hint="Such as https://cauce.example.com",
        )
    return url


def _check_connector(connector: str) -> None:
    if not _CONNECTOR.fullmatch(connector):
        raise DefinitionInvalid(f"expected connector to be a name such as shopify, got {connector[:80]!r}")


def _check(connector: str, purpose: str, secret: str) -> None:
    """Says what is wrong without repeating the secret."""
    _check_connector(connector)
    if purpose not in PURPOSES:
        raise DefinitionInvalid(f"expected purpose to be one of {', '.join(PURPOSES)}, got {purpose[:80]!r}")
    if not CHARACTERS_MIN <= len(secret) <= CHARACTERS_MAX:
        raise DefinitionInvalid(
            f"expected a secret of {CHARACTERS_MIN}–{CHARACTERS_MAX} characters, got {len(secret)}",
            hint="Paste it whole; where you choose it yourself, let a machine make a long one",
        )
    if not _SECRET.fullmatch(secret):
        raise DefinitionInvalid("expected a secret of letters, digits and signs without blanks")
