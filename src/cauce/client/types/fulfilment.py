"""Where orders come from, how they are picked, handed over and brought back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Cursor, Document, DryRun, Limit, Moment, Request

Amount = Annotated[int, Meta(ge=1, le=10**12, description="Thousandths of the product's unit: 1000 is one piece.")]
Maybe = Annotated[int, Meta(ge=0, le=10**12, description="Thousandths of the product's unit.")]
Minor = Annotated[int, Meta(ge=0, le=10**15, description="Minor units of the currency.")]
OrderNumber = Annotated[str, Meta(min_length=1, max_length=200, description="Number of an order.")]
LineNumber = Annotated[int, Meta(ge=1, le=10_000, description="Number of the order's line, from 1.")]
PlaceId = Annotated[str, Meta(min_length=1, max_length=80, description="Our own id of a place.")]
AnyPlace = Annotated[str, Meta(max_length=80, description='Our own id of a place; "" for any.')]
Sku = Annotated[str, Meta(min_length=1, max_length=80)]
Short = Annotated[str, Meta(max_length=200)]
Channel = Annotated[str, Meta(max_length=80)]
Code = Annotated[
    str, Meta(max_length=500, description="The code as it is typed or scanned: in any case, with any gaps.")
]
Initials = Annotated[str, Meta(max_length=8, description="Of who has shown an id.")]
Bay = Annotated[str, Meta(max_length=40, description="Where the car stands.")]
Vehicle = Annotated[str, Meta(max_length=120, description="What to look for: make, colour, plate.")]
Degrees = Annotated[float, Meta(ge=-180, le=180)]
Delivery = Literal["ship", "pick_up", "reserve_in_store", "curbside", "ship_to_store", "endless_aisle", "order_ahead"]
Collected = Literal["to_pick", "on_way", "ready", "waiting", "ended"]
Condition = Literal["sellable", "damaged"]


class PointOnEarth(Request, frozen=True, kw_only=True):
    """Degrees of WGS 84."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Degrees


# -- pick-ups -----------------------------------------------------------------------------------------------------


class PickupsQuery(Request, frozen=True, kw_only=True):
    """Which pick-ups. `state` is left out for all that are not ended; *waiting*: the person has arrived."""

    place: AnyPlace = ""
    state: Literal["", "to_pick", "on_way", "ready", "waiting", "ended"] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class PickupLine(Answer, frozen=True, kw_only=True):
    """A line of the order, in thousandths by how far it is. `waiting` is still to be picked."""

    line: int
    sku: str
    name: str
    unit: str
    amount: int
    waiting: int
    on_way: int
    ready: int
    collected: int
    cancelled: int


class Pickup(Answer, frozen=True, kw_only=True):
    """An order that somebody comes for. `due` is until when it waits at the desk.

    `state` is *to_pick*, *on_way*, *ready* (also a part of it) or *ended*. `arrived` is since when the person is there.
    `pays_here`: the goods are reserved, and paid at the till.
    """

    order: str
    place: str
    state: str
    delivery: str
    channel: str
    person: str
    placed: Moment
    promised: Moment | None
    ready_since: Moment | None
    due: Moment | None
    arrived: Moment | None
    bay: str
    vehicle: str
    has_code: bool
    pays_here: bool
    ended: Moment | None
    why: str
    lines: list[PickupLine]


class HandOver(Answer, frozen=True, kw_only=True):
    """A hand-over that was: by whom, and against which proof (*code*, or *id* with initials)."""

    at: Moment
    place: str
    by: str
    proof: str
    initials: str
    receipt: str
    lines: dict[int, int]


class Parcel(Answer, frozen=True, kw_only=True):
    """A parcel of the order that left a place."""

    place: str
    number: int
    at: Moment
    carrier: str
    tracking: str
    by: str


class PickupDetail(Answer, frozen=True, kw_only=True):
    """A pick-up with what happened to it."""

    pickup: Pickup
    hand_overs: list[HandOver]
    parcels: list[Parcel]


class Arrived(Request, frozen=True, kw_only=True):
    """Places whose parcels have arrived at the desk; without any, what the desk itself has picked becomes ready."""

    origins: Annotated[list[PlaceId], Meta(max_length=50)] = field(default_factory=list)
    partial: Annotated[bool, Meta(description="Also when something is still to pick there.")] = False


class PickupState(Answer, frozen=True, kw_only=True):
    """A pick-up after a change. `ready_amount` lies at the desk, in thousandths."""

    order: str
    place: str
    state: str
    ready_amount: int
    due: Moment | None
    arrived: Moment | None


class PickupLink(Answer, frozen=True, kw_only=True):
    """The address that leads the person to the code, for a message to nobody else; `svg` and `png` are its QR."""

    order: str
    link: str
    svg: str
    png: str


