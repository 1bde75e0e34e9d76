"""Products, prices, places, and the ids that channels use for products."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from cauce.client.types.basics import Answer, Moment, Request

Sku = Annotated[str, Meta(min_length=1, max_length=80, description="Our own id of a variant of a product.")]
Group = Annotated[str, Meta(max_length=80, description="What groups variants; the SKU itself when left out.")]
Names = Annotated[
    dict[str, str], Meta(min_length=1, max_length=50, description="By language (BCP 47), the usual one first.")
]
Gtins = Annotated[
    list[str], Meta(max_length=20, description="GTIN-8, 12, 13 or 14 with their check digits; stored with 14 digits.")
]
Brand = Annotated[str, Meta(max_length=300)]
Category = Annotated[list[str], Meta(max_length=10, description="From the general to the particular.")]
Options = Annotated[dict[str, str], Meta(max_length=20, description="What tells variants apart, such as its colour.")]
TaxClass = Annotated[str, Meta(max_length=40, description="standard, reduced, exempt or a word of your own.")]
Unit = Annotated[str, Meta(max_length=40, description="Code of UN/ECE Recommendation 20: H87 piece, KGM kg …")]
Image = Annotated[str, Meta(max_length=2_000, description="Address of a picture.")]
Retired = Annotated[bool, Meta(description="Not in use any more; what names it is still understood.")]
Channel = Annotated[str, Meta(max_length=80, description='A channel, or a source of its own ids; "" for any.')]
ItemId = Annotated[str, Meta(min_length=1, max_length=200, description="The id that a channel uses.")]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217.")]
Minor = Annotated[
    int, Meta(ge=0, le=2**53, description="Minor units of the currency, whose exponent ISO 4217 says: EUR 2, JPY 0.")
]
From = Annotated[Moment | None, Meta(description="When it begins to hold; null: ever since.")]
Until = Annotated[Moment | None, Meta(description="When it holds no more; null: for ever.")]
PlaceId = Annotated[str, Meta(min_length=1, max_length=80, description="Our own id of a place.")]
Kind = Literal["store", "warehouse", "counter", "dark_store"]
Role = Literal["sells", "picks_up", "ships"]
Gln = Annotated[str, Meta(max_length=20, description="13 digits with their check digit.")]
Zone = Annotated[str, Meta(max_length=64, description="Time zone of the IANA database.")]
Clock = Annotated[
    str, Meta(pattern="^([01][0-9]|2[0-4]):[0-5][0-9]$", description="As clocks there show it; 24:00 ends a day.")
]
Weekday = Annotated[int, Meta(ge=1, le=7, description="1 Monday … 7 Sunday.")]
Day = Annotated[
    str, Meta(pattern="^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$", description="2026-12-25, or 12-25 for every year.")
]
Degrees = Annotated[float, Meta(ge=-180, le=180)]
Minutes = Annotated[int, Meta(ge=0, le=100_000)]


class ProductFields(Request, frozen=True, kw_only=True):
    """A product as it shall be."""

    names: Names
    product: Group = ""
    gtins: Gtins = field(default_factory=list)
    brand: Brand = ""
    category: Category = field(default_factory=list)
    options: Options = field(default_factory=dict)
    tax_class: TaxClass = "standard"
    unit: Unit = "H87"
    image: Image = ""
    retired: Retired = False


class NewProduct(ProductFields, frozen=True, kw_only=True):
    """One of several products, with its SKU."""

    sku: Sku


class ProductChange(Request, frozen=True, kw_only=True):
    """What to change of a product; what is not named stays."""

    names: Names | UnsetType = UNSET
    product: Group | UnsetType = UNSET
    gtins: Gtins | UnsetType = UNSET
    brand: Brand | UnsetType = UNSET
    category: Category | UnsetType = UNSET
    options: Options | UnsetType = UNSET
    tax_class: TaxClass | UnsetType = UNSET
    unit: Unit | UnsetType = UNSET
    image: Image | UnsetType = UNSET
    retired: Retired | UnsetType = UNSET


class CatalogueProduct(Answer, frozen=True, kw_only=True):
    """A variant that can be counted, priced and sold."""

    sku: str
    product: str
    names: dict[str, str]
    gtins: list[str]
    brand: str
    category: list[str]
    options: dict[str, str]
    tax_class: str
    unit: str
    image: str
    retired: bool
    version: int
    changed: Moment


class ManyProducts(Request, frozen=True, kw_only=True):
    """Products to put in together."""

    products: Annotated[list[NewProduct], Meta(min_length=1, max_length=1_000)]


class PutOutcome(Answer, frozen=True, kw_only=True):
    """What became of one of several: *added*, *changed*, *unchanged*, or *refused*, and why."""

    id: str
    change: str
    code: str
    message: str


class PutOutcomes(Answer, frozen=True, kw_only=True):
    """In the order of what was put in."""

    items: list[PutOutcome]


class ProductQuery(Request, frozen=True, kw_only=True):
    """Which products."""

    q: Annotated[str, Meta(max_length=200, description="Words of SKU, names, brand, category, options, GTINs.")] = ""
    brand: Brand = ""
    category: Annotated[
        str, Meta(max_length=600, description="A path such as `Mujer > Abrigos`, with all below it.")
    ] = ""
    retired: Annotated[bool, Meta(description="Retired ones too.")] = False
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")] = 50
    cursor: Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")] = ""


class Price(Answer, frozen=True, kw_only=True):
    """What a unit costs, tax included."""

    currency: str
    amount_minor: int
    channel: str
    start: From
    until: Until


class NewPrice(Request, frozen=True, kw_only=True):
    """A price as it shall be."""

    currency: Currency
    amount_minor: Minor
    channel: Channel = ""
    start: From = None
    until: Until = None


class Prices(Answer, frozen=True, kw_only=True):
    """All prices of a product, past and future ones too, by channel, currency and start."""

    sku: str
    prices: list[Price]


class NewPrices(Request, frozen=True, kw_only=True):
    """Prices in the place of all that a product has, or beside them."""

    prices: Annotated[list[NewPrice], Meta(max_length=1_000)]
    add: Annotated[
        bool, Meta(description="Keep the others; one of the same channel, currency and start is replaced.")
    ] = False


class PriceQuery(Request, frozen=True, kw_only=True):
    """Which price."""

    currency: Currency
    channel: Channel = ""
    at: Annotated[str, Meta(max_length=40, description="An ISO date or time; now when left out.")] = ""


class ChannelItem(Answer, frozen=True, kw_only=True):
    """An id that a channel uses for a product."""

    channel: str
    id: str
    sku: str


class ChannelItems(Answer, frozen=True, kw_only=True):
    """In order of channel and id."""

    items: list[ChannelItem]


class ItemQuery(Request, frozen=True, kw_only=True):
    """An id of a channel."""

    id: ItemId
    channel: Channel = ""


class ItemToSee(Request, frozen=True, kw_only=True):
    """An id that somebody met; `name` is what the channel calls it."""

    id: ItemId
    channel: Channel = ""
    name: Annotated[str, Meta(max_length=300)] = ""


class SeenItem(Answer, frozen=True, kw_only=True):
    """The SKU that an id means, "" when it waits to be resolved."""

    sku: str


class NewItem(Request, frozen=True, kw_only=True):
    """What an id of a channel means from now on."""

    id: ItemId
    sku: Sku
    channel: Channel = ""


class ItemToForget(Request, frozen=True, kw_only=True):
    """An id that shall mean nothing of its own any more."""

    id: ItemId
    channel: Channel = ""


class ItemToIgnore(Request, frozen=True, kw_only=True):
    """An unknown id that is no goods; with `ignored` false it waits again."""

    id: ItemId
    channel: Channel = ""
    ignored: bool = True


class MappedItem(Answer, frozen=True, kw_only=True):
    """An id with its product; `waited` times it had come while nobody knew it."""

    channel: str
    id: str
    sku: str
    waited: int


class UnknownItem(Answer, frozen=True, kw_only=True):
    """An id that no product is known by, as `name` calls it, seen `count` times."""

    channel: str
    id: str
    name: str
    first: Moment
    last: Moment
    count: int
    ignored: bool


class UnknownQuery(Request, frozen=True, kw_only=True):
    """Which unknown ids."""

    channel: Annotated[str, Meta(max_length=80)] = ""
    ignored: Annotated[bool, Meta(description="Those that are no goods, instead.")] = False
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")] = 50
    cursor: Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")] = ""


class PlaceAddress(Request, frozen=True, kw_only=True):
    """Where letters go; `country` is ISO 3166."""

    street: Annotated[str, Meta(max_length=300)] = ""
    postal_code: Annotated[str, Meta(max_length=300)] = ""
    city: Annotated[str, Meta(max_length=300)] = ""
    region: Annotated[str, Meta(max_length=300)] = ""
    country: Annotated[str, Meta(max_length=2)] = ""


class GeoPosition(Request, frozen=True, kw_only=True):
    """WGS 84."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Degrees


