"""`cauce value`: gift cards and store credit."""

from __future__ import annotations

import secrets
from decimal import Decimal, InvalidOperation
from typing import Any

import click
import msgspec
from rich.table import Table

from cauce.app import Platform
from cauce.cli.main import Suggesting, actor, json_option, output, pass_platform, table, user
from cauce.commerce.loyalty.definition import decimals_of
from cauce.commerce.loyalty.value import api
from cauce.commerce.loyalty.value.cards import BlockCard, IssueCard, TopUpCard
from cauce.commerce.loyalty.value.numbers import fresh, number_hash, pin_hash
from cauce.commerce.loyalty.who import identifiers_of
from cauce.errors import DefinitionInvalid, NotFound
from cauce.model import from_iso, to_iso


@click.group(cls=Suggesting)
def value() -> None:
    """Gift cards and store credit."""


@value.command("list")
@click.option("--last", default="", help="Last four digits of the number.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Most cards shown.")
@json_option
@pass_platform
def list_cards(platform: Platform, last: str, limit: int, as_json: bool) -> None:
    """List cards, the latest first."""
    output(as_json, api.latest(platform.commerce.reader, last=last, limit=limit), _cards)


@value.command()
@click.argument("amount")
@click.option("--currency", required=True, help="ISO 4217 code, such as EUR.")
@click.option("--member", default="", help="Store credit of kind:value or a person's id, instead of a card.")
@click.option("--no-pin", is_flag=True, help="Whoever knows the number may spend it.")
@click.option("--expires", default="", help="First day (ISO) on which it cannot be spent; default: never.")
@json_option
@pass_platform
def issue(
    platform: Platform, amount: str, currency: str, member: str, no_pin: bool, expires: str, as_json: bool
) -> None:
    """Issue a card. Its number and PIN are shown only now."""
    made = fresh(platform.secret, secrets.token_hex(16))
    hashed = number_hash(platform.secret, made.number)
    chosen = identifiers_of(platform.people, member)[0] if member else ""
    has_pin = not no_pin and not chosen
    found = platform.commerce.do(
        IssueCard(
            amount=_minor(amount, currency),
            currency=currency,
            number="" if chosen else hashed,
            pin=pin_hash(platform.secret, hashed, made.pin) if has_pin else "",
            last="" if chosen else made.number[-4:],
            member=chosen,
            expires=_day(expires) if expires else 0,
            by=user(),
        )
    )
    platform.audit.note(actor(), "value.issued", str(found.id))
    number, pin = ("" if chosen else made.number), (made.pin if has_pin else "")
    told = {"card": msgspec.to_builtins(found), "number": number, "pin": pin}
    lines = [f"card {found.id}: {_money(found.balance, currency)}"]
    lines += [f"number {number}"] if number else []
    lines += [f"PIN {pin}"] if pin else []
    output(as_json, told, lambda _: "\n".join(lines))


@value.command()
@click.argument("card")
@json_option
@pass_platform
def show(platform: Platform, card: str, as_json: bool) -> None:
    """Show a card and what came and went. CARD is its id, or its number."""
    found = _found(platform, card)
    moves = api.movements(platform.commerce.reader, found.id)
    told = {"card": msgspec.to_builtins(found), "movements": msgspec.to_builtins(moves)}
    output(as_json, told, lambda _: _movements(found, moves))


@value.command("top-up")
@click.argument("card")
@click.argument("amount")
@json_option
@pass_platform
def top_up(platform: Platform, card: str, amount: str, as_json: bool) -> None:
    """Put more on a card."""
    before = _found(platform, card)
    found = platform.commerce.do(TopUpCard(card=before.id, amount=_minor(amount, before.currency), by=user()))
    platform.audit.note(actor(), "value.topped_up", str(found.id))
    output(as_json, found, lambda _: f"card {found.id}: {_money(found.balance, found.currency)}")


@value.command()
@click.argument("card")
@click.option("--why", required=True, help="The reason, for the audit trail.")
@click.option("--back", is_flag=True, help="Unblock it, and forget wrong PINs.")
@json_option
@pass_platform
def block(platform: Platform, card: str, why: str, back: bool, as_json: bool) -> None:
    """Block a card, so that nothing can be taken from it."""
    found = platform.commerce.do(BlockCard(card=_found(platform, card).id, blocked=not back, why=why, by=user()))
    platform.audit.note(actor(), "value.blocked", str(found.id), {"blocked": not back})
    output(as_json, found, lambda _: f"card {found.id}: {found.state}")


def _found(platform: Platform, card: str) -> api.CardShown:
    """By its id (short) or its number (long)."""
    reader, digits = platform.commerce.reader, card.replace(" ", "").replace("-", "")
    is_id = digits.isascii() and digits.isdigit() and len(digits) < 13
    found = api.card(reader, int(digits)) if is_id else api.find(reader, platform.secret, card)
    if found is None:
        raise NotFound(f"there is no card {digits if is_id else 'with this number'}")
    return found


def _minor(text: str, currency: str) -> int:
    decimals = decimals_of(currency)
    try:
        scaled = Decimal(text).scaleb(decimals)
        if 0 < scaled < 10**12 and scaled == scaled.to_integral_value():
            return int(scaled)
    except (InvalidOperation, ValueError):
        pass
    raise DefinitionInvalid(f"expected an amount above 0 with at most {decimals} decimals, got {text[:40]!r}")


def _day(text: str) -> int:
    try:
        return from_iso(text)
    except ValueError:
        raise DefinitionInvalid(f"expected --expires to be an ISO day such as 2027-11-21, got {text[:40]!r}") from None


def _money(minor: int, currency: str) -> str:
    return f"{Decimal(minor).scaleb(-decimals_of(currency))} {currency}"


def _cards(cards: Any) -> Table:
    rows = table("card", "ends in", "member", "balance", "held", "state", "expires")
    for each in cards:
        expires = "never" if each.expires >= api.FOREVER else to_iso(each.expires)[:10]
        held = _money(each.held, each.currency) if each.held else ""
        rows.add_row(
            str(each.id), each.last, each.member, _money(each.balance, each.currency), held, each.state, expires
        )
    return rows


def _movements(card: api.CardShown, moves: Any) -> Table:
    rows = table("when", "why", "amount", "balance", title=f"card {card.id} …{card.last} {card.state}")
    for each in moves:
        rows.add_row(
            to_iso(each.at)[:16], each.why, _money(each.amount, card.currency), _money(each.balance, card.currency)
        )
    return rows
