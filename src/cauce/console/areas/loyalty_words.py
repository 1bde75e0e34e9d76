"""Loyalty programmes in plain words: what earns, how long it lasts, what is kept for whom."""

from __future__ import annotations

from datetime import date
from typing import Any

from cauce.commerce.loyalty.definition import MICRO, MILLI, PURCHASE, Earn, Level, Only, Programme, Reward, Times
from cauce.console.catalogues import marked
from cauce.console.words import Words

SORTS = {
    "earned": marked("Earned"),
    "spent": marked("Spent"),
    "expired": marked("Expired"),
    "clawed": marked("Taken back for a return"),
    "adjusted": marked("Corrected by hand"),
}
STATES = {
    "held": marked("promised"),
    "completed": marked("given out"),
    "cancelled": marked("cancelled"),
    "expired": marked("ran out"),
}
WHY_NOT = {
    "points": marked("not enough points"),
    "stock": marked("none left"),
    "tier": marked("for other tiers"),
    "day": marked("not on sale now"),
    "limit": marked("had already"),
}
WEEKDAYS = {
    "mon": marked("Monday"),
    "tue": marked("Tuesday"),
    "wed": marked("Wednesday"),
    "thu": marked("Thursday"),
    "fri": marked("Friday"),
    "sat": marked("Saturday"),
    "sun": marked("Sunday"),
}
_PER = {
    "amount": marked("%(points)s for every %(money)s spent"),
    "item": marked("%(points)s for every unit bought"),
    "purchase": marked("%(points)s for every purchase"),
    "event": marked("%(points)s for every “%(event)s”"),
}
_ROUNDING = {
    "down": marked("What is left over of a point is dropped."),
    "nearest": marked("Half a point and more counts as a whole one."),
    "up": marked("What is left over of a point counts as a whole one."),
}
_BY = {
    "amount": marked("by money spent"),
    "points": marked("by points earned, without bonus"),
    "purchases": marked("by number of purchases"),
}


def told(programme: Programme, words: Words) -> dict[str, Any]:
    """A programme in sentences and rows."""
    return {
        "earn": [_earn(each, programme, words) for each in programme.earn],
        "times": [_times(each, programme, words) for each in programme.times],
        "limits": list(_limits(programme, words)),
        "lots": list(_lots(programme, words)),
        "tiers": list(_tiers(programme, words)),
        "levels": [level_told(each, programme, words) for each in programme.tiers.levels],
        "rewards": [reward_told(each, programme, words) for each in programme.rewards],
        "members": words.say(
            marked("Members are known by %(kinds)s."),
            kinds=words.list([words.kind(kind) for kind in programme.members]),
        ),
        "days": _days(programme.first, programme.last, words),
    }


