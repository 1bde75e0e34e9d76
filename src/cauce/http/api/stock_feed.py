"""What changes of stock, as it changes: a stream of server-sent events, and the same in pages.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import StreamingResponse

from cauce.client.types import stock as types
from cauce.commerce.stock import feed
from cauce.commerce.stock.api import Available
from cauce.errors import Unreadable
from cauce.http.api.operation import Call, Operation

if TYPE_CHECKING:
    from cauce.app import Platform

LEVELS_PER_EVENT = 500
LOOK_SECONDS = 0.25
"""How often it is looked whether something changed."""
SILENCE_SECONDS_MAX = 15.0
"""After so long a comment is sent, so that nobody on the way takes the connection for dead."""
STREAM_SECONDS_MAX = 900.0
"""After so long the client must come again, with a token that still holds; it goes on where it was."""
RETRY_MS = 2_000
EVENTS = "text/event-stream"
COMMENT = b": \n\n"


def level_of(one: Available) -> types.StockLevel:
    return types.StockLevel(
        sku=one.sku,
        place=one.place,
        available=one.available,
        state=one.state,  # type: ignore[arg-type]
        free=one.free,
        held=one.held,
        safety=one.safety,
        low=one.low,
        change=one.number,
        distance_metres=one.distance_metres,
        later=one.later,
    )


def changes(call: Call[types.ChangesQuery, None]) -> types.StockChanges:
    query = call.query
    found = _changes(call.platform, query, query.after, query.limit + 1)
    shown = found[: query.limit]
    return types.StockChanges(
        items=[level_of(one) for one in shown],
        after=shown[-1].number if shown else query.after,
        more=len(found) > len(shown),
    )


async def stream(call: Call[types.FeedQuery, None]) -> StreamingResponse:
    told = call.headers.get("last-event-id", "")
    if told and not (told.isascii() and told.isdigit() and len(told) <= 19):
        raise Unreadable(f"expected Last-Event-ID to be the number of a change, got {told[:40]!r}")
    after = int(told) if told else call.query.after
    return StreamingResponse(_events(call.platform, call.query, after), media_type=EVENTS)


async def _events(platform: Platform, query: types.FeedQuery, after: int) -> AsyncIterator[bytes]:
    """What changed behind a number, then a word that this was all, then what changes."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    ends = time.monotonic() + STREAM_SECONDS_MAX
    is_whole, spoken = False, time.monotonic()
    while time.monotonic() < ends:
        found = await asyncio.to_thread(_changes, platform, query, after, LEVELS_PER_EVENT)
        if found:
            after = found[-1].number
            yield event("levels", after, [level_of(one) for one in found])
        if len(found) == LEVELS_PER_EVENT:
            continue
        if not is_whole:
            is_whole = True
            yield event("whole", after, {})
        elif not found and time.monotonic() - spoken < SILENCE_SECONDS_MAX:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        elif not found:
            yield COMMENT
        spoken = time.monotonic()


def event(name: str, id_: int, data: Any) -> bytes:
    """One server-sent event."""
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), id_, msgspec.json.encode(data))


def _changes(platform: Platform, query: Any, after: int, limit: int) -> Sequence[Available]:
    return feed.changes(platform.commerce.reader, after, limit, channel=query.channel, place=query.place, sku=query.sku)


FEED_OPERATIONS = (
    Operation(
        name="stock.changes",
        method="GET",
        path="/v1/stock/changes",
        summary="What changed of stock behind a number",
        description="Of each stock only its last state. From 0 on it is the whole.",
        permission="commerce.read",
        handle=changes,
        query=types.ChangesQuery,
        answer=types.StockChanges,
    ),
    Operation(
        name="stock.feed",
        method="GET",
        path="/v1/stock/feed",
        summary="Follow stock as it changes",
        description="Server-sent events: `levels` with a list of levels, and `whole` once everything of before was "
        "told. The id of an event is the number of its last change; with `Last-Event-ID` it goes on there. The stream "
        "ends after a quarter of an hour, and clients come again by themselves.",
        permission="commerce.read",
        handle=stream,
        query=types.FeedQuery,
        answer=str,
        lane="now",
        errors=(Unreadable,),
    ),
)
