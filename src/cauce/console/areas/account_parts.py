"""What the pages of one's own account and of all accounts have in common: sessions, tokens, permissions as rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cauce.access.api import PERMISSIONS, Account, Actor, Made, Token
from cauce.console.areas.access_words import PERMISSION_TEXTS
from cauce.console.visit import Visit
from cauce.errors import Conflict, DefinitionInvalid, Forbidden

DAYS = (30, 90, 365, 0)
DAYS_DEFAULT = 90
_BROWSERS = re.compile(r"(Edg|OPR|Firefox|Chrome|Safari)[A-Za-z]*/(\d+)")
_SYSTEMS = re.compile(r"Android|iPhone|iPad|Windows|Mac OS X|Linux(?!; Android)")
_CALLED = {"Edg": "Edge", "OPR": "Opera", "Mac OS X": "macOS"}


def browser_of(agent: str) -> str:
    """A browser's name for itself as people know it: *Firefox 145, Linux*; cut when it is no browser."""
    found, system = _BROWSERS.findall(agent), _SYSTEMS.search(agent)
    if not found:
        return agent[:40]
    # Each browser also names the ones that it imitates; its own name is the rarest.
    name, version = min(found, key=lambda each: ("Edg", "OPR", "Firefox", "Chrome", "Safari").index(each[0]))
    shown = f"{_CALLED.get(name, name)} {version}"
    return f"{shown}, {_CALLED.get(system[0], system[0])}" if system else shown


def sessions(visit: Visit, account: Account) -> list[dict[str, Any]]:
    """Living sessions of an account, this one first."""
    found = visit.platform.access.sessions.list(account)
    return [
        {
            "id": session.id,
            "browser": browser_of(session.agent),
            "address": session.address,
            "created": session.created,
            "seen": session.seen,
            "is_this": session.id == visit.visitor.session,
        }
        for session in sorted(found, key=lambda each: each.id != visit.visitor.session)
    ]


def tokens(visit: Visit, found: Iterable[Token]) -> list[dict[str, Any]]:
    """Living tokens as rows."""
    return [
        {
            "id": token.id,
            "name": token.name,
            "hint": token.hint,
            "scopes": [(scope, visit.say(PERMISSION_TEXTS[scope])) for scope in token.scopes],
            "created": token.created,
            "expires": token.expires,
            "used": token.used,
        }
        for token in found
        if not token.revoked
    ]


def permissions(visit: Visit, actor: Actor) -> list[tuple[str, str]]:
    """(permission, what it lets one do) of somebody, in the order of the table."""
    return [(name, visit.say(PERMISSION_TEXTS[name])) for name in PERMISSIONS if actor.may(name)]


def token_form(visit: Visit, faults: dict[str, str] | None = None) -> dict[str, Any]:
    """What the form for a new token shows: one can give only what one has."""
    chosen = visit.form.getlist("scope")
    days = visit.form.get("days", str(DAYS_DEFAULT))
    options = [
        (str(count), visit.count("%(num)s day", "%(num)s days", count) if count else visit.say("for ever"))
        for count in DAYS
    ]
    return {
        "name": visit.form.get("name", "")[:63] if faults else "",
        "scopes": [(name, text, bool(faults) and name in chosen) for name, text in permissions(visit, visit.actor)],
        "days": days if days in dict(options) else str(DAYS_DEFAULT),
        "options": options,
        "faults": faults or {},
    }


def token_made(visit: Visit, account: Account | None) -> Made | dict[str, str]:
    """A new token of the form's fields, or what is wrong with them by field."""
    scopes, days = visit.form.getlist("scope"), visit.form.get("days", "")
    if not scopes:
        return {"scope": visit.say("Choose at least one thing that it may do.")}
    if days not in map(str, DAYS):
        return {"days": visit.say("Choose how long it works.")}
    try:
        return visit.platform.access.tokens.add(
            visit.form.get("name", ""), scopes, account=account, days=int(days), by=visit.actor
        )
    except Conflict:
        return {"name": visit.say("This name is taken.")}
    except Forbidden:
        return {"scope": visit.say("Only what you may do yourself, please.")}
    except DefinitionInvalid:
        return {"name": visit.say("Letters, digits and . _ @ + - only, please.")}
