"""Tokens: how programs identify themselves, and what each may.

A token is 32 characters of base 62 chosen by the machine (190 bits), kept as SHA-256 only: a slow hash protects secrets
that people choose and others guess; nobody guesses this one, and each request must be checked in microseconds.
"""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import msgspec

from cauce.access.accounts import Account, Accounts
from cauce.access.actor import Actor
from cauce.access.audit import Audit
from cauce.access.control import Control
from cauce.access.rules import account_name, scopes_checked
from cauce.access.store import TOKENS
from cauce.errors import Conflict, DefinitionInvalid, Forbidden, NotFound
from cauce.registry import nearest

PREFIX = "cauce_"
"""By it scanners of source code find a token that somebody published."""
CHARACTERS = 32
ALPHABET = string.ascii_letters + string.digits
HINT_CHARACTERS = 4
MICROSECONDS = 1_000_000
USED_SECONDS = 600
"""How coarse the moment is at which a token was last used."""
DAYS_MAX = 3_650
TOKENS_MAX = 10_000

_COLUMNS = "id, name, account, scopes, hint, created, expires, used, revoked"


class Token(msgspec.Struct, frozen=True):
    """A token as it may be shown; moments in microseconds UTC, 0 for never. `account` 0: it belongs to a machine."""

    id: str
    name: str
    account: int
    scopes: tuple[str, ...]
    hint: str
    created: int
    expires: int = 0
    used: int = 0
    revoked: int = 0


class Made(msgspec.Struct, frozen=True):
    """A fresh token and its secret, shown only now."""

    secret: str
    token: Token


Listed = list[Token]


class Tokens:
    """Tokens in the control database, and in memory as they were a second ago at most."""

    def __init__(self, control: Control, audit: Audit, accounts: Accounts, clock: Callable[[], int]) -> None:
        self._control = control
        self._audit = audit
        self._accounts = accounts
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[Token, Account | None]] = {}
        self._watch = control.watch(self._load)

    def authenticate(self, secret: str) -> Actor | None:
        """Who it is: scopes, and for an account's token no more than the account may now. None for nobody's."""
        self._watch.refresh()
        hash_ = _hash(secret)
        token, account = self._known.get(hash_, (None, None))
        now = self._clock()
        if token is None or token.revoked or (token.expires and token.expires <= now):
            return None
        scopes = frozenset(token.scopes)
        if token.account:
            if account is None or account.disabled:
                return None
            scopes &= account.actor.permissions
        if now - token.used > USED_SECONDS * MICROSECONDS:
            self._note_use(hash_, token, account, now)
        name = f"{account.name}/{token.name}" if account else token.name
        return Actor(name, account.role if account else "", scopes, "token", token.account, token.id)

    def list(self, account: Account | None = None) -> Listed:
        """Tokens of an account (of everybody: None), by name, the revoked ones too."""
        rows = self._control.select(
            f"select {_COLUMNS} from access_token where (account = ? or ? = 0) order by name, created",
            account.id if account else 0,
            account.id if account else 0,
        )
        return [_token(row) for row in rows]

    def list_of_machines(self) -> Listed:
        """Tokens that belong to no account, by name."""
        return [token for token in self.list() if not token.account]

    def add(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        account: Account | None = None,
        days: int = 0,
        by: Actor | str = "",
    ) -> Made:
        """A new token for an account, or for a machine of that name; its secret is shown only now.

        `days` until it expires, 0 for never. Forbidden when it could do more than its account, or than who makes it;
        Conflict when a living token of the same owner has the name.
        """
        name, wanted = account_name(name), scopes_checked(scopes)
        if not 0 <= days <= DAYS_MAX:
            raise DefinitionInvalid(f"expected days to be 0–{DAYS_MAX}, got {days}")
        for bound in (account.actor if account else None, by if isinstance(by, Actor) else None):
            if bound and not wanted <= bound.permissions:
                beyond = ", ".join(sorted(wanted - bound.permissions))
                raise Forbidden(f"{bound.name} may not give what it does not have: {beyond}")
        secret = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))
        now = self._clock()
        token = Token(
            secrets.token_hex(6), name, account.id if account else 0, tuple(sorted(wanted)),
            secret[-HINT_CHARACTERS:], now, now + days * 86_400 * MICROSECONDS if days else 0,
        )  # fmt: skip
        with self._control.changing():
            self._control.execute("delete from access_token where revoked > 0 and revoked < ?", now - _YEAR)
            living = "select 1 from access_token where name = ? and account = ? and revoked = 0 limit 1"
            if self._control.select(living, name, token.account):
                raise Conflict(f"there is a token {name!r} already", hint="Revoke it first, or choose another name")
            ((others,),) = self._control.select("select count(*) from access_token")
            if others >= TOKENS_MAX:
                raise Conflict(f"there are {TOKENS_MAX} tokens, which is the most")
            self._control.upsert(TOKENS, [_row(_hash(secret), token)])
            details = {"id": token.id, "scopes": ", ".join(token.scopes)}
            self._audit.note(by, "token.added", f"{account.name}/{name}" if account else name, details)
        self._watch.reload()
        return Made(secret, token)

    def revoke(self, id: str, *, account: Account | None = None, by: Actor | str = "") -> Token:
        """Makes a token worthless, by its id or its name; NotFound when `account` (None: anybody) has no such one."""
        with self._control.changing():
            living = [token for token in self.list(account) if not token.revoked]
            found = [token for token in living if token.id == id] or [token for token in living if token.name == id]
            if not found:
                names = [token.name for token in living]
                raise NotFound(f"there is no living token {id[:63]!r}", hint=nearest(id[:63], names))
            if len(found) > 1:
                raise Conflict(
                    f"{len(found)} tokens are named {id!r}", hint=f"Say which: {', '.join(one.id for one in found)}"
                )
            (token,) = found
            now = self._clock()
            self._control.execute("update access_token set revoked = ? where id = ?", now, token.id)
            owner = self._accounts.by_id(token.account) if token.account else None
            subject = f"{owner.name}/{token.name}" if owner else token.name
            self._audit.note(by, "token.revoked", subject, {"id": token.id})
        self._watch.reload()
        return msgspec.structs.replace(token, revoked=now)

    def _note_use(self, hash_: bytes, token: Token, account: Account | None, now: int) -> None:
        with self._lock:
            if self._known.get(hash_, (None, None))[0] is not token:
                return  # another thread has noted it
            self._known[hash_] = (msgspec.structs.replace(token, used=now), account)
        with self._control.changing(quietly=True):
            self._control.execute("update access_token set used = ? where hash = ?", now, hash_)

    def _load(self) -> None:
        accounts = {one.id: one for one in self._accounts.list()}
        rows = self._control.select(f"select hash, {_COLUMNS} from access_token where revoked = 0")
        known = {bytes(row[0]): _token(row[1:]) for row in rows}
        with self._lock:
            self._known = {hash_: (token, accounts.get(token.account)) for hash_, token in known.items()}


_YEAR = 365 * 86_400 * MICROSECONDS
_SCOPES = msgspec.json.Decoder(tuple[str, ...])


def _token(row: tuple[Any, ...]) -> Token:
    id, name, account, scopes, *others = row
    return Token(id, name, account, _SCOPES.decode(scopes), *others)


def _row(hash_: bytes, token: Token) -> tuple[object, ...]:
    values = msgspec.structs.astuple(token)
    return (hash_, *values[:3], msgspec.json.encode(values[3]).decode(), *values[4:])


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
