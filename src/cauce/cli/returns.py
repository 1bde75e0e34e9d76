"""`cauce returns`: what somebody bought and may bring back, and what came back."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, table, user
from cauce.cli.pickups import amount_of
from cauce.client.types.fulfilment import BoughtLine, NewReturn, Returned, ReturnedLine
from cauce.commerce.fulfilment.api import CONDITIONS
from cauce.errors import DefinitionInvalid
from cauce.http.api.fulfilment import bought_by, taken_back


@click.group()
def returns() -> None:
    """Goods that come back: find what was bought, take it back in any store."""


@returns.command()
@click.argument("person")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="Most to show.")
@json_option
@pass_platform
def bought(platform: Platform, as_json: bool, person: str, limit: int) -> None:
    """List what a person (kind:value, or an id) bought in any channel and may bring back, without any receipt."""
    output(as_json, bought_by(platform, person, limit), _bought)


@returns.command()
@click.argument("place")
@click.argument("lines", nargs=-1, required=True, metavar="LINE_OR_SKU=AMOUNT[/CONDITION]...")
@click.option("--order", default="", metavar="NUMBER", help="The order it is of: lines by number.")
@click.option("--receipt", default="", metavar="NUMBER", help="The till's receipt it is of: lines by SKU.")
@click.option("--sold-at", default="", metavar="PLACE", help="The place that gave the receipt out.")
@click.option("--person", default="", metavar="KEY", help="Whose receipt it is, as kind:value.")
@click.option("--why", default="", metavar="TEXT", help="The reason.")
@click.option("--by", default=user, show_default="your user name", help="Who takes it back.")
@json_option
@pass_platform
def take(platform: Platform, /, *, as_json: bool, place: str, lines: tuple[str, ...], by: str, **of: str) -> None:
    """Take goods back to PLACE: 1=2 (two of line 1 of an order), ABR-1=1/damaged (of a receipt, kept apart)."""
    came = [_line(text, by_number=bool(of["order"])) for text in lines]
    done = taken_back(platform, NewReturn(place=place, lines=came, **of), by=by)
    output(as_json, done, _taken)


def _line(text: str, *, by_number: bool) -> ReturnedLine:
    """What `1=2` or `ABR-1=1/damaged` says."""
    name, _, said = text.rpartition("=")
    number, _, condition = said.partition("/")
    try:
        amount, line = round(float(number) * 1_000), int(name) if by_number else 0
    except (ValueError, OverflowError):
        amount, line = 0, 0
    condition = condition or "sellable"
    if not name or amount <= 0 or condition not in CONDITIONS:
        raise DefinitionInvalid(
            f"expected LINE=AMOUNT such as 1=2 or 1=1/damaged (of a receipt: SKU=AMOUNT), got {text[:80]!r}"
        )
    return ReturnedLine(line=line, sku="" if by_number else name, amount=amount, condition=condition)  # type: ignore[arg-type]


def _bought(found: list[BoughtLine]) -> Table | str:
    if not found:
        return "Nothing that was bought may still come back."
    shown = table("at", "of", "line", "product", "bought", "may come back")
    for line in found:
        of = f"order {line.order}" if line.order else f"receipt {line.receipt} of {line.sold_at}"
        named = str(line.line) if line.order else line.sku
        cells = (f"{line.at:%Y-%m-%d %H:%M}", of, named, f"{line.name} ({line.sku})")
        shown.add_row(*map(Text, cells), amount_of(line.bought), amount_of(line.left))
    return shown


def _taken(found: Returned) -> Any:
    left = ", ".join(f"{amount_of(amount)} of {name}" for name, amount in found.left.items() if amount)
    return f"{amount_of(found.amount)} of {found.number} came back." + (
        f" May still come back: {left}." if left else ""
    )
