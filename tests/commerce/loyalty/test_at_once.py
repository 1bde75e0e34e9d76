"""Many at once, on engines that store: nothing is redeemed twice, and a purchase earns once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cauce.commerce.loyalty import api
from cauce.engines.api import Tables
from cauce.errors import Conflict, Ended, Shortage
from tests.commerce.loyalty.club import CARD, CLUB, MAIL, Club, sums

Fresh = Callable[[], Callable[[], Tables]]


def test_two_channels_cannot_spend_the_same_points(fresh: Fresh) -> None:
    club = Club(CLUB, fresh())
    try:
        club.buy("T-1", 180, CARD)
        club.buy("W-1", 130, MAIL)

        def redeem(number: int) -> str:
            who = ((CARD, MAIL), (MAIL, CARD), (CARD,), (MAIL,))[number % 4]
            try:
                held = club.begin("coffee", *who, key=f"till {number // 2}")
                return club.complete(held.id).state
            except Shortage:
                return "shortage"
            except Ended:
                return "ended"
            except Conflict:
                return "conflict"

        with ThreadPoolExecutor(16) as pool:
            outcomes = Counter(pool.map(redeem, range(64)))
        spent = api.figures(club.read(), "club").spent
        assert spent == 50 * outcomes["completed"]
        # At most six coffees can be had of 310 points, and every key has at most one effect.
        assert 0 < outcomes["completed"] <= 6
        assert club.balance(CARD, MAIL).points == 310 - spent
        sums(club.read(), (CARD, MAIL), club.now, 310 - spent)
    finally:
        club.close()


def test_a_purchase_that_is_told_by_everybody_at_once_earns_once(fresh: Fresh) -> None:
    club = Club(CLUB, fresh())
    try:
        names = (("order:1",), ("receipt:1", "order:1"), ("receipt:1",), ("order:1", "receipt:1"))

        def tell(number: int) -> None:
            first, *also = names[number % 4]
            if number % 5 == 0:
                club.bring_back("receipt:1", f"back {number // 20}", 10)
            club.buy(first, 100, CARD, also=tuple(also), at=club.now)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(tell, range(60)))
        club.buy("order:1", 100, CARD, also=("receipt:1",))
        found = club.statement()
        assert (found.earned, found.clawed, found.closing) == (100, 30, 70)
    finally:
        club.close()
