"""`cauce indexer`: the companion process that keeps the search index up to date and makes pages ready."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import click

from cauce import console
from cauce.app import Platform
from cauce.cli.companion import companion_option, stopped_by_signals
from cauce.cli.main import settings_of

NICENESS = 10


@click.command(hidden=True)
@companion_option
@click.pass_context
def indexer(context: click.Context, parent: int | None) -> None:
    """Keep the search index up to date until stopped, and make pages ready (started by `cauce up`)."""
    with stopped_by_signals(parent) as stopping, Platform.open(settings_of(context)) as platform:
        with suppress(OSError):
            os.nice(NICENESS)  # the river and the doors go first
        threading.Thread(target=console.prepare, args=(platform.settings.folder,), daemon=True).start()
        platform.search.follow(stopping)
