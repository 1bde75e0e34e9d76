"""Quarantine: what was not accepted, why, and how it is mended, replayed or given up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from cauce.app.mending import PORTION_ENTRIES, Mending, Tried
from cauce.client.types import quarantine as types
from cauce.client.types.basics import Nothing, Page
from cauce.errors import Conflict, DefinitionInvalid, NotFound, TooLarge
from cauce.http.api.moments import told, told_if_any
from cauce.http.api.operation import Call, Operation
from cauce.identity.api import text_of
from cauce.model import Reason
from cauce.quality.api import Entry, Which
from cauce.quality.mending import Mend, read_mend

PORTIONS_MAX = 10
"""Portions of one call; a filter that means more goes on in the next one."""
SHOWN_MAX = 100


def reasons_of(reasons: Iterable[Reason]) -> list[types.Reason]:
    return [types.Reason(**msgspec.structs.asdict(reason)) for reason in reasons]


def entry_of(entry: Entry) -> types.Entry:
    return types.Entry(
        position=entry.position,
        source=entry.source,
        channel=entry.channel,
        event_id=entry.event_id,
        name=entry.name,
        received=told(entry.received),
        occurred=told_if_any(entry.occurred),
        reasons=reasons_of(entry.reasons),
        form=entry.form,
        raw=entry.document(),
        state=entry.state,
        decided=told_if_any(entry.decided),
        decided_by=entry.decided_by or None,
        why=entry.why or None,
    )


def list_(call: Call[types.EntriesQuery, None]) -> Page[types.Entry]:
    query = call.query
    state = "" if query.state == "any" else query.state
    which = Which(query.source, query.reason, query.path, query.name, state)
    before = int(call.place[0]) if call.place else 0
    found = call.platform.quality.page(which, before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > len(shown)
    return Page(items=list(map(entry_of, shown)), cursor=call.cursor_at((shown[-1].position,)) if more else "")


def groups(call: Call[types.GroupsQuery, None]) -> types.Groups:
    found = call.platform.quality.groups(call.query.source or None)
    return types.Groups(items=[types.Group(**msgspec.structs.asdict(group)) for group in found])


def get(call: Call[Nothing, None]) -> types.Entry:
    return entry_of(call.platform.quality.entry(call.whole("position")))


def history(call: Call[Nothing, None]) -> types.History:
    mending = Mending(call.platform)
    entry = call.platform.quality.entry(call.whole("position"))
    landed = mending.landing(entry)
    return types.History(
        position=entry.position,
        happened=[
            types.Happened(what=step.what, moment=told_if_any(step.moment), by=step.by, why=step.why)
            for step in mending.history(entry)
        ],
        event=landed.event.id if landed else None,
        person=text_of(landed.person) if landed and landed.person else None,
    )


def replay(call: Call[Nothing, types.Replay]) -> types.Replayed:
    body = call.body
    mending = Mending(call.platform)
    patch = None if body.patch is UNSET else body.patch
    mend = read_mend([msgspec.structs.asdict(step) for step in body.steps], patch)
    if body.raw is not UNSET and (mend or body.positions is UNSET or len(set(body.positions)) != 1):
        raise DefinitionInvalid("expected raw with one position and no other changes", hint="It is one new event")
    which = chosen(body.positions, body.filter)
    if isinstance(which, Which):
        return _replay_filter(call, mending, which, mend)
    entries = [open_entry(call, position) for position in which]
    tried = mending.try_many(entries, mend)
    if body.raw is not UNSET:
        tried = [Tried(entries[0], body.raw, mending.try_item(entries[0], body.raw))]
    sent = [each for each in tried if each.outcome.passes or (body.also_failing and not each.refused)]
    if sent and not body.dry_run:
        request = call.platform.quality.request_of([(each.entry, each.after) for each in sent])
        call.platform.replay_quarantined(request, call.actor.name)
    return types.Replayed(
        dry_run=body.dry_run,
        chosen=len(entries),
        tried=len(tried),
        passing=sum(each.outcome.passes for each in tried),
        replayed=0 if body.dry_run else len(sent),
        after=0,
        items=list(map(mended, tried[:SHOWN_MAX])),
    )


def _replay_filter(call: Call[Nothing, types.Replay], mending: Mending, which: Which, mend: Mend) -> types.Replayed:
    body = call.body
    if body.dry_run:
        seen = mending.preview(which, mend)
        items = list(map(mended, seen.shown[:SHOWN_MAX]))
        return types.Replayed(
            dry_run=True, chosen=seen.chosen, tried=seen.tried, passing=seen.passing, replayed=0, after=0, items=items
        )
    looked_at, replayed, after = 0, 0, body.after
    for _ in range(PORTIONS_MAX):
        portion = mending.replay_portion(which, mend, call.actor.name, after=after, also_failing=body.also_failing)
        looked_at, replayed, after = looked_at + portion.looked_at, replayed + portion.replayed, portion.after
        if not after:
            break
    return types.Replayed(
        dry_run=False, chosen=looked_at, tried=looked_at, passing=replayed, replayed=replayed, after=after, items=[]
    )


def mended(tried: Tried) -> types.Mended:
    outcome = tried.outcome
    return types.Mended(
        position=tried.entry.position,
        raw=tried.after,
        passes=outcome.passes,
        reasons=reasons_of(outcome.reasons or outcome.observed),
        refused=tried.refused,
    )


def drop(call: Call[Nothing, types.Drop]) -> types.Dropped:
    body, platform = call.body, call.platform
    which = chosen(body.positions, body.filter)
    if isinstance(which, Which):
        if body.dry_run:
            return types.Dropped(dry_run=True, dropped=platform.quality.count(which))
        mending, dropped, after = Mending(platform), 0, 0
        for _ in range(PORTIONS_MAX):
            portion = mending.drop_portion(which, body.why, call.actor.name, after=after)
            dropped, after = dropped + portion.replayed, portion.after
            if not after:
                break
        return types.Dropped(dry_run=False, dropped=dropped)
    positions = [open_entry(call, position).position for position in which]
    if not body.dry_run:
        platform.decide("quarantine.dropped", {"positions": positions, "why": body.why}, call.actor.name)
    return types.Dropped(dry_run=body.dry_run, dropped=len(positions))


def chosen(positions: Any, filter: Any) -> Which | list[int]:
    """The entries that are meant: a filter, or positions in order."""
    if (positions is UNSET) == (filter is UNSET):
        raise DefinitionInvalid(
            "expected either positions or a filter", hint='For instance {"filter": {"source": "web"}}'
        )
    if positions is not UNSET:
        wanted = sorted(set(positions))
        if len(wanted) > PORTION_ENTRIES:
            raise TooLarge(f"expected at most {PORTION_ENTRIES} positions, got {len(wanted)}", hint="Send several")
        return wanted
    narrowed = {name: value for name, value in msgspec.structs.asdict(filter).items() if value is not UNSET}
    if not narrowed:
        raise DefinitionInvalid("expected a filter that narrows the choice", hint="Give source, reason, path or name")
    return Which(**narrowed)


def open_entry(call: Call[Any, Any], position: int) -> Entry:
    """The entry at a position; NotFound when there is none, Conflict when it was already decided."""
    entry = call.platform.quality.entry(position)
    if entry.state != "open":
        raise Conflict(f"entry {position} was already {entry.state} by {entry.decided_by or 'somebody'}")
    return entry


def subject_of(call: Call[Any, Any], _answer: Any) -> str:
    """Which entries a decision was about: one by its position, several by their number, or the filter."""
    if call.body.positions is not UNSET:
        positions = call.body.positions
        return str(positions[0]) if len(positions) == 1 else f"{len(positions)} entries"
    found = msgspec.structs.asdict(call.body.filter)
    return " ".join(f"{name}={value}" for name, value in found.items() if value is not UNSET)


OPERATIONS = (
    Operation(
        name="quarantine.list",
        method="GET",
        path="/v1/quarantine",
        summary="List quarantined events",
        description="Newest first.",
        permission="quarantine.read",
        handle=list_,
        query=types.EntriesQuery,
        answer=Page[types.Entry],
        audit="quarantine.seen",
        is_look=True,
        subject=lambda _call, _answer: "list",
        parameters={"reason": "property_missing"},
    ),
    Operation(
        name="quarantine.groups",
        method="GET",
        path="/v1/quarantine/groups",
        summary="Group quarantined events by reason",
        permission="quarantine.read",
        handle=groups,
        query=types.GroupsQuery,
        answer=types.Groups,
    ),
    Operation(
        name="quarantine.get",
        method="GET",
        path="/v1/quarantine/{position}",
        summary="Get a quarantined event",
        permission="quarantine.read",
        handle=get,
        answer=types.Entry,
        errors=(NotFound,),
        audit="quarantine.seen",
        is_look=True,
    ),
    Operation(
        name="quarantine.history",
        method="GET",
        path="/v1/quarantine/{position}/history",
        summary="What became of a quarantined event",
        permission="quarantine.read",
        handle=history,
        answer=types.History,
        errors=(NotFound,),
    ),
    Operation(
        name="quarantine.replay",
        method="POST",
        path="/v1/quarantine/replay",
        summary="Mend events and send them through the river again",
        description="As they are (once a contract was changed), or with a patch or steps for all of them, or with a "
        "whole new event for one. `dry_run` judges them as the river would and changes nothing.",
        permission="quarantine.write",
        kept="fact",
        handle=replay,
        body=types.Replay,
        answer=types.Replayed,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="quarantine.replayed",
        subject=subject_of,
        example={
            "filter": {"source": "web", "reason": "property_missing"},
            "steps": [{"do": "set", "at": "/properties/order_id", "value": "unknown"}],
            "dry_run": True,
        },
    ),
    Operation(
        name="quarantine.drop",
        method="POST",
        path="/v1/quarantine/drop",
        summary="Give quarantined events up",
        description="They count as suppressed from then on.",
        permission="quarantine.write",
        kept="answer",
        handle=drop,
        body=types.Drop,
        answer=types.Dropped,
        errors=(NotFound, Conflict, DefinitionInvalid),
        lane="write",
        audit="quarantine.dropped",
        subject=subject_of,
        example={"filter": {"source": "web", "name": "Test"}, "why": "test traffic"},
    ),
)
