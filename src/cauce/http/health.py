"""`/health/live` and `/health/ready`: may this process be asked, and does what it takes in get anywhere?"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cauce.events.intake import GroupCommit

T = TypeVar("T")
LOOK_SECONDS = 1.0
"""How old an answer may be before the log and the state are asked again."""


class Health:
    """How log and river stand, asked at most once a second, never in the event loop."""

    def __init__(self, platform: Any, commit: GroupCommit) -> None:
        self._platform = platform
        self._commit = commit
        self._lock = threading.Lock()
        self._seen: dict[str, Any] = {}
        self._looked = float("-inf")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="health")

    async def ask(self, question: Callable[[], T]) -> T:
        """The answer to a blocking question, from the one thread that reads the state for this."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, question)

    def close(self) -> None:
        self._pool.shutdown(wait=False)

    def look(self) -> dict[str, Any]:
        """`platform.health()`, at most a second old; with `fault` when it cannot be told. Blocks: not for the loop."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                try:
                    self._seen = dict(self._platform.health())
                except Exception as fault:  # whatever is wrong with it is the answer
                    self._seen = {"fault": f"{type(fault).__name__}: {fault}"}
                self._looked = time.monotonic()
            return self._seen

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Items by source and fate, nothing when the state cannot be read. Blocks."""
        try:
            return by_source(self._platform.quality.counts())
        except Exception:  # a scrape must not fail because the state is not there yet
            return {}

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether events are taken in durably and carried on, and the details. Blocks."""
        seen = self.look()
        fault = self._commit.fault or seen.get("fault", "")
        ready = not fault and bool(seen.get("runner", True))
        details = {"ready": ready, "log_writable": not self._commit.fault, **seen}
        if fault:
            details["fault"] = fault
        return ready, details


def by_source(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """{source: {fate: number}} of the rows of `quality.counts()`."""
    return {str(row["source"]): {fate: row[fate] for fate in row if fate != "source"} for row in rows}


def routes(health: Health) -> list[Route]:
    """Live: the process answers. Ready: 200 or 503, with the details."""

    async def live(_request: Request) -> Response:
        return Response(b'{"live":true}', media_type="application/json")

    async def ready(_request: Request) -> Response:
        is_ready, details = await health.ask(health.report)
        return Response(msgspec.json.encode(details), 200 if is_ready else 503, media_type="application/json")

    return [Route("/health/live", live, methods=["GET"]), Route("/health/ready", ready, methods=["GET"])]
