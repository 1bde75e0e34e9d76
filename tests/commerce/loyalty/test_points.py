"""Points are earned, taken back, spent and lost."""

from __future__ import annotations

import pytest

from cauce.commerce.loyalty.earning import ClawBack, Earn
from cauce.commerce.loyalty.rules import Line, ReturnedLine
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Shortage
from tests.commerce.loyalty.club import CARD, MAIL, T0, Club


def test_a_purchase_earns_once_whatever_its_document_or_channel(club: Club) -> None:
    assert club.buy("order:W-1", 120.50, channel="web")[0].points == 120
    assert club.buy("order:W-1", 120.50, channel="web")[0].again
    assert club.buy("receipt:T-1", 120.50, channel="store", also=("order:W-1",))[0].again
    assert club.buy("receipt:T-1", 120.50, channel="store")[0].again
    assert club.points() == 120


def test_two_documents_that_turn_out_to_be_one_purchase_earn_once(club: Club) -> None:
    club.buy("order:W-1", 100, MAIL)
    club.days(1)
    club.buy("receipt:T-1", 100, CARD)
    assert club.points(CARD, MAIL) == 200
    club.buy("receipt:T-1", 100, CARD, also=("order:W-1",))
    assert club.points(CARD, MAIL) == 100
    club.bring_back("receipt:T-1", "R1", 40)
    assert club.points(CARD, MAIL) == 60


def test_what_is_excluded_earns_nothing(club: Club) -> None:
    assert club.buy("T-1", 50, category="gift cards / paper")[0].points == 0


def test_a_return_takes_back_in_proportion(club: Club) -> None:
    club.buy("T-1", 100)
    assert club.bring_back("T-1", "R1", 25)[0].clawed == 25
    assert club.bring_back("T-1", "R1", 25)[0].clawed == 25  # the same return
    assert club.bring_back("T-1", "R2", 500)[0].clawed == 100  # never more than it earned
    assert club.points() == 0


def test_a_return_of_lines_takes_what_they_earned(club: Club) -> None:
    lines = (Line("A", 3000, 3000), Line("G", 5000, category="gift cards"), Line("B", 1000))
    club.do(Earn(documents=("T-1",), who=(CARD,), at=T0, lines=lines, currency="EUR"))
    assert club.points() == 40
    club.do(ClawBack(document="T-1", id="R1", at=T0, lines=(ReturnedLine("A", quantity=1000),)))
    assert club.points() == 30
    club.do(ClawBack(document="T-1", id="R2", at=T0, lines=(ReturnedLine("G", amount=5000),)))
    assert club.points() == 30
    club.do(ClawBack(document="T-1", id="R3", at=T0, lines=(ReturnedLine("B", amount=1000),)))
    assert club.points() == 20


def test_a_return_that_is_known_first_waits_for_its_purchase(club: Club) -> None:
    assert club.bring_back("T-1", "R1", 30) == ()
    assert club.buy("T-1", 100)[0].clawed == 30
    assert club.points() == 70


def test_points_that_were_spent_become_a_debt_that_is_paid_first(club: Club) -> None:
    club.buy("T-1", 100)
    club.complete(club.begin("mug").id)
    club.bring_back("T-1", "R1")
    found = club.balance()
    assert (found.points, found.available, found.owed) == (-100, 0, 100)
    club.buy("T-2", 130)
    assert (club.balance().owed, club.points()) == (0, 30)


def test_a_debt_of_one_card_cannot_be_left_behind(club: Club) -> None:
    club.buy("T-1", 100)
    club.complete(club.begin("mug").id)
    club.bring_back("T-1", "R1")
    club.buy("W-1", 120, MAIL)
    assert club.points(CARD, MAIL) == 20
    with pytest.raises(Shortage, match="20 can be spent"):
        club.begin("coffee", CARD, MAIL)


def test_expired_points_cannot_be_spent_even_before_the_sweep(club: Club) -> None:
    club.buy("T-1", 100)
    club.days(364)
    assert club.points() == 100
    club.days(2)
    assert (club.points(), club.balance().overdue) == (0, 100)
    with pytest.raises(Shortage):
        club.begin("coffee")
    assert club.sweep().points == 100
    assert club.sweep().points == 0
    assert club.statement().expired == 100


