"""Baskets and wish lists of people, in every channel."""

from __future__ import annotations

from typing import Any

from cauce.app import Platform
from cauce.client.types import baskets as types
from cauce.client.types.basics import Nothing
from cauce.commerce.baskets import api
from cauce.commerce.baskets.api import Asked
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, TooLarge
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.owners import identifiers_of
from cauce.http.api.sight import Sight, sight_of
from cauce.model.time import from_datetime


def whose(platform: Platform, key: str) -> dict[str, Any]:
    """Whose basket a path names, as commands take it: the number of one, or all identifiers of a person."""
    return {"basket": int(key)} if _is_number(key) else {"owners": identifiers_of(platform, key)}


def shown(platform: Platform, key: str, kind: str, asked: Asked) -> api.Shown:
    """What a person, or the basket of a number, has."""
    if _is_number(key):
        return api.named(platform.commerce, int(key), asked)
    return api.of_owners(platform.commerce, identifiers_of(platform, key), asked, kind=kind)


def basket_of(found: api.Shown, sight: Sight) -> types.OpenBasket:
    return types.OpenBasket(
        basket=found.basket,
        kind=found.kind,
        owners=[sight.key(owner) for owner in found.owners],
        channels=list(found.channels),
        currency=found.currency,
        lines=[_line(line) for line in found.lines],
        total_minor=found.total,
        unpriced=found.unpriced,
        changed=told_if_any(found.changed),
        expires=told_if_any(found.expires),
    )


def kept_of(kept: api.Kept) -> types.BasketKept:
    return types.BasketKept(
        basket=kept.basket, kind=kept.kind, lines=kept.lines, changed=told(kept.changed), expires=told(kept.expires)
    )


def get(call: Call[types.BasketQuery, None]) -> types.OpenBasket:
    query = call.query
    asked = Asked(call.platform.commerce.now, query.currency, query.channel, query.language)
    return basket_of(shown(call.platform, call.path["basket"], query.kind, asked), sight_of(call.actor))


def put_line(call: Call[Nothing, types.BasketLineToPut]) -> types.BasketKept:
    body = call.body
    command = api.Put(
        key=call.key,
        line=call.path["line"],
        sku=body.sku,
        amount=body.amount,
        kind=body.kind,
        channel=body.channel,
        note=body.note,
        changed=from_datetime(body.changed) if body.changed else 0,
        tells=body.tell,
        **whose(call.platform, call.path["basket"]),
    )
    return kept_of(call.platform.commerce.do(command))


def remove_line(call: Call[types.BasketKindQuery, None]) -> None:
    call.platform.commerce.do(_removal(call, call.path["line"]))


def empty(call: Call[types.BasketKindQuery, None]) -> None:
    call.platform.commerce.do(_removal(call, ""))


def merge(call: Call[Nothing, types.BasketToMerge]) -> types.BasketKept:
    """Both have one basket from now on; the one of the path takes the lines of the other."""
    now = Asked(call.platform.commerce.now)
    into = shown(call.platform, call.path["basket"], call.body.kind, now).basket
    other = shown(call.platform, call.body.other, call.body.kind, now).basket
    if not other:
        raise NotFound(f"there is no open basket of {call.body.other[:80]!r}")
    if into:
        return kept_of(call.platform.commerce.do(api.Merge(key=call.key, into=into, baskets=(other,))))
    owner = identifiers_of(call.platform, call.path["basket"])[0]
    return kept_of(call.platform.commerce.do(api.MoveTo(key=call.key, basket=other, owner=owner)))


def _removal(call: Call[types.BasketKindQuery, None], line: str) -> api.Remove:
    target = whose(call.platform, call.path["basket"])
    return api.Remove(key=call.key, line=line, kind=call.query.kind, channel=call.query.channel, **target)


def _line(line: api.BasketLine) -> types.OpenBasketLine:
    return types.OpenBasketLine(
        line=line.line,
        sku=line.sku,
        name=line.name,
        unit=line.unit,
        amount=line.amount,
        channel=line.channel,
        note=line.note,
        added=told(line.added),
        changed=told(line.changed),
        price_minor=line.price,
        total_minor=line.total,
    )


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) <= 18


def _subject(call: AnyCall, _answer: Any) -> str:
    key = call.path["basket"]
    return f"basket {key}" if _is_number(key) else call.path["basket"].partition(":")[0]


OPERATIONS = (
    Operation(
        name="baskets.get",
        method="GET",
        path="/v1/baskets/{basket}",
        summary="Get somebody's basket",
        description="What lies in the open baskets of all identifiers of a person, at the prices that hold now. "
        "Somebody who has none gets an empty one.",
        permission="commerce.read",
        handle=get,
        query=types.BasketQuery,
        answer=types.OpenBasket,
        errors=(NotFound, DefinitionInvalid),
        audit="basket.seen",
        is_look=True,
        subject=_subject,
    ),
    Operation(
        name="baskets.put_line",
        method="PUT",
        path="/v1/baskets/{basket}/lines/{line}",
        summary="Put a line in, or change it",
        description="You make the line's id, so a request that is sent twice puts one line in. Of two changes the "
        "later one stands. A line that was removed or ordered never comes back: put in a new one.",
        permission="commerce.serve",
        handle=put_line,
        body=types.BasketLineToPut,
        answer=types.BasketKept,
        errors=(NotFound, DefinitionInvalid, Ended, TooLarge),
        lane="write",
        audit="basket.line_put",
        subject=_subject,
        example={"sku": "ABR-00001-AZ", "amount": 2_000, "channel": "app"},
    ),
    Operation(
        name="baskets.remove_line",
        method="DELETE",
        path="/v1/baskets/{basket}/lines/{line}",
        summary="Take a line out",
        permission="commerce.serve",
        handle=remove_line,
        query=types.BasketKindQuery,
        status=204,
        errors=(NotFound, DefinitionInvalid, Ended),
        lane="write",
        audit="basket.line_removed",
        subject=_subject,
    ),
    Operation(
        name="baskets.empty",
        method="DELETE",
        path="/v1/baskets/{basket}/lines",
        summary="Take all lines out",
        permission="commerce.serve",
        handle=empty,
        query=types.BasketKindQuery,
        status=204,
        errors=(NotFound, DefinitionInvalid, Ended),
        lane="write",
        audit="basket.emptied",
        subject=_subject,
    ),
    Operation(
        name="baskets.merge",
        method="POST",
        path="/v1/baskets/{basket}/merge",
        summary="Let two baskets meet",
        description="No line is lost and none doubled; merging again, or the other way round, changes nothing. "
        "Baskets of one person are shown as one without it.",
        permission="commerce.serve",
        handle=merge,
        body=types.BasketToMerge,
        answer=types.BasketKept,
        errors=(NotFound, DefinitionInvalid, Conflict, Ended, TooLarge),
        lane="write",
        audit="basket.merged",
        subject=_subject,
        example={"other": "device:7f3a"},
    ),
)
