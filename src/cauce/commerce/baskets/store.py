"""Tables of baskets."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cauce.commerce.baskets.rules import LineState
from cauce.commerce.transact.records import records
from cauce.engines.api import Table

BASKET, WISH_LIST = "basket", "wish_list"
KINDS = (BASKET, WISH_LIST)
OPEN, MERGED, EXPIRED = "open", "merged", "expired"


class Basket(NamedTuple):
    """A basket or wish list of an identifier (`kind:value`). Moments in microseconds.

    `state` is *open*, *merged* (then `successor` is the basket that has its lines) or *expired*. `lines` is JSON of its
    line's states by id, removed ones too.
    """

    id: int
    kind: str
    owner: str
    at: int
    changed: int
    expires: int
    state: str
    successor: int
    lines: str

    @property
    def line_states(self) -> dict[str, LineState]:
        return {id_: LineState(*line) for id_, line in _DECODER.decode(self.lines).items()}


class Home(NamedTuple):
    """Where an identifier's basket of a kind is."""

    owner: str
    kind: str
    basket: int


_DECODER = msgspec.json.Decoder(dict[str, tuple[int, int, int, int, str, str, str, int]])

BASKETS = records("basket", Basket, indexes=(("expires",), ("owner",)))
HOMES = records("basket_home", Home, key_columns=2, indexes=(("basket",),))
TABLES: tuple[Table, ...] = (BASKETS.table, HOMES.table)
