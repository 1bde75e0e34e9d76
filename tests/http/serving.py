"""A real server over a small platform, for tests of the door."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from cauce.access.api import Access, Audit, Control
from cauce.connectors import posthog, rows, tracking
from cauce.engines.memory import MemoryLog
from cauce.engines.sqlite import SqliteTables
from cauce.events.sources import Sources
from cauce.http.app import Pages, create_app
from cauce.model import Received, Source
from cauce.settings import Settings

DECODERS = {"tracking": tracking, "posthog": posthog, "rows": rows}


class Quality:
    def counts(self) -> list[dict[str, Any]]:
        return [{"source": "web", "received": 3, "stored": 2, "quarantined": 1}]


class SmallPlatform:
    """What the door needs of a platform, without the river behind it."""

    def __init__(self, folder: Path, log: Any = None, **settings: Any) -> None:
        self.settings = Settings({"data": str(folder), **settings})
        self.log = MemoryLog() if log is None else log
        self.control = Control(SqliteTables(folder / "control.db"))
        self.audit = Audit(self.control)
        self.secret = b"tests"
        self.access = Access(self.control, self.audit, self.secret)
        self.sources = Sources(self.control, self.audit)
        self.quality = Quality()
        self.lag_bytes = 0
        self.runner = True
        known = [source.name for source in self.sources.list()]
        self.key = "" if "web" in known else self.sources.add(Source("web", "web"))

    def health(self) -> dict[str, Any]:
        end = self.log.end()
        return {
            "log_end": end, "offset": end, "lag_records": 0, "lag_bytes": self.lag_bytes, "runner": self.runner,
        }  # fmt: skip

    def items(self) -> list[Received]:
        """Everything in the log, decoded."""
        found: list[Received] = []
        for record in self.log.read(0, records_max=1_000_000, bytes_max=2**40):
            decoder = DECODERS[record.connector.partition(":")[0]]
            found += decoder.decode(record, self.sources.get(record.source))
        return found

    def close(self) -> None:
        self.access.close()
        self.control.close()
        self.log.close()


class _Server(uvicorn.Server):
    """Ends as soon as it is told to, where uvicorn itself looks ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main_loop(self) -> None:
        ending = asyncio.Event()
        await self.on_tick(0)
        self._running.set_result((asyncio.get_running_loop(), ending))
        await ending.wait()

    def run_over(self, bound: socket.socket) -> None:
        try:
            self.run(sockets=[bound])
        finally:
            self._running.cancel()  # changes nothing, but where it did not even start

    def end(self) -> None:
        with suppress(CancelledError):
            loop, ending = self._running.result(timeout=30)
            loop.call_soon_threadsafe(ending.set)


@contextmanager
def serving(platform: Any, pages: Pages | None = None) -> Iterator[str]:
    """Base URL of a real uvicorn over the platform, with or without the console; ends it in order."""
    config = uvicorn.Config(
        create_app(platform, pages), host="127.0.0.1", port=0, log_level="warning", http="httptools"
    )
    server = _Server(config)
    bound = config.bind_socket()
    bound.listen(128)
    thread = threading.Thread(target=server.run_over, args=(bound,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.end()
        thread.join(timeout=30)
        bound.close()
