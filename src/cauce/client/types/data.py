"""Questions in SQL, and what people decided."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from cauce.client.types.basics import Answer, Moment, Paging, Request


class Statement(Request, frozen=True, kw_only=True):
    """One reading statement over the views."""

    statement: Annotated[str, Meta(min_length=1, max_length=100_000, description="One SQL statement that reads.")]
    rows_max: Annotated[int, Meta(ge=1, le=10_000, description="Most rows of the answer.")] = 1_000


class Column(Answer, frozen=True, kw_only=True):
    """A column of a result, and its type."""

    name: str
    type: str


class Result(Answer, frozen=True, kw_only=True):
    """Rows in the order of the statement; `truncated` when there were more than asked for."""

    columns: list[Column]
    rows: list[list[Any]]
    truncated: bool


class Views(Answer, frozen=True, kw_only=True):
    """Names of the views that a statement may read."""

    views: list[str]


class DecisionsQuery(Paging, frozen=True, kw_only=True):
    """Which decisions."""

    name: Annotated[str, Meta(max_length=100, description="Only of this name, such as `identity.refused`.")] = ""


class Decision(Answer, frozen=True, kw_only=True):
    """What somebody decided; it stands in the log, and the state follows from it."""

    position: int
    name: str
    by: str
    occurred: Moment
    properties: dict[str, Any]


class NewSavedStatement(Request, frozen=True, kw_only=True):
    """A statement to keep; another one of the same name is replaced."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    statement: Annotated[str, Meta(min_length=1, max_length=20_000, description="One SQL statement.")]


class SavedStatement(Answer, frozen=True, kw_only=True):
    """A statement that somebody keeps: the caller's own, or their account's."""

    id: str
    name: str
    statement: str
    saved: Moment
