"""Facts of the river in commerce: what tills told, what became of it, what waits, and how that is mended."""

from __future__ import annotations

from typing import Any

import msgspec

from cauce.app.clerk import follower_of
from cauce.client.types import facts as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.tills import api, outcomes
from cauce.commerce.tills.applying import Drop
from cauce.commerce.tills.habits import NameStore, SetHabit
from cauce.commerce.tills.store import Habit, Receipt, Unfit
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.sight import Sight, sight_of
from cauce.model import Event


def fact_of(receipt: Receipt) -> types.Fact:
    till = outcomes.till_of(receipt)
    return types.Fact(
        position=receipt.position,
        kind=receipt.step,
        state=receipt.state,
        number=receipt.number,
        till=till.till,
        business_day=till.business_day,
        sequence=till.sequence,
        source=receipt.source,
        channel=receipt.channel,
        place=receipt.place,
        occurred=told(receipt.at),
        lines=[types.FactLine(sku=sku, amount=amount) for sku, amount in outcomes.lines_of(receipt)],
    )


def unfit_of(row: Unfit, sight: Sight) -> types.UnfitFact:
    return types.UnfitFact(
        position=row.position,
        source=row.source,
        name=row.name,
        event_id=row.event_id,
        state=row.state,
        reason=row.reason,
        message=sight.why(row.message, free=True),  # it may hold what somebody sent
        since=told(row.at),
        ended=told_if_any(row.ended),
        by=row.by,
    )


