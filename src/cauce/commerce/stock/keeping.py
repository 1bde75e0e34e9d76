"""Commands about goods that came, went or broke, and about the tasks that follow from it."""

from __future__ import annotations

import msgspec

from cauce.commerce.stock import facts
from cauce.commerce.stock.counting import LINES_MAX
from cauce.commerce.stock.facts import Carried, Entry
from cauce.commerce.stock.store import TASKS, Task
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, Ended


class Receive(Command, frozen=True, kw_only=True):
    """Goods came from outside. `reference` of the entries says under which order they were expected."""

    lines: tuple[Entry, ...]


class Sell(Command, frozen=True, kw_only=True):
    """A till has sold it: a fact, never refused for a shortage."""

    lines: tuple[Entry, ...]


class Return(Command, frozen=True, kw_only=True):
    """Goods came back to the place of each entry; `sold_at` is where they were sold, if it was elsewhere."""

    lines: tuple[Entry, ...]
    sold_at: str = ""
    is_damaged: bool = False


class Adjust(Command, frozen=True, kw_only=True):
    """So much more (less, below 0) is there than was known, and `why`."""

    lines: tuple[Entry, ...]
    why: str


class Damage(Command, frozen=True, kw_only=True):
    """Goods broke; `then` says what becomes of damaged ones: *kept*, *repaired* or *disposed*."""

    lines: tuple[Entry, ...]
    then: str = "kept"


class Finish(Command, frozen=True, kw_only=True):
    """Somebody has seen to a task."""

    task: int
    by: str


class Finished(msgspec.Struct, frozen=True):
    task: int
    done: int
    by: str


def receive(work: Work, command: Receive) -> tuple[Carried, ...]:
    return tuple(facts.receive(work, entry) for entry in _checked(command.lines))


def sell(work: Work, command: Sell) -> tuple[Carried, ...]:
    return tuple(facts.sell_fact(work, entry) for entry in _checked(command.lines))


def give_back(work: Work, command: Return) -> tuple[Carried, ...]:
    return tuple(
        facts.give_back(work, entry, sold_at=command.sold_at, is_damaged=command.is_damaged)
        for entry in _checked(command.lines)
    )


def adjust(work: Work, command: Adjust) -> tuple[Carried, ...]:
    if not command.why:
        raise DefinitionInvalid("expected a reason for the adjustment")
    return tuple(facts.adjust(work, entry, command.why) for entry in _checked(command.lines))


DAMAGES = {"kept": facts.damage, "repaired": facts.repair, "disposed": facts.dispose}


def damage(work: Work, command: Damage) -> tuple[Carried, ...]:
    """Shortage when more is to be repaired or disposed of than is damaged."""
    found = DAMAGES.get(command.then)
    if found is None:
        raise DefinitionInvalid(f"expected then to be one of {', '.join(DAMAGES)}, got {command.then[:40]!r}")
    return tuple(found(work, entry) for entry in _checked(command.lines))


def finish(work: Work, command: Finish) -> Finished:
    """Ended when the task was done already. A debt that grows afterwards opens it again."""
    task: Task = work.need(TASKS, command.task)
    if task.done:
        raise Ended(f"task {task.id} is done already")
    work.put(TASKS, task._replace(done=work.now, by=command.by))
    return Finished(task.id, work.now, command.by)


def _checked(lines: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if not 0 < len(lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(lines)}")
    return lines


ACTIONS = (
    Action(Receive, receive, tuple[Carried, ...]),
    Action(Sell, sell, tuple[Carried, ...]),
    Action(Return, give_back, tuple[Carried, ...]),
    Action(Adjust, adjust, tuple[Carried, ...]),
    Action(Damage, damage, tuple[Carried, ...]),
    Action(Finish, finish, Finished),
)
