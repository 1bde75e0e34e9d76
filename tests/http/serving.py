"""A real server over a small platform, for tests of the door."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def serving(platform: Any, pages: Pages | None = None) -> Iterator[str]:
    """Base URL of a real uvicorn over the platform, with or without the console; ends it in order."""
    config = uvicorn.Config(
        create_app(platform, pages), host="127.0.0.1", port=0, log_level="warning", http="httptools"
    )
    server = uvicorn.Server(config)
    bound = config.bind_socket()
    bound.listen(128)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        bound.close()
