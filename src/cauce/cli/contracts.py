"""`cauce contracts`: what events must look like, and what happens to those that do not."""

from __future__ import annotations

from typing import Any, TextIO

import click
import msgspec
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import json_option, output, pass_platform, user
from cauce.errors import NotFound
from cauce.model import to_iso
from cauce.quality.api import ContractInForce, contract_request, read
from cauce.registry import nearest


@click.group()
def contracts() -> None:
    """Contracts: list, show, apply, remove, and see which are broken."""


@contracts.command("list")
@json_option
@pass_platform
def list_contracts(platform: Platform, as_json: bool) -> None:
    """List the contracts in force."""
    found = platform.quality.contracts()
    value = {"unknown": platform.quality.unknown(), "contracts": [_brief(contract) for contract in found]}
    output(as_json, value, _listed)


@contracts.command()
@click.argument("key")
@json_option
@pass_platform
def show(platform: Platform, key: str, as_json: bool) -> None:
    """Show one contract, such as "track:Order Completed", as it can be applied again."""
    by_key = {contract.key: contract for contract in platform.quality.contracts()}
    if key not in by_key:
        raise NotFound(f"no contract is named {key!r}", hint=nearest(key, list(by_key)))
    definition = msgspec.to_builtins(by_key[key].contract)
    kinds = list(definition.pop("identifiers", ["*"]))
    definition["identifiers"] = "any" if kinds == ["*"] else kinds or "none"
    document = msgspec.json.format(msgspec.json.encode({"contracts": [definition]}), indent=2).decode()
    output(as_json, {**_brief(by_key[key]), "definition": definition}, lambda _: click.echo(document))


@contracts.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--by", default=user, show_default="your user name", help="Who decides.")
@json_option
@pass_platform
def apply(platform: Platform, file: TextIO, by: str, as_json: bool) -> None:
    """Apply a contract set (YAML or JSON); contracts of the same key are replaced, others stay."""
    request = contract_request(read(file.read()))
    platform.decide("contract.applied", request, by)
    output(as_json, request, lambda _: f"{len(request['contracts'])} contracts applied.")


@contracts.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--by", default=user, show_default="your user name", help="Who decides.")
@json_option
@pass_platform
def remove(platform: Platform, keys: tuple[str, ...], by: str, as_json: bool) -> None:
    """Remove contracts; their events count as unknown from then on."""
    known = [contract.key for contract in platform.quality.contracts()]
    for key in keys:
        if key not in known:
            raise NotFound(f"no contract is named {key!r}", hint=nearest(key, known))
    platform.decide("contract.removed", {"contracts": list(keys)}, by)
    output(as_json, {"removed": list(keys)}, lambda _: f"{len(keys)} contracts removed.")


@contracts.command()
@json_option
@pass_platform
def breaches(platform: Platform, as_json: bool) -> None:
    """List what events broke and were stored all the same, because they are only observed."""
    output(as_json, platform.quality.breaches(), _breaches)


def _brief(found: ContractInForce) -> dict[str, Any]:
    contract = found.contract
    return {
        "key": found.key,
        "mode": contract.mode,
        "description": contract.description,
        "version": found.version,
        "decided": to_iso(found.decided) if found.decided else None,
        "decided_by": found.decided_by or None,
    }


def _listed(value: dict[str, Any]) -> Table:
    table = Table("contract", "mode", "version", "what it is", box=None, header_style="bold")
    for contract in value["contracts"]:
        version = f"{contract['version']} by {contract['decided_by']}" if contract["version"] else "starter"
        table.add_row(*map(Text, (contract["key"], contract["mode"], version, contract["description"])))
    return table


def _breaches(found: list[Any]) -> Any:
    if not found:
        return "No contract is broken."
    table = Table("events", "contract", box=None, header_style="bold")
    for column in ("reason", "at", "source", "last day"):
        table.add_column(column, overflow="fold", no_wrap=column == "reason")
    for breach in found:
        texts = (str(breach.count), breach.contract, breach.code, breach.path, breach.source, breach.last_day)
        table.add_row(*map(Text, texts))
    return table
