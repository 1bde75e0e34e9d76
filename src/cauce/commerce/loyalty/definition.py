"""Programmes as definitions: what earns, how long it lasts, which tiers and rewards there are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from babel import numbers

from cauce.commerce.loyalty.reading import Reading, document_of
from cauce.errors import DefinitionInvalid

MICRO = 1_000_000
"""Points are reckoned in millionths until they are rounded."""
MILLI = 1_000
PURCHASE = "purchase"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ROUNDINGS = ("down", "nearest", "up")
PER_WORDS = ("item", "purchase", "event")
MEMBER_KINDS = ("loyalty", "user_id", "email", "phone")
EARN_MAX, TIMES_MAX, TIERS_MAX, REWARDS_MAX = 200, 200, 20, 500
POINTS_MAX = 1_000_000_000


class Only(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule is about; what is left out lets everything pass. A category covers those below it."""

    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    first: str = ""
    last: str = ""

    @property
    def of_lines(self) -> bool:
        """Whether it asks something of the single lines."""
        return bool(self.products or self.categories or self.brands)


class Earn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way to earn: `points` (millionths) for each `per_amount` (minor units), item, purchase or event."""

    name: str
    event: str
    points: int
    per: str
    per_amount: int = 0
    least_amount: int = 0
    only: Only = Only()


class Times(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When points count several times (`times` in thousandths); of several that fit, the greatest counts."""

    name: str
    times: int
    tiers: tuple[str, ...] = ()
    only: Only = Only()


