"""Roles and what they may, names, delays after wrong passwords: pure functions and one table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from cauce.errors import DefinitionInvalid
from cauce.model import DECISIONS

PERMISSIONS: dict[str, str] = {
    "status.read": "Counts, freshness and the health of each source.",
    "sources.read": "Sources, the endings of their keys, and the last raw events of each, which hold personal data.",
    "sources.write": "Add and change sources; make and revoke their keys.",
    "quarantine.read": "Quarantined events with their reasons and their content, which holds personal data.",
    "quarantine.write": "Mend, replay and drop quarantined events.",
    "people.read": "Search and open people; names, addresses and numbers are masked without `people.personal`.",
    "people.personal": "See names, e-mail addresses, phone numbers and other personal data unmasked.",
    "people.export": "Take out everything that is known of a person.",
    "people.erase": "Erase a person.",
    "identity.read": "Rules, clusters, recent merges and splits, and why people are one.",
    "identity.write": "Split, join, refuse, retract links, apply identity rules, set a steward's value.",
    "definitions.read": "Contracts, computed traits and survivorship rules, with their versions.",
    "definitions.write": "Apply and remove contracts, computed traits and survivorship rules.",
    "data.sql": "SQL over the views; personal columns are masked without `people.personal`.",
    "commerce.read": "Catalogue, places, stock, orders and bookings.",
    "commerce.write": "Change catalogue, places, stock, orders and bookings, and the rules of fulfilment.",
    "commerce.serve": "Work in a store: holds, pick-ups, returns, hand-overs, points at the till.",
    "loyalty.read": "Programmes, and what members have earned and spent.",
    "loyalty.write": "Change programmes; correct points and stored value by hand.",
    "accounts.write": "Add, invite, change and disable accounts; see and revoke everybody's sessions and tokens.",
    "audit.read": "The audit trail.",
}
"""Every permission there is, and what it lets somebody do."""


def _all(words: str) -> frozenset[str]:
    """Permissions, written one after the other."""
    found = frozenset(words.split())
    assert found <= set(PERMISSIONS), found - set(PERMISSIONS)
    return found


ROLES: dict[str, tuple[str, frozenset[str]]] = {
    "owner": ("Runs the installation and decides who else gets in.", frozenset(PERMISSIONS)),
    "engineer": (
        "Connects channels, watches the river, mends what is broken.",
        _all(
            "status.read sources.read sources.write quarantine.read quarantine.write people.read people.personal"
            " identity.read definitions.read definitions.write data.sql commerce.read commerce.write commerce.serve"
            " loyalty.read loyalty.write"
        ),
    ),
    "steward": (
        "Decides who is one person, which value survives, and what becomes of dirty data.",
        _all(
            "status.read quarantine.read quarantine.write people.read people.personal identity.read identity.write"
            " definitions.read definitions.write"
        ),
    ),
    "marketer": (
        "Works with groups of people and sees single ones without their personal data.",
        _all("status.read people.read definitions.read commerce.read loyalty.read loyalty.write"),
    ),
    "analyst": (
        "Measures with SQL, without personal data.",
        _all("status.read people.read identity.read definitions.read data.sql commerce.read loyalty.read"),
    ),
    "agent": (
        "Serves a person on the phone or in a chat.",
        _all("people.read people.personal commerce.read commerce.serve loyalty.read"),
    ),
    "store_staff": (
        "Serves the person in front of the till or at the pick-up desk.",
        _all("people.read commerce.read commerce.serve loyalty.read"),
    ),
    "privacy": (
        "Data-protection officer: access, erasure, the audit trail.",
        _all("status.read people.read people.personal people.export people.erase identity.read audit.read"),
    ),
}
"""Role → (what it is for, what it may)."""

GRANTABLE = frozenset({"people.personal", "people.export", "data.sql"})
"""What an owner may allow one account beyond its role."""

FORMER_ROLES = {
    "reader": _all("status.read people.read people.personal identity.read"),
    "admin": ROLES["engineer"][1] | ROLES["steward"][1],
}
"""What the access keys of version 0.1 may do as tokens."""

FREE_ATTEMPTS = 5
DELAY_SECONDS_MAX = 900
FORGET_SECONDS = 3_600

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")
_ACTION = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.\w+")


def permissions_of(role: str, extra: Iterable[str] = ()) -> frozenset[str]:
    """What a role may, and what was allowed beyond it; DefinitionInvalid for an unknown role or grant."""
    if role not in ROLES:
        raise DefinitionInvalid(f"expected role to be one of {', '.join(ROLES)}, got {role!r}")
    strange = sorted(set(extra) - GRANTABLE)
    if strange:
        raise DefinitionInvalid(f"expected what is allowed to be of {', '.join(sorted(GRANTABLE))}, got {strange[0]!r}")
    return ROLES[role][1] | frozenset(extra)


def scopes_checked(scopes: Iterable[str]) -> frozenset[str]:
    """Scopes as a set of permissions; a role's name stands for all that it may. DefinitionInvalid for others."""
    found: set[str] = set()
    for scope in scopes:
        if scope in ROLES:
            found |= ROLES[scope][1]
        elif scope in PERMISSIONS:
            found.add(scope)
        else:
            raise DefinitionInvalid(
                f"expected a scope to be a permission or a role, got {scope!r}",
                hint=f"Permissions: {', '.join(PERMISSIONS)}. Roles: {', '.join(ROLES)}",
            )
    if not found:
        raise DefinitionInvalid("expected at least one scope", hint=f"Permissions: {', '.join(PERMISSIONS)}")
    return frozenset(found)


def account_name(text: str) -> str:
    """The name of an account as it is stored: lower case; DefinitionInvalid when it cannot be one."""
    name = text.strip().lower()
    if not _ACCOUNT.fullmatch(name) or name == DECISIONS:
        raise DefinitionInvalid(
            f"expected a name of letters, digits and . _ @ + - (at most 63, not {DECISIONS!r}), got {text[:80]!r}"
        )
    return name


def is_action(text: str) -> bool:
    """Whether a text can name an action of the audit trail: `area.verb`."""
    return _ACTION.fullmatch(text) is not None


def delay_seconds(failures: int) -> int:
    """Seconds to wait after so many failures in a row: none for the first few, then doubling, bounded."""
    if failures < FREE_ATTEMPTS:
        return 0
    return min(DELAY_SECONDS_MAX, 1 << min(failures - FREE_ATTEMPTS, 20))


def network_of(address: str) -> str:
    """What is throttled together: an IPv4 address, the /64 of an IPv6 one, or the text itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:63]
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False).network_address)
    return str(found)


def address_masked(address: str) -> str:
    """An address without its last part: 192.0.2.0 of 192.0.2.7, the /48 of an IPv6 address, "" of what is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    bits = 48 if isinstance(found, IPv6Address) else 24
    return str(ip_network((found, bits), strict=False).network_address)


def without_addresses(text: str) -> str:
    """A text in which e-mail addresses are masked."""
    return _MAIL.sub("…@…", text)
