"""Goods that come back to the desk: of an order, through the person, and of a receipt on paper."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from cauce.app import Platform
from cauce.commerce.fulfilment import api
from cauce.commerce.ledger.api import balances
from cauce.commerce.stock.store import DAMAGED, FREE, place_of
from tests.console import bringing
from tests.console.seat import Seat, seated

RETURNS = "/pickups/returns"
PAPER = {"receipt": "T-900", "sold_at": "TOL", "sku": "ZAP-1", "bought": "2", "condition": "damaged", "why": "sole"}


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A desk where Ana has collected an order, made once: its folder and the order's number."""
    folder = tmp_path_factory.mktemp("sold") / "data"
    with Platform.open(folder) as platform:
        number = bringing.furnish(platform)
        platform.commerce.do(api.ChooseDesk(by="the-store_staff", desk="TOL"))
    return folder, number


@pytest.fixture
def desk(sold: tuple[Path, str], tmp_path: Path) -> Iterator[tuple[Seat, str]]:
    """The same, to be changed."""
    shutil.copytree(sold[0], tmp_path / "data")
    with seated(tmp_path / "data") as seat:
        yield seat, sold[1]


def found(typed: str) -> str:
    return f"{RETURNS}?{urlencode({'q': typed})}"


def level(seat: Seat, sku: str, name: str = FREE) -> int:
    """What of a product lies in the store of the desk."""
    place = place_of(sku, "TOL", name)
    found = balances(seat.platform.commerce.reader, place.book, place.subject)
    return found[name].posted if name in found else 0


@pytest.mark.parametrize("typed", [bringing.ANA, bringing.PHONE, bringing.CARD, f"loyalty:{bringing.CARD}"])
def test_what_was_bought_in_any_channel_is_found_through_the_person(desk, typed):
    seat, number = desk
    text = seat.client("store_staff").page(found(typed))
    for told in (f"Order {number}", f"Receipt {bringing.RECEIPT}", "Abrigo Ribera camel", "Manta de lana"):
        assert told in text
    looks = [entry for entry in seat.platform.audit.entries().entries if entry.action == "person.seen"]
    assert looks[0].actor == "the-store_staff"


def test_goods_of_an_order_come_back_with_and_without_its_number_typed_right(desk):
    seat, number = desk
    client = seat.client("store_staff", language="es")
    before = level(seat, "ABR-1")
    page = found(number.lower())
    assert "Manta de lana" not in client.page(page), "an order's number leads to the order alone"
    fields = {"q": number.lower(), "order": number, "take-0": "1", "take-1": "0", "key": "1", "why": "talla"}
    for _ in range(2):
        answer = client.send(RETURNS, page=page, **fields)
        assert answer.headers["location"] == page
    assert level(seat, "ABR-1") == before + 1_000, "sent twice, it is done once"
    assert f"Devolución aceptada: 1 de {number}" in client.page(RETURNS)
    assert 'max="1"' in client.page(page)


def test_what_is_damaged_is_kept_apart(desk):
    seat, number = desk
    before = level(seat, "ACC-1")
    fields = {"q": number, "order": number, "take-1": "1", "condition-1": "damaged", "key": "1"}
    assert seat.client("store_staff").send(RETURNS, page=found(number), **fields).status_code == 303
    assert level(seat, "ACC-1") == before
    assert level(seat, "ACC-1", DAMAGED) == 1_000