def test_a_return_after_expiry_takes_nothing_twice(club: Club) -> None:
    club.buy("T-1", 100)
    club.days(400)
    club.sweep()
    club.bring_back("T-1", "R1")
    found = club.statement()
    assert (found.expired, found.clawed, found.closing) == (0, 100, 0)
    assert club.balance().owed == 0


def test_oldest_expiry_is_spent_first(club: Club) -> None:
    club.buy("T-1", 60)
    club.days(30)
    club.buy("T-2", 60, MAIL)
    club.complete(club.begin("coffee", MAIL, CARD).id)
    assert [(lot.source, lot.points) for lot in club.balance(CARD, MAIL).lots] == [("T-1", 10), ("T-2", 60)]


def test_a_redemption_is_completed_or_cancelled_once(club: Club) -> None:
    club.buy("T-1", 100)
    held = club.begin("coffee", key="k1")
    assert club.begin("coffee", key="k1") == held
    assert (club.points(), club.balance().held) == (50, 50)
    assert club.complete(held.id).state == "completed"
    for again in (club.complete, club.cancel):
        with pytest.raises(Ended, match="was completed"):
            again(held.id)
    other = club.begin("coffee")
    club.cancel(other.id)
    with pytest.raises(Ended, match="was cancelled"):
        club.complete(other.id)
    assert club.points() == 50


def test_a_redemption_cannot_be_completed_after_its_time(club: Club) -> None:
    club.buy("T-1", 100)
    held = club.begin("coffee")
    club.days(1)
    with pytest.raises(Ended, match="expired"):
        club.complete(held.id)
    assert club.cancel(held.id).state == "cancelled"
    assert club.points() == 100


def test_points_promised_before_they_expire_can_still_be_spent(club: Club) -> None:
    club.buy("T-1", 100)
    club.now = club.balance().lots[0].expires - 60_000_000
    kept, given_up = club.begin("coffee"), club.begin("coffee")
    club.now += 120_000_000
    club.sweep()
    club.complete(kept.id)
    club.cancel(given_up.id)
    found = club.statement()
    assert (found.spent, found.expired, found.closing) == (50, 50, 0)


def test_a_reward_has_so_many_pieces(club: Club) -> None:
    club.buy("T-1", 500)
    first, _second = club.begin("mug"), club.begin("mug")
    with pytest.raises(Shortage):
        club.begin("mug")
    club.cancel(first.id)
    club.complete(club.begin("mug").id)


def test_an_adjustment_has_a_reason_and_no_debt(club: Club) -> None:
    club.adjust(80)
    with pytest.raises(Shortage):
        club.adjust(-81)
    club.adjust(-30)
    found = club.statement()
    assert (found.adjusted, found.closing) == (50, 50)
    assert found.movements[-1].why == "a test (test)"


def test_what_makes_no_sense_is_refused(club: Club) -> None:
    with pytest.raises(DefinitionInvalid, match="member: expected one of"):
        club.adjust(5, "device:1")
    club.buy("T-1", 100)
    with pytest.raises(NotFound, match="Did you mean 'coffee'"):
        club.begin("cofee")
    with pytest.raises(DefinitionInvalid, match="what came back"):
        club.do(ClawBack(document="T-1", id="R1", at=T0))
    club.begin("coffee", key="k")
    with pytest.raises(Conflict, match="another command"):
        club.begin("mug", key="k")


def test_statements_of_periods_join_without_a_gap(club: Club) -> None:
    club.buy("T-1", 100)
    club.days(10)
    middle = club.now
    club.complete(club.begin("coffee").id)
    club.buy("T-2", 30)
    before, after = club.statement(until=middle), club.statement(since=middle)
    assert (before.opening, before.closing) == (0, 100)
    assert (after.opening, after.earned, after.spent, after.closing) == (100, 30, 50, 80)
    assert [move.balance for move in after.movements] == [50, 80]
