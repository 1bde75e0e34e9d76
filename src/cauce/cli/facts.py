"""`cauce commerce facts` and `cauce commerce reconcile`: what the river told commerce, and whether the books agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cauce.app import Platform
from cauce.app.clerk import follower_of
from cauce.app.stock_files import Report, Wanted, compare_file
from cauce.cli.main import Suggesting, json_option, output, pass_platform, table, user
from cauce.commerce import proof
from cauce.commerce.tills import api, outcomes
from cauce.commerce.tills.applying import Drop, Rewind
from cauce.commerce.tills.habits import NameStore, SetHabit
from cauce.commerce.tills.store import Receipt
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import Event, from_iso, position_of, to_iso

HABITS = ("receipts", "orders", "levels", "goods")


@click.group(cls=Suggesting)
def facts() -> None:
    """Facts of the river that have their effect in commerce: receipts, returns, orders, levels, observed goods."""


@facts.command()
@json_option
@pass_platform
def status(platform: Platform, as_json: bool) -> None:
    """Show how far the river is followed, and what waits for what."""
    found = {
        "state": api.state(platform.commerce, platform.archive.last_position()),
        "pending": api.pending(platform.commerce),
        "stores": api.strange(platform.commerce),
    }
    output(as_json, found, _status)


def _status(found: dict[str, Any]) -> Group:
    state: api.State = found["state"]
    parts: list[Any] = [
        Text(
            f"followed to {state.position:,} of {state.river:,} · {state.to_tell:,} facts to tell · "
            f"{state.pending:,} lines wait for a product · {state.unfit:,} facts wait for mending"
        )
    ]
    if found["pending"]:
        rows = table("channel", "id", "name", "lines", title="Ids that nobody knows: cauce catalogue map")
        for one in found["pending"]:
            rows.add_row(one.channel, one.item, one.name, f"{one.lines:,}")
        parts.append(rows)
    if found["stores"]:
        rows = table("source", "store", "facts", title="Stores that are no place: cauce commerce facts name")
        for one in found["stores"]:
            rows.add_row(one.source, one.store or "(none)", f"{one.facts:,}")
        parts.append(rows)
    return Group(*parts)


@facts.command("list")
@click.option("--all", "with_all", is_flag=True, help="Also those that were mended or dropped.")
@click.option("--after", default=0, type=click.IntRange(0), help="Behind this position.")
@click.option("--limit", default=100, type=click.IntRange(1, 1_000), show_default=True, help="Most facts.")
@json_option
@pass_platform
def list_(platform: Platform, with_all: bool, after: int, limit: int, as_json: bool) -> None:
    """List facts that could not have their effect, with their reasons."""
    found = api.unfit(platform.commerce, state="" if with_all else api.WAITING, after=after, limit=limit)
    shown = [{**one._asdict(), "event": None, "at": to_iso(one.at)} for one in found]
    output(as_json, shown, _listed)


def _listed(found: list[dict[str, Any]]) -> Table:
    rows = table("position", "source", "event", "state", "reason", "what is wrong")
    for one in found:
        rows.add_row(str(one["position"]), one["source"], one["name"], one["state"], one["reason"], one["message"])
    return rows


@facts.command()
@click.option("--kind", default="", type=click.Choice(["", *outcomes.KINDS]), help="How goods went.")
@click.option("--place", default="", metavar="PLACE", help="Only of this place.")
@click.option("--till", default="", metavar="TILL", help="Only of this till of the PLACE.")
@click.option("--source", default="", metavar="NAME", help="Only of this source.")
@click.option("--limit", default=50, type=click.IntRange(1, 1_000), show_default=True, help="Most to show.")
@json_option
@pass_platform
def receipts(platform: Platform, /, *, as_json: bool, limit: int, **which: str) -> None:
    """List receipts of tills and movements of goods as they were kept, by place, the latest of each first."""
    found = outcomes.receipts(platform.commerce, outcomes.Which(**which), limit=limit)
    output(as_json, list(map(_kept, found)), _receipts)


def _kept(receipt: Receipt) -> dict[str, Any]:
    told = {name: getattr(receipt, name) for name in ("position", "state", "number", "source", "channel", "place")}
    lines = [{"sku": sku, "amount": amount} for sku, amount in outcomes.lines_of(receipt)]
    till = outcomes.till_of(receipt)._asdict()
    return {**told, "kind": receipt.step, **till, "occurred": to_iso(receipt.at), "lines": lines}


def _receipts(found: list[dict[str, Any]]) -> Table:
    rows = table("position", "place", "till", "number", "occurred", "kind", "state", "lines")
    for one in found:
        rows.add_row(
            str(one["position"]),
            *(one[name] for name in ("place", "till", "number", "occurred", "kind", "state")),
            f"{len(one['lines']):,}",
        )
    return rows


@facts.command()
@click.argument("position", type=int)
@json_option
@pass_platform
def show(platform: Platform, position: int, as_json: bool) -> None:
    """Show a fact by the position of its event, whole, and what became of it."""
    stored = platform.archive.bodies([position]).get(position)
    event = stored.event if stored else api.event_of(platform.commerce, position)[1]
    found = outcomes.outcome_of(platform.commerce, follower_of(platform), event)
    if found is None:
        raise NotFound(f"the event at position {position} is none that commerce acts on: it is {event.name!r}")
    shown = {
        "position": position,
        "source": event.source,
        "name": event.name,
        "outcome": found.outcome,
        "reason": found.reason,
        "message": found.message or outcomes.OUTCOMES[found.outcome],
        "by": found.by,
        "told_by": found.told_by,
        "kept": list(map(_kept, found.kept)),
        "waiting": [{"channel": one.channel, "item": one.item, "name": one.name} for one in found.waiting],
        "occurred": to_iso(event.occurred),
        "channel": event.channel,
        "properties": event.properties,
    }
    output(as_json, shown, lambda told: msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


@facts.command()
@click.argument("position", type=int)
@click.option("--set", "changes", multiple=True, metavar="PATH=VALUE", help="A property, as products.0.quantity=2.")
@json_option
@pass_platform
def mend(platform: Platform, position: int, changes: tuple[str, ...], as_json: bool) -> None:
    """Change properties of a fact and let it have its effect; the event in the archive stays as it came."""
    _, event = api.event_of(platform.commerce, position)
    output(as_json, _retry(platform, outcomes.changed(event, dict(map(_change, changes)))), _retried)


@facts.command()
@click.argument("positions", type=int, nargs=-1)
@click.option("--all", "with_all", is_flag=True, help="All that wait.")
@json_option
@pass_platform
def retry(platform: Platform, positions: tuple[int, ...], with_all: bool, as_json: bool) -> None:
    """Let facts have their effect as they are, because what was in the way is gone."""
    if bool(positions) == with_all:
        raise click.UsageError("Give POSITIONS, or --all.")
    wanted = [one.position for one in api.unfit(platform.commerce, limit=1_000)] if with_all else positions
    done = []
    for position in wanted:
        try:
            done.append(_retry(platform, api.event_of(platform.commerce, position)[1]))
        except DefinitionInvalid as fault:
            if not with_all:
                raise
            done.append({"position": position, "applied": False, "why": fault.message})
    output(as_json, done, lambda found: "\n".join(map(_retried, found)) or "nothing waits")


def _retry(platform: Platform, event: Event) -> dict[str, Any]:
    """Carries a fact out; DefinitionInvalid with the reason when it still cannot be."""
    found = outcomes.tried_again(platform.commerce, follower_of(platform), event, by=user())
    return {"position": event.position, "applied": True, "new": found.new, "pending": found.pending}


def _retried(told: dict[str, Any]) -> str:
    if not told["applied"]:
        return f"{told['position']}: {told['why']}"
    return f"{told['position']}: had its effect" if told["new"] else f"{told['position']}: was known already"


def _change(change: str) -> tuple[str, Any]:
    path, mark, text = change.partition("=")
    if not mark or not path:
        raise click.UsageError(f"expected PATH=VALUE such as products.0.quantity=2, got {change!r}")
    try:
        return path, msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return path, text


@facts.command()
@click.argument("position", type=int)
@json_option
@pass_platform
def drop(platform: Platform, position: int, as_json: bool) -> None:
    """Let a fact have no effect, for good; its event stays in the archive."""
    platform.commerce.do(Drop(position=position, by=user()))
    output(as_json, {"position": position, "dropped": True}, lambda told: f"{told['position']}: dropped")


@facts.command()
@click.argument("source")
@click.argument("store")
@click.argument("place")
@json_option
@pass_platform
def name(platform: Platform, source: str, store: str, place: str, as_json: bool) -> None:
    """Say which PLACE the STORE of a SOURCE (`*`: of any) is; what was told of it before has its effect now.

    An empty STORE is for facts that name none, an empty PLACE takes the name back.
    """
    found = platform.commerce.do(NameStore(source=source, store=store, place=place, by=user()))
    output(as_json, found, lambda told: f"{told.source} {told.store or '(none)'} is {told.place or 'no place'}")


@facts.command()
@json_option
@pass_platform
def names(platform: Platform, as_json: bool) -> None:
    """List what sources call our places."""
    output(as_json, [one._asdict() for one in api.names(platform.commerce)], _names)


def _names(found: list[dict[str, Any]]) -> Table:
    rows = table("source", "store", "place", "by")
    for one in found:
        rows.add_row(one["source"], one["store"] or "(none)", one["place"], one["by"])
    return rows


def _habit_options(function: Any) -> Any:
    for option, help_text in (
        ("goods", "Observed goods (EPCIS) move stock."),
        ("levels", "What it says lies in a place counts as a physical count."),
        ("orders", "Its orders are recorded."),
        ("receipts", "Receipts and returns move stock and earn points."),
    ):
        function = click.option(f"--{option}/--no-{option}", default=None, help=help_text)(function)
    return function


@facts.command()
@click.argument("source", required=False)
@_habit_options
@click.option("--ids", metavar="CHANNEL", help="Channel in which its ids of products are looked up.")
@json_option
@pass_platform
def habits(platform: Platform, /, source: str | None, as_json: bool, **told: Any) -> None:
    """Show what the facts of sources do here, or say it of a SOURCE (`*`: of all that have no habit of their own)."""
    if any(value is not None for value in told.values()):
        if source is None:
            raise click.UsageError("Give the SOURCE, or * for all others.")
        platform.commerce.do(SetHabit(source=source, by=user(), **told))
    found = [one._asdict() for name, one in sorted(api.habits(platform.commerce).items()) if source in (None, name)]
    output(as_json, found, _habits)


def _habits(found: list[dict[str, Any]]) -> Table:
    rows = table("source", *HABITS, "ids")
    for one in found:
        rows.add_row(one["source"], *("✓" if one[habit] else "—" for habit in HABITS), one["ids"] or "of the event")
    return rows


@facts.command()
@click.option("--since", metavar="MOMENT", help="From what was received at this moment (ISO 8601) on.")
@click.option("--again", is_flag=True, help="From the very beginning.")
@json_option
@pass_platform
def follow(platform: Platform, since: str | None, again: bool, as_json: bool) -> None:
    """Follow the river up to now; with --since or --again once more. What had its effect has it no second time."""
    if since is not None or again:
        platform.commerce.do(Rewind(position=0 if again else _position(platform, str(since))))
    platform.drain()
    follower = follower_of(platform)
    while follower.step() or follower.settle():
        pass
    follower.note()
    output(as_json, api.state(platform.commerce, platform.archive.last_position()), _followed)


def _followed(state: api.State) -> str:
    return f"followed to {state.position:,} of {state.river:,}; {state.pending:,} lines and {state.unfit:,} facts wait"


def _position(platform: Platform, since: str) -> int:
    """The position before the first record that was received at a moment."""
    try:
        moment = from_iso(since)
    except ValueError:
        raise click.UsageError(f"expected a moment such as 2026-11-30T18:00:00Z, got {since!r}") from None
    low, high = 1, platform.log.end() + 1
    while low < high:
        middle = (low + high) // 2
        (record,) = platform.log.read(middle - 1, records_max=1, bytes_max=1)
        low, high = (low, middle) if record.received >= moment else (middle + 1, high)
    return position_of(low, 0) - 1


# -- reconciling ------------------------------------------------------------------------------------------------------


class Reconciled(msgspec.Struct, frozen=True):
    """Whether the books agree with themselves, with the river, and with what a file says lies there."""

    agrees: bool
    broken: tuple[proof.Broken, ...]
    state: api.State
    file: Report | None


@click.command()
@click.argument("feed", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", default=api.EVERY, metavar="NAME", help="Source whose names of stores the FEED uses.")
@click.option("--channel", default="", metavar="NAME", help="Channel whose ids of products the FEED uses.")
@click.option("--place", default="", metavar="PLACE", help="The place of rows that name none.")
@click.option("--at", "at", default="", metavar="MOMENT", help="When it lay there, for rows that do not say; now.")
@json_option
@pass_platform
def reconcile(
    platform: Platform, feed: Path | None, source: str, channel: str, place: str, at: str, as_json: bool
) -> None:
    """Compare the books with themselves, with the river, and with what a FEED says lies where. Changes nothing.

    FEED is a table (CSV, Excel …) or an InventoryReport of UBL, as `cauce stock import` reads it. Ends with 1 when
    something differs, or waits.
    """
    state = api.state(platform.commerce, platform.archive.last_position())
    broken = tuple(proof.broken(platform.commerce.reader, platform.commerce.now))
    wanted = Wanted(source, channel, place, moment_of(at))
    report = compare_file(platform, feed, wanted) if feed is not None else None
    waits = state.to_tell + state.pending + state.unfit + state.strange
    differs = report is not None and bool(report.differences or report.bad_rows)
    found = Reconciled(not (broken or waits or differs), broken, state, report)
    output(as_json, found, _reconciled)
    if not found.agrees:
        raise SystemExit(1)


def moment_of(text: str) -> int:
    """Microseconds of a moment that was told, 0 for none."""
    if not text:
        return 0
    try:
        return from_iso(text)
    except ValueError:
        raise click.UsageError(f"expected a moment such as 2026-11-30T18:00:00Z, got {text!r}") from None


def _reconciled(found: Reconciled) -> Group:
    state = found.state
    lines: list[Any] = [
        Text("the books agree" if found.agrees else "something differs, or waits"),
        Text(
            f"invariants broken: {len(found.broken)} · facts to tell: {state.to_tell:,} · lines without a product: "
            f"{state.pending:,} · facts to mend: {state.unfit:,} · unknown stores: {state.strange:,}"
        ),
    ]
    lines += [Text(f"{one.invariant}: {one.what}") for one in found.broken]
    if found.file is not None:
        lines.append(report_shown(found.file, "differs"))
    return Group(*lines)


def report_shown(report: Report, verb: str) -> Group:
    """A file's report: what differs, and what is wrong with its rows."""
    lines: list[Any] = [Text(f"{report.name}: {report.rows:,} rows, {report.products:,} products")]
    if report.differences:
        rows = table("place", "product", "told", "books", "by", "at", title=f"{len(report.differences):,} {verb}")
        for one in report.differences:
            books = one.told - one.difference
            rows.add_row(one.place, one.sku, _units(one.told), _units(books), _units(one.difference), one.at)
        lines.append(rows)
    if report.bad_rows:
        rows = table("line", "what is wrong", title=f"{report.bad_rows:,} rows of no use")
        for bad in report.bad:
            rows.add_row(str(bad.line), bad.why)
        lines.append(rows)
    return Group(*lines)


def _units(thousandths: int) -> str:
    return f"{thousandths / 1_000:,.3f}".rstrip("0").rstrip(".")
