"""`cauce clerk`: the companion process that carries facts between commerce and the river."""

from __future__ import annotations

import click

from cauce.app import Platform
from cauce.app.clerk import Clerk
from cauce.cli.companion import companion_option, stopped_by_signals
from cauce.cli.main import settings_of


@click.command(hidden=True)
@companion_option
@click.pass_context
def clerk(context: click.Context, parent: int | None) -> None:
    """Carry facts between commerce and the river until stopped (started by `cauce up`)."""
    with stopped_by_signals(parent) as stopping, Platform.open(settings_of(context)) as platform:
        Clerk(platform).run(stopping)
