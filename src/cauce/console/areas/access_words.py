"""Roles, permissions and what the audit trail notes, in words that the catalogues translate."""

from __future__ import annotations

from cauce.access.api import PERMISSIONS, ROLES
from cauce.console.frame import marked
from cauce.console.words import Words

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
ACTIONS = {
    "account.added": marked("added an account"),
    "account.disabled": marked("disabled an account"),
    "account.enabled": marked("enabled an account"),
    "account.invited": marked("invited somebody"),
    "account.pass_made": marked("made a link to enter"),
    "account.password_changed": marked("changed the password"),
    "account.password_chosen": marked("chose a password"),
    "account.role_changed": marked("changed a role"),
    "session.all_ended": marked("signed out everywhere"),
    "session.ended": marked("ended a session"),
    "session.refused": marked("was refused at sign-in"),
    "session.started": marked("signed in"),
    "source.added": marked("added a source"),
    "source.changed": marked("changed a source"),
    "source.connected": marked("told where a source and a system find each other"),
    "source.events_seen": marked("looked at the last events of a source"),
    "source.key_added": marked("added a key"),
    "source.key_revoked": marked("revoked a key"),
    "source.secret_added": marked("gave a secret to a source"),
    "source.secret_revoked": marked("forgot a secret of a source"),
    "token.added": marked("made a token"),
    "token.revoked": marked("revoked a token"),
    "person.seen": marked("looked at a person"),
    "person.exported": marked("took out a person's data"),
    "person.erased": marked("erased a person"),
    "person.split": marked("split a person"),
    "person.joined": marked("joined people"),
    "catalogue.imported": marked("imported products, prices or places"),
    "catalogue.item_ignored": marked("said that an id is no goods"),
    "catalogue.item_mapped": marked("said which product an id means"),
    "catalogue.item_seen": marked("asked for the product of an id"),
    "catalogue.item_unmapped": marked("took back what an id means"),
    "catalogue.place_put": marked("saved a place"),
    "catalogue.place_retired": marked("closed a place for good, or used it again"),
    "catalogue.prices_set": marked("set prices"),
    "catalogue.product_put": marked("saved a product"),
    "catalogue.product_retired": marked("retired a product, or sold it again"),
    "catalogue.products_put": marked("saved many products"),
    "quarantine.replayed": marked("replayed quarantined events"),
    "quarantine.dropped": marked("dropped quarantined events"),
    "quarantine.seen": marked("looked at a quarantined event"),
    "stock.receive": marked("received goods"),
    "stock.sell": marked("recorded sales"),
    "stock.return": marked("took goods back"),
    "stock.damage": marked("counted goods as damaged"),
    "stock.adjust": marked("adjusted stock"),
    "stock.move": marked("sent goods to another place"),
    "stock.arrive": marked("took a shipment in"),
    "stock.count": marked("counted stock"),
    "stock.expect": marked("announced goods"),
    "stock.set_safety": marked("changed what is kept back"),
    "stock.set_low": marked("changed when stock is low"),
    "stock.set_cap": marked("changed what a channel may see"),
    "stock.finish_task": marked("saw to a task"),
    "stock.add_hook": marked("registered a webhook"),
    "stock.resume_hook": marked("resumed a webhook"),
    "stock.remove_hook": marked("removed a webhook"),
    "sql.asked": marked("asked with SQL"),
    "sql.refused": marked("asked with SQL, and was refused"),
    "sql.downloaded": marked("downloaded the answer to SQL"),
    "definition.applied": marked("applied a definition"),
    "definition.removed": marked("removed a definition"),
}
"""What is noted most, in words; what is not here is shown by its code."""

assert ROLE_TEXTS.keys() == ROLES.keys()
assert PERMISSION_TEXTS.keys() == PERMISSIONS.keys()


def action_said(words: Words, action: str) -> str:
    """What was done, in words; "" when there are none for it."""
    return words.say(ACTIONS[action]) if action in ACTIONS else ""
