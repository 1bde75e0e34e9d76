"""Sessions: who is signed in with which browser."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256

import msgspec

from cauce.access.accounts import Account, Accounts
from cauce.access.actor import Actor
from cauce.access.audit import Audit
from cauce.access.control import Control
from cauce.access.store import SESSIONS
from cauce.errors import NotFound

MICROSECONDS = 1_000_000
SEEN_SECONDS = 60
"""How coarse the moment is at which a session was last seen."""
SESSIONS_MAX = 50
"""Most sessions of one account; the oldest ends when one more begins."""
AGENT_CHARACTERS_MAX = 120


class Session(msgspec.Struct, frozen=True):
    """One browser of one account; moments in microseconds UTC. `id` names it, the cookie stays with the browser."""

    id: str
    account: int
    created: int
    seen: int
    address: str
    agent: str


class Started(msgspec.Struct, frozen=True):
    """A fresh session and the value of its cookie, given only now."""

    cookie: str
    session: Session


Listed = list[Session]


class Sessions:
    """Sessions in the control database; their cookies are kept as hashes only."""

    def __init__(
        self,
        control: Control,
        audit: Audit,
        accounts: Accounts,
        clock: Callable[[], int],
        *,
        idle_seconds: int,
        seconds_max: int,
    ) -> None:
        self._control = control
        self._audit = audit
        self._accounts = accounts
        self._clock = clock
        self._idle = idle_seconds * MICROSECONDS
        self._longest = seconds_max * MICROSECONDS

    def start(self, account: Account, *, address: str = "", agent: str = "") -> Started:
        """A session with a fresh cookie, whatever the browser had before."""
        now = self._clock()
        cookie = secrets.token_urlsafe(32)
        session = Session(
            secrets.token_hex(8), account.id, now, now, self._audit.address(address), agent[:AGENT_CHARACTERS_MAX]
        )
        with self._control.changing():
            self._control.execute(
                "delete from access_session where seen <= ? or created <= ?", now - self._idle, now - self._longest
            )
            for old in self.list(account)[SESSIONS_MAX - 1 :]:
                self._control.execute("delete from access_session where id = ?", old.id)
            row = (_hash(cookie), *msgspec.structs.astuple(session))
            self._control.upsert(SESSIONS, [row])
            self._accounts.note_sign_in(account)
            self._audit.note(account.actor, "session.started", account.name, {"session": session.id}, address=address)
        return Started(cookie, session)

    def find(self, cookie: str, *, is_use: bool = True) -> tuple[Session, Account] | None:
        """The session of a cookie and its account; None when it ended, expired or never was.

        `is_use`: somebody is there, and not only a page that refreshes itself, so the session is not idle.
        """
        if not cookie:
            return None
        rows = self._control.select(
            "select id, account, created, seen, address, agent from access_session where hash = ?", _hash(cookie)
        )
        if not rows:
            return None
        session, now = Session(*rows[0]), self._clock()
        if not self._is_living(session, now):
            return None
        account = self._accounts.by_id(session.account)
        if account is None or account.disabled:
            return None
        if is_use and now - session.seen > SEEN_SECONDS * MICROSECONDS:
            with self._control.changing(quietly=True):
                self._control.execute("update access_session set seen = ? where id = ?", now, session.id)
        return session, account

    def list(self, account: Account | None = None) -> Listed:
        """Living sessions of an account (of all: None), the latest seen first."""
        rows = self._control.select(
            "select id, account, created, seen, address, agent from access_session"
            " where (account = ? or ? = 0) order by seen desc, created desc, id",
            account.id if account else 0,
            account.id if account else 0,
        )
        now = self._clock()
        return [session for row in rows if self._is_living(session := Session(*row), now)]

    def end(self, id: str, *, account: Account | None = None, by: Actor | str = "") -> None:
        """Ends a session by its id; NotFound when it is not a session of `account` (None: of anybody)."""
        with self._control.changing():
            rows = self._control.select("select account from access_session where id = ?", id)
            if not rows or (account and rows[0][0] != account.id):
                raise NotFound(f"there is no session {id[:40]!r}")
            owner = self._accounts.by_id(rows[0][0])
            self._control.execute("delete from access_session where id = ?", id)
            self._audit.note(by, "session.ended", owner.name if owner else "", {"session": id})

    def end_all(self, account: Account, *, keep: str = "", by: Actor | str = "") -> int:
        """Ends all sessions of an account but `keep` (an id); how many."""
        with self._control.changing():
            ended = self._control.execute("delete from access_session where account = ? and id <> ?", account.id, keep)
            self._audit.note(by, "session.all_ended", account.name, {"sessions": ended})
        return ended

    def _is_living(self, session: Session, now: int) -> bool:
        return session.seen > now - self._idle and session.created > now - self._longest


def _hash(cookie: str) -> bytes:
    return sha256(cookie.encode("utf-8", "surrogatepass")).digest()
