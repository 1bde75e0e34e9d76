"""Stock: what is where, what may be promised of it, and what happens to it. Amounts are thousandths of the unit."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Limit, Moment, Paging, Request

Sku = Annotated[str, Meta(min_length=1, max_length=200, description="Our own id of a product.")]
PlaceId = Annotated[str, Meta(min_length=1, max_length=200, description="Our own id of a place.")]
Thousandths = Annotated[
    int, Meta(ge=1, le=2**53, description="Thousandths of the product's unit: 1000 is a piece, 650 is 0.65 kg.")
]
FromZero = Annotated[int, Meta(ge=0, le=2**53, description="Thousandths of the product's unit.")]
Change = Annotated[int, Meta(ge=-(2**53), le=2**53, description="Thousandths of the product's unit; below 0 for less.")]
Channel = Annotated[str, Meta(max_length=80, description="The channel that asks; what it may see can be capped.")]
Reference = Annotated[str, Meta(max_length=200, description="The paper it stands on: a receipt, a purchase order.")]
Occurred = Annotated[Moment | None, Meta(description="When it happened; now, when left out.")]
Day = Annotated[str, Meta(pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2})?$", description="A day such as 2026-11-30.")]
State = Literal["in", "low", "out"]
SkuFilter = Annotated[str, Meta(max_length=200, description="Only of this product.")]
PlaceFilter = Annotated[str, Meta(max_length=200, description="Only in this place.")]
FeedCursor = Annotated[
    str, Meta(pattern="^([0-9]{1,19}(-[0-9]{1,19})?)?$", description="How far the feed was read; empty for all.")
]


class StockLevel(Answer, frozen=True, kw_only=True):
    """What may be promised of a product in a place: `available`, which is never more than can be sold.

    `free` lies there, `held` of it is promised to somebody, `safety` is kept back; `low` is where it begins to be low.
    `later` comes until the day that was asked for.
    """

    sku: str
    place: str
    available: int
    state: State
    free: int
    held: int
    safety: int
    low: int
    distance_metres: float | None = None
    later: int = 0


class LevelsQuery(Paging, frozen=True, kw_only=True):
    """Which levels."""

    sku: SkuFilter = ""
    place: PlaceFilter = ""
    channel: Channel = ""


class AvailabilityQuery(Request, frozen=True, kw_only=True):
    """What is wanted, where and when."""

    sku: Sku
    channel: Channel = ""
    near: Annotated[
        str,
        Meta(
            pattern=r"^(-?[0-9]{1,3}(\.[0-9]{1,12})?,-?[0-9]{1,3}(\.[0-9]{1,12})?)?$",
            description="Latitude and longitude in degrees, such as 40.42,-3.70: the nearest places first.",
        ),
    ] = ""
    place: Annotated[list[str], Meta(max_length=1_000, description="Only in these places.")] = field(
        default_factory=list
    )
    on: Annotated[Day, Meta(description="Also what is to come until that day.")] = ""
    limit: Annotated[int, Meta(ge=1, le=10_000, description="Most places.")] = 100


class Availability(Answer, frozen=True, kw_only=True):
    """What may be promised of a product, anywhere (`available`) and place by place."""

    sku: str
    channel: str
    available: int
    later: int
    places: list[StockLevel]


class HoldLine(Request, frozen=True, kw_only=True):
    """So much of a product in a place."""

    sku: Sku
    place: PlaceId
    amount: Thousandths


class NewHold(Request, frozen=True, kw_only=True):
    """What shall be held together: all lines or none."""

    lines: Annotated[list[HoldLine], Meta(min_length=1, max_length=500)]
    seconds: Annotated[int, Meta(ge=1, le=30 * 86_400, description="How long; longer than a payment may take.")] = 900
    channel: Channel = ""
    owner: Annotated[str, Meta(max_length=200, description="What it is for, such as a basket.")] = ""


class HeldLine(Answer, frozen=True, kw_only=True):
    """A line that is held."""

    sku: str
    place: str
    amount: int


class StockHold(Answer, frozen=True, kw_only=True):
    """A hold as it stands; it runs out at `due`."""

    id: int
    state: Literal["open", "confirmed", "released", "expired"]
    due: Moment
    lines: list[HeldLine]


class StockEntry(Request, frozen=True, kw_only=True):
    """So much of a product came, went or broke in a place."""

    sku: Sku
    place: PlaceId
    amount: Thousandths
    occurred: Occurred = None
    channel: Channel = ""
    reference: Reference = ""


Entries = Annotated[list[StockEntry], Meta(min_length=1, max_length=2_000, description="All of them, or none.")]


class Receipt(Request, frozen=True, kw_only=True):
    """Goods came from outside."""

    lines: Entries


class StockSale(Request, frozen=True, kw_only=True):
    """A till has sold it: a fact that is never refused; what was not there is owed."""

    lines: Entries


class GoodsReturn(Request, frozen=True, kw_only=True):
    """Goods came back, where they now are."""

    lines: Entries
    sold_at: Annotated[str, Meta(max_length=200, description="Where they were sold, if it was elsewhere.")] = ""
    is_damaged: Annotated[bool, Meta(description="They cannot be sold again.")] = False


class Damages(Request, frozen=True, kw_only=True):
    """Goods broke; or what becomes of those that did."""

    lines: Entries
    then: Annotated[
        Literal["kept", "repaired", "disposed"], Meta(description="kept as damaged, repaired, or disposed of")
    ] = "kept"


class AdjustmentEntry(Request, frozen=True, kw_only=True):
    """So much more (below 0: less) of a product is in a place."""

    sku: Sku
    place: PlaceId
    amount: Change
    occurred: Occurred = None
    reference: Reference = ""


class Adjustment(Request, frozen=True, kw_only=True):
    """What is there differs from what was known, and why."""

    lines: Annotated[list[AdjustmentEntry], Meta(min_length=1, max_length=2_000)]
    why: Annotated[str, Meta(min_length=1, max_length=200)]


class MovedLine(Answer, frozen=True, kw_only=True):
    """What became of an entry: `oversold` was not there and is owed; `late`: a later count knew of it already."""

    sku: str
    place: str
    moved: int
    oversold: int
    late: bool


class Moved(Answer, frozen=True, kw_only=True):
    """What became of the entries, in their order."""

    lines: list[MovedLine]


class GoodsLine(Request, frozen=True, kw_only=True):
    """So much of a product."""

    sku: Sku
    amount: Thousandths


class NewShipment(Request, frozen=True, kw_only=True):
    """Goods go from one place to another."""

    origin: PlaceId
    destination: PlaceId
    lines: Annotated[list[GoodsLine], Meta(min_length=1, max_length=2_000)]
    at_once: Annotated[bool, Meta(description="They are there already; otherwise they are on their way.")] = False
    is_fact: Annotated[bool, Meta(description="They are gone, whatever was known to be there.")] = False
    on: Annotated[Day, Meta(description="The day on which they are expected.")] = ""
    occurred: Occurred = None
    reference: Reference = ""


class ShippedLine(Answer, frozen=True, kw_only=True):
    """A line of a shipment; `left` of it is still on its way."""

    sku: str
    amount: int
    left: int


class StockShipment(Answer, frozen=True, kw_only=True):
    """Goods between two places; `id` is 0 for a move at once."""

    id: int
    state: Literal["sent", "partly", "arrived"]
    origin: str
    destination: str
    lines: list[ShippedLine]
    on: str
    reference: str


class ShipmentsQuery(Paging, frozen=True, kw_only=True):
    """Which shipments."""

    place: PlaceFilter = ""
    arrived: Annotated[bool, Meta(description="Those that have arrived too.")] = False


class CameLine(Request, frozen=True, kw_only=True):
    """What came of a product: so much that can be sold, so much damaged."""

    sku: Sku
    amount: FromZero
    damaged: FromZero = 0


class Arrival(Request, frozen=True, kw_only=True):
    """A shipment came: all of it without `lines`."""

    lines: Annotated[list[CameLine], Meta(max_length=2_000)] = field(default_factory=list)
    is_last: Annotated[bool, Meta(description="What did not come is lost; otherwise it is still on its way.")] = True
    occurred: Occurred = None


class CountedLine(Request, frozen=True, kw_only=True):
    """So much of a product was there, with what is promised and without what is damaged."""

    sku: Sku
    amount: FromZero


class NewCount(Request, frozen=True, kw_only=True):
    """What was counted in a place at an instant."""

    place: PlaceId
    lines: Annotated[list[CountedLine], Meta(min_length=1, max_length=2_000)]
    occurred: Occurred = None
    reference: Reference = ""


class CountDifference(Answer, frozen=True, kw_only=True):
    """What a count found against what was known; `late` when a newer count holds."""

    sku: str
    counted: int
    difference: int
    late: bool


class CountResult(Answer, frozen=True, kw_only=True):
    """What a count found."""

    place: str
    lines: list[CountDifference]


class StockCount(Answer, frozen=True, kw_only=True):
    """A count that was told."""

    id: int
    sku: str
    place: str
    occurred: Moment
    amount: int
    difference: int
    at: Moment
    by: str
    reference: str


class StockCountsQuery(Paging, frozen=True, kw_only=True):
    """Which counts."""

    sku: SkuFilter = ""
    place: PlaceFilter = ""


class NewExpectation(Request, frozen=True, kw_only=True):
    """So much is to come on a day under a reference; the same reference again replaces it, 0 calls it off."""

    sku: Sku
    place: PlaceId
    amount: FromZero
    on: Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="The day.")]
    reference: Annotated[str, Meta(min_length=1, max_length=200)]


class StockExpectation(Answer, frozen=True, kw_only=True):
    """What is to come; `left` of it did not come yet."""

    reference: str
    sku: str
    place: str
    amount: int
    left: int
    on: str


class ExpectedQuery(Paging, frozen=True, kw_only=True):
    """What is to come."""

    sku: SkuFilter = ""
    place: PlaceFilter = ""
    since: Annotated[Day, Meta(description="From this day on.")] = ""


class NewLimits(Request, frozen=True, kw_only=True):
    """What holds for a product in a place; without `sku` for all products there. null: nothing of its own."""

    place: PlaceId
    amount: FromZero | None
    sku: SkuFilter = ""


class StockLimits(Answer, frozen=True, kw_only=True):
    """What is kept back, and when it is low."""

    place: str
    sku: str
    safety: int
    low: int


class NewCap(Request, frozen=True, kw_only=True):
    """The most that a channel may see, and take at once; without `sku` or `place` of any. null lifts it."""

    channel: Annotated[str, Meta(min_length=1, max_length=80)]
    amount: FromZero | None
    sku: SkuFilter = ""
    place: PlaceFilter = ""


class StockCap(Answer, frozen=True, kw_only=True):
    """The most that a channel may see."""

    channel: str
    sku: str
    place: str
    amount: int | None


class CapsQuery(Request, frozen=True, kw_only=True):
    """Which caps."""

    channel: Channel = ""


class Caps(Answer, frozen=True, kw_only=True):
    """What channels may see at most."""

    items: list[StockCap]


class MovementsQuery(Paging, frozen=True, kw_only=True):
    """Which movements."""

    sku: Sku
    place: PlaceFilter = ""


class StockMovement(Answer, frozen=True, kw_only=True):
    """An amount that went from an account in a place to another; `at` when it was written."""

    id: int
    at: Moment
    occurred: Moment
    sku: str
    origin_place: str
    origin: str
    target_place: str
    target: str
    amount: int
    why: str
    channel: str
    reference: str
    by: str


class TasksQuery(Paging, frozen=True, kw_only=True):
    """Which tasks."""

    place: PlaceFilter = ""
    done: Annotated[bool, Meta(description="Those that are done instead, newest first.")] = False


class StockTask(Answer, frozen=True, kw_only=True):
    """Something that somebody must look at: *oversold* was sold and was not there, `amount` of it is still owed."""

    id: int
    kind: str
    sku: str
    place: str
    amount: int
    since: Moment
    done: Moment | None
    by: str | None


class ChangesQuery(Request, frozen=True, kw_only=True):
    """Which changes, and as seen by whom."""

    after: FeedCursor = ""
    channel: Channel = ""
    place: PlaceFilter = ""
    sku: SkuFilter = ""
    limit: Limit = 500


class StockChanges(Answer, frozen=True, kw_only=True):
    """Stocks that changed, each as it is now; go on after `after`. `more` when there are more already."""

    items: list[StockLevel]
    after: str
    more: bool


class FeedQuery(Request, frozen=True, kw_only=True):
    """What the feed tells, and as seen by whom. The header `Last-Event-ID` wins over `after`."""

    after: FeedCursor = ""
    channel: Channel = ""
    place: PlaceFilter = ""
    sku: SkuFilter = ""
    seconds: Annotated[int, Meta(ge=1, le=900, description="After so long the stream ends; come again.")] = 900


class FedLevels(Answer, frozen=True, kw_only=True):
    """The data of an event of the feed: stocks that changed, each as it is now."""

    levels: list[StockLevel]


class NewHook(Request, frozen=True, kw_only=True):
    """An address that shall be told of changes: first the whole, then what changes."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000, description="https, on a public address.")]
    channel: Channel = ""
    place: PlaceFilter = ""
    only_changes: Annotated[bool, Meta(description="Leave the whole out: only what changes from now on.")] = False


class StockHook(Answer, frozen=True, kw_only=True):
    """An address that is told of changes. `state` is *active*, or *paused* after days without success."""

    id: str
    url: str
    channel: str
    place: str
    state: Literal["active", "paused"]
    after: str
    failures: int
    fault: str
    next_try: Moment | None
    added: Moment
    by: str


class AddedHook(Answer, frozen=True, kw_only=True):
    """A hook and the secret that its messages are signed with, which is shown only now."""

    hook: StockHook
    secret: str


class Hooks(Answer, frozen=True, kw_only=True):
    """Addresses that are told of changes."""

    items: list[StockHook]
