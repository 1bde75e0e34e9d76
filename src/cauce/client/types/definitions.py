"""Definitions: contracts, computed traits, survivorship. Each is a document that its reference page explains."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Document, DryRun, Moment, Request

Definitions = Annotated[list[Document], Meta(min_length=1, max_length=500)]


class Contract(Answer, frozen=True, kw_only=True):
    """A contract in force; `version` 0 is a starter contract, else the n-th decision about it."""

    key: str
    definition: Document
    version: int
    decided: Moment | None
    decided_by: str | None


class Breach(Answer, frozen=True, kw_only=True):
    """A reason of events that were stored although they break their contract."""

    source: str
    contract: str
    code: str
    path: str
    expected: str
    count: int
    first_day: str
    last_day: str
    example: int


class Breaches(Answer, frozen=True, kw_only=True):
    """The most frequent first."""

    items: list[Breach]


class UnknownEvents(Answer, frozen=True, kw_only=True):
    """What happens to `track` events without contract: by default, and by source."""

    default: str
    sources: dict[str, str]


class NewUnknownEvents(Request, frozen=True, kw_only=True):
    """What shall happen to `track` events without contract."""

    default: Literal["accept", "quarantine"] = "accept"
    sources: dict[str, Literal["accept", "quarantine"]] = field(default_factory=dict)


class Definition(Request, frozen=True, kw_only=True):
    """One definition, and whether only to check it."""

    definition: Document
    dry_run: DryRun = False


class ComputedTrait(Answer, frozen=True, kw_only=True):
    """A computed trait in force."""

    name: str
    definition: Document


class Survivorship(Answer, frozen=True, kw_only=True):
    """The survivorship rules in force."""

    survivorship: Document


class NewSurvivorship(Request, frozen=True, kw_only=True):
    """Survivorship rules: `default`, and `traits` by name."""

    survivorship: Document
    dry_run: DryRun = False


class VersionsQuery(Request, frozen=True, kw_only=True):
    """Of which definition."""

    name: Annotated[
        str,
        Meta(min_length=1, max_length=300, description="Key of a contract, name of a trait, `survivorship`, `rules`."),
    ]


class Version(Answer, frozen=True, kw_only=True):
    """A definition as it was decided: the n-th decision about it, 0 as it came; `definition` null: it was removed."""

    number: int
    decided: Moment | None
    decided_by: str
    definition: Any


class Versions(Answer, frozen=True, kw_only=True):
    """Oldest first."""

    sort: str
    name: str
    items: list[Version]


class TraitToSample(Request, frozen=True, kw_only=True):
    """A computed trait that is not applied yet, and for how many people it is worked out."""

    definition: Document
    people: Annotated[int, Meta(ge=1, le=20, description="Most people of the answer.")] = 5


class Sample(Answer, frozen=True, kw_only=True):
    """What the trait would say of a person, by their latest `events` (`is_cut` when there are more)."""

    person: str
    value: Any
    events: int
    is_cut: bool


class Samples(Answer, frozen=True, kw_only=True):
    """People of the latest events that the trait reads."""

    items: list[Sample]
