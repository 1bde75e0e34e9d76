"""The reference page of the HTTP API, written from its table of operations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cauce.http.api.openapi import Schemas
from cauce.http.api.page import Explained, Member, explained, members_of
from cauce.http.api.table import OPERATIONS, RESOURCES
from cauce.http.problems import STATUS_BY_CODE

BASE = "http://127.0.0.1:8080"

INTRODUCTION = """
Everything that the console can do, over HTTP.
Send a token with each request: `Authorization: Bearer TOKEN`; `cauce tokens add NAME --scope SCOPE` makes one.
Each operation names the permission that the token's scopes must hold.
[How to use it](../howto/use-the-api.md) begins with an example; `/v1/openapi.json` is the OpenAPI 3.1 document, \
and `/docs/api` explains it on every installation.

## What holds everywhere

* Bodies and answers are JSON; moments are ISO 8601 in UTC.
* A list comes in pages: `limit` says how long a page is, `cursor` of one page gets the next, and an empty \
cursor is the end. A cursor belongs to its question: with other parameters it is refused.
* A parameter or member that is not known is refused, with the nearest name.
* A body has at most 1 MiB.
* Definitions carry an `ETag`. Who changes one names it in `If-Match`, so that nobody's change is overwritten \
unseen; `If-Match: *` overwrites anything.
* With an `Idempotency-Key` a request that is sent twice is done once. Its answer is kept for a day, also over a \
restart. One that holds a secret or personal values is given again by the door that gave it; later, or at another \
door, its repetition is refused with `conflict`.
* `RateLimit` tells how many requests the token has left and when all are there again; beyond that the answer is \
429 with `Retry-After`.
* Without `people.personal` personal values are masked wherever they stand.
* Every look at a person and every change leaves an entry in the audit trail.
* `dry_run` says what would happen and changes nothing.

## Refusals

Every refusal is `{"code": …, "message": …, "details": …}`.
`details` may hold a `hint`, the `faults` with their places, and `retry_after_seconds`.
Who accepts `application/problem+json` gets the same as RFC 9457 has it.
"""


def api_page(written: str) -> str:
    """The whole page; `written` says by whom."""
    schemas = Schemas(OPERATIONS)
    rows = ["# HTTP API", "", written, *INTRODUCTION.strip().splitlines(), "", "| status | code |", "|---|---|"]
    rows += [f"| {status} | `{code}` |" for code, status in sorted(STATUS_BY_CODE.items(), key=lambda row: row[::-1])]
    for resource, text in RESOURCES.items():
        rows += ["", f"## {resource}", "", text, "", "| operation | what | permission |", "|---|---|---|"]
        found = [explained(operation, schemas, BASE) for operation in OPERATIONS if operation.resource == resource]
        for each in found:
            operation = each.operation
            needs = f"`{operation.permission}`" if operation.permission else "any token"
            rows.append(f"| `{operation.method} {operation.path}` | {operation.summary} | {needs} |")
        for each in found:
            rows += _operation(each)
    rows += ["", "## Records"]
    for name, schema in schemas.components.items():
        rows += ["", f"### {name}", "", *_sentences(schema.get("description", ""))]
        if members := members_of(schema):
            rows += ["", *_table(members)]
    return "\n".join(rows) + "\n"


def _operation(each: Explained) -> Iterator[str]:
    operation = each.operation
    yield from ("", f"### {operation.name}", "", f"`{operation.method} {operation.path}`", "", f"{operation.summary}.")
    yield from _sentences(operation.description)
    if each.parameters:
        yield from ("", *_table(each.parameters))
    if each.members:
        yield from ("", "The body:", "", *_table(each.members))
    answer = f" with `{each.answer}`" if each.answer else ""
    codes = ", ".join(f"`{code}`" for _, code in each.errors)
    yield from ("", f"Answers {operation.status}{answer}.", f"Refuses with {codes}.", "", "```bash", each.curl, "```")


def _table(members: list[Member]) -> Iterator[str]:
    yield from ("| name | type | what |", "|---|---|---|")
    for member in members:
        told = [member.help] if member.help else []
        told += ["Needed."] if member.needed else []
        told += [f"Default: `{member.default}`."] if member.default else []
        yield f"| `{member.name}` | {_cell(member.type)} | {_cell(' '.join(told))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentences(text: str) -> list[str]:
    """Each sentence on a line of its own."""
    return re.split(r"(?<=[.!?]) (?=[A-Z`*])", text) if text else []
