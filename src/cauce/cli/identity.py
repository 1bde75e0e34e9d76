"""`cauce identity`: why these are one person, who is largest, what changed rules would do, and the steward's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import Suggesting, json_option, output, pass_platform, table, user
from cauce.errors import DefinitionInvalid
from cauce.identity.api import Rules, text_of
from cauce.model import to_iso


@click.group(cls=Suggesting)
def identity() -> None:
    """Explain, inspect and decide who is one person. Identifiers are written kind:value."""


@identity.command()
@click.argument("a")
@click.argument("b")
@json_option
@pass_platform
def explain(platform: Platform, a: str, b: str, as_json: bool) -> None:
    """Show the shortest chain of evidence between two identifiers, or what keeps them apart."""
    output(as_json, platform.people.explain(a, b), _explanation)


@identity.command()
@click.option("--limit", default=20, show_default=True, help="Most people listed.")
@json_option
@pass_platform
def clusters(platform: Platform, limit: int, as_json: bool) -> None:
    """List the people with most identifiers."""
    found = [{"person": text_of(id), "identifiers": count} for id, count in platform.people.clusters(limit)]
    output(as_json, found, lambda rows: _table(rows, "person", "identifiers"))


@identity.command()
@click.option("--limit", default=50, show_default=True, help="Most entries listed.")
@json_option
@pass_platform
def queue(platform: Platform, limit: int, as_json: bool) -> None:
    """List what a steward should look at: too large, overruled, or contested."""
    output(as_json, platform.people.queue(limit), _queue)


@identity.command()
@click.option("--limit", default=100, show_default=True, help="Most identifiers listed.")
@json_option
@pass_platform
def shared(platform: Platform, limit: int, as_json: bool) -> None:
    """List identifiers of households and devices, which are evidence for nobody."""
    output(as_json, platform.people.shared(limit), lambda rows: _records(rows, "kind", "value", "first_occurred"))


@identity.command()
@json_option
@pass_platform
def decisions(platform: Platform, as_json: bool) -> None:
    """List the stewards' words about pairs that hold."""
    output(as_json, platform.people.decisions(), lambda rows: _records(rows, "what", "a", "b", "why", "author"))


@identity.command()
@json_option
@pass_platform
def rules(platform: Platform, as_json: bool) -> None:
    """Show the identity rules in force, as YAML to edit."""
    found = platform.people.rules.as_dict()
    output(as_json, found, lambda value: yaml.safe_dump(value, allow_unicode=True, sort_keys=False))


@identity.command("dry-run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_platform
def dry_run(platform: Platform, file: Path, as_json: bool) -> None:
    """Say what the rules of a YAML file would do to the people of the recorded history; changes nothing."""
    report = platform.people.dry_run(Rules.from_yaml(_text(file)), platform.archive.scan())
    output(as_json, report, _dry_run)


@identity.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_platform
def apply(platform: Platform, file: Path, as_json: bool) -> None:
    """Apply the rules of a YAML file: everybody is put together anew from the recorded history."""
    new_rules = Rules.from_yaml(_text(file)).as_dict()
    _decide(platform, "identity.rules_applied", {"rules": new_rules}, as_json)


def _pair_command(verb: str, decision: str, text: str) -> None:
    """One command for one decision about a pair of identifiers."""

    @identity.command(verb, help=text)
    @click.argument("a")
    @click.argument("b")
    @click.option("--why", required=True, help="The reason, for the audit trail.")
    @json_option
    @pass_platform
    def decide(platform: Platform, a: str, b: str, why: str, as_json: bool) -> None:
        _decide(platform, decision, {"a": a, "b": b, "why": why}, as_json)


_pair_command("split", "identity.refused", "These two are not the same person: remembered for ever.")
_pair_command("unsplit", "identity.unrefused", "Take a split back.")
_pair_command("join", "identity.joined", "These two are the same person, whatever the rules say.")
_pair_command("unjoin", "identity.unjoined", "Take a join back.")
_pair_command("retract", "link.retracted", "The evidence between these two does not count.")
_pair_command("restore", "link.restored", "The evidence between these two counts again.")


def _decide(platform: Platform, name: str, properties: dict[str, Any], as_json: bool) -> None:
    """Records the decision of somebody who may err: nothing enters the log that names nobody or would do nothing."""
    platform.people.validate(name, properties)
    sides = [side for side in ("a", "b") if side in properties]
    for side in sides:
        platform.people.locate(properties[side])
    position = platform.decide(name, properties, user())
    people = {side: platform.people.locate(properties[side]).text for side in sides}
    output(as_json, {"decision": name, "position": position, **people}, _decided)


def _decided(found: dict[str, Any]) -> str:
    if "a" not in found:
        return f"{found['decision']}: applied"
    together = "one person" if found["a"] == found["b"] else "two people"
    return f"{found['decision']}: now {together} ({found['a']}, {found['b']})"


def _explanation(found: Any) -> Group:
    if not found.hops:
        same = "one and the same identifier" if found.a == found.b else "one person"
        return Group(Text(f"{same if found.same else 'not one person'}; no link leads from one to the other"))
    rows = table("from", "to", "evidence")
    for hop in found.hops:
        rows.add_row(hop.from_identifier, hop.to_identifier, hop.evidence.in_words)
    return Group(Text("one person" if found.same else "not one person"), rows)


def _dry_run(found: Any) -> Group:
    columns = ("change", "before", "after", "identifiers_total", "identifiers")
    return Group(Text(str(found)), *([_records(found.worst, *columns)] if found.worst else []))


def _queue(entries: Any) -> Table | str:
    if not entries:
        return "nothing: no person is too large, overruled or contested"
    rows = table("reason", "identifiers", "evidence")
    for entry in entries:
        more = entry.identifiers_total - len(entry.identifiers)
        named = "\n".join(entry.identifiers) + (f"\nand {more:,} more" if more else "")
        rows.add_row(entry.reason, named, "\n".join(evidence.in_words for evidence in entry.evidence))
    return rows


def _records(rows: Any, *columns: str) -> Table | str:
    """A table of those fields of records."""
    if not rows:
        return "nothing"
    return _table([{name: getattr(row, name) for name in columns} for row in rows], *columns)


def _table(rows: list[dict[str, Any]], *columns: str) -> Table:
    found = table(*(column.replace("_", " ") for column in columns))
    for row in rows:
        found.add_row(*(_shown(column, row[column]) for column in columns))
    return found


def _shown(column: str, value: Any) -> str:
    if column.endswith("occurred"):
        return str(to_iso(value))[:16].replace("T", " ")
    return "\n".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as fault:
        raise DefinitionInvalid(f"{file} is not UTF-8 text: {fault}") from None
