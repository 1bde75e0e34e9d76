"""Where goods could come from: what there is to choose from, as it stands now, and what the rules in force choose.

The same question is asked by a command, within its transaction, and by somebody who only wants to know why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.api import Place, Position
from cauce.commerce.fulfilment.rules import promise
from cauce.commerce.fulfilment.rules.definition import Rule, Rules, read_rules, rule_for
from cauce.commerce.fulfilment.rules.sourcing import Asked, Candidate, Choice, Need, choose
from cauce.commerce.fulfilment.store import CHOICES, RULES, Rows
from cauce.commerce.orders.rules import COLLECTED_KINDS, DELIVERIES
from cauce.commerce.stock import api as stock
from cauce.commerce.transact.asking import marks
from cauce.commerce.transact.work import Work
from cauce.engines.api import Reader, Row
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model.time import DAY
from cauce.registry import nearest

DEFAULTS = Path(__file__).with_name("default_rules.yaml")
LINES_MAX = 500


class Wanted(msgspec.Struct, frozen=True):
    """So much of a product, in thousandths of its unit."""

    sku: str
    amount: int


class Wish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods that somebody wants, and how.

    `destination` is the place where they are collected (or where they were sold), `position` where they are sent;
    `by` (microseconds) when they must be ready. `not_places` have already said that they cannot.
    """

    delivery: str
    lines: tuple[Wanted, ...]
    channel: str = ""
    destination: str = ""
    position: Position | None = None
    by: int = 0
    not_places: tuple[str, ...] = ()


