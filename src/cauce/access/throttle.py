"""How often somebody may try: delays that grow with wrong passwords, and requests per minute of a token."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from math import ceil

import msgspec

from cauce.access.control import Control
from cauce.access.rules import FORGET_SECONDS, delay_seconds
from cauce.access.store import ATTEMPTS
from cauce.errors import Throttled

ROWS_MAX = 100_000
BUCKETS_MAX = 10_000
MICROSECONDS = 1_000_000


class Attempts:
    """Failures in a row by whom (an account, an address), in the database: a restart forgives nothing.

    Names are kept as keyed hashes: people type passwords into the wrong field.
    """

    def __init__(self, control: Control, secret: bytes, clock: Callable[[], int]) -> None:
        self._control = control
        self._secret = secret
        self._clock = clock

    def begin(self, *who: str) -> None:
        """Counts an attempt as failed before it is made, so that many at once do not pass; Throttled when too soon."""
        now = self._clock()
        keys = [self._key(one) for one in who]
        with self._control.changing(quietly=True):
            rows = {key: self._row(key, now) for key in keys}
            wait = max((row[2] - now for row in rows.values()), default=0)
            if wait > 0:
                seconds = -(-wait // MICROSECONDS)
                raise Throttled(
                    f"too many attempts; the next one is possible in {seconds} seconds", retry_after_seconds=seconds
                )
            self._forget(now)
            self._control.upsert(
                ATTEMPTS,
                [
                    (key, failures + 1, now, now + delay_seconds(failures + 1) * MICROSECONDS)
                    for key, (failures, _, _) in rows.items()
                ],
            )

    def succeeded(self, account: str, *others: str) -> None:
        """Forgives the account all failures, and the others (an address) no more than this attempt.

        Else whoever has one account could try those of others without end.
        """
        now = self._clock()
        with self._control.changing(quietly=True):
            self._control.execute("delete from access_attempt where who = ?", self._key(account))
            for one in others:
                self._control.execute(
                    "update access_attempt set failures = failures - 1, wait_until = ? where who = ?",
                    now,
                    self._key(one),
                )

    def _row(self, key: str, now: int) -> tuple[int, int, int]:
        """(failures, last, wait until) of today; none when the last failure is long ago."""
        rows = self._control.select("select failures, last, wait_until from access_attempt where who = ?", key)
        if not rows or rows[0][1] < now - FORGET_SECONDS * MICROSECONDS:
            return (0, 0, 0)
        failures, last, until = rows[0]
        return (int(failures), int(last), int(until))

    def _forget(self, now: int) -> None:
        (count,) = self._control.select("select count(*) from access_attempt")[0]
        if count >= ROWS_MAX:
            self._control.execute("delete from access_attempt where last < ?", now - FORGET_SECONDS * MICROSECONDS)

    def _key(self, who: str) -> str:
        return blake2b(who.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).hexdigest()


class Allowance(msgspec.Struct, frozen=True):
    """Requests a minute, how many are left now, and in how many seconds all of them will be there again."""

    per_minute: int
    left: int
    seconds: int


class Buckets:
    """A bucket of requests per token, in this process: full at first, filled again at `per_minute`."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._filled: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Takes one; Throttled with the time until there is one again."""
        with self._lock:
            content = self._content(name)
            if len(self._filled) >= BUCKETS_MAX:
                self._filled.clear()
            self._filled[name] = (content - 1 if content >= 1 else content, self._clock())
        if content < 1:
            raise Throttled(
                f"expected at most {self._per_minute} requests a minute of one token",
                retry_after_seconds=max(1, ceil((1 - content) * 60 / self._per_minute)),
            )

    def allowance(self, name: str) -> Allowance:
        """What is left of the bucket, and how long until it is full."""
        with self._lock:
            content = self._content(name)
        return Allowance(self._per_minute, int(content), ceil((self._per_minute - content) * 60 / self._per_minute))

    def _content(self, name: str) -> float:
        now = self._clock()
        content, since = self._filled.get(name, (float(self._per_minute), now))
        return min(float(self._per_minute), content + (now - since) * self._per_minute / 60)
