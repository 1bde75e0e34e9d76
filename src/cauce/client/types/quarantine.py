"""Events that were not accepted: why, and how they are mended."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from cauce.client.types.basics import Answer, DryRun, Moment, Name, Paging, Request, Why

Positions = Annotated[
    list[Annotated[int, Meta(ge=1, le=2**63 - 1)]],
    Meta(min_length=1, max_length=10_000, description="Entries by position; else a filter."),
]


class Reason(Answer, omit_defaults=True, frozen=True, kw_only=True):
    """Why an event was not accepted: code, place (JSON pointer), what was expected, what was found."""

    code: str
    path: str = ""
    expected: str = ""
    found: str = ""


class Entry(Answer, frozen=True, kw_only=True):
    """A quarantined event; `raw` as it was sent or last patched: a JSON value, or text where `form` is not *json*."""

    position: int
    source: str
    channel: str
    event_id: str
    name: str
    received: Moment
    occurred: Moment | None
    reasons: list[Reason]
    form: str
    raw: Any
    state: str
    decided: Moment | None
    decided_by: str | None
    why: str | None


class EntriesQuery(Paging, frozen=True, kw_only=True):
    """Which entries."""

    source: Annotated[str, Meta(max_length=200, description="Only of this source.")] = ""
    reason: Annotated[str, Meta(pattern="^[a-z_]{0,64}$", description="Only with this code among the reasons.")] = ""
    path: Annotated[str, Meta(max_length=200, description="Only with a reason at this place, as a group names it.")] = (
        ""
    )
    name: Annotated[str, Meta(max_length=200, description="Only events of this name.")] = ""
    state: Annotated[
        Literal["open", "replayed", "dropped", "erased", "any"], Meta(description="What became of them.")
    ] = "open"


class GroupsQuery(Request, frozen=True, kw_only=True):
    """Which groups."""

    source: Annotated[str, Meta(max_length=200, description="Only of this source.")] = ""


class Group(Answer, frozen=True, kw_only=True):
    """Open entries with one reason at one place; `example` is the position of the first."""

    code: str
    path: str
    expected: str
    source: str
    name: str
    count: int
    example: int


class Groups(Answer, frozen=True, kw_only=True):
    """The largest group first."""

    items: list[Group]


class Filter(Request, frozen=True, kw_only=True):
    """Open entries by source, reason (and its place) and event name; each narrows the choice."""

    source: Name | UnsetType = UNSET
    reason: Annotated[str, Meta(pattern="^[a-z_]{1,64}$")] | UnsetType = UNSET
    path: Annotated[str, Meta(max_length=200, description="Place of the reason, as a group names it.")] | UnsetType = (
        UNSET
    )
    name: Name | UnsetType = UNSET


class Step(Request, frozen=True, kw_only=True):
    """One change at a JSON pointer, in which `*` stands for every element of a list."""

    do: Annotated[
        Literal["set", "rename", "number", "text", "remove"],
        Meta(
            description="*set* and *rename* take `value`; *number* reads a text as number, *text* writes one as text."
        ),
    ]
    at: Annotated[str, Meta(min_length=1, max_length=1_000, pattern="^/")]
    value: Any = None


class Replay(Request, frozen=True, kw_only=True):
    """Entries to send through the river again: as they are, all changed alike, or one of them as a new event.

    Give `positions` or `filter`. What would still break its contract stays as it is, unless `also_failing`.
    """

    positions: Positions | UnsetType = UNSET
    filter: Filter | UnsetType = UNSET
    patch: Annotated[dict[str, Any], Meta(description="JSON merge patch (RFC 7386); null removes.")] | UnsetType = UNSET
    steps: Annotated[list[Step], Meta(max_length=50, description="Done after the patch.")] = field(default_factory=list)
    raw: Annotated[dict[str, Any], Meta(description="The whole new event, for a single position.")] | UnsetType = UNSET
    also_failing: Annotated[bool, Meta(description="Replay those too that would still be quarantined.")] = False
    after: Annotated[int, Meta(ge=0, le=2**63 - 1, description="With a filter: go on behind this position.")] = 0
    dry_run: DryRun = False


class Mended(Answer, frozen=True, kw_only=True):
    """One entry as it is sent again: whether it passes, and the reasons that still keep it or are only counted."""

    position: int
    raw: Any
    passes: bool
    reasons: list[Reason]
    refused: str


class Replayed(Answer, frozen=True, kw_only=True):
    """What a replay did, or would do. `chosen` entries were meant, `passing` of the `tried` ones pass.

    `replayed` went through the river again. `after` continues a filter that means very many; 0 at the end. `items`
    show the first ones.
    """

    dry_run: bool
    chosen: int
    tried: int
    passing: int
    replayed: int
    after: int
    items: list[Mended]


class Drop(Request, frozen=True, kw_only=True):
    """Entries to give up, by position or by filter; they count as suppressed from then on."""

    why: Why
    positions: Positions | UnsetType = UNSET
    filter: Filter | UnsetType = UNSET
    dry_run: DryRun = False


class Dropped(Answer, frozen=True, kw_only=True):
    """How many entries were, or would be, given up."""

    dry_run: bool
    dropped: int


class Happened(Answer, frozen=True, kw_only=True):
    """One moment in the life of an entry: *received*, *kept*, *replayed*, *dropped* or *erased*."""

    what: str
    moment: Moment | None
    by: str
    why: str


class History(Answer, frozen=True, kw_only=True):
    """The life of an entry, oldest first; where it landed once it was replayed: the event's id and its person."""

    position: int
    happened: list[Happened]
    event: str | None
    person: str | None
