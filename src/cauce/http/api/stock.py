"""Stock: levels, what may be promised, holds, and what happens to goods."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from cauce.app.courier import secret_of
from cauce.client.types import stock as types
from cauce.client.types.basics import Nothing, Page
from cauce.commerce.stock import api, counting, hooks, keeping, limits, moving, questions, reserving, supply
from cauce.commerce.stock.api import Entry, Task
from cauce.commerce.stock.feed import Wish
from cauce.errors import DefinitionInvalid, Ended, NotFound, Shortage, TooLarge, Unreadable
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.stock_feed import FEED_OPERATIONS, level_of
from cauce.model.time import from_datetime

# -- what is there ----------------------------------------------------------------------------------------------------


def levels(call: Call[types.LevelsQuery, None]) -> Page[types.StockLevel]:
    query = call.query
    after = (str(call.place[0]), str(call.place[1])) if call.place else ("", "")
    found = questions.levels(
        call.platform.commerce.reader,
        sku=query.sku,
        place=query.place,
        channel=query.channel,
        after=after,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    cursor = call.cursor_at((shown[-1].sku, shown[-1].place)) if len(found) > len(shown) else ""
    return Page(items=[level_of(one) for one in shown], cursor=cursor)


def availability(call: Call[types.AvailabilityQuery, None]) -> types.Availability:
    query, commerce = call.query, call.platform.commerce
    on = supply.day_of(query.on) if query.on else ""
    found = api.availability(
        commerce.reader,
        query.sku,
        query.channel,
        near=point_of(query.near),
        places=query.place or None,
        on=on,
        today=told(commerce.now).date().isoformat(),
    )
    return types.Availability(
        sku=query.sku,
        channel=query.channel,
        available=sum(one.available for one in found),
        later=sum(one.later for one in found),
        places=[level_of(one) for one in found[: query.limit]],
    )


def point_of(text: str) -> tuple[float, float] | None:
    """Latitude and longitude, None when there are none; Unreadable off the globe."""
    if not text:
        return None
    latitude, longitude = map(float, text.split(","))
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise Unreadable(f"expected near to be latitude -90–90 and longitude -180–180, got {text}")
    return latitude, longitude


def movements(call: Call[types.MovementsQuery, None]) -> Page[types.StockMovement]:
    query = call.query
    found = api.movements(call.platform.commerce.reader, query.sku, query.place or None, call.offset, query.limit + 1)
    shown = found[: query.limit]
    items = [movement_of(one) for one in shown]
    return Page(items=items, cursor=call.cursor_at((shown[-1].id,)) if len(found) > len(shown) else "")


def movement_of(one: api.Movement) -> types.StockMovement:
    fields = one._asdict()
    del fields["cause"]
    return types.StockMovement(**{**fields, "at": told(one.at), "occurred": told(one.occurred)})


# -- holds ------------------------------------------------------------------------------------------------------------


async def hold(call: Call[Nothing, types.NewHold]) -> types.StockHold:
    body = call.body
    lines = tuple([reserving.Line(line.sku, line.place, line.amount) for line in body.lines])
    command = reserving.Reserve(key=call.key, lines=lines, seconds=body.seconds, channel=body.channel, owner=body.owner)
    return hold_of(await call.platform.commerce.ask(command))


async def confirm(call: AnyCall) -> types.StockHold:
    command = reserving.Confirm(key=call.key, reservation=call.whole("hold"))
    return hold_of(await call.platform.commerce.ask(command))


async def release(call: AnyCall) -> types.StockHold:
    command = reserving.Release(key=call.key, reservation=call.whole("hold"))
    return hold_of(await call.platform.commerce.ask(command))


def get_hold(call: AnyCall) -> types.StockHold:
    commerce = call.platform.commerce
    return hold_of(questions.reservation(commerce.reader, call.whole("hold"), commerce.now))


def hold_of(held: reserving.Reserved) -> types.StockHold:
    return types.StockHold(
        id=held.id,
        state=held.state,  # type: ignore[arg-type]
        due=told(held.due),
        lines=[types.HeldLine(sku=line.sku, place=line.place, amount=line.amount) for line in held.lines],
    )


# -- goods that come, go and break ------------------------------------------------------------------------------------


def receive(call: Call[Nothing, types.Receipt]) -> types.Moved:
    return _moved(call, keeping.Receive(key=call.key, lines=entries_of(call)))


def sell(call: Call[Nothing, types.StockSale]) -> types.Moved:
    return _moved(call, keeping.Sell(key=call.key, lines=entries_of(call)))


def give_back(call: Call[Nothing, types.GoodsReturn]) -> types.Moved:
    body = call.body
    command = keeping.Return(key=call.key, lines=entries_of(call), sold_at=body.sold_at, is_damaged=body.is_damaged)
    return _moved(call, command)


def damage(call: Call[Nothing, types.Damages]) -> types.Moved:
    return _moved(call, keeping.Damage(key=call.key, lines=entries_of(call), then=call.body.then))


def adjust(call: Call[Nothing, types.Adjustment]) -> types.Moved:
    if any(line.amount == 0 for line in call.body.lines):
        raise DefinitionInvalid("expected amounts above or below 0")
    return _moved(call, keeping.Adjust(key=call.key, lines=entries_of(call), why=call.body.why))


def entries_of(call: Call[Nothing, Any]) -> tuple[Entry, ...]:
    """What a body tells, by who tells it."""
    lines: Iterable[types.StockEntry] = call.body.lines
    return tuple(
        Entry(
            line.sku,
            line.place,
            line.amount,
            moment_of(line.occurred),
            getattr(line, "channel", ""),
            line.reference,
            call.actor.name,
        )
        for line in lines
    )


def moment_of(moment: Any) -> int:
    """Microseconds; 0 for now."""
    return from_datetime(moment) if moment is not None else 0


def _moved(call: Call[Nothing, Any], command: Any) -> types.Moved:
    carried = call.platform.commerce.do(command)
    return types.Moved(
        lines=[
            types.MovedLine(sku=entry.sku, place=entry.place, moved=one.moved, oversold=one.oversold, late=one.late)
            for entry, one in zip(command.lines, carried, strict=True)
        ]
    )


def move(call: Call[Nothing, types.NewShipment]) -> types.StockShipment:
    body = call.body
    command = moving.Move(
        key=call.key,
        origin=body.origin,
        destination=body.destination,
        lines=tuple(moving.Goods(line.sku, line.amount) for line in body.lines),
        at_once=body.at_once,
        is_fact=body.is_fact,
        on=body.on,
        occurred=moment_of(body.occurred),
        reference=body.reference,
        by=call.actor.name,
    )
    return shipment_of(call.platform.commerce.do(command))


def arrive(call: Call[Nothing, types.Arrival]) -> types.StockShipment:
    body = call.body
    command = moving.Arrive(
        key=call.key,
        shipment=call.whole("shipment"),
        lines=tuple(moving.Came(line.sku, line.amount, line.damaged) for line in body.lines),
        is_last=body.is_last,
        occurred=moment_of(body.occurred),
        by=call.actor.name,
    )
    return shipment_of(call.platform.commerce.do(command))


def shipments(call: Call[types.ShipmentsQuery, None]) -> Page[types.StockShipment]:
    query = call.query
    found = questions.shipments(
        call.platform.commerce.reader,
        place=query.place,
        arrived=query.arrived,
        before=call.offset,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    cursor = call.cursor_at((shown[-1].id,)) if len(found) > len(shown) else ""
    return Page(items=[shipment_of(one) for one in shown], cursor=cursor)


def shipment_of(sent: moving.Sent) -> types.StockShipment:
    return types.StockShipment(
        id=sent.id,
        state=sent.state,  # type: ignore[arg-type]
        origin=sent.origin,
        destination=sent.destination,
        lines=[types.ShippedLine(sku=line.sku, amount=line.amount, left=line.left) for line in sent.lines],
        on=sent.on,
        reference=sent.reference,
    )


# -- counts, supply, limits, tasks ------------------------------------------------------------------------------------


def count(call: Call[Nothing, types.NewCount]) -> types.CountResult:
    body = call.body
    command = counting.Count(
        key=call.key,
        place=body.place,
        lines=tuple(counting.Counted(line.sku, line.amount) for line in body.lines),
        occurred=moment_of(body.occurred),
        reference=body.reference,
        by=call.actor.name,
    )
    found = call.platform.commerce.do(command)
    return types.CountResult(
        place=body.place,
        lines=[
            types.CountDifference(sku=one.sku, counted=one.counted, difference=one.difference, late=one.late)
            for one in found
        ],
    )


def counts(call: Call[types.StockCountsQuery, None]) -> Page[types.StockCount]:
    query = call.query
    found = questions.countings(
        call.platform.commerce.reader, place=query.place, sku=query.sku, before=call.offset, limit=query.limit + 1
    )
    shown = found[: query.limit]
    items = [
        types.StockCount(
            id=one.id,
            sku=one.sku,
            place=one.place,
            occurred=told(one.occurred),
            amount=one.amount,
            difference=one.difference,
            at=told(one.at),
            by=one.by,
            reference=one.reference,
        )
        for one in shown
    ]
    return Page(items=items, cursor=call.cursor_at((shown[-1].id,)) if len(found) > len(shown) else "")


def expect(call: Call[Nothing, types.NewExpectation]) -> types.StockExpectation:
    body = call.body
    command = supply.Expect(
        key=call.key, sku=body.sku, place=body.place, amount=body.amount, on=body.on, reference=body.reference
    )
    return expectation_of(call.platform.commerce.do(command))


def expected(call: Call[types.ExpectedQuery, None]) -> Page[types.StockExpectation]:
    query = call.query
    found = questions.expectations(
        call.platform.commerce.reader,
        sku=query.sku,
        place=query.place,
        since=query.since,
        after=tuple(map(str, call.place)),
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    last = shown[-1] if len(found) > len(shown) else None
    cursor = call.cursor_at((last.on, last.reference, last.sku, last.place)) if last else ""
    return Page(items=[expectation_of(one) for one in shown], cursor=cursor)


def expectation_of(one: supply.Expectation) -> types.StockExpectation:
    return types.StockExpectation(
        reference=one.reference, sku=one.sku, place=one.place, amount=one.amount, left=one.left, on=one.on
    )


def set_safety(call: Call[Nothing, types.NewLimits]) -> types.StockLimits:
    body = call.body
    return limits_of(
        call.platform.commerce.do(limits.SetSafety(key=call.key, place=body.place, sku=body.sku, amount=body.amount))
    )


def set_low(call: Call[Nothing, types.NewLimits]) -> types.StockLimits:
    body = call.body
    return limits_of(
        call.platform.commerce.do(limits.SetLow(key=call.key, place=body.place, sku=body.sku, amount=body.amount))
    )


def limits_of(found: limits.Limits) -> types.StockLimits:
    return types.StockLimits(place=found.place, sku=found.sku, safety=found.safety, low=found.low)


def set_cap(call: Call[Nothing, types.NewCap]) -> types.StockCap:
    body = call.body
    command = limits.SetCap(key=call.key, channel=body.channel, sku=body.sku, place=body.place, amount=body.amount)
    return cap_of(call.platform.commerce.do(command))


def caps(call: Call[types.CapsQuery, None]) -> types.Caps:
    return types.Caps(items=[cap_of(one) for one in questions.caps(call.platform.commerce.reader, call.query.channel)])


def cap_of(one: limits.Capped) -> types.StockCap:
    return types.StockCap(channel=one.channel, sku=one.sku, place=one.place, amount=one.amount)


def tasks(call: Call[types.TasksQuery, None]) -> Page[types.StockTask]:
    query = call.query
    found = questions.tasks(
        call.platform.commerce.reader, place=query.place, done=query.done, after=call.offset, limit=query.limit + 1
    )
    shown = found[: query.limit]
    items = [task_of(one) for one in shown]
    return Page(items=items, cursor=call.cursor_at((shown[-1].id,)) if len(found) > len(shown) else "")


def finish(call: AnyCall) -> types.StockTask:
    commerce, id_ = call.platform.commerce, call.whole("task")
    commerce.do(keeping.Finish(key=call.key, task=id_, by=call.actor.name))
    return task_of(questions.task(commerce.reader, id_))


def task_of(one: Task) -> types.StockTask:
    return types.StockTask(
        id=one.id,
        kind=one.kind,
        sku=one.sku,
        place=one.place,
        amount=one.amount,
        since=told(one.since),
        done=told_if_any(one.done),
        by=one.by or None,
    )


# -- hooks ------------------------------------------------------------------------------------------------------------


def add_hook(call: Call[Nothing, types.NewHook]) -> types.AddedHook:
    body, platform = call.body, call.platform
    id_, salt = f"h_{secrets.token_hex(8)}", secrets.token_hex(16)
    wish = Wish(body.channel, body.place)
    hooks.checked_address(body.url)
    found = platform.commerce.do(
        hooks.AddHook(id=id_, url=body.url, salt=salt, wish=wish, only_changes=body.only_changes, by=call.actor.name)
    )
    return types.AddedHook(hook=hook_of(found), secret=secret_of(platform.secret, id_, salt))


def list_hooks(call: AnyCall) -> types.Hooks:
    return types.Hooks(items=[hook_of(one) for one in hooks.hooks(call.platform.commerce.reader)])


def remove_hook(call: AnyCall) -> None:
    call.platform.commerce.do(hooks.RemoveHook(id=call.path["hook"]))


def resume_hook(call: AnyCall) -> types.StockHook:
    return hook_of(call.platform.commerce.do(hooks.ResumeHook(id=call.path["hook"])))


def hook_of(one: hooks.Registered) -> types.StockHook:
    return types.StockHook(
        id=one.id,
        url=one.url,
        channel=one.wish.channel,
        place=one.wish.place,
        state=one.state,  # type: ignore[arg-type]
        after=one.cursor,
        failures=one.failures,
        fault=one.fault,
        next_try=told_if_any(one.due if one.failures else 0),
        added=told(one.at),
        by=one.by,
    )


# -- the table --------------------------------------------------------------------------------------------------------

ENTRY = {"sku": "ABR-00001-AZ", "place": "S01", "amount": 2_000}
HOLD = {"lines": [ENTRY], "seconds": 900, "channel": "web", "owner": "basket:17"}


def _asked(name: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    return Operation(
        name=name, method="GET", path=path, summary=summary, permission="commerce.read", handle=handle,
        answer=answer, **more,
    )  # fmt: skip


def _done(name: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    """A command. Its audit entry says who did what; the ledger says how much of what."""
    more.setdefault("permission", "commerce.write")
    more.setdefault("errors", (DefinitionInvalid,))
    more.setdefault("lane", "write")
    more.setdefault("audit", name)
    return Operation(name=name, method="POST", path=path, summary=summary, handle=handle, answer=answer, **more)


HOLD_OPERATIONS = (
    Operation(
        name="stock.hold",
        method="POST",
        path="/v1/stock/holds",
        summary="Hold stock for a while",
        description="All lines or none; durable before the answer. With an `Idempotency-Key` the same request is "
        "answered the same for ever. A shortage tells in `details.about.lines` what can be had.",
        permission="commerce.serve",
        handle=hold,
        body=types.NewHold,
        answer=types.StockHold,
        errors=(Shortage, DefinitionInvalid),
        lane="now",
        example=HOLD,
    ),
    _asked("stock.get_hold", "/v1/stock/holds/{hold}", "Get a hold", get_hold, types.StockHold, errors=(NotFound,)),
    Operation(
        name="stock.confirm",
        method="POST",
        path="/v1/stock/holds/{hold}/confirm",
        summary="Sell what is held",
        description="Only while the hold is open: after it ran out hold anew, or give the money back.",
        permission="commerce.serve",
        handle=confirm,
        answer=types.StockHold,
        errors=(NotFound, Ended),
        lane="now",
    ),
    Operation(
        name="stock.release",
        method="POST",
        path="/v1/stock/holds/{hold}/release",
        summary="Give back what is held",
        permission="commerce.serve",
        handle=release,
        answer=types.StockHold,
        errors=(NotFound, Ended),
        lane="now",
    ),
)

OPERATIONS = (
    _asked(
        "stock.levels", "/v1/stock", "List stock by product and place", levels, Page[types.StockLevel],
        query=types.LevelsQuery, parameters={"place": "S01"},
    ),
    _asked(
        "stock.availability", "/v1/stock/availability", "What may be promised of a product, and where", availability,
        types.Availability, query=types.AvailabilityQuery, errors=(Unreadable,),
        parameters={"sku": "ABR-00001-AZ", "near": "40.42,-3.70", "channel": "web"},
    ),
    _asked(
        "stock.movements", "/v1/stock/movements", "What happened to a product", movements,
        Page[types.StockMovement], query=types.MovementsQuery, description="Newest first.",
        parameters={"sku": "ABR-00001-AZ"},
    ),
    *HOLD_OPERATIONS,
    _done(
        "stock.receive", "/v1/stock/receive", "Goods came from outside", receive, types.Moved, body=types.Receipt,
        example={"lines": [{**ENTRY, "amount": 24_000, "reference": "PO-2026-118"}]},
    ),
    _done(
        "stock.sell", "/v1/stock/sell", "A till has sold goods", sell, types.Moved, body=types.StockSale,
        permission="commerce.serve", example={"lines": [{**ENTRY, "channel": "till", "reference": "S01-T1-000812"}]},
        description="A fact: never refused for a shortage. What was not there is owed and raises a task.",
    ),
    _done(
        "stock.give_back", "/v1/stock/return", "Goods came back", give_back, types.Moved, body=types.GoodsReturn,
        permission="commerce.serve", example={"lines": [ENTRY], "sold_at": "S02"},
    ),
    _done(
        "stock.damage", "/v1/stock/damage", "Goods broke, were repaired or disposed of", damage, types.Moved,
        body=types.Damages, errors=(Shortage, DefinitionInvalid), example={"lines": [ENTRY], "then": "kept"},
    ),
    _done(
        "stock.adjust", "/v1/stock/adjust", "More or less is there than was known", adjust, types.Moved,
        body=types.Adjustment, example={"lines": [{**ENTRY, "amount": -1_000}], "why": "used as a sample"},
    ),
    _done(
        "stock.move", "/v1/stock/move", "Send goods to another place, or move them at once", move,
        types.StockShipment, body=types.NewShipment, errors=(Shortage, DefinitionInvalid),
        example={
            "origin": "S01", "destination": "S02", "on": "2026-11-30",
            "lines": [{"sku": "ABR-00001-AZ", "amount": 1_000}],
        },
    ),
    _asked(
        "stock.shipments", "/v1/stock/shipments", "List shipments between places", shipments,
        Page[types.StockShipment], query=types.ShipmentsQuery, description="Newest first.",
    ),
    _done(
        "stock.arrive", "/v1/stock/shipments/{shipment}/arrive", "A shipment came", arrive, types.StockShipment,
        body=types.Arrival, errors=(NotFound, Shortage, Ended, DefinitionInvalid), example={"is_last": True},
    ),
    _done(
        "stock.count", "/v1/stock/count", "What was counted in a place", count, types.CountResult,
        body=types.NewCount, permission="commerce.serve",
        description="An entry since that instant: what happened before and is told later changes nothing of it.",
        example={"place": "S01", "lines": [{"sku": "ABR-00001-AZ", "amount": 23_000}]},
    ),
    _asked(
        "stock.counts", "/v1/stock/counts", "List physical counts", counts, Page[types.StockCount],
        query=types.StockCountsQuery, description="Newest first.",
    ),
    _done(
        "stock.expect", "/v1/stock/expected", "Goods are to come on a day", expect, types.StockExpectation,
        body=types.NewExpectation,
        example={
            "sku": "ABR-00001-AZ", "place": "S01", "amount": 24_000, "on": "2026-12-01", "reference": "PO-2026-119",
        },
    ),
    _asked(
        "stock.expected", "/v1/stock/expected", "List what is to come", expected, Page[types.StockExpectation],
        query=types.ExpectedQuery, description="By day; what came is left out.",
    ),
    _done(
        "stock.set_safety", "/v1/stock/safety", "Keep stock back from every promise", set_safety, types.StockLimits,
        body=types.NewLimits, example={"place": "S01", "sku": "ABR-00001-AZ", "amount": 1_000},
    ),
    _done(
        "stock.set_low", "/v1/stock/low", "Say when stock is low", set_low, types.StockLimits, body=types.NewLimits,
        example={"place": "S01", "amount": 3_000},
    ),
    _done(
        "stock.set_cap", "/v1/stock/caps", "Bound what a channel may see and take at once", set_cap, types.StockCap,
        body=types.NewCap, example={"channel": "marketplace", "place": "S01", "amount": 5_000},
    ),
    _asked(
        "stock.caps", "/v1/stock/caps", "List what channels may see at most", caps, types.Caps,
        query=types.CapsQuery,
    ),
    _asked(
        "stock.tasks", "/v1/stock/tasks", "List what somebody must look at", tasks, Page[types.StockTask],
        query=types.TasksQuery,
    ),
    _done(
        "stock.finish_task", "/v1/stock/tasks/{task}/done", "Somebody has seen to a task", finish, types.StockTask,
        permission="commerce.serve", errors=(NotFound, Ended),
    ),
    *FEED_OPERATIONS,
    _asked("stock.hooks", "/v1/stock/hooks", "List addresses that are told of changes", list_hooks, types.Hooks),
    _done(
        "stock.add_hook", "/v1/stock/hooks", "Tell an address of changes", add_hook, types.AddedHook, status=201,
        body=types.NewHook, subject=lambda _call, answer: answer.hook.id, errors=(DefinitionInvalid, TooLarge),
        description="Signed as Standard Webhooks has it; the secret is shown only now. At least once, in batches, and "
        "tried again with growing pauses until it was received. Only https addresses of the public network.",
        example={"url": "https://shop.example/stock", "channel": "web"},
    ),
    _done(
        "stock.resume_hook", "/v1/stock/hooks/{hook}/resume", "Try an address again", resume_hook, types.StockHook,
        errors=(NotFound,),
    ),
    Operation(
        name="stock.remove_hook", method="DELETE", path="/v1/stock/hooks/{hook}",
        summary="Tell an address no more", permission="commerce.write", handle=remove_hook, answer=None, status=204,
        errors=(NotFound,), lane="write", audit="stock.remove_hook",
    ),
)  # fmt: skip
