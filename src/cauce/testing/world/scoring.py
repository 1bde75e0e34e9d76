"""How well somebody else's idea of who is who agrees with the truth: pairwise precision and recall."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from cauce.testing.world.truth import IdentifierTruth

FindPerson = Callable[[str, str], Hashable | None]
"""(kind, value) → whatever stands for the person there; None when the identifier is not known."""


class Score(NamedTuple):
    """Counts of pairs of personal identifiers that were found.

    `joined` pairs are of one person by the finder's word, `true` ones in truth, `right` ones both.
    Not every true pair can be known: people whose browser never logs in leave no evidence.
    """

    identifiers: int
    joined: int
    true: int
    right: int

    @property
    def precision(self) -> float:
        """Share of the joined pairs that are right; 1.0 when nothing is joined."""
        return self.right / self.joined if self.joined else 1.0

    @property
    def recall(self) -> float:
        """Share of the true pairs that are joined; 1.0 when there are none."""
        return self.right / self.true if self.true else 1.0


def score(identifiers: Iterable[IdentifierTruth], find: FindPerson) -> Score:
    """Compares `find` with the truth over all *personal* identifiers that it knows."""
    found: dict[Hashable, Counter[int]] = defaultdict(Counter)
    true: Counter[int] = Counter()
    for identifier in identifiers:
        if identifier.status == "personal":
            person = find(identifier.kind, identifier.value)
            if person is not None:
                found[person][identifier.person] += 1
                true[identifier.person] += 1
    return Score(
        true.total(),
        sum(_pairs(group.total()) for group in found.values()),
        sum(map(_pairs, true.values())),
        sum(_pairs(count) for group in found.values() for count in group.values()),
    )


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
