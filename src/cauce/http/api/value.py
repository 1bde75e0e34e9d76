"""Stored value: gift cards and store credit, authorised and captured."""

from __future__ import annotations

import secrets

from cauce.client.types import value as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.loyalty.definition import MEMBER_KINDS
from cauce.commerce.loyalty.value import api
from cauce.commerce.loyalty.value.cards import BlockCard, IssueCard, TopUpCard
from cauce.commerce.loyalty.value.numbers import fresh, number_hash, pin_hash
from cauce.commerce.loyalty.value.paying import REFUSED, Authorise, Capture, RefundToCard, ReleaseAuthorisation
from cauce.commerce.loyalty.who import identifiers_of
from cauce.errors import DefinitionInvalid, Ended, Forbidden, NotFound, Shortage
from cauce.http.api.moments import told
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.sight import Sight, sight_of
from cauce.model.time import from_datetime


def card_of(card: api.CardShown, sight: Sight) -> types.ValueCard:
    return types.ValueCard(
        id=card.id,
        last=card.last,
        currency=card.currency,
        member=sight.key(card.member) if card.member else "",
        state=card.state,  # type: ignore[arg-type]  # the two states that there are
        balance_minor=card.balance,
        held_minor=card.held,
        available_minor=card.balance - card.held,
        issued=told(card.issued),
        expires=None if card.expires >= api.FOREVER else told(card.expires),
        has_pin=card.has_pin,
    )


def authorisation_of(found: api.Authorised) -> types.ValueAuthorisation:
    return types.ValueAuthorisation(
        id=found.id,
        card=found.card,
        state=found.state,  # type: ignore[arg-type]  # what was refused is an error before
        amount_minor=found.amount,
        captured_minor=found.captured,
        refunded_minor=found.refunded,
        currency=found.currency,
        due=told(found.due),
    )


def need_card(call: AnyCall, id_: int) -> api.CardShown:
    found = api.card(call.platform.commerce.reader, id_)
    if found is None:
        raise NotFound(f"there is no card {id_}")
    return found


