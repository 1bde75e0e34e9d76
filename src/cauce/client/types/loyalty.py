"""Loyalty: programmes, members with their lots, tiers and statements, redemptions. Points are whole numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from cauce.client.types.basics import Answer, Document, DryRun, Moment, Request, Why

Code = Annotated[str, Meta(min_length=1, max_length=64, description="Code of a programme.")]
AnyCode = Annotated[str, Meta(max_length=64, description='Code of a programme; "" for all of them.')]
Key = Annotated[str, Meta(min_length=1, max_length=600, description="`kind:value`, or a person's id.")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Names = Annotated[list[Name], Meta(min_length=1, max_length=20)]
Who = Annotated[list[Key], Meta(min_length=1, max_length=50, description="Identifiers, the most personal first.")]
Channel = Annotated[str, Meta(max_length=80)]
Word = Annotated[str, Meta(max_length=200)]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217.")]
Minor = Annotated[int, Meta(ge=0, le=2**43, description="Minor units of the currency.")]
Thousandths = Annotated[int, Meta(ge=0, le=2**43, description="Thousandths of the unit of goods.")]
Day = Annotated[str, Meta(max_length=64, description="ISO date or moment.")]
Version = Annotated[int, Meta(ge=0, le=2**53, description="The version that it is made from; 0: whichever.")]


class ProgrammeFigures(Answer, frozen=True, kw_only=True):
    """Points of a programme by where they went; `outstanding` is what the company owes."""

    members: int
    issued: int
    spent: int
    expired: int
    clawed: int
    adjusted: int
    outstanding: int


class Programme(Answer, frozen=True, kw_only=True):
    """A programme: its definition as somebody wrote it, and what became of its points."""

    programme: str
    name: str
    version: int
    is_open: bool
    definition: Document
    figures: ProgrammeFigures


class Programmes(Answer, frozen=True, kw_only=True):
    """In order of their codes."""

    items: list[Programme]


class NewProgramme(Request, frozen=True, kw_only=True):
    """The next version of a programme, or a first one."""

    definition: Document
    expected: Version = 0
    dry_run: DryRun = False


class ProgrammeVersion(Answer, frozen=True, kw_only=True):
    """A programme as it was applied; it holds for what happens from then on."""

    version: int
    applied: Moment
    by: str
    definition: Document


class ProgrammeVersions(Answer, frozen=True, kw_only=True):
    """Oldest first."""

    items: list[ProgrammeVersion]


class PointsLot(Answer, frozen=True, kw_only=True):
    """Points that came together and expire together; `held` of them are promised."""

    member: str
    source: str
    earned: Moment
    starts: Moment
    expires: Moment | None
    points: int
    held: int


class LoyaltyTier(Answer, frozen=True, kw_only=True):
    """The tier held ("" for none) and the way to the next ("" at the top); `counted` in minor units, points or
    purchases, as `by` says."""

    tier: str
    name: str
    since: Moment | None
    by: str
    counted: int
    keep: int
    falls: Moment | None
    next_tier: str
    next_name: str
    next_entry: int


class RewardOffer(Answer, frozen=True, kw_only=True):
    """A reward; `why_not` says why it cannot be had now: *points, stock, tier, day, limit*, or nothing."""

    reward: str
    name: str
    points: int
    left: int | None
    why_not: str
    missing: int


class Membership(Answer, frozen=True, kw_only=True):
    """What somebody has in one programme. `points` are all lots less what is owed; `available` can be spent now."""

    programme: str
    name: str
    members: list[str]
    since: Moment
    points: int
    available: int
    held: int
    coming: int
    overdue: int
    owed: int
    lots: list[PointsLot]
    tier: LoyaltyTier | None
    rewards: list[RewardOffer]


class LoyaltyMember(Answer, frozen=True, kw_only=True):
    """What somebody has in each programme that knows one of their identifiers."""

    id: str
    identifiers: list[str]
    programmes: list[Membership]


class PointsStatementQuery(Request, frozen=True, kw_only=True):
    """Which programme and period; `until` is exclusive, and now when left out."""

    programme: AnyCode = ""
    since: Day = ""
    until: Day = ""


class PointsMovement(Answer, frozen=True, kw_only=True):
    """Points that came or (below 0) went, and what they were after it."""

    at: Moment
    sort: Literal["earned", "spent", "expired", "clawed", "adjusted"]
    points: int
    why: str
    balance: int


class PointsStatement(Answer, frozen=True, kw_only=True):
    """`opening + earned - spent - expired - clawed + adjusted = closing`."""

    programme: str
    since: Moment | None
    until: Moment
    opening: int
    earned: int
    spent: int
    expired: int
    clawed: int
    adjusted: int
    closing: int
    movements: list[PointsMovement]


class PointsStatements(Answer, frozen=True, kw_only=True):
    """One for each programme."""

    id: str
    items: list[PointsStatement]


class PointsAdjustment(Request, frozen=True, kw_only=True):
    """Points to give or (below 0) to take by hand."""

    programme: Code
    points: Annotated[int, Meta(ge=-10_000_000, le=10_000_000)]
    why: Why


class PointsAdjusted(Answer, frozen=True, kw_only=True):
    """What was given or taken, and from whom."""

    id: str
    programme: str
    member: str
    points: int


class EarningLine(Request, frozen=True, kw_only=True):
    """What was paid for some goods."""

    sku: Name
    amount_minor: Minor = 0
    quantity_thousandths: Thousandths = 1_000
    category: Word = ""
    brand: Word = ""
    gtin: Word = ""


class EarningPurchase(Request, frozen=True, kw_only=True):
    """A purchase, or another event that may earn. `documents` are all names it is known by: order, receipt."""

    documents: Names
    who: Who
    currency: Currency
    lines: Annotated[list[EarningLine], Meta(max_length=1_000)] = field(default_factory=list)
    at: Moment | None = None
    channel: Channel = ""
    place: Channel = ""
    event: Name = "purchase"
    programme: AnyCode = ""


class EarningReturnLine(Request, frozen=True, kw_only=True):
    """What came back: by quantity when it is told, else by amount."""

    sku: Name
    quantity_thousandths: Thousandths = 0
    amount_minor: Minor = 0


class EarningReturn(Request, frozen=True, kw_only=True):
    """Goods of a document that came back: lines, an amount of it, or all of it. `id` names the return."""

    document: Name
    id: Name
    lines: Annotated[list[EarningReturnLine], Meta(max_length=1_000)] = field(default_factory=list)
    amount_minor: Minor = 0
    whole: bool = False
    at: Moment | None = None
    channel: Channel = ""


class EarnedByPurchase(Answer, frozen=True, kw_only=True):
    """What a purchase earned; `again`: it was known already."""

    programme: str
    member: str
    document: str
    points: int
    clawed: int
    tier: str
    again: bool


class EarnedPoints(Answer, frozen=True, kw_only=True):
    """By programme; nothing where nobody can be a member."""

    items: list[EarnedByPurchase]


class NewRedemption(Request, frozen=True, kw_only=True):
    """Points to promise for a reward; `minutes` 0 is what the programme says."""

    programme: Code
    member: Key
    reward: Code
    channel: Channel = ""
    document: Word = ""
    minutes: Annotated[int, Meta(ge=0, le=1_440)] = 0


class Redemption(Answer, frozen=True, kw_only=True):
    """A redemption as it stands."""

    id: int
    programme: str
    reward: str
    name: str
    points: int
    state: Literal["held", "completed", "cancelled", "expired"]
    begun: Moment
    due: Moment
    ended: Moment | None
    channel: str
    document: str
    members: list[str]
