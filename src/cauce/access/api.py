"""Use cases for doors: sign in, find out who is behind a cookie or a token, and the parts that manage them."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest, digest
from typing import TYPE_CHECKING

import msgspec

from cauce.access.accounts import Account, Accounts, Link
from cauce.access.actor import Actor, at_the_command_line, require
from cauce.access.audit import Audit, Entry, Filter, Page, now_microseconds
from cauce.access.control import Control
from cauce.access.outside import Outside, Provider, Vouched, roles_read
from cauce.access.passwords import CHARACTERS_MAX, CHARACTERS_MIN, PasswordRefused, Passwords
from cauce.access.rules import (
    GRANTABLE,
    PERMISSIONS,
    ROLES,
    account_name,
    network_of,
    permissions_of,
    scopes_checked,
)
from cauce.access.sessions import Session, Sessions, Started
from cauce.access.store import open_access
from cauce.access.throttle import Allowance, Attempts, Buckets
from cauce.access.tokens import Made, Token, Tokens
from cauce.errors import Conflict, Unauthorised

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = [
    "CHARACTERS_MAX",
    "CHARACTERS_MIN",
    "GRANTABLE",
    "PERMISSIONS",
    "ROLES",
    "Access",
    "Account",
    "Accounts",
    "Actor",
    "Allowance",
    "Audit",
    "Control",
    "Entry",
    "Filter",
    "Limits",
    "Link",
    "Made",
    "Origin",
    "Outside",
    "Page",
    "PasswordRefused",
    "Provider",
    "Session",
    "Sessions",
    "Started",
    "Token",
    "Tokens",
    "account_name",
    "at_the_command_line",
    "now_microseconds",
    "permissions_of",
    "require",
    "roles_read",
    "scopes_checked",
]


class Limits(msgspec.Struct, frozen=True):
    """How long things last and how many there may be; from the settings."""

    session_idle_seconds: int = 8 * 3_600
    session_seconds_max: int = 7 * 86_400
    link_hours: int = 48
    token_requests_per_minute: int = 12_000


class Origin(msgspec.Struct, frozen=True):
    """Where a request comes from: network address, and what the browser calls itself."""

    address: str = ""
    agent: str = ""


class Access:
    """Who may do what, over the control database: `accounts`, `sessions`, `tokens`, `audit`. Close it.

    `secret` is the installation's; `clock` gives microseconds UTC, `steady_clock` seconds that never go back.
    """

    def __init__(
        self,
        control: Control,
        audit: Audit,
        secret: bytes,
        limits: Limits | None = None,
        *,
        clock: Callable[[], int] = now_microseconds,
        steady_clock: Callable[[], float] = time.monotonic,
        hasher: PasswordHasher | None = None,
        outside: Outside | None = None,
    ) -> None:
        limits = limits or Limits()
        open_access(control)
        self.audit = audit
        self.limits = limits
        self.accounts = Accounts(control, audit, Passwords(hasher), clock, limits.link_hours)
        self.sessions = Sessions(
            control,
            audit,
            self.accounts,
            clock,
            idle_seconds=limits.session_idle_seconds,
            seconds_max=limits.session_seconds_max,
        )
        self.tokens = Tokens(control, audit, self.accounts, clock)
        self.provider = Provider(outside, secret, clock) if outside else None
        self._csrf_key = digest(secret, b"csrf of sessions", sha256)
        self._attempts = Attempts(control, digest(secret, b"names of attempts", sha256), clock)
        self._buckets = Buckets(limits.token_requests_per_minute, steady_clock)

    def sign_in(self, name: str, password: str, origin: Origin | None = None) -> Started:
        """A fresh session for who knows the password; Unauthorised, or Throttled after several wrong ones.

        It takes as long, and says the same, for a name that nobody has.
        """
        origin = origin or Origin()
        name = name.strip().lower()[:CHARACTERS_MAX]
        account = self.accounts.find(name)
        who = self._who(name, origin)
        self._attempts.begin(*who)
        knows = self.accounts.knows(account, password[:CHARACTERS_MAX])
        if account is None or not knows or account.disabled:
            subject = account.name if account else ""
            self.audit.note("", "session.refused", subject, address=origin.address)
            raise Unauthorised("expected a name and its password; at least one of them is wrong")
        self._attempts.succeeded(*who)
        return self.sessions.start(account, address=origin.address, agent=origin.agent)

    def sign_in_by_link(self, secret: str, password: str, name: str = "", origin: Origin | None = None) -> Started:
        """Chooses the password by a one-time link and signs in; see `Accounts.accept`."""
        origin = origin or Origin()
        account = self.accounts.accept(secret, password, name=name, address=origin.address)
        self._attempts.succeeded(self._who(account.name, origin)[0])
        return self.sessions.start(account, address=origin.address, agent=origin.agent)

    def sign_in_outside(self, vouched: Vouched, origin: Origin | None = None) -> Started:
        """A session for whom the OpenID provider vouches.

        The account is made at the first time and follows the provider's role. Conflict when the name is another's, or
        when the last owner who can sign in would lose the role.
        """
        origin = origin or Origin()
        account = self.accounts.by_outside(vouched.outside)
        by = Actor("openid", "", frozenset(), "command", address=origin.address)
        if account is None:
            if self.accounts.find(vouched.name):
                raise Conflict(
                    f"there is an account {vouched.name!r} already, which is not the provider's",
                    hint="A name belongs to one account for ever; the provider can say another one",
                )
            account = self.accounts.add(vouched.name, vouched.role, outside=vouched.outside, by=by)
        elif account.role != vouched.role and not account.disabled:
            account = self.accounts.set_role(account.name, vouched.role, extra=account.extra, by=by)
        if account.disabled:
            raise Unauthorised(f"the account {account.name!r} is disabled")
        return self.sessions.start(account, address=origin.address, agent=origin.agent)

    def enter(self, secret: str, origin: Origin | None = None) -> Started:
        """Signs in by a one-time link that asks for no password; see `Accounts.pass_for`."""
        origin = origin or Origin()
        return self.sessions.start(self.accounts.entered(secret), address=origin.address, agent=origin.agent)

    def change_password(self, account: Account, old: str, new: str, *, keep: str, origin: Origin) -> None:
        """See `Accounts.change_password`; wrong present passwords are throttled as at the door."""
        who = self._who(account.name, origin)
        self._attempts.begin(*who)
        self.accounts.change_password(account, old, new, keep=keep)
        self._attempts.succeeded(*who)

    def by_token(self, secret: str) -> Actor:
        """Who a token belongs to; Unauthorised for nobody's, Throttled when it asks too often."""
        actor = self.tokens.authenticate(secret)
        if actor is None:
            raise Unauthorised(
                "this token is not known, was revoked or has expired",
                hint="Send `Authorization: Bearer TOKEN`; make one with `cauce tokens add NAME --scope …`",
            )
        self._buckets.take(actor.token)
        return actor

    def allowance(self, actor: Actor) -> Allowance:
        """How many requests the token behind an actor has left."""
        return self._buckets.allowance(actor.token)

    def csrf_of(self, cookie: str) -> str:
        """What a form must carry for the browser that has this cookie."""
        return urlsafe_b64encode(digest(self._csrf_key, cookie.encode("utf-8", "surrogatepass"), sha256)).decode()

    def is_csrf(self, cookie: str, said: str) -> bool:
        """Whether a form carries what it must."""
        return bool(cookie) and compare_digest(self.csrf_of(cookie).encode(), said.encode("utf-8", "surrogatepass"))

    def close(self) -> None:
        self.audit.close()

    @staticmethod
    def _who(name: str, origin: Origin) -> tuple[str, ...]:
        account = f"account:{name}"
        return (account, f"address:{network_of(origin.address)}") if origin.address else (account,)
