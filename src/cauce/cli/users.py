"""`cauce users`: the people who may sign in to the console."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.table import Table

from cauce.access.api import GRANTABLE, ROLES, Account
from cauce.app import Platform
from cauce.cli.main import actor, json_option, output, pass_platform, table
from cauce.model import to_iso

allow_option = click.option(
    "--allow", "extra", multiple=True, type=click.Choice(sorted(GRANTABLE)), help="Something beyond the role; again."
)


@click.group()
def users() -> None:
    """Who may sign in to the console, and what each may."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES)), required=True, help="What the person may do.")
@allow_option
@json_option
@pass_platform
def add(platform: Platform, name: str, role: str, extra: tuple[str, ...], as_json: bool) -> None:
    """Add an account for NAME and print the link by which its person chooses a password.

    \b
    cauce users add ana@example.com --role steward
    cauce users add luis --role analyst --allow people.personal
    """
    account = platform.access.accounts.add(name, role, extra=extra, by=actor())
    output(as_json, _invited(platform, account), _link)


@users.command("invite")
@click.argument("name")
@json_option
@pass_platform
def invite(platform: Platform, name: str, as_json: bool) -> None:
    """Print a new link by which NAME chooses a password: an invitation, or after a forgotten password."""
    output(as_json, _invited(platform, platform.access.accounts.get(name)), _link)


def _invited(platform: Platform, account: Account) -> dict[str, Any]:
    link = platform.access.accounts.invite(account.name, by=actor())
    url = f"http://{platform.settings.host}:{platform.settings.port}/sign-in/link?key={link.secret}"
    return {**described(account), "link": url, "expires": to_iso(link.expires)}


def _link(value: dict[str, Any]) -> str:
    return (
        f"{value['name']} ({value['role']}) chooses a password here, once, until {value['expires']}:\n{value['link']}\n"
        "Where Cauce stands behind another address, put that one in its place."
    )


@users.command("list")
@json_option
@pass_platform
def list_(platform: Platform, as_json: bool) -> None:
    """List accounts with their roles and when they were last here."""
    output(as_json, [described(account) for account in platform.access.accounts.list()], _table)


def _table(found: list[dict[str, Any]]) -> Table | str:
    if not found:
        return (
            "There are no accounts yet; `cauce up` prints a link for the owner, `cauce users add NAME` invites others."
        )
    shown = table("name", "role", "also may", "since", "last here", "state")
    for one in found:
        state = "disabled" if one["disabled"] else "active" if one["can_sign_in"] else "invited"
        shown.add_row(
            one["name"], one["role"], ", ".join(one["extra"]), one["created"], one["signed_in"] or "never", state
        )
    return shown


@users.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(list(ROLES)))
@allow_option
@json_option
@pass_platform
def role(platform: Platform, name: str, role: str, extra: tuple[str, ...], as_json: bool) -> None:
    """Give NAME another ROLE; what was allowed beyond the former one ends unless it is said again."""
    account = platform.access.accounts.set_role(name, role, extra=extra, by=actor())
    output(as_json, described(account), lambda value: f"{value['name']} is {value['role']} now.")


@users.command("disable")
@click.argument("name")
@json_option
@pass_platform
def disable(platform: Platform, name: str, as_json: bool) -> None:
    """Let NAME in no more: sessions, tokens and links end at once."""
    account = platform.access.accounts.disable(name, by=actor())
    output(as_json, described(account), lambda value: f"{value['name']} cannot sign in any more.")


@users.command("enable")
@click.argument("name")
@json_option
@pass_platform
def enable(platform: Platform, name: str, as_json: bool) -> None:
    """Let NAME in again."""
    account = platform.access.accounts.enable(name, by=actor())
    output(as_json, described(account), lambda value: f"{value['name']} can sign in again.")


@users.command("sessions")
@click.argument("name", required=False)
@json_option
@pass_platform
def sessions(platform: Platform, name: str | None, as_json: bool) -> None:
    """List who is signed in, from where; of NAME, or of all."""
    account = platform.access.accounts.get(name) if name else None
    names = {one.id: one.name for one in platform.access.accounts.list()}
    found = [
        {
            **msgspec.to_builtins(session),
            "account": names.get(session.account, ""),
            "created": to_iso(session.created),
            "seen": to_iso(session.seen),
        }
        for session in platform.access.sessions.list(account)
    ]
    output(as_json, found, _sessions_table)


def _sessions_table(found: list[dict[str, Any]]) -> Table | str:
    if not found:
        return "Nobody is signed in."
    shown = table("id", "account", "since", "last seen", "from", "browser")
    for one in found:
        shown.add_row(one["id"], one["account"], one["created"], one["seen"], one["address"], one["agent"])
    return shown


@users.command("sign-out")
@click.argument("name")
@click.option("--session", help="Only the session of this id; default: all of them.")
@json_option
@pass_platform
def sign_out(platform: Platform, name: str, session: str | None, as_json: bool) -> None:
    """Sign NAME out everywhere."""
    account = platform.access.accounts.get(name)
    if session:
        platform.access.sessions.end(session, account=account, by=actor())
    ended = 1 if session else platform.access.sessions.end_all(account, by=actor())
    output(as_json, {"name": account.name, "ended": ended}, lambda value: f"{value['ended']} sessions ended.")


def described(account: Account) -> dict[str, Any]:
    """An account as plain values, moments in ISO, None for never."""
    return {
        "name": account.name,
        "role": account.role,
        "extra": list(account.extra),
        "permissions": sorted(account.actor.permissions),
        "created": to_iso(account.created),
        "signed_in": to_iso(account.signed_in) if account.signed_in else None,
        "disabled": to_iso(account.disabled) if account.disabled else None,
        "can_sign_in": account.can_sign_in,
        "outside": bool(account.outside),
    }
