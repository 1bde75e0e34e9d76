"""A value that many pages want and that is dear to compute: kept for a while, computed by one thread at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
_log = logging.getLogger(__name__)
COST_FACTOR = 10
"""A value is kept at least so many times as long as it took: at most a tenth of one core goes into it."""


class Cached(Generic[T]):
    """The value of `compute`, at most `seconds` old, or older where computing takes long.

    While one thread computes it anew, the others get the value before. Any number of threads.
    """

    def __init__(self, compute: Callable[[], T], seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._compute = compute
        self._seconds = seconds
        self._clock = clock
        self._computing = threading.Lock()
        self._kept: tuple[T, float] | None = None

    def get(self) -> T:
        """The value; the first caller waits for it, and so does whoever finds it too old."""
        kept = self._kept
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        if not self._computing.acquire(blocking=kept is None):
            assert kept is not None  # only then is the lock not waited for
            return kept[0]
        try:
            if self._kept is kept:
                started = self._clock()
                value = self._compute()
                ended = self._clock()
                self._kept = value, ended + max(self._seconds, COST_FACTOR * (ended - started))
            assert self._kept is not None  # set above, or by the thread that was waited for
            return self._kept[0]
        finally:
            self._computing.release()

    def peek(self) -> T | None:
        """The value as it is, however old; None when it was never computed."""
        return None if self._kept is None else self._kept[0]

    @property
    def is_due(self) -> bool:
        """Whether it is time to compute it (again)."""
        return self._kept is None or self._clock() >= self._kept[1]


class Errands:
    """Runs slow things one after the other on a thread of its own, which has its own reader of the state."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="errands")
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[None]] = {}

    def ask(self, name: str, errand: Callable[[], object], patience_seconds: float = 0.0) -> None:
        """Has it run soon, and waits for it so long at most; what waits or runs already is not asked for twice."""
        with self._lock:
            future = self._waiting.get(name)
            if future is None:
                future = self._waiting[name] = self._pool.submit(self._run, name, errand)
        if patience_seconds:
            with suppress(TimeoutError):
                future.result(patience_seconds)

    def _run(self, name: str, errand: Callable[[], object]) -> None:
        try:
            errand()
        except Exception:
            _log.warning("what the console wanted to know could not be computed: %s", name, exc_info=True)
        finally:
            with self._lock:
                self._waiting.pop(name, None)
