"""Facts of the river take effect once, whatever brings them, and nothing of them is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from cauce.commerce.catalogue.items import MapItem
from cauce.commerce.catalogue.nouns import Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.stock.counting import Count, Counted
from cauce.commerce.tills import follower as following
from cauce.commerce.tills.applying import Drop, Follow, Mend, Rewind
from cauce.commerce.tills.deeds import Return
from cauce.commerce.tills.habits import NameStore, SetHabit
from cauce.commerce.tills.store import PENDING, RECEIPTS, STRANGE, UNFIT
from cauce.errors import Ended
from tests.commerce.tills.river import NOW, SECOND, River, receipt
from tests.furnished import FurnishedTables


@pytest.fixture
def river() -> Iterator[River]:
    found = River(FurnishedTables())
    yield found
    found.close()


def look_again(river: River) -> None:
    """As when some seconds have gone by."""
    river.follower = river.fresh()
    while river.follower.settle():
        pass


def test_a_receipt_sells_and_what_is_not_there_is_owed(river: River) -> None:
    river.commerce.do(Count(place="S1", lines=(Counted("A", 1_000),), occurred=NOW - SECOND))
    river.tell("Receipt Issued", **receipt(1))
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 2_000
    assert river.shelf()["A", "S1", "oversold"] == -1_000
    assert ("A", "S1", "free") not in river.shelf()
    tasks = river.commerce.select("select kind, sku, place, amount from stock_task")
    assert tasks == [("oversold", "A", "S1", 1_000)]


def test_the_same_receipt_of_two_sources_counts_once(river: River) -> None:
    river.tell("Receipt Issued", **receipt(61))
    river.tell(
        "Receipt Issued", source="poslog", **receipt(61, receipt_id="S1-1-2026-09-21-61", sequence_number="0061")
    )
    river.tell("Receipt Issued", **receipt(62))
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 4_000


def test_a_receipt_without_day_and_sequence_is_known_by_its_number(river: River) -> None:
    plain: dict[str, Any] = {"sequence_number": None, "business_day": None}
    for source in ("pos", "app", "pos"):
        river.tell("Receipt Issued", source=source, **receipt(7, **plain))
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 2_000


def test_a_return_comes_back_where_the_goods_are(river: River) -> None:
    river.tell("Product Returned", store_id="S2", original_store_id="S1", return_id="V1", products=[{"sku": "A"}])
    river.tell("Receipt Issued", **receipt(1))
    river.tell("Product Returned", source="app", store_id="S2", return_id="V1", products=[{"sku": "A"}])
    river.follow()
    assert river.shelf()["A", "S2", "free"] == 1_000
    assert river.shelf()["A", "S1", "sold"] == 1_000


def test_damaged_goods_are_not_sold_again(river: River) -> None:
    river.tell("Product Returned", store_id="S1", return_id="V1", condition="damaged", products=[{"sku": "A"}])
    river.follow()
    assert river.shelf()["A", "S1", "damaged"] == 1_000
    assert ("A", "S1", "free") not in river.shelf()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_cancelled_receipt_does_nothing_before_or_after(river: River, is_first: bool) -> None:
    cancelled: dict[str, Any] = {"store_id": "S1", "till_id": "1", "sequence_number": "1", "business_day": "2026-09-21"}
    names = ["Receipt Cancelled", "Receipt Issued"]
    for name in names if is_first else reversed(names):
        river.tell(name, **(cancelled if name == "Receipt Cancelled" else receipt(1)))
        river.follow()
    assert ("A", "S1", "sold") not in river.shelf()
    assert [row[2] for row in river.commerce.select(f"select {RECEIPTS.columns} from till_receipt")] == ["cancelled"]


def test_training_and_tests_are_no_sales(river: River) -> None:
    river.tell("Receipt Issued", **receipt(1, is_training=True))
    river.tell("Receipt Issued", **receipt(2, is_test=True))
    river.follow()
    assert river.shelf() == {}


def test_a_late_receipt_of_before_a_count_leaves_the_shelf_alone(river: River) -> None:
    river.commerce.do(Count(place="S1", lines=(Counted("A", 5_000),), occurred=NOW - SECOND))
    river.tell("Receipt Issued", occurred=NOW - 86_400 * SECOND, **receipt(1))
    river.follow()
    assert river.shelf()["A", "S1", "free"] == 5_000
    assert river.shelf()["A", "S1", "sold"] == 2_000


def test_lines_of_unknown_products_wait_and_have_their_effect_when_they_are_known(river: River) -> None:
    products = [{"sku": "A"}, {"product_id": "999", "name": "Scarf", "quantity": 3}]
    river.tell("Receipt Issued", **receipt(1, products=products))
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 1_000
    assert river.commerce.select("select channel, id, name from unknown_item") == [("store", "999", "Scarf")]
    river.commerce.do(MapItem(channel="store", id="999", sku="B"))
    look_again(river)
    assert river.shelf()["B", "S1", "sold"] == 3_000
    assert river.commerce.select(f"select * from {PENDING.name}") == []
    river.tell("Receipt Cancelled", **receipt(1))
    river.follow()
    assert ("B", "S1", "sold") not in river.shelf()


def test_units_are_those_of_the_product(river: River) -> None:
    river.commerce.do(PutProduct(product=Product(sku="H", names={"en": "Ham"}, unit="KGM")))
    for number, (quantity, unit) in enumerate([(250, "g"), (0.65, "kg"), (0.1, "KGM"), (1, "")]):
        river.tell("Receipt Issued", **receipt(number, products=[{"sku": "H", "quantity": quantity, "unit": unit}]))
    river.follow()
    assert river.shelf()["H", "S1", "sold"] == 250 + 650 + 100 + 1_000


def test_a_store_that_nobody_knows_waits_for_its_name(river: River) -> None:
    river.tell("Receipt Issued", **receipt(1, store="0042"))
    river.tell("Receipt Issued", **receipt(2))
    river.follow()
    assert river.shelf() == {("A", "S1", "sold"): 2_000, ("A", "S1", "oversold"): -2_000}
    assert river.commerce.select(f"select source, store, facts from {STRANGE.name}") == [("pos", "0042", 1)]
    river.commerce.do(NameStore(source="pos", store="0042", place="S2"))
    river.follower = river.fresh()
    river.follow()
    assert river.shelf()["A", "S2", "sold"] == 2_000
    assert river.shelf()["A", "S1", "sold"] == 2_000
    assert river.commerce.select(f"select * from {STRANGE.name}") == []


def test_a_store_that_becomes_a_place_catches_up(river: River) -> None:
    river.tell("Receipt Issued", **receipt(1, store="S9"))
    river.follow()
    river.commerce.do(PutPlace(place=Place(id="S9")))
    look_again(river)
    river.follow()
    assert river.shelf()["A", "S9", "sold"] == 2_000


def test_without_places_nothing_is_read_and_the_first_place_begins_there() -> None:
    river = River(FurnishedTables(), places=())
    river.tell("Receipt Issued", **receipt(1))
    river.follow()
    river.commerce.do(PutPlace(place=Place(id="S1")))
    river.tell("Receipt Issued", **receipt(2))
    river.follower = river.fresh()
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 2_000
    river.commerce.do(Rewind(position=0))
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 4_000
    river.close()


def test_habits_say_whose_facts_count(river: River) -> None:
    level: dict[str, Any] = {"store_id": "S1", "item_id": "A", "available": 7}
    river.tell("Stock Level Changed", source="shop", **level)
    river.follow()
    assert river.shelf() == {}
    river.commerce.do(SetHabit(source="shop", levels=True))
    river.commerce.do(SetHabit(source="*", receipts=False))
    river.follower = river.fresh()
    river.tell("Stock Level Changed", source="shop", **level)
    river.tell("Receipt Issued", **receipt(1))
    river.follow()
    assert river.shelf()["A", "S1", "free"] == 7_000
    assert ("A", "S1", "sold") not in river.shelf()


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"products": [{"sku": "A", "quantity": "many"}]}, "amount_unreadable"),
        ({"products": [{"quantity": 1}]}, "item_missing"),
        ({"products": "A"}, "lines_unreadable"),
        ({"receipt_id": "", "sequence_number": ""}, "value_missing"),
        ({"business_day": "yesterday"}, "day_unreadable"),
    ],
)
def test_what_cannot_have_its_effect_waits_with_its_reason(
    river: River, properties: dict[str, Any], reason: str
) -> None:
    river.tell("Receipt Issued", **receipt(1, **properties))
    river.tell("Receipt Issued", **receipt(2))
    river.follow()
    assert river.commerce.select(f"select position, reason, state from {UNFIT.name}") == [(1, reason, "waiting")]
    assert river.shelf()["A", "S1", "sold"] == 2_000


def test_a_deed_that_spoils_a_stretch_is_put_aside_alone(river: River, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 8):
        river.tell("Receipt Issued", **receipt(number))
        if number in (3, 4):
            river.tell("Product Returned", store_id="S1", return_id=f"V{number}", products=[{"sku": "A"}])
    resolved = following.Follower._resolved

    def spoiled(self: following.Follower, deed: Any) -> Any:
        """Returns name a product whose name no stock can have, which only the handler finds out."""
        found: Any = resolved(self, deed)
        if not isinstance(found, Return):
            return found
        return msgspec.structs.replace(found, lines=(msgspec.structs.replace(found.lines[0], sku="x" * 300),))

    monkeypatch.setattr(following.Follower, "_resolved", spoiled)
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 14_000
    aside = river.commerce.select(f"select position, reason from {UNFIT.name} order by position")
    assert aside == [(4, "definition_invalid"), (6, "definition_invalid")]


def test_a_mended_fact_has_its_effect_once(river: River) -> None:
    event = river.tell("Receipt Issued", **receipt(1, products=[{"sku": "A", "quantity": "two"}]))
    river.follow()
    event.properties["products"] = [{"sku": "A", "quantity": 2}]
    deeds = tuple(river.follower.deeds_of(event))
    river.commerce.do(Mend(position=event.position, deeds=deeds))
    assert river.shelf()["A", "S1", "sold"] == 2_000
    with pytest.raises(Ended):
        river.commerce.do(Mend(position=event.position, deeds=deeds))
    with pytest.raises(Ended):
        river.commerce.do(Drop(position=event.position))


def test_two_followers_do_not_double(river: River) -> None:
    river.tell("Receipt Issued", **receipt(1))
    river.follow()
    answer = river.commerce.do(Follow(after=0, until=9))
    assert answer.position == 1
    river.follow()
    assert river.shelf()["A", "S1", "sold"] == 2_000


def test_the_cursor_passes_over_what_concerns_nobody(river: River) -> None:
    for _ in range(3):
        river.tell("Product Viewed", product_id="A")
        river.tell("Receipt Issued", source="commerce", **receipt(1))
        river.follow()
    river.follower.note()
    assert river.commerce.select("select position from till_cursor") == [(6,)]
    assert river.shelf() == {}
