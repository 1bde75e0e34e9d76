"""The page that explains the API: rendered here from the table, with nothing from other hosts and no script."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from cauce import __version__
from cauce.http.api.openapi import Schemas, errors_of
from cauce.http.api.operation import PATH_PARTS, Operation
from cauce.http.problems import STATUS_BY_CODE

TEMPLATE = "page.html"
STYLE = "page.css"
SOMEWHERE = "http://127.0.0.1:8080"
ADDRESS = re.compile(r"https?://[\w.-]{1,253}(:\d{1,5})?")


class Member(msgspec.Struct, frozen=True):
    """A parameter or member as it is explained."""

    name: str
    type: str
    needed: bool
    default: str
    help: str


class Explained(msgspec.Struct, frozen=True):
    """An operation with all that the page says of it."""

    operation: Operation
    parameters: list[Member]
    members: list[Member]
    answer: str
    errors: list[tuple[int, str]]
    curl: str


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cauce.http.api", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment


@cache
def style() -> str:
    """The style sheet, which stands in the page itself."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, STYLE)[0]


def response(text: str, base: str) -> Response:
    """The page (`rendered`, once) for an installation at `base`."""
    digest = base64.b64encode(sha256(style().encode()).digest()).decode()
    headers = {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    # The address comes from the Host header: whoever asks writes it.
    if ADDRESS.fullmatch(base):
        text = text.replace(SOMEWHERE, base)
    return Response(text, headers=headers, media_type="text/html; charset=utf-8")


def rendered(operations: Sequence[Operation], resources: dict[str, str], base: str = SOMEWHERE) -> str:
    """The page as HTML, for an installation at `base`."""
    schemas = Schemas(operations)
    groups = {
        name: [explained(operation, schemas, base) for operation in operations if operation.resource == name]
        for name in resources
    }
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            style=Markup(style()),  # noqa: S704 (our own file)
            version=__version__,
            base=base,
            groups=groups,
            resources=resources,
            records={name: members_of(schema) for name, schema in schemas.components.items()},
            about={name: schema.get("description", "") for name, schema in schemas.components.items()},
            statuses=STATUS_BY_CODE,
        )
    )


def explained(operation: Operation, schemas: Schemas, base: str) -> Explained:
    """What is said of an operation."""
    parts = [
        Member(
            name, "integer" if isinstance(PATH_PARTS[name].example, int) else "text", True, "", PATH_PARTS[name].help
        )
        for name in operation.path_names
    ]
    properties, required = schemas.members(operation.query)
    asked = members_of({"properties": properties, "required": required})
    members = members_of(schemas.components[operation.body.__name__]) if operation.body else []
    answer = type_of(schemas.of(operation.answer)) if operation.answer else ""
    errors = [(STATUS_BY_CODE[error.code], error.code) for error in errors_of(operation)]
    return Explained(operation, parts + asked, members, answer, errors, curl_of(operation, base))


def members_of(schema: dict[str, Any]) -> list[Member]:
    """The members of a record's schema."""
    required = schema.get("required", [])
    return [
        Member(
            name,
            type_of(member),
            name in required,
            msgspec.json.encode(member["default"]).decode() if member.get("default") not in (None, "", [], {}) else "",
            str(member.get("description", "")),
        )
        for name, member in schema.get("properties", {}).items()
    ]


def type_of(schema: dict[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(type_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"object of {type_of(inner)}" if isinstance(inner, dict) and inner else "object"
    if kind == "string":
        return "moment" if schema.get("format") == "date-time" else "text"
    return str(kind) if kind else "any JSON"


def curl_of(operation: Operation, base: str) -> str:
    """A call of the operation that can be pasted into a shell; the token comes from $TOKEN."""
    path = operation.path
    for name in operation.path_names:
        path = path.replace(f"{{{name}}}", quote(str(PATH_PARTS[name].example), safe=":@"))
    query = f"?{urlencode(operation.parameters, doseq=True)}" if operation.parameters else ""
    lines = [f'curl {shlex.quote(base + path + query)} -H "Authorization: Bearer $TOKEN"']
    if operation.method not in ("GET", "POST") or (operation.method == "POST" and not operation.body):
        lines.append(f"-X {operation.method}")
    if operation.guard is not None and operation.changes:
        lines.append("-H 'If-Match: *'")
    if operation.body is not None:
        lines.append(f"--json {shlex.quote(msgspec.json.encode(operation.example).decode())}")
    return " \\\n  ".join(lines)


def prose(text: str) -> Markup:
    """Text with `code` and *emphasis* as HTML; everything else is escaped."""
    parts = []
    for index, part in enumerate(str(escape(text)).split("`")):
        if index % 2:
            parts.append(f"<code>{part}</code>")
        else:
            pieces = part.split("*")
            parts.append(
                "".join(f"<em>{piece}</em>" if place % 2 else piece for place, piece in enumerate(pieces))
                if len(pieces) % 2
                else part
            )
    return Markup("".join(parts))  # noqa: S704 (escaped above)
