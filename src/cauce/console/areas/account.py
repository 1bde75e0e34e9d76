"""One's own account: password, language, where one is signed in, tokens."""

from __future__ import annotations

from typing import Any

from cauce.access.api import CHARACTERS_MIN, Account, Made, PasswordRefused
from cauce.console.areas import account_parts as parts
from cauce.console.areas.access_words import ROLE_TEXTS
from cauce.console.areas.sign_in import PASSWORD_FAULTS, waiting
from cauce.console.catalogues import catalogues
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import Throttled, Unauthorised

NAME = "account"
HOME = "/account"
LANGUAGE_NAMES = {"es": "Español", "en": "English"}


def own(visit: Visit) -> Account:
    """The account of who asks; tokens have no pages."""
    account = visit.visitor.account
    if account is None:
        raise Unauthorised("expected somebody who is signed in")
    return account


def account(visit: Visit) -> Answer:
    return _shown(visit)


def _shown(
    visit: Visit,
    faults: dict[str, str] | None = None,
    made: Made | None = None,
    token_faults: dict[str, str] | None = None,
) -> dict[str, Any]:
    mine = own(visit)
    return {
        "account": mine,
        "role_name": visit.words.role(mine.role),
        "role_text": visit.say(ROLE_TEXTS[mine.role]),
        "permissions": parts.permissions(visit, mine.actor),
        "faults": faults or {},
        "characters_min": CHARACTERS_MIN,
        "sessions": parts.sessions(visit, mine),
        "tokens": parts.tokens(visit, visit.platform.access.tokens.list(mine)),
        "token_form": parts.token_form(visit, token_faults),
        "made": made,
        "spoken": [
            ("", visit.say("As the browser says")),
            *((code, LANGUAGE_NAMES.get(code, code)) for code in catalogues()),
        ],
    }


def change_password(visit: Visit) -> Answer:
    mine, access = own(visit), visit.platform.access
    try:
        access.change_password(
            mine,
            visit.form.get("old", ""),
            visit.form.get("new", ""),
            keep=visit.visitor.session,
            origin=visit.visitor.origin,
        )
    except Unauthorised:
        faults = {"old": visit.say("This is not the present password.")}
    except PasswordRefused as fault:
        faults = {"new": visit.say(PASSWORD_FAULTS[fault.fault])}
    except Throttled as fault:
        return Shown("account/account.html", _shown(visit, {"old": waiting(visit, fault)}), 429)
    else:
        return Led(HOME, visit.say("The password is changed. Other browsers are signed out."))
    return Shown("account/account.html", _shown(visit, faults), 422)


def change_language(visit: Visit) -> Answer:
    chosen = visit.form.get("language", "")
    if chosen not in catalogues():
        chosen = ""
    visit.platform.access.accounts.set_language(own(visit), chosen)
    return Led(f"{HOME}?language={chosen}" if chosen else HOME, visit.say("Saved."))


def end_session(visit: Visit) -> Answer:
    visit.platform.access.sessions.end(visit.form.get("id", ""), account=own(visit), by=visit.actor)
    return Led(HOME, visit.say("That browser is signed out."))


def end_others(visit: Visit) -> Answer:
    ended = visit.platform.access.sessions.end_all(own(visit), keep=visit.visitor.session, by=visit.actor)
    return Led(HOME, visit.count("%(num)s browser is signed out.", "%(num)s browsers are signed out.", ended))


def add_token(visit: Visit) -> Answer:
    made = parts.token_made(visit, own(visit))
    if isinstance(made, Made):
        return Shown("account/account.html", _shown(visit, made=made))
    return Shown("account/account.html", _shown(visit, token_faults=made), 422)


def revoke_token(visit: Visit) -> Answer:
    visit.platform.access.tokens.revoke(visit.form.get("id", ""), account=own(visit), by=visit.actor)
    return Led(HOME, visit.say("The token is revoked."))


AREA = Area(
    title=marked("My account"),
    home=HOME,
    icon="person",
    pages=(
        Page(HOME, account, "account/account.html"),
        Page(f"{HOME}/password", change_password, method="POST"),
        Page(f"{HOME}/language", change_language, method="POST"),
        Page(f"{HOME}/sessions/end", end_session, method="POST"),
        Page(f"{HOME}/sessions/end-others", end_others, method="POST"),
        Page(f"{HOME}/tokens", add_token, method="POST"),
        Page(f"{HOME}/tokens/revoke", revoke_token, method="POST"),
    ),
)
