"""Group commit: many requests share one sync of the disk, and each is answered only after it.

One thread writes. While it waits for the disk, further requests gather; when it comes back it takes all of them, as far
as a bound allows, in one append, and tells the event loop once. So one flush is in flight at any time, a lone request
waits for one sync only, and the busier the door, the more requests share a sync.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

import zstandard

from cauce.engines.api import Log
from cauce.errors import Busy, CauceError

FLUSH_BYTES_MAX = 8_388_608
"""Bytes in one append, before compression; bounds how long those who come next wait."""
FLUSH_RECORDS_MAX = 5_000
COMPRESS_FROM_BYTES = 2_048
"""A single event shrinks by half only, and unpacking it costs as much as decoding it."""
RETRY_SECONDS = 2

Entry = tuple[str, str, int, bytes]
Waiting = tuple[Entry, "asyncio.Future[None]", bool]
Observe = Callable[[float, int], None]


class GroupCommit:
    """Appends records to a log for an event loop. `append` returns when its record is durable. Close it.

    All calls of `append` come from one event loop; `close` may come from anywhere.
    """

    def __init__(self, log: Log, queue_bytes_max: int, *, observe: Observe | None = None) -> None:
        """`observe` is called after each flush with its seconds and its number of records, in the writing thread."""
        self._log = log
        self._queue_bytes_max = queue_bytes_max
        self._observe = observe
        self._waiting: deque[Waiting] = deque()
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._compressor = zstandard.ZstdCompressor(level=1)
        self.queue_bytes = 0
        """Bytes that are not durable yet."""
        self.fault = ""
        """Why the last flush failed, empty when it did not."""

    async def append(self, source: str, connector: str, received: int, body: bytes, *, compress: bool = False) -> None:
        """Returns when the record is durable. With `compress`, it is stored as zstd.

        Busy when too much is waiting, when the log cannot be written, or after `close`; then nothing is stored.
        """
        if self.queue_bytes + len(body) > self._queue_bytes_max and self.queue_bytes:
            raise Busy(
                f"{self.queue_bytes} bytes wait for the disk, at most {self._queue_bytes_max} may",
                retry_after_seconds=RETRY_SECONDS,
            )
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._wakeup:
            if self._closing:
                raise Busy("this process is shutting down", retry_after_seconds=RETRY_SECONDS)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            self.queue_bytes += len(body)
            self._waiting.append(((source, connector, received, body), done, compress))
            if len(self._waiting) == 1:
                self._wakeup.notify()
        await done

    def close(self) -> None:
        """Writes what is waiting and ends the thread; later calls of `append` are refused."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        if self._thread is not None:
            self._thread.join()

    # -- in the writing thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._wakeup:
                while not self._waiting and not self._closing:
                    self._wakeup.wait()
                if not self._waiting:
                    return
                taken, bytes_taken = self._take()
            fault = self._flush(taken)
            with self._wakeup:
                self.queue_bytes -= bytes_taken
            _tell([done for _, done, _ in taken], fault)

    def _take(self) -> tuple[list[Waiting], int]:
        """What goes into the next append, in order of arrival; at least one."""
        taken = [self._waiting.popleft()]
        size = len(taken[0][0][3])
        while self._waiting and len(taken) < FLUSH_RECORDS_MAX:
            size_next = len(self._waiting[0][0][3])
            if size + size_next > FLUSH_BYTES_MAX:
                break
            taken.append(self._waiting.popleft())
            size += size_next
        return taken, size

    def _flush(self, taken: list[Waiting]) -> Busy | None:
        """Appends; a fault of whatever kind is told to everybody who waits, and nobody is told that it is durable."""
        started = time.perf_counter()
        try:
            self._log.append(self._packed(taken))
        except Exception as fault:  # the thread must live on: the next flush may succeed
            self.fault = str(fault) if isinstance(fault, CauceError) else repr(fault)
            return Busy(f"the log cannot be written: {self.fault}", retry_after_seconds=RETRY_SECONDS)
        self.fault = ""
        if self._observe is not None:
            self._observe(time.perf_counter() - started, len(taken))
        return None

    def _packed(self, taken: list[Waiting]) -> list[Entry]:
        """Log entries; all bodies that are to be compressed in one call, which lets go of the interpreter once."""
        entries = [entry for entry, _, _ in taken]
        places = [
            place
            for place, (entry, _, compress) in enumerate(taken)
            if compress and len(entry[3]) >= COMPRESS_FROM_BYTES
        ]
        if len(places) < 2:
            bodies = [self._compressor.compress(entries[place][3]) for place in places]
        else:
            packed = self._compressor.multi_compress_to_buffer([entries[place][3] for place in places], threads=0)
            bodies = [packed[index].tobytes() for index in range(len(packed))]
        for place, body in zip(places, bodies, strict=True):
            source, connector, received, _ = entries[place]
            entries[place] = (source, connector, received, body)
        return entries


def _tell(waiting: list[asyncio.Future[None]], fault: Busy | None) -> None:
    """Completes the futures in their event loop, all in one call; whose loop is gone has nobody left to answer."""
    try:
        waiting[0].get_loop().call_soon_threadsafe(_complete, waiting, fault)
    except RuntimeError:
        return


def _complete(waiting: list[asyncio.Future[None]], fault: Busy | None) -> None:
    for done in waiting:
        if done.done():
            continue  # who asked has gone away
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)
