"""Dirt in known proportions: what real channels do to good events.

A fact gets at most one of: sent twice, spoilt, a blocked identifier.
Lateness belongs to a whole visit, a wrong clock to a person's devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cauce.model import HOUR, MINUTE, SECOND
from cauce.testing.world.chance import Dice
from cauce.testing.world.channels import APP, CALLS, CRM, POS, TABLET, WEB, Fact, Message

_SALES = frozenset(("Order Completed", "Receipt Issued"))
BLOCKED: dict[int, tuple[str, tuple[str, ...]]] = {
    WEB: ("user_id", ("null", "undefined", "0000")),
    POS: ("loyalty", ("0000000000000", "null")),
    TABLET: ("email", ("null", "undefined")),
    CALLS: ("phone", ("000000000", "-1")),
    CRM: ("email", ("null", "-1")),
}
"""Per source: the kind of identifier that is sometimes junk, and the junk."""


class Dirt(msgspec.Struct, frozen=True):
    """Shares of the facts (of the visits for `late`, of the people for `wrong_clocks`) that are dirty in each way.

    `bad_sales` is the share of orders and receipts that are spoilt, `bad` of everything else that can be.
    """

    duplicates: float = 0.01
    bad: float = 0.004
    bad_sales: float = 0.03
    blocked: float = 0.004
    late: float = 0.02
    wrong_clocks: float = 0.02


CLEAN = Dirt(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def skew_of(dirt: Dirt, chance: float) -> int:
    """How far a person's device clock is off, in microseconds, from a number of [0, 1) that belongs to the person."""
    if chance >= dirt.wrong_clocks:
        return 0
    place = int(chance / dirt.wrong_clocks * 1_000)
    return (-26 * HOUR, -3 * HOUR, -7 * MINUTE, 11 * MINUTE, 2 * HOUR, 40 * HOUR)[place % 6]


def soil(facts: list[Fact], dirt: Dirt, dice: Dice) -> list[Fact]:
    """The facts of one visit with dirt on them; duplicates are appended."""
    late = 0
    if dice.hits(dirt.late) and any(fact.source in (WEB, APP, TABLET) for fact in facts):
        late = int((0.5 + 40 * dice.share() ** 3) * HOUR)
    found = []
    for fact in facts:
        if late and fact.source in (WEB, APP, TABLET):
            fact = fact._replace(sent=fact.sent + late, late=True)  # noqa: PLW2901 - the same fact, later
        chance = dice.share()
        if chance < dirt.duplicates:
            found.append(fact)
            wait = 5 * SECOND + int(dice.share() ** 3 * 6 * HOUR)
            found.append(fact._replace(sent=fact.sent + wait, duplicate=True))
            continue
        chance -= dirt.duplicates
        bad = dirt.bad_sales if fact.message.get("event") in _SALES else dirt.bad
        if chance < bad:
            found.append(_spoil(fact, dice))
        elif chance < bad + dirt.blocked and fact.source in BLOCKED:
            found.append(fact._replace(message=_junk(fact, dice)))
        else:
            found.append(fact)
    return found


def _spoil(fact: Fact, dice: Dice) -> Fact:
    """The fact with one fault; `reason` is the code that the quarantine must give."""
    message = fact.message
    if message.get("event") in _SALES:
        reason, change = _SALE_FAULTS[dice.below(len(_SALE_FAULTS))]
        properties = dict(message["properties"])
        change(properties)
        return fact._replace(message={**message, "properties": properties}, reason=reason)
    if fact.source in (WEB, APP):
        spoilt = {name: value for name, value in message.items() if name not in ("anonymousId", "userId")}
        spoilt["context"] = {name: value for name, value in message["context"].items() if name != "device"}
        if message["type"] == "identify":
            spoilt["traits"] = {"firstName": message["traits"].get("firstName", "")}
        return fact._replace(message=spoilt, reason="identifier_missing")
    if message["type"] == "track":
        return fact._replace(
            message={name: value for name, value in message.items() if name != "event"}, reason="event_name_missing"
        )
    return fact


def _without_number(properties: Message) -> None:
    properties.pop("order_id", None)
    properties.pop("receipt_id", None)


def _unknown_currency(properties: Message) -> None:
    properties["currency"] = "EURO"


def _nameless_product(properties: Message) -> None:
    """The first product has neither number, SKU nor GTIN."""
    first, *others = properties["products"]
    nameless = {name: value for name, value in first.items() if name not in ("product_id", "sku", "gtin")}
    properties["products"] = [nameless, *others]


def _wrong_gtin(properties: Message) -> None:
    """The check digit of the first product's GTIN is wrong."""
    first, *others = properties["products"]
    digit = (int(first["gtin"][-1]) + 1) % 10
    properties["products"] = [{**first, "gtin": f"{first['gtin'][:-1]}{digit}"}, *others]


def _total_as_text(properties: Message) -> None:
    properties["total"] = f"{properties['total']:.2f} €".replace(".", ",")


_SALE_FAULTS: tuple[tuple[str, Callable[[Message], None]], ...] = (
    ("property_missing", _without_number),
    ("currency_unknown", _unknown_currency),
    ("alternatives_unmet", _nameless_product),
    ("gtin_wrong", _wrong_gtin),
    ("type_wrong", _total_as_text),
)


def _junk(fact: Fact, dice: Dice) -> Message:
    """The message with a blocked identifier where none was, or in place of the true one."""
    message: dict[str, Any] = dict(fact.message)
    _, values = BLOCKED[fact.source]
    junk = dice.pick(values)
    if fact.source == WEB:
        if message["userId"] is None:
            message["userId"] = junk
    elif fact.source == POS:
        if "externalIds" not in message["context"]:
            external = [{"id": junk, "type": "loyalty", "collection": "users", "encoding": "none"}]
            message["context"] = {**message["context"], "externalIds": external}
    elif fact.source == CALLS:
        message["context"] = {**message["context"], "traits": {"phone": junk}}
    elif message["type"] == "identify":
        message["traits"] = {**message["traits"], "email": junk}
    return message
