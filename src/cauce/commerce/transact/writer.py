"""One thread that takes all waiting commands, has them carried out together, and answers when that is durable.

While it waits for the disk, further commands gather: the busier the door, the more commands share a sync. Other
processes may have a writer of their own; the engine lets transactions come one by one, and nothing is remembered from
one to the next.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from cauce.commerce.transact.carrier import Action, Carrier, Command
from cauce.engines.api import Table, Tables
from cauce.errors import Busy

__all__ = ["Action", "Command", "Writer", "now_microseconds"]

BATCH_MAX = 512
WAITING_MAX = 10_000


def now_microseconds() -> int:
    return time.time_ns() // 1_000


class _Waiting(NamedTuple):
    command: Command
    answered: Any
    """A Future of either kind."""


class Writer:
    """Carries commands out. `do` waits in the calling thread, `ask` in an event loop. Close it."""

    def __init__(
        self,
        tables: Tables,
        actions: Iterable[Action],
        shapes: Sequence[Table],
        *,
        clock: Callable[[], int] = now_microseconds,
    ) -> None:
        self._carrier = Carrier(tables, actions, shapes, clock)
        self._waiting: deque[_Waiting] = deque()
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._committed: Callable[[], None] = lambda: None

    def when_committed(self, listener: Callable[[], None]) -> None:
        """`listener` is called after every commit, in the writing thread; it must be quick."""
        self._committed = listener

    def do(self, command: Command) -> Any:
        """The answer of a command, when it is durable; raises what it was refused for."""
        answered: Future[Any] = Future()
        self._queue([_Waiting(command, answered)])
        return answered.result()

    def do_all(self, commands: Iterable[Command]) -> list[Any]:
        """The answers of many commands, in order; an error stands in the place of an answer. Bounded by `WAITING_MAX`.

        They are carried out in order, with few syncs, but not all or nothing.
        """
        waiting = [_Waiting(command, Future()) for command in commands]
        self._queue(waiting)
        return [one.answered.exception() or one.answered.result() for one in waiting]

    async def ask(self, command: Command) -> Any:
        """As `do`, for an event loop."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue([_Waiting(command, answered)])
        return await answered

    def _queue(self, waiting: Sequence[_Waiting]) -> None:
        for one in waiting:
            self._carrier.check(one.command)
        with self._wakeup:
            if self._closing:
                raise Busy("this process is shutting down", retry_after_seconds=2)
            if self._waiting and len(self._waiting) + len(waiting) > WAITING_MAX:
                raise Busy(f"{len(self._waiting)} commands are waiting", retry_after_seconds=1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="commerce-writer", daemon=True)
                self._thread.start()
            if not self._waiting:
                self._wakeup.notify()
            self._waiting.extend(waiting)

    def close(self) -> None:
        """Carries out what is waiting and ends the thread; later commands are refused."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        if self._thread is not None:
            self._thread.join()
        self._carrier.close()

    def _run(self) -> None:
        while True:
            with self._wakeup:
                while not self._waiting and not self._closing:
                    self._wakeup.wait()
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            _tell(batch, self._carrier.carry_out([one.command for one in batch]))
            self._committed()


def _tell(batch: Sequence[_Waiting], answers: Sequence[Any]) -> None:
    """Wakes everybody who waits: each event loop once, each thread by its own future."""
    loops: dict[Any, list[tuple[Any, Any]]] = {}
    for one, answer in zip(batch, answers, strict=True):
        if isinstance(one.answered, Future):
            _complete([(one.answered, answer)])
        else:
            loops.setdefault(one.answered.get_loop(), []).append((one.answered, answer))
    for loop, waiting in loops.items():
        try:
            loop.call_soon_threadsafe(_complete, waiting)
        except RuntimeError:
            continue  # whose loop is gone has nobody left to answer


def _complete(waiting: Sequence[tuple[Any, Any]]) -> None:
    for answered, answer in waiting:
        if answered.done():
            continue  # who asked has gone away
        if isinstance(answer, Exception):
            answered.set_exception(answer)
        else:
            answered.set_result(answer)
