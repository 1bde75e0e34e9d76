"""Loyalty: programmes, what members have, what purchases earn, and rewards in two phases."""

from __future__ import annotations

import msgspec

from cauce.client.types import loyalty as types
from cauce.client.types.basics import Nothing
from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.adjusting import Adjust
from cauce.commerce.loyalty.earning import ClawBack, Earn, Points
from cauce.commerce.loyalty.programmes import ApplyProgramme, RetireProgramme
from cauce.commerce.loyalty.redeeming import BeginRedemption, CancelRedemption, CompleteRedemption
from cauce.commerce.loyalty.who import circle_of, identifiers_of
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage
from cauce.http.api import moments
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.sight import Sight, sight_of
from cauce.model.time import from_datetime

# -- as answers tell them ---------------------------------------------------------------------------------------


def figures_of(figures: api.Figures) -> types.ProgrammeFigures:
    fields = msgspec.structs.asdict(figures)
    del fields["programme"]
    return types.ProgrammeFigures(**fields)


def programme_of(call: AnyCall, code: str) -> types.Programme:
    reader = call.platform.commerce.reader
    head, definition = api.found_programme(reader, code)
    version = api.versions(reader, code)[-1]
    return types.Programme(
        programme=code,
        name=definition.name,
        version=head.version,
        is_open=bool(head.is_open),
        definition=api.document_of(version.document),
        figures=figures_of(api.figures(reader, code)),
    )


def membership_of(balance: api.Balance, offers: list[api.Offer], sight: Sight) -> types.Membership:
    return types.Membership(
        programme=balance.programme,
        name=balance.name,
        members=[sight.key(member) for member in balance.members],
        since=told(balance.since),
        points=balance.points,
        available=balance.available,
        held=balance.held,
        coming=balance.coming,
        overdue=balance.overdue,
        owed=balance.owed,
        lots=[lot_of(lot, sight) for lot in balance.lots],
        tier=tier_of(balance.progress) if balance.progress else None,
        rewards=[
            types.RewardOffer(
                reward=offer.reward.reward,
                name=offer.reward.name,
                points=offer.reward.points,
                left=None if offer.left < 0 else offer.left,
                why_not=offer.why_not,
                missing=offer.missing,
            )
            for offer in offers
        ],
    )


def lot_of(lot: api.LotLeft, sight: Sight) -> types.PointsLot:
    return types.PointsLot(
        member=sight.key(lot.member),
        source=lot.source,
        earned=told(lot.at),
        starts=told(lot.starts),
        expires=None if lot.expires >= api.FOREVER else told(lot.expires),
        points=lot.points,
        held=lot.held,
    )


def tier_of(progress: api.Progress) -> types.LoyaltyTier:
    return types.LoyaltyTier(
        tier=progress.tier,
        name=progress.name,
        since=told_if_any(progress.since),
        by=progress.by,
        counted=progress.counted,
        keep=progress.keep,
        falls=told_if_any(progress.falls),
        next_tier=progress.next_tier,
        next_name=progress.next_name,
        next_entry=progress.next_entry,
    )


def statement_of(statement: api.Statement, sight: Sight) -> types.PointsStatement:
    return types.PointsStatement(
        programme=statement.programme,
        since=told_if_any(statement.since),
        until=told(statement.until),
        opening=statement.opening,
        earned=statement.earned,
        spent=statement.spent,
        expired=statement.expired,
        clawed=statement.clawed,
        adjusted=statement.adjusted,
        closing=statement.closing,
        movements=[
            types.PointsMovement(
                at=told(move.at),
                sort=move.sort,
                points=move.points,
                why=sight.why(move.why, free=move.sort == "adjusted"),
                balance=move.balance,
            )
            for move in statement.movements
        ],
    )


def redemption_of(found: api.Redeemed, sight: Sight) -> types.Redemption:
    return types.Redemption(
        id=found.id,
        programme=found.programme,
        reward=found.reward,
        name=found.name,
        points=found.points,
        state=found.state,  # type: ignore[arg-type]  # the four states that there are
        begun=told(found.at),
        due=told(found.due),
        ended=told_if_any(found.ended),
        channel=found.channel,
        document=found.document,
        members=[sight.key(member) for member in found.members],
    )


def earned_of(found: Points, sight: Sight) -> types.EarnedByPurchase:
    return types.EarnedByPurchase(**{**msgspec.structs.asdict(found), "member": sight.key(found.member)})


# -- programmes -------------------------------------------------------------------------------------------------


def list_programmes(call: AnyCall) -> types.Programmes:
    codes = api.programmes_of(call.platform.commerce.reader)
    return types.Programmes(items=[programme_of(call, code) for code in codes])


