"""The person or machine behind a request, and what it may."""

from __future__ import annotations

from typing import Literal

import msgspec

from cauce.access.rules import PERMISSIONS
from cauce.errors import Forbidden, Unauthorised


class Actor(msgspec.Struct, frozen=True):
    """Who acts: an account in a session, a token, or somebody at the command line (who owns the files anyway).

    `name` is what stands in decisions and in the audit trail. `account` is the id of the account behind it, 0 for none;
    `token` the id of the token, `address` where on the network the request comes from.
    """

    name: str
    role: str
    permissions: frozenset[str]
    kind: Literal["account", "token", "command"] = "account"
    account: int = 0
    token: str = ""
    address: str = ""

    def may(self, permission: str) -> bool:
        assert permission in PERMISSIONS, permission
        return permission in self.permissions


def require(actor: Actor | None, permission: str) -> Actor:
    """The actor, when it may; Unauthorised when there is nobody, Forbidden when it may not."""
    if actor is None:
        raise Unauthorised("expected somebody who is signed in, or a token", hint="Sign in, or send a token as Bearer")
    if not actor.may(permission):
        raise Forbidden(
            f"{actor.name} may not do this: it needs {permission}", hint="An owner can change the role or the token"
        )
    return actor


def at_the_command_line(name: str) -> Actor:
    """Somebody with a shell on the machine: may everything, and leaves a name."""
    return Actor(name, "owner", frozenset(PERMISSIONS), "command")
