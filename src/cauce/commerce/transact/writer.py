"""One thread that takes all waiting commands, carries them out in one transaction, and answers when it is durable.

While it waits for the disk, further commands gather: the busier the door, the more commands share a sync. Other
processes may have a writer of their own; the engine lets transactions come one by one, and nothing is remembered from
one to the next.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from cauce.commerce.transact.records import Records
from cauce.commerce.transact.store import ANSWERED, TABLES, TURN, Answered
from cauce.commerce.transact.work import AsksTables, Work
from cauce.engines.api import Table, Tables
from cauce.errors import Busy, CauceError, Conflict

BATCH_MAX = 512
WAITING_MAX = 10_000
KEY_CHARACTERS_MAX = 200
SWEEP_ROWS = 1_000

_logger = logging.getLogger(__name__)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done. `key` is made by the client: the same key asks for the same thing once more."""

    key: str = ""


class Action(NamedTuple):
    """How one sort of command is carried out, and what it answers.

    `needs` names rows by integer keys that `handle` will ask for, so that a batch reads them together.
    """

    command: type[Command]
    handle: Callable[[Work, Any], Any]
    answer: Any
    needs: Callable[[Any], Iterable[tuple[Records[Any], int]]] | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A refusal as it is remembered."""

    code: str
    message: str
    hint: str = ""
    details: Any = None


class _Waiting(NamedTuple):
    command: Command
    action: Action
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
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self._tables = tables
        self._actions = {action.command: action for action in actions}
        self._clock = clock
        self._turns = tables.capabilities.concurrent_writers
        tables.create((*TABLES, *shapes))
        self._waiting: deque[_Waiting] = deque()
        self._wakeup = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._told: Callable[[], None] = lambda: None

    def when_told(self, listener: Callable[[], None]) -> None:
        """`listener` is called after every commit, in the writing thread; it must be quick."""
        self._told = listener

    def do(self, command: Command) -> Any:
        """The answer of a command, when it is durable; raises what it was refused for."""
        answered: Future[Any] = Future()
        self._queue(command, answered)
        return answered.result()

    async def ask(self, command: Command) -> Any:
        """As `do`, for an event loop."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue(command, answered)
        return await answered

    def _queue(self, command: Command, answered: Any) -> None:
        if len(command.key) > KEY_CHARACTERS_MAX:
            raise Conflict(f"expected a key of at most {KEY_CHARACTERS_MAX} characters, got {len(command.key)}")
        action = self._actions[type(command)]
        with self._wakeup:
            if self._closing:
                raise Busy("this process is shutting down", retry_after_seconds=2)
            if len(self._waiting) >= WAITING_MAX:
                raise Busy(f"{len(self._waiting)} commands are waiting", retry_after_seconds=1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="commerce-writer", daemon=True)
                self._thread.start()
            self._waiting.append(_Waiting(command, action, answered))
            if len(self._waiting) == 1:
                self._wakeup.notify()

    def close(self) -> None:
        """Carries out what is waiting and ends the thread; later commands are refused."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        if self._thread is not None:
            self._thread.join()
        self._tables.close()

    # -- in the writing thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._wakeup:
                while not self._waiting and not self._closing:
                    self._wakeup.wait()
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            _tell(batch, self._carried_out(batch))
            self._told()

    def _carried_out(self, batch: Sequence[_Waiting]) -> list[Any]:
        """The answers, or the faults, of a batch; alone, one by one, when the whole cannot be committed."""
        try:
            return self._committed(batch)
        except Exception as fault:  # whatever it is, the thread lives on and everybody is answered
            if len(batch) > 1 and not isinstance(fault, Busy):
                return [answer for one in batch for answer in self._carried_out([one])]
            if not isinstance(fault, CauceError):
                _logger.exception("a command of commerce failed")
            return [fault] * len(batch)

    def _committed(self, batch: Sequence[_Waiting]) -> list[Any]:
        with self._tables.transaction():
            # First of all, so that even an engine with many writers does one transaction after the other.
            if self._turns and not self._tables.execute("update turn set last = last + 1 where id = 1"):
                self._tables.upsert(TURN, [(1, 1)])
            work = Work(self._tables, self._clock())
            keys = [one.command.key or secrets.token_hex(16) for one in batch]
            ids = [_hash(key.encode("utf-8", "surrogatepass")) for key in keys]
            work.prefetch(ANSWERED, ids)
            for of, needed in _needs(batch).items():
                work.prefetch(of, needed)
            answers = [self._answer(work, one, key, id_) for one, key, id_ in zip(batch, keys, ids, strict=True)]
            work.flush()
        return answers

    def _answer(self, work: Work, one: _Waiting, key: str, id_: int) -> Any:
        """What a command is answered, or the error it is refused with, remembered under its key."""
        command, action = one.command, one.action
        content = _hash(repr(command).encode("utf-8", "surrogatepass")) if command.key else 0
        before = work.get(ANSWERED, id_)
        if before is not None:
            return _repeated(before, key, content, action)
        try:
            try:
                work.begin(key)
                answer = action.handle(work, command)
            except AsksTables:
                work.undo()
                work.begin_asking(key)
                answer = action.handle(work, command)
            remembered = b"A" + msgspec.json.encode(answer)
        except Conflict as refused:
            work.undo()
            answer = refused
            told = Refusal(refused.code, refused.message, refused.hint, getattr(refused, "details", None))
            remembered = b"R" + msgspec.json.encode(told)
            work.begin(key)
        except Busy:
            raise
        except CauceError as fault:
            work.undo()
            return fault
        except Exception as fault:  # a fault of ours must not take its neighbours with it
            work.undo()
            _logger.exception("%s failed", type(command).__name__)
            return fault
        if command.key:
            work.append(ANSWERED, Answered(id_, key, content, remembered.decode(), work.now))
        work.end()
        return answer


def _needs(batch: Sequence[_Waiting]) -> dict[Records[Any], set[int]]:
    found: dict[Records[Any], set[int]] = {}
    for one in batch:
        if one.action.needs is not None:
            for of, key in one.action.needs(one.command):
                found.setdefault(of, set()).add(key)
    return found


def _repeated(before: Answered, key: str, content: int, action: Action) -> Any:
    if before.key != key or before.content != content:
        return Conflict(
            f"the key {key!r} was used for another command",
            hint="Make a fresh key for every command, and repeat a command unchanged",
        )
    sort, body = before.answer[0], before.answer[1:]
    if sort == "A":
        return msgspec.json.decode(body, type=action.answer)
    refusal = msgspec.json.decode(body, type=Refusal)
    return refused_again(refusal)


def refused_again(refusal: Refusal) -> Conflict:
    """The error that a remembered refusal was."""
    found = Conflict(refusal.message, hint=refusal.hint)
    found.code = refusal.code
    found.details = refusal.details  # type: ignore[attr-defined]
    return found


def _hash(content: bytes) -> int:
    """63 bits, never 0."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1 or 1


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
