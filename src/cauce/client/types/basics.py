"""What all resources share: moments, pages of a list, a decision that was recorded, and how an error is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

Moment = Annotated[datetime, Meta(tz=True, description="ISO 8601 in UTC")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=2_000)]
Why = Annotated[str, Meta(min_length=1, max_length=2_000, description="The reason, for the audit trail.")]
DryRun = Annotated[bool, Meta(description="Only say what would happen; change nothing.")]
Cursor = Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the door says."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller says, in the body or behind the question mark; it holds nothing that is not declared."""


class Nothing(Request, frozen=True, kw_only=True):
    """No parameters."""


class Paging(Request, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: Limit = 50
    cursor: Cursor = ""


class Page(Answer, Generic[T], frozen=True, kw_only=True):
    """A part of a list; `cursor` gets the next one and is empty at the end."""

    items: list[T]
    cursor: str


class Decided(Answer, frozen=True, kw_only=True):
    """A decision that stands in the log and is applied; `position` is its place there, 0 when it was only tried."""

    decision: str
    position: int


class Fault(Answer, frozen=True, kw_only=True):
    """One thing that is wrong with a request, and where (a JSON pointer into parameters or body)."""

    path: str
    expected: str
    found: str = ""


class Details(Answer, omit_defaults=True, frozen=True, kw_only=True):
    """More about an error: how to mend it, the faults one by one, when to try again.

    `about` is what a refusal of commerce is about: what was wanted, and what can be had.
    """

    hint: str = ""
    faults: list[Fault] = []
    retry_after_seconds: int = 0
    about: dict[str, Any] = {}


class Error(Answer, frozen=True, kw_only=True):
    """Every refusal: `code` stays the same for ever, for programs; `message` is for people."""

    code: str
    message: str
    details: Details


class Problem(Answer, frozen=True, kw_only=True):
    """The same refusal as RFC 9457 has it, for those who accept `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    message: str
    details: Details


Document = dict[str, Any]
"""A JSON object whose members the definition language of its resource explains."""
