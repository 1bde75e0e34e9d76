"""Faults that other systems had are planted here; each is found by what the other tests do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from cauce.commerce.ledger import api as ledger
from cauce.commerce.loyalty import earning, lots, redeeming, rules
from cauce.commerce.loyalty.store import LOTS, Lot
from cauce.commerce.transact.work import Work
from cauce.errors import CauceError
from cauce.model.time import DAY
from tests.commerce.loyalty import test_points as points
from tests.commerce.loyalty.club import CARD, T0, Club
from tests.commerce.loyalty.test_invariants import RICH

Plant = Callable[[pytest.MonkeyPatch], None]


def a_late_receipt_counts_at_its_own_time(_club: Club) -> None:
    """The receipt that raises the tier comes after the purchase that the tier gives a bonus."""
    with closing(Club(RICH)) as club:
        club.now = T0 + 30 * DAY
        club.buy("T-2", 100, CARD, at=T0 + 20 * DAY)
        club.buy("T-1", 200, CARD, at=T0 + 10 * DAY)
        assert club.statement().earned == 200 + 125


def a_day_has_a_maximum(_club: Club) -> None:
    with closing(Club(RICH)) as club:
        club.buy("T-1", 140, CARD)
        club.buy("T-2", 140, CARD)
        assert club.statement().earned == 250


SCENARIOS: Sequence[Callable[[Club], None]] = (
    *(found for name, found in vars(points).items() if name.startswith("test_")),
    a_late_receipt_counts_at_its_own_time,
    a_day_has_a_maximum,
)


def a_retry_doubles_points(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(earning, "_known", lambda *_: [])


def points_of_two_documents_are_not_put_together(patch: pytest.MonkeyPatch) -> None:
    known = earning._known
    patch.setattr(earning, "_known", lambda *asked: known(*asked)[:1])


def redeemed_points_are_never_deducted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ledger, "post", lambda *_, **__: None)


def a_redemption_holds_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redeeming, "_plan", lambda *_: [])


def what_has_expired_can_be_spent_until_the_sweep(patch: pytest.MonkeyPatch) -> None:
    def free(work: Work, programme: str, members: Sequence[str]) -> list[tuple[Lot, int]]:
        return [(lot, lots.available(work, lot)) for lot in lots.open_lots(work, programme, members)]

    patch.setattr(lots, "spendable", free)


def debts_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lots, "owed", lambda *_: 0)


def debts_are_not_paid_first(patch: pytest.MonkeyPatch) -> None:
    def deposit(work: Work, lot_id: int, amount: int, giver: ledger.Place, why: str) -> None:
        lot = work.need(LOTS, lot_id)
        ledger.move(work, giver, lots.place_of(lot), amount, why)
        work.put(LOTS, lot._replace(open=1))

    patch.setattr(lots, "deposit", deposit)


def the_newest_lot_is_spent_first(patch: pytest.MonkeyPatch) -> None:
    spendable = lots.spendable
    patch.setattr(lots, "spendable", lambda *asked: spendable(*asked)[::-1])


def a_return_takes_back_more_than_came_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "clawed", lambda earned, history: earned if history else 0)


def a_return_takes_back_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "clawed", lambda *_: 0)


def a_return_that_comes_first_is_lost(patch: pytest.MonkeyPatch) -> None:
    count = earning._count_returns

    def counted(work: Work, purchase: Any, *, told: bool = True, anew: bool = False) -> None:
        if told:
            count(work, purchase, told=told, anew=anew)

    patch.setattr(earning, "_count_returns", counted)


def a_late_fact_changes_nothing_after_it(patch: pytest.MonkeyPatch) -> None:
    wanted = earning._wanted

    def only_itself(work: Work, head: Any, rows: Sequence[Any], since: int) -> Any:
        found = wanted(work, head, rows, since)
        return [given if row.at == since else None for row, given in zip(rows, found, strict=True)]

    patch.setattr(earning, "_wanted", only_itself)


def points_that_come_back_never_expire(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lots, "settle", lambda *_: None)


PLANTED: Sequence[Plant] = (
    a_retry_doubles_points,
    points_of_two_documents_are_not_put_together,
    redeemed_points_are_never_deducted,
    a_redemption_holds_nothing,
    what_has_expired_can_be_spent_until_the_sweep,
    debts_are_forgotten,
    debts_are_not_paid_first,
    the_newest_lot_is_spent_first,
    a_return_takes_back_more_than_came_back,
    a_return_takes_back_nothing,
    a_return_that_comes_first_is_lost,
    a_late_fact_changes_nothing_after_it,
    points_that_come_back_never_expire,
)


def faults() -> Iterator[str]:
    """Scenarios that do not come out as they should."""
    for scenario in SCENARIOS:
        with closing(Club()) as club:
            try:
                scenario(club)
            except (AssertionError, CauceError, pytest.fail.Exception):
                yield scenario.__name__


def test_nothing_is_wrong_without_a_planted_fault() -> None:
    assert list(faults()) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert next(faults(), None)
