"""Seam until the door of access is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request

from cauce.access.api import Actor

if TYPE_CHECKING:
    from cauce.app import Platform

COOKIE = "cauce_session"


class Visitor(msgspec.Struct, frozen=True):
    """Who asks, if anybody; the token that forms carry; the address that is noted in the audit trail."""

    actor: Actor | None = None
    csrf: str = ""
    address: str = ""
    session: str = ""


def visitor_of(platform: Platform, request: Request) -> Visitor:
    cookie = request.cookies.get(COOKIE, "")
    found = platform.access.sessions.find(cookie) if cookie else None
    if found is None:
        return Visitor()
    return Visitor(found[1].actor, platform.access.csrf_of(cookie))
