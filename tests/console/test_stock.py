"""Stock in the console: the matrix, one product in one place, counts, goods on their way, tasks."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from cauce.commerce.catalogue.api import Product
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.stock import questions
from cauce.commerce.stock.api import Entry, Goods, Move
from cauce.commerce.stock.keeping import Receive, Sell
from cauce.console.areas.stock_parts import amount_of
from cauce.errors import DefinitionInvalid
from tests.console.seat import Seat

SHELF = "/stock/shelf?" + urlencode({"sku": "T-1", "place": "S01"})


@pytest.fixture
def shop(empty_seat: Seat) -> Seat:
    lines = (Entry("T-1", "S01", 4_000), Entry("T-1", "S02", 1_500), Entry("T-2", "S01", 2_000))
    empty_seat.platform.commerce.do(Receive(lines=lines))
    return empty_seat


def level(seat: Seat, sku: str = "T-1", place: str = "S01") -> int:
    return questions.table(seat.platform.commerce.reader, [sku], [place])[sku, place].available


def send(seat: Seat, role: str = "owner", **fields: str) -> int:
    answer = seat.client(role).send("/stock/shelf", page=SHELF, sku="T-1", place="S01", **fields)
    return int(answer.status_code)


def test_the_matrix_says_levels_by_number_mark_and_word(shop: Seat) -> None:
    shop.platform.commerce.do(Sell(lines=(Entry("T-2", "S01", 2_000),)))
    text = shop.client("owner").page("/stock")
    assert 'class="cell in"' in text
    assert '>4<span class="hidden"> in stock</span>' in text
    assert '>0<span class="hidden"> out</span>' in text
    assert "5.5" in text, "what there is in all"
    assert "T-2" not in shop.client("owner").page("/stock?where=S02&only=scarce")


def test_an_empty_store_says_how_it_begins(empty_seat: Seat) -> None:
    assert "There is no stock yet" in empty_seat.client("owner").page("/stock")
    assert "Todavía no hay existencias" in empty_seat.client("owner", language="es").page("/stock")


def test_goods_are_received_adjusted_and_broken_on_the_page_of_a_shelf(shop: Seat) -> None:
    assert send(shop, what="receive", amount="2,5", reference="PO-1") == 303
    assert send(shop, what="adjust", amount="-1", why="a sample") == 303
    assert send(shop, what="damage", amount="0.5") == 303
    assert level(shop) == 5_000
    page = shop.client("owner").page(SHELF)
    assert "PO-1" in page
    assert "a sample" in page


def test_limits_are_set_and_given_up(shop: Seat) -> None:
    assert send(shop, what="safety", amount="1") == 303
    assert level(shop) == 3_000
    assert send(shop, what="safety", amount="") == 303
    assert level(shop) == 4_000
    assert send(shop, what="low", amount="4") == 303
    assert ">low<" in shop.client("owner").page(SHELF)


@pytest.mark.parametrize(
    ("what", "amount"), [("receive", "x"), ("receive", "0"), ("adjust", "0"), ("receive", "1.2345")]
)
def test_what_makes_no_sense_is_said_beside_the_field(shop: Seat, what: str, amount: str) -> None:
    assert send(shop, what=what, amount=amount, why="because") == 422
    assert level(shop) == 4_000


def test_who_may_only_look_changes_nothing(shop: Seat) -> None:
    assert "Change it" not in shop.client("store_staff").page(SHELF)
    answer = shop.client("store_staff").send(
        "/stock/shelf", page="/stock/counts", sku="T-1", place="S01", what="damage"
    )
    assert answer.status_code == 403


def test_counting_leaves_out_what_was_left_empty(shop: Seat) -> None:
    page = "/stock/counts?place=S01"
    client = shop.client("store_staff")
    answer = client.send("/stock/counts", page=page, **{"place": "S01", "n-T-1": "3", "n-T-2": ""})
    assert answer.status_code == 303
    assert (level(shop), level(shop, "T-2")) == (3_000, 2_000)
    assert "-1" in client.page(page)
    answer = client.send("/stock/counts", page=page, **{"place": "S01", "n-T-1": "many"})
    assert answer.status_code == 422


def test_a_shipment_arrives(shop: Seat) -> None:
    do = shop.platform.commerce.do
    sent = do(Move(origin="S01", destination="S02", lines=(Goods("T-1", 1_000),), on="2099-01-02"))
    client = shop.client("owner")
    assert "Jan 2, 2099" in client.page("/stock/transit")
    assert client.send(f"/stock/transit/{sent.id}", page="/stock/transit").status_code == 303
    assert level(shop, place="S02") == 2_500


def test_a_task_is_seen_to(shop: Seat) -> None:
    shop.platform.commerce.do(Sell(lines=(Entry("T-1", "S01", 9_000),)))
    client = shop.client("store_staff")
    assert "T-1" in client.page("/stock/tasks")
    (task,) = questions.tasks(shop.platform.commerce.reader)
    assert client.send(f"/stock/tasks/{task.id}", page="/stock/tasks").status_code == 303
    assert "Done by" in client.page("/stock/tasks?done=yes")


@pytest.mark.parametrize(("text", "thousandths"), [("2", 2_000), ("0,65", 650), (" 1.005 ", 1_005)])
def test_amounts_are_typed_with_comma_or_point(text: str, thousandths: int) -> None:
    assert amount_of(text) == thousandths


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "1e30", "0"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(DefinitionInvalid):
        amount_of(text)


def test_many_tasks_stand_by_place_and_go_on(shop: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    do = shop.platform.commerce.do
    for number in range(3):
        do(Sell(lines=(Entry(f"T-{number}", "S01", 9_000), Entry(f"T-{number}", "S02", 9_000))))
    monkeypatch.setattr("cauce.console.areas.stock.TASKS_UNFOLDED", 2)
    client = shop.client("store_staff")
    page = client.page("/stock/tasks")
    assert page.count('class="card owed"') == 2
    assert 'owed" id="at-S01" open' not in page
    (task, *_) = questions.tasks(shop.platform.commerce.reader, place="S01")
    answer = client.send(f"/stock/tasks/{task.id}", page="/stock/tasks", place="S01")
    assert answer.headers["location"] == "/stock/tasks?place=S01#at-S01"
    assert 'id="at-S01" open' in client.page("/stock/tasks?place=S01")
    monkeypatch.setattr("cauce.console.areas.stock.TASKS", 2)
    found, address = [], "/stock/tasks"
    while address:
        page = client.page(address)
        found += re.findall(r'action="/stock/tasks/(\d+)"', page)
        address = (re.findall(r'href="(/stock/tasks\?after=\d+)"', page) or [""])[0]
    open_now = questions.tasks(shop.platform.commerce.reader)
    assert sorted(map(int, found)) == [one.id for one in open_now]


@pytest.mark.parametrize(
    "scanned",
    ["8412345678905", "08412345678905", "https://id.gs1.org/01/08412345678905/10/L1", "]d2010841234567890510L1"],
)
def test_counting_by_scan_takes_barcodes_and_keeps_what_was_written(shop: Seat, scanned: str) -> None:
    shop.platform.commerce.do(PutProduct(product=Product(sku="T-3", names={"en": "Vase"}, gtins=("8412345678905",))))
    page = "/stock/counts?place=S01"
    client = shop.client("store_staff")
    counting = {"place": "S01", "do": "scan", "n-T-1": "3"}
    text = client.send("/stock/counts", page=page, **counting, code=scanned).text
    assert 'name="n-T-3" inputmode="decimal" autocomplete="off" value="1"' in text
    assert 'name="n-T-1" inputmode="decimal" autocomplete="off" value="3"' in text
    again = client.send("/stock/counts", page=page, **counting, **{"code": scanned, "n-T-3": "1"})
    assert (again.status_code, 'autocomplete="off" value="2"' in again.text) == (200, True)
    assert level(shop) == 4_000, "nothing is counted before it is saved"
    strange = client.send("/stock/counts", page=page, **counting, code="8412345678912")
    assert (strange.status_code, "there is no product" in strange.text) == (422, True)
    assert 'name="n-T-1" inputmode="decimal" autocomplete="off" value="3"' in strange.text