class Opening(Request, frozen=True, kw_only=True):
    """A span of a weekday; what closes earlier than it opens closes on the next day."""

    weekday: Weekday
    opens: Clock
    closes: Clock


class OpenSpan(Request, frozen=True, kw_only=True):
    """A span of one day; as in `Opening`."""

    opens: Clock
    closes: Clock


class SpecialDay(Request, frozen=True, kw_only=True):
    """A day with other hours; without spans it is closed."""

    date: Day
    name: Annotated[str, Meta(max_length=300)] = ""
    spans: Annotated[list[OpenSpan], Meta(max_length=10)] = field(default_factory=list)


class PlaceFields(Request, frozen=True, kw_only=True):
    """A place as it shall be."""

    name: Annotated[str, Meta(max_length=300)] = ""
    kind: Kind = "store"
    gln: Gln = ""
    address: PlaceAddress = PlaceAddress()
    position: GeoPosition | None = None
    zone: Zone = "UTC"
    hours: Annotated[list[Opening], Meta(max_length=70, description="Without any it is never open.")] = field(
        default_factory=list
    )
    special_days: Annotated[list[SpecialDay], Meta(max_length=1_000)] = field(default_factory=list)
    roles: Annotated[list[Role], Meta(max_length=3, description="People buy there, collect there; parcels leave.")] = (
        field(default_factory=list)
    )
    bays: Annotated[list[str], Meta(max_length=200, description="For those who wait in their car.")] = field(
        default_factory=list
    )
    retired: Retired = False