class NewArrival(Request, frozen=True, kw_only=True):
    """The person behind a link is here. `link` is the address from the message, or its last step."""

    link: Annotated[str, Meta(min_length=1, max_length=1_000)]
    bay: Bay = ""
    vehicle: Vehicle = ""


class TakenLine(Request, frozen=True, kw_only=True):
    """So much of a line is taken."""

    line: LineNumber
    amount: Amount


class PresentedCode(Request, frozen=True, kw_only=True):
    """A code that somebody shows at a desk."""

    place: PlaceId
    code: Annotated[str, Meta(min_length=1, max_length=500, description="In any case, with any gaps.")]


class NewHandOver(Request, frozen=True, kw_only=True):
    """Goods are given to the person: by `code`, or by `order` and `initials` of who has shown an id.

    Without `lines` it is all that is ready. `cancel_rest` gives up what is ready and not taken. `receipt` is that of
    the till, for what is paid in the store.
    """

    place: PlaceId
    code: Code = ""
    order: Short = ""
    initials: Initials = ""
    receipt: Short = ""
    lines: Annotated[list[TakenLine], Meta(max_length=500)] = field(default_factory=list)
    cancel_rest: bool = False


class HandedOver(Answer, frozen=True, kw_only=True):
    """What was handed over; `left` still waits at the desk, in thousandths, under a new code."""

    order: str
    place: str
    hand_over: int
    lines: dict[int, int]
    left: int


class NewMiss(Request, frozen=True, kw_only=True):
    """Why nobody comes."""

    why: Short = ""


# -- the shelf ----------------------------------------------------------------------------------------------------


class PickListQuery(Request, frozen=True, kw_only=True):
    """Of which place, with names in which language."""

    place: PlaceId
    language: Annotated[str, Meta(max_length=35, description="BCP 47.")] = ""


class ToPick(Answer, frozen=True, kw_only=True):
    """A line to take from the shelf, in thousandths; `category` says where it lies."""

    line: int
    sku: str
    name: str
    unit: str
    gtin: str
    image: str
    category: list[str]
    to_pick: int
    picked: int


class PickTask(Answer, frozen=True, kw_only=True):
    """What a place takes from its shelf for an order; `place` is where it is collected, "" when it is sent home."""

    order: str
    placed: Moment
    promised: Moment | None
    delivery: str
    channel: str
    place: str
    person: str
    lines: list[ToPick]


class PickList(Answer, frozen=True, kw_only=True):
    """What is promised first stands first."""

    place: str
    items: list[PickTask]


class PickedLine(Request, frozen=True, kw_only=True):
    """What became of a line: so much `picked`, so much `short`, and why."""

    line: LineNumber
    picked: Maybe = 0
    short: Maybe = 0
    why: Literal["not_found", "damaged", "not_possible"] = "not_found"


class NewPick(Request, frozen=True, kw_only=True):
    """`instead` of what is short: *source* it from elsewhere, *cancel* it, or let it *wait*."""

    place: PlaceId
    lines: Annotated[list[PickedLine], Meta(min_length=1, max_length=500)]
    instead: Literal["source", "cancel", "wait"] = "source"


class Picked(Answer, frozen=True, kw_only=True):
    """What is left to pick here, and where what was short comes from now; `cancelled` comes from nowhere."""

    order: str
    state: str
    left: int
    picked: int
    elsewhere: dict[str, int]
    cancelled: int
    choice: int


class NewUnpick(Request, frozen=True, kw_only=True):
    """What is put back: some lines, or all that is picked."""

    place: PlaceId
    lines: Annotated[list[LineNumber], Meta(max_length=500)] = field(default_factory=list)


class NewParcel(Request, frozen=True, kw_only=True):
    """What a place has picked is given to a carrier, or to the van that goes to the store."""

    place: PlaceId
    carrier: Short = ""
    tracking: Short = ""


class Sent(Answer, frozen=True, kw_only=True):
    """The n-th parcel of that place."""

    order: str
    state: str
    place: str
    parcel: int


# -- sourcing -----------------------------------------------------------------------------------------------------


class WishedLine(Request, frozen=True, kw_only=True):
    """So much of a product."""

    sku: Sku
    amount: Amount


class NewWish(Request, frozen=True, kw_only=True):
    """Goods that somebody wants. `place` is where they are collected or sold, `position` where they are sent.

    `rules` tries others than those in force. `ready_by` is an ISO 8601 moment.
    """

    delivery: Delivery
    lines: Annotated[list[WishedLine], Meta(min_length=1, max_length=500)]
    channel: Channel = ""
    place: AnyPlace = ""
    position: PointOnEarth | None = None
    ready_by: Moment | None = None
    rules: Document | None = None


class Verdict(Answer, frozen=True, kw_only=True):
    """What became of a place: `code` says it for programs, `in_words` for people. `amounts` by SKU.

    `score` is what it costs, in all and by `parts`; smaller is better. `found` and `limit` are what it is out for.
    """

    place: str
    code: str
    in_words: str
    found: str
    limit: str
    amounts: dict[str, int]
    score: float
    parts: dict[str, float]
    ready: Moment | None