def test_goods_of_a_receipt_come_back_through_the_person(desk):
    seat, _ = desk
    client, page = seat.client("store_staff"), found(bringing.ANA)
    fields = {"q": bringing.ANA, "receipt": bringing.RECEIPT, "sold_at": "MAD", "key": "1"}
    assert client.send(RETURNS, page=page, **fields, **{"take-0": "2"}).status_code == 303
    assert api.returned_of_receipt(seat.platform.commerce, "MAD", bringing.RECEIPT) == {"ZAP-1": 2_000}
    text = client.page(page)
    assert "Bota Duna" not in text
    assert "Manta de lana" in text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"take-0": "3"}, "at most 2 of Abrigo Ribera camel may come back, not 3"),
        ({"take-0": "0"}, "nothing of it came back"),
        ({"take-0": "-1"}, "expected an amount from 0"),
        ({"take-0": "many"}, "expected an amount, got"),
        ({"take-0": "1", "condition-0": "eaten"}, "expected condition to be sellable or damaged"),
        ({"take-0": "1", "order": "C-999999"}, "nothing of it came back"),
        ({"take-0": "1", "q": "nobody@tienda.es"}, "nobody who is known by it"),
    ],
)
def test_what_cannot_come_back_is_refused_and_stays_as_it_was_typed(desk, fields, told):
    seat, number = desk
    sent = {"q": number, "order": number, "key": "1", "why": "too small", **fields}
    answer = seat.client("store_staff").send(RETURNS, page=found(number), **sent)
    assert answer.status_code == 422
    assert told in answer.text.replace("&#39;", "'")
    if sent["order"] == number and sent["q"] == number:
        assert 'value="too small"' in answer.text
        assert f'name="take-0" type="number" inputmode="decimal" min="0" max="2" step="1" value="{sent["take-0"]}"' in (
            answer.text
        )
    assert level(seat, "ABR-1") == 50_000


def test_a_receipt_on_paper_is_counted_from_its_first_time(desk):
    seat, _ = desk
    client = seat.client("store_staff")
    sent = {**PAPER, "amount": "2"}
    assert client.send(f"{RETURNS}/paper", page=RETURNS, **sent, key="1").headers["location"] == RETURNS
    assert level(seat, "ZAP-1", DAMAGED) == 2_000
    for key, bought in (("2", "2"), ("3", "9")):
        again = client.send(f"{RETURNS}/paper", page=RETURNS, **{**sent, "bought": bought}, key=key)
        assert again.status_code == 422
        assert re.search(r"at most 0 of ZAP-1 may come back|2000 thousandths of ZAP-1 were bought", again.text)
    assert level(seat, "ZAP-1", DAMAGED) == 2_000


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("sku", "unknown", "there is no product with the SKU or barcode"),
        ("receipt", "", "expected the number of the receipt"),
        ("sold_at", "", "expected the number of the receipt"),
        ("bought", "0", "at most 0"),
        ("amount", "0", "expected an amount above 0"),
        ("amount", "3", "at most 2 of ZAP-1 may come back, not 3"),
        ("condition", "eaten", "expected condition"),
    ],
)
def test_a_paper_that_makes_no_sense_is_refused(desk, field, value, told):
    seat, _ = desk
    sent = {**PAPER, "amount": "1", field: value}
    answer = seat.client("store_staff").send(f"{RETURNS}/paper", page=RETURNS, **sent)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'value="sole"' in answer.text


def test_who_is_nobody_is_told_in_both_languages_and_offered_the_paper(desk):
    seat, _ = desk
    text = seat.client("store_staff", language="es").page(found("T-901"))
    assert "no hay ningún pedido" in text
    assert re.search(r'name="receipt" type="text" value="T-901"', text)
    assert '<details class="card paper" open>' in text


def test_without_a_store_nothing_is_taken_back(desk):
    seat, number = desk
    client = seat.client("agent")
    assert "Which store is yours?" in client.page(RETURNS)
    fields = {"q": number, "order": number, "take-0": "1"}
    assert client.send(RETURNS, page=RETURNS, **fields).status_code == 422
    assert level(seat, "ABR-1") == 50_000


def test_who_does_not_work_in_a_store_takes_nothing_back(desk):
    seat, _ = desk
    seat.client("analyst").page(RETURNS, 403)
    assert seat.client("analyst").send(RETURNS, page="/account", q="x").status_code == 403
