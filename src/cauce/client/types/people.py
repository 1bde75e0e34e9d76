"""Who somebody is: profile, timeline, identifiers, consents, evidence."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Cursor, DryRun, Limit, Moment, Name, Request, Why


class ProfileQuery(Request, frozen=True, kw_only=True):
    """Which moment."""

    as_of: Annotated[
        str, Meta(max_length=64, description="The profile as known then: an ISO moment, or a day (its end, UTC).")
    ] = ""


class Identifier(Answer, frozen=True, kw_only=True):
    """Something that a person is known by; `shared`: a household's or a device's, which is evidence for nobody."""

    kind: str
    value: str
    first_occurred: Moment
    known_since: Moment
    shared: bool


class Claim(Answer, frozen=True, kw_only=True):
    """A value that lost."""

    value: Any
    source: str
    occurred: Moment
    times: int


class Trait(Answer, frozen=True, kw_only=True):
    """The value that won, the rule that decided and why, who said it when, and the values that lost, latest first."""

    value: Any
    why: str
    rule: str
    source: str
    occurred: Moment
    event: str
    identifier: str
    others: list[Claim]


class ConsentWord(Answer, frozen=True, kw_only=True):
    """One thing that was said; `said` is where, as the sender named it."""

    granted: bool
    occurred: Moment
    source: str
    said: str
    identifier: str


class Consent(Answer, frozen=True, kw_only=True):
    """What a person allows for one purpose through one channel."""

    purpose: str
    channel: str
    granted: bool
    decided_by: ConsentWord
    history: list[ConsentWord]


class Profile(Answer, frozen=True, kw_only=True):
    """Everything known of a person at one moment, but the events."""

    id: str
    identifiers: list[Identifier]
    traits: dict[str, Trait]
    computed: dict[str, Any]
    consents: list[Consent]
    channels: dict[str, int]
    first_seen: Moment | None
    last_seen: Moment | None
    events: int
    as_of: Moment


class Traits(Answer, frozen=True, kw_only=True):
    """The golden record and the computed traits."""

    id: str
    traits: dict[str, Trait]
    computed: dict[str, Any]


class Identifiers(Answer, frozen=True, kw_only=True):
    """Everything that a person is known by, oldest first."""

    id: str
    identifiers: list[Identifier]


class Consents(Answer, frozen=True, kw_only=True):
    """What a person allows."""

    id: str
    consents: list[Consent]


class TimelineQuery(Request, frozen=True, kw_only=True):
    """Which events."""

    limit: Limit = 50
    cursor: Cursor = ""
    channel: Annotated[list[Name], Meta(max_length=50, description="Only this channel; may be repeated.")] = field(
        default_factory=list
    )
    event: Annotated[list[Name], Meta(max_length=50, description="Only this event name; may be repeated.")] = field(
        default_factory=list
    )
    text: Annotated[
        str, Meta(max_length=200, description="Only events that hold this text; for those who see personal data.")
    ] = ""
    since: Annotated[str, Meta(max_length=64, description="Not before this ISO moment or day.")] = ""
    until: Annotated[str, Meta(max_length=64, description="Before this ISO moment, or up to the end of this day.")] = ""
    as_of: Annotated[str, Meta(max_length=64, description="The timeline as known then: an ISO moment or a day.")] = ""


class TimelineEvent(Answer, omit_defaults=True, frozen=True, kw_only=True):
    """One event; `device` is there only when a shared device lent it."""

    id: str
    type: str
    name: str
    channel: str
    source: str
    occurred: Moment
    received: Moment
    identifiers: list[str]
    traits: dict[str, Any]
    properties: dict[str, Any]
    context: dict[str, Any]
    device: str = ""


class Timeline(Answer, frozen=True, kw_only=True):
    """Events of all channels, newest first; `cursor` gets the next page and is empty at the end."""

    id: str
    events: list[TimelineEvent]
    cursor: str


class Evidence(Answer, frozen=True, kw_only=True):
    """Why two identifiers may belong together; `in_words` says it in a sentence, `joined` whether they do by it."""

    a: str
    b: str
    rule: str
    support: int
    occurred: Moment
    source: str
    event: str
    joined: bool
    why: str
    in_words: str


class Links(Answer, frozen=True, kw_only=True):
    """The evidence between the identifiers of a person and around them, strongest first."""

    id: str
    links: list[Evidence]


class Export(Answer, frozen=True, kw_only=True):
    """All that is stored about a person, to hand it to them."""

    person: str
    profile: Profile
    links: list[Evidence]
    sources: dict[str, int]
    events: list[TimelineEvent]


class Erase(Request, frozen=True, kw_only=True):
    """An erasure: everywhere, and it cannot be undone."""

    why: Why
    suppress: Annotated[bool, Meta(description="Refuse later events of the same identifiers.")] = True
    dry_run: DryRun = False


class Erased(Answer, frozen=True, kw_only=True):
    """What was, or would be, erased."""

    dry_run: bool
    person: str
    identifiers: int
    events: int


class TraitWord(Request, frozen=True, kw_only=True):
    """A steward's word about a trait: it wins over every source; null takes it back."""

    value: Annotated[Any, Meta(description="Any JSON value; null takes the word back.")]
    why: Why


