"""`cauce verify`: proves on the user's own data that live and bulk agree and that nothing is missing."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from cauce.app import Platform
from cauce.app.verify import verified
from cauce.cli.main import errors, json_option, output, pass_platform, table


@click.command()
@click.option("--sample", default=0, metavar="PEOPLE", help="Compare computed traits of so many people; 0 for all.")
@json_option
@pass_platform
def verify(platform: Platform, sample: int, as_json: bool) -> None:
    """Check counts, people, computed traits, timeline, history and search index against each other."""
    found = []
    for check in verified(platform, sample=sample):
        if not as_json:
            errors.print(f"[dim]{check.name}: {check.seconds:.1f} s[/dim]")
        found.append(check)
    output(as_json, found, _table)
    if not all(check.good for check in found):
        raise SystemExit(1)


def _table(checks: Any) -> Table:
    rows = table("check", "compared", "result", "differences")
    for check in checks:
        rows.add_row(
            check.name,
            f"{check.compared:,}",
            "[green]✓[/green]" if check.good else "[red]✗[/red]",
            "\n".join(check.differences),
        )
    return rows
