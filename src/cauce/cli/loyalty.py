"""`cauce loyalty`: programmes as files, members, statements, corrections by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.cli.main import Suggesting, actor, json_option, output, pass_platform, table, user
from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.adjusting import Adjust, SweepPoints
from cauce.commerce.loyalty.programmes import ApplyProgramme, RetireProgramme
from cauce.commerce.loyalty.who import identifiers_of
from cauce.errors import DefinitionInvalid, NotFound, Unreadable
from cauce.model import DAY, from_iso, to_iso


@click.group(cls=Suggesting)
def loyalty() -> None:
    """Programmes, members and their points."""


@loyalty.command()
@json_option
@pass_platform
def programmes(platform: Platform, as_json: bool) -> None:
    """List the programmes and what became of their points."""
    reader = platform.commerce.reader
    rows = []
    for code, (head, definition) in api.programmes_of(reader).items():
        figures = msgspec.to_builtins(api.figures(reader, code))
        rows.append({
            **figures, "programme": code, "name": definition.name, "version": head.version, "open": bool(head.is_open),
        })  # fmt: skip
    output(as_json, rows, _programmes)


@loyalty.command()
@click.argument("code")
@click.option("--version", "number", type=click.IntRange(1), help="Which version; default: the present one.")
@json_option
@pass_platform
def programme(platform: Platform, code: str, number: int | None, as_json: bool) -> None:
    """Show a programme as it was written."""
    reader = platform.commerce.reader
    api.found_programme(reader, code)
    versions = {each.version: each for each in api.versions(reader, code)}
    wanted = number or max(versions)
    if wanted not in versions:
        raise NotFound(f"{code} has no version {wanted}", hint=f"It has versions 1 to {max(versions)}")
    written = versions[wanted].document
    output(as_json, api.document_of(written), lambda _: written.rstrip())


@loyalty.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only check it.")
@json_option
@pass_platform
def apply(platform: Platform, file: Path, dry_run: bool, as_json: bool) -> None:
    """Apply a programme (YAML or JSON): a new one, or the next version of one."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(f"{file} is no text in UTF-8") from None
    wanted = api.read_programme(text)
    if dry_run:
        output(as_json, {"programme": wanted.programme, "valid": True}, lambda _: f"{wanted.programme}: can be applied")
        return
    found = platform.commerce.do(ApplyProgramme(document=text, by=user()))
    platform.audit.note(actor(), "loyalty.programme_applied", found.programme, {"version": found.version})
    output(as_json, found, lambda _: f"{found.programme}: version {found.version} is in force")


@loyalty.command()
@click.argument("code")
@json_option
@pass_platform
def retire(platform: Platform, code: str, as_json: bool) -> None:
    """Retire a programme: nothing is earned in it any more, points can be spent until they expire."""
    found = platform.commerce.do(RetireProgramme(programme=code, by=user()))
    platform.audit.note(actor(), "loyalty.programme_retired", code)
    output(as_json, found, lambda _: f"{code}: retired")


@loyalty.command()
@click.argument("key")
@json_option
@pass_platform
def member(platform: Platform, key: str, as_json: bool) -> None:
    """Show what somebody has. KEY is kind:value, such as loyalty:9001, or a person's id."""
    who = identifiers_of(platform.people, key)
    found = api.balance(platform.commerce.reader, who, platform.commerce.now)
    if not found:
        raise NotFound(f"{key} is no member of any programme")
    output(as_json, found, _members)


@loyalty.command()
@click.argument("key")
@click.option("--programme", default="", help="Code of one programme; default: all.")
@click.option("--from", "since", default="", help="First day (ISO); default: the beginning.")
@click.option("--until", default="", help="Last day (ISO); default: today.")
@json_option
@pass_platform
def statement(platform: Platform, key: str, programme: str, since: str, until: str, as_json: bool) -> None:
    """Show the statement of a period; it sums up."""
    who = identifiers_of(platform.people, key)
    first = _moment(since, "--from", 0) if since else 0
    last = _moment(until, "--until", DAY) if until else platform.commerce.now + 1
    found = api.statement(platform.commerce.reader, who, first, last, programme)
    if not found:
        raise NotFound(f"{key} is no member of {programme or 'any programme'}")
    output(as_json, found, _statements)


@loyalty.command()
@click.argument("key")
@click.argument("points", type=int)
@click.option("--programme", required=True, help="Code of the programme.")
@click.option("--why", required=True, help="The reason, for the statement and the audit trail.")
@json_option
@pass_platform
def adjust(platform: Platform, key: str, points: int, programme: str, why: str, as_json: bool) -> None:
    """Give points by hand, or (below 0, after --) take them."""
    who = identifiers_of(platform.people, key)
    _head, definition = api.found_programme(platform.commerce.reader, programme)
    chosen = definition.member_of(who)
    if not chosen:
        raise DefinitionInvalid(f"expected somebody known by one of {', '.join(definition.members)}, got {key!r}")
    found = platform.commerce.do(Adjust(programme=programme, member=chosen, points=points, why=why, by=user()))
    platform.audit.note(actor(), "loyalty.adjusted", programme, {"points": points})
    output(as_json, found, lambda _: f"{chosen}: {points:+} points")


@loyalty.command()
@json_option
@pass_platform
def sweep(platform: Platform, as_json: bool) -> None:
    """Let points expire whose time is over, now instead of with the next round."""
    lots = points = 0
    while (found := platform.commerce.do(SweepPoints())).lots or found.members:
        lots, points = lots + found.lots, points + found.points
    output(as_json, {"lots": lots, "points": points}, lambda _: f"{points} points of {lots} lots have expired")


def _moment(text: str, name: str, more: int) -> int:
    try:
        return from_iso(text) + (more if "T" not in text else 0)
    except ValueError:
        raise DefinitionInvalid(f"expected {name} to be an ISO day such as 2026-11-21, got {text[:40]!r}") from None


def _programmes(rows: Any) -> Table:
    found = table("programme", "name", "version", "members", "issued", "spent", "expired", "outstanding")
    for row in rows:
        found.add_row(
            row["programme"], row["name"], f"{row['version']}{'' if row['open'] else ' (retired)'}",
            str(row["members"]), str(row["issued"]), str(row["spent"]), str(row["expired"]), str(row["outstanding"]),
        )  # fmt: skip
    return found


def _members(balances: Any) -> Group:
    parts: list[Any] = []
    for each in balances:
        tier = f" · {each.progress.name or 'no tier'}" if each.progress else ""
        words = [f"{each.available} points can be spent"]
        words += [
            f"{getattr(each, name)} {name}" for name in ("held", "coming", "overdue", "owed") if getattr(each, name)
        ]
        parts.append(Text(f"{each.name}{tier}: {', '.join(words)}"))
        rows = table("lot", "member", "points", "held", "expires")
        for lot in each.lots:
            expires = "never" if lot.expires >= api.FOREVER else to_iso(lot.expires)[:10]
            rows.add_row(lot.source, lot.member, str(lot.points), str(lot.held or ""), expires)
        parts.append(rows)
    return Group(*parts)


def _statements(statements: Any) -> Group:
    parts: list[Any] = []
    for each in statements:
        rows = table("when", "what", "why", "points", "balance", title=each.programme)
        rows.add_row("", "opening", "", "", str(each.opening))
        for move in each.movements:
            rows.add_row(to_iso(move.at)[:16], move.sort, move.why, f"{move.points:+}", str(move.balance))
        rows.add_row("", "closing", "", "", str(each.closing))
        parts.append(rows)
    return Group(*parts)
