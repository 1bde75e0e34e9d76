"""Known faults of other systems, planted one by one: the machine, or an example, finds each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cauce.commerce import parts
from cauce.commerce.orders import goods, moves, paying, placing, rules
from tests.commerce.orders import test_orders as examples
from tests.commerce.orders.shop import Shop
from tests.commerce.orders.test_machine import OrdersMachine
from tests.furnished import FurnishedTables

PATIENCE = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True, database=None, phases=[Phase.generate]
)


def cancel_keeps_the_stock(patch: Any) -> None:
    patch.setattr(goods, "free", lambda work, part, sku, amount: part._replace(held=part.held - amount))


def release_twice(patch: Any) -> None:
    free = goods.free

    def twice(work: Any, part: Any, sku: str, amount: int) -> Any:
        found = free(work, part, sku, amount)
        goods.back(work, moves.Came(sku, part.place, amount), part.place, is_damaged=False)
        return found

    patch.setattr(goods, "free", twice)


def expiry_is_not_heard(patch: Any) -> None:
    patch.setitem(parts.ON_EXPIRED, goods.OWNER, lambda work, hold: None)


def confirm_after_expiry(patch: Any) -> None:
    patch.setattr(placing, "could_confirm", lambda work, order: [])


def refund_without_bound(patch: Any) -> None:
    patch.setattr(paying, "_counted", lambda order, command: command.amount)


def payment_counts_twice(patch: Any) -> None:
    patch.setattr(paying, "_again", lambda order, before, command: paying.Paid(placing.standing(order), 0))
    counted = paying._counted
    patch.setattr(paying, "_counted", lambda order, command: counted(order, command) * 2)


def unpaid_goods_leave(patch: Any) -> None:
    patch.setattr(moves, "_check", lambda order, move, now: None)


def over_return(patch: Any) -> None:
    """What came back counts as given still, and so it may come back again."""
    counted = moves._counted

    def kept(line: Any, part: Any, was: str, to: str, amount: int) -> Any:
        after, part_after = counted(line, part, was, to, amount)
        if to == rules.RETURNED:
            after, part_after = (
                after._replace(**{was: getattr(line, was)}),
                part_after._replace(**{was: getattr(part, was)}),
            )
        return after, part_after

    patch.setattr(moves, "_counted", kept)


def history_is_forgotten(patch: Any) -> None:
    patch.setattr(moves, "_noted", lambda *_words: None)


def machine() -> None:
    run_state_machine_as_test(OrdersMachine, settings=PATIENCE)


def example(test: Callable[[Shop], None]) -> Callable[[], None]:
    """An example with a shop of its own, judged by what always holds."""

    def judge() -> None:
        with contextlib.closing(Shop(FurnishedTables())) as shop:
            shop.receive("A", "S1", 5_000)
            test(shop)
            shop.check()

    return judge


FAULTS: tuple[tuple[Callable[[Any], None], Callable[[], None]], ...] = (
    (cancel_keeps_the_stock, machine),
    (release_twice, machine),
    (expiry_is_not_heard, machine),
    (refund_without_bound, machine),
    (payment_counts_twice, machine),
    (history_is_forgotten, machine),
    (confirm_after_expiry, example(examples.test_paid_late_it_is_held_anew_or_to_be_refunded)),
    (over_return, example(examples.test_goods_come_back_in_any_place_and_never_more_than_left)),
    (unpaid_goods_leave, example(examples.test_unpaid_goods_do_not_leave)),
)
"""Each fault, and what finds it."""


@pytest.mark.soak
@pytest.mark.parametrize(("plant", "judge"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_it_is_found(plant: Callable[[Any], None], judge: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(BaseException):  # noqa: B017, PT011 what it finds differs; that it finds is what counts
        judge()
