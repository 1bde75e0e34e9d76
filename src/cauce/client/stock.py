"""Stock: what is where, what may be promised, holds, and what happens to goods. Amounts are thousandths of the unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource, part
from cauce.client.types import stock as types
from cauce.client.types.basics import Page

Lines = Sequence[dict[str, Any]]
"""Lines of a body, as its type in `cauce.client.types.stock` has them."""


class Stock(Resource):
    """What is where, what may be promised of it, and what happens to it."""

    def levels(self, *, sku: str = "", place: str = "", channel: str = "") -> Iterator[types.StockLevel]:
        query = {"sku": sku, "place": place, "channel": channel, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/stock", Page[types.StockLevel], query)

    def availability(
        self,
        sku: str,
        *,
        channel: str = "",
        near: tuple[float, float] | None = None,
        places: Sequence[str] = (),
        on: str = "",
    ) -> types.Availability:
        """What may be promised of a product: nearest places first when `near` is given, otherwise where most is."""
        point = f"{near[0]:.6f},{near[1]:.6f}" if near else ""
        query = {"sku": sku, "channel": channel, "near": point, "place": list(places), "on": on}
        return self._transport.ask("GET", "/v1/stock/availability", types.Availability, query=query)

    def movements(self, sku: str, *, place: str = "") -> Iterator[types.StockMovement]:
        """Newest first."""
        query = {"sku": sku, "place": place, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/stock/movements", Page[types.StockMovement], query)

    def hold(self, lines: Lines, *, seconds: int = 900, channel: str = "", owner: str = "") -> types.StockHold:
        """Holds all lines or none; Shortage tells in `details` what can be had."""
        body = {"lines": list(lines), "seconds": seconds, "channel": channel, "owner": owner}
        return self._transport.ask("POST", "/v1/stock/holds", types.StockHold, body=body)

    def get_hold(self, hold: int) -> types.StockHold:
        return self._transport.ask("GET", f"/v1/stock/holds/{hold}", types.StockHold)

    def confirm(self, hold: int) -> types.StockHold:
        """What is held is sold."""
        return self._transport.ask("POST", f"/v1/stock/holds/{hold}/confirm", types.StockHold)

    def release(self, hold: int) -> types.StockHold:
        """What is held is free again."""
        return self._transport.ask("POST", f"/v1/stock/holds/{hold}/release", types.StockHold)

    def receive(self, lines: Lines) -> types.Moved:
        return self._transport.ask("POST", "/v1/stock/receive", types.Moved, body={"lines": list(lines)})

    def sell(self, lines: Lines) -> types.Moved:
        """A fact of a till: never refused for a shortage."""
        return self._transport.ask("POST", "/v1/stock/sell", types.Moved, body={"lines": list(lines)})

    def give_back(self, lines: Lines, *, sold_at: str = "", is_damaged: bool = False) -> types.Moved:
        body = {"lines": list(lines), "sold_at": sold_at, "is_damaged": is_damaged}
        return self._transport.ask("POST", "/v1/stock/return", types.Moved, body=body)

    def damage(self, lines: Lines, *, then: str = "kept") -> types.Moved:
        """Goods broke; `then` *repaired* or *disposed* says what becomes of damaged ones."""
        return self._transport.ask("POST", "/v1/stock/damage", types.Moved, body={"lines": list(lines), "then": then})

    def adjust(self, lines: Lines, *, why: str) -> types.Moved:
        return self._transport.ask("POST", "/v1/stock/adjust", types.Moved, body={"lines": list(lines), "why": why})

    def move(self, origin: str, destination: str, lines: Lines, **more: Any) -> types.StockShipment:
        """Sends goods to another place; `more` as in `NewShipment`."""
        body = {"origin": origin, "destination": destination, "lines": list(lines), **more}
        return self._transport.ask("POST", "/v1/stock/move", types.StockShipment, body=body)

    def shipments(self, *, place: str = "", arrived: bool = False) -> Iterator[types.StockShipment]:
        query = {"place": place, "arrived": "true" if arrived else "false", "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/stock/shipments", Page[types.StockShipment], query)

    def arrive(self, shipment: int, lines: Lines = (), *, is_last: bool = True) -> types.StockShipment:
        """A shipment came: all of it without `lines`."""
        body = {"lines": list(lines), "is_last": is_last}
        return self._transport.ask("POST", f"/v1/stock/shipments/{shipment}/arrive", types.StockShipment, body=body)

    def count(
        self, place: str, lines: Lines, *, occurred: datetime | None = None, reference: str = ""
    ) -> types.CountResult:
        """What was counted at an instant."""
        body = {"place": place, "lines": list(lines), "occurred": occurred, "reference": reference}
        return self._transport.ask("POST", "/v1/stock/count", types.CountResult, body=body)

    def counts(self, *, place: str = "", sku: str = "") -> Iterator[types.StockCount]:
        query = {"place": place, "sku": sku, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/stock/counts", Page[types.StockCount], query)

    def expect(self, sku: str, place: str, amount: int, *, on: str, reference: str) -> types.StockExpectation:
        """So much is to come on a day; 0 calls it off."""
        body = {"sku": sku, "place": place, "amount": amount, "on": on, "reference": reference}
        return self._transport.ask("POST", "/v1/stock/expected", types.StockExpectation, body=body)

    def expected(self, *, sku: str = "", place: str = "", since: str = "") -> Iterator[types.StockExpectation]:
        query = {"sku": sku, "place": place, "since": since, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/stock/expected", Page[types.StockExpectation], query)

    def set_safety(self, place: str, amount: int | None, *, sku: str = "") -> types.StockLimits:
        """Keeps so much back of a product, or of all in a place."""
        body = {"place": place, "amount": amount, "sku": sku}
        return self._transport.ask("POST", "/v1/stock/safety", types.StockLimits, body=body)

    def set_low(self, place: str, amount: int | None, *, sku: str = "") -> types.StockLimits:
        """Says when a product, or everything in a place, is low."""
        body = {"place": place, "amount": amount, "sku": sku}
        return self._transport.ask("POST", "/v1/stock/low", types.StockLimits, body=body)

    def set_cap(self, channel: str, amount: int | None, *, sku: str = "", place: str = "") -> types.StockCap:
        """The most that a channel may see; None lifts it."""
        body = {"channel": channel, "amount": amount, "sku": sku, "place": place}
        return self._transport.ask("POST", "/v1/stock/caps", types.StockCap, body=body)

    def caps(self, channel: str = "") -> Sequence[types.StockCap]:
        return self._transport.ask("GET", "/v1/stock/caps", types.Caps, query={"channel": channel}).items

    def tasks(self, *, place: str = "", done: bool = False) -> Iterator[types.StockTask]:
        query = {"place": place, "done": "true" if done else "false", "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/stock/tasks", Page[types.StockTask], query)

    def finish_task(self, task: int) -> types.StockTask:
        """Somebody has seen to it."""
        return self._transport.ask("POST", f"/v1/stock/tasks/{task}/done", types.StockTask)

    def changes(
        self, after: str = "", *, channel: str = "", place: str = "", sku: str = "", limit: int = 500
    ) -> types.StockChanges:
        """What changed behind a cursor; the stream of them is `GET /v1/stock/feed`."""
        query = {"after": after, "channel": channel, "place": place, "sku": sku, "limit": limit}
        return self._transport.ask("GET", "/v1/stock/changes", types.StockChanges, query=query)

    def hooks(self) -> Sequence[types.StockHook]:
        return self._transport.ask("GET", "/v1/stock/hooks", types.Hooks).items

    def add_hook(self, url: str, **more: Any) -> types.AddedHook:
        """Tells an address of changes; the secret is shown only now. `more` as in `NewHook`."""
        return self._transport.ask("POST", "/v1/stock/hooks", types.AddedHook, body={"url": url, **more})

    def resume_hook(self, hook: str) -> types.StockHook:
        return self._transport.ask("POST", f"/v1/stock/hooks/{part(hook)}/resume", types.StockHook)

    def remove_hook(self, hook: str) -> None:
        self._transport.remove(f"/v1/stock/hooks/{part(hook)}")
