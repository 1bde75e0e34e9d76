"""Loyalty programmes and their members; gift cards and store credit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cauce.client.resource import PAGE_ITEMS, Resource, part
from cauce.client.types import loyalty as types
from cauce.client.types import value
from cauce.client.types.basics import Page


class Loyalty(Resource):
    """What members earn, have and spend."""

    def programmes(self) -> Sequence[types.Programme]:
        return self._transport.ask("GET", "/v1/loyalty/programmes", types.Programmes).items

    def programme(self, code: str) -> types.Programme:
        return self._transport.ask("GET", f"/v1/loyalty/programmes/{part(code)}", types.Programme)

    def apply(
        self, code: str, definition: dict[str, Any], *, expected: int = 0, dry_run: bool = False
    ) -> types.Programme:
        """The next version of a programme, made from version `expected`; `dry_run` only checks it."""
        body = types.NewProgramme(definition=definition, expected=expected, dry_run=dry_run)
        return self._transport.ask("PUT", f"/v1/loyalty/programmes/{part(code)}", types.Programme, body=body)

    def retire(self, code: str) -> None:
        """Nothing is earned in it any more."""
        self._transport.remove(f"/v1/loyalty/programmes/{part(code)}")

    def versions(self, code: str) -> Sequence[types.ProgrammeVersion]:
        path = f"/v1/loyalty/programmes/{part(code)}/versions"
        return self._transport.ask("GET", path, types.ProgrammeVersions).items

    def member(self, key: str) -> types.LoyaltyMember:
        """Balance, lots, tier and rewards of a person (`kind:value` or an id)."""
        return self._transport.ask("GET", f"/v1/loyalty/members/{part(key)}", types.LoyaltyMember)

    def statement(
        self, key: str, *, programme: str = "", since: str = "", until: str = ""
    ) -> Sequence[types.PointsStatement]:
        """The statement of a period (ISO days or moments), by programme."""
        query = {"programme": programme, "since": since, "until": until}
        path = f"/v1/loyalty/members/{part(key)}/statement"
        return self._transport.ask("GET", path, types.PointsStatements, query=query).items

    def adjust(self, key: str, programme: str, points: int, why: str) -> types.PointsAdjusted:
        """Points given or (below 0) taken by hand."""
        body = types.PointsAdjustment(programme=programme, points=points, why=why)
        return self._transport.ask(
            "POST", f"/v1/loyalty/members/{part(key)}/adjustments", types.PointsAdjusted, body=body
        )

    def earn(self, purchase: types.EarningPurchase) -> Sequence[types.EarnedByPurchase]:
        """What a purchase earned; safe to repeat."""
        return self._transport.ask("POST", "/v1/loyalty/purchases", types.EarnedPoints, body=purchase).items

    def claw_back(self, returned: types.EarningReturn) -> Sequence[types.EarnedByPurchase]:
        """What is left of what a purchase earned, after a return of it; safe to repeat."""
        return self._transport.ask("POST", "/v1/loyalty/returns", types.EarnedPoints, body=returned).items

    def redeem(self, programme: str, member: str, reward: str, **more: Any) -> types.Redemption:
        """Promises points for a reward; `more` as in `NewRedemption`. Shortage when they do not suffice."""
        body = types.NewRedemption(programme=programme, member=member, reward=reward, **more)
        return self._transport.ask("POST", "/v1/loyalty/redemptions", types.Redemption, body=body)

    def redemption(self, id: int) -> types.Redemption:
        return self._transport.ask("GET", f"/v1/loyalty/redemptions/{id}", types.Redemption)

    def complete(self, id: int) -> types.Redemption:
        """The reward was given."""
        return self._transport.ask("POST", f"/v1/loyalty/redemptions/{id}/complete", types.Redemption)

    def cancel(self, id: int) -> types.Redemption:
        """The reward was not given."""
        return self._transport.ask("POST", f"/v1/loyalty/redemptions/{id}/cancel", types.Redemption)


class Value(Resource):
    """Gift cards and store credit. Amounts are minor units."""

    def list(self, *, last: str = "") -> Iterator[value.ValueCard]:
        """Cards, the latest first; those whose number ends in `last`."""
        return self._transport.pages("/v1/value/cards", Page[value.ValueCard], {"last": last, "limit": PAGE_ITEMS})

    def issue(self, amount_minor: int, currency: str, **more: Any) -> value.IssuedValueCard:
        """A new card with number and PIN, shown only now; `more` as in `NewValueCard`."""
        body = value.NewValueCard(amount_minor=amount_minor, currency=currency, **more)
        return self._transport.ask("POST", "/v1/value/cards", value.IssuedValueCard, body=body)

    def find(self, number: str) -> value.ValueCard:
        body = value.ValueCardToFind(number=number)
        return self._transport.ask("POST", "/v1/value/cards/find", value.ValueCard, body=body)

    def get(self, id: int) -> value.ValueCard:
        return self._transport.ask("GET", f"/v1/value/cards/{id}", value.ValueCard)

    def movements(self, id: int) -> Sequence[value.ValueMovement]:
        return self._transport.ask("GET", f"/v1/value/cards/{id}/movements", value.ValueMovements).items

    def top_up(self, id: int, amount_minor: int, **more: Any) -> value.ValueCard:
        """More on a card; `more` as in `ValueCardTopUp`."""
        body = value.ValueCardTopUp(amount_minor=amount_minor, **more)
        return self._transport.ask("POST", f"/v1/value/cards/{id}/top-ups", value.ValueCard, body=body)

    def block(self, id: int, why: str, *, blocked: bool = True) -> value.ValueCard:
        body = value.ValueCardBlock(blocked=blocked, why=why)
        return self._transport.ask("PUT", f"/v1/value/cards/{id}/block", value.ValueCard, body=body)

    def authorise(self, id: int, amount_minor: int, currency: str, **more: Any) -> value.ValueAuthorisation:
        """Promises an amount; `more` as in `NewValueAuthorisation`. Shortage when less is there."""
        body = value.NewValueAuthorisation(amount_minor=amount_minor, currency=currency, **more)
        return self._transport.ask("POST", f"/v1/value/cards/{id}/authorisations", value.ValueAuthorisation, body=body)

    def capture(self, id: int, amount_minor: int = 0, *, more: bool = False) -> value.ValueAuthorisation:
        """Takes what was promised, or a part of it."""
        body = value.NewValueCapture(amount_minor=amount_minor, more=more)
        return self._transport.ask(
            "POST", f"/v1/value/authorisations/{id}/capture", value.ValueAuthorisation, body=body
        )

    def release(self, id: int) -> value.ValueAuthorisation:
        return self._transport.ask("POST", f"/v1/value/authorisations/{id}/release", value.ValueAuthorisation)

    def refund(self, id: int, amount_minor: int = 0) -> value.ValueAuthorisation:
        """Gives back what was taken, or a part of it."""
        body = value.NewValueRefund(amount_minor=amount_minor)
        return self._transport.ask("POST", f"/v1/value/authorisations/{id}/refund", value.ValueAuthorisation, body=body)
