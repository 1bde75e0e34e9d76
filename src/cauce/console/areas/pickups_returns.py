"""Goods come back at the desk: found by an order's number or through the person, or typed from a paper receipt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from cauce.client.types.fulfilment import BoughtLine, NewReturn, ReturnedLine
from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.catalogue.api import Place
from cauce.commerce.fulfilment import api
from cauce.commerce.orders import questions
from cauce.console.areas import pickups_parts as parts
from cauce.console.areas.pickups_words import CONDITIONS
from cauce.console.frame import Answer, Led, Shown
from cauce.console.visit import Visit
from cauce.errors import CauceError, Conflict, DefinitionInvalid, NotFound
from cauce.http.api.fulfilment import bought_by, taken_back
from cauce.http.api.owners import normalised
from cauce.model.time import from_datetime, to_datetime

RETURNS = "/pickups/returns"
TEXT_MAX = 200
TYPED_MAX = 300
HANDED_OVER = ("delivered", "collected")
PAPER = ("receipt", "sold_at", "sku", "bought", "amount", "condition", "why")


def returns(visit: Visit) -> Answer:
    """What somebody has bought and may bring back, and a form for a receipt that leads to nobody."""
    return _page(visit, visit.query.get("q", "").strip()[:TYPED_MAX])


def take_back(visit: Visit) -> Answer:
    """Takes goods back of one order, or of one receipt of the person who was looked for."""
    typed, form = visit.form.get("q", "").strip()[:TYPED_MAX], visit.form
    document = {name: form.get(name, "")[:TEXT_MAX] for name in ("order", "receipt", "sold_at")}
    try:
        place = parts.needed_place(visit)
        person, found = _sought(visit, typed)
        lines = tuple(_came(visit, _one(found, document)))
        asked = NewReturn(
            place=place.id, lines=list(lines), person=person, why=form.get("why", "")[:TEXT_MAX], **document
        )
        done = taken_back(visit.platform, asked, by=visit.actor.name, key=parts.command_key(visit))
    except CauceError as fault:
        return Shown("pickups/returns.html", _page(visit, typed, fault=fault, document=document), 422)
    visit.note("fulfilment.returned", done.number, lines=len(lines))
    return Led(f"{RETURNS}?q={quote(typed)}", _done(visit, done.number, done.amount))


def take_back_paper(visit: Visit) -> Answer:
    """Takes a product back of a receipt that was shown: what it says is read from the paper, and counted from then."""
    given = {name: visit.form.get(name, "").strip()[:TEXT_MAX] for name in PAPER}
    try:
        place = parts.needed_place(visit)
        sku = catalogue.resolve(visit.platform.commerce.reader, "", given["sku"])
        if not sku:
            raise NotFound(f"there is no product with the SKU or barcode {given['sku'][:80]!r}")
        line = api.CameOfReceipt(
            sku=sku,
            amount=parts.thousandths(visit, given["amount"]),
            bought=parts.thousandths(visit, given["bought"]),
            condition=given["condition"],
        )
        command = api.TakeBackReceipt(
            key=parts.command_key(visit), receipt=given["receipt"], sold_at=given["sold_at"], place=place.id,
            lines=(line,), why=given["why"], by=visit.actor.name,
        )  # fmt: skip
        _check(visit, line.amount, line.bought - _before(visit, given, sku), sku)
        done: api.TakenBack = visit.platform.commerce.do(command)
    except CauceError as fault:
        return Shown("pickups/returns.html", _page(visit, "", paper_fault=fault, given=given), 422)
    visit.note("fulfilment.returned", done.number, lines=1)
    return Led(RETURNS, _done(visit, done.number, done.amount))


# -- finding ----------------------------------------------------------------------------------------------------------


def _sought(visit: Visit, typed: str) -> tuple[str, list[BoughtLine]]:
    """Whom it leads to ("" for an order's number), and what may come back; NotFound when it leads nowhere."""
    rows = visit.platform.commerce
    for number in dict.fromkeys((typed, typed.upper())):
        try:
            return "", list(_of_order(questions.whole(rows, questions.located(rows, number))))
        except NotFound:
            continue
    for key in _keys(visit, typed):
        try:
            found = visit.platform.people.locate(key)
        except NotFound:
            continue
        visit.look("person.seen", found.text)
        return key, bought_by(visit.platform, key)
    raise NotFound(
        f"there is no order {typed[:80]!r}, and nobody who is known by it",
        hint="Look for the person by e-mail, phone or card; a receipt of nobody's is typed in from the paper",
    )


def _keys(visit: Visit, typed: str) -> Iterator[str]:
    """What it may mean as an identifier: its kind is guessed when it is not told."""
    if ":" in typed or typed.startswith("p_"):
        yield typed
        return
    for kind in ("email",) if "@" in typed else ("phone", "loyalty"):
        try:
            yield normalised(visit.platform, f"{kind}:{typed}")
        except DefinitionInvalid:
            continue


def _of_order(order: questions.Whole) -> Iterator[BoughtLine]:
    for line in order.lines:
        left = sum(line.amounts.get(state, 0) for state in HANDED_OVER)
        if left:
            yield BoughtLine(
                at=to_datetime(order.head.at), sku=line.sku, name=line.name or line.sku, bought=line.amount,
                left=left, order=order.head.number, line=line.line,
            )  # fmt: skip


def _one(found: Iterable[BoughtLine], document: dict[str, str]) -> list[BoughtLine]:
    """The lines of one order or receipt."""
    return [line for line in found if _document(line) == document]


def _document(line: BoughtLine) -> dict[str, str]:
    return {"order": line.order, "receipt": line.receipt, "sold_at": line.sold_at}


# -- what came back ---------------------------------------------------------------------------------------------------


def _came(visit: Visit, lines: Iterable[BoughtLine]) -> Iterator[ReturnedLine]:
    """What the form says of the lines; Conflict for more than may come back, DefinitionInvalid for nothing at all."""
    is_any = False
    for number, line in enumerate(lines):
        amount = parts.thousandths(visit, visit.form.get(f"take-{number}", "").strip() or "0")
        if not amount:
            continue
        is_any = True
        _check(visit, amount, line.left, line.name)
        condition = visit.form.get(f"condition-{number}", "sellable")
        if condition not in CONDITIONS:
            raise DefinitionInvalid(f"expected condition to be {' or '.join(CONDITIONS)}, got {condition[:40]!r}")
        yield ReturnedLine(line=line.line, sku=line.sku, amount=amount, condition=condition)  # type: ignore[arg-type]
    if not is_any:
        raise DefinitionInvalid("nothing of it came back", hint="Write how many of which product came back")


def _check(visit: Visit, amount: int, left: int, name: str) -> None:
    if amount > left:
        raise Conflict(
            f"at most {parts.amount_told(visit, max(0, left))} of {name[:80]} may come back, "
            f"not {parts.amount_told(visit, amount)}"
        )


def _before(visit: Visit, given: dict[str, str], sku: str) -> int:
    """What came back of the paper's product already."""
    back = api.returned_of_receipt(visit.platform.commerce, given["sold_at"], given["receipt"])
    return back.get(sku, 0)


def _done(visit: Visit, number: str, amount: int) -> str:
    told = parts.amount_told(visit, amount)
    return visit.say("Taken back: %(amount)s of %(number)s", amount=told, number=number)


# -- what is shown ----------------------------------------------------------------------------------------------------


def _page(
    visit: Visit,
    typed: str,
    *,
    fault: CauceError | None = None,
    document: dict[str, str] | None = None,
    paper_fault: CauceError | None = None,
    given: dict[str, str] | None = None,
) -> dict[str, Any]:
    place = parts.place_of(visit)
    found: list[BoughtLine] = []
    unknown = ""
    if typed:
        try:
            _, found = _sought(visit, typed)
        except CauceError as reason:
            unknown = parts.said(visit, reason)
    receipt = typed if unknown and not document else ""
    begun = {"receipt": receipt, "sold_at": place.id if place else "", "bought": "1", "amount": "1"}
    return {
        **parts.frame(visit, place, "returns"),
        "typed": typed,
        "unknown": unknown,
        "documents": _documents(visit, found, document),
        "fault": parts.said(visit, fault) if fault else "",
        "paper": {**dict.fromkeys(PAPER, ""), **begun, **(given or {})},
        "paper_fault": parts.said(visit, paper_fault) if paper_fault else "",
        "conditions": [(code, visit.say(text)) for code, text in CONDITIONS.items()],
        "sellers": [(each.id, each.name or each.id) for each in _sellers(visit)],
        "key": parts.fresh_key(),
    }


def _documents(visit: Visit, found: list[BoughtLine], wrong: dict[str, str] | None) -> list[dict[str, Any]]:
    """Orders and receipts with their lines, in the order in which they were found; `wrong` keeps what was typed."""
    groups: dict[tuple[str, ...], list[BoughtLine]] = {}
    for line in found:
        groups.setdefault(tuple(_document(line).values()), []).append(line)
    return [
        {
            **_document(lines[0]),
            "number": lines[0].order or lines[0].receipt,
            "at": from_datetime(lines[0].at),
            "where": parts.place_name(visit, lines[0].sold_at) if lines[0].sold_at else "",
            "key": parts.fresh_key(),
            "why": visit.form.get("why", "")[:TEXT_MAX] if _document(lines[0]) == wrong else "",
            "is_wrong": _document(lines[0]) == wrong,
            "lines": [
                _line(visit, number, line, is_kept=_document(line) == wrong, is_only=len(lines) == 1)
                for number, line in enumerate(lines)
            ],
        }
        for lines in groups.values()
    ]


def _line(visit: Visit, number: int, line: BoughtLine, *, is_kept: bool, is_only: bool) -> dict[str, Any]:
    product = catalogue.product(visit.platform.commerce.reader, line.sku)
    is_whole = product is None or catalogue.is_whole(product.unit)
    value = "1" if is_only and line.left == 1_000 else "0"
    return {
        "name": line.name,
        "sku": line.sku,
        "left": parts.amount_told(visit, line.left),
        "left_units": f"{line.left / 1_000:g}",
        "step": "1" if is_whole else "0.001",
        "value": visit.form.get(f"take-{number}", value)[:20] if is_kept else value,
        "condition": visit.form.get(f"condition-{number}", "sellable") if is_kept else "sellable",
    }


def _sellers(visit: Visit) -> list[Place]:
    return [each for each in catalogue.places(visit.platform.commerce.reader) if "sells" in each.roles]
