"""Tables of accounts, links, sessions, tokens, attempts and the audit trail, and how older ones become these."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cauce.access.control import Control, Migration
from cauce.access.rules import FORMER_ROLES
from cauce.engines.api import Table

ACCOUNTS = Table(
    "account",
    (
        ("id", "integer"),
        ("name", "text"),
        ("role", "text"),
        ("extra", "text"),  # JSON list: permissions beyond the role
        ("password", "text"),  # argon2id, "" until it is chosen
        ("created", "integer"),
        ("disabled", "integer"),  # since when, 0 for not
        ("language", "text"),  # "" for the browser's
        ("outside", "text"),  # who it is for the OIDC provider: issuer and subject
        ("signed_in", "integer"),  # the last time, 0 for never
    ),
    ("id",),
    indexes=(("name",),),
)
LINKS = Table(
    "access_link",
    (
        ("hash", "blob"),
        ("account", "integer"),  # 0: the owner to be, who still chooses a name
        ("purpose", "text"),  # what it opens: the choice of a password, or the door itself
        ("created", "integer"),
        ("expires", "integer"),
        ("used", "integer"),
    ),
    ("hash",),
)
SESSIONS = Table(
    "access_session",
    (
        ("hash", "blob"),
        ("id", "text"),
        ("account", "integer"),
        ("created", "integer"),
        ("seen", "integer"),
        ("address", "text"),
        ("agent", "text"),  # what the browser calls itself, cut
    ),
    ("hash",),
    indexes=(("account",),),
)
TOKENS = Table(
    "access_token",
    (
        ("hash", "blob"),
        ("id", "text"),
        ("name", "text"),
        ("account", "integer"),  # 0: a machine
        ("scopes", "text"),  # JSON list
        ("hint", "text"),
        ("created", "integer"),
        ("expires", "integer"),  # 0 for never
        ("used", "integer"),  # the last time, coarse; 0 for never
        ("revoked", "integer"),  # since when, 0 for not
    ),
    ("hash",),
)
ATTEMPTS = Table(
    "access_attempt",
    (("who", "text"), ("failures", "integer"), ("last", "integer"), ("wait_until", "integer")),
    ("who",),
)
AUDIT = Table(
    "access_audit",
    (
        ("id", "integer"),
        ("happened", "integer"),
        ("actor", "text"),
        ("kind", "text"),
        ("action", "text"),
        ("subject", "text"),
        ("details", "text"),  # JSON object
        ("address", "text"),
    ),
    ("id",),
)

OLD_KEYS = Table(
    "access_keys",
    (("hash", "blob"), ("name", "text"), ("role", "text"), ("hint", "text"), ("created", "integer")),
    ("hash",),
)
OLD_AUDIT = Table(
    "key_audit",
    (("id", "integer"), ("at", "integer"), ("who", "text"), ("what", "text"), ("subject", "text")),
    ("id",),
)


def open_audit(control: Control) -> None:
    """The table of the audit trail, with the entries of the former key audit."""
    control.migrated("audit", (AUDIT,), (_take_over_key_audit,))


def open_access(control: Control) -> None:
    """The tables of access, with the former access keys as tokens."""
    control.migrated("access", (ACCOUNTS, LINKS, SESSIONS, TOKENS, ATTEMPTS), _MIGRATIONS)


def _take_over_key_audit(control: Control) -> None:
    control.create((OLD_AUDIT,))  # missing in a fresh database
    rows = control.select("select at, who, what, subject from key_audit order by id")
    first = control.next_id(AUDIT)
    control.upsert(
        AUDIT,
        [
            (first + place, at, who, "command", _action_of(what), subject, _json({"what": what}), "")
            for place, (at, who, what, subject) in enumerate(rows)
        ],
    )
    control.execute("drop table key_audit")


def _action_of(what: str) -> str:
    """The action of today for what the former key audit said in words."""
    if what.startswith("access key"):
        return "token.revoked" if what.endswith("revoked") else "token.added"
    if what.startswith("key "):
        return "source.key_revoked" if what.endswith("revoked") else "source.key_added"
    return "source.added" if what == "source added" else "source.changed"


def _take_over_access_keys(control: Control) -> None:
    control.create((OLD_KEYS,))
    rows = control.select("select hash, name, role, hint, created from access_keys order by created, name")
    control.upsert(
        TOKENS,
        [
            (hash_, bytes(hash_)[:6].hex(), name, 0, _json(sorted(FORMER_ROLES[role])), hint, created, 0, 0, 0)
            for hash_, name, role, hint, created in rows
        ],
    )
    control.execute("drop table access_keys")


_MIGRATIONS: Sequence[Migration] = (_take_over_access_keys,)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
