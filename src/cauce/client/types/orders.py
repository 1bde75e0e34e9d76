"""Orders: lines and the states of their goods, payments, and one history for all channels."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Moment, Paging, Request
from cauce.client.types.baskets import Amount, Channel, Currency, Sku

State = Literal["placed", "allocated", "picked", "ready", "shipped", "delivered", "collected", "returned", "cancelled"]
Delivery = Literal["ship", "pick_up", "reserve_in_store", "curbside", "ship_to_store", "endless_aisle", "order_ahead"]
Minor = Annotated[int, Meta(ge=0, le=10**15, description="Money in minor units of the currency.")]
PlaceId = Annotated[str, Meta(max_length=200, description="Id of a place.")]
Reason = Annotated[str, Meta(max_length=2_000, description="The reason, for the history.")]
Amounts = Annotated[dict[str, int], Meta(description="Thousandths by state, those that are not 0.")]
Which = Annotated[int, Meta(ge=1, le=10_000, description="Number of the line.")]


class OrdersQuery(Paging, frozen=True, kw_only=True):
    """Which orders; each narrows the choice."""

    state: Annotated[Literal["", State], Meta(description="How far the least advanced goods are.")] = ""
    kind: Annotated[Literal["", Delivery], Meta(description="How the goods come to the customer.")] = ""
    channel: Channel = ""
    place: Annotated[str, Meta(max_length=200, description="Where it is wanted, or a place with a part in it.")] = ""
    person: Annotated[str, Meta(max_length=2_000, description="A person: `kind:value` or an id.")] = ""
    source: Annotated[str, Meta(max_length=200, description="The platform that took it.")] = ""
    number: Annotated[str, Meta(max_length=200, description="Its number, or how that begins.")] = ""
    unconfirmed: Annotated[bool, Meta(description="Only those that wait for their payment.")] = False


class OrdersBoardQuery(Request, frozen=True, kw_only=True):
    """Of which orders."""

    place: Annotated[str, Meta(max_length=200, description="Where it is wanted, or a place with a part in it.")] = ""
    channel: Channel = ""
    kind: Annotated[Literal["", Delivery], Meta(description="How the goods come to the customer.")] = ""


class OrderStateCount(Answer, frozen=True, kw_only=True):
    """How many orders are in a state (10,000 stands for that many and more), and since when the oldest was placed."""

    state: str
    count: int
    oldest: Moment | None


class OrdersBoard(Answer, frozen=True, kw_only=True):
    """Open orders by state."""

    items: list[OrderStateCount]


class LinePart(Request, frozen=True, kw_only=True):
    """So much of a line from a place."""

    place: Annotated[str, Meta(min_length=1, max_length=200)]
    amount: Amount


class NewOrderLine(Request, frozen=True, kw_only=True):
    """A line to order. Without `price_minor` the catalogue's price holds; `parts` say where it comes from."""

    sku: Sku
    amount: Amount = 1_000
    price_minor: Annotated[Minor | None, Meta(description="For one unit.")] = None
    discount_minor: Annotated[Minor, Meta(description="For the whole line.")] = 0
    tax_minor: Annotated[Minor, Meta(description="For the whole line.")] = 0
    name: Annotated[str, Meta(max_length=200)] = ""
    ref: Annotated[str, Meta(max_length=200, description="Your own id of the line.")] = ""
    parts: Annotated[list[LinePart], Meta(max_length=50)] = field(default_factory=list)


class OrderSlot(Request, frozen=True, kw_only=True):
    """The time at which an order is collected: `slots` slots of a resource from `start`, for a `party`."""

    resource: Annotated[str, Meta(min_length=1, max_length=200, description="Id of a resource of bookings.")]
    start: Moment
    party: Annotated[int, Meta(ge=1, le=1_000)] = 1
    slots: Annotated[int, Meta(ge=1, le=100)] = 1


