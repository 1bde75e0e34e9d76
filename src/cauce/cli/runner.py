"""`cauce runner`: moves the log through the stages until stopped."""

from __future__ import annotations

import click

from cauce.app import Platform
from cauce.cli.companion import companion_option, stopped_by_signals
from cauce.cli.main import settings_of


@click.command()
@companion_option
@click.pass_context
def runner(context: click.Context, parent: int | None) -> None:
    """Process the log until stopped, without a door; `cauce up` starts one by itself.

    On PostgreSQL any number of them share the work. An embedded installation has one; a further one waits for its turn.
    """
    with stopped_by_signals(parent) as stopping, Platform.open(settings_of(context)) as platform:
        platform.run(stopping)