def list_(call: Call[types.FactsQuery, None]) -> Page[types.Fact]:
    query = call.query
    which = outcomes.Which(query.kind, query.place, query.till, query.source, query.state)
    before = (str(call.place[0]), int(call.place[1]), int(call.place[2])) if call.place else None
    found = outcomes.receipts(call.platform.commerce, which, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > len(shown) else None
    return Page(items=list(map(fact_of, shown)), cursor=call.cursor_at((last.place, last.at, last.id)) if last else "")


def get(call: AnyCall) -> types.FactDetail:
    position = call.whole("fact")
    event = _event(call, position)
    found = outcomes.outcome_of(call.platform.commerce, follower_of(call.platform), event)
    if found is None:
        raise NotFound(f"the event at position {position} is none that commerce acts on: it is {event.name!r}")
    sight = sight_of(call.actor)
    return types.FactDetail(
        position=position,
        name=event.name,
        source=event.source,
        channel=event.channel,
        event_id=event.id,
        occurred=told(event.occurred),
        outcome=found.outcome,  # type: ignore[arg-type]
        reason=found.reason,
        message=sight.why(found.message, free=True) if found.message else "",
        decided_by=found.by,
        told_by=found.told_by,
        kept=list(map(fact_of, found.kept)),
        waiting=[types.FactLineWaits(channel=one.channel, item=one.item, name=one.name) for one in found.waiting],
        properties=sight.traits(event.properties),
    )


def waiting(call: Call[types.FactsWaitingQuery, None]) -> Page[types.UnfitFact]:
    query = call.query
    state = "" if query.state == "any" else query.state
    after = int(call.place[0]) if call.place else 0
    found = api.unfit(call.platform.commerce, state=state, after=after, limit=query.limit + 1)
    shown, sight = found[: query.limit], sight_of(call.actor)
    more = len(found) > len(shown)
    items = [unfit_of(row, sight) for row in shown]
    return Page(items=items, cursor=call.cursor_at((shown[-1].position,)) if more else "")


def status(call: Call[Nothing, None]) -> types.FactsStatus:
    rows = call.platform.commerce
    state = api.state(rows, call.platform.views.archive.last_position())
    return types.FactsStatus(
        position=state.position,
        river=state.river,
        to_tell=state.to_tell,
        pending=state.pending,
        unfit=state.unfit,
        strange=state.strange,
        items=[types.FactItemWaits(**one._asdict()) for one in api.pending(rows)],
        stores=[types.FactStoreWaits(source=one.source, store=one.store, facts=one.facts) for one in api.strange(rows)],
    )


def mend(call: Call[Nothing, types.FactMend]) -> types.FactMended:
    _, event = api.event_of(call.platform.commerce, call.whole("fact"))
    mended = outcomes.changed(event, call.body.changes)
    follower = follower_of(call.platform)
    found = outcomes.tried_again(call.platform.commerce, follower, mended, by=call.actor.name, key=call.key)
    return types.FactMended(position=event.position, new=found.new, pending=found.pending)


def drop(call: AnyCall) -> types.UnfitFact:
    position, commerce = call.whole("fact"), call.platform.commerce
    commerce.do(Drop(key=call.key, position=position, by=call.actor.name))
    return unfit_of(api.event_of(commerce, position)[0], sight_of(call.actor))


def habits(call: Call[Nothing, None]) -> types.FactHabits:
    found = api.habits(call.platform.commerce)
    return types.FactHabits(items=[_habit_of(found[name]) for name in sorted(found)])


def set_habit(call: Call[Nothing, types.FactHabitChange]) -> types.FactHabit:
    asked = call.body
    command = SetHabit(
        key=call.key,
        source=asked.source,
        receipts=asked.receipts,
        orders=asked.orders,
        levels=asked.levels,
        goods=asked.goods,
        ids=asked.ids,
        by=call.actor.name,
    )
    return _habit_of(call.platform.commerce.do(command))


def _habit_of(habit: Habit) -> types.FactHabit:
    return msgspec.convert(habit._asdict(), types.FactHabit, strict=False)


def stores(call: Call[Nothing, None]) -> types.FactStores:
    return types.FactStores(
        items=[
            types.FactStore(source=one.source, store=one.store, place=one.place, named=told(one.at), by=one.by)
            for one in api.names(call.platform.commerce)
        ]
    )


def name_store(call: Call[Nothing, types.FactStoreName]) -> types.FactStoreNamed:
    asked = call.body
    command = NameStore(key=call.key, source=asked.source, store=asked.store, place=asked.place, by=call.actor.name)
    return msgspec.convert(call.platform.commerce.do(command), types.FactStoreNamed, from_attributes=True)


def _event(call: AnyCall, position: int) -> Event:
    """The event at a position, as it came."""
    found = call.platform.views.archive.bodies([position]).get(position)
    if found is not None:
        return found.event
    try:
        return api.event_of(call.platform.commerce, position)[1]
    except NotFound:
        raise NotFound(f"there is no event at position {position}") from None


def _subject(call: AnyCall, _answer: Any) -> str:
    return call.path["fact"]


OPERATIONS = (
    Operation(
        name="facts.list",
        method="GET",
        path="/v1/facts",
        summary="List receipts of tills and movements of goods",
        description="As they were kept: by place, the latest of each first. Returns stand among the "
        "movements of stock.",
        permission="commerce.read",
        handle=list_,
        query=types.FactsQuery,
        answer=Page[types.Fact],
        errors=(DefinitionInvalid,),
        parameters={"place": "S01", "kind": "sold"},
        lane="heavy",
    ),
    Operation(
        name="facts.status",
        method="GET",
        path="/v1/facts/status",
        summary="Tell how far the river is followed, and what waits for what",
        description="Ids that nobody knows and stores that are no place, those of most lines and facts first.",
        permission="commerce.read",
        handle=status,
        answer=types.FactsStatus,
    ),
    Operation(
        name="facts.waiting",
        method="GET",
        path="/v1/facts/waiting",
        summary="List facts that could not be used",
        description="In order of position, with the reason; the message is masked for who may not see personal data.",
        permission="commerce.read",
        handle=waiting,
        query=types.FactsWaitingQuery,
        answer=Page[types.UnfitFact],
    ),
    Operation(
        name="facts.habits",
        method="GET",
        path="/v1/facts/habits",
        summary="Tell what the facts of each source do here",
        description="The habit of `*` holds for every source that has none of its own.",
        permission="commerce.read",
        handle=habits,
        answer=types.FactHabits,
    ),
    Operation(
        name="facts.set_habit",
        method="PUT",
        path="/v1/facts/habits",
        summary="Say what the facts of a source do from now on",
        description="Whether its receipts, orders, levels and observed goods count, and in which channel its ids of "
        "products are looked up. What is left out stays as it is; what had its effect keeps it.",
        permission="commerce.write",
        handle=set_habit,
        body=types.FactHabitChange,
        answer=types.FactHabit,
        errors=(DefinitionInvalid, Conflict),
        lane="write",
        audit="fact.habit_set",
        subject=lambda call, _answer: str(call.body.source),
        example={"source": "shop", "orders": True},
    ),
    Operation(
        name="facts.stores",
        method="GET",
        path="/v1/facts/stores",
        summary="List what sources call our places",
        description="Beside a place's id and GLN, which every source may use.",
        permission="commerce.read",
        handle=stores,
        answer=types.FactStores,
    ),
    Operation(
        name="facts.name_store",
        method="PUT",
        path="/v1/facts/stores",
        summary="Say which place a source means by its number of a store",
        description="What it had told of that store before has its effect now. An empty place takes the name back.",
        permission="commerce.write",
        handle=name_store,
        body=types.FactStoreName,
        answer=types.FactStoreNamed,
        errors=(NotFound, DefinitionInvalid, Conflict),
        lane="write",
        audit="fact.store_named",
        subject=lambda call, _answer: f"{call.body.source} {call.body.store}".strip(),
        example={"source": "pos", "store": "0042", "place": "S01"},
    ),
    Operation(
        name="facts.get",
        method="GET",
        path="/v1/facts/{fact}",
        summary="Get a fact, and what became of it",
        description="By the position of its event. Says whether it had its effect, whether another event had told the "
        "same, and what it waits for.",
        permission="commerce.read",
        handle=get,
        answer=types.FactDetail,
        errors=(NotFound,),
        lane="heavy",
    ),
    Operation(
        name="facts.mend",
        method="POST",
        path="/v1/facts/{fact}/mend",
        summary="Change a fact that could not be used, and try it again",
        description="The event stays as it came; only its effect is that of the changed one. Without changes it is "
        "tried as it is, because what was in the way is gone.",
        permission="commerce.write",
        handle=mend,
        body=types.FactMend,
        answer=types.FactMended,
        errors=(NotFound, DefinitionInvalid, Ended, Conflict),
        lane="write",
        audit="fact.mended",
        subject=_subject,
        example={"changes": {"products.0.quantity": 2}},
    ),
    Operation(
        name="facts.drop",
        method="POST",
        path="/v1/facts/{fact}/drop",
        summary="Let a fact that could not be used have no effect, for good",
        description="Its event stays in the archive.",
        permission="commerce.write",
        handle=drop,
        answer=types.UnfitFact,
        errors=(NotFound, Ended, Conflict),
        lane="write",
        audit="fact.dropped",
        subject=_subject,
    ),
)
