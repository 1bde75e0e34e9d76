"""All accounts and the tokens of machines: for owners."""

from __future__ import annotations

from typing import Any

from cauce.access.api import GRANTABLE, ROLES, Account, Made
from cauce.console.areas import account_parts as parts
from cauce.console.areas.access_words import PERMISSION_TEXTS, ROLE_TEXTS
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import Conflict, DefinitionInvalid, NotFound

NAME = "accounts"
HOME = "/accounts"


def accounts(visit: Visit) -> Answer:
    return _all(visit)


def _all(visit: Visit) -> dict[str, Any]:
    found = visit.platform.access.accounts.list()
    return {
        "rows": [_row(visit, account) for account in found],
        "tokens": parts.tokens(visit, visit.platform.access.tokens.list_of_machines()),
        "token_form": parts.token_form(visit),
        "made": None,
    }


def _row(visit: Visit, account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "role": visit.words.role(account.role),
        "extra": [visit.say(PERMISSION_TEXTS[name]) for name in account.extra],
        "created": account.created,
        "signed_in": account.signed_in,
        "state": _state(account),
        "is_mine": account.id == visit.actor.account,
    }


def _state(account: Account) -> str:
    if account.disabled:
        return "disabled"
    return "active" if account.can_sign_in else "invited"


def new(visit: Visit) -> Answer:
    return _form(visit)


def _form(visit: Visit, faults: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "name": visit.form.get("name", "")[:63],
        "role": visit.form.get("role", "steward"),
        "roles": [(role, visit.words.role(role), visit.say(ROLE_TEXTS[role])) for role in ROLES],
        "grants": _grants(visit, visit.form.getlist("extra")),
        "faults": faults or {},
    }


def _grants(visit: Visit, held: Any) -> list[tuple[str, str, bool]]:
    return [(name, visit.say(PERMISSION_TEXTS[name]), name in held) for name in sorted(GRANTABLE)]


def add(visit: Visit) -> Answer:
    """Makes the account and shows its link, once."""
    role, extra = visit.form.get("role", ""), visit.form.getlist("extra")
    try:
        account = visit.platform.access.accounts.add(visit.form.get("name", ""), role, extra=extra, by=visit.actor)
    except Conflict:
        faults = {"name": visit.say("This name is taken.")}
    except DefinitionInvalid:
        if role in ROLES and set(extra) <= GRANTABLE:
            faults = {"name": visit.say("Letters, digits and . _ @ + - only, please.")}
        else:
            faults = {"role": visit.say("Choose a role.")}
    else:
        return _invited(visit, account)
    return Shown("accounts/new.html", _form(visit, faults), 422)


def _invited(visit: Visit, account: Account) -> Shown:
    link = visit.platform.access.accounts.invite(account.name, by=visit.actor)
    address = f"{visit.asked.base_url}/sign-in/link?key={link.secret}"
    return Shown("accounts/invited.html", {"account": account, "address": address, "expires": link.expires})


def one(visit: Visit) -> Answer:
    """One account: role, sessions, tokens."""
    return _one(visit, _asked(visit))


def _asked(visit: Visit) -> Account:
    number = visit.path["id"]
    account = visit.platform.access.accounts.by_id(int(number)) if len(number) < 10 else None
    if account is None:
        raise NotFound(visit.say("There is no such account"))
    return account


def _one(visit: Visit, account: Account) -> dict[str, Any]:
    return {
        "account": account,
        "state": _state(account),
        "is_mine": account.id == visit.actor.account,
        "role_name": visit.words.role(account.role),
        "role_text": visit.say(ROLE_TEXTS[account.role]),
        "roles": [(role, visit.words.role(role)) for role in ROLES],
        "grants": _grants(visit, account.extra),
        "permissions": parts.permissions(visit, account.actor),
        "sessions": parts.sessions(visit, account),
        "tokens": parts.tokens(visit, visit.platform.access.tokens.list(account)),
    }


def set_role(visit: Visit) -> Answer:
    account, extra = _asked(visit), visit.form.getlist("extra")
    visit.platform.access.accounts.set_role(account.name, visit.form.get("role", ""), extra=extra, by=visit.actor)
    return _back(account, visit.say("Saved."))


def invite(visit: Visit) -> Answer:
    return _invited(visit, _asked(visit))


def disable(visit: Visit) -> Answer:
    account = visit.platform.access.accounts.disable(_asked(visit).name, by=visit.actor)
    return _back(account, visit.say("%(name)s cannot sign in any more.", name=account.name))


def enable(visit: Visit) -> Answer:
    account = visit.platform.access.accounts.enable(_asked(visit).name, by=visit.actor)
    return _back(account, visit.say("%(name)s can sign in again.", name=account.name))


def end_session(visit: Visit) -> Answer:
    account = _asked(visit)
    visit.platform.access.sessions.end(visit.form.get("id", ""), account=account, by=visit.actor)
    return _back(account, visit.say("That browser is signed out."))


def end_all(visit: Visit) -> Answer:
    account = _asked(visit)
    ended = visit.platform.access.sessions.end_all(account, by=visit.actor)
    told = visit.count("%(num)s browser is signed out.", "%(num)s browsers are signed out.", ended)
    return _back(account, told)


def revoke_token(visit: Visit) -> Answer:
    account = _asked(visit)
    visit.platform.access.tokens.revoke(visit.form.get("id", ""), account=account, by=visit.actor)
    return _back(account, visit.say("The token is revoked."))


def _back(account: Account, note: str) -> Led:
    return Led(f"{HOME}/{account.id}", note)


# -- tokens of machines ---------------------------------------------------------------------------------------------


def add_machine_token(visit: Visit) -> Answer:
    made = parts.token_made(visit, None)
    shown = _all(visit)
    if isinstance(made, Made):
        return Shown("accounts/accounts.html", {**shown, "made": made})
    return Shown("accounts/accounts.html", {**shown, "token_form": parts.token_form(visit, made)}, 422)


def revoke_machine_token(visit: Visit) -> Answer:
    visit.platform.access.tokens.revoke(visit.form.get("id", ""), by=visit.actor)
    return Led(HOME, visit.say("The token is revoked."))


AREA = Area(
    title=marked("Accounts"),
    home=HOME,
    permission="accounts.write",
    icon="accounts",
    place=80,
    pages=(
        Page(HOME, accounts, "accounts/accounts.html"),
        Page(f"{HOME}/new", new, "accounts/new.html"),
        Page(f"{HOME}/new", add, method="POST"),
        Page(f"{HOME}/tokens", add_machine_token, method="POST"),
        Page(f"{HOME}/tokens/revoke", revoke_machine_token, method="POST"),
        Page(HOME + "/{id:int}", one, "accounts/one.html"),
        Page(HOME + "/{id:int}/role", set_role, method="POST"),
        Page(HOME + "/{id:int}/invite", invite, method="POST"),
        Page(HOME + "/{id:int}/disable", disable, method="POST"),
        Page(HOME + "/{id:int}/enable", enable, method="POST"),
        Page(HOME + "/{id:int}/sessions/end", end_session, method="POST"),
        Page(HOME + "/{id:int}/sessions/end-all", end_all, method="POST"),
        Page(HOME + "/{id:int}/tokens/revoke", revoke_token, method="POST"),
    ),
)
