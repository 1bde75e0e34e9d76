"""Carries a batch of commands out in one transaction: the same answers and the same state however batches are cut."""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cauce.commerce.transact.asking import number_of
from cauce.commerce.transact.keys import BY_HASH, KEYS, KnownKeys
from cauce.commerce.transact.records import Records
from cauce.commerce.transact.store import ANSWERED, NUMBERS, TABLES, TURN, Answered
from cauce.commerce.transact.work import AsksTables, Work
from cauce.engines.api import Keys, Table, Tables
from cauce.errors import Busy, CauceError, Conflict, Unreadable

KEY_CHARACTERS_MAX = 200
COMMANDS_AT_ONCE = 20
"""Commands whose changes a remote engine is sent together: it is at work on them while the next are carried out."""
_ALL_NUMBERS = f"select {NUMBERS.columns} from number where 1 in {{keys}}"
"""Asked with the key 1, so that it goes with the questions by key: a remote engine is waited for once."""

_COMMANDS = "command"
"""The series that numbers answered commands."""

_logger = logging.getLogger(__name__)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done. `key` is made by the client: the same key asks for the same thing once more."""

    key: str = ""


Need = tuple[Records[Any], Any]
"""A row that is needed: of which table, and its key."""


class Action(NamedTuple):
    """How one sort of command is carried out, and what it answers.

    `needs` names rows that `handle` will ask for, by tables with one key column, so that a batch reads them together;
    `always` are those that every such command asks for.
    """

    command: type[Command]
    handle: Callable[[Work, Any], Any]
    answer: Any
    needs: Callable[[Any], Iterable[Need]] | None = None
    always: tuple[Need, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """A refusal as it is remembered."""

    code: str
    message: str
    hint: str = ""
    details: Any = None


class Carrier:
    """Knows how each sort of command is carried out; for one thread. `clock` gives microseconds."""

    def __init__(
        self, tables: Tables, actions: Iterable[Action], shapes: Sequence[Table], clock: Callable[[], int]
    ) -> None:
        self._tables = tables
        self._actions = {action.command: action for action in actions}
        self._clock = clock
        self._keys = KnownKeys()
        self._is_remote = tables.capabilities.remote
        self._many_writers = tables.capabilities.concurrent_writers
        tables.create((*TABLES, *shapes))

    def check(self, command: Command) -> None:
        """Unreadable for a key that cannot be kept; a command that nobody carries out is a fault of the program."""
        key = command.key
        if len(key) > KEY_CHARACTERS_MAX or (key and not key.isprintable()):
            raise Unreadable(f"expected a key of at most {KEY_CHARACTERS_MAX} printable characters, got {key[:80]!r}")
        assert type(command) in self._actions, f"nobody carries out {type(command).__name__}"

    def carry_out(self, commands: Sequence[Command]) -> list[Any]:
        """The answers, or the faults, of a batch, durable on return.

        When the whole cannot be committed its commands are carried out one by one, so that the guilty one is alone.
        """
        try:
            return self._committed(commands)
        except Exception as fault:  # whatever it is, everybody is answered
            if len(commands) > 1 and not isinstance(fault, Busy):
                return [answer for command in commands for answer in self.carry_out([command])]
            if not isinstance(fault, CauceError):
                _logger.exception("a command of commerce failed")
            return [fault] * len(commands)

    def close(self) -> None:
        self._tables.close()

    def _committed(self, commands: Sequence[Command]) -> list[Any]:
        with self._tables.transaction():
            # First of all, so that even an engine with many writers does one transaction after the other.
            if self._many_writers:
                self._tables.upsert(TURN, [(1, 0)])
            work = Work(self._tables, self._clock())
            hashes = {command.key: number_of(command.key.encode()) for command in commands if command.key}
            answered = self._read(work, hashes, self._needs(commands))
            answers = []
            for place, command in enumerate(commands, 1):
                answers.append(self._answer(work, command, hashes, answered))
                if self._is_remote and place % COMMANDS_AT_ONCE == 0:
                    work.flush()
            new = [(row.hash, row.id) for row in answered.values() if row.id > self._keys.last]
            work.finish([(KEYS.table, self._keys.due(new))])
        self._keys.committed(new)
        return answers

    def _read(
        self, work: Work, hashes: Mapping[str, int], needs: Mapping[Records[Any], set[Any]]
    ) -> dict[str, Answered]:
        """Reads what is needed, all together; the commands of some keys that were answered already."""
        questions: list[tuple[str, Keys]] = [(of.by_keys, keys) for of, keys in needs.items()]
        questions += [(BY_HASH, hashes.values()), (_ALL_NUMBERS, (1,))]
        *rows, written, numbers = self._tables.select_keys_each(questions)
        for (of, keys), found in zip(needs.items(), rows, strict=True):
            work.know(of, keys, found)
        last: dict[str, int] = dict(numbers)
        work.know_numbers(last)
        self._keys.catch_up(self._tables, last.get(_COMMANDS, 0))
        before = self._keys.found(set(hashes.values()), written)
        answered = self._tables.select_keys(ANSWERED.by_keys, before) if before else ()
        return {row.key: row for row in map(ANSWERED.of, answered)}

    def _needs(self, commands: Sequence[Command]) -> dict[Records[Any], set[Any]]:
        wanted: set[Need] = set()
        for kind in set(map(type, commands)):
            wanted.update(self._actions[kind].always)
        for command in commands:
            needs = self._actions[type(command)].needs
            if needs is not None:
                wanted.update(needs(command))
        found: defaultdict[Records[Any], set[Any]] = defaultdict(set)
        for of, key in wanted:
            found[of].add(key)
        return found

    def _answer(self, work: Work, command: Command, hashes: Mapping[str, int], answered: dict[str, Answered]) -> Any:
        """What a command is answered, or the error it is refused with, remembered under its key."""
        action, key = self._actions[type(command)], command.key
        content = _content(command) if key else 0
        if key in answered:
            return _repeated(answered[key], content, action)
        cause = key or secrets.token_hex(8)
        try:
            try:
                work.begin(cause)
                answer = action.handle(work, command)
            except AsksTables:
                work.undo()
                work.begin_asking(cause)
                answer = action.handle(work, command)
        except Conflict as refused:
            work.undo()
            answer = refused
            work.begin(cause)
        except Busy:
            raise
        except Exception as fault:  # a fault of one must not take its neighbours with it
            work.undo()
            if not isinstance(fault, CauceError):
                _logger.exception("%s failed", type(command).__name__)
            return fault
        if key:
            row = Answered(work.number(_COMMANDS), hashes[key], key, content, remembered(answer), work.now)
            answered[key] = work.append(ANSWERED, row)
        work.end()
        return answer


def remembered(answer: Any) -> str:
    """An answer, or a refusal, as it is kept for whoever repeats the command."""
    if not isinstance(answer, Conflict):
        return "A" + msgspec.json.encode(answer).decode()
    told = Refusal(answer.code, answer.message, answer.hint, getattr(answer, "details", None))
    return "R" + msgspec.json.encode(told).decode()


def _repeated(before: Answered, content: int, action: Action) -> Any:
    if before.content != content:
        return Conflict(
            f"the key {before.key!r} was used for another command",
            hint="Make a fresh key for every command, and repeat a command unchanged",
        )
    sort, body = before.answer[0], before.answer[1:]
    if sort == "A":
        return msgspec.json.decode(body, type=action.answer)
    return _refused_again(msgspec.json.decode(body, type=Refusal))


def _refused_again(refusal: Refusal) -> Conflict:
    """The error that a remembered refusal was."""
    found = Conflict(refusal.message, hint=refusal.hint)
    found.code = refusal.code
    found.details = refusal.details  # type: ignore[attr-defined]
    return found


def _content(command: Command) -> int:
    """A hash of what a command asks."""
    return number_of(type(command).__name__.encode() + msgspec.json.encode(command))
