"""The OpenAPI 3.1 document, made from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from cauce import __version__
from cauce.client.refusals import PreconditionFailed, PreconditionRequired
from cauce.client.types.basics import Error, Problem
from cauce.errors import Busy, CauceError, Conflict, Forbidden, NotFound, Throttled, TooLarge, Unauthorised, Unreadable
from cauce.http.api.operation import PATH_PARTS, Operation
from cauce.http.problems import PROBLEM, STATUS_BY_CODE

TITLE = "Cauce"
TEMPLATE = "#/components/schemas/{name}"

Json = dict[str, Any]


def document(operations: Sequence[Operation], resources: dict[str, str]) -> Json:
    """The whole document; equal tables give equal documents."""
    schemas = Schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": __version__,
            "description": "Everything that the console can do. The page at `/docs/api` explains it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in resources.items()],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": _refusals(operations, schemas),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`cauce tokens add`"}},
        },
    }


class Schemas:
    """JSON Schemas of all records of the table, by type."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        kinds: list[Any] = [Error, Problem]
        for operation in operations:
            kinds += [operation.query, *filter(None, (operation.body, operation.answer))]
        self._kinds: list[Any] = []
        for kind in kinds:
            if kind not in self._kinds:
                self._kinds.append(kind)
        told, components = msgspec.json.schema_components(self._kinds, ref_template=TEMPLATE)
        self._found = dict(zip(map(str, self._kinds), map(_told, told), strict=True))
        queries = {operation.query.__name__ for operation in operations}
        self._components = {_named(name): _told(schema) for name, schema in components.items()}
        self.components = {name: schema for name, schema in sorted(self._components.items()) if name not in queries}

    def of(self, kind: Any) -> Json:
        """A reference to the schema of a type."""
        found: Json = self._found[str(kind)]
        return found

    def members(self, kind: type[msgspec.Struct]) -> tuple[dict[str, Json], list[str]]:
        """(schema of each member, names of those that must be there) of a record."""
        schema = self._components[kind.__name__]
        return schema["properties"], schema.get("required", [])


def _named(name: str) -> str:
    """The name of a schema in this project: what msgspec calls *Page[Source]* or *Page_Source_* is *PageOfSource*."""
    return re.sub(r"Page(?:_(\w+)_|\[(\w+)\])", lambda found: f"PageOf{found[1] or found[2]}", name)


def _told(schema: Any) -> Any:
    """A schema with the names of this project, its descriptions in one line."""
    if isinstance(schema, list):
        return [_told(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _told(value) for key, value in schema.items()}
    for key in found.keys() & {"title", "$ref"}:
        found[key] = _named(found[key]) if isinstance(found[key], str) else found[key]
    if isinstance(found.get("description"), str):
        found["description"] = " ".join(found["description"].split())
    return found


def errors_of(operation: Operation) -> list[type[CauceError]]:
    """Every error that the operation may answer with, by status."""
    found: set[type[CauceError]] = {Unauthorised, Throttled, Busy, Unreadable, *operation.errors}
    if operation.permission:
        found.add(Forbidden)
    if operation.path_names:
        found.add(NotFound)
    if operation.body is not None or operation.changes:
        found.add(TooLarge)
    if operation.changes:
        found.add(Conflict)  # an Idempotency-Key that was used for something else
    if operation.guard is not None and operation.changes:
        found |= {PreconditionFailed, PreconditionRequired}
    return sorted(found, key=lambda error: (STATUS_BY_CODE[error.code], error.code))


def _operation(operation: Operation, schemas: Schemas) -> Json:
    found: Json = {
        "operationId": operation.name,
        "tags": [operation.resource],
        "summary": operation.summary,
        "description": description_of(operation),
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, schemas), *_headers(operation)],
        "responses": _responses(operation, schemas),
    }
    if operation.body is not None:
        content = {"schema": schemas.of(operation.body)}
        if operation.example:
            content["example"] = operation.example
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def description_of(operation: Operation) -> str:
    """The description, and the permission that it takes."""
    needs = f"Needs `{operation.permission}`." if operation.permission else "Needs a token."
    return f"{operation.description} {needs}".strip()


def _path_parameters(operation: Operation) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_PARTS[name].help,
            "schema": PATH_PARTS[name].schema,
            "example": PATH_PARTS[name].example,
        }
        for name in operation.path_names
    ]


def _query_parameters(operation: Operation, schemas: Schemas) -> list[Json]:
    members, required = schemas.members(operation.query)
    found = []
    for name, schema in members.items():
        plain = {key: value for key, value in schema.items() if key != "description"}
        parameter: Json = {"name": name, "in": "query", "schema": plain}
        if schema.get("description"):
            parameter["description"] = schema["description"]
        if name in required:
            parameter["required"] = True
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        if name in operation.parameters:
            parameter["example"] = operation.parameters[name]
        found.append(parameter)
    return found


def _headers(operation: Operation) -> list[Json]:
    """Headers that an operation understands."""
    text = {"type": "string"}
    found: list[Json] = []
    if operation.guard is not None and operation.changes:
        told = "ETag of what is to be changed, as it was read; `*` overwrites anything. Needed when there is something."
        found.append({"name": "If-Match", "in": "header", "description": told, "schema": text})
    if operation.changes:
        told = "Chosen by the caller: with the same key a request is done only once."
        found.append(
            {"name": "Idempotency-Key", "in": "header", "description": told, "schema": {**text, "maxLength": 255}}
        )
    return found


def _responses(operation: Operation, schemas: Schemas) -> Json:
    good: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer is not None:
        good["content"] = {operation.media: {"schema": schemas.of(operation.answer)}}
    if operation.guard is not None and operation.status != 204:
        good["headers"] = {"ETag": {"description": "Fingerprint of what is there.", "schema": {"type": "string"}}}
    found = {str(operation.status): good}
    if operation.guard is not None and not operation.changes:
        found["304"] = {"description": "It is as `If-None-Match` says."}
    by_status: dict[int, list[str]] = {}
    for error in errors_of(operation):
        by_status.setdefault(STATUS_BY_CODE[error.code], []).append(error.code)
    return found | {
        str(status): {"$ref": f"#/components/responses/{'-'.join(codes)}"} for status, codes in by_status.items()
    }


def _refusals(operations: Sequence[Operation], schemas: Schemas) -> Json:
    """The refusals that operations refer to, by their codes."""
    found: dict[str, Json] = {}
    for operation in operations:
        by_status: dict[int, list[str]] = {}
        for error in errors_of(operation):
            by_status.setdefault(STATUS_BY_CODE[error.code], []).append(error.code)
        for status, codes in by_status.items():
            found["-".join(codes)] = _refusal(status, codes, schemas)
    return dict(sorted(found.items()))


def _refusal(status: int, codes: list[str], schemas: Schemas) -> Json:
    answer: Json = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {"application/json": {"schema": schemas.of(Error)}, PROBLEM: {"schema": schemas.of(Problem)}},
    }
    if status in (429, 503):
        seconds = {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}
        answer["headers"] = {"Retry-After": seconds}
    return answer
