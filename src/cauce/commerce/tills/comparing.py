"""What a count would find, without counting: the differences between the books and what somebody else says."""

from __future__ import annotations

from cauce.commerce.stock.counting import Count, Counted, Difference, count
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Action, Command
from cauce.errors import CauceError


class Compare(Command, frozen=True, kw_only=True):
    """What lies in a place by the word of somebody, at an instant (`occurred`, microseconds)."""

    place: str
    lines: tuple[Counted, ...]
    occurred: int = 0


class Compared(CauceError):
    """How a comparison ends: it was worked out as a count is, and then undone. `differences` are in order of lines."""

    code = "compared"

    def __init__(self, differences: tuple[Difference, ...]) -> None:
        super().__init__("this was compared and not counted")
        self.differences = differences


def compare(work: Work, command: Compare) -> None:
    """Always Compared, so that it leaves no trace."""
    raise Compared(count(work, Count(place=command.place, lines=command.lines, occurred=command.occurred)))


ACTIONS = (Action(Compare, compare, None),)