class NewOrder(Request, frozen=True, kw_only=True):
    """An order, of lines or of all that lies in a basket. All goods are held, or none.

    `total_minor`, when it is given, must be what lines and shipping come to: then both sides reckon alike.
    """

    currency: Currency = "EUR"
    lines: Annotated[list[NewOrderLine], Meta(max_length=500)] = field(default_factory=list)
    basket: Annotated[str, Meta(max_length=2_000, description="A person's key or the number of a basket.")] = ""
    kind: Delivery = "ship"
    channel: Channel = ""
    place: Annotated[str, Meta(max_length=200, description="Where goods come from and are wanted.")] = ""
    owners: Annotated[
        list[Annotated[str, Meta(min_length=3, max_length=200, pattern="^[^:]+:.")]],
        Meta(max_length=50, description="Whose it is: `kind:value`."),
    ] = field(default_factory=list)
    contact: Annotated[
        dict[str, str], Meta(max_length=20, description="Who is told, and how: name, email, phone, address …")
    ] = field(default_factory=dict)
    promised: Annotated[Moment | None, Meta(description="When the customer was told to have it.")] = None
    shipping_minor: Minor = 0
    tax_included: Annotated[bool, Meta(description="Whether prices include the tax.")] = True
    total_minor: Minor | None = None
    backorder: Annotated[bool, Meta(description="What is not there may wait.")] = False
    pays_first: Annotated[bool | None, Meta(description="Null: as the kind of delivery says.")] = None
    hold_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=30 * 86_400)] | None,
        Meta(description="How long goods are held meanwhile, 0 without end; null: as the kind of delivery says."),
    ] = None
    slot: Annotated[
        OrderSlot | None, Meta(description="When it is collected: goods and slot are had together, or neither.")
    ] = None
    number: Annotated[str, Meta(max_length=200, description="Your own number of it; else it gets one.")] = ""
    note: Annotated[str, Meta(max_length=2_000)] = ""


class OrderPart(Answer, frozen=True, kw_only=True):
    """The part of a place in a line."""

    place: str
    amounts: Amounts


class OrderLine(Answer, frozen=True, kw_only=True):
    """A line, its money, and how much of it is in which state, in all and by place."""

    line: int
    ref: str
    sku: str
    name: str
    unit: str
    amount: int
    price_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    amounts: Amounts
    parts: list[OrderPart]
    expected: Annotated[
        Moment | None, Meta(description="When what it waits for can be had, as far as enough of it is announced.")
    ] = None


class OrderPayment(Answer, frozen=True, kw_only=True):
    """A fact of a payment; `counted_minor` of it counts for the order."""

    provider: str
    reference: str
    fact: str
    amount_minor: int
    counted_minor: int
    currency: str
    method: str
    occurred: Moment


class OrderHead(Answer, frozen=True, kw_only=True):
    """An order as it stands in lists. `due`: until when what is not confirmed is held."""

    number: str
    state: str
    kind: str
    channel: str
    place: str
    currency: str
    total_minor: int
    lines: int
    owners: list[str]
    placed: Moment
    changed: Moment
    promised: Moment | None
    confirmed: Moment | None
    due: Moment | None
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    source: str


class Order(Answer, frozen=True, kw_only=True):
    """An order with everything but its history; `to_refund_minor` was paid for goods given up or brought back."""

    head: OrderHead
    contact: dict[str, str]
    shipping_minor: int
    adjustment_minor: int
    tax_included: bool
    backorder: bool
    source_id: str
    note: str
    lines: list[OrderLine]
    payments: list[OrderPayment]
    to_refund_minor: int


class OrderStanding(Answer, frozen=True, kw_only=True):
    """How an order stands after what was done. `booking` is that of the slot it was placed for, 0 for none."""

    number: str
    state: str
    currency: str
    total_minor: int
    confirmed: bool
    due: Moment | None
    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    booking: int = 0


class OrderEntry(Answer, frozen=True, kw_only=True):
    """One entry of the history: so much of a line went from one state to another; line 0 is the order itself."""

    moment: Moment
    line: int
    was: str
    became: str
    amount: int
    place: str
    origin: str
    channel: str
    by: str
    why: str


class OrderHistory(Answer, frozen=True, kw_only=True):
    """All that happened to an order, in any channel, oldest first."""

    number: str
    entries: list[OrderEntry]


class LineChange(Request, frozen=True, kw_only=True):
    """So much of a line: null for all that can be; `place` narrows it to the part of one place."""

    line: Which
    amount: Amount | None = None
    place: PlaceId = ""


LineChanges = Annotated[list[LineChange], Meta(max_length=500)]


