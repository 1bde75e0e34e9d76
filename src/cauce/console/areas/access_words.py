"""Roles and permissions, in words that the catalogues translate."""

from __future__ import annotations

from cauce.access.api import PERMISSIONS, ROLES
from cauce.console.frame import marked

ROLE_TEXTS = {
    "owner": marked("Runs the installation and decides who else gets in."),
    "engineer": marked("Connects channels, watches the river, mends what is broken."),
    "steward": marked("Decides who is one person, which value survives, and what becomes of dirty data."),
    "marketer": marked("Works with groups of people and sees single ones without their personal data."),
    "analyst": marked("Measures with SQL, without personal data."),
    "agent": marked("Serves a person on the phone or in a chat."),
    "store_staff": marked("Serves the person in front of the till or at the pick-up desk."),
    "privacy": marked("Data-protection officer: access, erasure, the audit trail."),
}
PERMISSION_TEXTS = {
    "status.read": marked("See counts, freshness and the health of sources"),
    "sources.read": marked("See sources and their last events"),
    "sources.write": marked("Add and change sources and their keys"),
    "quarantine.read": marked("See the quarantine"),
    "quarantine.write": marked("Mend, replay and drop quarantined events"),
    "people.read": marked("Search and open people"),
    "people.personal": marked("See personal data unmasked"),
    "people.export": marked("Take out everything known of a person"),
    "people.erase": marked("Erase a person"),
    "identity.read": marked("See why people are one"),
    "identity.write": marked("Split and join people, decide about identity"),
    "definitions.read": marked("See contracts and computed traits"),
    "definitions.write": marked("Change contracts and computed traits"),
    "data.sql": marked("Ask with SQL"),
    "commerce.read": marked("See catalogue, stock, orders and bookings"),
    "commerce.write": marked("Change catalogue, stock, orders and bookings"),
    "commerce.serve": marked("Work in a store: holds, pick-ups, returns, points at the till"),
    "loyalty.read": marked("See programmes and what members have"),
    "loyalty.write": marked("Change programmes, points and stored value"),
    "accounts.write": marked("Manage accounts"),
    "audit.read": marked("Read the audit trail"),
}
assert ROLE_TEXTS.keys() == ROLES.keys()
assert PERMISSION_TEXTS.keys() == PERMISSIONS.keys()