def get_programme(call: AnyCall) -> types.Programme:
    return programme_of(call, call.path["programme"])


def apply_programme(call: Call[Nothing, types.NewProgramme]) -> types.Programme:
    code = call.path["programme"]
    wanted = api.read_programme(call.body.definition)
    if wanted.programme != code:
        raise DefinitionInvalid(f"programme: expected {code[:80]!r}, as in the address, got {wanted.programme!r}")
    if call.body.dry_run:
        none = types.ProgrammeFigures(members=0, issued=0, spent=0, expired=0, clawed=0, adjusted=0, outstanding=0)
        return types.Programme(
            programme=code, name=wanted.name, version=0, is_open=True, definition=call.body.definition, figures=none
        )
    document = msgspec.json.encode(call.body.definition).decode()
    call.platform.commerce.do(
        ApplyProgramme(key=call.key, document=document, by=call.actor.name, expected=call.body.expected)
    )
    return get_programme(call)


def retire_programme(call: Call[Nothing, None]) -> None:
    call.platform.commerce.do(RetireProgramme(key=call.key, programme=call.path["programme"], by=call.actor.name))


def programme_versions(call: AnyCall) -> types.ProgrammeVersions:
    reader, code = call.platform.commerce.reader, call.path["programme"]
    api.found_programme(reader, code)
    return types.ProgrammeVersions(
        items=[
            types.ProgrammeVersion(
                version=each.version, applied=told(each.at), by=each.by, definition=api.document_of(each.document)
            )
            for each in api.versions(reader, code)
        ]
    )


# -- members ----------------------------------------------------------------------------------------------------


def who_of(call: AnyCall) -> tuple[str, ...]:
    """All identifiers of whom the path names; NotFound when neither the river nor a programme knows them."""
    who, commerce = identifiers_of(call.platform.people, call.path["key"]), call.platform.commerce
    if not id_of(call, who) and not api.balance(commerce.reader, who, commerce.now):
        raise NotFound(
            f"nobody is known by {call.path['key'][:200]!r}", hint="The first purchase that names a card makes it known"
        )
    return who


def id_of(call: AnyCall, who: tuple[str, ...]) -> str:
    """The person's id, for the audit trail; "" when the river knows nobody by it."""
    try:
        return call.platform.people.locate(who[0]).text
    except NotFound:
        return ""


def get_member(call: AnyCall) -> types.LoyaltyMember:
    commerce, sight, who = call.platform.commerce, sight_of(call.actor), who_of(call)
    found = api.balance(commerce.reader, who, commerce.now)
    return types.LoyaltyMember(
        id=id_of(call, who),
        identifiers=[sight.key(each) for each in who],
        programmes=[
            membership_of(each, api.offers(commerce.reader, who, each.programme, commerce.now), sight) for each in found
        ],
    )


def get_statement(call: Call[types.PointsStatementQuery, None]) -> types.PointsStatements:
    commerce, query, sight, who = call.platform.commerce, call.query, sight_of(call.actor), who_of(call)
    since = moments.read(query.since, "since") if query.since else 0
    until = moments.read(query.until, "until") if query.until else commerce.now + 1
    found = api.statement(commerce.reader, who, since, until, query.programme)
    return types.PointsStatements(id=id_of(call, who), items=[statement_of(each, sight) for each in found])


def adjust(call: Call[Nothing, types.PointsAdjustment]) -> types.PointsAdjusted:
    who, reader = who_of(call), call.platform.commerce.reader
    _head, programme = api.found_programme(reader, call.body.programme)
    member = programme.member_of(who)
    if not member:
        raise DefinitionInvalid(
            f"expected somebody known by one of {', '.join(programme.members)}, as {programme.programme} wants"
        )
    found = call.platform.commerce.do(
        Adjust(
            key=call.key,
            programme=call.body.programme,
            member=member,
            points=call.body.points,
            why=call.body.why,
            by=call.actor.name,
        )
    )
    return types.PointsAdjusted(
        id=id_of(call, who), programme=found.programme, member=sight_of(call.actor).key(member), points=found.points
    )


# -- facts ------------------------------------------------------------------------------------------------------


def earn(call: Call[Nothing, types.EarningPurchase]) -> types.EarnedPoints:
    body, commerce = call.body, call.platform.commerce
    lines = tuple(
        api.Line(
            sku=line.sku,
            amount=line.amount_minor,
            quantity=line.quantity_thousandths,
            category=line.category,
            brand=line.brand,
            gtin=line.gtin,
        )
        for line in body.lines
    )
    found = commerce.do(
        Earn(
            documents=tuple(body.documents),
            who=circle_of(call.platform.people, body.who),
            at=from_datetime(body.at) if body.at else commerce.now,
            lines=lines,
            channel=body.channel,
            place=body.place,
            currency=body.currency,
            event=body.event,
            programme=body.programme,
        )
    )
    return types.EarnedPoints(items=[earned_of(each, sight_of(call.actor)) for each in found])


