"""`Idempotency-Key`: a request that is sent again is answered as the first one was, and done only once.

What was answered stands in the control database for a day, so that a repetition is known after a restart and at every
other door. An answer that holds a secret or personal values is never written down: this door gives it again as long as
it runs; elsewhere its repetition is refused, because that it was carried out is known all the same.
Commands of commerce remember their keys themselves, for good; of them only this door's memory knows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from cauce.access.api import Control
from cauce.engines.api import Table
from cauce.errors import Busy, CauceError, Conflict, Unreadable
from cauce.model import SECOND

logger = logging.getLogger(__name__)

KEY_CHARACTERS_MAX = 255
KEPT_SECONDS = 24 * 3_600
KEPT_MAX = 10_000
KEPT_BYTES_MAX = 64 * 2**20
ANSWER_BYTES_MAX = 256 * 1_024
"""A longer answer is not written down."""
WORKING_SECONDS_MAX = 900
"""How long a request may be at work; of one that is longer the door was killed, and its repetition is carried out."""
TRIMMED_EVERY = 200

Kept = Literal["", "fact", "answer"]
"""What is written down of a request: nothing, that it was carried out, or its answer too."""

REPETITIONS = Table(
    "api_repetition",
    (
        ("key", "text"),  # keyed hash of who and their key
        ("fingerprint", "blob"),
        ("since", "integer"),  # microseconds UTC
        ("state", "text"),  # working, fact, answer
        ("status", "integer"),
        ("headers", "text"),  # JSON object
        ("body", "blob"),
        ("bytes", "integer"),
    ),
    ("key",),
    indexes=(("since",),),
)


class Answered(msgspec.Struct, frozen=True):
    """An answer as it was given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Request(msgspec.Struct):
    """A request of this door by its fingerprint, and its answer once there is one."""

    fingerprint: bytes
    since: int
    answer: Answered | None = None

    @property
    def size_bytes(self) -> int:
        return len(self.answer.body) if self.answer else 0


class Repetition:
    """Requests by who sent them and their key. Any number of threads, and of doors over one control database."""

    def __init__(
        self, control: Control, secret: bytes, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        self._control = control
        self._secret = blake2b(b"idempotency keys", key=secret).digest()
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Request] = OrderedDict()
        self._bytes = 0
        self._begun = 0
        control.create((REPETITIONS,))

    def begin(self, who: str, key: str, fingerprint: bytes, kept: Kept = "answer") -> Answered | None:
        """The answer that this request already got, or None: then it is to be done, and `end` or `give_up` follows.

        Conflict when the key was used for another request, or when its answer was not written down; Busy while the
        first one is still at work.
        """
        if not key.isprintable() or len(key) > KEY_CHARACTERS_MAX:
            raise Unreadable(f"expected Idempotency-Key to have 1–{KEY_CHARACTERS_MAX} printable characters")
        name = self._name(who, key)
        now = self._clock()
        with self._lock:
            self._forget(now)
            found = self._kept.get(name)
            if found is not None:
                return _again(found.fingerprint, fingerprint, found.answer)
            self._kept[name] = Request(fingerprint, now)
        before: Answered | None = None
        try:
            before = self._taken(name, fingerprint, now) if kept else None
        except BaseException:
            self._drop(name)
            raise
        if before is not None:
            self._drop(name)
        return before

    def end(self, who: str, key: str, answer: Answered, kept: Kept = "answer") -> None:
        """Keeps the answer for whoever sends the request again."""
        name = self._name(who, key)
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                found.answer = answer
                self._bytes += found.size_bytes
        if not kept or found is None:
            return
        written = answer if kept == "answer" and len(answer.body) <= ANSWER_BYTES_MAX else None
        try:
            with self._control.changing(quietly=True):
                self._control.upsert(REPETITIONS, [_row(name, found, "answer" if written else "fact", written)])
        except CauceError:  # the request is carried out all the same, and this door knows it
            logger.exception("that a request was carried out could not be written down")

    def give_up(self, who: str, key: str, kept: Kept = "answer") -> None:
        """Forgets a request that failed, so that it can be tried again."""
        name = self._name(who, key)
        self._drop(name)
        if kept:
            with self._control.changing(quietly=True):
                self._control.execute("delete from api_repetition where key = ? and state = 'working'", name)

    # -- inner --------------------------------------------------------------------------------------------------

    def _name(self, who: str, key: str) -> str:
        """What stands for a key in the database: whoever reads it there cannot send it again."""
        told = f"{who}\0{key}".encode("utf-8", "surrogatepass")
        return blake2b(told, key=self._secret, digest_size=16).hexdigest()

    def _taken(self, name: str, fingerprint: bytes, now: int) -> Answered | None:
        """The answer that is written down, or None: then it is written down that this door is at work."""
        with self._control.changing(quietly=True):
            self._trim(now)
            rows = self._control.select(
                "select fingerprint, since, state, status, headers, body from api_repetition where key = ?", name
            )
            if rows:
                before, since, state, status, headers, body = rows[0]
                if state == "answer" or bytes(before) != fingerprint:
                    return _again(bytes(before), fingerprint, _answered(status, headers, body))
                if state == "fact":
                    raise Conflict(
                        "this request was carried out, and its answer was not written down",
                        hint="Look whether what it made is there; a new key does it once more",
                    )
                if now - since < WORKING_SECONDS_MAX * SECOND:
                    return _again(bytes(before), fingerprint, None)
            self._control.upsert(REPETITIONS, [_row(name, Request(fingerprint, now), "working", None)])
        return None

    def _trim(self, now: int) -> None:
        """Deletes what is older than a day, and now and then as many of the oldest as there are too many."""
        self._control.execute("delete from api_repetition where since <= ?", now - KEPT_SECONDS * SECOND)
        self._begun += 1
        if self._begun % TRIMMED_EVERY:
            return
        size = count = 0
        for since, size_bytes in self._control.select("select since, bytes from api_repetition order by since desc"):
            size, count = size + size_bytes, count + 1
            if count > KEPT_MAX or size > KEPT_BYTES_MAX:
                self._control.execute("delete from api_repetition where since <= ?", since)
                return

    def _drop(self, name: str) -> None:
        with self._lock:
            found = self._kept.pop(name, None)
            if found is not None:
                self._bytes -= found.size_bytes

    def _forget(self, now: int) -> None:
        """Forgets the oldest requests: those of yesterday, and as many as there are too many."""
        while self._kept:
            name, oldest = next(iter(self._kept.items()))
            few = len(self._kept) < KEPT_MAX and self._bytes < KEPT_BYTES_MAX
            if few and now - oldest.since < KEPT_SECONDS * SECOND:
                return
            self._bytes -= oldest.size_bytes
            del self._kept[name]


def _again(before: bytes, fingerprint: bytes, answer: Answered | None) -> Answered:
    if before != fingerprint:
        raise Conflict("this Idempotency-Key was used for another request", hint="Choose a new key")
    if answer is None:
        raise Busy("the request with this Idempotency-Key is still at work", retry_after_seconds=1)
    return answer


def _row(name: str, request: Request, state: str, answer: Answered | None) -> tuple[Any, ...]:
    if answer is None:
        return name, request.fingerprint, request.since, state, 0, "", b"", 0
    headers = msgspec.json.encode(dict(answer.headers)).decode()
    return name, request.fingerprint, request.since, state, answer.status, headers, answer.body, len(answer.body)


def _answered(status: int, headers: str, body: bytes) -> Answered:
    return Answered(status, msgspec.json.decode(headers or "{}", type=dict[str, str]), bytes(body))
