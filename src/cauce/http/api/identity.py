"""Identity: rules, evidence, and what stewards say about who is one person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cauce.app.trials import Trial
from cauce.client.types import identity as types
from cauce.client.types.basics import Nothing, Page, Paging
from cauce.client.types.people import Identifier
from cauce.errors import Conflict, DefinitionInvalid, NotFound, TooLarge
from cauce.http.api.moments import told
from cauce.http.api.operation import AnyCall, Call, Operation
from cauce.http.api.paging import page_numbered
from cauce.http.api.people import evidence_of, identifier_of
from cauce.http.api.sight import Sight, sight_of
from cauce.identity.api import Decision, DryRun, Person, QueueEntry, Rules, text_of
from cauce.identity.supposed import preview, supposing

EVENTS_TRIED_MAX = 200_000
"""Stored events up to which rules are tried while the caller waits; it takes seconds."""

DECISIONS = {
    "refuse": "identity.refused",
    "unrefuse": "identity.unrefused",
    "join": "identity.joined",
    "unjoin": "identity.unjoined",
    "retract": "link.retracted",
    "restore": "link.restored",
}


def rules(call: Call[Nothing, None]) -> types.Rules:
    return types.Rules(rules=call.platform.people.rules.as_dict())


def apply_rules(call: Call[Nothing, types.NewRules]) -> types.Rules:
    applied = Rules.from_dict(call.body.rules).as_dict()
    call.platform.decide("identity.rules_applied", {"rules": applied}, call.actor.name)
    return types.Rules(rules=applied)


def try_rules(call: Call[Nothing, types.NewRules]) -> types.RulesTried:
    sight = sight_of(call.actor)
    new_rules = Rules.from_dict(call.body.rules)
    if (stored := call.platform.archive.count()) > EVENTS_TRIED_MAX:
        raise TooLarge(
            f"{stored} events are stored, and at most {EVENTS_TRIED_MAX} are tried while somebody waits",
            hint="Start a trial: POST /v1/identity/trials",
        )
    return tried_of(call.platform.people.dry_run(new_rules, call.platform.archive.scan()), sight)


def tried_of(found: DryRun, sight: Sight) -> types.RulesTried:
    worst = [
        types.Difference(
            change=each.change,
            before=list(each.before),
            after=list(each.after),
            identifiers=[sight.key(text) for text in each.identifiers],
            identifiers_total=each.identifiers_total,
        )
        for each in found.worst
    ]
    counts = {name: value for name, value in msgspec.structs.asdict(found).items() if name != "worst"}
    return types.RulesTried(**counts, worst=worst, in_words=str(found))


def start_trial(call: Call[Nothing, types.NewRules]) -> types.Trial:
    new_rules, trials = Rules.from_dict(call.body.rules), call.platform.trials
    return trial_of(trials.get(trials.start(new_rules, call.actor.name)), sight_of(call.actor))


def trials(call: Call[Nothing, None]) -> Page[types.Trial]:
    sight = sight_of(call.actor)
    return Page(items=[trial_of(one, sight) for one in call.platform.trials.list()], cursor="")


def trial(call: Call[Nothing, None]) -> types.Trial:
    return trial_of(call.platform.trials.get(call.path["trial"]), sight_of(call.actor))


def stop_trial(call: Call[Nothing, None]) -> None:
    call.platform.trials.get(call.path["trial"])
    call.platform.trials.stop(call.path["trial"])


def trial_of(found: Trial, sight: Sight) -> types.Trial:
    return types.Trial(
        id=found.id,
        by=found.by,
        started=told(found.started),
        state=found.state,
        events=found.events,
        events_total=found.events_total,
        seconds=found.seconds,
        rules=found.rules,
        report=None if found.report is None else tried_of(found.report, sight),
        fault=found.fault,
    )


def explain(call: Call[types.ExplainQuery, None]) -> types.Explanation:
    sight = sight_of(call.actor)
    found = call.platform.people.explain(call.query.a, call.query.b)
    hops = [
        types.Hop(
            from_identifier=sight.key(hop.from_identifier),
            to_identifier=sight.key(hop.to_identifier),
            evidence=evidence_of(hop.evidence, sight),
        )
        for hop in found.hops
    ]
    return types.Explanation(a=sight.key(found.a), b=sight.key(found.b), same=found.same, hops=hops)


def clusters(call: Call[Paging, None]) -> Page[types.Cluster]:
    def tell(found: tuple[int, int]) -> types.Cluster:
        return types.Cluster(person=text_of(found[0]), identifiers=found[1])

    return page_numbered(call, call.platform.people.clusters, tell)


def shared(call: Call[Paging, None]) -> Page[Identifier]:
    sight = sight_of(call.actor)
    return page_numbered(call, call.platform.people.shared, lambda member: identifier_of(member, sight))


def queue(call: Call[types.LimitQuery, None]) -> Page[types.QueueEntry]:
    sight = sight_of(call.actor)
    found = call.platform.people.queue(call.query.limit)
    return Page(items=[queue_entry_of(entry, sight) for entry in found], cursor="")


def queue_entry_of(entry: QueueEntry, sight: Sight) -> types.QueueEntry:
    return types.QueueEntry(
        reason=entry.reason,
        identifiers=[sight.key(text) for text in entry.identifiers],
        identifiers_total=entry.identifiers_total,
        evidence=[evidence_of(evidence, sight) for evidence in entry.evidence],
    )


def meetings(call: Call[types.LimitQuery, None]) -> Page[types.Meeting]:
    sight = sight_of(call.actor)
    found = call.platform.people.meetings(call.query.limit)
    items = [types.Meeting(person=text_of(each.person), evidence=evidence_of(each.evidence, sight)) for each in found]
    return Page(items=items, cursor="")


def decisions(call: Call[Paging, None]) -> Page[types.PairDecision]:
    sight = sight_of(call.actor)
    after = int(call.place[0]) if call.place else 0
    rest = [each for each in call.platform.people.decisions() if each.position > after]
    shown = rest[: call.query.limit]
    cursor = call.cursor_at((shown[-1].position,)) if len(rest) > len(shown) else ""
    return Page(items=[pair_of(each, sight) for each in shown], cursor=cursor)


def pair_of(decision: Decision, sight: Sight) -> types.PairDecision:
    return types.PairDecision(
        what=decision.what,
        a=sight.key(decision.a),
        b=sight.key(decision.b),
        why=sight.why(decision.why, free=True),
        by=decision.author,
        occurred=told(decision.occurred),
        position=decision.position,
    )


def decide(call: Call[Nothing, types.NewPairDecision]) -> types.PairDecided:
    body, platform = call.body, call.platform
    name = DECISIONS[body.decision]
    pair = {"a": body.a, "b": body.b, "why": body.why}
    supposed = supposing(platform.people, name, pair, call.actor.name)
    seen = preview(platform.people, supposed, name, pair)
    position = 0 if body.dry_run else platform.decide(name, pair, call.actor.name)
    after = supposed if body.dry_run else platform.people
    sight = sight_of(call.actor)
    return types.PairDecided(
        dry_run=body.dry_run,
        decision=name,
        position=position,
        same=after.locate(body.a).id == after.locate(body.b).id,
        before=groups_of(seen.before, sight),
        after=groups_of(seen.after, sight),
    )


def groups_of(people: Iterable[Person], sight: Sight) -> list[types.PersonGroup]:
    return [
        types.PersonGroup(person=person.text, identifiers=[sight.key(str(member)) for member in person.identifiers])
        for person in people
    ]


def both(call: AnyCall, _answer: Any) -> str:
    """The ids of the two who were named, as they are now."""
    asked = call.body or call.query
    people = call.platform.people
    return f"{people.locate(asked.a).text} {people.locate(asked.b).text}"


RULES = {"rules": {"kinds": {"device": {"limit": 3}}}}

OPERATIONS = (
    Operation(
        name="identity.rules",
        method="GET",
        path="/v1/identity/rules",
        summary="Get the identity rules",
        permission="identity.read",
        handle=rules,
        answer=types.Rules,
        guard=rules,
    ),
    Operation(
        name="identity.apply_rules",
        method="PUT",
        path="/v1/identity/rules",
        summary="Apply identity rules",
        description="Everybody is put together anew from the recorded history. Try them first.",
        permission="identity.write",
        kept="answer",
        handle=apply_rules,
        body=types.NewRules,
        answer=types.Rules,
        errors=(DefinitionInvalid,),
        lane="write",
        guard=rules,
        audit="identity.rules_applied",
        example=RULES,
    ),
    Operation(
        name="identity.try_rules",
        method="POST",
        path="/v1/identity/rules/try",
        summary="Say what identity rules would do",
        description="To the people of the whole recorded history, up to 200,000 events; changes nothing. A trial does "
        "the same beside, for any number of events.",
        permission="identity.read",
        handle=try_rules,
        body=types.NewRules,
        answer=types.RulesTried,
        errors=(DefinitionInvalid, TooLarge),
        lane="heavy",
        only_asks=True,
        audit="identity.rules_tried",
        example=RULES,
    ),
    Operation(
        name="identity.start_trial",
        method="POST",
        path="/v1/identity/trials",
        summary="Start a trial of identity rules",
        description="It says what they would do to the people of the whole recorded history, in a process of its own, "
        "and changes nothing. One trial runs at a time; the last ten are kept until the door ends.",
        permission="identity.write",
        kept="answer",
        handle=start_trial,
        body=types.NewRules,
        answer=types.Trial,
        status=201,
        errors=(DefinitionInvalid, Conflict),
        audit="identity.rules_tried",
        subject=lambda _call, answer: answer.id,
        example=RULES,
    ),
    Operation(
        name="identity.trials",
        method="GET",
        path="/v1/identity/trials",
        summary="List the trials of identity rules",
        permission="identity.read",
        handle=trials,
        answer=Page[types.Trial],
        audit="identity.trial_seen",
        is_look=True,
        subject=lambda _call, _answer: "trials",
    ),
    Operation(
        name="identity.trial",
        method="GET",
        path="/v1/identity/trials/{trial}",
        summary="Get a trial of identity rules",
        description="How far it is, and when it is done, what the rules would do.",
        permission="identity.read",
        handle=trial,
        answer=types.Trial,
        errors=(NotFound,),
        audit="identity.trial_seen",
        is_look=True,
    ),
    Operation(
        name="identity.stop_trial",
        method="DELETE",
        path="/v1/identity/trials/{trial}",
        summary="Stop a trial of identity rules",
        description="What has ended stays as it is.",
        permission="identity.write",
        kept="answer",
        handle=stop_trial,
        status=204,
        errors=(NotFound,),
        audit="identity.trial_stopped",
    ),
    Operation(
        name="identity.explain",
        method="GET",
        path="/v1/identity/explain",
        summary="Explain why two identifiers are one person, or two",
        permission="identity.read",
        handle=explain,
        query=types.ExplainQuery,
        answer=types.Explanation,
        errors=(NotFound,),
        audit="person.explained",
        is_look=True,
        subject=both,
        parameters={"a": "email:ana@tienda.es", "b": "loyalty:9001"},
    ),
    Operation(
        name="identity.clusters",
        method="GET",
        path="/v1/identity/clusters",
        summary="List the people with most identifiers",
        permission="identity.read",
        handle=clusters,
        query=Paging,
        answer=Page[types.Cluster],
    ),
    Operation(
        name="identity.shared",
        method="GET",
        path="/v1/identity/shared",
        summary="List the identifiers of households and devices",
        description="They are evidence for nobody.",
        permission="identity.read",
        handle=shared,
        query=Paging,
        answer=Page[Identifier],
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "shared",
    ),
    Operation(
        name="identity.queue",
        method="GET",
        path="/v1/identity/queue",
        summary="List what a steward should look at",
        description="Too large, overruled, or contested; the worst first.",
        permission="identity.read",
        handle=queue,
        query=types.LimitQuery,
        answer=Page[types.QueueEntry],
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "queue",
    ),
    Operation(
        name="identity.meetings",
        method="GET",
        path="/v1/identity/meetings",
        summary="List who became one person lately",
        description="Two who were known before, and the evidence that joined them; the newest first, looked for among "
        "the latest evidence.",
        permission="identity.read",
        handle=meetings,
        query=types.LimitQuery,
        answer=Page[types.Meeting],
        lane="heavy",
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "meetings",
    ),
    Operation(
        name="identity.decisions",
        method="GET",
        path="/v1/identity/decisions",
        summary="List the stewards' words that hold",
        permission="identity.read",
        handle=decisions,
        query=Paging,
        answer=Page[types.PairDecision],
        audit="person.listed",
        is_look=True,
        subject=lambda _call, _answer: "decisions",
    ),
    Operation(
        name="identity.decide",
        method="POST",
        path="/v1/identity/decisions",
        summary="Say as a steward that two identifiers are one person, or two",
        description="*refuse* and *unrefuse*, *join* and *unjoin*, *retract* and *restore*: each word has the one that "
        "takes it back. `dry_run` shows who would be who and changes nothing.",
        permission="identity.write",
        kept="fact",
        handle=decide,
        body=types.NewPairDecision,
        answer=types.PairDecided,
        errors=(NotFound, DefinitionInvalid),
        lane="write",
        audit="identity.decided",
        subject=both,
        example={
            "decision": "refuse",
            "a": "email:ana@tienda.es",
            "b": "loyalty:9001",
            "why": "mother and daughter",
            "dry_run": True,
        },
    ),
)
