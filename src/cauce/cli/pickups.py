"""`cauce pickups`: what is picked, ready and handed over in a store."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, table, user
from cauce.commerce.fulfilment import api
from cauce.errors import DefinitionInvalid
from cauce.http.api.fulfilment import counter_of
from cauce.model import to_iso

Lines = tuple[str, ...]


def by_option(function: Any) -> Any:
    return click.option("--by", default=user, show_default="your user name", help="Who does it.")(function)


@click.group()
def pickups() -> None:
    """Orders that are collected: list, pick, make ready, hand over, put back."""


@pickups.command("list")
@click.option("--place", default="", metavar="PLACE", help="Only this place's.")
@click.option("--state", default="", type=click.Choice(["", *api.STATES]), help="Which; default: all that are open.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="Most to show.")
@json_option
@pass_platform
def list_pickups(platform: Platform, as_json: bool, place: str, state: str, limit: int) -> None:
    """List orders that somebody comes for."""
    found = api.pickups(platform.commerce, place, state=state, limit=limit)
    output(as_json, [_brief(seen) for seen in found], _listed)


@pickups.command()
@click.argument("order")
@json_option
@pass_platform
def show(platform: Platform, as_json: bool, order: str) -> None:
    """Show one pick-up with its lines, hand-overs and parcels."""
    seen = api.pickup(platform.commerce, order)
    value = {
        **_brief(seen),
        "lines": list(seen.lines),
        "hand_overs": api.hand_overs(platform.commerce, seen.order_id),
        "parcels": api.parcels(platform.commerce, seen.order_id),
    }
    output(as_json, value, lambda found: _shown(found, seen))


@pickups.command("pick-list")
@click.argument("place")
@click.option("--language", default="", metavar="CODE", help="Language of the names of products.")
@json_option
@pass_platform
def pick_list(platform: Platform, as_json: bool, place: str, language: str) -> None:
    """List what a place takes from its shelf, what is promised first at the top."""
    output(as_json, api.pick_list(platform.commerce, place, language), _pick_list)


@pickups.command()
@click.argument("order")
@click.argument("place")
@click.argument("lines", nargs=-1, metavar="[LINE=AMOUNT[/SHORT]]...")
@click.option("--why", default="not_found", type=click.Choice([*api.SHORT_REASONS]), help="Why something is short.")
@click.option(
    "--instead",
    default="source",
    show_default=True,
    type=click.Choice(["source", "cancel", "wait"]),
    help="What becomes of what is short.",
)
@by_option
@json_option
@pass_platform
def pick(platform: Platform, /, *, as_json: bool, order: str, place: str, lines: Lines, **how: str) -> None:
    """Say what was taken from the shelf: everything, or 1=2 (two of line 1), 2=0/1 (one of line 2 is short)."""
    taken = tuple(_taken(text, how["why"]) for text in lines) or _whole(platform, order, place)
    command = api.Pick(order=order, place=place, lines=taken, instead=how["instead"], by=how["by"], channel="store")
    output(as_json, platform.commerce.do(command), _picked)


@pickups.command()
@click.argument("order")
@click.option("--from", "origins", multiple=True, metavar="PLACE", help="A place whose parcel has arrived.")
@click.option("--partial", is_flag=True, help="Also when something is still to pick.")
@by_option
@json_option
@pass_platform
def ready(platform: Platform, /, *, as_json: bool, order: str, origins: Lines, partial: bool, by: str) -> None:
    """Say that an order lies at its desk; the person hears of it."""
    state = counter_of(platform).ready(order, by=by, origins=origins, partial=partial, channel="store")
    output(as_json, state, lambda found: f"{found.order} waits in {found.desk} until {to_iso(found.due)}.")


@pickups.command("hand-over")
@click.argument("place")
@click.argument("code", default="")
@click.option("--order", default="", metavar="NUMBER", help="Instead of a code, for who has shown an id.")
@click.option("--initials", default="", help="Of who has shown an id.")
@click.option("--receipt", default="", metavar="NUMBER", help="The till's receipt, for what is paid in the store.")
@click.option("--cancel-rest", is_flag=True, help="Give up what is ready and not taken.")
@click.option("--line", "lines", multiple=True, metavar="LINE=AMOUNT", help="Only this; default: all that is ready.")
@by_option
@json_option
@pass_platform
def hand_over(platform: Platform, /, *, as_json: bool, place: str, code: str, lines: Lines, **how: Any) -> None:
    """Hand goods over, against the code or an id."""
    taken = [(line.line, line.picked) for line in (_taken(text, "not_found") for text in lines)]
    handed = counter_of(platform).hand_over(place, code=code, lines=taken, **how)
    output(as_json, handed, _handed)


@pickups.command("put-back")
@click.argument("order", default="")
@click.option("--why", default="", help="Why nobody comes.")
@by_option
@json_option
@pass_platform
def put_back(platform: Platform, as_json: bool, order: str, why: str, by: str) -> None:
    """Put back what nobody collects: one order now, or without one all whose time is over."""
    if order:
        platform.commerce.do(api.NotCollected(order=order, why=why, by=by, channel="store"))
        numbers: tuple[str, ...] = (order,)
    else:
        numbers = platform.commerce.do(api.PutBack()).orders
    output(as_json, {"orders": numbers}, lambda _: f"{len(numbers)} orders went back. {' '.join(numbers)}".strip())


@pickups.command()
@click.argument("order")
@json_option
@pass_platform
def link(platform: Platform, as_json: bool, order: str) -> None:
    """Print the address that leads the person, and nobody else, to the code."""
    found = counter_of(platform).link(api.pickup(platform.commerce, order))
    output(as_json, {"order": order, "link": found}, lambda value: value["link"])


def _whole(platform: Platform, order: str, place: str) -> tuple[api.Taken, ...]:
    """Everything that a place has still to pick of an order."""
    tasks = [task for task in api.pick_list(platform.commerce, place) if task.order == order]
    lines = [line for task in tasks for line in task.lines if line.to_pick]
    if not lines:
        raise DefinitionInvalid(f"{place} has nothing to pick of order {order}")
    return tuple(api.Taken(line=line.line, picked=line.to_pick) for line in lines)


def _taken(text: str, why: str) -> api.Taken:
    """What `LINE=AMOUNT/SHORT` says, in units of the product."""
    line, _, amounts = text.partition("=")
    picked, _, short = amounts.partition("/")
    try:
        return api.Taken(line=int(line), picked=_thousandths(picked), short=_thousandths(short or "0"), why=why)
    except ValueError:
        raise DefinitionInvalid(f"expected LINE=AMOUNT or LINE=AMOUNT/SHORT, got {text[:80]!r}") from None


def _thousandths(text: str) -> int:
    return round(float(text) * 1_000)


def amount_of(thousandths: int) -> str:
    """An amount in units, as people read it."""
    return f"{thousandths / 1_000:g}"


def _brief(seen: api.PickupSeen) -> dict[str, Any]:
    return {
        "order": seen.order,
        "place": seen.desk,
        "state": seen.state,
        "delivery": seen.delivery,
        "person": seen.person,
        "promised": to_iso(seen.promised) if seen.promised else None,
        "due": to_iso(seen.due) if seen.due else None,
        "arrived": to_iso(seen.arrived) if seen.arrived else None,
        "bay": seen.bay,
        "vehicle": seen.vehicle,
    }


def _listed(found: list[dict[str, Any]]) -> Any:
    if not found:
        return "Nobody comes for anything."
    shown = table("order", "place", "state", "who", "promised", "waits until", "here since", "where")
    for each in found:
        where = " ".join(filter(None, (each["bay"], each["vehicle"])))
        cells = (each["order"], each["place"], each["state"], each["person"], each["promised"], each["due"])
        shown.add_row(*(Text(str(cell or "")) for cell in (*cells, each["arrived"], where)))
    return shown


def _shown(found: dict[str, Any], seen: api.PickupSeen) -> Table:
    lines = table("line", "product", "amount", "to pick", "on its way", "ready", "collected", title=seen.order)
    for line in found["lines"]:
        amounts = (line.amount, line.waiting, line.on_way, line.ready, line.collected)
        lines.add_row(str(line.line), Text(f"{line.name} ({line.sku})"), *map(amount_of, amounts))
    return lines


def _pick_list(found: list[api.PickTask]) -> Any:
    if not found:
        return "Nothing is to be picked."
    shown = table("order", "promised", "line", "product", "where", "to pick", "picked")
    for task in found:
        for line in task.lines:
            cells = (task.order, to_iso(task.promised) if task.promised else "", str(line.line))
            texts = (f"{line.name} ({line.sku})", " › ".join(line.category))
            shown.add_row(*map(Text, (*cells, *texts)), amount_of(line.to_pick), amount_of(line.picked))
    return shown


def _picked(found: api.Picked) -> str:
    told = [f"{amount_of(found.picked)} picked, {amount_of(found.left)} still to pick."]
    told += [f"{amount_of(amount)} come from {place}." for place, amount in found.elsewhere.items()]
    if found.cancelled:
        told.append(f"{amount_of(found.cancelled)} cancelled: nobody else has it.")
    return " ".join(told)


def _handed(found: api.HandedOver) -> str:
    rest = f" {amount_of(found.left)} still wait, under a new code." if found.left else ""
    return f"Order {found.order} is handed over.{rest}"