def claw_back(call: Call[Nothing, types.EarningReturn]) -> types.EarnedPoints:
    body, commerce = call.body, call.platform.commerce
    found = commerce.do(
        ClawBack(
            document=body.document,
            id=body.id,
            at=from_datetime(body.at) if body.at else commerce.now,
            lines=tuple(
                api.ReturnedLine(line.sku, line.quantity_thousandths, line.amount_minor) for line in body.lines
            ),
            amount=body.amount_minor,
            whole=body.whole,
            channel=body.channel,
        )
    )
    return types.EarnedPoints(items=[earned_of(each, sight_of(call.actor)) for each in found])


# -- redemptions ------------------------------------------------------------------------------------------------


def begin(call: Call[Nothing, types.NewRedemption]) -> types.Redemption:
    body = call.body
    found = call.platform.commerce.do(
        BeginRedemption(
            key=call.key,
            programme=body.programme,
            who=identifiers_of(call.platform.people, body.member),
            reward=body.reward,
            channel=body.channel,
            document=body.document,
            by=call.actor.name,
            minutes=body.minutes,
        )
    )
    return redemption_of(found, sight_of(call.actor))


def get_redemption(call: AnyCall) -> types.Redemption:
    id_ = call.whole("redemption")
    found = api.redemption(call.platform.commerce.reader, id_)
    if found is None:
        raise NotFound(f"there is no redemption {id_}")
    return redemption_of(found, sight_of(call.actor))


def complete(call: AnyCall) -> types.Redemption:
    found = call.platform.commerce.do(CompleteRedemption(key=call.key, redemption=call.whole("redemption")))
    return redemption_of(found, sight_of(call.actor))


def cancel(call: AnyCall) -> types.Redemption:
    found = call.platform.commerce.do(CancelRedemption(key=call.key, redemption=call.whole("redemption")))
    return redemption_of(found, sight_of(call.actor))


EXAMPLE = {
    "programme": "club",
    "name": "Club Ribera",
    "currency": "EUR",
    "earn": [{"name": "Every euro", "points": 1, "per": 1}],
    "rewards": [{"reward": "coffee", "name": "Coffee", "points": 50}],
}

