"""What a purchase earns, how long points last, and what a return takes back: pure functions of programme and facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import NamedTuple

import msgspec

from cauce.commerce.loyalty.calendar import day_of, days_later, midnight, months_later, new_year
from cauce.commerce.loyalty.definition import MICRO, MILLI, WEEKDAYS, Earn, Lots, Only, Programme, Times
from cauce.commerce.loyalty.store import FOREVER


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a purchase: what was paid for it in minor units, and how much it was in thousandths of its unit."""

    sku: str
    amount: int = 0
    quantity: int = 1_000
    category: str = ""
    brand: str = ""
    gtin: str = ""


class Bought(msgspec.Struct, frozen=True, omit_defaults=True):
    """A purchase, or another event that may earn."""

    event: str
    at: int
    channel: str = ""
    place: str = ""
    currency: str = ""
    lines: tuple[Line, ...] = ()


class ReturnedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came back of an article: by quantity (thousandths) when it is told, else by amount (minor units)."""

    sku: str
    quantity: int = 0
    amount: int = 0


class Came(msgspec.Struct, frozen=True):
    """A return: lines, an amount of the whole, or all of it."""

    id: str
    at: int
    lines: tuple[ReturnedLine, ...] = ()
    amount: int = 0
    whole: bool = False


class Returned(msgspec.Struct, frozen=True, array_like=True):
    """How much of a purchase had come back at `at`, in millionths: of what it earned, and of what was paid."""

    at: int
    of_points: int
    of_amount: int


class Earned(NamedTuple):
    """What each line earns in millionths of points, in the order of `lines`; `lines` are those not excluded."""

    lines: tuple[Line, ...]
    micro: tuple[int, ...]

    @property
    def amount(self) -> int:
        """What was paid for the lines that may earn, in minor units."""
        return sum(line.amount for line in self.lines)


# -- earning ----------------------------------------------------------------------------------------------------


def is_open(programme: Programme, at: int) -> bool:
    """Whether the programme runs on that day."""
    return _within(programme.first, programme.last, day_of(at, programme.zone))


def earned(programme: Programme, bought: Bought, tier: str = "") -> Earned:
    """What a purchase earns line by line, with multipliers and without the tier's bonus.

    Ways to earn add up; of several multipliers that fit a line the greatest counts. An event without lines earns on
    one line of its own. Nothing is earned outside the programme's days, or by amounts of another currency.
    """
    lines = tuple(line for line in bought.lines if not _excluded(programme, line)) or (
        () if bought.lines else (Line(""),)
    )
    if not lines or not is_open(programme, bought.at) or bought.currency not in ("", programme.currency):
        return Earned(lines, (0,) * len(lines))
    weights = [0] * len(lines)
    for way in programme.earn:
        if way.event == bought.event and _fits(programme, way.only, bought):
            _add(way, lines, weights)
    times = [each for each in programme.times if _fits(programme, each.only, bought)]
    micro = (weight * _times(times, line, tier) // MILLI for weight, line in zip(weights, lines, strict=True))
    return Earned(lines, tuple(micro))


def points_of(programme: Programme, found: Earned, tier: str) -> int:
    """Whole points with the tier's bonus and within what one purchase may earn; never negative."""
    level = programme.level(tier)
    bonus = level.bonus if level else MILLI
    if programme.round_lines:
        total = sum(_rounded(micro * bonus, MICRO * MILLI, programme.rounding) for micro in found.micro)
    else:
        total = _rounded(sum(found.micro) * bonus, MICRO * MILLI, programme.rounding)
    return max(0, min(total, programme.purchase_max or total))


