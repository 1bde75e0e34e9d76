"""`cauce reconcile`: what the APIs of shops say, compared with what came by webhook."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import click
import msgspec

from cauce import registry
from cauce.app import Platform
from cauce.cli.main import errors, json_option, output, pass_platform
from cauce.connectors.polling import PollReport, poll
from cauce.connectors.values import moment_of
from cauce.errors import CauceError, NotFound
from cauce.events.connections import API
from cauce.model import DAY, to_iso

MINUTES_MAX = 10_080
FATES = ("stored", "duplicate", "quarantined")


class Since(click.ParamType[int]):
    """A moment, as ISO 8601 or as a number of days before now; microseconds UTC."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if text.isascii() and text.isdigit() and 0 < int(text) <= 3_650:
            return _now() - int(text) * DAY
        found = moment_of(text)
        if found is None:
            self.fail(f"expected a time such as 2026-11-01 or a number of days (1–3650), got {text!r}", param, ctx)
        return found


class Outcome(msgspec.Struct, frozen=True):
    """One poll: what it told, or why it could not; of what it told, what became of it, unless nobody waited for it."""

    source: str
    connector: str
    poll: PollReport | None = None
    fates: dict[str, int] | None = None
    error: str = ""


@click.command("reconcile")
@click.argument("source", required=False)
@click.option("--with", "connector", help="Only this system, such as shopify.")
@click.option("--since", type=Since(), help="From when on (ISO 8601, or days back); default: since the last time.")
@click.option("--wait/--no-wait", default=True, help="Process what was fetched (default).")
@click.option(
    "--every", "minutes", type=click.IntRange(1, MINUTES_MAX), help="Go on and fetch again every so many minutes."
)
@json_option
@pass_platform
def reconcile(
    platform: Platform,
    /,
    source: str | None,
    connector: str | None,
    since: int | None,
    wait: bool,
    minutes: int | None,
    as_json: bool,
) -> None:
    """Fetch what changed from the systems of SOURCE (or of all sources), so that nothing is missing.

    What came already by webhook is a duplicate and changes nothing.
    """
    while True:
        outcomes = [_outcome(platform, *pair, since=since, wait=wait) for pair in _pairs(platform, source, connector)]
        output(as_json, outcomes, _shown)
        if minutes is None:
            click.get_current_context().exit(1 if any(one.error for one in outcomes) else 0)
        since = None
        time.sleep(minutes * 60)


def _now() -> int:
    return time.time_ns() // 1_000


def _pairs(platform: Platform, source: str | None, connector: str | None) -> list[tuple[str, str]]:
    """(source, system) of every living credential that is meant; NotFound when there is none."""
    pollers = registry.find("cauce.connectors", role="changes")
    if connector is not None:
        registry.pick(pollers, connector, what="system to fetch from")
    names = [source] if source else [one.name for one in platform.sources.list() if one.enabled]
    found = {
        (name, one.connector)
        for name in names
        for one in platform.sources.connections.secrets(name)
        if one.purpose == API and one.revoked is None and one.connector in pollers
    }
    pairs = sorted(pair for pair in found if connector in (None, pair[1]))
    if not pairs:
        raise NotFound(
            f"there is no credential for the API of {connector or 'a system'}"
            + (f" of source {source!r}" if source else ""),
            hint=f"`cauce sources secret {source or 'NAME'} --for {connector or 'SYSTEM'} --purpose api` takes one",
        )
    return pairs


def _outcome(platform: Platform, source: str, connector: str, *, since: int | None, wait: bool) -> Outcome:
    poller = registry.find("cauce.connectors", role="changes")[connector]
    before = _counts(platform, source)
    try:
        with errors.status(f"{source}: asking {connector} …") as shown:

            def told(pages: int, facts: int) -> None:
                shown.update(f"{source}: asking {connector}: {pages:,} pages, {facts:,} facts")

            connections = platform.sources.connections
            report = poll(platform, connections, poller, source, now=_now(), since=since, on_page=told)
    except CauceError as fault:
        return Outcome(source, connector, error=str(fault))
    finally:
        if wait:
            platform.drain()
    after = _counts(platform, source)
    fates = {fate: after.get(fate, 0) - before.get(fate, 0) for fate in FATES}
    return Outcome(source, connector, report, fates if wait else None)


def _counts(platform: Platform, source: str) -> dict[str, int]:
    """What became of the source's items, since ever."""
    with suppress(NotFound):
        return next((row for row in platform.quality.counts("source") if row["source"] == source), {})
    return {}


def _shown(outcomes: list[Outcome]) -> str:
    return "\n".join(_line(one) for one in outcomes)


def _line(one: Outcome) -> str:
    if one.poll is None:
        return f"{one.source}, {one.connector}: {one.error}"
    span = f"{to_iso(one.poll.since)} to {to_iso(one.poll.until)}"
    line = f"{one.source}, {one.connector}: {one.poll.facts:,} facts on {one.poll.pages:,} pages, {span}."
    if one.fates is None:
        return line
    missing, known, bad = (one.fates[fate] for fate in FATES)
    return (
        f"{line} {missing:,} were missing and are stored now, {known:,} were there already, {bad:,} are in quarantine."
    )
