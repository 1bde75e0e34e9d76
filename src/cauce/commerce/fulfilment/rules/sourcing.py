"""Which places a wish is served from: filter, then as few places as possible, then the best score.

Everything is decided from what is handed in, and everything that was decided is handed out with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

import msgspec

from cauce.commerce.fulfilment.rules.definition import Rule, Weights

SETS_MAX = 20_000
"""Sets of places that are compared one by one; beyond, places are added greedily."""
PLACES_MAX = 50
"""Places that a split may have at most, whatever a rule says."""


class Need(NamedTuple):
    """So much of a product; it can be split into whole multiples of `step` (thousandths)."""

    sku: str
    amount: int
    step: int = 1_000


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A place as it is seen when somebody wishes for goods.

    `available`: thousandths that may be promised there, by product, after safety stock and channel caps.
    `age_days`: since goods of the wish last came in there. `ready`: when it could be ready, None for never.
    """

    place: str
    roles: frozenset[str] = frozenset()
    available: Mapping[str, int] = msgspec.field(default_factory=dict)
    distance_km: float | None = None
    age_days: float = 0.0
    open_orders: int = 0
    opens: int | None = None
    ready: int | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is wished for: `destination` is where it is collected ("" when it is sent home), `by` when at the latest."""

    needs: tuple[Need, ...]
    now: int
    destination: str = ""
    by: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a candidate. `code` is one of VERDICTS, `found` and `limit` are the figures it speaks of.

    `amounts`: what is taken there, by product. `score`: what it cost, in all and by `parts`.
    """

    place: str
    code: str
    found: str = ""
    limit: str = ""
    amounts: dict[str, int] = {}
    score: float = 0.0
    parts: dict[str, float] = {}
    ready: int = 0


VERDICTS = {
    "chosen": "is chosen",
    "costs_more": "could serve as well, and scores worse",
    "not_needed": "has some of it, and others need fewer parcels",
    "has_none": "has nothing of it that may be promised",
    "not_listed": "is not among the places of the rule",
    "not_destination": "is not where it shall be collected",
    "is_destination": "is where it shall be collected, and the rule sends it from elsewhere",
    "lacks_role": "has not the role",
    "is_full": "has as many open orders as it may have",
    "too_far": "is too far away",
    "unknown_distance": "stands nowhere on the map",
    "opens_late": "does not open soon enough",
    "never_ready": "is not open within the next weeks",
    "too_late": "would be ready too late",
}
"""Every verdict, in words that follow the name of the place."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided: places with their amounts in order of score, and a verdict for every candidate.

    Nothing is taken (`taken` empty) when the whole amount cannot be had; `short` then says how much is missing.
    `is_exact`: every possible set was compared; otherwise `places_min` is what at least would be needed.
    """

    taken: dict[str, dict[str, int]]
    verdicts: tuple[Verdict, ...]
    short: dict[str, int] = {}
    is_exact: bool = True
    places_min: int = 0


def choose(rule: Rule, asked: Asked, candidates: Sequence[Candidate]) -> Choice:
    """Where the whole of what is asked comes from, or from nowhere."""
    refused: list[Verdict] = []
    offers: list[_Offer] = []
    for candidate in sorted(candidates, key=lambda each: each.place):
        refusal = why_not(rule, asked, candidate)
        offer = None if refusal else _offer(rule, asked, candidate)
        if offer is None:
            refused.append(refusal or Verdict(place=candidate.place, code="has_none"))
        else:
            offers.append(offer)
    offers.sort(key=lambda offer: (offer.score, offer.place))
    found = _cover(asked.needs, offers, min(rule.splits_max, PLACES_MAX))
    if found.places is None:
        passed = [_passed(offer, "not_needed") for offer in offers]
        short = found.short or {need.sku: need.amount for need in asked.needs}
        return Choice(taken={}, verdicts=(*passed, *refused), short=short, places_min=found.at_least)
    taken = _shared_out(asked.needs, found.places)
    verdicts = [_judged(offer, taken, found.places, asked.needs) for offer in offers]
    verdicts.sort(key=lambda verdict: (verdict.code != "chosen", verdict.score, verdict.place))
    return Choice(taken=taken, verdicts=(*verdicts, *refused), is_exact=found.is_exact, places_min=found.at_least)


