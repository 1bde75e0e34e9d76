"""`cauce fulfilment`: the rules that say where orders come from, and what they would say."""

from __future__ import annotations

from typing import Any, TextIO

import click
import msgspec
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, table, user
from cauce.cli.pickups import amount_of
from cauce.commerce.catalogue.api import Position
from cauce.commerce.fulfilment import api
from cauce.errors import DefinitionInvalid
from cauce.model import to_iso


@click.group()
def fulfilment() -> None:
    """Sourcing rules: show, check, apply, and try where something would come from."""


@fulfilment.command()
@click.option("--versions", is_flag=True, help="List the versions that there were instead.")
@json_option
@pass_platform
def rules(platform: Platform, as_json: bool, versions: bool) -> None:
    """Show the sourcing rules in force, as they can be applied again."""
    if versions:
        output(as_json, api.versions(platform.commerce), _versions)
        return
    found = api.in_force(platform.commerce)
    value = {"version": found.version, **api.as_document(found.rules)}
    output(as_json, value, lambda _: click.echo(api.as_yaml(found.rules), nl=False))


@fulfilment.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--why", default="", help="What the change is for.")
@click.option("--by", default=user, show_default="your user name", help="Who decides.")
@click.option("--dry-run", is_flag=True, help="Only check them.")
@json_option
@pass_platform
def apply(platform: Platform, /, *, as_json: bool, file: TextIO, dry_run: bool, **how: str) -> None:
    """Apply sourcing rules (YAML or JSON) in the place of those in force."""
    text = file.read()
    read = api.read_rules(text)
    if dry_run:
        output(as_json, {"rules": len(read), "version": None}, lambda _: f"{len(read)} rules, and nothing is wrong.")
        return
    applied = platform.commerce.do(api.ApplyRules(document=text, why=how["why"], by=how["by"]))
    output(as_json, applied, lambda found: f"Version {found.version} with {found.rules} rules is in force.")


@fulfilment.command("try")
@click.argument("lines", nargs=-1, required=True, metavar="SKU=AMOUNT...")
@click.option("--delivery", default="ship", show_default=True, help="How it reaches the person.")
@click.option("--place", default="", metavar="PLACE", help="Where it is collected or sold.")
@click.option("--channel", default="", help="Where it is ordered.")
@click.option("--near", default="", metavar="LAT,LON", help="Where it is sent.")
@click.option("--rules", "file", type=click.File(encoding="utf-8"), help="Rules to try instead of those in force.")
@json_option
@pass_platform
def try_rules(platform: Platform, /, *, as_json: bool, lines: tuple[str, ...], near: str, **how: Any) -> None:
    """Say where something would come from now, and why not from elsewhere."""
    wish = api.Wish(
        delivery=how["delivery"],
        lines=tuple(map(_wanted, lines)),
        channel=how["channel"],
        destination=how["place"],
        position=_position(near) if near else None,
    )
    supposed = api.InForce(0, api.read_rules(how["file"].read())) if how["file"] else None
    found = api.sourced(platform.commerce, wish, platform.commerce.now, supposed)
    output(as_json, msgspec.to_builtins(found), lambda _: _tried(found))


def _wanted(text: str) -> api.Wanted:
    sku, _, amount = text.rpartition("=") if "=" in text else (text, "", "1")
    try:
        return api.Wanted(sku, round(float(amount) * 1_000))
    except (ValueError, OverflowError):
        raise DefinitionInvalid(f"expected SKU=AMOUNT, got {text[:80]!r}") from None


def _position(text: str) -> Position:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        raise DefinitionInvalid(f"expected a latitude and a longitude such as 40.42,-3.70, got {text[:80]!r}") from None
    return Position(latitude, longitude)


def _tried(found: api.Sourced) -> Table:
    if found.choice.taken:
        title = f"{found.rule}: ready {to_iso(found.promised)}"
    else:
        short = ", ".join(f"{amount_of(amount)} of {sku}" for sku, amount in found.choice.short.items())
        title = f"{found.rule or 'No rule is for such a wish'}: {short} cannot be had"
    shown = table("place", "verdict", "takes", "score", "ready", title=title)
    for verdict in found.choice.verdicts:
        limit = f" ({verdict.found} of {verdict.limit})" if verdict.found and verdict.limit.isdigit() else ""
        takes = ", ".join(f"{amount_of(amount)} {sku}" for sku, amount in verdict.amounts.items())
        ready = to_iso(verdict.ready) if verdict.ready else ""
        score = f"{verdict.score:g}" if verdict.amounts else ""
        said = api.VERDICTS[verdict.code] + ("" if verdict.code in ("too_late", "opens_late") else limit)
        shown.add_row(Text(verdict.place), Text(said), Text(takes), score, ready)
    return shown


def _versions(found: list[api.VersionSeen]) -> Any:
    if not found:
        return "The rules that come with Cauce are in force; nobody has applied others."
    shown = table("version", "when", "by", "why")
    for each in found:
        shown.add_row(str(each.version), to_iso(each.at), Text(each.by), Text(each.why))
    return shown
