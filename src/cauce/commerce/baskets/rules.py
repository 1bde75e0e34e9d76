"""How two versions of a basket's lines become one: pure, and the same in any order.

A line is known by the id that its client made. Of two versions of it the greater one stands, in an order in which
removal comes before everything (so what was removed or ordered never returns) and time before content. The greater of
two is commutative, associative and idempotent, and so is the merging of whole baskets: they are a state-based CRDT
(a map of registers with tombstones, https://inria.hal.science/inria-00555588).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class LineState(NamedTuple):
    """A line as one device knows it; moments in microseconds, `amount` in thousandths.

    `removed` is 0 while it lies in the basket; `ordered` the order that took it, 0 for none.
    """

    removed: int
    ordered: int
    changed: int
    amount: int
    sku: str
    channel: str
    note: str
    added: int


def joined(one: LineState, other: LineState) -> LineState:
    """The version that stands."""
    return max(one, other, key=_rank)


def merged(one: Mapping[str, LineState], other: Mapping[str, LineState]) -> dict[str, LineState]:
    """All lines of two baskets by their ids."""
    found = dict(one)
    for id_, line in other.items():
        found[id_] = joined(found[id_], line) if id_ in found else line
    return found


def _rank(line: LineState) -> tuple[bool, bool, LineState]:
    return line.ordered > 0, line.removed > 0, line._replace(removed=line.changed, changed=line.removed)
