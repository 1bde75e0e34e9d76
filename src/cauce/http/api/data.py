"""Questions in SQL, and what people decided."""

from __future__ import annotations

import base64
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from cauce.app.questions import owner_of
from cauce.client.types import data as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.errors import DefinitionInvalid, NotFound, TooLarge
from cauce.events.queries import Query
from cauce.http.api.moments import told
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_after
from cauce.http.api.sight import PERSONAL

SECONDS_MAX = 30.0
ID_DIGITS_MAX = 20


def ask(call: Call[Nothing, types.Statement]) -> types.Result:
    personal = call.actor.may(PERSONAL)
    answer = call.platform.questions.ask(
        call.actor.name,
        call.body.statement,
        personal=personal,
        rows_max=call.body.rows_max,
        seconds=SECONDS_MAX,
        keep=False,
    )
    found = answer.result
    columns = [types.Column(name=field.name, type=str(field.type)) for field in found.table.schema]
    rows = [[plain(value) for value in row] for row in found.rows]
    return types.Result(columns=columns, rows=rows, truncated=found.truncated)


def plain(value: Any) -> Any:
    """A value of a result as JSON has it: what it has no form for is text, what is no number is null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value)


def views(call: Call[Nothing, None]) -> types.Views:
    return types.Views(views=call.platform.questions.engine(personal=call.actor.may(PERSONAL)).view_names)


def saved(call: Call[Paging, None]) -> Page[types.SavedStatement]:
    found = call.platform.questions.queries.saved(owner_of(call.actor))
    return page_after(call, found, lambda query: query.name, saved_of)


def save(call: Call[Nothing, types.NewSavedStatement]) -> types.SavedStatement:
    queries = call.platform.questions.queries
    return saved_of(queries.save(owner_of(call.actor), call.body.name, call.body.statement))


def get_saved(call: Call[Nothing, None]) -> types.SavedStatement:
    return saved_of(call.platform.questions.queries.get(owner_of(call.actor), statement_of(call)))


def forget(call: Call[Nothing, None]) -> None:
    call.platform.questions.queries.delete(owner_of(call.actor), statement_of(call))


def statement_of(call: AnyCall) -> int:
    """The id of a saved statement in the path."""
    text = call.path["statement"]
    if not (text.isascii() and text.isdigit() and len(text) < ID_DIGITS_MAX):
        raise NotFound(f"there is no statement {text[:80]!r}")
    return int(text)


def saved_of(query: Query) -> types.SavedStatement:
    return types.SavedStatement(id=str(query.id), name=query.name, statement=query.statement, saved=told(query.asked))


def decisions(call: Call[types.DecisionsQuery, None]) -> Page[types.Decision]:
    after, limit = int(call.place[0]) if call.place else 0, call.query.limit
    archive = call.platform.archive
    found = archive.audit(after=after, limit=limit + 1, name=call.query.name, descending=False)
    shown = found[:limit]
    personal = call.actor.may(PERSONAL)
    items = [
        types.Decision(
            position=event.position,
            name=event.name,
            by=str(event.context.get("by", "")),
            occurred=told(event.occurred),
            properties=event.properties if personal else {},
        )
        for event in shown
    ]
    return Page(items=items, cursor=call.cursor_at((shown[-1].position,)) if len(found) > limit else "")


OPERATIONS = (
    Operation(
        name="sql.ask",
        method="POST",
        path="/v1/sql",
        summary="Ask in SQL",
        description="One statement that reads, in DuckDB's SQL, over the views of one moment. It may take 30 seconds "
        "and a gigabyte. Without `people.personal` it runs over masked copies.",
        permission="data.sql",
        handle=ask,
        body=types.Statement,
        answer=types.Result,
        errors=(DefinitionInvalid, TooLarge),
        lane="heavy",
        only_asks=True,
        audit="sql.asked",
        example={"statement": "select channel, count(*) as events from events group by channel order by events desc"},
    ),
    Operation(
        name="sql.views",
        method="GET",
        path="/v1/sql/views",
        summary="List the views that SQL may read",
        permission="data.sql",
        handle=views,
        answer=types.Views,
    ),
    Operation(
        name="sql.saved",
        method="GET",
        path="/v1/sql/saved",
        summary="List the statements that you keep",
        description="An account's are the same in the console and by its tokens; another token has its own.",
        permission="data.sql",
        handle=saved,
        query=Paging,
        answer=Page[types.SavedStatement],
    ),
    Operation(
        name="sql.save",
        method="POST",
        path="/v1/sql/saved",
        summary="Keep a statement",
        description="Under a name; another one of the same name is replaced.",
        permission="data.sql",
        kept="answer",
        handle=save,
        body=types.NewSavedStatement,
        answer=types.SavedStatement,
        status=201,
        errors=(DefinitionInvalid,),
        audit="sql.saved",
        subject=lambda _call, answer: answer.id,
        example={"name": "Events by channel", "statement": "select channel, count(*) from events group by channel"},
    ),
    Operation(
        name="sql.get",
        method="GET",
        path="/v1/sql/saved/{statement}",
        summary="Get a statement that you keep",
        permission="data.sql",
        handle=get_saved,
        answer=types.SavedStatement,
        errors=(NotFound,),
    ),
    Operation(
        name="sql.forget",
        method="DELETE",
        path="/v1/sql/saved/{statement}",
        summary="Forget a statement that you keep",
        permission="data.sql",
        kept="answer",
        handle=forget,
        status=204,
        errors=(NotFound,),
        audit="sql.forgotten",
    ),
    Operation(
        name="decisions.list",
        method="GET",
        path="/v1/decisions",
        summary="List what people decided",
        description="From the first one on, as they stand in the log: definitions, splits, joins, replays, erasures. "
        "Their properties are told to those who may see personal data.",
        permission="audit.read",
        handle=decisions,
        query=types.DecisionsQuery,
        answer=Page[types.Decision],
        audit="decision.seen",
        is_look=True,
        subject=lambda call, _answer: call.query.name,
        parameters={"name": "identity.refused"},
    ),
)
