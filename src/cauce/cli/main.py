"""`cauce`: the group of all commands, found in this package: one file each, loaded only when called."""

from __future__ import annotations

import getpass
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from cauce import __version__
from cauce.access.api import Actor, at_the_command_line
from cauce.app import Platform
from cauce.errors import CauceError
from cauce.registry import nearest
from cauce.settings import Settings

COMMANDS = {
    "audit": "audit",
    "baskets": "baskets",
    "bench": "bench",
    "bookings": "bookings",
    "catalogue": "catalogue",
    "clerk": "clerk",
    "commerce": "commerce",
    "contracts": "contracts",
    "demo": "demo",
    "export": "export",
    "fulfilment": "fulfilment",
    "identity": "identity",
    "import": "imports",
    "indexer": "indexer",
    "loyalty": "loyalty",
    "migrate": "migrate",
    "orders": "orders",
    "people": "people",
    "pickups": "pickups",
    "quarantine": "quarantine",
    "reconcile": "reconcile",
    "replay": "replay",
    "returns": "returns",
    "runner": "runner",
    "settings": "settings",
    "sources": "sources",
    "sql": "sql",
    "status": "status",
    "stock": "stock",
    "tokens": "tokens",
    "traits": "traits",
    "up": "up",
    "users": "users",
    "value": "value",
    "verify": "verify",
}
"""Command → module of this package that defines it (as `command_name` or `command`)."""

HIDDEN = {"clerk", "indexer", "runner"}

P = ParamSpec("P")
R = TypeVar("R")

PIPED_COLUMNS = 160
"""Width of a text that goes to a file or a program, where no window says how wide it may be."""


def _console(*, stderr: bool = False) -> Console:
    """Shows in the width of the window, or of `COLUMNS`; wide where there is no window, so that nothing is cut."""
    found = Console(stderr=stderr, highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = PIPED_COLUMNS
    return found


console = _console()
errors = _console(stderr=True)


class Suggesting(click.Group):
    """A group that names the nearest command when there is none of that name."""

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if words and not words[0].startswith("-") and self.get_command(context, words[0]) is None:
            raise click.UsageError(
                f"there is no command {words[0]!r}. {nearest(words[0], self.list_commands(context))}", context
            )
        return super().resolve_command(context, words)


class Commands(Suggesting):
    """Loads a command's module when it is asked for, so that `cauce --help` is quick."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(set(COMMANDS) - HIDDEN)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        module = COMMANDS.get(name)
        if module is None:
            return None
        found = getattr(importlib.import_module(f"cauce.cli.{module}"), f"{name.replace('import', 'import_')}")
        assert isinstance(found, click.Command)
        return found

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except CauceError as fault:
            errors.print(f"[red]{fault.code}[/red]: ", end="")
            errors.print(str(fault), markup=False, soft_wrap=True)
            context.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="cauce")
@click.option("--data", metavar="FOLDER", help="Data folder; default: CAUCE_DATA or ./cauce-data.")
@click.pass_context
def main(context: click.Context, data: str | None) -> None:
    """Cauce: every channel of a company in, one true customer out."""
    context.obj = data


def settings_of(context: click.Context, **values: Any) -> Settings:
    """Settings of the environment, with `--data` and other options on top."""
    return Settings.from_environment(data=context.find_root().obj, **values)


def pass_platform(function: Callable[Concatenate[Platform, P], R]) -> Callable[P, R]:
    """Gives the command an open Platform as first argument and closes it afterwards."""

    @wraps(function)
    def opened(*arguments: P.args, **options: P.kwargs) -> R:
        with Platform.open(settings_of(click.get_current_context())) as platform:
            return function(platform, *arguments, **options)

    return opened


def json_option(function: Callable[P, R]) -> Callable[P, R]:
    """`--json` as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


def output(as_json: bool, value: Any, render: Callable[[Any], Any]) -> None:
    """Prints `value` as JSON, or as `render` shows it: a rich renderable or a text."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
        return
    shown = render(value)
    if shown is not None:
        # Long lines of text are left to the window, so that addresses and keys can be copied whole.
        console.print(shown, markup=False, soft_wrap=True) if isinstance(shown, str) else console.print(shown)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table without frames, so that it fits into 80 columns where it can; nothing is cut, long values wrap."""
    found = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        found.add_column(column, overflow="fold")
    return found


def actor() -> Actor:
    """Who decides at the command line."""
    return at_the_command_line(user())


def user() -> str:
    """Who decides, for the audit trail: the name of the operating system's user."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"