def _add(way: Earn, lines: Sequence[Line], weights: list[int]) -> None:
    """Adds what one way gives to the lines that it is about."""
    fits = [index for index, line in enumerate(lines) if _covers(way.only, line)]
    paid = sum(lines[index].amount for index in fits)
    if not fits or paid < way.least_amount:
        return
    if way.per in ("purchase", "event"):
        for index, part in zip(fits, spread(way.points, [lines[index].amount for index in fits]), strict=True):
            weights[index] += part
        return
    for index in fits:
        counted, unit = (lines[index].amount, way.per_amount) if way.per == "amount" else (lines[index].quantity, MILLI)
        weights[index] += way.points * counted // unit


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """The total in parts by weight; they sum to it. Without any weight the first has all."""
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        return [total, *[0] * (len(weights) - 1)]
    parts: list[int] = []
    seen = given = 0
    for weight in weights:
        seen += weight
        parts.append(total * seen // whole - given)
        given += parts[-1]
    return parts


def _times(times: Iterable[Times], line: Line, tier: str) -> int:
    fitting = [each.times for each in times if (not each.tiers or tier in each.tiers) and _covers(each.only, line)]
    return max(fitting, default=MILLI)


def _fits(programme: Programme, only: Only, bought: Bought) -> bool:
    """Whether channel, place and day are as a rule wants them."""
    day = day_of(bought.at, programme.zone)
    return (
        (not only.channels or bought.channel in only.channels)
        and (not only.places or bought.place in only.places)
        and (not only.weekdays or WEEKDAYS[day.weekday()] in only.weekdays)
        and _within(only.first, only.last, day)
    )


def _within(first: str, last: str, day: date) -> bool:
    text = day.isoformat()
    return (not first or first <= text) and (not last or text <= last)


def _covers(only: Only, line: Line) -> bool:
    """Whether the line is one that a rule is about."""
    return (
        (not only.products or _named(line, only.products))
        and (not only.categories or any(_below(line.category, each) for each in only.categories))
        and (not only.brands or line.brand.casefold() in (each.casefold() for each in only.brands))
    )


def _excluded(programme: Programme, line: Line) -> bool:
    never = programme.exclude
    return (
        _named(line, never.products)
        or any(_below(line.category, each) for each in never.categories)
        or line.brand.casefold() in (each.casefold() for each in never.brands)
    )


def _named(line: Line, products: Sequence[str]) -> bool:
    return line.sku in products or (bool(line.gtin) and line.gtin in products)


def _below(category: str, wanted: str) -> bool:
    """Whether a category path (`clothes/coats`) is that category or one below it, whatever the case."""
    steps, above = _steps(category), _steps(wanted)
    return steps[: len(above)] == above


def _steps(category: str) -> list[str]:
    return [step.strip().casefold() for step in category.replace(">", "/").split("/")]


def _rounded(amount: int, unit: int, rounding: str) -> int:
    if rounding == "up":
        return -(-amount // unit)
    return (amount + unit // 2) // unit if rounding == "nearest" else amount // unit


# -- lots -------------------------------------------------------------------------------------------------------


def lot_span(lots: Lots, at: int, zone: str) -> tuple[int, int]:
    """From when and until when (exclusive) points earned at `at` can be spent, in microseconds."""
    starts = days_later(at, lots.start_days, zone) if lots.start_days else at
    day = day_of(at, zone)
    if lots.months:
        return starts, midnight(months_later(day, lots.months) + timedelta(days=1), zone)
    if lots.years >= 0:
        return starts, new_year(day.year + lots.years + 1, zone)
    if lots.day:
        return starts, midnight(date.fromisoformat(lots.day) + timedelta(days=1), zone)
    return starts, FOREVER


# -- returns ----------------------------------------------------------------------------------------------------


def returned(found: Earned, returns: Iterable[Came]) -> tuple[Returned, ...]:
    """How much had come back after each return, in order of time; in which order they became known is the same."""
    whole_points, whole_amount = sum(found.micro), found.amount
    by_sku: dict[str, tuple[int, int, int]] = {}
    for had, micro in zip(found.lines, found.micro, strict=True):
        quantity, amount, points = by_sku.get(had.sku, (0, 0, 0))
        by_sku[had.sku] = quantity + had.quantity, amount + had.amount, points + micro
    came: dict[str, Fraction] = {}
    rest, is_all = Fraction(), False
    shown = []
    for each in sorted(returns, key=lambda each: (each.at, each.id)):
        is_all = is_all or each.whole
        rest += Fraction(max(0, each.amount), whole_amount) if whole_amount > 0 else 0
        for line in each.lines:
            if line.sku in by_sku:
                came[line.sku] = came.get(line.sku, Fraction()) + _share(line, by_sku[line.sku])
        of_points = sum((by_sku[sku][2] * min(Fraction(1), part) for sku, part in came.items()), Fraction())
        of_amount = sum((by_sku[sku][1] * min(Fraction(1), part) for sku, part in came.items()), Fraction())
        shown.append(Returned(
            each.at,
            MICRO if is_all else _millionths(rest, of_points, whole_points),
            MICRO if is_all else _millionths(rest, of_amount, whole_amount),
        ))  # fmt: skip
    return tuple(shown)


def _share(line: ReturnedLine, had: tuple[int, int, int]) -> Fraction:
    quantity, amount, _ = had
    if line.quantity > 0 and quantity > 0:
        return Fraction(line.quantity, quantity)
    return Fraction(max(0, line.amount), amount) if amount > 0 else Fraction(int(line.amount > 0))


def _millionths(rest: Fraction, part: Fraction, whole: int) -> int:
    share = rest + (part / whole if whole > 0 else 0)
    # Rounded up, so that a share that comes to whole points comes to them.
    return ceil(max(Fraction(), min(Fraction(1), share)) * MICRO)


def clawed(points: int, history: Sequence[Returned]) -> int:
    """What returns take back of the points: in proportion, rounded for the member, all when all came back."""
    return points * history[-1].of_points // MICRO if history else 0