class SearchQuery(Request, frozen=True, kw_only=True):
    """Whom to look for."""

    q: Annotated[str, Meta(min_length=1, max_length=200, description="An identifier or a name; typos are allowed.")]
    limit: Annotated[int, Meta(ge=1, le=100, description="Most people of the page.")] = 20
    channel: Annotated[str, Meta(max_length=64, description="Only who was met in this channel.")] = ""
    since: Annotated[str, Meta(max_length=64, description="Only who was met since this ISO moment or day.")] = ""
    kind: Annotated[str, Meta(max_length=64, description="Only who is known by this kind of identifier.")] = ""
    cursor: Cursor = ""


class Hit(Answer, frozen=True, kw_only=True):
    """Somebody who was found, and why: *exact*, *beginning* or *similar*; `matched` is the text that fits."""

    person: str
    why: str
    kind: str
    matched: str


class Product(Answer, frozen=True, kw_only=True):
    """A product as an event named it; price in millionths of its currency, quantity in thousandths."""

    key: str
    name: str
    category: str
    price_millionths: int | None
    currency: str
    quantity_thousandths: int


class Look(Answer, frozen=True, kw_only=True):
    """A product that was looked at and not bought since."""

    product: Product
    times: int
    last: Moment
    channel: str
    bought_before: Moment | None


class BasketLine(Answer, frozen=True, kw_only=True):
    """A product in a basket; `bought_since`: it was bought some other way."""

    product: Product
    bought_since: Moment | None


class Basket(Answer, frozen=True, kw_only=True):
    """A basket that was filled and not bought; `checkout` is when the checkout was begun last."""

    id: str
    channel: str
    changed: Moment
    checkout: Moment | None
    lines: list[BasketLine]


class Sale(Answer, frozen=True, kw_only=True):
    """One purchase or return; the amount in millionths of its currency."""

    id: str
    channel: str
    place: str
    occurred: Moment
    amount_millionths: int | None
    currency: str
    products: list[Product]
    event: str


class ChannelSum(Answer, frozen=True, kw_only=True):
    """Purchases of one channel in one currency."""

    channel: str
    currency: str
    count: int
    amount_millionths: int


class Shopping(Answer, frozen=True, kw_only=True):
    """What somebody looked at, left in baskets, bought and gave back, by their latest events about it.

    `whole` says whether these are all of them.
    """

    id: str
    looked_at: list[Look]
    baskets: list[Basket]
    purchases: list[Sale]
    returns: list[Sale]
    by_channel: list[ChannelSum]
    whole: bool