OPERATIONS = (
    Operation(
        name="loyalty.programmes",
        method="GET",
        path="/v1/loyalty/programmes",
        summary="List the programmes",
        permission="loyalty.read",
        handle=list_programmes,
        answer=types.Programmes,
    ),
    Operation(
        name="loyalty.programme",
        method="GET",
        path="/v1/loyalty/programmes/{programme}",
        summary="Get a programme",
        permission="loyalty.read",
        handle=get_programme,
        answer=types.Programme,
        errors=(NotFound,),
    ),
    Operation(
        name="loyalty.apply",
        method="PUT",
        path="/v1/loyalty/programmes/{programme}",
        summary="Apply a programme",
        description="A new one, or the next version of one, which holds for what happens from then on. `expected` is "
        "the version that it was made from; `dry_run` only checks it. Several programmes run side by side.",
        permission="loyalty.write",
        handle=apply_programme,
        body=types.NewProgramme,
        answer=types.Programme,
        errors=(DefinitionInvalid, Conflict),
        lane="write",
        audit="loyalty.programme_applied",
        subject=lambda call, _answer: call.path["programme"][:80],
        example={"definition": EXAMPLE},
    ),
    Operation(
        name="loyalty.retire",
        method="DELETE",
        path="/v1/loyalty/programmes/{programme}",
        summary="Retire a programme",
        description="Nothing is earned in it any more; points can be spent until they expire.",
        permission="loyalty.write",
        handle=retire_programme,
        status=204,
        errors=(NotFound,),
        lane="write",
        audit="loyalty.programme_retired",
        subject=lambda call, _answer: call.path["programme"][:80],
    ),
    Operation(
        name="loyalty.versions",
        method="GET",
        path="/v1/loyalty/programmes/{programme}/versions",
        summary="List the versions of a programme",
        permission="loyalty.read",
        handle=programme_versions,
        answer=types.ProgrammeVersions,
        errors=(NotFound,),
    ),
    Operation(
        name="loyalty.member",
        method="GET",
        path="/v1/loyalty/members/{key}",
        summary="Get what somebody has in each programme",
        description="Over all their identifiers: balance, lots by expiry, tier with the way to the next, and rewards. "
        "Without `people.personal` identifiers are masked.",
        permission="loyalty.read",
        handle=get_member,
        answer=types.LoyaltyMember,
        errors=(NotFound, DefinitionInvalid),
        audit="loyalty.member_seen",
        is_look=True,
        subject=lambda _call, answer: answer.id or "nobody",
    ),
    Operation(
        name="loyalty.statement",
        method="GET",
        path="/v1/loyalty/members/{key}/statement",
        summary="Get the statement of a period",
        description="It sums up: opening + earned - spent - expired - clawed + adjusted = closing.",
        permission="loyalty.read",
        handle=get_statement,
        query=types.PointsStatementQuery,
        answer=types.PointsStatements,
        errors=(NotFound, DefinitionInvalid),
        audit="loyalty.member_seen",
        is_look=True,
        subject=lambda _call, answer: answer.id or "nobody",
        parameters={"since": "2026-01-01", "programme": "club"},
    ),
    Operation(
        name="loyalty.adjust",
        method="POST",
        path="/v1/loyalty/members/{key}/adjustments",
        summary="Give or take points by hand",
        permission="loyalty.write",
        handle=adjust,
        body=types.PointsAdjustment,
        answer=types.PointsAdjusted,
        errors=(NotFound, DefinitionInvalid, Shortage),
        lane="write",
        audit="loyalty.adjusted",
        subject=lambda _call, answer: answer.id or "nobody",
        example={"programme": "club", "points": 100, "why": "the parcel came late"},
    ),
    Operation(
        name="loyalty.earn",
        method="POST",
        path="/v1/loyalty/purchases",
        summary="Say what somebody bought",
        description="It earns once, whatever its document or channel, however often it is said. `event` names another "
        "event that may earn.",
        permission="commerce.serve",
        handle=earn,
        body=types.EarningPurchase,
        answer=types.EarnedPoints,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="loyalty.earned",
        subject=lambda call, _answer: call.body.documents[0],
        example={
            "documents": ["T-2026-000917"],
            "who": ["loyalty:9001"],
            "currency": "EUR",
            "lines": [{"sku": "ABR-00001-AZ", "amount_minor": 12995}],
            "channel": "store",
        },
    ),
    Operation(
        name="loyalty.claw_back",
        method="POST",
        path="/v1/loyalty/returns",
        summary="Say what came back",
        description="Takes back what the returned part had earned; it may be said before its purchase is known.",
        permission="commerce.serve",
        handle=claw_back,
        body=types.EarningReturn,
        answer=types.EarnedPoints,
        errors=(DefinitionInvalid,),
        lane="write",
        audit="loyalty.clawed_back",
        subject=lambda call, _answer: call.body.document,
        example={"document": "T-2026-000917", "id": "V-1", "lines": [{"sku": "ABR-00001-AZ", "amount_minor": 12995}]},
    ),
    Operation(
        name="loyalty.redeem",
        method="POST",
        path="/v1/loyalty/redemptions",
        summary="Begin to redeem a reward",
        description="Promises the points, oldest expiry first, until it is completed, cancelled or runs out.",
        permission="commerce.serve",
        handle=begin,
        body=types.NewRedemption,
        answer=types.Redemption,
        status=201,
        errors=(NotFound, DefinitionInvalid, Shortage, Ended),
        lane="write",
        audit="loyalty.redemption_begun",
        subject=lambda _call, answer: str(answer.id),
        example={"programme": "club", "member": "loyalty:9001", "reward": "coffee", "channel": "store"},
    ),
    Operation(
        name="loyalty.redemption",
        method="GET",
        path="/v1/loyalty/redemptions/{redemption}",
        summary="Get a redemption",
        permission="loyalty.read",
        handle=get_redemption,
        answer=types.Redemption,
        errors=(NotFound,),
    ),
    Operation(
        name="loyalty.complete",
        method="POST",
        path="/v1/loyalty/redemptions/{redemption}/complete",
        summary="Say that the reward was given",
        permission="commerce.serve",
        handle=complete,
        answer=types.Redemption,
        errors=(NotFound, Ended),
        lane="write",
        audit="loyalty.redemption_completed",
        subject=lambda _call, answer: str(answer.id),
    ),
    Operation(
        name="loyalty.cancel",
        method="POST",
        path="/v1/loyalty/redemptions/{redemption}/cancel",
        summary="Say that the reward was not given",
        permission="commerce.serve",
        handle=cancel,
        answer=types.Redemption,
        errors=(NotFound, Ended),
        lane="write",
        audit="loyalty.redemption_cancelled",
        subject=lambda _call, answer: str(answer.id),
    ),
)
