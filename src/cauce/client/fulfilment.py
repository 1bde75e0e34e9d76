"""Where orders come from, the pick-up desk, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource, part
from cauce.client.types import fulfilment as types
from cauce.client.types.basics import Page


class Pickups(Resource):
    """Orders that somebody comes for."""

    def list(self, place: str = "", state: str = "") -> Iterator[types.Pickup]:
        """Pick-ups of a place: *to_pick*, *on_way*, *ready*, *waiting* or *ended*; all that are not ended without."""
        query = {"place": place, "state": state, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/pickups", Page[types.Pickup], query)

    def get(self, order: str) -> types.PickupDetail:
        return self._transport.ask("GET", f"/v1/pickups/{part(order)}", types.PickupDetail)

    def ready(self, order: str, origins: Sequence[str] = (), *, partial: bool = False) -> types.PickupState:
        """An order lies at its desk; `origins` are places whose parcels have arrived."""
        body = {"origins": list(origins), "partial": partial}
        return self._transport.ask("POST", f"/v1/pickups/{part(order)}/ready", types.PickupState, body=body)

    def new_code(self, order: str) -> types.PickupState:
        """Another code in the place of the one that was given out."""
        return self._transport.ask("POST", f"/v1/pickups/{part(order)}/code", types.PickupState)

    def link(self, order: str) -> types.PickupLink:
        """The address that leads the person to the code; for nobody else."""
        return self._transport.ask("GET", f"/v1/pickups/{part(order)}/link", types.PickupLink)

    def arrive(self, link: str, *, bay: str = "", vehicle: str = "") -> types.PickupState:
        """The person behind a link is here."""
        body = types.NewArrival(link=link, bay=bay, vehicle=vehicle)
        return self._transport.ask("POST", "/v1/pickups/arrivals", types.PickupState, body=body)

    def present(self, place: str, code: str) -> types.Pickup:
        """What a code opens, so that the goods can be fetched."""
        body = {"place": place, "code": code}
        return self._transport.ask("POST", "/v1/pickups/codes", types.Pickup, body=body)

    def hand_over(self, place: str, code: str = "", **more: Any) -> types.HandedOver:
        """Goods are given to the person; `more` as in `NewHandOver`."""
        body = {"place": place, "code": code, **more}
        return self._transport.ask("POST", "/v1/pickups/hand-overs", types.HandedOver, body=body)

    def not_collected(self, order: str, why: str = "") -> types.PickupState:
        """What nobody comes for goes back now."""
        path = f"/v1/pickups/{part(order)}/not-collected"
        return self._transport.ask("POST", path, types.PickupState, body=types.NewMiss(why=why))


class Fulfilment(Resource):
    """Sourcing rules, decisions by them, pick lists, parcels and returns."""

    def pick_list(self, place: str, language: str = "") -> types.PickList:
        query = {"place": place, "language": language}
        return self._transport.ask("GET", "/v1/fulfilment/pick-list", types.PickList, query=query)

    def pick(
        self, order: str, place: str, lines: Sequence[Mapping[str, Any]], *, instead: str = "source"
    ) -> types.Picked:
        """What was taken from the shelf, or was not there; lines as in `PickedLine`."""
        body = {"place": place, "lines": list(lines), "instead": instead}
        return self._transport.ask("POST", _order(order, "pick"), types.Picked, body=body)

    def unpick(self, order: str, place: str, lines: Sequence[int] = ()) -> types.Picked:
        """What was picked by mistake is put back."""
        body = {"place": place, "lines": list(lines)}
        return self._transport.ask("POST", _order(order, "unpick"), types.Picked, body=body)

    def send(self, order: str, place: str, *, carrier: str = "", tracking: str = "") -> types.Sent:
        """What is picked is given to a carrier."""
        body = types.NewParcel(place=place, carrier=carrier, tracking=tracking)
        return self._transport.ask("POST", _order(order, "parcels"), types.Sent, body=body)

    def rules(self) -> types.SourcingRules:
        return self._transport.ask("GET", "/v1/fulfilment/rules", types.SourcingRules)

    def apply_rules(
        self, rules: Any, *, why: str = "", overwrite: bool = False, dry_run: bool = False
    ) -> types.SourcingRules:
        """Rules (a list, or a text) in the place of those that were read."""
        body = {"rules": rules, "why": why, "dry_run": dry_run}
        path = "/v1/fulfilment/rules"
        return self._transport.change("PUT", path, types.SourcingRules, body=body, overwrite=overwrite)

    def try_rules(self, wish: Mapping[str, Any] | types.NewWish) -> types.Sourced:
        """Where a wish would come from, and why; changes nothing."""
        return self._transport.ask("POST", "/v1/fulfilment/rules/try", types.Sourced, body=wish)

    def choices(self, order: str = "") -> Iterator[types.Choice]:
        """Decisions about where goods came from, the latest first."""
        query = {"order": order, "limit": PAGE_ITEMS}
        return self._transport.pages("/v1/fulfilment/choices", Page[types.Choice], query)

    def place_order(self, order: Mapping[str, Any] | types.NewSourcedOrder) -> types.SourcedOrder:
        """An order whose goods come from where the rules say."""
        return self._transport.ask("POST", "/v1/fulfilment/orders", types.SourcedOrder, body=order)

    def source(self, order: str) -> types.SourcedOrder:
        """Places for what an order waits for."""
        return self._transport.ask("POST", _order(order, "source"), types.SourcedOrder, body=types.NewSourcing())

    def bought(self, person: str, limit: int = 50) -> Sequence[types.BoughtLine]:
        """What a person has and may bring back, the latest first."""
        query = {"person": person, "limit": limit}
        return self._transport.ask("GET", "/v1/fulfilment/bought", types.Bought, query=query).items

    def take_back(self, place: str, lines: Sequence[Mapping[str, Any]], **more: Any) -> types.Returned:
        """Goods came back to a place; `more` as in `NewReturn`."""
        body = {"place": place, "lines": list(lines), **more}
        return self._transport.ask("POST", "/v1/fulfilment/returns", types.Returned, body=body)


def _order(number: str, step: str) -> str:
    return f"/v1/fulfilment/orders/{part(number)}/{step}"