class OrderToCancel(Request, frozen=True, kw_only=True):
    """What to give up: without lines the whole order, as far as it has not left."""

    lines: LineChanges = field(default_factory=list)
    why: Reason = ""
    channel: Channel = ""


class OrderToAdvance(Request, frozen=True, kw_only=True):
    """Goods come into a state, as the table of transitions allows; `where` is the place where it happened."""

    to: State
    lines: Annotated[list[LineChange], Meta(min_length=1, max_length=500)]
    where: PlaceId = ""
    why: Reason = ""
    channel: Channel = ""


class OrderReturn(Request, frozen=True, kw_only=True):
    """Goods that came back to `place`; damaged ones are not sold again."""

    place: Annotated[str, Meta(min_length=1, max_length=200, description="Id of the place where they are now.")]
    lines: Annotated[list[LineChange], Meta(min_length=1, max_length=500)]
    damaged: bool = False
    why: Reason = ""
    channel: Channel = ""


class OrderToConfirm(Request, frozen=True, kw_only=True):
    """Why an order is confirmed without a payment."""

    why: Reason = ""
    channel: Channel = ""


class NewOrderPayment(Request, frozen=True, kw_only=True):
    """A fact of a payment as its provider tells it; `reference` is the provider's id of it and makes it count once.

    What authorises or captures enough confirms the order, unless `confirms` is false. `waits`: a refund that is told
    before its capture waits for it.
    """

    provider: Annotated[str, Meta(min_length=1, max_length=80)]
    reference: Annotated[str, Meta(min_length=1, max_length=120)]
    fact: Literal["authorised", "captured", "refunded", "voided"]
    amount_minor: Annotated[int, Meta(ge=1, le=10**15)]
    currency: Currency
    method: Annotated[str, Meta(max_length=80, description="card, cash, transfer …")] = ""
    occurred: Annotated[Moment | None, Meta(description="When, if that is not now.")] = None
    confirms: bool = True
    waits: bool = False


class OrderPaid(Answer, frozen=True, kw_only=True):
    """How the order stands; `refund`: it was paid and its goods are gone, so give the money back."""

    order: OrderStanding
    counted_minor: int
    refund: bool
    why: str


class RecordedLine(Request, frozen=True, kw_only=True):
    """A line as the platform has it now; of `amount` so much left, came back, or never left."""

    ref: Annotated[str, Meta(min_length=1, max_length=200, description="The platform's id of the line.")]
    sku: Sku
    amount: Amount
    price_minor: Minor
    discount_minor: Minor = 0
    tax_minor: Minor = 0
    name: Annotated[str, Meta(max_length=200)] = ""
    fulfilled: Annotated[int, Meta(ge=0, le=10**12)] = 0
    returned: Annotated[int, Meta(ge=0, le=10**12)] = 0
    cancelled: Annotated[int, Meta(ge=0, le=10**12)] = 0
    total_minor: Minor | None = None


class RecordedOrder(Request, frozen=True, kw_only=True):
    """An order that another platform took, as it stands there since `updated`; older versions change nothing."""

    source: Annotated[str, Meta(min_length=1, max_length=80)]
    source_id: Annotated[str, Meta(min_length=1, max_length=120)]
    updated: Moment
    currency: Currency
    lines: Annotated[list[RecordedLine], Meta(min_length=1, max_length=500)]
    number: Annotated[str, Meta(max_length=200)] = ""
    kind: Delivery = "ship"
    channel: Channel = ""
    place: Annotated[str, Meta(max_length=200, description="Where its goods are taken from.")] = ""
    owners: Annotated[
        list[Annotated[str, Meta(min_length=3, max_length=200, pattern="^[^:]+:.")]], Meta(max_length=50)
    ] = field(default_factory=list)
    contact: Annotated[dict[str, str], Meta(max_length=20)] = field(default_factory=dict)
    shipping_minor: Minor = 0
    tax_included: bool = True
    total_minor: Minor | None = None
    cancelled: bool = False
    tell: Annotated[bool, Meta(description="Tell the river; false when the platform's own events do.")] = False


class OrderRecorded(Answer, frozen=True, kw_only=True):
    """How the order stands; `stale`: a newer version of it was known already."""

    order: OrderStanding
    new: bool
    stale: bool
