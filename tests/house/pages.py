"""Reference pages that are written from the code: settings, errors, reasons and commands.

`python -m tests.house.pages` writes them; a test fails when one is not current.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator, Mapping

import click

import cauce.errors
from cauce.access.api import GRANTABLE, PERMISSIONS, ROLES
from cauce.quality.codes import REASONS
from cauce.settings import TABLE, Setting
from tests.house.api_page import api_page
from tests.house.tree import ROOT

WRITTEN = "<!-- Written by `make docs` from the code. Do not edit. -->\n"


def settings_page() -> str:
    rows = [
        "# Settings",
        "",
        WRITTEN,
        "Each setting is read from its environment variable when Cauce starts.",
        "Some commands have an option of the same name, which wins.",
        "Unknown names and impossible values are refused at start, all at once.",
        "",
        "| setting | environment variable | default | unit | allowed | what it does |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{row.name}` | `{row.variable}` | `{_default(row)}` | {row.unit} | {_allowed(row)} | {row.help} |"
            for row in TABLE
        ),
    ]
    return "\n".join(rows) + "\n"


def _default(setting: Setting) -> str:
    number = isinstance(setting.default, int) and not isinstance(setting.default, bool)
    return f"{setting.default:,}".replace(",", "_") if number else str(setting.default)


def _allowed(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    if isinstance(setting.default, bool):
        return "`true`, `false`"
    if isinstance(setting.default, int):
        unbounded = setting.high == Setting("", 0, "", "").high
        return f"from {setting.low:,}" if unbounded else f"{setting.low:,} to {setting.high:,}"
    return "any text"


def errors_page() -> str:
    said = dict(re.findall(r"[├└]── (\w+)\s+(\S.*)", cauce.errors.__doc__ or ""))
    rows = [
        "# Errors",
        "",
        WRITTEN,
        "Every error has a code that stays the same, for programs, and a message, for people.",
        "The message says what happened, with the value, what was expected, and how to mend it.",
        "",
        "| code | error | when |",
        "|---|---|---|",
    ]
    rows += [
        f"| `{error.code}` | `{error.__name__}` | {said.get(error.__name__, '')} |"
        for error in sorted(error_classes(), key=lambda error: error.code)
    ]
    return "\n".join(rows) + "\n"


def error_classes() -> list[type[cauce.errors.CauceError]]:
    found = [kind for kind in vars(cauce.errors).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, cauce.errors.CauceError) and kind is not cauce.errors.CauceError]


READING_REASONS = {
    "characters_unreadable": "Bytes of a line are no text in the encoding of the file.",
    "columns_differ": "A line has more or fewer fields than the header.",
    "event_name_missing": "A `track` call has no event name.",
    "forged_blank": "An item looks like what an erasure leaves in the log, but none of this installation wrote it.",
    "group_id_missing": "A `group` call has no group id.",
    "id_unreadable": "The event id is no text.",
    "identifier_unreadable": "An identifier is neither text nor a number.",
    "invalid_utf8": "Bytes are no UTF-8.",
    "line_broken": "A line is cut off, or its quotation marks do not match.",
    "lone_surrogate": "A text holds half of a character.",
    "malformed": "A row does not have the form in which imports enter the log.",
    "nesting_too_deep": "Objects or lists lie too deep inside one another.",
    "not_a_number": "A number is NaN or infinite, which JSON does not know.",
    "not_an_object": "An item of a batch is no JSON object.",
    "nul_character": "A text holds the character NUL.",
    "object_expected": "A part of the call (`properties`, `context`, `traits`) is no object.",
    "too_many_items": "A batch has more items than the log can number.",
    "unreadable": "The bytes are no JSON.",
    "unreadable_decision": "A decision in the log is not of the form that this version writes.",
    "value_missing": "A column that the mapping needs, or an identifier that a webhook needs, is empty.",
    "value_unknown": "A value is not among those that the mapping translates.",
    "value_unreadable": "A value is not of the kind that the mapping says (date, number, money, yes or no).",
}
"""Codes of reasons that are given while bytes become events, before any contract is asked."""


def reasons_page() -> str:
    rows = [
        "# Reasons",
        "",
        WRITTEN,
        "An event that cannot be accepted is kept in quarantine with its reasons.",
        "A reason has a stable code, a place in the event (a JSON pointer), what was expected and what was found.",
        "",
        "## While reading",
        "",
        *_table("code", "what is wrong", READING_REASONS),
        "",
        "## While judging",
        "",
        *_table("code", "what is wrong", REASONS),
    ]
    return "\n".join(rows) + "\n"


def _table(left: str, right: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {left} | {right} |", "|---|---|", *(f"| `{code}` | {text} |" for code, text in rows.items())]


def commands() -> Iterator[tuple[str, click.Command]]:
    """All commands that people call, with their path, depth first."""
    from cauce.cli.main import main  # noqa: PLC0415 the other pages can be written while the CLI is broken

    yield from _below("cauce", main)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path, help_option_names=["-h", "--help"])
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _below(f"{path} {name}", child)


def commands_page() -> str:
    rows = ["# Commands", "", WRITTEN]
    for path, command in commands():
        rows += [f"## `{path}`", "", *_help(command), ""]
        rows += ["```text", _usage(path, command), "```", ""]
    return "\n".join(row.rstrip() for row in "\n".join(rows).splitlines()) + "\n"


def _help(command: click.Command) -> Iterator[str]:
    """The help text; a paragraph that click must not wrap holds examples."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        text = inspect.cleandoc(paragraph.removeprefix("\b\n"))
        yield f"```bash\n{text}\n```\n" if text.startswith("cauce ") else f"{text}\n"


def _usage(path: str, command: click.Command) -> str:
    command = copy.copy(command)
    command._help_option = None  # click keeps the names that whoever asked first had
    context = click.Context(
        command, info_name=path, max_content_width=100, terminal_width=100, help_option_names=["-h", "--help"]
    )
    formatter = context.make_formatter()
    command.format_usage(context, formatter)
    command.format_options(context, formatter)
    return formatter.getvalue().rstrip()


def roles_page() -> str:
    rows = [
        "# Roles and permissions",
        "",
        WRITTEN,
        "A role is what somebody does; a permission is one thing that somebody may do.",
        "Accounts have one role, tokens have scopes, which are permissions.",
        f"An owner can allow an account {', '.join(f'`{name}`' for name in sorted(GRANTABLE))} beyond its role.",
        "",
        "## Roles",
        "",
        *_table("role", "what it is for", {role: text for role, (text, _) in ROLES.items()}),
        "",
        "## What each may",
        "",
        f"| permission | {' | '.join(ROLES)} |",
        f"|---|{'---|' * len(ROLES)}",
    ]
    rows += [
        f"| `{name}` | {' | '.join('yes' if name in held else '' for _, held in ROLES.values())} |"
        for name in PERMISSIONS
    ]
    rows += ["", "## Permissions", "", *_table("permission", "what it lets one do", PERMISSIONS)]
    return "\n".join(rows) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "reasons.md": reasons_page,
    "roles.md": roles_page,
    "cli.md": commands_page,
    "http-api.md": lambda: api_page(WRITTEN),
}


def main() -> None:
    for file, write in PAGES.items():
        (ROOT / "docs/reference" / file).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
