"""Cards are issued, topped up, blocked, and run out."""

from __future__ import annotations

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty.definition import decimals_of
from cauce.commerce.loyalty.store import FOREVER
from cauce.commerce.loyalty.value.store import (
    ACTIVE,
    BALANCE,
    BLOCKED,
    CARDS,
    EXPIRED,
    ISSUED,
    NUMBERS,
    Card,
    Number,
    card_place,
    currency_place,
)
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.facts import Told
from cauce.commerce.transact.work import Work
from cauce.errors import Conflict, DefinitionInvalid, Ended

AMOUNT_MAX = 10_000_000_000
WRONG_PINS_MAX = 5
SWEEP_MAX = 500


class IssueCard(Command, frozen=True, kw_only=True):
    """A new card with an amount (minor units). `number` and `pin` are hashes, "" for store credit of a `member`;
    `expires` in microseconds, 0 for never; `document` what it was bought or given with."""

    amount: int
    currency: str
    number: str = ""
    pin: str = ""
    last: str = ""
    member: str = ""
    expires: int = 0
    channel: str = ""
    document: str = ""
    by: str = ""


class TopUpCard(Command, frozen=True, kw_only=True):
    """More on a card."""

    card: int
    amount: int
    channel: str = ""
    document: str = ""
    by: str = ""


class BlockCard(Command, frozen=True, kw_only=True):
    """Nothing can be taken from a card (`blocked` false: it can again, and wrong PINs are forgotten)."""

    card: int
    blocked: bool
    why: str
    by: str


class SweepCards(Command, frozen=True, kw_only=True):
    """What is on cards whose time is over expires."""

    limit: int = SWEEP_MAX


class CardShown(msgspec.Struct, frozen=True):
    """A card as it stands: `balance` less what is `held` can be taken; `expires` FOREVER when never. Minor units."""

    id: int
    last: str
    currency: str
    member: str
    state: str
    balance: int
    held: int
    issued: int
    expires: int
    has_pin: bool


class SweptCards(msgspec.Struct, frozen=True):
    cards: int


def issue(work: Work, command: IssueCard) -> CardShown:
    check_amount(command.amount)
    if not (len(command.currency) == 3 and command.currency.isascii() and command.currency.isupper()):
        raise DefinitionInvalid(f"currency: expected an ISO 4217 code such as EUR, got {command.currency[:40]!r}")
    if bool(command.number) == bool(command.member):
        raise DefinitionInvalid("expected a number, or a member whose credit it is")
    if command.expires and command.expires <= work.now:
        raise DefinitionInvalid("expires: expected a moment that is still to come")
    id_ = work.number("value_card")
    if command.number:
        if work.get(NUMBERS, command.number) is not None:
            raise Conflict("there is already a card with this number")
        work.put(NUMBERS, Number(command.number, id_))
    card = work.append(CARDS, Card(
        id=id_, number=command.number, pin=command.pin, last=command.last, currency=command.currency,
        member=command.member, state=ACTIVE, issued=work.now, expires=command.expires or FOREVER, swept=0,
        wrong_pins=0, by=command.by,
    ))  # fmt: skip
    _put_on(work, card, command.amount, f"issued {command.document}".strip())
    tell(work, card, "Gift Card Issued", command.amount, command.channel, command.document)
    return shown(work, card)


def top_up(work: Work, command: TopUpCard) -> CardShown:
    """Ended when the card is blocked or has run out."""
    check_amount(command.amount)
    card = usable(work, command.card)
    _put_on(work, card, command.amount, f"topped up {command.document}".strip())
    tell(work, card, "Gift Card Topped Up", command.amount, command.channel, command.document)
    return shown(work, card)


def block(work: Work, command: BlockCard) -> CardShown:
    if not 0 < len(command.why.strip()) <= 500 or not 0 < len(command.by) <= 200:
        raise DefinitionInvalid("why, by: expected a reason of 1 to 500 characters and who gives it")
    card = work.need(CARDS, command.card)
    state = BLOCKED if command.blocked else ACTIVE
    card = work.put(CARDS, card._replace(state=state, wrong_pins=0))
    return shown(work, card)


def sweep(work: Work, command: SweepCards) -> SweptCards:
    limit = max(1, min(command.limit, SWEEP_MAX))
    rows = work.select(CARDS, "swept = 0 and expires <= ? order by expires, id limit ?", work.now, limit)
    for card in rows:
        lapse(work, work.put(CARDS, card._replace(swept=1)))
    return SweptCards(len(rows))


def lapse(work: Work, card: Card) -> None:
    """What is free on a card that has run out expires; what was authorised in time can still be captured."""
    free = ledger.account(work, card_place(card.id, BALANCE)).available
    if free:
        ledger.move(work, card_place(card.id, BALANCE), currency_place(card.currency, EXPIRED), free, "expired")
        tell(work, card, "Gift Card Expired", free, "", "")


def usable(work: Work, card_id: int) -> Card:
    """The card; Ended when it is blocked or has run out."""
    card = work.need(CARDS, card_id)
    if card.state != ACTIVE:
        raise Ended(f"the card that ends in {card.last or card.id} is blocked")
    if card.expires <= work.now:
        raise Ended(f"the card that ends in {card.last or card.id} has expired")
    return card


def check_amount(amount: int) -> int:
    if not 0 < amount <= AMOUNT_MAX:
        raise DefinitionInvalid(f"amount: expected 1 to {AMOUNT_MAX} minor units, got {amount}")
    return amount


def shown(work: Work, card: Card) -> CardShown:
    return shown_with(card, ledger.account(work, card_place(card.id, BALANCE)))


def shown_with(card: Card, account: ledger.Account | None) -> CardShown:
    balance, held = (account.posted, account.pending) if account else (0, 0)
    return CardShown(
        card.id, card.last, card.currency, card.member, card.state, balance, held, card.issued, card.expires,
        bool(card.pin),
    )  # fmt: skip


def tell(work: Work, card: Card, name: str, amount: int, channel: str, document: str) -> None:
    """Amounts in units of the currency, as everywhere in the river; never a number, only the card's id and its end."""
    unit = 10 ** decimals_of(card.currency)
    balance = ledger.account(work, card_place(card.id, BALANCE)).available
    work.tell(Told(
        name=name, at=work.now, channel=channel, who=(card.member,) if card.member else (),
        properties={
            "card_id": str(card.id), "last": card.last, "amount": amount / unit, "balance": balance / unit,
            "currency": card.currency, **({"document": document} if document else {}),
        },
    ))  # fmt: skip


def _put_on(work: Work, card: Card, amount: int, why: str) -> None:
    ledger.move(work, currency_place(card.currency, ISSUED), card_place(card.id, BALANCE), amount, why)


ACTIONS = (
    Action(IssueCard, issue, CardShown),
    Action(TopUpCard, top_up, CardShown),
    Action(BlockCard, block, CardShown),
    Action(SweepCards, sweep, SweptCards),
)
