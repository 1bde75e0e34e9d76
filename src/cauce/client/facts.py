"""Facts of the river in commerce."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource
from cauce.client.types import facts as types
from cauce.client.types.basics import Page


class Facts(Resource):
    """What tills and other systems told, and what became of it."""

    def list(self, **which: str) -> Iterator[types.Fact]:
        """Receipts and movements by place, the latest of each first; `which` as in `FactsQuery`."""
        return self._transport.pages("/v1/facts", Page[types.Fact], {**which, "limit": PAGE_ITEMS})

    def status(self) -> types.FactsStatus:
        """How far the river is followed, and what waits for what."""
        return self._transport.ask("GET", "/v1/facts/status", types.FactsStatus)

    def waiting(self, state: str = "waiting") -> Iterator[types.UnfitFact]:
        """Facts that could not be used: *waiting*, *applied*, *dropped* or *any*."""
        query = {"state": state, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/facts/waiting", Page[types.UnfitFact], query)

    def get(self, position: int) -> types.FactDetail:
        """A fact by the position of its event, and what became of it."""
        return self._transport.ask("GET", f"/v1/facts/{position}", types.FactDetail)

    def mend(self, position: int, changes: Mapping[str, Any] | None = None) -> types.FactMended:
        """Tries a fact again, with other properties by their paths (`products.0.quantity`)."""
        body = types.FactMend(changes=dict(changes or {}))
        return self._transport.ask("POST", f"/v1/facts/{position}/mend", types.FactMended, body=body)

    def drop(self, position: int) -> types.UnfitFact:
        """Lets a fact have no effect, for good."""
        return self._transport.ask("POST", f"/v1/facts/{position}/drop", types.UnfitFact)

    def habits(self) -> types.FactHabits:
        """What the facts of each source do here."""
        return self._transport.ask("GET", "/v1/facts/habits", types.FactHabits)

    def set_habit(self, source: str, **told: Any) -> types.FactHabit:
        """What the facts of a source (`*`: of all others) do from now on; `told` as in `FactHabitChange`."""
        body = types.FactHabitChange(source=source, **told)
        return self._transport.ask("PUT", "/v1/facts/habits", types.FactHabit, body=body)

    def stores(self) -> types.FactStores:
        """What sources call our places."""
        return self._transport.ask("GET", "/v1/facts/stores", types.FactStores)

    def name_store(self, source: str, store: str, place: str) -> types.FactStoreNamed:
        """Says which place a source means; what it told of it before has its effect now. "" takes the name back."""
        body = types.FactStoreName(source=source, store=store, place=place)
        return self._transport.ask("PUT", "/v1/facts/stores", types.FactStoreNamed, body=body)
