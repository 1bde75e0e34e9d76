"""Who may do what: accounts, tokens, the audit trail."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from cauce.client.types.basics import Answer, Moment, Paging, Request

Role = Annotated[str, Meta(min_length=1, max_length=63, description="A [role](../reference/roles.md).")]
Extra = Annotated[
    list[Annotated[str, Meta(max_length=63)]],
    Meta(max_length=20, description="Permissions beyond the role: people.personal, people.export, data.sql."),
]
AccountName = Annotated[str, Meta(min_length=1, max_length=63, description="Letters, digits and . _ @ + -")]


class Account(Answer, frozen=True, kw_only=True):
    """Somebody who may sign in."""

    name: str
    role: str
    extra: list[str]
    permissions: list[str]
    enabled: bool
    can_sign_in: bool
    created: Moment
    last_sign_in: Moment | None


class NewAccount(Request, frozen=True, kw_only=True):
    """An account to add."""

    name: AccountName
    role: Role
    extra: Extra = field(default_factory=list)


class AccountChange(Request, frozen=True, kw_only=True):
    """What to change of an account; what is not named stays."""

    role: Role | UnsetType = UNSET
    extra: Extra | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="Whether anybody signs in with it.")] | UnsetType = UNSET


class Invitation(Answer, frozen=True, kw_only=True):
    """An account, and the one-time link by which its owner chooses a password; the link is shown only now."""

    account: Account
    link: str
    until: Moment


class Session(Answer, frozen=True, kw_only=True):
    """One browser that an account is signed in with."""

    id: str
    started: Moment
    seen: Moment
    address: str
    agent: str


class Token(Answer, frozen=True, kw_only=True):
    """A token as it may be shown; `account` null: it belongs to a machine."""

    id: str
    name: str
    account: str | None
    scopes: list[str]
    hint: str
    created: Moment
    expires: Moment | None
    used: Moment | None
    revoked: Moment | None


class NewToken(Request, frozen=True, kw_only=True):
    """A token to make. A scope is a permission, or a role's name for all that it may."""

    name: AccountName
    scopes: Annotated[list[Annotated[str, Meta(min_length=1, max_length=63)]], Meta(min_length=1, max_length=50)]
    account: AccountName | UnsetType = UNSET
    days: Annotated[int, Meta(ge=0, le=3_650, description="Days until it expires; 0 for never.")] = 90


class MadeToken(Answer, frozen=True, kw_only=True):
    """A fresh token, and its secret, which is shown only now."""

    token: Token
    secret: str


class AuditQuery(Paging, frozen=True, kw_only=True):
    """Which entries."""

    actor: Annotated[str, Meta(max_length=200, description="Only of this account or token.")] = ""
    action: Annotated[
        str, Meta(max_length=100, description="Only this action, or its area: `person.seen`, `person`.")
    ] = ""
    subject: Annotated[str, Meta(max_length=200, description="Only about this person, source, definition …")] = ""
    after: Annotated[str, Meta(max_length=64, description="Not before this ISO moment or day.")] = ""
    before: Annotated[str, Meta(max_length=64, description="Before this ISO moment or day.")] = ""


class AuditEntry(Answer, frozen=True, kw_only=True):
    """Who did what to what, and when; never with a value of a person."""

    id: int
    happened: Moment
    actor: str
    kind: str
    action: str
    subject: str
    details: dict[str, str | int | bool]
    address: str
