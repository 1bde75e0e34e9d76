"""Orders: a board of what is still to be done, each order with its lines, payments and whole history."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from cauce.commerce.bookings import api as bookings
from cauce.commerce.fulfilment import api as fulfilment
from cauce.commerce.orders import questions, rules
from cauce.commerce.orders.changing import Advance, Cancel, Change, Return
from cauce.commerce.orders.placing import Confirm
from cauce.commerce.transact.carrier import Command
from cauce.console.areas import orders_parts as parts
from cauce.console.areas.orders_person import person
from cauce.console.areas.orders_words import KINDS, STATES
from cauce.console.frame import Answer, Area, Led, Page, Shown, marked
from cauce.console.visit import Visit
from cauce.errors import CauceError, Conflict, DefinitionInvalid
from cauce.http.api.fulfilment import counter_of
from cauce.http.api.sight import sight_of

NAME = "orders"
READ, SERVE = "commerce.read", "commerce.serve"
DESK = "store"
"""The channel of what is done here."""
PAGE_ORDERS = 50
WHY_CHARACTERS_MAX = 500


# -- looking ----------------------------------------------------------------------------------------------------------


def board(visit: Visit) -> Answer:
    """Open orders by state, those that wait longest first."""
    which = parts.which_of(visit)
    return {**parts.facets(visit), "which": which, "asked": parts.asked(which), "columns": parts.columns(visit, which)}


def live(visit: Visit) -> Answer:
    """The columns of the board, asked for again every two seconds."""
    return {"columns": parts.columns(visit, parts.which_of(visit))}


def listed(visit: Visit) -> Answer:
    """Orders of a choice, newest first; a number that only one has leads to it."""
    which = parts.which_of(visit)
    before = _whole(visit.query.get("before", "0"))
    found = questions.page(visit.platform.commerce, which, before=before, limit=PAGE_ORDERS + 1)
    if which.text and len(found) == 1 and not before:
        return Led(f"/orders/{found[0].id}")
    shown = found[:PAGE_ORDERS]
    if shown:
        visit.look("person.listed", "orders")
    more = parts.asked(which, before=shown[-1].id) if len(found) > len(shown) else ""
    return {
        **parts.facets(visit),
        "which": which,
        "rows": [parts.card(visit, head) for head in shown],
        "more": f"/orders/list?{more}" if more else "",
    }


def order(visit: Visit) -> Answer:
    """One order: its lines and where their goods are, its payments, and all that happened to it."""
    return _shown(visit)


# -- doing ------------------------------------------------------------------------------------------------------------


def confirm(visit: Visit) -> Answer:
    """It need not be paid first."""

    def command() -> Command:
        return Confirm(key=_key(visit), order=_id(visit), by=visit.actor.name, channel=DESK, why=_why(visit))

    return _done(visit, command, "order.confirmed", visit.say("The order is confirmed"))


def cancel(visit: Visit) -> Answer:
    """Gives up lines, or all that has not left."""

    def command() -> Command:
        changes, by = _changes(visit), visit.actor.name
        return Cancel(key=_key(visit), order=_id(visit), changes=changes, by=by, channel=DESK, why=_why(visit))

    return _done(visit, command, "order.cancelled", visit.say("It is cancelled, and what was held can be sold again"))


def advance(visit: Visit) -> Answer:
    """Goods of one line come into the next state."""
    to = visit.form.get("to", "")
    if to not in parts.NEXT:
        raise DefinitionInvalid(f"expected a state of {', '.join(parts.NEXT)}, got {to[:40]!r}")

    def command() -> Command:
        changes = (Change(line=_whole(visit.form.get("line", ""))),)
        return Advance(key=_key(visit), order=_id(visit), to=to, changes=changes, by=visit.actor.name, channel=DESK)

    return _done(visit, command, "order.advanced", visit.say("Now it is: %(state)s", state=visit.say(STATES[to])))


def bring_back(visit: Visit) -> Answer:
    """Goods came back to a place."""

    def command() -> Command:
        return Return(
            key=_key(visit),
            order=_id(visit),
            place=visit.form.get("place", "")[:200],
            changes=_changes(visit),
            damaged=visit.form.get("damaged", "") == "yes",
            by=visit.actor.name,
            channel=DESK,
            why=_why(visit),
        )

    return _done(visit, command, "order.returned", visit.say("The goods are back"))


def _done(visit: Visit, command: Callable[[], Command], action: str, note: str) -> Answer:
    """Leads back to the order; when it was refused, shows it with the reason."""
    head = questions.head(visit.platform.commerce, _id(visit))
    try:
        asked = command()
        if isinstance(asked, Advance):
            counter_of(visit.platform).advance(asked)  # what becomes ready for somebody gets its code there
        else:
            visit.platform.commerce.do(asked)
    except (Conflict, DefinitionInvalid) as refused:
        return Shown("orders/order.html", _shown(visit, refused), 409)
    visit.note(action, head.number)
    return Led(f"/orders/{head.id}", note)


def _shown(visit: Visit, refused: CauceError | None = None) -> Mapping[str, Any]:
    commerce = visit.platform.commerce
    whole = questions.whole(commerce, _id(visit))
    head = whole.head
    if refused is None:
        visit.look("order.seen", head.number)
    sight = sight_of(visit.actor)
    expected = fulfilment.expected_of(commerce, head.id)
    lines = [
        parts.line(visit, one, head.currency, confirmed=bool(head.confirmed)) | {"expected": expected.get(one.line, 0)}
        for one in whole.lines
    ]
    taken = head.captured - head.refunded
    return {
        "order": parts.card(visit, head),
        "id": head.id,
        "head": head,
        "kind": visit.say(KINDS[head.kind]),
        "slot": bookings.of_order(commerce.reader, head.id),
        "lines": lines,
        "subtotal": parts.money(visit, sum(one.total for one in whole.lines), head.currency),
        "shipping": parts.money(visit, whole.shipping, head.currency),
        "adjustment": parts.money(visit, whole.adjustment, head.currency) if whole.adjustment else "",
        "tax": parts.money(visit, sum(one.tax for one in whole.lines), head.currency),
        "paid": parts.money(visit, taken, head.currency),
        "open": parts.money(visit, max(0, head.total - taken), head.currency) if taken < head.total else "",
        "to_refund": parts.money(visit, whole.to_refund, head.currency) if whole.to_refund else "",
        "payments": parts.payments(visit, whole),
        "history": parts.history(visit, questions.history(commerce, head.id), whole.lines, head.currency),
        "owners": [(visit.words.identifier(sight.key(owner)), owner) for owner in head.owners],
        "contact": [(name, str(sight.trait(name, value))) for name, value in whole.contact.items()],
        "note": sight.why(whole.note, free=True) if whole.note else "",
        "source_id": whole.source_id,
        "may_serve": visit.may(SERVE),
        "may_people": visit.may("people.read"),
        "can_confirm": not head.confirmed and head.state != rules.CANCELLED,
        "can_cancel": any(one["given_up"] for one in lines),
        "desk": _desk(head) if any(one.amounts.get(rules.READY) for one in whole.lines) else "",
        "can_return": any(one["brought_back"] for one in lines),
        "places": list(parts.places(visit).items()),
        "place_wanted": head.place,
        "key": secrets.token_hex(12),
        "refused": visit.said(refused.message) if refused else "",
        "hint": visit.said(refused.hint) if refused and refused.hint else "",
    }


def _desk(head: questions.Head) -> str:
    """Where the order is handed over, "" when nobody collects it."""
    return f"/pickups/orders/{quote(head.number)}" if head.kind in rules.COLLECTED_KINDS else ""


# -- what is asked ----------------------------------------------------------------------------------------------------


def _id(visit: Visit) -> int:
    return int(visit.path["order"])


def _key(visit: Visit) -> str:
    """The form's own key: sent twice, it is done once."""
    key = visit.form.get("key", "")[:64]
    return f"console:{visit.actor.name}:{key}" if key else ""