def possible(rule: Rule, choice: Choice, sku: str) -> int:
    """How much of the one product that was asked for could be had, when the whole could not."""
    gives = sorted((each.amounts.get(sku, 0) for each in choice.verdicts), reverse=True)
    return sum(gives[: min(rule.splits_max, PLACES_MAX)])


# -- filter -----------------------------------------------------------------------------------------------------


def why_not(rule: Rule, asked: Asked, candidate: Candidate) -> Verdict | None:
    """The first reason why a place is out of the question, None when there is none."""
    found = (
        _wrong_place(rule, asked, candidate) or _wrong_distance(rule, candidate) or _wrong_time(rule, asked, candidate)
    )
    if found is None:
        return None
    code, is_found, limit = found
    return Verdict(place=candidate.place, code=code, found=is_found, limit=limit)


_Reason = tuple[str, str, str]


def _wrong_place(rule: Rule, asked: Asked, candidate: Candidate) -> _Reason | None:
    source, place = rule.source, candidate.place
    if (source.places and place not in source.places) or place in source.not_places:
        return "not_listed", "", ""
    if source.destination == "only" and place != asked.destination:
        return "not_destination", "", asked.destination
    if source.destination == "never" and place == asked.destination:
        return "is_destination", "", ""
    missing = [role for role in source.roles if role not in candidate.roles]
    if missing:
        return "lacks_role", ", ".join(sorted(candidate.roles)), missing[0]
    if source.open_orders_max is not None and candidate.open_orders >= source.open_orders_max:
        return "is_full", str(candidate.open_orders), str(source.open_orders_max)
    return None


def _wrong_distance(rule: Rule, candidate: Candidate) -> _Reason | None:
    limit = rule.source.distance_km_max
    if limit is None:
        return None
    if candidate.distance_km is None:
        return "unknown_distance", "", f"{limit:g}"
    if candidate.distance_km > limit:
        return "too_far", f"{candidate.distance_km:.0f}", f"{limit:g}"
    return None


def _wrong_time(rule: Rule, asked: Asked, candidate: Candidate) -> _Reason | None:
    if candidate.ready is None:
        return "never_ready", "", ""
    within = rule.source.opens_within_hours
    if within is not None and (candidate.opens is None or candidate.opens - asked.now > within * 3_600_000_000):
        return "opens_late", str(candidate.opens or 0), str(within)
    if asked.by and candidate.ready > asked.by:
        return "too_late", str(candidate.ready), str(asked.by)
    return None


# -- score ------------------------------------------------------------------------------------------------------


class _Offer(NamedTuple):
    """A place that may be asked: what it can give of the needs, and what it costs; smaller is better."""

    place: str
    gives: dict[str, int]
    score: float
    parts: dict[str, float]
    ready: int


