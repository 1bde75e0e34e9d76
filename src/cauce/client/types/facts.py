"""Facts of the river that have their effect in commerce: receipts, returns, movements, orders, levels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Moment, Paging, Request

Kind = Literal[
    "", "sold", "returned", "received", "shipped", "unshipped", "damaged", "destroyed", "used", "made", "ordered"
]
State = Literal["", "counts", "cancelled"]
Waits = Literal["waiting", "applied", "dropped", "any"]
What = Literal[
    "to_come", "done", "cancelled", "waits_for_product", "waits_for_store", "waits_for_mending", "applied", "dropped",
    "known", "none",
]  # fmt: skip
PlaceId = Annotated[str, Meta(max_length=200, description="Only of this place.")]
TillId = Annotated[str, Meta(max_length=200, description="Only of this till of the place.")]
SourceName = Annotated[str, Meta(max_length=200, description="Only of this source.")]
Path = Annotated[str, Meta(min_length=1, max_length=500)]


class FactsQuery(Paging, frozen=True, kw_only=True):
    """Which receipts and movements."""

    kind: Annotated[Kind, Meta(description="How goods went; *ordered*: those of an order that is known here.")] = ""
    place: PlaceId = ""
    till: TillId = ""
    source: SourceName = ""
    state: Annotated[State, Meta(description="Only those that count, or that were cancelled.")] = ""


class FactLine(Answer, frozen=True, kw_only=True):
    """So much of a product, in thousandths of its unit, that had its effect on the stock."""

    sku: str
    amount: int


class Fact(Answer, frozen=True, kw_only=True):
    """A receipt of a till, or another movement of goods. `position` is that of its event in the river.

    `till`, `business_day` and `sequence` are what the till says of itself, empty where it does not.
    """

    position: int
    kind: str
    state: str
    number: str
    till: str
    business_day: str
    sequence: str
    source: str
    channel: str
    place: str
    occurred: Moment
    lines: list[FactLine]


class FactLineWaits(Answer, frozen=True, kw_only=True):
    """A line that waits until somebody says which product an id of a channel means."""

    channel: str
    item: str
    name: str


class FactDetail(Answer, frozen=True, kw_only=True):
    """A fact with what became of it.

    `told_by` is the position of the event that had the effect instead, 0 where it was this one; `decided_by` who mended
    or dropped it; `kept` what is kept of it, `waiting` its lines that wait for a product.
    """

    position: int
    name: str
    source: str
    channel: str
    event_id: str
    occurred: Moment
    outcome: What
    reason: str
    message: str
    decided_by: str
    told_by: int
    kept: list[Fact]
    waiting: list[FactLineWaits]
    properties: dict[str, Any]


class FactsWaitingQuery(Paging, frozen=True, kw_only=True):
    """Which of the facts that could not be used."""

    state: Annotated[Waits, Meta(description="Those that wait, were mended (*applied*), or dropped.")] = "waiting"


class UnfitFact(Answer, frozen=True, kw_only=True):
    """A fact that could not be used, and why."""

    position: int
    source: str
    name: str
    event_id: str
    state: str
    reason: str
    message: str
    since: Moment
    ended: Moment | None
    by: str


class FactItemWaits(Answer, frozen=True, kw_only=True):
    """An id that nobody knows, and how many lines wait for it."""

    channel: str
    item: str
    name: str
    lines: int


class FactStoreWaits(Answer, frozen=True, kw_only=True):
    """A store that a source names and that is no place of ours, and how many facts name it."""

    source: str
    store: str
    facts: int


class FactsStatus(Answer, frozen=True, kw_only=True):
    """How far the river is followed (`position` of `river`), what is on its way there, and what waits for what."""

    position: int
    river: int
    to_tell: int
    pending: int
    unfit: int
    strange: int
    items: list[FactItemWaits]
    stores: list[FactStoreWaits]


class FactMend(Request, frozen=True, kw_only=True):
    """What is changed of a fact before it is tried again; nothing: what was in the way is gone."""

    changes: Annotated[
        dict[Path, Any], Meta(max_length=100, description="Path of a property → its value: `products.0.quantity`.")
    ] = field(default_factory=dict)


class FactMended(Answer, frozen=True, kw_only=True):
    """A fact had its effect: as how many that were `new` (0: it was known already), and how many lines wait now."""

    position: int
    new: int
    pending: int


NameOfSource = Annotated[str, Meta(min_length=1, max_length=200, description="Name of a source; `*` is any other.")]


class FactHabit(Answer, frozen=True, kw_only=True):
    """What the facts of a `source` do here; that of `*` holds for all that have none of their own.

    `receipts` and returns move stock and earn points, `orders` are recorded, `levels` count as physical counts,
    observed `goods` (EPCIS) move stock. `ids` is the channel in which its ids of products are looked up, empty for that
    of the event.
    """

    source: str
    receipts: bool
    orders: bool
    levels: bool
    goods: bool
    ids: str
    by: str


class FactHabits(Answer, frozen=True, kw_only=True):
    """The habits of all sources that have one, and of the others."""

    items: list[FactHabit]


class FactHabitChange(Request, frozen=True, kw_only=True):
    """What the facts of a source do from now on; what is left out stays as it is."""

    source: NameOfSource
    receipts: bool | None = None
    orders: bool | None = None
    levels: bool | None = None
    goods: bool | None = None
    ids: Annotated[str, Meta(max_length=40)] | None = None


class FactStore(Answer, frozen=True, kw_only=True):
    """What a `source` calls one of our places; an empty `store` is for facts that name none."""

    source: str
    store: str
    place: str
    named: Moment
    by: str


class FactStores(Answer, frozen=True, kw_only=True):
    """What sources call our places."""

    items: list[FactStore]


class FactStoreName(Request, frozen=True, kw_only=True):
    """The place that a source means by this; an empty `place` takes the name back."""

    source: NameOfSource
    store: Annotated[str, Meta(max_length=200)] = ""
    place: Annotated[str, Meta(max_length=200, description="Id of a place.")] = ""


class FactStoreNamed(Answer, frozen=True, kw_only=True):
    """The river is followed once more from `since`, the position of the first fact that named it (0: none had)."""

    source: str
    store: str
    place: str
    since: int
