"""`cauce orders`: what was ordered, where each part of it is, and what was paid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import actor, json_option, output, pass_platform, table, user
from cauce.client.types import orders as types
from cauce.commerce.bookings import api as bookings
from cauce.commerce.bookings.nouns import Booking
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.orders import changing, placing, questions, rules
from cauce.errors import DefinitionInvalid, Unreadable
from cauce.http.api.fulfilment import counter_of
from cauce.http.api.orders import ordered
from cauce.http.api.owners import identifiers_of
from cauce.model import to_iso

Lines = tuple[str, ...]
FILE_BYTES_MAX = 4 * 2**20


def by_option(function: Any) -> Any:
    return click.option("--by", default=user, show_default="your user name", help="Who does it.")(function)


def why_option(function: Any) -> Any:
    return click.option("--why", default="", metavar="TEXT", help="The reason, for the history.")(function)


@click.group()
def orders() -> None:
    """Orders of all channels: place, list, show, confirm, move on, cancel, take back."""


@orders.command()
@click.argument("lines", nargs=-1, metavar="[SKU[=AMOUNT]]...")
@click.option(
    "--file", metavar="FILE", type=click.File("rb"), help="The order as JSON, as the API has it; - for stdin."
)
@click.option("--kind", type=click.Choice([*rules.DELIVERIES]), help="How the goods come; default: ship.")
@click.option("--place", metavar="PLACE", help="Where goods come from and are wanted.")
@click.option("--channel", metavar="NAME", help="Through which channel.")
@click.option("--person", "owners", metavar="KEY", multiple=True, help="Whose it is: kind:value; several times.")
@click.option("--currency", metavar="CODE", help="Of its prices; default: EUR.")
@click.option("--number", metavar="TEXT", help="Your own number of it; else it gets one.")
@click.option("--note", metavar="TEXT", help="A note.")
@click.option("--backorder", is_flag=True, default=None, help="What is not there may wait.")
@click.option("--slot", metavar="RESOURCE@MOMENT", help="When it is collected: C1@2026-11-28T10:00:00Z.")
@click.option("--key", default="", metavar="TEXT", help="The same key again places no second order.")
@by_option
@json_option
@pass_platform
def place(platform: Platform, /, *, as_json: bool, lines: Lines, file: Any, key: str, by: str, **said: Any) -> None:
    """Place an order: of lines (two of ABR-1: ABR-1=2) at the catalogue's prices, or as a file says.

    Options say otherwise than the file. All its goods are held, and its slot, or nothing is.
    """
    wanted: dict[str, Any] = _read(file) if file else {}
    wanted |= {name: value for name, value in said.items() if value}
    if lines:
        wanted["lines"] = [_line_of(text) for text in lines]
    if said["slot"]:
        resource, _, start = said["slot"].rpartition("@")
        wanted["slot"] = {"resource": resource, "start": start}
    try:
        order = msgspec.convert(wanted, types.NewOrder)
    except msgspec.ValidationError as fault:
        raise DefinitionInvalid(f"this is no order: {fault}", hint="POST /v1/orders says what one has") from None
    made = ordered(platform, order, f"cli:{key}" if key else "", by)
    platform.audit.note(actor(), "order.placed", made.number)
    output(as_json, made, _placed)


@orders.command("list")
@click.option("--state", default="", type=click.Choice(["", *rules.STATES]), help="Only in this state.")
@click.option("--kind", default="", type=click.Choice(["", *rules.DELIVERIES]), help="Only of this delivery.")
@click.option("--place", default="", metavar="PLACE", help="Wanted there, or a part of it comes from there.")
@click.option("--channel", default="", metavar="NAME", help="Only through this channel.")
@click.option("--person", default="", metavar="KEY", help="Of a person: kind:value or an id.")
@click.option("--number", default="", metavar="TEXT", help="How its number begins.")
@click.option("--before", default=0, metavar="ID", help="Go on where the page before ended.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="Most to show.")
@json_option
@pass_platform
def list_orders(platform: Platform, /, *, as_json: bool, person: str, before: int, limit: int, **which: str) -> None:
    """List orders, newest first."""
    owners = identifiers_of(platform, person) if person else ()
    wanted = questions.Which(
        state=which["state"],
        kind=which["kind"],
        place=which["place"],
        channel=which["channel"],
        owners=owners,
        text=which["number"],
    )
    output(as_json, questions.page(platform.commerce, wanted, before=before, limit=limit), _listed)


@orders.command()
@click.option("--place", default="", metavar="PLACE", help="Wanted there, or a part of it comes from there.")
@json_option
@pass_platform
def board(platform: Platform, as_json: bool, place: str) -> None:
    """Count open orders by state."""
    found = questions.board(platform.commerce, questions.Which(place=place), cards=0)
    output(as_json, found, _board)


@orders.command()
@click.argument("number")
@json_option
@pass_platform
def show(platform: Platform, as_json: bool, number: str) -> None:
    """Show an order with its lines, when what waits is expected, its slot, payments and whole history."""
    id_ = questions.located(platform.commerce, number)
    whole, history = questions.whole(platform.commerce, id_), questions.history(platform.commerce, id_)
    slot = bookings.of_order(platform.commerce.reader, id_)
    expected = {line: to_iso(moment) for line, moment in fulfilment.expected_of(platform.commerce, id_).items()}
    found = {"order": whole, "slot": slot, "expected": expected, "history": history}
    output(as_json, found, lambda _: _shown(whole, slot, expected, history))


@orders.command()
@click.argument("number")
@why_option
@by_option
@json_option
@pass_platform
def confirm(platform: Platform, as_json: bool, number: str, why: str, by: str) -> None:
    """Confirm an order that need not be paid first."""
    command = placing.Confirm(order=questions.located(platform.commerce, number), by=by, why=why)
    output(as_json, platform.commerce.do(command), _standing)


@orders.command()
@click.argument("number")
@click.argument("lines", nargs=-1, metavar="[LINE[=AMOUNT]]...")
@why_option
@by_option
@json_option
@pass_platform
def cancel(platform: Platform, as_json: bool, number: str, lines: Lines, why: str, by: str) -> None:
    """Cancel an order, or some of its lines (1 or 1=2: two of line 1), as far as they have not left."""
    id_ = questions.located(platform.commerce, number)
    command = changing.Cancel(order=id_, changes=_changes(lines), by=by, why=why)
    output(as_json, platform.commerce.do(command), _standing)


@orders.command()
@click.argument("number")
@click.argument("state", type=click.Choice([*rules.STATES]))
@click.argument("lines", nargs=-1, required=True, metavar="LINE[=AMOUNT]...")
@click.option("--place", default="", metavar="PLACE", help="Only the part of this place; where to allocate it.")
@click.option("--where", default="", metavar="PLACE", help="Where it happened, if that is another place.")
@why_option
@by_option
@json_option
@pass_platform
def advance(
    platform: Platform, /, *, as_json: bool, number: str, state: str, lines: Lines, place: str, **how: Any
) -> None:
    """Bring goods of an order into the next state, as the table of transitions allows.

    What is collected and becomes ready lies at its desk: the person gets a code, as by `cauce pickups ready`.
    """
    id_ = questions.located(platform.commerce, number)
    command = changing.Advance(order=id_, to=state, changes=_changes(lines, place), **how)
    output(as_json, counter_of(platform).advance(command), _standing)


@orders.command("return")
@click.argument("number")
@click.argument("place")
@click.argument("lines", nargs=-1, required=True, metavar="LINE[=AMOUNT]...")
@click.option("--damaged", is_flag=True, help="It is not to be sold again.")
@why_option
@by_option
@json_option
@pass_platform
def bring_back(
    platform: Platform, /, *, as_json: bool, number: str, place: str, lines: Lines, damaged: bool, **how: Any
) -> None:
    """Take goods back in any place."""
    id_ = questions.located(platform.commerce, number)
    command = changing.Return(order=id_, place=place, changes=_changes(lines), damaged=damaged, **how)
    output(as_json, platform.commerce.do(command), _standing)


def _read(file: Any) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read(FILE_BYTES_MAX), type=dict[str, Any])
    except msgspec.DecodeError as fault:
        raise Unreadable(f"expected {file.name} to be an order as JSON: {fault}") from None


def _line_of(text: str) -> dict[str, Any]:
    """SKU or SKU=2.5: so much of a product, in its unit."""
    sku, equals, amount = text.rpartition("=") if "=" in text else (text, "", "")
    try:
        return {"sku": sku, **({"amount": round(float(amount) * 1_000)} if equals else {})}
    except (ValueError, OverflowError):
        raise DefinitionInvalid(f"expected SKU or SKU=AMOUNT such as ABR-1=2, got {text[:40]!r}") from None


def _changes(lines: Lines, place: str = "") -> tuple[changing.Change, ...]:
    return tuple(_change(text, place) for text in lines)


def _change(text: str, place: str) -> changing.Change:
    """1, or 1=2.5: so much of line 1, in its unit."""
    line, _, amount = text.partition("=")
    try:
        return changing.Change(line=int(line), amount=round(float(amount) * 1_000) if amount else 0, place=place)
    except (ValueError, OverflowError):
        raise DefinitionInvalid(f"expected LINE or LINE=AMOUNT such as 1=2, got {text[:40]!r}") from None


def money(minor: int, currency: str) -> str:
    return f"{catalogue.written(minor, currency)} {currency}"


def amount_of(thousandths: int) -> str:
    return f"{thousandths / 1_000:g}"


def _listed(found: list[questions.Head]) -> Any:
    if not found:
        return "no order matches"
    rows = table("order", "state", "delivery", "place", "channel", "total", "placed (UTC)")
    for head in found:
        state = head.state if head.confirmed else f"{head.state}, waits for payment"
        total = money(head.total, head.currency)
        rows.add_row(head.number, state, head.kind, head.place, head.channel, total, to_iso(head.at)[:16])
    return Group(rows, Text(f"next: --before {found[-1].id}"))


def _board(columns: tuple[questions.Column, ...]) -> Any:
    rows = table("state", "orders", "oldest (UTC)")
    for column in columns:
        rows.add_row(column.state, f"{column.count:,}", to_iso(column.oldest)[:16] if column.oldest else "–")
    return rows


def _shown(
    whole: questions.Whole,
    slot: Booking | None,
    expected: Mapping[int, str],
    history: tuple[questions.EntryShown, ...],
) -> Group:
    head = whole.head
    lines = table("line", "sku", "name", "amount", "total", "where it is", title="lines")
    for line in whole.lines:
        states = ", ".join(f"{amount_of(many)} {state}" for state, many in line.amounts.items())
        parts = [f"({'; '.join(part.place for part in line.parts)})"] if line.parts else []
        waits = [f"expected {expected[line.line]}"] if line.line in expected else []
        where = " ".join([states, *parts, *waits])
        total = money(line.total, head.currency)
        lines.add_row(str(line.line), line.sku, line.name, amount_of(line.amount), total, where)
    paid = table("fact", "amount", "provider", "reference", "when (UTC)", title="payments")
    for one in whole.payments:
        paid.add_row(one.fact, money(one.amount, one.currency), one.provider, one.reference, to_iso(one.occurred)[:16])
    told = table("when (UTC)", "line", "what", "amount", "place", "channel", "by", "why", title="history")
    for entry in history:
        what = f"{entry.was} → {entry.became}" if entry.line else entry.became
        amount = amount_of(entry.amount) if entry.line else money(entry.amount, head.currency)
        moment = to_iso(entry.at)[:16]
        told.add_row(moment, str(entry.line or ""), what, amount, entry.place, entry.channel, entry.actor, entry.why)
    text = Text(
        f"{head.number} · {head.state} · {head.kind} · {money(head.total, head.currency)} · "
        f"{', '.join(head.owners) or 'a guest'}\n"
    )
    if slot:
        times = f"{to_iso(slot.start)} – {to_iso(slot.end)}"
        text.append(f"slot: {slot.resource}, {times}, {slot.state} (booking {slot.id})\n")
    return Group(text, *(part for part in (lines, paid, told) if part.row_count))


def _standing(standing: placing.Standing) -> str:
    waits = "" if standing.confirmed else ", waits for its payment"
    return f"{standing.number}: {standing.state}{waits}, {money(standing.total, standing.currency)}"


def _placed(made: types.OrderStanding) -> str:
    waits = "" if made.confirmed else ", waits for its payment"
    slot = f", booking {made.booking}" if made.booking else ""
    return f"{made.number}: {made.state}{waits}, {money(made.total_minor, made.currency)}{slot}"
