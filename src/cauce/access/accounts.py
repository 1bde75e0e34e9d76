"""Accounts of people: names, roles, passwords, and the links by which they come in the first time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import msgspec

from cauce.access import passwords
from cauce.access.actor import Actor
from cauce.access.audit import Audit
from cauce.access.control import Control
from cauce.access.passwords import Passwords
from cauce.access.rules import account_name, permissions_of
from cauce.access.store import ACCOUNTS, LINKS
from cauce.errors import Conflict, NotFound, Unauthorised
from cauce.model.time import HOUR, MINUTE
from cauce.registry import nearest

CHOOSE, ENTER = "choose", "enter"
"""What a link opens: the choice of a password, or the door itself."""
PASS_MINUTES = 60
ACCOUNTS_MAX = 10_000

_COLUMNS = "id, name, role, extra, created, disabled, language, signed_in, password <> '', outside"


class Account(msgspec.Struct, frozen=True):
    """Somebody who may sign in; moments in microseconds UTC, 0 for never. `extra`: permissions beyond the role."""

    id: int
    name: str
    role: str
    extra: tuple[str, ...]
    created: int
    disabled: int = 0
    language: str = ""
    signed_in: int = 0
    has_password: bool = False
    outside: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.role, permissions_of(self.role, self.extra), "account", self.id)

    @property
    def can_sign_in(self) -> bool:
        return not self.disabled and (self.has_password or bool(self.outside))


class Link(msgspec.Struct, frozen=True):
    """A link's secret part, shown once, and until when it works (microseconds UTC)."""

    secret: str
    expires: int


Listed = list[Account]


