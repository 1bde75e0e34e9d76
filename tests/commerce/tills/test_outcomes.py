"""What became of a fact, in one word; receipts and movements in pages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.catalogue.items import MapItem
from cauce.commerce.tills import outcomes
from cauce.commerce.tills.api import event_of
from cauce.commerce.tills.applying import Drop
from cauce.commerce.tills.habits import NameStore, SetHabit
from cauce.commerce.tills.outcomes import Which
from cauce.engines.api import Tables
from cauce.errors import DefinitionInvalid
from cauce.model import Event
from tests.commerce.tills.river import NOW, SECOND, River, receipt
from tests.furnished import FurnishedTables


@pytest.fixture
def river() -> Iterator[River]:
    found = River(FurnishedTables())
    yield found
    found.close()


def outcome(river: River, event: Event) -> outcomes.Outcome:
    found = outcomes.outcome_of(river.commerce, river.fresh(), event)
    assert found is not None
    assert found.outcome in outcomes.OUTCOMES
    return found


def test_a_receipt_is_to_come_then_done_then_cancelled(river: River) -> None:
    sale = river.tell("Receipt Issued", **receipt(1))
    assert outcome(river, sale).outcome == "to_come"
    river.follow()
    found = outcome(river, sale)
    assert (found.outcome, found.told_by) == ("done", 0)
    (kept,) = found.kept
    assert (kept.position, kept.number, outcomes.till_of(kept)) == (sale.position, "R1", ("1", "2026-09-21", "1"))
    assert outcomes.lines_of(kept) == [("A", 2_000)]
    cancelled = river.tell("Receipt Cancelled", **receipt(1))
    river.follow()
    assert outcome(river, sale).outcome == "cancelled"
    assert outcome(river, cancelled).outcome == "done"


def test_what_another_event_told_is_known(river: River) -> None:
    first = river.tell("Receipt Issued", **receipt(1))
    again = river.tell("Receipt Issued", source="erp", **receipt(1, till="001"))
    backs = [
        river.tell("Product Returned", source=name, store_id="S1", return_id="D1", products=receipt(1)["products"])
        for name in ("pos", "erp")
    ]
    river.follow()
    assert [outcome(river, one).outcome for one in (first, again, *backs)] == ["done", "known", "done", "known"]
    assert outcome(river, again).told_by == first.position
    assert outcome(river, backs[1]).told_by == backs[0].position


def test_what_waits_says_for_what(river: River) -> None:
    line = {"product_id": "77", "name": "Coat", "quantity": 1, "price": 10.0}
    unknown = river.tell("Receipt Issued", **receipt(1, products=[line]))
    strange = river.tell("Receipt Issued", **receipt(2, store="0042"))
    bad = river.tell("Receipt Issued", **receipt(3, products=[{"sku": "A", "quantity": "two"}]))
    river.follow()
    found = outcome(river, unknown)
    assert (found.outcome, [(one.item, one.name) for one in found.waiting]) == ("waits_for_product", [("77", "Coat")])
    assert outcome(river, strange).outcome == "waits_for_store"
    assert (outcome(river, bad).outcome, outcome(river, bad).reason) == ("waits_for_mending", "amount_unreadable")
    river.commerce.do(MapItem(channel="store", id="77", sku="B"))
    river.commerce.do(NameStore(source="pos", store="0042", place="S2"))
    river.follower = river.fresh()
    while river.follower.settle():
        pass
    river.follow()
    assert [outcome(river, one).outcome for one in (unknown, strange)] == ["done", "done"]
    with pytest.raises(DefinitionInvalid, match="still cannot be used"):
        outcomes.tried_again(river.commerce, river.fresh(), event_of(river.commerce, bad.position)[1], by="ana")
    mended = outcomes.changed(event_of(river.commerce, bad.position)[1], {"products.0.quantity": 2})
    assert outcomes.tried_again(river.commerce, river.fresh(), mended, by="ana").new == 1
    assert (outcome(river, bad).outcome, outcome(river, bad).by) == ("applied", "ana")


def test_what_does_nothing_here_says_so(river: River) -> None:
    bad = river.tell("Receipt Issued", **receipt(3, products=[{"sku": "A", "quantity": "two"}]))
    training = river.tell("Receipt Issued", **receipt(1), is_training=True)
    page = river.tell("Page Viewed", path="/")
    river.commerce.do(SetHabit(source="web", receipts=False))
    other = river.tell("Receipt Issued", source="web", **receipt(2))
    river.follow()
    river.follower.note()
    river.commerce.do(Drop(position=bad.position, by="ana"))
    assert [outcome(river, one).outcome for one in (bad, training, other)] == ["dropped", "none", "none"]
    assert outcomes.outcome_of(river.commerce, river.fresh(), page) is None


@pytest.mark.parametrize("path", ["", ".", "products.7.quantity", "products.x", "currency.0"])
def test_a_path_that_a_fact_lacks_is_refused(river: River, path: str) -> None:
    with pytest.raises(DefinitionInvalid):
        outcomes.changed(river.tell("Receipt Issued", **receipt(1)), {path: 1})


RECEIPTS = st.lists(
    st.tuples(st.sampled_from(["S1", "S2"]), st.sampled_from(["1", "02", "11"]), st.integers(0, 3)), max_size=8
)


@given(RECEIPTS, st.integers(1, 4), st.sampled_from(["", "S1"]), st.sampled_from(["", "1", "2"]))
def test_pages_hold_each_receipt_once_in_order(
    told: list[tuple[str, str, int]], size: int, place: str, till: str
) -> None:
    river = River(FurnishedTables())
    for number, (store, at_till, moment) in enumerate(told):
        river.tell("Receipt Issued", occurred=NOW + moment * SECOND, **receipt(number, store=store, till=at_till))
    river.follow()
    which = Which(kind="sold", place=place, till=till if place else "", source="pos", state="counts")
    found = []
    before = None
    while page := outcomes.receipts(river.commerce, which, before=before, limit=size):
        assert len(page) <= size
        found += page
        before = (page[-1].place, page[-1].at, page[-1].id)
    assert found == sorted(found, key=lambda one: (one.place, one.at, one.id), reverse=True)
    wanted = sorted(
        f"R{number}"
        for number, (store, at_till, _) in enumerate(told)
        if store.startswith(place) and (not which.till or at_till.lstrip("0") == till)
    )
    assert sorted(one.number for one in found) == wanted
    river.close()


def test_a_till_belongs_to_a_place(river: River) -> None:
    with pytest.raises(DefinitionInvalid, match="expected the place of the till"):
        outcomes.receipts(river.commerce, Which(till="1"))


def test_the_same_on_every_engine(fresh: Callable[[], Callable[[], Tables]]) -> None:
    with contextlib.closing(River(fresh()())) as river:
        for number in range(5):
            river.tell("Receipt Issued", **receipt(number, store="S1" if number % 2 else "S2", till=str(number % 2)))
        river.follow()
        which = Which(kind="sold", place="S1", till="01", source="pos", state="counts")
        (last,) = outcomes.receipts(river.commerce, which, limit=1)
        rest = outcomes.receipts(river.commerce, which, before=(last.place, last.at, last.id))
        assert sorted(one.number for one in (last, *rest)) == ["R1", "R3"]
        assert outcome(river, river.archive.events[0]).outcome == "done"
