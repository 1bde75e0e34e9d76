"""An installation in which a steward is needed."""

from __future__ import annotations

import json

from cauce.app import Platform
from cauce.model import Source


def tell(platform: Platform, number: int, **call: object) -> None:
    """One `identify` of the source `crm`."""
    stamped = {"type": "identify", "messageId": f"i{number}", "timestamp": f"2026-03-01T10:{number:02}:00Z", **call}
    platform.append("crm", "tracking", [json.dumps({"batch": [stamped]}).encode()])


def fill(platform: Platform) -> None:
    """Two accounts that one e-mail names, where a person has one account: somebody must say whether they are one."""
    platform.sources.add(Source("crm", "crm"))
    rules = {"kinds": {"user_id": {"unique": False, "limit": 1}}}
    platform.decide("identity.rules_applied", {"rules": rules}, "tests")
    tell(platform, 1, userId="u-one", traits={"email": "both@correo.example", "firstName": "Una", "lastName": "Prima"})
    tell(platform, 2, userId="u-two", traits={"email": "both@correo.example", "firstName": "Dos"})
    platform.drain()
    assert platform.people.queue()
