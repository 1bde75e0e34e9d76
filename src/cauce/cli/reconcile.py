"""`cauce reconcile`: what a shop's own API says, compared with what came by webhook."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import click

from cauce import registry
from cauce.app import Platform
from cauce.cli.main import errors, json_option, output, pass_platform
from cauce.connectors.polling import PollReport, poll
from cauce.connectors.values import moment_of
from cauce.errors import NotFound
from cauce.events.connections import API
from cauce.model import DAY, to_iso


class Since(click.ParamType[int]):
    """A moment, as ISO 8601 or as a number of days before now; microseconds UTC."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if text.isascii() and text.isdigit() and 0 < int(text) <= 3_650:
            return time.time_ns() // 1_000 - int(text) * DAY
        found = moment_of(text)
        if found is None:
            self.fail(f"expected a time such as 2026-11-01 or a number of days (1–3650), got {text!r}", param, ctx)
        return found


@click.command("reconcile")
@click.argument("source")
@click.option("--with", "connector", help="Which system, when the source is connected to more than one.")
@click.option("--since", type=Since(), help="From when on (ISO 8601, or days back); default: since the last time.")
@click.option("--wait/--no-wait", default=True, help="Process what was fetched (default).")
@json_option
@pass_platform
def reconcile(
    platform: Platform, source: str, connector: str | None, since: int | None, wait: bool, as_json: bool
) -> None:
    """Fetch what changed from the system of SOURCE, so that nothing is missing that a webhook did not bring.

    What came already is a duplicate and changes nothing. Run it from time to time, for instance every hour.
    """
    name = connector or _only(platform, source)
    poller = registry.pick(registry.find("cauce.connectors", role="changes"), name, what="system to fetch from")
    before = _counts(platform, source)
    now = time.time_ns() // 1_000
    with errors.status(f"asking {name} …") as shown:

        def told(pages: int, facts: int) -> None:
            shown.update(f"asking {name}: {pages:,} pages, {facts:,} facts")

        report = poll(platform, platform.sources.connections, poller, source, now=now, since=since, on_page=told)
    if wait:
        platform.drain()
    after = _counts(platform, source)
    fates = {fate: after.get(fate, 0) - before.get(fate, 0) for fate in ("stored", "duplicate", "quarantined")}
    output(as_json, {"poll": report, **(fates if wait else {})}, _shown)


def _only(platform: Platform, source: str) -> str:
    """The one system whose API the source has a credential for."""
    found = platform.sources.connections.secrets(source)
    names = sorted({one.connector for one in found if one.purpose == API and one.revoked is None})
    if len(names) == 1:
        return names[0]
    if not names:
        raise NotFound(
            f"source {source!r} has no credential for the API of any system",
            hint=f"`cauce sources secret {source} --for SYSTEM --purpose api` takes one",
        )
    raise click.UsageError(f"source {source!r} is connected to {', '.join(names)}: say which with --with.")


def _counts(platform: Platform, source: str) -> dict[str, int]:
    """What became of the source's items, since ever."""
    with suppress(NotFound):
        return next((row for row in platform.quality.counts("source") if row["source"] == source), {})
    return {}


def _shown(value: dict[str, Any]) -> str:
    report: PollReport = value["poll"]
    span = f"{to_iso(report.since)} to {to_iso(report.until)}"
    lines = [f"{report.connector}: {report.facts:,} facts on {report.pages:,} pages, {span}."]
    if "stored" in value:
        lines.append(
            f"{value['stored']:,} were missing and are stored now, {value['duplicate']:,} were there already, "
            f"{value['quarantined']:,} are in quarantine."
        )
    return "\n".join(lines)
