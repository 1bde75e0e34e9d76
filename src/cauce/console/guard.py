"""Seam until the door of access is there."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request

from cauce.access.actor import Actor, at_the_command_line

if TYPE_CHECKING:
    from cauce.app import Platform

COOKIE = "cauce_key"


class Visitor(msgspec.Struct, frozen=True):
    """Who asks, if anybody; the token that forms carry; the address that is noted in the audit trail."""

    actor: Actor | None = None
    csrf: str = ""
    address: str = ""
    session: str = ""


def visitor_of(platform: Platform, request: Request) -> Visitor:
    """The session of a request's cookie, None when there is none or it ended."""
    key = request.cookies.get(COOKIE, "")
    access = platform.sources.authenticate_access(key) if key else None
    if access is None:
        return Visitor()
    token = blake2b(key.encode(), key=platform.secret[:32], digest_size=16).hexdigest()
    return Visitor(at_the_command_line(access.name), token)
