"""Baskets and wish lists: one per person, in every channel."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from cauce.client.types.basics import Answer, Moment, Request

Kind = Annotated[Literal["basket", "wish_list"], Meta(description="Which of a person's two lists.")]
Sku = Annotated[str, Meta(min_length=1, max_length=200)]
Amount = Annotated[
    int, Meta(ge=1, le=10**12, description="Thousandths of the unit: 1000 is one piece, 650 is 0.65 kg.")
]
Channel = Annotated[str, Meta(max_length=200, description="Channel in which it happened.")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code of the prices.")]


class BasketQuery(Request, frozen=True, kw_only=True):
    """Which list, and at which prices it is shown."""

    kind: Kind = "basket"
    currency: Currency = "EUR"
    channel: Channel = ""
    language: Annotated[str, Meta(max_length=35, description="Language of the names (BCP 47).")] = ""


class BasketKindQuery(Request, frozen=True, kw_only=True):
    """Which list."""

    kind: Kind = "basket"
    channel: Channel = ""


class BasketLineToPut(Request, frozen=True, kw_only=True):
    """A line as it is from now on; of two changes of one line the later one stands."""

    sku: Sku
    amount: Amount = 1_000
    kind: Kind = "basket"
    channel: Channel = ""
    note: Annotated[str, Meta(max_length=2_000)] = ""
    changed: Annotated[Moment | None, Meta(description="When the client did so, if that is not now.")] = None
    tell: Annotated[bool, Meta(description="Tell the river (Product Added …); false when your site does so.")] = True


class BasketToMerge(Request, frozen=True, kw_only=True):
    """Whose basket joins this one: a person's key, an identifier, or the number of a basket."""

    other: Annotated[str, Meta(min_length=1, max_length=2_000)]
    kind: Kind = "basket"


class OpenBasketLine(Answer, frozen=True, kw_only=True):
    """A line at the price that holds now, null when there is none; money in minor units of the basket's currency."""

    line: str
    sku: str
    name: str
    unit: str
    amount: int
    channel: str
    note: str
    added: Moment
    changed: Moment
    price_minor: int | None
    total_minor: int | None


class OpenBasket(Answer, frozen=True, kw_only=True):
    """What a person wants, whichever identifiers and channels it came by.

    `basket` is the number of the one that takes what is put in next, 0 when there is none yet. `unpriced` lines have no
    price and are not in the total.
    """

    basket: int
    kind: str
    owners: list[str]
    channels: list[str]
    currency: str
    lines: list[OpenBasketLine]
    total_minor: int
    unpriced: int
    changed: Moment | None
    expires: Moment | None


class BasketKept(Answer, frozen=True, kw_only=True):
    """The list that was changed, and how many lines lie in it."""

    basket: int
    kind: str
    lines: int
    changed: Moment
    expires: Moment
