"""Accounts, tokens and the audit trail: who may do what, and who did."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from cauce.access.api import Account, Actor, Entry, Filter, Session, Token, permissions_of
from cauce.client.types import accounts as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.errors import Conflict, DefinitionInvalid, Forbidden, NotFound
from cauce.http.api import moments
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_after

INVITATION = "/sign-in/link?key="
"""Where the console takes an invitation; the caller puts the address of the installation before it."""


def account_of(account: Account) -> types.Account:
    return types.Account(
        name=account.name,
        role=account.role,
        extra=list(account.extra),
        permissions=sorted(account.actor.permissions),
        enabled=not account.disabled,
        can_sign_in=account.can_sign_in,
        created=told(account.created),
        last_sign_in=told_if_any(account.signed_in),
    )


def list_(call: Call[Paging, None]) -> Page[types.Account]:
    return page_after(call, call.platform.access.accounts.list(), lambda account: account.name, account_of)


def get(call: AnyCall) -> types.Account:
    return account_of(call.platform.access.accounts.get(call.path["account"]))


def add(call: Call[Nothing, types.NewAccount]) -> types.Invitation:
    accounts, body = call.platform.access.accounts, call.body
    within(call.actor, permissions_of(body.role, body.extra))
    accounts.add(body.name, body.role, extra=body.extra, by=call.actor)
    return invitation_of(call, body.name)


def change(call: Call[Nothing, types.AccountChange]) -> types.Account:
    accounts, body, name = call.platform.access.accounts, call.body, call.path["account"]
    account = accounts.get(name)
    if body.role is not UNSET or body.extra is not UNSET:
        role = account.role if body.role is UNSET else body.role
        extra = account.extra if body.extra is UNSET else body.extra
        within(call.actor, account.actor.permissions | permissions_of(role, extra))
        account = accounts.set_role(name, role, extra=extra, by=call.actor)
    if body.enabled is not UNSET:
        switch = accounts.enable if body.enabled else accounts.disable
        account = switch(name, by=call.actor)
    return account_of(account)


def invite(call: Call[Nothing, None]) -> types.Invitation:
    return invitation_of(call, call.path["account"])


def invitation_of(call: AnyCall, name: str) -> types.Invitation:
    accounts = call.platform.access.accounts
    within(call.actor, accounts.get(name).actor.permissions)
    link = accounts.invite(name, by=call.actor)
    return types.Invitation(
        account=account_of(accounts.get(name)), link=INVITATION + link.secret, until=told(link.expires)
    )


def sessions(call: Call[Nothing, None]) -> Page[types.Session]:
    access = call.platform.access
    found = access.sessions.list(access.accounts.get(call.path["account"]))
    return Page(items=[session_of(session) for session in found], cursor="")


def session_of(session: Session) -> types.Session:
    return types.Session(
        id=session.id,
        started=told(session.created),
        seen=told(session.seen),
        address=session.address,
        agent=session.agent,
    )


def end_sessions(call: Call[Nothing, None]) -> None:
    access = call.platform.access
    access.sessions.end_all(access.accounts.get(call.path["account"]), by=call.actor)


def within(actor: Actor, permissions: frozenset[str]) -> None:
    """Forbidden when somebody would give, by a role or an invitation, what they do not have themselves."""
    if beyond := sorted(permissions - actor.permissions):
        raise Forbidden(f"{actor.name} may not give what it does not have: {', '.join(beyond)}")


# --- tokens --------------------------------------------------------------------------------------------------------


def token_of(call: AnyCall, token: Token) -> types.Token:
    account = call.platform.access.accounts.by_id(token.account) if token.account else None
    return types.Token(
        id=token.id,
        name=token.name,
        account=account.name if account else None,
        scopes=list(token.scopes),
        hint=token.hint,
        created=told(token.created),
        expires=told_if_any(token.expires),
        used=told_if_any(token.used),
        revoked=told_if_any(token.revoked),
    )


def tokens(call: Call[Paging, None]) -> Page[types.Token]:
    found = call.platform.access.tokens.list()
    return page_after(call, found, lambda token: token.id, lambda token: token_of(call, token))


def make_token(call: Call[Nothing, types.NewToken]) -> types.MadeToken:
    body, access = call.body, call.platform.access
    account = None if body.account is UNSET else access.accounts.get(body.account)
    made = access.tokens.add(body.name, body.scopes, account=account, days=body.days, by=call.actor)
    return types.MadeToken(token=token_of(call, made.token), secret=made.secret)


def revoke_token(call: Call[Nothing, None]) -> None:
    call.platform.access.tokens.revoke(call.path["token"], by=call.actor)


# --- the audit trail -----------------------------------------------------------------------------------------------


def audit(call: Call[types.AuditQuery, None]) -> Page[types.AuditEntry]:
    query = call.query
    wanted = Filter(
        query.actor,
        query.action,
        query.subject,
        moments.read(query.after, "after") if query.after else 0,
        moments.read(query.before, "before") if query.before else 0,
    )
    cursor = int(call.place[0]) if call.place else 0
    page = call.platform.audit.entries(wanted, cursor=cursor, limit=query.limit)
    items = [entry_of(entry) for entry in page.entries]
    return Page(items=items, cursor=call.cursor_at((page.cursor,)) if page.cursor else "")


def entry_of(entry: Entry) -> types.AuditEntry:
    return types.AuditEntry(
        id=entry.id,
        happened=told(entry.happened),
        actor=entry.actor,
        kind=entry.kind,
        action=entry.action,
        subject=entry.subject,
        details=entry.details,
        address=entry.address,
    )


def _row(name: str, method: Any, path: str, summary: str, handle: Any, **more: Any) -> Operation:
    """An operation about accounts or tokens; what it changes is noted by the accounts and tokens themselves."""
    return Operation(
        name=name, method=method, path=path, summary=summary, permission="accounts.write", handle=handle, **more
    )


OPERATIONS = (
    _row("accounts.list", "GET", "/v1/accounts", "List the accounts", list_, query=Paging, answer=Page[types.Account]),
    _row(
        "accounts.add",
        "POST",
        "/v1/accounts",
        "Add an account",
        add,
        description="The invitation is a one-time link, shown only now, by which its owner chooses a password.",
        body=types.NewAccount,
        answer=types.Invitation,
        status=201,
        errors=(Conflict, DefinitionInvalid),
        kept="fact",
        lane="write",
        example={"name": "ana", "role": "steward"},
    ),
    _row(
        "accounts.get",
        "GET",
        "/v1/accounts/{account}",
        "Get an account",
        get,
        answer=types.Account,
        errors=(NotFound,),
        guard=get,
    ),
    _row(
        "accounts.change",
        "PATCH",
        "/v1/accounts/{account}",
        "Change an account",
        change,
        description="Its role, what it may beyond it, and whether anybody signs in with it. The last owner stays.",
        body=types.AccountChange,
        answer=types.Account,
        errors=(NotFound, Conflict, DefinitionInvalid),
        kept="answer",
        lane="write",
        guard=get,
        example={"role": "analyst"},
    ),
    _row(
        "accounts.invite",
        "POST",
        "/v1/accounts/{account}/invitation",
        "Invite an account again",
        invite,
        description="A one-time link in the place of an earlier one; the password is chosen anew by it.",
        answer=types.Invitation,
        status=201,
        errors=(NotFound, Conflict),
        kept="fact",
        lane="write",
    ),
    _row(
        "accounts.sessions",
        "GET",
        "/v1/accounts/{account}/sessions",
        "List the browsers that an account is signed in with",
        sessions,
        answer=Page[types.Session],
        errors=(NotFound,),
    ),
    _row(
        "accounts.end_sessions",
        "DELETE",
        "/v1/accounts/{account}/sessions",
        "Sign an account out everywhere",
        end_sessions,
        status=204,
        errors=(NotFound,),
        kept="answer",
        lane="write",
    ),
    _row("tokens.list", "GET", "/v1/tokens", "List the tokens", tokens, query=Paging, answer=Page[types.Token]),
    _row(
        "tokens.make",
        "POST",
        "/v1/tokens",
        "Make a token",
        make_token,
        description="For a machine, or for an account, which it never exceeds; nor does it exceed who makes it. The "
        "secret is shown only now.",
        body=types.NewToken,
        answer=types.MadeToken,
        status=201,
        errors=(NotFound, Conflict, DefinitionInvalid, Forbidden),
        kept="fact",
        lane="write",
        example={"name": "reports", "scopes": ["status.read", "people.read"], "days": 90},
    ),
    _row(
        "tokens.revoke",
        "DELETE",
        "/v1/tokens/{token}",
        "Revoke a token",
        revoke_token,
        status=204,
        errors=(NotFound, Conflict),
        kept="answer",
        lane="write",
    ),
    Operation(
        name="audit.list",
        method="GET",
        path="/v1/audit",
        summary="Read the audit trail",
        description="Who looked at whom, and who did what; newest first. It never holds a value of a person.",
        permission="audit.read",
        handle=audit,
        query=types.AuditQuery,
        answer=Page[types.AuditEntry],
        parameters={"action": "person", "after": "2026-11-20"},
    ),
)