class Accounts:
    """Accounts in the control database. `by` is who changes something: an Actor or a name."""

    def __init__(
        self, control: Control, audit: Audit, hashing: Passwords, clock: Callable[[], int], link_hours: int
    ) -> None:
        self._control = control
        self._audit = audit
        self._passwords = hashing
        self._clock = clock
        self._link_hours = link_hours

    # -- asking -------------------------------------------------------------------------------------------------

    def list(self) -> Listed:
        """All accounts by name."""
        return self._found("order by name")

    def get(self, name: str) -> Account:
        """The account of that name; NotFound with the nearest name when there is none."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"no account is named {name!r}", hint=nearest(name, [one.name for one in self.list()]))
        return found

    def find(self, name: str) -> Account | None:
        found = self._found("where name = ?", name.strip().lower())
        return found[0] if found else None

    def by_id(self, number: int) -> Account | None:
        found = self._found("where id = ?", number)
        return found[0] if found else None

    def by_outside(self, outside: str) -> Account | None:
        """The account that an OIDC provider's subject belongs to."""
        found = self._found("where outside = ?", outside) if outside else []
        return found[0] if found else None

    @property
    def has_owner(self) -> bool:
        """Whether an owner can sign in."""
        return any(one.can_sign_in for one in self._found("where role = ?", "owner"))

    # -- telling ------------------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        role: str,
        *,
        extra: Iterable[str] = (),
        password: str = "",
        outside: str = "",
        by: Actor | str = "",
    ) -> Account:
        """A new account; without a password it comes in by an invitation. Conflict when the name is taken."""
        name, extra = account_name(name), tuple(sorted(set(extra)))
        permissions_of(role, extra)
        hashed = self._hashed(password, name) if password else ""
        with self._control.changing():
            if self.find(name):
                raise Conflict(f"there is an account {name!r} already")
            if len(self.list()) >= ACCOUNTS_MAX:
                raise Conflict(f"there are {ACCOUNTS_MAX} accounts, which is the most")
            number = self._control.next_id(ACCOUNTS)
            row = (number, name, role, _json(extra), hashed, self._clock(), 0, "", outside, 0)
            self._control.upsert(ACCOUNTS, [row])
            self._audit.note(by, "account.added", name, {"role": role, "extra": ", ".join(extra)})
        return self.get(name)

    def set_role(self, name: str, role: str, *, extra: Iterable[str] = (), by: Actor | str = "") -> Account:
        """The account with another role and what it is allowed beyond it. Conflict for the last owner."""
        extra = tuple(sorted(set(extra)))
        permissions_of(role, extra)
        with self._control.changing():
            account = self.get(name)
            if role != "owner":
                self._not_the_last_owner(account)
            self._control.execute("update account set role = ?, extra = ? where id = ?", role, _json(extra), account.id)
            details = {"before": account.role, "role": role, "extra": ", ".join(extra)}
            self._audit.note(by, "account.role_changed", account.name, details)
        return self.get(name)

    def disable(self, name: str, *, by: Actor | str = "") -> Account:
        """Nobody signs in with it any more; its sessions and tokens end. Conflict for the last owner."""
        with self._control.changing():
            account = self.get(name)
            self._not_the_last_owner(account)
            self._control.execute("update account set disabled = ? where id = ?", self._clock(), account.id)
            self._control.execute("delete from access_session where account = ?", account.id)
            self._control.execute("delete from access_link where account = ?", account.id)
            self._audit.note(by, "account.disabled", account.name)
        return self.get(name)

    def enable(self, name: str, *, by: Actor | str = "") -> Account:
        with self._control.changing():
            account = self.get(name)
            self._control.execute("update account set disabled = 0 where id = ?", account.id)
            self._audit.note(by, "account.enabled", account.name)
        return self.get(name)

    def set_language(self, account: Account, language: str) -> None:
        """The language of the console for this account, "" for the browser's."""
        with self._control.changing():
            self._control.execute("update account set language = ? where id = ?", language[:35], account.id)

    def change_password(self, account: Account, old: str, new: str, *, keep: str = "") -> None:
        """A new password for who knows the old one; all its sessions but `keep` (an id) end. Unauthorised if wrong."""
        if not self.knows(account, old):
            raise Unauthorised("expected the present password, got another one")
        hashed = self._hashed(new, account.name)
        with self._control.changing():
            self._control.execute("update account set password = ? where id = ?", hashed, account.id)
            self._control.execute("delete from access_session where account = ? and id <> ?", account.id, keep)
            self._audit.note(account.actor, "account.password_changed", account.name)

    def knows(self, account: Account | None, password: str) -> bool:
        """Whether it is the account's password; as slow for nobody's. Hashes it anew when the parameters are old."""
        rows = self._control.select("select password from account where id = ?", account.id if account else 0)
        stored = str(rows[0][0]) if rows else ""
        if not self._passwords.matches(stored, password):
            return False
        if account and self._passwords.is_old(stored):
            renewed = self._passwords.hash(password)
            with self._control.changing():
                # Only if nobody has changed it in between.
                self._control.execute(
                    "update account set password = ? where id = ? and password = ?", renewed, account.id, stored
                )
        return True

    def note_sign_in(self, account: Account) -> None:
        with self._control.changing():
            self._control.execute("update account set signed_in = ? where id = ?", self._clock(), account.id)

    # -- links --------------------------------------------------------------------------------------------------

    def first_link(self) -> Link | None:
        """A link for the owner to be, in place of an earlier one; None when an owner can sign in."""
        with self._control.changing():
            return None if self.has_owner else self._new_link(0, CHOOSE, self._link_hours * HOUR)

    def invite(self, name: str, *, by: Actor | str = "") -> Link:
        """A link by which the account chooses a (new) password, in place of an earlier link."""
        with self._control.changing():
            account = self.get(name)
            if account.disabled:
                raise Conflict(f"the account {account.name!r} is disabled", hint="Enable it first")
            link = self._new_link(account.id, CHOOSE, self._link_hours * HOUR)
            self._audit.note(by, "account.invited", account.name)
        return link

    def pass_for(self, name: str, *, by: Actor | str = "") -> Link:
        """A link that signs in once without a password, within `PASS_MINUTES`, for the demo."""
        with self._control.changing():
            account = self.get(name)
            link = self._new_link(account.id, ENTER, PASS_MINUTES * MINUTE)
            self._audit.note(by, "account.pass_made", account.name)
        return link

    def entered(self, secret: str) -> Account:
        """Uses up a link of `pass_for`; NotFound when it does not work (any more)."""
        with self._control.changing():
            account = self.by_id(self._account_of(secret, ENTER))
            if account is None or account.disabled:
                raise NotFound("this link is of an account that is disabled")
            self._control.execute("update access_link set used = ? where hash = ?", self._clock(), _hash(secret))
        return account

    def purpose_of(self, secret: str) -> str:
        """What a link opens: `choose` a password, or `enter`; NotFound when it was used, is old or is none."""
        rows = self._control.select(
            "select purpose from access_link where hash = ? and used = 0 and expires > ?", _hash(secret), self._clock()
        )
        if not rows:
            raise NotFound("this link was used, has expired, or never was one", hint="Ask for a new one")
        return str(rows[0][0])

    def invited(self, secret: str) -> Account | None:
        """Whom the link is for, None for the owner to be; NotFound when it was used, is old or is none."""
        number = self._account_of(secret)
        return self.by_id(number) if number else None

    def accept(self, secret: str, password: str, *, name: str = "", address: str = "") -> Account:
        """Uses the link up: the account has this password from now on, and no other session.

        The owner to be chooses a `name`. NotFound for a link that does not work (any more).
        """
        invited = self.invited(secret)
        name = invited.name if invited else account_name(name)
        hashed = self._hashed(password, name)
        with self._control.changing():
            number = self._account_of(secret)  # again: another process may have been quicker
            self._control.execute("update access_link set used = ? where hash = ?", self._clock(), _hash(secret))
            if number:
                self._control.execute("update account set password = ? where id = ?", hashed, number)
                self._control.execute("delete from access_session where account = ?", number)
            else:
                self._become_owner(name, hashed, address)
            account = self.get(name)
            self._audit.note(account.actor, "account.password_chosen", account.name, address=address)
        return account

    def _become_owner(self, name: str, hashed: str, address: str) -> None:
        if self.has_owner:
            raise Conflict("there is an owner already", hint="Ask for an invitation")
        known = self.find(name)
        if known and known.role != "owner":
            raise Conflict(f"there is an account {name!r} already", hint="Choose another name")
        number = known.id if known else self._control.next_id(ACCOUNTS)
        row = (number, name, "owner", "[]", hashed, self._clock(), 0, "", "", 0)
        self._control.upsert(ACCOUNTS, [row])
        self._audit.note(self.get(name).actor, "account.added", name, {"role": "owner"}, address=address)

    def _new_link(self, account: int, purpose: str, microseconds: int) -> Link:
        now = self._clock()
        link = Link(secrets.token_urlsafe(32), now + microseconds)
        self._control.execute("delete from access_link where account = ? or expires < ?", account, now)
        self._control.upsert(LINKS, [(_hash(link.secret), account, purpose, now, link.expires, 0)])
        return link

    def _account_of(self, secret: str, purpose: str = CHOOSE) -> int:
        if self.purpose_of(secret) != purpose:
            raise NotFound(f"this link does not let one {purpose}", hint="Open it in a browser")
        return int(self._control.select("select account from access_link where hash = ?", _hash(secret))[0][0])

    # -- inside -------------------------------------------------------------------------------------------------

    def _hashed(self, password: str, name: str) -> str:
        passwords.check(password, name=name)
        return self._passwords.hash(password)

    def _not_the_last_owner(self, account: Account) -> None:
        others = [one for one in self._found("where role = ?", "owner") if one.can_sign_in and one.id != account.id]
        if account.role == "owner" and not others:
            raise Conflict(
                f"{account.name!r} is the last owner who can sign in", hint="Make somebody else an owner first"
            )

    def _found(self, rest: str, *parameters: Any) -> Listed:
        rows = self._control.select(f"select {_COLUMNS} from account {rest}", *parameters)
        return [
            Account(
                id=row[0],
                name=row[1],
                role=row[2],
                extra=tuple(msgspec.json.decode(row[3], type=list[str])),
                created=row[4],
                disabled=row[5],
                language=row[6],
                signed_in=row[7],
                has_password=bool(row[8]),
                outside=row[9],
            )
            for row in rows
        ]


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _json(extra: tuple[str, ...]) -> str:
    return msgspec.json.encode(extra).decode()
