"""Observed goods (EPCIS) move stock as their business steps say, are corrected by declaration, and can be queried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.catalogue.nouns import Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.tills import movements, observed
from cauce.commerce.tills.applying import Rewind
from cauce.commerce.tills.habits import SetHabit
from tests.commerce.tills.river import NOW, SECOND, River
from tests.furnished import FurnishedTables

GTIN = "09521141012345"
GLN = "9529999999993"
PLACE = {"id": "urn:epc:id:sgln:9529999.99999.0"}


@pytest.fixture
def river() -> Iterator[River]:
    found = river_of()
    yield found
    found.close()


def river_of() -> River:
    found = River(FurnishedTables(), places=("S2",))
    found.commerce.do(PutPlace(place=Place(id="S1", gln=GLN)))
    found.commerce.do(PutProduct(product=Product(sku="G", names={"en": "Gin"}, gtins=(GTIN,))))
    return found


def seen(**more: Any) -> dict[str, Any]:
    """An event of three pieces of G at S1."""
    return {
        "type": "ObjectEvent",
        "eventTime": "2026-09-21T10:00:00+02:00",
        "eventTimeZoneOffset": "+02:00",
        "action": "OBSERVE",
        "epcList": [f"https://id.gs1.org/01/{GTIN}/21/{number}" for number in (1, 2)],
        "quantityList": [{"epcClass": f"https://id.gs1.org/01/{GTIN}/10/L7", "quantity": 1}],
        "bizLocation": PLACE,
        **more,
    }


@pytest.mark.parametrize(
    ("step", "disposition", "shelf"),
    [
        ("receiving", "", {"free": 3_000, "supplier": -3_000}),
        ("shipping", "in_transit", {"oversold": -3_000, "supplier": 3_000}),
        ("void_shipping", "", {"free": 3_000, "supplier": -3_000}),
        ("retail_selling", "retail_sold", {"oversold": -3_000, "sold": 3_000}),
        ("receiving", "returned", {"free": 3_000, "sold": -3_000}),
        ("destroying", "destroyed", {"oversold": -3_000, "shrinkage": 3_000}),
        ("inspecting", "damaged", {"oversold": -3_000, "damaged": 3_000}),
        ("stock_taking", "", {"free": 3_000, "shrinkage": -3_000}),
        ("inspecting", "in_progress", {}),
        ("commissioning", "active", {}),
    ],
)
def test_business_steps(river: River, step: str, disposition: str, shelf: dict[str, int]) -> None:
    told = seen(bizStep=step, **({"disposition": disposition} if disposition else {}))
    river.tell("Goods Observed", **told)
    river.tell("Goods Observed", source="other", **told)
    river.follow()
    assert {name: amount for (_, _, name), amount in river.shelf().items()} == shelf


def test_transformations_use_and_make(river: River) -> None:
    river.tell(
        "Goods Observed", type="TransformationEvent", eventTime="2026-09-21T10:00:00Z", eventTimeZoneOffset="+00:00",
        bizLocation=PLACE, inputQuantityList=[{"epcClass": f"https://id.gs1.org/01/{GTIN}", "quantity": 4}],
        outputEPCList=[f"https://id.gs1.org/01/{GTIN}/21/9"],
    )  # fmt: skip
    river.follow()
    assert river.shelf()["G", "S1", "oversold"] + river.shelf().get(("G", "S1", "free"), 0) == -3_000


def test_goods_elsewhere_are_kept_and_move_nothing(river: River) -> None:
    river.tell("Goods Observed", **seen(bizStep="receiving", bizLocation={"id": "urn:epc:id:sgln:0614141.00888.0"}))
    river.commerce.do(SetHabit(source="quiet", goods=False))
    river.follower = river.fresh()
    river.tell("Goods Observed", source="quiet", **seen(bizStep="receiving", eventID="urn:uuid:1"))
    river.follow()
    assert river.shelf() == {}
    assert len(observed.find(river.commerce, observed.Filter()).events) == 2


@given(st.permutations([0, 1, 2, 3]))
def test_a_declared_error_is_as_if_it_never_was_in_any_order(order: list[int]) -> None:
    river = river_of()
    declared = {"errorDeclaration": {"declarationTime": "2026-09-21T12:00:00Z", "reason": "did_not_occur"}}
    named, nameless = seen(bizStep="receiving", eventID="urn:uuid:1"), seen(bizStep="shipping")
    told = [named, {**named, **declared}, nameless, {**nameless, **declared}]
    for number in [*order, *order]:
        river.tell("Goods Observed", **told[number])
    river.follow()
    river.commerce.do(Rewind(position=0))
    river.follow()
    assert river.shelf() == {}
    assert len(observed.find(river.commerce, observed.Filter()).events) == 4
    river.close()


def test_questions(river: River) -> None:
    for number in range(5):
        occurred = NOW + number * SECOND
        river.tell(
            "Goods Observed", occurred=occurred,
            **seen(
                bizStep="receiving" if number % 2 else "shipping", eventTime=f"2026-09-21T10:00:0{number}Z",
                eventID=f"urn:uuid:{number}", disposition="in_progress",
                bizTransactionList=[{"type": "po", "bizTransaction": f"urn:po:{number}"}],
            ),
        )  # fmt: skip
    river.follow()

    def found(**wanted: Any) -> list[str]:
        answer = observed.find(river.commerce, observed.Filter(**wanted))
        return [event["eventID"][-1] for event in answer.events]

    assert found(steps=["receiving"]) == ["1", "3"]
    assert found(steps=["receiving", "shipping"], order="eventTime", descending=True) == ["4", "3", "2", "1", "0"]
    assert found(transactions=["urn:po:2"]) == ["2"]
    assert found(ids=["urn:uuid:4"]) == ["4"]
    assert found(epcs=[f"https://id.gs1.org/01/{GTIN}/21/1"], actions=["OBSERVE"]) == ["0", "1", "2", "3", "4"]
    assert found(classes=[f"https://id.gs1.org/01/{GTIN}/10/L8"]) == []
    assert found(declared=True) == []
    assert found(locations=[PLACE["id"]], dispositions=["in_progress"], types=["ObjectEvent"]) == list("01234")
    pages: list[str] = []
    after = None
    while True:
        page = observed.find(river.commerce, observed.Filter(limit=2, order="eventTime"), after)
        pages += [event["eventID"][-1] for event in page.events]
        after = page.after
        if after is None:
            break
    assert pages == list("01234")


@pytest.mark.parametrize(
    ("epc", "gtin"),
    [
        ("urn:epc:id:sgtin:0614141.107346.2017", "10614141073464"),
        ("urn:epc:class:lgtin:4012345.012345.998877", "04012345123456"),
        ("urn:epc:idpat:sgtin:4012345.098765.*", "04012345987652"),
        ("https://id.gs1.org/01/70614141123451/10/998877", "70614141123451"),
        ("https://example.com/gtin/4006381333931/21/1", "04006381333931"),
        ("urn:epc:id:sscc:0614141.1234567890", None),
        ("https://example.com/", None),
        ("4006381333931", None),
    ],
)
def test_trade_items_by_their_epc(epc: str, gtin: str | None) -> None:
    assert movements.gtin_of(epc) == gtin


@pytest.mark.parametrize(
    ("location", "gln"),
    [
        ("urn:epc:id:sgln:0614141.00777.0", "0614141007776"),
        ("https://id.gs1.org/414/9529999999993/254/door", "9529999999993"),
        ("urn:epc:id:sgln:1.2.0", None),
        ("S1", None),
    ],
)
def test_places_by_their_location(location: str, gln: str | None) -> None:
    assert movements.gln_of(location) == gln
