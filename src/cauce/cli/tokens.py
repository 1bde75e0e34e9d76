"""`cauce tokens`: how programs identify themselves, and what each may."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.table import Table

from cauce.access.api import PERMISSIONS, ROLES, Token
from cauce.app import Platform
from cauce.cli.main import actor, json_option, output, pass_platform, table
from cauce.model import to_iso


@click.group()
def tokens() -> None:
    """What programs identify themselves with at the HTTP API, and what each may."""


@tokens.command("add", epilog=f"Permissions: {', '.join(PERMISSIONS)}. Roles: {', '.join(ROLES)}.")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="A permission, or a role for all of its; again.")
@click.option("--account", help="Account it belongs to; default: a machine called NAME.")
@click.option("--days", type=int, default=365, show_default=True, help="Days until it expires; 0 for never.")
@json_option
@pass_platform
def add(platform: Platform, name: str, scopes: tuple[str, ...], account: str | None, days: int, as_json: bool) -> None:
    """Make a token called NAME and print it, once.

    \b
    cauce tokens add till-software --scope people.read
    cauce tokens add reports --scope analyst --days 90
    cauce tokens add laptop --account ana --scope people.read --scope people.personal
    """
    owner = platform.access.accounts.get(account) if account else None
    made = platform.access.tokens.add(name, scopes, account=owner, days=days, by=actor())
    output(
        as_json,
        {**described(platform, made.token), "token": made.secret},
        lambda value: f"Token of {name} (shown only now): {value['token']}\nIt may: {', '.join(value['scopes'])}",
    )


@tokens.command("list")
@click.option("--account", help="Only tokens of this account.")
@click.option("--all", "with_revoked", is_flag=True, help="The revoked ones too.")
@json_option
@pass_platform
def list_(platform: Platform, account: str | None, with_revoked: bool, as_json: bool) -> None:
    """List tokens: what each may, until when, and when it was last used."""
    owner = platform.access.accounts.get(account) if account else None
    found = [token for token in platform.access.tokens.list(owner) if with_revoked or not token.revoked]
    output(as_json, [described(platform, token) for token in found], _table)


def _table(found: list[dict[str, Any]]) -> Table | str:
    if not found:
        return "There are no tokens yet; `cauce tokens add NAME --scope people.read` makes one."
    shown = table("id", "name", "account", "token", "may", "until", "last used", "revoked")
    for one in found:
        shown.add_row(
            one["id"], one["name"], one["account"] or "–", f"…{one['hint']}", ", ".join(one["scopes"]),
            one["expires"] or "for ever", one["used"] or "never", one["revoked"] or "no",
        )  # fmt: skip
    return shown


@tokens.command("revoke")
@click.argument("token")
@json_option
@pass_platform
def revoke(platform: Platform, token: str, as_json: bool) -> None:
    """Make the token of this id or name worthless."""
    found = platform.access.tokens.revoke(token, by=actor())
    output(as_json, described(platform, found), lambda value: f"The token {value['name']} is revoked.")


def described(platform: Platform, token: Token) -> dict[str, Any]:
    """A token as plain values: its account by name, moments in ISO, None for never."""
    account = platform.access.accounts.by_id(token.account) if token.account else None
    moments = {name: getattr(token, name) for name in ("created", "expires", "used", "revoked")}
    return {
        **msgspec.to_builtins(token),
        "account": account.name if account else "",
        **{name: to_iso(moment) if moment else None for name, moment in moments.items()},
    }
