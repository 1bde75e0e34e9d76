"""What ids of products, stores and sources mean, remembered for a moment: a busy river names the same ones again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.tills import movements
from cauce.commerce.tills.habits import EVERY, habits
from cauce.commerce.tills.store import PLACE_NAMES, Habit
from cauce.engines.api import Row

SECONDS = 2.0
"""How long something is remembered; then it is looked up again."""
ITEMS_MAX = 200_000


class Rows(Protocol):
    """What can be asked in SQL."""

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class Item(NamedTuple):
    """A product as an id of a channel means it."""

    sku: str
    unit: str


class Knowledge:
    """What is known of products and places; for one thread. `refresh` before each use."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._since = float("-inf")
        self._items: dict[tuple[str, str], Item] = {}
        self._places: dict[tuple[str, str], str] = {}
        self._zones: dict[str, str] = {}
        self._habits: dict[str, Habit] = {}
        self.rewards = False
        """Whether there is a programme in which anything could be earned."""

    @property
    def has_places(self) -> bool:
        return bool(self._places)

    def forget(self) -> None:
        """The next `refresh` looks everything up again."""
        self._since = float("-inf")

    def refresh(self) -> None:
        """Forgets what may be outdated."""
        now = time.monotonic()
        if now - self._since < SECONDS and len(self._items) < ITEMS_MAX:
            return
        self._since = now
        self._items.clear()
        self._habits = habits(self._rows)
        self.rewards = bool(self._rows.select("select 1 from loyalty_programme limit 1"))
        names = self._rows.select(f"select source, store, place from {PLACE_NAMES.name}")
        self._places = {(source, store): place for source, store, place in names}
        for place in catalogue.places(self._rows, retired=True):
            self._places.setdefault(("", place.id), place.id)
            self._zones[place.id] = place.zone
            if place.gln:
                self._places.setdefault(("", place.gln), place.id)

    def habit(self, source: str) -> Habit:
        """What the facts of a source do here."""
        return self._habits.get(source) or self._habits[EVERY]

    def place(self, source: str, store: str) -> str | None:
        """The place that a store of a source means: what it was told to mean, else an id or a GLN of ours."""
        found = self._places.get((source, store)) or self._places.get((EVERY, store))
        if found or not store:
            return found
        gln = movements.gln_of(store)
        return self._places.get(("", store)) or (self._places.get(("", gln)) if gln else None)

    def zone(self, place: str) -> str:
        """The IANA time zone of a place."""
        return self._zones.get(place, "UTC")

    def item(self, channel: str, id: str) -> Item | None:
        """The product that an id of a channel means."""
        found = self._items.get((channel, id))
        if found is None:
            sku = catalogue.resolve(self._rows, channel, id)
            if sku is None:
                return None
            product = catalogue.product(self._rows, sku)
            found = self._items[channel, id] = Item(sku, product.unit if product else "")
        return found
