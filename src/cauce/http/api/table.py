"""All operations of the API."""

from __future__ import annotations

from cauce.http.api import (
    accounts,
    catalogue,
    computed,
    contracts,
    data,
    definitions,
    identity,
    loyalty,
    people,
    quarantine,
    sources,
    status,
    stock,
    value,
)
from cauce.http.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *status.OPERATIONS,
    *sources.OPERATIONS,
    *quarantine.OPERATIONS,
    *people.OPERATIONS,
    *identity.OPERATIONS,
    *contracts.OPERATIONS,
    *computed.OPERATIONS,
    *definitions.OPERATIONS,
    *data.OPERATIONS,
    *catalogue.OPERATIONS,
    *stock.OPERATIONS,
    *loyalty.OPERATIONS,
    *value.OPERATIONS,
    *accounts.OPERATIONS,
)

RESOURCES: dict[str, str] = {
    "status": "How the installation stands, and who asks.",
    "sources": "Who sends events, with which keys.",
    "quarantine": "Events that were not accepted, and how they are mended.",
    "people": "Who somebody is, what they did, what they allow.",
    "identity": "Why identifiers are one person, and what stewards say about it.",
    "contracts": "What events must look like.",
    "computed": "What is worked out of events.",
    "survivorship": "Which value of a trait wins.",
    "definitions": "Every version of contracts, computed traits, survivorship and identity rules.",
    "sql": "Questions in SQL.",
    "decisions": "What people decided, as it stands in the log.",
    "products": "What is sold, and for how much.",
    "items": "Ids that channels use for products, and those that nobody knows yet.",
    "places": "Stores, warehouses and counters: where they are, and when they are open.",
    "stock": "What is where, what may be promised of it, and what happens to it.",
    "loyalty": "What members earn, have and spend.",
    "value": "Gift cards and store credit.",
    "accounts": "Who may sign in, and as what.",
    "tokens": "How programs identify themselves.",
    "audit": "Who looked at whom, and who did what.",
}
"""What each resource is about, in the order in which they are told."""