def list_cards(call: Call[types.ValueCardsQuery, None]) -> Page[types.ValueCard]:
    query, sight = call.query, sight_of(call.actor)
    before = int(call.place[0]) if call.place else 0
    found = api.latest(call.platform.commerce.reader, last=query.last, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    cursor = call.cursor_at((shown[-1].id,)) if len(found) > len(shown) else ""
    return Page(items=[card_of(card, sight) for card in shown], cursor=cursor)


def issue_card(call: Call[Nothing, types.NewValueCard]) -> types.IssuedValueCard:
    body, secret = call.body, call.platform.secret
    made = fresh(secret, call.key or secrets.token_hex(16))
    hashed = number_hash(secret, made.number)
    member = member_of(call, body.member)
    has_pin = body.with_pin and not member
    found = call.platform.commerce.do(
        IssueCard(
            key=call.key,
            amount=body.amount_minor,
            currency=body.currency,
            number="" if member else hashed,
            pin=pin_hash(secret, hashed, made.pin) if has_pin else "",
            last="" if member else made.number[-4:],
            member=member,
            expires=from_datetime(body.expires) if body.expires else 0,
            channel=body.channel,
            document=body.document,
            by=call.actor.name,
        )
    )
    return types.IssuedValueCard(
        card=card_of(found, sight_of(call.actor)),
        number="" if member else made.number,
        pin=made.pin if has_pin else "",
    )


def member_of(call: AnyCall, key: str) -> str:
    """The identifier that store credit stands under: the one that stays longest with a person."""
    if not key:
        return ""
    who = identifiers_of(call.platform.people, key)
    by_kind = {kind: place for place, kind in enumerate(MEMBER_KINDS)}
    return min(who, key=lambda each: by_kind.get(each.partition(":")[0], len(by_kind)))


def get_card(call: AnyCall) -> types.ValueCard:
    return card_of(need_card(call, call.whole("card")), sight_of(call.actor))


def find_card(call: Call[Nothing, types.ValueCardToFind]) -> types.ValueCard:
    found = api.find(call.platform.commerce.reader, call.platform.secret, call.body.number)
    if found is None:
        raise NotFound("there is no card with this number", hint="Look for a mistyped digit")
    return card_of(found, sight_of(call.actor))


def card_movements(call: AnyCall) -> types.ValueMovements:
    id_ = call.whole("card")
    found = need_card(call, id_)
    return types.ValueMovements(
        card=card_of(found, sight_of(call.actor)),
        items=[
            types.ValueMovement(at=told(each.at), amount_minor=each.amount, why=each.why, balance_minor=each.balance)
            for each in api.movements(call.platform.commerce.reader, id_)
        ],
    )


def top_up(call: Call[Nothing, types.ValueCardTopUp]) -> types.ValueCard:
    body = call.body
    found = call.platform.commerce.do(
        TopUpCard(
            key=call.key,
            card=call.whole("card"),
            amount=body.amount_minor,
            channel=body.channel,
            document=body.document,
            by=call.actor.name,
        )
    )
    return card_of(found, sight_of(call.actor))


def block(call: Call[Nothing, types.ValueCardBlock]) -> types.ValueCard:
    body = call.body
    found = call.platform.commerce.do(
        BlockCard(key=call.key, card=call.whole("card"), blocked=body.blocked, why=body.why, by=call.actor.name)
    )
    return card_of(found, sight_of(call.actor))


def authorise(call: Call[Nothing, types.NewValueAuthorisation]) -> types.ValueAuthorisation:
    body, id_ = call.body, call.whole("card")
    need_card(call, id_)
    hashed = api.number_of(call.platform.commerce.reader, id_)
    found = call.platform.commerce.do(
        Authorise(
            key=call.key,
            card=id_,
            amount=body.amount_minor,
            currency=body.currency,
            pin=pin_hash(call.platform.secret, hashed, body.pin) if body.pin else "",
            part=body.part,
            seconds=body.seconds,
            channel=body.channel,
            document=body.document,
        )
    )
    if found.state == REFUSED:
        raise Forbidden(
            "the PIN is wrong",
            hint=f"{found.left} tries are left" if found.left else "The card is blocked now; somebody must unblock it",
        )
    return authorisation_of(found)


def capture(call: Call[Nothing, types.NewValueCapture]) -> types.ValueAuthorisation:
    return authorisation_of(
        call.platform.commerce.do(
            Capture(
                key=call.key,
                authorisation=call.whole("authorisation"),
                amount=call.body.amount_minor,
                more=call.body.more,
            )
        )
    )


def release(call: AnyCall) -> types.ValueAuthorisation:
    return authorisation_of(
        call.platform.commerce.do(ReleaseAuthorisation(key=call.key, authorisation=call.whole("authorisation")))
    )


def refund(call: Call[Nothing, types.NewValueRefund]) -> types.ValueAuthorisation:
    return authorisation_of(
        call.platform.commerce.do(
            RefundToCard(key=call.key, authorisation=call.whole("authorisation"), amount=call.body.amount_minor)
        )
    )


def subject_of_card(call: AnyCall, _answer: object) -> str:
    return call.path["card"][:20]


def subject_of_authorisation(call: AnyCall, _answer: object) -> str:
    return call.path["authorisation"][:20]


OPERATIONS = (
    Operation(
        name="value.list",
        method="GET",
        path="/v1/value/cards",
        summary="List cards",
        description="The latest first, without their numbers.",
        permission="loyalty.read",
        handle=list_cards,
        query=types.ValueCardsQuery,
        answer=Page[types.ValueCard],
        parameters={"limit": 10},
    ),
    Operation(
        name="value.issue",
        method="POST",
        path="/v1/value/cards",
        summary="Issue a gift card or store credit",
        description="Number and PIN are shown only in this answer; with an `Idempotency-Key` the same request answers "
        "them again. Store credit of a `member` has neither.",
        permission="loyalty.write",
        handle=issue_card,
        body=types.NewValueCard,
        answer=types.IssuedValueCard,
        status=201,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="value.issued",
        subject=lambda _call, answer: str(answer.card.id),
        example={"amount_minor": 5000, "currency": "EUR", "channel": "store"},
    ),
    Operation(
        name="value.find",
        method="POST",
        path="/v1/value/cards/find",
        summary="Find a card by its number",
        permission="commerce.serve",
        handle=find_card,
        body=types.ValueCardToFind,
        answer=types.ValueCard,
        errors=(NotFound,),
        only_asks=True,
        audit="value.found",
        is_look=True,
        subject=lambda _call, answer: str(answer.id),
        example={"number": "6000 0000 0000 0007"},
    ),
    Operation(
        name="value.get",
        method="GET",
        path="/v1/value/cards/{card}",
        summary="Get a card",
        permission="loyalty.read",
        handle=get_card,
        answer=types.ValueCard,
        errors=(NotFound,),
    ),
    Operation(
        name="value.movements",
        method="GET",
        path="/v1/value/cards/{card}/movements",
        summary="List what came onto a card and went",
        permission="loyalty.read",
        handle=card_movements,
        answer=types.ValueMovements,
        errors=(NotFound,),
    ),
    Operation(
        name="value.top_up",
        method="POST",
        path="/v1/value/cards/{card}/top-ups",
        summary="Put more on a card",
        permission="loyalty.write",
        handle=top_up,
        body=types.ValueCardTopUp,
        answer=types.ValueCard,
        errors=(NotFound, DefinitionInvalid, Ended),
        lane="write",
        audit="value.topped_up",
        subject=subject_of_card,
        example={"amount_minor": 2000},
    ),
    Operation(
        name="value.block",
        method="PUT",
        path="/v1/value/cards/{card}/block",
        summary="Block or unblock a card",
        permission="loyalty.write",
        handle=block,
        body=types.ValueCardBlock,
        answer=types.ValueCard,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="value.blocked",
        subject=subject_of_card,
        example={"blocked": False, "why": "found again"},
    ),
    Operation(
        name="value.authorise",
        method="POST",
        path="/v1/value/cards/{card}/authorisations",
        summary="Promise an amount of a card",
        description="It runs out by itself unless it is captured. A wrong PIN counts: after five the card is blocked.",
        permission="commerce.serve",
        handle=authorise,
        body=types.NewValueAuthorisation,
        answer=types.ValueAuthorisation,
        status=201,
        errors=(NotFound, DefinitionInvalid, Shortage, Ended, Forbidden),
        lane="write",
        audit="value.authorised",
        subject=subject_of_card,
        example={"amount_minor": 1000, "currency": "EUR", "document": "T-2026-000917"},
    ),
    Operation(
        name="value.capture",
        method="POST",
        path="/v1/value/authorisations/{authorisation}/capture",
        summary="Take what was promised, in full or in part",
        permission="commerce.serve",
        handle=capture,
        body=types.NewValueCapture,
        answer=types.ValueAuthorisation,
        errors=(NotFound, DefinitionInvalid, Ended),
        lane="write",
        audit="value.captured",
        subject=subject_of_authorisation,
        example={},
    ),
    Operation(
        name="value.release",
        method="POST",
        path="/v1/value/authorisations/{authorisation}/release",
        summary="Give up what was promised",
        permission="commerce.serve",
        handle=release,
        answer=types.ValueAuthorisation,
        errors=(NotFound, Ended),
        lane="write",
        audit="value.released",
        subject=subject_of_authorisation,
    ),
    Operation(
        name="value.refund",
        method="POST",
        path="/v1/value/authorisations/{authorisation}/refund",
        summary="Give back what was taken",
        description="Never more than was captured.",
        permission="commerce.serve",
        handle=refund,
        body=types.NewValueRefund,
        answer=types.ValueAuthorisation,
        errors=(NotFound, DefinitionInvalid, Ended),
        lane="write",
        audit="value.refunded",
        subject=subject_of_authorisation,
        example={"amount_minor": 500},
    ),
)
