"""A real `cauce up` in a process of its own, and what a test asks it."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from cauce.app import Platform
from cauce.settings import Settings

PATIENCE_SECONDS = 60.0
ROWS_MAX = 10_000
R = TypeVar("R")


def in_a_loop(work: Coroutine[Any, Any, R]) -> R:
    """As `asyncio.run`, also in a test process whose own thread runs Playwright's loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@cache
def _shared_loop() -> asyncio.AbstractEventLoop:
    """A loop in a thread of its own, until the test process ends."""
    loop: Future[asyncio.AbstractEventLoop] = Future()

    async def stay() -> None:
        ended = asyncio.Event()
        own = asyncio.get_running_loop()
        atexit.register(thread.join, PATIENCE_SECONDS)
        atexit.register(own.call_soon_threadsafe, ended.set)  # what was registered last is called first
        loop.set_result(own)
        await ended.wait()

    thread = Thread(target=lambda: asyncio.run(stay()), daemon=True)
    thread.start()
    return loop.result()


def in_the_loop(work: Coroutine[Any, Any, R]) -> R:
    """As `in_a_loop`, in a loop that goes on as that of a server does: a request takes a fifth of the time."""
    return asyncio.run_coroutine_threadsafe(work, _shared_loop()).result()


def http_client(url: str = "", **options: Any) -> httpx.Client:
    """A client of plain HTTP; it trusts no authority, and so need not read them all, which takes long."""
    return httpx.Client(base_url=url, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **options)


def first_document(lines: Iterable[str]) -> Any:
    """The first JSON document of a text that goes on."""
    text = ""
    for line in lines:
        text += line
        try:
            return json.loads(text)
        except ValueError:
            continue
    raise AssertionError(f"cauce ended and said: {text!r}")


class RunningCauce:
    """One installation in a folder of its own; `start` and `stop` may be repeated, and the port stays the same."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.url = ""
        self._settings = {"history_seconds": 1, **settings}
        self._process: subprocess.Popen[str] | None = None
        self._client = http_client(timeout=30)

    def start(self) -> RunningCauce:
        """Starts it and returns when it is ready."""
        if "authorization" not in self._client.headers:
            self._client.headers["authorization"] = f"Bearer {self._token()}"
        port = str(urlsplit(self.url).port) if self.url else "0"
        self._process = subprocess.Popen(
            self._command("up", "--port", port, "--json"), env=self._environment(), stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = first_document(self._process.stdout)["url"]
        self.wait(self._ready, "cauce to be ready")
        return self

    def stop(self) -> None:
        """Ends it in order, as Ctrl-C does."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends it without warning (kill −9); the runner process notices and ends by itself."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        if self._process is not None:
            self.stop()
        self._client.close()

    def key(self, source: str, channel: str = "web") -> str:
        """The write key of a new source, whose events are not held against a contract."""
        return str(self._post("/v1/sources", name=source, channel=channel, mode="observe")["key"])

    def get(self, path: str, **parameters: Any) -> Any:
        """What a path of the HTTP door answers to somebody who may read."""
        answer = self._client.get(self.url + path, params=parameters)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def person(self, kind: str, value: str) -> Any:
        """The profile behind an identifier; None when nobody is."""
        answer = self._client.get(f"{self.url}/v1/people/{kind}:{quote(value, safe='')}")
        assert answer.status_code in (200, 404), f"{answer.status_code} {answer.text}"
        return answer.json() if answer.status_code == 200 else None

    def timeline(self, kind: str, value: str) -> list[dict[str, Any]]:
        """All events of the person behind an identifier, oldest first."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(
                f"/v1/people/{kind}:{quote(value, safe='')}/timeline", **({"cursor": cursor} if cursor else {})
            )
            found += page["events"]
            cursor = page.get("cursor")
            if not cursor:
                return found[::-1]

    def events(self) -> list[dict[str, Any]]:
        """All stored events, in order of arrival."""
        return self.ask("select * from events order by position")

    def ask(self, statement: str) -> list[dict[str, Any]]:
        """Rows of an SQL statement, by column."""
        found = self._post("/v1/sql", statement=statement, rows_max=ROWS_MAX)
        assert not found["truncated"]
        names = [column["name"] for column in found["columns"]]
        return [dict(zip(names, row, strict=True)) for row in found["rows"]]

    def wait_for_events(self, count: int) -> list[dict[str, Any]]:
        """All stored events as soon as there are `count` of them."""
        found: list[dict[str, Any]] = []
        seen = -1.0

        def enough() -> bool:
            nonlocal found, seen
            done = self.measured("cauce_runner_offset")
            if done != seen:  # only then can there be more
                seen, found = done, self.events()
            return len(found) >= count

        self.wait(enough, f"{count} stored events")
        return found

    def measured(self, name: str) -> float:
        """The value of a metric without labels."""
        answer = self._client.get(f"{self.url}/metrics")
        return next(float(line.split()[1]) for line in answer.text.splitlines() if line.startswith(f"{name} "))

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Returns when the condition holds; fails after a minute, saying what did not happen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self._process is None or self._process.poll() is None, f"cauce ended while waiting for {what}"
            assert time.monotonic() < end, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
            time.sleep(0.05)

    def _post(self, path: str, **body: Any) -> Any:
        answer = self._client.post(self.url + path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def _token(self) -> str:
        """A token for all that these tests ask; made here, because a command takes seconds to start."""
        with Platform.open(Settings({"data": str(self.folder)})) as platform:
            return platform.access.tokens.add("tests", ["owner"]).secret

    def _ready(self) -> bool:
        try:
            return self._client.get(f"{self.url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cauce", "--data", str(self.folder), *words]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CAUCE_")}
        return inherited | {f"CAUCE_{name.upper()}": str(value) for name, value in self._settings.items()}

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(timeout=PATIENCE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
