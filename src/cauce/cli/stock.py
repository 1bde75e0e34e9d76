"""`cauce stock`: what is where, what may be promised, and what happened to it.

Amounts are in units of the product, such as 2 or 0.65.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import click
import msgspec
from rich.table import Table

from cauce.app import Platform
from cauce.cli import stock_files
from cauce.cli.main import Suggesting, json_option, output, pass_platform, table, user
from cauce.commerce.stock import api, counting, feed, keeping, limits, moving, questions, reserving
from cauce.commerce.stock.api import Available, Entry
from cauce.model import from_iso, to_iso

LOOK_SECONDS = 0.5
THOUSAND = 1_000


class Amount(click.ParamType[int]):
    """Units with at most three decimals, as thousandths."""

    name = "amount"

    def __init__(self, *, below_zero: bool = False, zero: bool = False) -> None:
        self._least = -(2**53) if below_zero else 0 if zero else 1

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        try:
            thousandths = Decimal(str(value)) * THOUSAND
        except InvalidOperation:
            self.fail(f"expected a number such as 2 or 0.65, got {value!r}", parameter, context)
        if not thousandths.is_finite() or thousandths != int(thousandths) or not self._least <= thousandths <= 2**53:
            self.fail(f"expected at most three decimals and a fitting size, got {value!r}", parameter, context)
        return int(thousandths)


class Line(click.ParamType[tuple[str, int]]):
    """`SKU=AMOUNT`."""

    name = "sku=amount"

    def __init__(self, *, zero: bool = False) -> None:
        self._amount = Amount(zero=zero)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[str, int]:
        sku, equals, amount = str(value).rpartition("=")
        if not equals or not sku:
            self.fail(f"expected SKU=AMOUNT, got {value!r}", parameter, context)
        return sku, self._amount.convert(amount, parameter, context)


LINES = click.argument("lines", nargs=-1, required=True, type=Line())
KEY = click.option("--key", default="", help="Makes it the same command when it is given again.")
OCCURRED = click.option("--occurred", metavar="MOMENT", help="When it happened, as ISO 8601; default: now.")
REFERENCE = click.option("--reference", default="", help="The paper it stands on.")


@click.group(cls=Suggesting)
def stock() -> None:
    """Stock: levels, what may be promised, goods that come and go, counts, holds, the feed."""


@stock.command()
@click.option("--sku", default="", help="Only of this product.")
@click.option("--place", default="", help="Only in this place.")
@click.option("--channel", default="", help="As this channel may see it.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1_000), help="Most rows.")
@json_option
@pass_platform
def levels(platform: Platform, sku: str, place: str, channel: str, limit: int, as_json: bool) -> None:
    """List stock by product and place."""
    found = questions.levels(platform.commerce.reader, sku=sku, place=place, channel=channel, limit=limit)
    output(as_json, [one._asdict() for one in found], lambda _: _levels(found))


@stock.command()
@click.argument("sku")
@click.option("--channel", default="", help="As this channel may see it.")
@click.option("--near", metavar="LAT,LON", help="The nearest places first.")
@click.option("--place", "places", multiple=True, help="Only in this place; several times for several.")
@click.option("--on", default="", metavar="DAY", help="Also what is to come until that day.")
@json_option
@pass_platform
def availability(
    platform: Platform, sku: str, channel: str, near: str | None, places: Sequence[str], on: str, as_json: bool
) -> None:
    """Show what may be promised of a product, and where."""
    point = _point(near) if near else None
    today = datetime.now(UTC).date().isoformat()
    found = api.availability(
        platform.commerce.reader, sku, channel, near=point, places=places or None, on=on, today=today
    )
    output(as_json, [one._asdict() for one in found], lambda _: _levels(found))


@stock.command()
@click.argument("place")
@LINES
@KEY
@OCCURRED
@REFERENCE
@json_option
@pass_platform
def receive(
    platform: Platform, place: str, lines: Any, key: str, occurred: str | None, reference: str, as_json: bool
) -> None:
    """Goods came to PLACE from outside: cauce stock receive S01 ABR-1=24."""
    entries = _entries(place, lines, occurred, reference)
    _carried(platform, keeping.Receive(key=key, lines=entries), as_json)


@stock.command()
@click.argument("origin")
@click.argument("destination")
@LINES
@KEY
@click.option("--at-once", is_flag=True, help="They are there already; otherwise they are on their way.")
@click.option("--on", default="", metavar="DAY", help="The day on which they are expected.")
@REFERENCE
@json_option
@pass_platform
def move(
    platform: Platform,
    origin: str,
    destination: str,
    lines: Any,
    key: str,
    at_once: bool,
    on: str,
    reference: str,
    as_json: bool,
) -> None:
    """Goods go from ORIGIN to DESTINATION."""
    goods = tuple(moving.Goods(sku, amount) for sku, amount in lines)
    command = moving.Move(
        key=key, origin=origin, destination=destination, lines=goods, at_once=at_once, on=on, reference=reference,
        by=user(),
    )  # fmt: skip
    sent = platform.commerce.do(command)
    said = "Moved." if at_once else f"Shipment {sent.id} is on its way."
    output(as_json, sent, lambda _: said)


@stock.command()
@click.argument("shipment", type=int)
@KEY
@json_option
@pass_platform
def arrive(platform: Platform, shipment: int, key: str, as_json: bool) -> None:
    """All of SHIPMENT has arrived."""
    command = moving.Arrive(key=key, shipment=shipment, by=user())
    output(as_json, platform.commerce.do(command), lambda _: f"Shipment {shipment} has arrived.")


@stock.command()
@click.argument("place")
@click.argument("lines", nargs=-1, required=True, type=Line(zero=True))
@KEY
@OCCURRED
@REFERENCE
@json_option
@pass_platform
def count(
    platform: Platform, place: str, lines: Any, key: str, occurred: str | None, reference: str, as_json: bool
) -> None:
    """Tell what was counted in PLACE at an instant; what happened before it changes nothing of it any more."""
    counted = tuple(counting.Counted(sku, amount) for sku, amount in lines)
    command = counting.Count(
        key=key, place=place, lines=counted, occurred=_moment(occurred), reference=reference, by=user()
    )
    output(as_json, platform.commerce.do(command), _differences)


@stock.command()
@click.argument("place")
@click.argument("sku")
@click.argument("amount", type=Amount(below_zero=True))
@click.option("--why", required=True, help="The reason.")
@KEY
@json_option
@pass_platform
def adjust(platform: Platform, place: str, sku: str, amount: int, why: str, key: str, as_json: bool) -> None:
    """So much more (below 0: less) is in PLACE than was known: cauce stock adjust --why sample S01 ABR-1 -- -1."""
    _carried(platform, keeping.Adjust(key=key, lines=(Entry(sku, place, amount, by=user()),), why=why), as_json)


@stock.command()
@click.argument("place")
@click.argument("amount", type=Amount(zero=True))
@click.option("--sku", default="", help="Only of this product; otherwise of all in the place.")
@click.option("--low", is_flag=True, help="Say when it is low instead of what is kept back.")
@json_option
@pass_platform
def limit(platform: Platform, place: str, amount: int, sku: str, low: bool, as_json: bool) -> None:
    """Keep AMOUNT back in PLACE from every promise (or, with --low, call it low from there on)."""
    kind = limits.SetLow if low else limits.SetSafety
    found = platform.commerce.do(kind(place=place, sku=sku, amount=amount))
    output(as_json, found, lambda _: f"Kept back {_units(found.safety)}, low from {_units(found.low)} on.")


@stock.command()
@click.argument("lines", nargs=-1, required=True, metavar="PLACE:SKU=AMOUNT …")
@click.option("--seconds", default=900, show_default=True, type=click.IntRange(1, 30 * 86_400), help="How long.")
@click.option("--owner", default="", help="What it is for.")
@click.option("--channel", default="", help="Who asks.")
@KEY
@json_option
@pass_platform
def hold(
    platform: Platform, lines: Sequence[str], seconds: int, owner: str, channel: str, key: str, as_json: bool
) -> None:
    """Hold goods for a while, all lines or none."""
    wanted = []
    for line in lines:
        place, _, rest = line.partition(":")
        sku, amount = Line().convert(rest, None, None)
        wanted.append(reserving.Line(sku, place, amount))
    command = reserving.Reserve(key=key, lines=tuple(wanted), seconds=seconds, owner=owner, channel=channel)
    held = platform.commerce.do(command)
    output(as_json, held, lambda _: f"Hold {held.id} until {to_iso(held.due)}.")


@stock.command()
@click.argument("hold", type=int)
@click.option("--confirm", "fate", flag_value="confirm", help="What is held is sold.")
@click.option("--release", "fate", flag_value="release", help="What is held is free again.")
@json_option
@pass_platform
def holds(platform: Platform, hold: int, fate: str | None, as_json: bool) -> None:
    """Show a hold, confirm it or release it."""
    if fate == "confirm":
        platform.commerce.do(reserving.Confirm(reservation=hold))
    elif fate == "release":
        platform.commerce.do(reserving.Release(reservation=hold))
    found = questions.reservation(platform.commerce.reader, hold, platform.commerce.now)
    output(as_json, found, lambda _: f"Hold {found.id} is {found.state}, until {to_iso(found.due)}.")


@stock.command()
@click.argument("sku")
@click.option("--place", default=None, help="Only in this place.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="Most rows.")
@json_option
@pass_platform
def movements(platform: Platform, sku: str, place: str | None, limit: int, as_json: bool) -> None:
    """Show what happened to a product, newest first."""
    found = api.movements(platform.commerce.reader, sku, place, 0, limit)
    output(as_json, [one._asdict() for one in found], lambda _: _movements(found))


@stock.command()
@click.option("--done", type=int, metavar="TASK", help="Somebody has seen to this task.")
@json_option
@pass_platform
def tasks(platform: Platform, done: int | None, as_json: bool) -> None:
    """List what somebody must look at: what was sold and was not there."""
    if done is not None:
        platform.commerce.do(keeping.Finish(task=done, by=user()))
    found = questions.tasks(platform.commerce.reader, limit=1_000)
    output(as_json, [one._asdict() for one in found], lambda _: _tasks(found))


@stock.command("feed")
@click.option("--after", default="", metavar="CURSOR", help="How far it was read; default: from the beginning.")
@click.option("--channel", default="", help="As this channel may see it.")
@click.option("--follow", is_flag=True, help="Wait for changes until stopped.")
@click.option("--json", "_as_json", is_flag=True, help="Accepted for symmetry: it is always JSON.")
@pass_platform
def feed_(platform: Platform, after: str, channel: str, follow: bool, _as_json: bool) -> None:
    """Print stock as it changes, one line of JSON for each; `cursor` goes on behind the line."""
    cursor = feed.Cursor.read(after)
    while True:
        found = feed.changes(platform.commerce.reader, cursor, wish=feed.Wish(channel))
        cursor = found.cursor
        for one in found.items:
            click.echo(msgspec.json.encode({**one._asdict(), "cursor": cursor.text}))
        if not found.more:
            if not follow:
                return
            time.sleep(LOOK_SECONDS)


def _entries(place: str, lines: Any, occurred: str | None, reference: str) -> tuple[Entry, ...]:
    moment = _moment(occurred)
    return tuple(Entry(sku, place, amount, moment, reference=reference, by=user()) for sku, amount in lines)


def _carried(platform: Platform, command: Any, as_json: bool) -> None:
    found = platform.commerce.do(command)
    late = sum(one.late for one in found)
    said = f"{len(found)} lines." + (f" A later count knew of {late} of them." if late else "")
    output(as_json, found, lambda _: said)


def _moment(text: str | None) -> int:
    if not text:
        return 0
    try:
        return from_iso(text)
    except ValueError:
        raise click.UsageError(f"expected a moment such as 2026-11-22T10:00:00+01:00, got {text!r}") from None


def _point(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        raise click.UsageError(f"expected LAT,LON such as 40.42,-3.70, got {text!r}") from None
    return latitude, longitude


def _units(thousandths: int) -> str:
    """An amount in units, without needless zeros."""
    return f"{Decimal(thousandths) / THOUSAND:f}"


def _levels(found: Sequence[Available]) -> Any:
    if not found:
        return "There is no stock."
    shown = table("product", "place", "available", "state", "free", "held", "kept back", "to come", "km")
    for one in found:
        way = "" if one.distance_metres is None else f"{one.distance_metres / 1_000:.1f}"
        amounts = (one.free, one.held, one.safety, one.later)
        shown.add_row(one.sku, one.place, _units(one.available), one.state, *map(_units, amounts), way)
    return shown


def _differences(found: Sequence[counting.Difference]) -> Table:
    shown = table("product", "counted", "difference", "")
    for one in found:
        word = "a newer count holds" if one.late else ""
        shown.add_row(one.sku, _units(one.counted), _units(one.difference), word)
    return shown


def _movements(found: Sequence[api.Movement]) -> Any:
    if not found:
        return "Nothing has moved."
    shown = table("when", "amount", "from", "to", "why", "reference", "by")
    for one in found:
        ends = (f"{one.origin_place} {one.origin}", f"{one.target_place} {one.target}")
        shown.add_row(to_iso(one.occurred)[:19], _units(one.amount), *ends, one.why, one.reference, one.by)
    return shown


def _tasks(found: Sequence[Any]) -> Any:
    if not found:
        return "Nothing waits for anybody."
    shown = table("task", "kind", "product", "place", "amount", "since")
    for one in found:
        shown.add_row(str(one.id), one.kind, one.sku, one.place, _units(one.amount), to_iso(one.since)[:19])
    return shown


stock.add_command(stock_files.import_)
stock.add_command(stock_files.export)