def _why(visit: Visit) -> str:
    return visit.form.get("why", "").strip()[:WHY_CHARACTERS_MAX]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise DefinitionInvalid(f"expected a whole number, got {text[:40]!r}")
    return int(text)


def _changes(visit: Visit) -> tuple[Change, ...]:
    """Lines that were ticked, each with its number of pieces (all of it when that is left empty)."""
    found = []
    for number in visit.form.getlist("line"):
        pieces = visit.form.get(f"amount-{number}", "").strip().replace(",", ".")
        try:
            amount = round(float(pieces) * 1_000) if pieces else 0
        except (ValueError, OverflowError):
            raise DefinitionInvalid(f"expected an amount as a number, got {pieces[:40]!r}") from None
        if amount < 0 or (pieces and not amount):
            raise DefinitionInvalid(f"expected an amount above 0, got {pieces[:40]!r}")
        found.append(Change(line=_whole(number), amount=amount))
    if not found:
        raise DefinitionInvalid("expected at least one line", hint="Tick the lines that are meant")
    return tuple(found)


AREA = Area(
    title=marked("Orders"),
    home="/orders",
    permission=READ,
    icon="till",
    place=40,
    pages=(
        Page("/orders", board, "orders/board.html"),
        Page("/orders/live", live, "orders/columns.html"),
        Page("/orders/list", listed, "orders/list.html"),
        Page("/orders/{order:int}", order, "orders/order.html"),
        Page("/orders/{order:int}/confirm", confirm, method="POST", permission=SERVE),
        Page("/orders/{order:int}/cancel", cancel, method="POST", permission=SERVE),
        Page("/orders/{order:int}/advance", advance, method="POST", permission=SERVE),
        Page("/orders/{order:int}/return", bring_back, method="POST", permission=SERVE),
        Page("/orders/of/{key:path}", person, "orders/person.html"),
    ),
)