def _offer(rule: Rule, asked: Asked, candidate: Candidate) -> _Offer | None:
    """None for a place that has nothing of what is needed."""
    keep = rule.source.keep * 1_000
    gives = {}
    for need in asked.needs:
        can = max(0, candidate.available.get(need.sku, 0) - keep)
        can = min(need.amount, can // need.step * need.step if can < need.amount else can)
        if can:
            gives[need.sku] = can
    if not gives:
        return None
    parts = parts_of(rule.prefer, candidate)
    return _Offer(candidate.place, gives, round(sum(parts.values()), 3), parts, candidate.ready or 0)


def parts_of(prefer: Weights, candidate: Candidate) -> dict[str, float]:
    """What a place costs, by reason: far away and busy places cost, old stock is a gain."""
    parts = {
        "distance": prefer.distance_km * (candidate.distance_km or 0.0),
        "load": prefer.load * candidate.open_orders,
        "age": -prefer.stock_age_days * candidate.age_days,
    }
    return {name: round(value, 3) for name, value in parts.items() if value}


# -- as few places as possible ----------------------------------------------------------------------------------


class _Found(NamedTuple):
    places: tuple[_Offer, ...] | None
    is_exact: bool
    at_least: int
    short: dict[str, int]


def _cover(needs: Sequence[Need], offers: Sequence[_Offer], splits_max: int) -> _Found:
    """The fewest places that together have everything; of these the cheapest. `offers` are in order of score."""
    short = {
        need.sku: need.amount - have
        for need in needs
        if (have := sum(offer.gives.get(need.sku, 0) for offer in offers)) < need.amount
    }
    if short:
        return _Found(None, True, 0, short)
    at_least = places_min(needs, [offer.gives for offer in offers])
    compared = 0
    for size in range(at_least, min(splits_max, len(offers)) + 1):
        compared += comb(len(offers), size)
        if compared > SETS_MAX:
            return _greedily(needs, offers, splits_max, size)
        found = _cheapest(needs, offers, size)
        if found:
            return _Found(found, True, size, {})
    return _Found(None, True, max(at_least, splits_max + 1), {})


def places_min(needs: Sequence[Need], gives: Sequence[Mapping[str, int]]) -> int:
    """How many places at least it takes: for the most scattered product, those that have most of it."""
    worst = 1
    for need in needs:
        left, count = need.amount, 0
        for amount in sorted((give.get(need.sku, 0) for give in gives), reverse=True):
            if left <= 0 or not amount:
                break
            left -= amount
            count += 1
        worst = max(worst, count)
    return worst


def _cheapest(needs: Sequence[Need], offers: Sequence[_Offer], size: int) -> tuple[_Offer, ...] | None:
    best: tuple[_Offer, ...] | None = None
    for group in combinations(offers, size):
        if (best is None or _cost(group) < _cost(best)) and _suffice(needs, group):
            best = group
    return best


def _greedily(needs: Sequence[Need], offers: Sequence[_Offer], splits_max: int, at_least: int) -> _Found:
    """Adds the place that has most of what is left, then drops those that turned out not to be needed."""
    left = {need.sku: need.amount for need in needs}
    whole = dict(left)
    chosen: list[_Offer] = []
    rest = list(offers)
    while any(left.values()):
        best = max(rest, key=lambda offer: (_share(offer, left, whole), -offer.score, offer.place))
        rest.remove(best)
        chosen.append(best)
        left = {sku: max(0, amount - best.gives.get(sku, 0)) for sku, amount in left.items()}
    for offer in sorted(chosen, key=lambda each: (-each.score, each.place)):
        fewer = [each for each in chosen if each is not offer]
        if _suffice(needs, fewer):
            chosen = fewer
    if len(chosen) > splits_max:
        return _Found(None, False, at_least, {})
    return _Found(tuple(sorted(chosen, key=lambda each: (each.score, each.place))), False, at_least, {})


def _share(offer: _Offer, left: Mapping[str, int], whole: Mapping[str, int]) -> float:
    """How much of what is left a place has, as a sum of shares of the products."""
    return sum(min(amount, offer.gives.get(sku, 0)) / whole[sku] for sku, amount in left.items())


def _suffice(needs: Sequence[Need], group: Iterable[_Offer]) -> bool:
    group = tuple(group)
    return all(sum(offer.gives.get(need.sku, 0) for offer in group) >= need.amount for need in needs)


def _cost(group: Iterable[_Offer]) -> float:
    return sum(offer.score for offer in group)


def _shared_out(needs: Sequence[Need], places: Sequence[_Offer]) -> dict[str, dict[str, int]]:
    """What each place gives. A product comes whole from one place where one has it all, else from the best first."""
    taken: dict[str, dict[str, int]] = {offer.place: {} for offer in places}
    for need in needs:
        whole = next((offer for offer in places if offer.gives.get(need.sku, 0) >= need.amount), None)
        left = need.amount
        for offer in (whole,) if whole else places:
            amount = min(left, offer.gives.get(need.sku, 0))
            if amount:
                taken[offer.place][need.sku] = amount
                left -= amount
    return {place: amounts for place, amounts in taken.items() if amounts}


def _judged(
    offer: _Offer, taken: Mapping[str, dict[str, int]], places: Sequence[_Offer], needs: Sequence[Need]
) -> Verdict:
    amounts = taken.get(offer.place)
    if amounts:
        return Verdict(
            place=offer.place, code="chosen", amounts=amounts, score=offer.score, parts=offer.parts, ready=offer.ready
        )
    has_all = all(offer.gives.get(need.sku, 0) >= need.amount for need in needs)
    return _passed(offer, "costs_more" if has_all or len(places) > 1 else "not_needed")


def _passed(offer: _Offer, code: str) -> Verdict:
    return Verdict(
        place=offer.place, code=code, amounts=offer.gives, score=offer.score, parts=offer.parts, ready=offer.ready
    )
