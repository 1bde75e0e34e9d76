"""Versions of definitions: what was decided about each, when and by whom."""

from __future__ import annotations

from cauce.app.definitions import Definitions
from cauce.client.types import definitions as types
from cauce.errors import NotFound
from cauce.http.api.moments import told_if_any
from cauce.http.api.operation import Call, Operation


def versions(call: Call[types.VersionsQuery, None]) -> types.Versions:
    sort, name = call.path["sort"], call.query.name
    found = Definitions(call.platform).of(sort, name)
    items = [
        types.Version(
            number=version.number,
            decided=told_if_any(version.moment),
            decided_by=version.by,
            definition=version.document,
        )
        for version in found
    ]
    return types.Versions(sort=sort, name=name, items=items)


OPERATIONS = (
    Operation(
        name="definitions.versions",
        method="GET",
        path="/v1/definitions/{sort}/versions",
        summary="Get every version of a definition",
        permission="definitions.read",
        handle=versions,
        query=types.VersionsQuery,
        answer=types.Versions,
        errors=(NotFound,),
        parameters={"name": "track:Order Completed"},
    ),
)
