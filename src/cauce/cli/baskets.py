"""`cauce baskets`: what people want, in whichever channel they said so."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Group
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, table
from cauce.cli.orders import amount_of, money
from cauce.commerce.baskets import api
from cauce.http.api.baskets import shown, whose


@click.group()
def baskets() -> None:
    """Look at baskets and wish lists: WHOSE is kind:value, a person id, or the number of a basket."""


def kind_option(function: Any) -> Any:
    return click.option(
        "--kind", default=api.BASKET, show_default=True, type=click.Choice(api.KINDS), help="Which list."
    )(function)


@baskets.command()
@click.argument("whose_it_is", metavar="WHOSE")
@kind_option
@click.option("--currency", default="EUR", show_default=True, metavar="CODE", help="Currency of the prices.")
@click.option("--channel", default="", metavar="NAME", help="Prices of this channel; default: each line's own.")
@json_option
@pass_platform
def show(platform: Platform, as_json: bool, whose_it_is: str, kind: str, currency: str, channel: str) -> None:
    """Show what lies in all open baskets of a person, at the prices that hold now."""
    asked = api.Asked(platform.commerce.now, currency, channel)
    output(as_json, shown(platform, whose_it_is, kind, asked), _shown)


@baskets.command()
@click.argument("whose_it_is", metavar="WHOSE")
@click.argument("line")
@click.argument("sku")
@click.option("--amount", default=1.0, show_default=True, help="How much, in the product's unit.")
@kind_option
@json_option
@pass_platform
def put(
    platform: Platform, /, *, as_json: bool, whose_it_is: str, line: str, sku: str, amount: float, kind: str
) -> None:
    """Put a line in, or change it; LINE is an id of your own."""
    thousandths = round(amount * 1_000)
    command = api.Put(line=line, sku=sku, amount=thousandths, kind=kind, **whose(platform, whose_it_is))
    output(as_json, platform.commerce.do(command), _kept)


@baskets.command()
@click.argument("whose_it_is", metavar="WHOSE")
@click.argument("line")
@kind_option
@json_option
@pass_platform
def remove(platform: Platform, as_json: bool, whose_it_is: str, line: str, kind: str) -> None:
    """Take a line out, for good."""
    command = api.Remove(line=line, kind=kind, **whose(platform, whose_it_is))
    output(as_json, platform.commerce.do(command), _kept)


def _shown(found: api.Shown) -> Any:
    if not found.lines:
        return "nothing lies there"
    rows = table("line", "sku", "name", "amount", "price", "total", "channel")
    for line in found.lines:
        price = money(line.price, found.currency) if line.price is not None else "–"
        total = money(line.total, found.currency) if line.total is not None else "–"
        rows.add_row(line.line, line.sku, line.name, amount_of(line.amount), price, total, line.channel)
    missing = f", {found.unpriced} lines without a price" if found.unpriced else ""
    said = f"basket {found.basket} · {money(found.total, found.currency)}{missing} · {', '.join(found.owners)}"
    return Group(rows, Text(said))


def _kept(kept: api.Kept) -> str:
    return f"basket {kept.basket}: {kept.lines} lines"
