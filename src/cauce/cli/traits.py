"""`cauce traits`: computed traits as definitions, survivorship rules, and the steward's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import yaml
from rich.table import Table

from cauce.app import Platform
from cauce.cli.main import Suggesting, json_option, output, pass_platform, table, user
from cauce.errors import DefinitionInvalid
from cauce.profiles.definitions import read_definitions, read_survivorship


@click.group(cls=Suggesting)
def traits() -> None:
    """Computed traits, survivorship, and what stewards say of a trait."""


@traits.command("list")
@json_option
@pass_platform
def list_traits(platform: Platform, as_json: bool) -> None:
    """List the computed traits in force."""
    output(as_json, platform.profiles.definitions(), _table)


@traits.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_platform
def apply(platform: Platform, file: Path, as_json: bool) -> None:
    """Apply definitions of computed traits (YAML); new ones are filled from the whole history at once."""
    document = _loaded(file)
    definitions = read_definitions(document)
    _decide(platform, "trait.applied", {"definitions": document})
    names = [definition.name for definition in definitions]
    output(as_json, {"applied": names}, lambda _: f"applied: {', '.join(names)}")


@traits.command()
@click.argument("names", nargs=-1, required=True)
@json_option
@pass_platform
def remove(platform: Platform, names: tuple[str, ...], as_json: bool) -> None:
    """Remove computed traits by name."""
    _decide(platform, "trait.removed", {"names": list(names)})
    output(as_json, {"removed": names}, lambda _: f"removed: {', '.join(names)}")


@traits.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_platform
def survivorship(platform: Platform, file: Path, as_json: bool) -> None:
    """Apply survivorship rules (YAML): which value of a trait wins in the golden record."""
    document = _loaded(file)
    read_survivorship(document)
    _decide(platform, "survivorship.applied", {"survivorship": document})
    output(as_json, {"applied": document}, lambda _: "applied")


@traits.command("set")
@click.argument("identifier")
@click.argument("trait")
@click.argument("value")
@click.option("--why", required=True, help="The reason, for the audit trail.")
@json_option
@pass_platform
def set_trait(platform: Platform, identifier: str, trait: str, value: str, why: str, as_json: bool) -> None:
    """Say as a steward what a trait is: it wins over every source. VALUE is JSON or text; null takes it back."""
    try:
        said = msgspec.json.decode(value)
    except msgspec.DecodeError:
        said = value  # such as +34600000000, a date or a name
    word = {"identifier": identifier, "trait": trait, "value": said, "why": why}
    platform.people.locate(identifier)
    _decide(platform, "trait.set", word)
    output(as_json, word, lambda _: f"{trait} of {identifier} is {said!r} by the steward's word")


def _decide(platform: Platform, name: str, properties: dict[str, Any]) -> None:
    """Records the decision of somebody who may err: nothing enters the log that would do nothing."""
    platform.profiles.validate(name, properties)
    platform.decide(name, properties, user())


def _loaded(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise DefinitionInvalid(f"{file} is not readable YAML: {fault}") from None


def _table(definitions: Any) -> Table:
    rows = table("name", "compute", "events", "property", "window")
    for each in definitions:
        rows.add_row(
            each.name,
            each.compute,
            ", ".join(each.events) or "all",
            each.property or "",
            f"{each.window_days} days" if each.window_days else "all time",
        )
    return rows
