"""Baskets and orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource, part
from cauce.client.types import baskets
from cauce.client.types import orders as types
from cauce.client.types.basics import Page


class Baskets(Resource):
    """What people want. `whose` is a person's key (`kind:value` or an id) or the number of a basket."""

    def get(self, whose: str, *, kind: str = "basket", currency: str = "EUR", channel: str = "") -> baskets.OpenBasket:
        """What lies in the open baskets of all identifiers of a person, at the prices that hold now."""
        query = {"kind": kind, "currency": currency, "channel": channel}
        return self._transport.ask("GET", _basket(whose), baskets.OpenBasket, query=query)

    def put_line(self, whose: str, line: str, sku: str, amount: int = 1_000, **more: Any) -> baskets.BasketKept:
        """Puts a line in, or changes it; you make its id. `amount` in thousandths, `more` as in `BasketLineToPut`."""
        body = {"sku": sku, "amount": amount, **more}
        return self._transport.ask("PUT", f"{_basket(whose)}/lines/{part(line)}", baskets.BasketKept, body=body)

    def remove_line(self, whose: str, line: str, *, kind: str = "basket") -> None:
        """Takes a line out, for good."""
        self._transport.remove(f"{_basket(whose)}/lines/{part(line)}?kind={part(kind)}")

    def empty(self, whose: str, *, kind: str = "basket") -> None:
        """Takes all lines out."""
        self._transport.remove(f"{_basket(whose)}/lines?kind={part(kind)}")

    def merge(self, whose: str, other: str, *, kind: str = "basket") -> baskets.BasketKept:
        """Both have one basket from now on; no line is lost and none doubled."""
        body = baskets.BasketToMerge(other=other, kind=kind)  # type: ignore[arg-type]
        return self._transport.ask("POST", f"{_basket(whose)}/merge", baskets.BasketKept, body=body)


class Orders(Resource):
    """What was ordered, where each part of it is, and what was paid. Orders are named by their numbers."""

    def list(self, **which: Any) -> Iterator[types.OrderHead]:
        """Orders, newest first; `which` as in `OrdersQuery`."""
        return self._transport.pages("/v1/orders", Page[types.OrderHead], {**which, "limit": PAGE_ITEMS})

    def board(self, *, place: str = "", channel: str = "", kind: str = "") -> Sequence[types.OrderStateCount]:
        """How many open orders are in each state."""
        query = {"place": place, "channel": channel, "kind": kind}
        return self._transport.ask("GET", "/v1/orders-board", types.OrdersBoard, query=query).items

    def get(self, number: str) -> types.Order:
        return self._transport.ask("GET", _order(number), types.Order)

    def history(self, number: str) -> Sequence[types.OrderEntry]:
        """All that happened to it, in any channel, oldest first."""
        return self._transport.ask("GET", _order(number, "history"), types.OrderHistory).entries

    def place(self, **order: Any) -> types.OrderStanding:
        """Places an order; `order` as in `NewOrder`. Shortage, with what can be had, when it cannot be held."""
        return self._transport.ask("POST", "/v1/orders", types.OrderStanding, body=order)

    def pay(self, number: str, **payment: Any) -> types.OrderPaid:
        """Records a fact of a payment, as in `NewOrderPayment`."""
        return self._transport.ask("POST", _order(number, "payments"), types.OrderPaid, body=payment)

    def confirm(self, number: str, *, why: str = "") -> types.OrderStanding:
        """The order need not be paid first."""
        return self._transport.ask(
            "POST", _order(number, "confirm"), types.OrderStanding, body=types.OrderToConfirm(why=why)
        )

    def advance(self, number: str, to: str, lines: Iterable[types.LineChange], **more: Any) -> types.OrderStanding:
        """Goods come into a state; `more` as in `OrderToAdvance`."""
        body = {"to": to, "lines": list(lines), **more}
        return self._transport.ask("POST", _order(number, "advance"), types.OrderStanding, body=body)

    def cancel(self, number: str, lines: Iterable[types.LineChange] = (), *, why: str = "") -> types.OrderStanding:
        """Gives up lines, or the whole order, as far as it has not left."""
        body = types.OrderToCancel(lines=list(lines), why=why)
        return self._transport.ask("POST", _order(number, "cancel"), types.OrderStanding, body=body)

    def bring_back(
        self, number: str, place: str, lines: Iterable[types.LineChange], **more: Any
    ) -> types.OrderStanding:
        """Goods came back to a place; `more` as in `OrderReturn`."""
        body = {"place": place, "lines": list(lines), **more}
        return self._transport.ask("POST", _order(number, "returns"), types.OrderStanding, body=body)

    def record(self, **order: Any) -> types.OrderRecorded:
        """An order that another platform took, as it stands there; `order` as in `RecordedOrder`."""
        return self._transport.ask("POST", "/v1/recorded-orders", types.OrderRecorded, body=order)


def _basket(whose: str) -> str:
    return f"/v1/baskets/{part(whose)}"


def _order(number: str, step: str = "") -> str:
    return f"/v1/orders/{part(number)}" + (f"/{step}" if step else "")