class Sourced(Answer, frozen=True, kw_only=True):
    """What the rules say: `taken` by place and SKU is empty when the whole cannot be had; `short` is what is missing.

    `exact`: every possible set of places was compared; otherwise `places_min` is what at least would be needed.
    """

    rule: str
    version: int
    taken: dict[str, dict[str, int]]
    short: dict[str, int]
    promised: Moment | None
    exact: bool
    places_min: int
    places: list[Verdict]


class NewLine(Request, frozen=True, kw_only=True):
    """A line to be ordered; money in minor units: `price` for one unit, `discount` and `tax` for the line."""

    sku: Sku
    amount: Amount
    price: Minor
    discount: Minor = 0
    tax: Minor = 0
    name: Short = ""
    unit: Annotated[str, Meta(max_length=40)] = ""
    ref: Short = ""


class NewSourcedOrder(Request, frozen=True, kw_only=True):
    """An order whose goods come from where the rules say. `contact` is who is told: name, email, phone …"""

    lines: Annotated[list[NewLine], Meta(min_length=1, max_length=500)]
    currency: Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217.")]
    delivery: Delivery
    place: AnyPlace = ""
    channel: Channel = ""
    owners: Annotated[list[Short], Meta(max_length=50, description="Identifiers of the person, `kind:value`.")] = field(
        default_factory=list
    )
    contact: Annotated[dict[str, Short], Meta(max_length=20)] = field(default_factory=dict)
    shipping: Minor = 0
    tax_included: bool = True
    number: Short = ""
    note: Annotated[str, Meta(max_length=2_000)] = ""
    pays_first: bool | None = None
    position: PointOnEarth | None = None
    ready_by: Moment | None = None


class SourcedOrder(Answer, frozen=True, kw_only=True):
    """The order as it stands, and why its goods come from where they do."""

    order: str
    state: str
    confirmed: bool
    total: int
    currency: str
    held_until: Moment | None
    choice: int
    sourced: Sourced


class NewSourcing(Request, frozen=True, kw_only=True):
    """Where it is sent, when that is not known from the order's place."""

    position: PointOnEarth | None = None


class ChoicesQuery(Request, frozen=True, kw_only=True):
    """Of which order; of all without one."""

    order: Short = ""
    limit: Limit = 50
    cursor: Cursor = ""


class Choice(Answer, frozen=True, kw_only=True):
    """A decision that was made, and for what wish."""

    id: int
    at: Moment
    by: str
    wish: Document
    sourced: Sourced


class SourcingRules(Answer, frozen=True, kw_only=True):
    """The rules in force; version 0 are those that come with Cauce. `yaml` is the same for people."""

    version: int
    rules: list[Document]
    yaml: str


class NewSourcingRules(Request, frozen=True, kw_only=True):
    """Rules: a list of them, or a text in YAML or JSON."""

    rules: Any
    why: Annotated[str, Meta(max_length=2_000)] = ""
    dry_run: DryRun = False


# -- back ---------------------------------------------------------------------------------------------------------


class BoughtQuery(Request, frozen=True, kw_only=True):
    """Whose: a person by any identifier."""

    person: Annotated[str, Meta(min_length=1, max_length=300, description="`email:ana@tienda.es`, or an id.")]
    limit: Limit = 50


class BoughtLine(Answer, frozen=True, kw_only=True):
    """A product that may come back: of an `order`'s line, or of a `receipt` of `sold_at`."""

    at: Moment
    sku: str
    name: str
    bought: int
    left: int
    order: str = ""
    line: int = 0
    receipt: str = ""
    sold_at: str = ""


class Bought(Answer, frozen=True, kw_only=True):
    """The latest first."""

    items: list[BoughtLine]


class ReturnedLine(Request, frozen=True, kw_only=True):
    """So much of an order's `line` came back, or of a receipt's `sku`."""

    amount: Amount
    line: Annotated[int, Meta(ge=0, le=10_000)] = 0
    sku: Annotated[str, Meta(max_length=80)] = ""
    condition: Condition = "sellable"


class NewReturn(Request, frozen=True, kw_only=True):
    """Goods came back to `place`: of an `order`, or of a `receipt` of the place `sold_at`.

    What a receipt says is looked up through the `person` whose it is.
    """

    place: PlaceId
    lines: Annotated[list[ReturnedLine], Meta(min_length=1, max_length=500)]
    order: Short = ""
    receipt: Short = ""
    sold_at: AnyPlace = ""
    person: Annotated[str, Meta(max_length=300)] = ""
    why: Short = ""


class Returned(Answer, frozen=True, kw_only=True):
    """What came back; `left` may still, by line or SKU."""

    number: str
    state: str
    amount: int
    left: dict[str, int]