class PlaceChange(Request, frozen=True, kw_only=True):
    """What to change of a place; what is not named stays."""

    name: Annotated[str, Meta(max_length=300)] | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    gln: Gln | UnsetType = UNSET
    address: PlaceAddress | UnsetType = UNSET
    position: GeoPosition | UnsetType | None = UNSET
    zone: Zone | UnsetType = UNSET
    hours: Annotated[list[Opening], Meta(max_length=70)] | UnsetType = UNSET
    special_days: Annotated[list[SpecialDay], Meta(max_length=1_000)] | UnsetType = UNSET
    roles: Annotated[list[Role], Meta(max_length=3)] | UnsetType = UNSET
    bays: Annotated[list[str], Meta(max_length=200)] | UnsetType = UNSET
    retired: Retired | UnsetType = UNSET


class Place(Answer, frozen=True, kw_only=True):
    """A store, warehouse, counter or dark store."""

    id: str
    name: str
    kind: str
    gln: str
    address: PlaceAddress
    position: GeoPosition | None
    zone: str
    hours: list[Opening]
    special_days: list[SpecialDay]
    roles: list[str]
    bays: list[str]
    retired: bool
    version: int
    changed: Moment
    metres: Annotated[int | None, Meta(description="How far it is, when a position was asked about.")] = None


class PlaceQuery(Request, frozen=True, kw_only=True):
    """Which places."""

    role: Annotated[str, Meta(max_length=40, description="sells, picks_up or ships.")] = ""
    kind: Annotated[str, Meta(max_length=40)] = ""
    near: Annotated[
        str,
        Meta(max_length=60, description="`latitude,longitude`: the nearest first, one page of those with a position."),
    ] = ""
    retired: Annotated[bool, Meta(description="Retired ones too.")] = False
    limit: Annotated[int, Meta(ge=1, le=1_000, description="Most items of the page.")] = 50
    cursor: Annotated[str, Meta(max_length=2_000, description="`cursor` of the page before.")] = ""


class HoursQuery(Request, frozen=True, kw_only=True):
    """About which moment."""

    at: Annotated[str, Meta(max_length=40, description="An ISO date or time; now when left out.")] = ""
    minutes: Annotated[Minutes, Meta(description="How long something takes while the place is open.")] = 0
    days: Annotated[int, Meta(ge=1, le=62, description="How many days to tell.")] = 7


class DayHours(Answer, frozen=True, kw_only=True):
    """The spans that begin on a day."""

    date: str
    spans: list[OpenSpan]
    name: str


class Hours(Answer, frozen=True, kw_only=True):
    """Whether a place is open at that moment, when it closes then, and when it opens next (null: not in 400 days).

    `promised` is when so many minutes of opening hours have passed.
    """

    place: str
    at: Moment
    open: bool
    closes: Moment | None
    opens: Moment | None
    promised: Moment | None
    days: list[DayHours]
