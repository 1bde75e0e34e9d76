"""Stored value: gift cards and store credit. Amounts are minor units of the card's currency."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from cauce.client.types.basics import Answer, Cursor, Limit, Moment, Request, Why
from cauce.client.types.loyalty import Channel, Currency, Word

Amount = Annotated[int, Meta(ge=1, le=10_000_000_000, description="Minor units of the currency.")]
AmountOrAll = Annotated[int, Meta(ge=0, le=10_000_000_000, description="Minor units; 0 for all of it.")]
Number = Annotated[str, Meta(min_length=1, max_length=64, description="As printed; blanks and dashes do not matter.")]
Pin = Annotated[str, Meta(max_length=32)]


class ValueCard(Answer, frozen=True, kw_only=True):
    """A card as it stands, known by its id and the last four digits; `available` can be taken now."""

    id: int
    last: str
    currency: str
    member: str
    state: Literal["active", "blocked"]
    balance_minor: int
    held_minor: int
    available_minor: int
    issued: Moment
    expires: Moment | None
    has_pin: bool


class ValueCardsQuery(Request, frozen=True, kw_only=True):
    """Cards whose number ends so."""

    last: Annotated[str, Meta(max_length=4)] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class NewValueCard(Request, frozen=True, kw_only=True):
    """A gift card, or store credit of a `member` (`kind:value` or a person's id)."""

    amount_minor: Amount
    currency: Currency
    member: Annotated[str, Meta(max_length=600)] = ""
    with_pin: bool = True
    expires: Moment | None = None
    channel: Channel = ""
    document: Word = ""


class IssuedValueCard(Answer, frozen=True, kw_only=True):
    """The card with its number and PIN, which are shown only now; both empty for store credit."""

    card: ValueCard
    number: str
    pin: str


class ValueCardToFind(Request, frozen=True, kw_only=True):
    """The number of a card, in the body, because addresses are written to logs."""

    number: Number


class ValueCardTopUp(Request, frozen=True, kw_only=True):
    """More on a card."""

    amount_minor: Amount
    channel: Channel = ""
    document: Word = ""


class ValueCardBlock(Request, frozen=True, kw_only=True):
    """Whether nothing can be taken from it, and why."""

    blocked: bool
    why: Why


class ValueMovement(Answer, frozen=True, kw_only=True):
    """What came onto a card or (below 0) went, and what was on it then."""

    at: Moment
    amount_minor: int
    why: str
    balance_minor: int


class ValueMovements(Answer, frozen=True, kw_only=True):
    """Oldest first; they sum to the balance."""

    card: ValueCard
    items: list[ValueMovement]


class NewValueAuthorisation(Request, frozen=True, kw_only=True):
    """An amount to promise to a document; `part`: what there is, when it is less."""

    amount_minor: Amount
    currency: Currency
    pin: Pin = ""
    part: bool = False
    seconds: Annotated[int, Meta(ge=1, le=2_592_000)] = 900
    channel: Channel = ""
    document: Word = ""


class ValueAuthorisation(Answer, frozen=True, kw_only=True):
    """An authorisation as it stands."""

    id: int
    card: int
    state: Literal["held", "captured", "released", "expired"]
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    currency: str
    due: Moment


class NewValueCapture(Request, frozen=True, kw_only=True):
    """What to take; the rest is free again unless `more` follows."""

    amount_minor: AmountOrAll = 0
    more: bool = False


class NewValueRefund(Request, frozen=True, kw_only=True):
    """What to give back of what was captured."""

    amount_minor: AmountOrAll = 0
