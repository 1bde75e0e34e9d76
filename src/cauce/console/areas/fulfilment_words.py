"""Sourcing rules and verdicts in words."""

from __future__ import annotations

from typing import Any

from cauce.commerce.fulfilment import api
from cauce.console.areas.pickups_words import DELIVERIES
from cauce.console.catalogues import marked
from cauce.console.visit import Visit

ROLES = {"sells": marked("selling"), "picks_up": marked("handing over"), "ships": marked("sending")}

VERDICTS = {
    "chosen": marked("It is chosen"),
    "costs_more": marked("Could serve as well, and scores worse"),
    "not_needed": marked("Has some of it; fewer parcels are needed without it"),
    "has_none": marked("Has nothing of it that may be promised"),
    "not_listed": marked("Not among the places of the rule"),
    "not_destination": marked("Not where it is collected"),
    "is_destination": marked("It is collected here, and the rule sends it from elsewhere"),
    "lacks_role": marked("Has not the role it takes: %(role)s"),
    "is_full": marked("Has %(found)s open orders; at most %(limit)s are allowed"),
    "too_far": marked("Too far away: %(found)s km, at most %(limit)s are allowed"),
    "unknown_distance": marked("Nobody knows how far away it is"),
    "opens_late": marked("Does not open within %(limit)s hours"),
    "never_ready": marked("Is not open in the time to come"),
    "too_late": marked("Would be ready too late: %(moment)s"),
}
"""Each verdict of `api.VERDICTS`, with its figures."""

PARTS = {
    "distance": marked("distance %(points)s"),
    "load": marked("open orders %(points)s"),
    "age": marked("age of the stock %(points)s"),
}


def reason_told(visit: Visit, verdict: api.Verdict) -> str:
    """Why a place was chosen, or was not."""
    values = {"found": verdict.found, "limit": verdict.limit, "role": "", "moment": ""}
    if verdict.code == "lacks_role":
        values["role"] = visit.say(ROLES[verdict.limit]) if verdict.limit in ROLES else verdict.limit
    if verdict.code == "too_late" and verdict.found.isdigit():
        values["moment"] = f"{visit.words.short_day(int(verdict.found))}, {visit.words.hour(int(verdict.found))}"
    said = visit.say(VERDICTS[verdict.code], **values)
    parts = [
        visit.say(PARTS[name], points=visit.words.number(points, digits=1)) for name, points in verdict.parts.items()
    ]
    return f"{said} ({'; '.join(parts)})" if parts else said


def rule_told(visit: Visit, rule: api.Rule) -> dict[str, Any]:
    """A rule in words: for what it is, who may serve, what is preferred, and what is promised."""
    return {
        "name": visit.said(rule.name),
        "when": _when(visit, rule),
        "who": _who(visit, rule),
        "prefers": _prefers(visit, rule),
        "promises": _promises(visit, rule),
    }


def _when(visit: Visit, rule: api.Rule) -> str:
    words = visit.words
    deliveries = words.list([visit.say(DELIVERIES[each]) for each in rule.when.deliveries])
    channels = words.list([words.channel(each) for each in rule.when.channels])
    if deliveries and channels:
        return visit.say("For: %(deliveries)s. Ordered through: %(channels)s", deliveries=deliveries, channels=channels)
    if deliveries:
        return visit.say("For: %(deliveries)s", deliveries=deliveries)
    if channels:
        return visit.say("Ordered through: %(channels)s", channels=channels)
    return visit.say("For everything else")


def _who(visit: Visit, rule: api.Rule) -> list[str]:
    source, say = rule.source, visit.say
    found = []
    if source.destination == "only":
        found.append(say("Only from the place where it is collected"))
    elif source.destination == "never":
        found.append(say("Never from the place where it is collected or sold"))
    if source.roles:
        roles = visit.words.list([say(ROLES[role]) for role in source.roles])
        found.append(say("Places with the roles: %(roles)s", roles=roles))
    if source.places:
        found.append(say("Only from %(places)s", places=visit.words.list(list(source.places))))
    if source.not_places:
        found.append(say("Not from %(places)s", places=visit.words.list(list(source.not_places))))
    if source.distance_km_max is not None:
        found.append(say("At most %(km)s km away", km=visit.words.number(source.distance_km_max)))
    if source.open_orders_max is not None:
        limit = source.open_orders_max
        found.append(visit.count("With fewer than %(num)s open order", "With fewer than %(num)s open orders", limit))
    if source.opens_within_hours is not None:
        hours = source.opens_within_hours
        found.append(visit.count("That opens within %(num)s hour", "That opens within %(num)s hours", hours))
    if source.keep:
        found.append(visit.count("%(num)s piece stays there", "%(num)s pieces stay there", source.keep))
    splits = visit.count("From %(num)s place", "From at most %(num)s places, as few as possible", rule.splits_max)
    return [*found, splits]


def _prefers(visit: Visit, rule: api.Rule) -> list[str]:
    prefer, number = rule.prefer, visit.words.number
    found = []
    if prefer.distance_km:
        found.append(visit.say("Each kilometre costs %(points)s", points=number(prefer.distance_km, digits=2)))
    if prefer.load:
        found.append(visit.say("Each open order costs %(points)s", points=number(prefer.load, digits=2)))
    if prefer.stock_age_days:
        points = number(prefer.stock_age_days, digits=2)
        found.append(visit.say("Each day that goods have lain there gains %(points)s", points=points))
    return found


def _promises(visit: Visit, rule: api.Rule) -> list[str]:
    promise = rule.promise
    found = [visit.count("Ready after %(num)s minute of opening time", "Ready after %(num)s minutes of opening time",
                         promise.lead_minutes)]  # fmt: skip
    if promise.cut_off:
        found.append(visit.say("What comes after %(hour)s begins on the next day", hour=promise.cut_off))
    if promise.transfer_hours:
        found.append(visit.count("%(num)s hour on the way", "%(num)s hours on the way", promise.transfer_hours))
    found.append(visit.count("Waits %(num)s day", "Waits %(num)s days", promise.wait_days))
    return found
