"""`Idempotency-Key`: a request that is sent again is answered as the first one was, and done only once.

Answers are kept in memory, because some of them carry a key that is never written down: for a day, the latest ten
thousand and 64 MiB, until the door ends.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from cauce.errors import Busy, Conflict, Unreadable

KEY_CHARACTERS_MAX = 255
KEPT_SECONDS = 24 * 3_600
KEPT_MAX = 10_000
KEPT_BYTES_MAX = 64 * 2**20


class Kept(msgspec.Struct):
    """A request by its fingerprint, and its answer once there is one."""

    fingerprint: bytes
    since: float
    answer: Any = None
    size_bytes: int = 0


class Repetition:
    """Answers by (who, key). Any number of threads."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._bytes = 0

    def begin(self, who: str, key: str, fingerprint: bytes) -> Any:
        """The answer that this request already got, or None: then it is to be done, and `end` or `give_up` follows.

        Conflict when the key was used for another request, Busy while the first one is still at work.
        """
        if not key.isprintable() or len(key) > KEY_CHARACTERS_MAX:
            raise Unreadable(f"expected Idempotency-Key to have 1–{KEY_CHARACTERS_MAX} printable characters")
        with self._lock:
            now = self._clock()
            self._forget(now)
            found = self._kept.get((who, key))
            if found is None:
                self._kept[who, key] = Kept(fingerprint, now)
                return None
            if found.fingerprint != fingerprint:
                raise Conflict("this Idempotency-Key was used for another request", hint="Choose a new key")
            if found.answer is None:
                raise Busy("the request with this Idempotency-Key is still at work", retry_after_seconds=1)
            return found.answer

    def end(self, who: str, key: str, answer: Any, size_bytes: int) -> None:
        """Keeps the answer for whoever sends the request again."""
        with self._lock:
            found = self._kept.get((who, key))
            if found is not None:
                found.answer, found.size_bytes = answer, size_bytes
                self._bytes += size_bytes

    def give_up(self, who: str, key: str) -> None:
        """Forgets a request that failed, so that it can be tried again."""
        with self._lock:
            self._kept.pop((who, key), None)

    def _forget(self, now: float) -> None:
        """Forgets the oldest requests: those of yesterday, and as many as there are too many."""
        while self._kept:
            oldest = next(iter(self._kept))
            kept = self._kept[oldest]
            if len(self._kept) < KEPT_MAX and self._bytes < KEPT_BYTES_MAX and now - kept.since < KEPT_SECONDS:
                return
            self._bytes -= kept.size_bytes
            del self._kept[oldest]
