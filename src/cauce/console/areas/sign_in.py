"""The door: sign in, choose a password by a one-time link, sign out."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from cauce.access.api import CHARACTERS_MIN, PasswordRefused, Started
from cauce.console.frame import ANYBODY, Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import (
    Busy,
    CauceError,
    Conflict,
    DefinitionInvalid,
    Forbidden,
    NotFound,
    Throttled,
    TooLarge,
    Unauthorised,
)
from cauce.http.guard import REFUSED
from cauce.http.problems import status_of

NAME = "sign_in"
NEXT_CHARACTERS_MAX = 2_000
BACK = "/sign-in/outside/back"
"""Where the OpenID provider leads back to; it must know this address."""

PASSWORD_FAULTS = {
    "short": marked("At least 12 characters, please."),
    "long": marked("At most 256 characters, please."),
    "name": marked("The password must not hold the name of the account."),
    "common": marked("Others try this password first. Three or four words that do not belong together are good."),
}


def form(visit: Visit) -> Answer:
    """Asks for name and password; leads on who is signed in already."""
    wanted = inside(visit.query.get("next", "/"))
    return Led(wanted) if visit.signed_in else _form(visit, wanted)


def sign_in(visit: Visit) -> Answer:
    """Lets in who knows the password of an account."""
    name, password = visit.form.get("name", ""), visit.form.get("password", "")
    wanted = inside(visit.form.get("next", "/"))
    try:
        started = visit.platform.access.sign_in(name, password, visit.visitor.origin)
    except Unauthorised:
        fault = visit.say("Name or password is wrong.")
        return Shown("sign_in/sign_in.html", _form(visit, wanted, name, fault), 401)
    except Throttled as throttled:
        fault = waiting(visit, throttled)
        return Shown("sign_in/sign_in.html", _form(visit, wanted, name, fault), 429)
    return entered(visit, started, wanted)


def waiting(visit: Visit, fault: Throttled) -> str:
    """How long somebody has to wait who tried too often."""
    return visit.count(
        "Too many attempts. The next one is possible in %(num)s second.",
        "Too many attempts. The next one is possible in %(num)s seconds.",
        fault.retry_after_seconds,
    )


def link(visit: Visit) -> Answer:
    """What a one-time link opens: the choice of a password, or the door itself."""
    secret = visit.query.get("key", "")
    accounts = visit.platform.access.accounts
    try:
        if accounts.purpose_of(secret) == "enter":
            return Shown("sign_in/enter.html", {"key": secret, "next": inside(visit.query.get("next", "/"))})
        invited = accounts.invited(secret)
    except NotFound:
        return Shown("sign_in/used.html", {}, 404)
    return _choice(secret, invited.name if invited else "", is_owner=invited is None)


def use_link(visit: Visit) -> Answer:
    """Uses a one-time link up and signs in."""
    secret, access = visit.form.get("key", ""), visit.platform.access
    try:
        if access.accounts.purpose_of(secret) == "enter":
            started = access.enter(secret, visit.visitor.origin)
            return entered(visit, started, inside(visit.form.get("next", "/")))
        invited = access.accounts.invited(secret)
        return _chosen(visit, secret, invited.name if invited else "", is_owner=invited is None)
    except NotFound:
        return Shown("sign_in/used.html", {}, 404)


def _chosen(visit: Visit, secret: str, name: str, *, is_owner: bool) -> Answer:
    said = name or visit.form.get("name", "")
    faults: dict[str, str] = {}
    try:
        started = visit.platform.access.sign_in_by_link(
            secret, visit.form.get("password", ""), said, visit.visitor.origin
        )
    except PasswordRefused as fault:
        faults["password"] = visit.say(PASSWORD_FAULTS[fault.fault])
    except Conflict:
        faults["name"] = visit.say("This name is taken.")
    except DefinitionInvalid:
        faults["name"] = visit.say("Letters, digits and . _ @ + - only, please.")
    else:
        return entered(visit, started, "/")
    return Shown("sign_in/choose.html", _choice(secret, said, is_owner=is_owner, faults=faults), 422)


def outside(visit: Visit) -> Answer:
    """Leads to the OpenID provider, which asks who it is."""
    provider = visit.platform.access.provider
    if provider is None:
        raise NotFound("")
    wanted = inside(visit.query.get("next", "/"))
    try:
        assert visit.visitor.csrf  # from here on the browser has a cookie, by which it is known when it comes back
        return Led(provider.begin(visit.visitor.cookie, visit.asked.base_url + BACK, wanted))
    except CauceError as fault:
        return _not_from_outside(visit, fault)


def back(visit: Visit) -> Answer:
    """Lets in whom the OpenID provider vouches for."""
    access = visit.platform.access
    if access.provider is None:
        raise NotFound("")
    try:
        vouched = access.provider.finish(visit.visitor.sent, visit.asked.base_url + BACK, dict(visit.query))
        started = access.sign_in_outside(vouched, visit.visitor.origin)
    except CauceError as fault:
        return _not_from_outside(visit, fault)
    return entered(visit, started, vouched.wanted)


def _not_from_outside(visit: Visit, fault: CauceError) -> Shown:
    visit.platform.audit.note("", "session.refused", "", {"why": fault.message}, address=visit.visitor.address)
    if isinstance(fault, Forbidden):
        said = visit.say("The provider knows you, but gives you no role here.")
    elif isinstance(fault, Conflict):
        said = visit.say("There is an account of this name already, or the last owner would be lost.")
    elif isinstance(fault, Busy):
        said = visit.say("The provider does not answer. Try again in a moment.")
    else:
        said = visit.say("The sign-in could not be confirmed. Begin again.")
    return Shown("sign_in/sign_in.html", _form(visit, "/", fault=said), status_of(fault))


def refused(visit: Visit) -> Answer:
    """Says why the guard let a form not through."""
    if visit.visitor.refusal is None:
        raise NotFound("")
    if isinstance(visit.visitor.refusal, TooLarge):
        raise TooLarge(visit.say("The form is too long."))
    if not visit.signed_in:
        return Led("/sign-in", visit.say("The page stood open for too long. Sign in and send the form again."), "warn")
    raise Forbidden(
        visit.say("This form does not come from a page that this browser has open now."),
        hint=visit.say("Open the page again and send the form once more."),
    )


def sign_out(visit: Visit) -> Answer:
    """Ends the session of this browser."""
    if visit.visitor.session:
        visit.platform.access.sessions.end(visit.visitor.session, by=visit.actor)
    visit.visitor.signs_out()
    return Led("/sign-in", visit.say("You are signed out."))


def entered(visit: Visit, started: Started, wanted: str) -> Led:
    """Leads on with a fresh session in the place of the one that the browser may have had."""
    sessions = visit.platform.access.sessions
    if visit.visitor.session:
        sessions.end(visit.visitor.session, by=visit.actor)
    visit.visitor.signs_in(started)
    account = visit.platform.access.accounts.by_id(started.session.account)
    if account and account.language and account.language != visit.words.language:
        wanted += ("&" if "?" in wanted else "?") + urlencode({"language": account.language})
    return Led(wanted)


def inside(address: str) -> str:
    """The address, when it is one of this console; the start otherwise."""
    is_plain = address.isprintable() and "\\" not in address and len(address) <= NEXT_CHARACTERS_MAX
    if not is_plain or not address.startswith("/") or address.startswith(("//", "/sign-")):
        return "/"
    return quote(address, safe="/?&=%:@+,;~!*'()$#[]")


def _form(visit: Visit, wanted: str, name: str = "", fault: str = "") -> dict[str, Any]:
    access = visit.platform.access
    return {
        "next": wanted,
        "name": name[:100],
        "fault": fault,
        "has_owner": access.accounts.has_owner,
        "provider": access.provider.host if access.provider else "",
    }


def _choice(secret: str, name: str, *, is_owner: bool, faults: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "key": secret,
        "name": name[:100],
        "is_owner": is_owner,
        "faults": faults or {},
        "characters_min": CHARACTERS_MIN,
    }


AREA = Area(
    title=marked("Sign in"),
    home="/sign-in",
    permission=ANYBODY,
    icon="key",
    pages=(
        Page("/sign-in", form, "sign_in/sign_in.html"),
        Page("/sign-in", sign_in, method="POST"),
        Page("/sign-in/link", link, "sign_in/choose.html"),
        Page("/sign-in/link", use_link, method="POST"),
        Page("/sign-in/outside", outside, "sign_in/sign_in.html"),
        Page(BACK, back, "sign_in/sign_in.html"),
        Page(REFUSED, refused, "sign_in/used.html"),
        Page("/sign-out", sign_out, method="POST"),
    ),
)
