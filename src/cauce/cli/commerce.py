"""`cauce commerce`: whether commerce keeps its promises, here and in a storm of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cauce.app import Platform
from cauce.cli import facts
from cauce.cli.main import Suggesting, errors, json_option, output, pass_platform, table
from cauce.commerce import proof
from cauce.testing.storm.run import CLIENTS, Proven, Storm

SECONDS_PER_MINUTE = 60.0


@click.group(cls=Suggesting)
def commerce() -> None:
    """Stock, orders and points: proofs that nothing is lost, doubled or oversold."""


class Checked(msgspec.Struct, frozen=True):
    """What was checked of the store of this installation, and what broke it."""

    checks: tuple[str, ...]
    broken: tuple[proof.Broken, ...]


@commerce.command()
@json_option
@pass_platform
def verify(platform: Platform, as_json: bool) -> None:
    """Check every invariant on the stock, orders and points of this installation. Ends with 1 when one is broken."""
    found = proof.broken(platform.commerce.reader, platform.commerce.now)
    output(as_json, Checked((*proof.CHECKS, proof.IN_TIME), tuple(found)), _checked_table)
    if found:
        raise SystemExit(1)


def _checked_table(checked: Checked) -> Table:
    rows = table("invariant", "holds", "what breaks it")
    for name in checked.checks:
        broken = [one.what for one in checked.broken if one.invariant == name]
        rows.add_row(name, "[red]✗[/red]" if broken else "[green]✓[/green]", "\n".join(broken))
    return rows


@commerce.command()
@click.option("--minutes", default=1.0, type=click.FloatRange(0.01, 24 * 60), show_default=True, help="How long.")
@click.option("--clients", default=CLIENTS, type=click.IntRange(1, 1_000), show_default=True, help="How many at once.")
@click.option("--seed", default=1, type=click.IntRange(0), show_default=True, help="Another seed is another storm.")
@json_option
def prove(minutes: float, clients: int, seed: int, as_json: bool) -> None:
    """Let many clients storm a scratch store whose process is killed again and again, and look for what was lost.

    The store lies in a temporary folder; nothing of this installation is touched. Prints what was tried and what was
    found, and ends with 1 when anything acknowledged was lost or doubled, or an invariant is broken.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cauce-storm-") as folder,
        Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=errors, disable=as_json
        ) as progress,
    ):
        task = progress.add_task("starting", total=None)

        def told(kills: int, answers: int) -> None:
            progress.update(task, description=f"{kills:,} kills, {answers:,} answers")

        found = Storm(str(Path(folder)), seed, clients=clients, on_kill=told).rage(seconds=minutes * SECONDS_PER_MINUTE)
    output(as_json, found, _storm_table)
    if not found.holds:
        raise SystemExit(1)


def _storm_table(found: Proven) -> Table:
    tried = sum(found.done.values())
    rows = table(
        "what", "times",
        title=f"{found.kills:,} kills in {found.seconds:.0f} s, seed {found.seed}: "
        f"{'nothing lost, nothing doubled, nothing oversold' if found.holds else 'promises broken'}",
    )  # fmt: skip
    rows.add_row("answers acknowledged", f"{found.answers:,}")
    rows.add_row("commands done", f"{tried:,}: " + ", ".join(f"{name} {count:,}" for name, count in found.done.items()))
    rows.add_row("refused", ", ".join(f"{code} {count:,}" for code, count in found.refused.items()))
    rows.add_row("sent once more and answered alike", f"{found.repeated:,}")
    for name, faults in _faults(found).items():
        rows.add_row(name, f"[green]{len(faults)}[/green]" if not faults else "\n".join(faults))
    rows.add_row("invariants checked after every kill", "\n".join(found.checks))
    return rows


def _faults(found: Proven) -> dict[str, Any]:
    return {
        "answers nobody should get": found.failed,
        "acknowledged and lost": found.lost,
        "one key, two answers": found.doubled,
        "invariants broken": [f"{one.invariant}: {one.what}" for one in found.broken],
    }


commerce.add_command(facts.facts)
commerce.add_command(facts.reconcile)
