"""Streams of server-sent events: each asks again and again, so a process serves so many of them and no more.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cauce.errors import Busy

EVENTS = "text/event-stream"
RETRY_SECONDS = 5


class Stream(StreamingResponse):
    """Events as an answer; `ended` is called once when it is over, however that comes."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type=EVENTS)
        self.ended: Callable[[], None] = _nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ended()


class Streams:
    """The open streams of a process: at most `most`, and `most_of_one` of one token. For one event loop."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._open: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(self._open.values())

    def admitted(self, stream: Stream, who: str) -> Stream:
        """The stream, counted until it ends; Busy when there are too many."""
        own = self._open.get(who, 0)
        if own >= self._most_of_one:
            raise Busy(
                f"this token follows {own} streams, and {self._most_of_one} are the most",
                hint="Close one, follow more with one stream, or raise CAUCE_TOKEN_STREAMS_MAX",
                retry_after_seconds=RETRY_SECONDS,
            )
        if self.count >= self._most:
            raise Busy(
                f"{self._most} streams are open, which is the most of this process",
                hint="Ask for the same in pages (`GET /v1/stock/changes`), or raise CAUCE_STREAMS_MAX",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._open[who] = own + 1
        stream.ended = lambda: self._ended(who)
        return stream

    def _ended(self, who: str) -> None:
        left = self._open[who] - 1
        if left:
            self._open[who] = left
        else:
            del self._open[who]


def _nothing() -> None:
    """Nobody waits for its end."""
