"""All operations of the API."""

from __future__ import annotations

from cauce.http.api import (
    accounts,
    computed,
    contracts,
    data,
    definitions,
    identity,
    people,
    quarantine,
    sources,
    status,
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
    "accounts": "Who may sign in, and as what.",
    "tokens": "How programs identify themselves.",
    "audit": "Who looked at whom, and who did what.",
}
"""What each resource is about, in the order in which they are told."""
