"""What changes of stock, as it changes: a stream of server-sent events, and the same in pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.client.types import stock as types
from cauce.commerce.stock import feed
from cauce.commerce.stock.api import Available
from cauce.commerce.stock.feed import Changes, Cursor
from cauce.errors import Unreadable
from cauce.http.api.operation import Call, Operation
from cauce.http.api.streams import EVENTS, Stream

if TYPE_CHECKING:
    from cauce.app import Platform

LEVELS_PER_EVENT = 500
LOOK_SECONDS = 0.25
"""How often it is looked whether something changed."""
SILENCE_SECONDS_MAX = 15.0
"""After so long a comment is sent, so that nobody on the way takes the connection for dead."""
RETRY_MS = 2_000
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
        distance_metres=one.distance_metres,
        later=one.later,
    )


def changes(call: Call[types.ChangesQuery, None]) -> types.StockChanges:
    query = call.query
    found = _changes(call.platform, query, Cursor.read(query.after), query.limit)
    return types.StockChanges(items=list(map(level_of, found.items)), after=found.cursor.text, more=found.more)


async def stream(call: Call[types.FeedQuery, None]) -> Stream:
    cursor = Cursor.read(call.headers.get("last-event-id", "") or call.query.after)
    return Stream(_events(call.platform, call.query, cursor))


async def _events(platform: Platform, query: types.FeedQuery, cursor: Cursor | None) -> AsyncIterator[bytes]:
    """What changed behind a cursor, then a word that this was all, then what changes."""
    yield b"retry: %d\n\n" % RETRY_MS
    ends = time.monotonic() + query.seconds
    is_whole, spoken = False, time.monotonic()
    while time.monotonic() < ends:
        found = await asyncio.to_thread(_changes, platform, query, cursor, LEVELS_PER_EVENT)
        cursor = found.cursor
        if found.items:
            spoken = time.monotonic()
            yield event("levels", cursor, types.FedLevels(levels=list(map(level_of, found.items))))
        if found.more:
            continue
        if not is_whole:
            is_whole = True
            yield event("whole", cursor, types.FedLevels(levels=[]))
        elif time.monotonic() - spoken >= SILENCE_SECONDS_MAX:
            spoken = time.monotonic()
            yield COMMENT
        await asyncio.sleep(LOOK_SECONDS)


def event(name: str, cursor: Cursor, data: types.FedLevels) -> bytes:
    """One server-sent event."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), cursor.text.encode(), msgspec.json.encode(data))


def _changes(platform: Platform, query: Any, cursor: Cursor | None, limit: int) -> Changes:
    wish = feed.Wish(query.channel, query.place, query.sku)
    return feed.changes(platform.commerce.reader, cursor, limit, wish)


FEED_OPERATIONS = (
    Operation(
        name="stock.changes",
        method="GET",
        path="/v1/stock/changes",
        summary="What changed of stock since",
        description="Each stock as it is now. Without `after` it begins with the whole.",
        permission="commerce.read",
        handle=changes,
        query=types.ChangesQuery,
        answer=types.StockChanges,
        errors=(Unreadable,),
    ),
    Operation(
        name="stock.feed",
        method="GET",
        path="/v1/stock/feed",
        summary="Follow stock as it changes",
        description="Server-sent events: `levels` with a list of levels, and `whole` once everything of before was "
        "told. With `Last-Event-ID` (or `after`) it goes on behind an event; it begins with the whole. The stream "
        "ends after `seconds`, so that a token still holds, and clients come again by themselves. A process serves "
        "`CAUCE_STREAMS_MAX` of them, and `CAUCE_TOKEN_STREAMS_MAX` of one token; further ones get 503 with "
        "`Retry-After`.",
        permission="commerce.read",
        handle=stream,
        query=types.FeedQuery,
        answer=types.FedLevels,
        media=EVENTS,
        parameters={"seconds": 1},
        lane="now",
        errors=(Unreadable,),
    ),
)
