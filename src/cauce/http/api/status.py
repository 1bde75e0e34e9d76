"""Status, counts, and who asks."""

from __future__ import annotations

import msgspec

from cauce.client.types import status as types
from cauce.client.types.basics import Nothing
from cauce.http.api.moments import told
from cauce.http.api.operation import Call, Operation


def status(call: Call[Nothing, None]) -> types.Status:
    found = call.platform.status()
    found["last_stored"] = told(found["last_stored"])
    return msgspec.convert(found, types.Status)


def counts(call: Call[types.CountsQuery, None]) -> types.Counts:
    by = call.query.by
    rows = call.platform.quality.counts(by)
    items = [types.Count(value=str(row.pop(by)), **row) for row in map(dict, rows)]
    return types.Counts(by=by, items=items)


def me(call: Call[Nothing, None]) -> types.Me:
    actor = call.actor
    return types.Me(name=actor.name, role=actor.role, kind=actor.kind, permissions=sorted(actor.permissions))


OPERATIONS = (
    Operation(
        name="status.get",
        method="GET",
        path="/v1/status",
        summary="How the installation stands",
        description="What was received and what became of it, source by source; who is known; how far the river has "
        "come. `adds_up` says whether received = stored + quarantined + duplicate + suppressed.",
        permission="status.read",
        handle=status,
        answer=types.Status,
    ),
    Operation(
        name="status.counts",
        method="GET",
        path="/v1/counts",
        summary="Count what was received",
        permission="status.read",
        handle=counts,
        query=types.CountsQuery,
        answer=types.Counts,
        parameters={"by": "hour"},
    ),
    Operation(
        name="status.me",
        method="GET",
        path="/v1/me",
        summary="Whose token this is, and what it may do",
        permission="",
        handle=me,
        answer=types.Me,
    ),
)
