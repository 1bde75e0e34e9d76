"""Cards pay in two phases: authorised, then captured in full or in part, or released; and refunded."""

from __future__ import annotations

import hmac

import msgspec

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty.value.cards import WRONG_PINS_MAX, check_amount, lapse, tell, usable
from cauce.commerce.loyalty.value.store import (
    AUTHORISATIONS,
    BALANCE,
    BLOCKED,
    CAPTURED,
    CARDS,
    HELD,
    RAN_OUT,
    RELEASED,
    SPENT,
    Authorisation,
    Card,
    card_place,
)
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.errors import DefinitionInvalid, Ended, Shortage
from cauce.model.time import DAY, SECOND

OWNER = "value"
SECONDS_DEFAULT = 900
SECONDS_MAX = 30 * 86_400
REFUND_DAYS = 90
"""A refund to a card that has run out can be spent so long."""
REFUSED = "refused"


class Authorise(Command, frozen=True, kw_only=True):
    """Promises an amount of a card to a document. `pin` is a hash; `part` takes what there is when it is less."""

    card: int
    amount: int
    currency: str
    pin: str = ""
    part: bool = False
    seconds: int = SECONDS_DEFAULT
    channel: str = ""
    document: str = ""


class Capture(Command, frozen=True, kw_only=True):
    """Takes what was promised, or `amount` of it (0: all); the rest is free again unless `more` follows."""

    authorisation: int
    amount: int = 0
    more: bool = False


class ReleaseAuthorisation(Command, frozen=True, kw_only=True):
    """What was promised and not taken is free again."""

    authorisation: int


class RefundToCard(Command, frozen=True, kw_only=True):
    """Gives back what was taken, or `amount` of it (0: all that is left)."""

    authorisation: int
    amount: int = 0


class Authorised(msgspec.Struct, frozen=True):
    """An authorisation as it stands: *held*, *captured*, *released*, *expired*; *refused* when the PIN was wrong, and
    then `left` is how many tries there are before the card is blocked. `due` in microseconds."""

    id: int
    card: int
    state: str
    amount: int
    captured: int
    refunded: int
    currency: str
    due: int
    left: int = 0


def authorise(work: Work, command: Authorise) -> Authorised:
    """Shortage when less is on the card (with `part`: when nothing is)."""
    check_amount(command.amount)
    if not 0 < command.seconds <= SECONDS_MAX:
        raise DefinitionInvalid(f"seconds: expected 1 to {SECONDS_MAX}, got {command.seconds}")
    if len(command.document) > 200:
        raise DefinitionInvalid("document: expected at most 200 characters")
    card = usable(work, command.card)
    if command.currency != card.currency:
        raise DefinitionInvalid(f"currency: expected {card.currency}, as the card has, got {command.currency[:40]!r}")
    if card.pin and not hmac.compare_digest(card.pin, command.pin):
        return _wrong_pin(work, card)
    if card.wrong_pins:
        work.put(CARDS, card._replace(wrong_pins=0))
    free = ledger.account(work, card_place(card.id, BALANCE)).available
    amount = min(free, command.amount) if command.part else command.amount
    if amount > free or not amount:
        raise Shortage(
            f"{command.amount} {card.currency} (minor units) are wanted, {free} are on the card",
            details={"wanted": command.amount, "available": free, "currency": card.currency},
        )
    id_ = work.number("value_authorisation")
    due = work.now + command.seconds * SECOND
    giver, taker = card_place(card.id, BALANCE), card_place(card.id, SPENT)
    held = ledger.hold(work, giver, taker, amount, due=due, owner=f"{OWNER}:{id_}")
    return shown(work, work.append(AUTHORISATIONS, Authorisation(
        id_, card.id, held.id, work.now, due, amount, 0, 0, HELD, command.channel, command.document
    )))  # fmt: skip


