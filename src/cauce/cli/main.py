"""`cauce`: the group of all commands, found in this package: one file each, loaded only when called."""

from __future__ import annotations

import getpass
import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import msgspec
from rich.console import Console

from cauce import __version__
from cauce.app import Platform
from cauce.errors import CauceError
from cauce.settings import Settings

COMMANDS = {
    "bench": "bench",
    "contracts": "contracts",
    "demo": "demo",
    "export": "export",
    "identity": "identity",
    "import": "imports",
    "keys": "sources",
    "people": "people",
    "quarantine": "quarantine",
    "replay": "replay",
    "runner": "up",
    "settings": "settings",
    "sources": "sources",
    "sql": "sql",
    "status": "status",
    "traits": "traits",
    "up": "up",
    "verify": "verify",
}
"""Command → module of this package that defines it (as `command_name` or `command`)."""

HIDDEN = {"runner"}

P = ParamSpec("P")
R = TypeVar("R")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


class Commands(click.Group):
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
            errors.print(str(fault), markup=False)
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
        console.print(shown, markup=False) if isinstance(shown, str) else console.print(shown)


def user() -> str:
    """Who decides, for the audit trail: the name of the operating system's user."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"
