"""Who is one person: rules, evidence, and what stewards say."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from cauce.client.types.basics import Answer, Document, DryRun, Moment, Request, Why
from cauce.client.types.people import Evidence

Key = Annotated[
    str, Meta(min_length=1, max_length=2_000, description="`kind:value`, such as email:ana@tienda.es, or a person id.")
]


class Rules(Answer, frozen=True, kw_only=True):
    """The identity rules in force, in full."""

    rules: Document


class NewRules(Request, frozen=True, kw_only=True):
    """Identity rules, over the packaged ones unless `defaults` is false."""

    rules: Document


class LimitQuery(Request, frozen=True, kw_only=True):
    """How many of the largest or first ones."""

    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the answer.")] = 50


class Difference(Answer, frozen=True, kw_only=True):
    """One person that would merge or split: ids before and after, and some of the identifiers concerned."""

    change: str
    before: list[str]
    after: list[str]
    identifiers: list[str]
    identifiers_total: int


class RulesTried(Answer, frozen=True, kw_only=True):
    """What rules would do to the people of the recorded history."""

    people_before: int
    people_after: int
    people_merged: int
    people_split: int
    largest_before: int
    largest_after: int
    shared_before: int
    shared_after: int
    worst: list[Difference]
    in_words: str


class ExplainQuery(Request, frozen=True, kw_only=True):
    """Which two."""

    a: Key
    b: Key


class Hop(Answer, frozen=True, kw_only=True):
    """One step from identifier to identifier, and the evidence for it."""

    from_identifier: str
    to_identifier: str
    evidence: Evidence


class Explanation(Answer, frozen=True, kw_only=True):
    """Why two identifiers are one person (`same`), or what keeps them apart."""

    a: str
    b: str
    same: bool
    hops: list[Hop]


class Cluster(Answer, frozen=True, kw_only=True):
    """A person and how many identifiers it has."""

    person: str
    identifiers: int


class QueueEntry(Answer, frozen=True, kw_only=True):
    """Something for a steward: *oversize*, *overruled* or *contested*."""

    reason: str
    identifiers: list[str]
    identifiers_total: int
    evidence: list[Evidence]


class Meeting(Answer, frozen=True, kw_only=True):
    """Two who were known before and became one: today's person, and the evidence that joined them."""

    person: str
    evidence: Evidence


class PairDecision(Answer, frozen=True, kw_only=True):
    """A steward's word about a pair that holds: *refused*, *joined* or *retracted*."""

    what: str
    a: str
    b: str
    why: str
    by: str
    occurred: Moment
    position: int


class NewPairDecision(Request, frozen=True, kw_only=True):
    """A steward's word about two identifiers. Each word has the one that takes it back."""

    decision: Annotated[
        Literal["refuse", "unrefuse", "join", "unjoin", "retract", "restore"],
        Meta(description="*refuse*: two people, for ever; *join*: one person; *retract*: the evidence does not count."),
    ]
    a: Key
    b: Key
    why: Why
    dry_run: DryRun = False


class PersonGroup(Answer, frozen=True, kw_only=True):
    """A person as it is, or would be, with everything that it is known by."""

    person: str
    identifiers: list[str]


class PairDecided(Answer, frozen=True, kw_only=True):
    """What a word does, or would do: whoever is concerned, before and after; the same twice when it changes nothing."""

    dry_run: bool
    decision: str
    position: int
    same: bool
    before: list[PersonGroup]
    after: list[PersonGroup]


class Trial(Answer, frozen=True, kw_only=True):
    """A trial of rules: *running*, *done* with its `report`, *failed* with a `fault`, or *stopped*.

    `events` of `events_total` have been looked at.
    """

    id: str
    by: str
    started: Moment
    state: str
    events: int
    events_total: int
    seconds: float
    rules: Document
    report: RulesTried | None
    fault: str