class Exclude(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines that earn nothing, whatever the rule."""

    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


class Lots(msgspec.Struct, frozen=True, omit_defaults=True):
    """From when and until when points can be spent: days after earning; months after it, the end of the n-th year
    after it (0: that year), or a fixed day. With none of the three they never expire."""

    start_days: int = 0
    months: int = 0
    years: int = -1
    day: str = ""


class Level(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tier: reached at `entry`, kept at `keep`; `bonus` in thousandths of the points earned."""

    tier: str
    name: str
    entry: int
    keep: int
    bonus: int = MILLI
    benefits: tuple[str, ...] = ()


class Tiers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What counts towards tiers (*amount* in minor units, *points* without bonus, *purchases*), and for how long."""

    by: str = "amount"
    window_months: int = 12
    calendar_year: bool = False
    grace_days: int = 0
    levels: tuple[Level, ...] = ()


class Reward(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What points can be spent on. `stock` -1: as many as wanted; `each_member` 0: as often as wanted."""

    reward: str
    name: str
    points: int
    stock: int = -1
    each_member: int = 0
    tiers: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    value: int = 0
    description: str = ""


class Programme(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A programme as it is reckoned with; money in minor units of `currency`."""

    programme: str
    name: str
    currency: str
    zone: str = "UTC"
    members: tuple[str, ...] = MEMBER_KINDS
    earn: tuple[Earn, ...] = ()
    times: tuple[Times, ...] = ()
    exclude: Exclude = Exclude()
    rounding: str = "down"
    round_lines: bool = False
    day_max: int = 0
    purchase_max: int = 0
    lots: Lots = Lots()
    tiers: Tiers = Tiers()
    rewards: tuple[Reward, ...] = ()
    redemption_minutes: int = 15
    description: str = ""
    first: str = ""
    last: str = ""

    @property
    def decimals(self) -> int:
        return decimals_of(self.currency)

    def reward(self, code: str) -> Reward | None:
        return next((each for each in self.rewards if each.reward == code), None)

    def level(self, code: str) -> Level | None:
        return next((each for each in self.tiers.levels if each.tier == code), None)

    def member_of(self, who: Sequence[str]) -> str:
        """The identifier (`kind:value`) that is the member, of those that somebody is known by; "" for none."""
        for kind in self.members:
            for each in who:
                if each.partition(":")[0] == kind:
                    return each
        return ""


@lru_cache(maxsize=1_000)
def decimals_of(currency: str) -> int:
    """Decimals of a currency, as ISO 4217 has them (JPY 0, EUR 2, KWD 3)."""
    return int(numbers.get_currency_precision(currency))


ONLY = ("products", "categories", "brands", "channels", "places", "weekdays", "from", "until")
FIELDS = (
    "programme", "name", "description", "currency", "timezone", "members", "from", "until", "earn", "multipliers",
    "exclude", "rounding", "round_each", "day_points_max", "purchase_points_max", "lots", "tiers", "rewards",
    "redemption_minutes",
)  # fmt: skip
EARN_FIELDS = ("name", "event", "points", "per", "least_amount", *ONLY)
TIMES_FIELDS = ("name", "times", "tiers", *ONLY)
LOTS_FIELDS = ("start_days", "expire")
EXPIRE_FIELDS = ("months", "end_of_year", "day")
TIERS_FIELDS = ("by", "window", "grace_days", "levels")
WINDOW_FIELDS = ("months", "calendar_year")
LEVEL_FIELDS = ("tier", "name", "entry", "keep", "bonus", "benefits")
REWARD_FIELDS = ("reward", "name", "points", "stock", "each_member", "tiers", "from", "until", "value", "description")


def read_programme(document: Any) -> Programme:
    """A programme from YAML or JSON text, or a mapping. DefinitionInvalid names every fault and its place."""
    faults: list[str] = []
    found = _programme(Reading(document_of(document), "", faults, FIELDS))
    if faults:
        raise DefinitionInvalid("; ".join(faults))
    return found


@lru_cache(maxsize=500)
def stored_programme(text: str) -> Programme:
    """A programme as `ApplyProgramme` keeps it: what somebody wrote, which was valid then."""
    return read_programme(text)


def _programme(read: Reading) -> Programme:
    currency = _currency(read)
    decimals = decimals_of(currency)
    levels = _tiers(read.part("tiers", TIERS_FIELDS), decimals)
    codes = [each.tier for each in levels.levels]
    first, last = _span(read)
    if not read.has("earn"):
        read.wrong("earn", "expected at least one way to earn, got nothing")
    return Programme(
        programme=read.code("programme"),
        name=read.text("name", None),
        description=read.text("description"),
        currency=currency,
        zone=_zone(read),
        members=read.texts("members") or MEMBER_KINDS,
        first=first,
        last=last,
        earn=tuple(_earn(each, decimals) for each in read.parts("earn", EARN_FIELDS, EARN_MAX)),
        times=tuple(_times(each, codes) for each in read.parts("multipliers", TIMES_FIELDS, TIMES_MAX)),
        exclude=_exclude(read.part("exclude", ("products", "categories", "brands"))),
        rounding=read.choice("rounding", ROUNDINGS, "down"),
        round_lines=read.choice("round_each", ("purchase", "line"), "purchase") == "line",
        day_max=read.whole("day_points_max", 1, POINTS_MAX, 0),
        purchase_max=read.whole("purchase_points_max", 1, POINTS_MAX, 0),
        lots=_lots(read.part("lots", LOTS_FIELDS)),
        tiers=levels,
        rewards=_rewards(read, codes, decimals),
        redemption_minutes=read.whole("redemption_minutes", 1, 1_440, 15),
    )


def _currency(read: Reading) -> str:
    currency = read.text("currency", None)
    if len(currency) == 3 and currency.isascii() and currency.isupper() and currency in numbers.list_currencies():
        return currency
    if currency:
        read.wrong("currency", f"expected an ISO 4217 code such as EUR, got {currency[:40]!r}")
    return "EUR"


def _zone(read: Reading) -> str:
    name = read.text("timezone", "UTC")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        read.wrong("timezone", f"expected an IANA time zone such as Europe/Madrid, got {name[:80]!r}")
        return "UTC"
    return name


def _span(read: Reading) -> tuple[str, str]:
    first, last = read.day("from"), read.day("until")
    if first and last and last < first:
        read.wrong("until", f"expected a day not before {first}, got {last}")
    return first, last


def _only(read: Reading) -> Only:
    first, last = _span(read)
    return Only(
        products=read.texts("products"),
        categories=read.texts("categories"),
        brands=read.texts("brands"),
        channels=read.texts("channels"),
        places=read.texts("places"),
        weekdays=read.texts("weekdays", WEEKDAYS),
        first=first,
        last=last,
    )


def _earn(read: Reading, decimals: int) -> Earn:
    event = read.text("event", PURCHASE)
    per, amount = read.value.get("per", "event" if event != PURCHASE else None), 0
    if per not in PER_WORDS:
        amount = read.decimal("per", decimals, "0.001", "1000000") if per is not None else 0
        if per is None:
            read.wrong("per", f"expected an amount of money, or one of {', '.join(PER_WORDS)}, got nothing")
    elif (per == "event") != (event != PURCHASE):
        read.wrong("per", f"expected {'event' if event != PURCHASE else 'purchase'}, because it is about {event!r}")
    if event != PURCHASE and amount:
        read.wrong("per", f"expected event: only a purchase has an amount, and this is about {event!r}")
    return Earn(
        name=read.text("name"),
        event=event,
        points=read.decimal("points", 6, "0.000001", "1000000"),
        per="amount" if amount else str(per),
        per_amount=amount,
        least_amount=read.decimal("least_amount", decimals, "0", "1000000000", 0),
        only=_only(read),
    )


def _times(read: Reading, tiers: Sequence[str]) -> Times:
    return Times(
        name=read.text("name", None),
        times=read.decimal("times", 3, "0", "100"),
        tiers=read.texts("tiers", tiers) if tiers else _no_tiers(read),
        only=_only(read),
    )


def _no_tiers(read: Reading) -> tuple[str, ...]:
    if read.has("tiers"):
        read.wrong("tiers", "the programme has no tiers")
    return ()


def _exclude(read: Reading) -> Exclude:
    return Exclude(read.texts("products"), read.texts("categories"), read.texts("brands"))


def _lots(read: Reading) -> Lots:
    expire = read.part("expire", EXPIRE_FIELDS)
    told = [key for key in EXPIRE_FIELDS if expire.has(key)]
    if len(told) > 1:
        expire.wrong(told[1], f"expected one of {', '.join(EXPIRE_FIELDS)}, got also {told[0]}")
    return Lots(
        start_days=read.whole("start_days", 1, 365, 0),
        months=expire.whole("months", 1, 240, 0),
        years=expire.whole("end_of_year", 0, 20, -1),
        day=expire.day("day"),
    )


def _tiers(read: Reading, decimals: int) -> Tiers:
    by = read.choice("by", ("amount", "points", "purchases"), "amount")
    window = read.part("window", WINDOW_FIELDS)
    calendar = window.yes("calendar_year", False)
    if calendar and window.has("months"):
        window.wrong("months", "expected months or calendar_year, got both")
    places = decimals if by == "amount" else 0
    levels: list[Level] = []
    for each in read.parts("levels", LEVEL_FIELDS, TIERS_MAX):
        entry = each.decimal("entry", places, "0", "1000000000")
        keep = each.decimal("keep", places, "0", "1000000000", entry)
        if keep > entry:
            each.wrong("keep", "expected at most what is needed for entry")
        if levels and entry <= levels[-1].entry:
            each.wrong(
                "entry", f"expected more than {levels[-1].tier!r} needs: tiers go from the lowest to the highest"
            )
        levels.append(Level(
            tier=each.code("tier"), name=each.text("name") or str(each.value.get("tier", "")), entry=entry, keep=keep,
            bonus=each.decimal("bonus", 3, "1", "100", MILLI), benefits=each.texts("benefits"),
        ))  # fmt: skip
    _twice(read, "levels", [each.tier for each in levels])
    if not levels and any(read.has(key) for key in TIERS_FIELDS):
        read.wrong("levels", "expected at least one tier")
    return Tiers(
        by=by,
        window_months=window.whole("months", 1, 120, 12),
        calendar_year=calendar,
        grace_days=read.whole("grace_days", 1, 730, 0),
        levels=tuple(levels),
    )


def _rewards(read: Reading, tiers: Sequence[str], decimals: int) -> tuple[Reward, ...]:
    rewards = []
    for each in read.parts("rewards", REWARD_FIELDS, REWARDS_MAX):
        first, last = _span(each)
        rewards.append(Reward(
            reward=each.code("reward"), name=each.text("name") or str(each.value.get("reward", "")),
            points=each.whole("points", 1, POINTS_MAX), stock=each.whole("stock", 0, 1_000_000_000, -1),
            each_member=each.whole("each_member", 1, 1_000, 0),
            tiers=each.texts("tiers", tiers) if tiers else _no_tiers(each), first=first, last=last,
            value=each.decimal("value", decimals, "0", "1000000", 0), description=each.text("description"),
        ))  # fmt: skip
    _twice(read, "rewards", [each.reward for each in rewards])
    return tuple(rewards)


def _twice(read: Reading, key: str, codes: Sequence[str]) -> None:
    for index, code in enumerate(codes):
        if code and code in codes[:index]:
            read.wrong(f"{key}[{index}]", f"there are two named {code!r}")