def points(micro: int, words: Words) -> str:
    """Points that may have decimals."""
    if micro % MICRO == 0:
        return words.count("%(num)s point", "%(num)s points", micro // MICRO)
    return words.say(marked("%(number)s points"), number=words.number(micro / MICRO, digits=6))


def money(minor: int, programme: Programme, words: Words) -> str:
    return words.money(minor / 10**programme.decimals, programme.currency)


def counted(amount: int, programme: Programme, words: Words) -> str:
    """What counts towards tiers, in its unit."""
    if programme.tiers.by == "amount":
        return money(amount, programme, words)
    if programme.tiers.by == "points":
        return words.count("%(num)s point", "%(num)s points", amount)
    return words.count("%(num)s purchase", "%(num)s purchases", amount)


def day(text: str, words: Words) -> str:
    return words.written_day(date.fromisoformat(text))


def level_told(level: Level, programme: Programme, words: Words) -> dict[str, Any]:
    bonus = level.bonus - MILLI
    return {
        "name": level.name,
        "entry": counted(level.entry, programme, words),
        "keep": counted(level.keep, programme, words),
        "bonus": words.say(marked("%(share)s more points"), share=words.percent(bonus / MILLI)) if bonus else "",
        "benefits": level.benefits,
    }


def reward_told(reward: Reward, programme: Programme, words: Words) -> dict[str, Any]:
    conditions = []
    if reward.tiers:
        conditions.append(words.say(marked("for %(tiers)s"), tiers=words.list(_tier_names(reward.tiers, programme))))
    if reward.each_member:
        conditions.append(words.count("once for each member", "%(num)s times for each member", reward.each_member))
    if reward.first or reward.last:
        conditions.append(_days(reward.first, reward.last, words))
    return {
        "code": reward.reward,
        "name": reward.name,
        "points": words.number(reward.points),
        "value": money(reward.value, programme, words) if reward.value else "",
        "description": reward.description,
        "conditions": conditions,
        "counts": reward.stock >= 0,
    }


def _earn(way: Earn, programme: Programme, words: Words) -> dict[str, Any]:
    said = words.say(
        _PER[way.per],
        points=points(way.points, words),
        money=money(way.per_amount, programme, words),
        event=words.event(way.event),
    )
    conditions = _only(way.only, words)
    if way.least_amount:
        conditions.insert(0, words.say(marked("from %(money)s on"), money=money(way.least_amount, programme, words)))
    return {"name": way.name, "said": said, "conditions": conditions, "is_event": way.event != PURCHASE}


def _times(each: Times, programme: Programme, words: Words) -> dict[str, Any]:
    conditions = _only(each.only, words)
    if each.tiers:
        names = words.list(_tier_names(each.tiers, programme))
        conditions.append(words.say(marked("for %(tiers)s"), tiers=names))
    said = words.say(marked("Points count %(times)s times"), times=words.number(each.times / MILLI, digits=3))
    return {"name": each.name, "said": said, "conditions": conditions}


def _only(only: Only, words: Words) -> list[str]:
    found: list[str] = []
    of_goods: tuple[tuple[tuple[str, ...], str], ...] = (
        (only.categories, marked("in %(names)s")),
        (only.brands, marked("of %(names)s")),
        (only.products, marked("articles %(names)s")),
        (only.places, marked("at %(names)s")),
    )
    found += [words.say(said, names=words.list(list(names))) for names, said in of_goods if names]
    if only.channels:
        channels = words.list([words.channel(each) for each in only.channels])
        found.append(words.say(marked("through %(names)s"), names=channels))
    if only.weekdays:
        days = words.list([words.say(WEEKDAYS[each]) for each in only.weekdays])
        found.append(words.say(marked("on %(days)s"), days=days))
    if only.first or only.last:
        found.append(_days(only.first, only.last, words))
    return found


def _days(first: str, last: str, words: Words) -> str:
    if first and last:
        return words.say(marked("from %(first)s to %(last)s"), first=day(first, words), last=day(last, words))
    if first:
        return words.say(marked("since %(first)s"), first=day(first, words))
    return words.say(marked("until %(last)s"), last=day(last, words)) if last else ""


def _limits(programme: Programme, words: Words) -> Any:
    never = [*programme.exclude.categories, *programme.exclude.brands, *programme.exclude.products]
    if never:
        yield words.say(marked("Nothing is earned on %(names)s."), names=words.list(never))
    if programme.day_max:
        yield words.say(
            marked("At most %(points)s on one day."),
            points=words.count("%(num)s point", "%(num)s points", programme.day_max),
        )
    if programme.purchase_max:
        yield words.say(
            marked("At most %(points)s with one purchase."),
            points=words.count("%(num)s point", "%(num)s points", programme.purchase_max),
        )
    yield words.say(_ROUNDING[programme.rounding])
    if programme.round_lines:
        yield words.say(marked("Every line is rounded for itself."))


def _lots(programme: Programme, words: Words) -> Any:
    lots = programme.lots
    if lots.start_days:
        yield words.count(
            "Points can be spent from the day after they were earned.",
            "Points can be spent %(num)s days after they were earned.",
            lots.start_days,
        )
    else:
        yield words.say(marked("Points can be spent at once."))
    if lots.months:
        yield words.count(
            "They expire a month after they were earned.",
            "They expire %(num)s months after they were earned.",
            lots.months,
        )
    elif lots.years == 0:
        yield words.say(marked("They expire at the end of the year in which they were earned."))
    elif lots.years > 0:
        yield words.count(
            "They expire at the end of the year after.",
            "They expire at the end of the %(num)s. year after.",
            lots.years,
        )
    elif lots.day:
        yield words.say(marked("They expire at the end of %(day)s."), day=day(lots.day, words))
    else:
        yield words.say(marked("They never expire."))


def _tiers(programme: Programme, words: Words) -> Any:
    tiers = programme.tiers
    if not tiers.levels:
        return
    by = words.say(_BY[tiers.by])
    if tiers.calendar_year:
        yield words.say(marked("Counted %(by)s in a calendar year, and kept until the end of the next."), by=by)
    else:
        yield words.count(
            "Counted %(by)s in the last month.",
            "Counted %(by)s in the last %(num)s months.",
            tiers.window_months,
            by=by,
        )
    if tiers.grace_days:
        yield words.count(
            "Who has less than is needed to keep a tier has a day to make up for it.",
            "Who has less than is needed to keep a tier has %(num)s days to make up for it.",
            tiers.grace_days,
        )


def _tier_names(codes: tuple[str, ...], programme: Programme) -> list[str]:
    return [level.name if (level := programme.level(code)) else code for code in codes]