def capture(work: Work, command: Capture) -> Authorised:
    """Ended when it is no longer held, or less of it is left."""
    found = _open(work, command.authorisation)
    left = found.amount - found.captured
    amount = check_amount(command.amount or left)
    ledger.post(work, found.hold, amount, why=found.document or "paid")
    state = HELD if command.more and amount < left else CAPTURED
    if state == CAPTURED and amount < left:
        ledger.void(work, found.hold)
    found = work.put(AUTHORISATIONS, found._replace(captured=found.captured + amount, state=state))
    card = work.need(CARDS, found.card)
    tell(work, card, "Gift Card Redeemed", amount, found.channel, found.document)
    _settle(work, card)
    return shown(work, found)


def release(work: Work, command: ReleaseAuthorisation) -> Authorised:
    """Ended when it is no longer held."""
    found = work.need(AUTHORISATIONS, command.authorisation)
    if found.state != HELD:
        raise Ended(f"authorisation {found.id} is no longer open: it was {found.state}")
    if work.need(ledger.HOLDS, found.hold).state == ledger.OPEN:
        ledger.void(work, found.hold)
    found = work.put(AUTHORISATIONS, found._replace(state=CAPTURED if found.captured else RELEASED))
    _settle(work, work.need(CARDS, found.card))
    return shown(work, found)


def refund(work: Work, command: RefundToCard) -> Authorised:
    """Ended when less was captured than is to be given back."""
    found = work.need(AUTHORISATIONS, command.authorisation)
    left = found.captured - found.refunded
    amount = command.amount or left
    if not 0 < amount <= left:
        raise Ended(f"{amount} (minor units) are to be given back, {left} of what was captured can be")
    card = work.need(CARDS, found.card)
    if card.expires <= work.now:
        card = work.put(CARDS, card._replace(expires=work.now + REFUND_DAYS * DAY, swept=0))
    why = f"refund {found.document}".strip()
    ledger.move(work, card_place(card.id, SPENT), card_place(card.id, BALANCE), amount, why)
    found = work.put(AUTHORISATIONS, found._replace(refunded=found.refunded + amount))
    tell(work, card, "Gift Card Refunded", amount, found.channel, found.document)
    return shown(work, found)


def expired(work: Work, hold: ledger.Hold) -> None:
    """The hold of an authorisation ran out and was given back."""
    found = work.need(AUTHORISATIONS, int(hold.owner.partition(":")[2]))
    if found.state == HELD:
        work.put(AUTHORISATIONS, found._replace(state=CAPTURED if found.captured else RAN_OUT))
    _settle(work, work.need(CARDS, found.card))


def shown(work: Work, found: Authorisation) -> Authorised:
    return Authorised(
        found.id, found.card, found.state, found.amount, found.captured, found.refunded,
        work.need(CARDS, found.card).currency, found.due,
    )  # fmt: skip


def _open(work: Work, id_: int) -> Authorisation:
    found = work.need(AUTHORISATIONS, id_)
    if found.state != HELD or found.due <= work.now:
        state = found.state if found.state != HELD else RAN_OUT
        raise Ended(f"authorisation {id_} is no longer open: it was {state}")
    return found


def _wrong_pin(work: Work, card: Card) -> Authorised:
    """No refusal but an answer, so that it counts: after too many the card is blocked."""
    wrong = card.wrong_pins + 1
    state = BLOCKED if wrong >= WRONG_PINS_MAX else card.state
    work.put(CARDS, card._replace(wrong_pins=wrong, state=state))
    return Authorised(0, card.id, REFUSED, 0, 0, 0, card.currency, 0, max(0, WRONG_PINS_MAX - wrong))


def _settle(work: Work, card: Card) -> None:
    """What came back to a card that was swept already expires too."""
    if card.swept and card.expires <= work.now:
        lapse(work, card)


ACTIONS = (
    Action(Authorise, authorise, Authorised),
    Action(Capture, capture, Authorised),
    Action(ReleaseAuthorisation, release, Authorised),
    Action(RefundToCard, refund, Authorised),
)