class Sourced(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say to a wish. `promised` is when all of it is ready, 0 when it cannot be had.

    `rule` is empty when no rule is for such a wish; `version` is 0 for the rules that come with Cauce.
    """

    rule: str
    version: int
    choice: Choice
    promised: int = 0


class InForce(NamedTuple):
    """Rules and their version."""

    version: int
    rules: Rules


class Within:
    """What is asked inside a unit of work, as `Rows` has it."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._work.ask(sql, *parameters)


@lru_cache(maxsize=1)
def default_rules() -> Rules:
    """The rules that come with Cauce."""
    return read_rules(DEFAULTS.read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def _read(document: str) -> Rules:
    return read_rules(msgspec.json.decode(document))


def in_force(rows: Rows) -> InForce:
    """The rules of the last version."""
    found = rows.select(f"select {RULES.columns} from {RULES.name} order by version desc limit 1")
    if not found:
        return InForce(0, default_rules())
    row = RULES.of(found[0])
    return InForce(row.version, _read(row.document))


def sourced(rows: Rows, wish: Wish, now: int, rules: InForce | None = None) -> Sourced:
    """Where a wish would come from, and why; changes nothing. DefinitionInvalid for a wish that makes no sense."""
    version, all_rules = rules or in_force(rows)
    needs = needs_of(rows, wish)
    rule = rule_for(all_rules, wish.delivery, wish.channel)
    if rule is None:
        short = {need.sku: need.amount for need in needs}
        return Sourced(rule="", version=version, choice=Choice(taken={}, verdicts=(), short=short))
    asked = Asked(needs=needs, now=now, destination=wish.destination, by=wish.by)
    found = choose(rule, asked, candidates(rows, wish, rule, now))
    ready = {verdict.place: verdict.ready for verdict in found.verdicts}
    promised = max((ready[place] for place in found.taken), default=0)
    return Sourced(rule=rule.name, version=version, choice=found, promised=promised)


def needs_of(rows: Rows, wish: Wish) -> tuple[Need, ...]:
    """What is needed in all, by product, in one order for everybody."""
    if wish.delivery not in DELIVERIES:
        raise DefinitionInvalid(
            f"expected delivery to be one of {', '.join(DELIVERIES)}, got {wish.delivery[:60]!r}",
            hint=nearest(wish.delivery, list(DELIVERIES)),
        )
    if not 0 < len(wish.lines) <= LINES_MAX:
        raise DefinitionInvalid(f"expected 1 to {LINES_MAX} lines, got {len(wish.lines)}")
    if wish.delivery in COLLECTED_KINDS and not wish.destination:
        raise DefinitionInvalid(f"expected the place where it is collected with the delivery {wish.delivery}")
    if wish.destination and catalogue.place(rows, wish.destination) is None:
        raise NotFound(f"there is no place {wish.destination[:80]!r}")
    sums: dict[str, int] = {}
    for line in wish.lines:
        if line.amount <= 0:
            raise DefinitionInvalid(f"expected an amount above 0 of {line.sku[:80]!r}, got {line.amount}")
        sums[line.sku] = sums.get(line.sku, 0) + line.amount
    return tuple(Need(sku, amount, _step(rows, sku)) for sku, amount in sorted(sums.items()))


def _step(rows: Rows, sku: str) -> int:
    """In which steps a product can be split: pieces are whole."""
    found = catalogue.product(rows, sku)
    return 1_000 if found is None or catalogue.is_whole(found.unit) else 1


def candidates(rows: Rows, wish: Wish, rule: Rule, now: int) -> list[Candidate]:
    """Every place of the catalogue as it stands for a wish."""
    places = {place.id: place for place in catalogue.places(rows) if place.id not in wish.not_places}
    skus = sorted({line.sku for line in wish.lines})
    desk = places.get(wish.destination) or (catalogue.place(rows, wish.destination) if wish.destination else None)
    centre = wish.position or (desk.position if desk else None)
    available = available_in(rows, skus, wish.channel)
    ages = ages_in(rows, skus, now) if rule.prefer.stock_age_days else {}
    busy = open_orders(rows) if rule.prefer.load or rule.source.open_orders_max is not None else {}
    collected_at = desk if wish.delivery in COLLECTED_KINDS else None
    return [
        Candidate(
            place=place.id,
            roles=frozenset(place.roles),
            available=available.get(place.id, {}),
            distance_km=kilometres(place, centre),
            age_days=ages.get(place.id, 0.0),
            open_orders=busy.get(place.id, 0),
            opens=catalogue.next_opening(place, now),
            ready=promise.ready_at(place, collected_at, now, rule.promise),
        )
        for place in places.values()
    ]


def kilometres(place: Place, centre: Position | None) -> float | None:
    """How far a place is from where goods are wanted, None where one of them stands nowhere on the map."""
    if place.position is None or centre is None:
        return None
    return round(catalogue.distance(place.position, centre) / 1_000, 1)


def sent_to(work: Work, order_id: int) -> Position | None:
    """Where an order is sent, as the last decision about it knew."""
    found = work.select(CHOICES, "order_id = ? order by id desc limit 1", order_id)
    return msgspec.json.decode(found[0].wish, type=Wish).position if found else None


def available_in(rows: Rows, skus: Iterable[str], channel: str) -> dict[str, dict[str, int]]:
    """What may be promised to a channel, by place and product."""
    found: dict[str, dict[str, int]] = {}
    for sku in skus:
        for one in stock.availability(cast(Reader, rows), sku, channel):
            if one.available > 0:
                found.setdefault(one.place, {})[sku] = one.available
    return found


def ages_in(rows: Rows, skus: Sequence[str], now: int) -> dict[str, float]:
    """Days since any of the products last came into each place."""
    listed = marks(skus)
    sql = (
        "select s.place, max(t.at) from stock s join transfer t on t.credit = s.id "
        f"where s.sku in ({listed}) group by s.place"
    )
    return {place: round(max(0, now - at) / DAY, 2) for place, at in rows.select(sql, skus)}


def open_orders(rows: Rows) -> dict[str, int]:
    """How many orders wait to be taken from the shelf, by place."""
    sql = (
        "select a.place, count(distinct a.order_id) from customer_order o "
        "join order_allocation a on a.order_id = o.id "
        "where o.state = 'allocated' and a.allocated > 0 group by a.place"
    )
    return {place: int(count) for place, count in rows.select(sql)}


def amounts_by_place(choice: Choice, lines: Iterable[tuple[int, str, int]]) -> dict[str, list[tuple[int, int]]]:
    """What each place gives to which line of an order: (line, amount) by place; lines are (number, sku, amount)."""
    left: dict[str, dict[str, int]] = {place: dict(amounts) for place, amounts in choice.taken.items()}
    found: dict[str, list[tuple[int, int]]] = {place: [] for place in left}
    for number, sku, amount in lines:
        needed = amount
        for place, amounts in left.items():
            given = min(needed, amounts.get(sku, 0))
            if given:
                amounts[sku] -= given
                found[place].append((number, given))
                needed -= given
        assert not needed, "what was chosen is the whole amount"
    return found


def reasons(choice: Choice) -> Mapping[str, str]:
    """The verdict on each place, by its id."""
    return {verdict.place: verdict.code for verdict in choice.verdicts}
