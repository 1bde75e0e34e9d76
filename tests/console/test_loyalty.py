"""Loyalty in the console: programmes in words and as text, a member's page, gift cards."""

from __future__ import annotations

import re

import pytest

from cauce.commerce.loyalty import api
from cauce.commerce.loyalty.adjusting import Adjust
from cauce.commerce.loyalty.earning import Earn
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.commerce.loyalty.rules import Line
from cauce.testing.world.loyalty import CLUB, furnish
from tests.console.seat import Seat

CARD = "loyalty:9001"


@pytest.fixture
def club(empty_seat: Seat) -> Seat:
    """A programme with one member, who has bought for 320 euros and was given 30 points."""
    commerce = empty_seat.platform.commerce
    commerce.do(ApplyProgramme(document=CLUB.replace("  start_days: 1\n", ""), by="tests"))
    furnish(empty_seat.platform)
    lines = (Line("ABR-1", 32_000),)
    commerce.do(Earn(documents=("T-1",), who=(CARD,), at=commerce.now, lines=lines, currency="EUR", channel="store"))
    commerce.do(Adjust(programme="club", member=CARD, points=30, why="a welcome", by="ana"))
    return empty_seat


def test_programmes_stand_in_words_in_both_languages(club: Seat) -> None:
    assert "Club Ribera" in club.client("marketer").page("/loyalty")
    english = club.client("marketer").page("/loyalty/programmes/club")
    assert "1 point for every €1.00 spent" in english
    assert "They expire 12 months after they were earned." in english
    spanish = club.client("marketer", language="es").page("/loyalty/programmes/club")
    assert "1 punto por cada" in spanish
    assert "Caducan 12 meses después de ganarlos." in spanish


def test_a_text_is_checked_as_it_is_written(club: Seat) -> None:
    client = club.client("marketer")
    good = client.send("/loyalty/check", page="/loyalty/edit?programme=club", programme="club", text=CLUB)
    assert "This can be applied." in good.text
    bad = client.send("/loyalty/check", page="/loyalty/edit", text=CLUB.replace("points: 1,", "points: many,"))
    assert 'data-goes-to-line="8"' in bad.text
    assert "earn[0].points" in bad.text
    twisted = client.send("/loyalty/check", page="/loyalty/edit", text="a: [1")
    assert "expected YAML or JSON" in twisted.text


def test_a_version_is_applied_and_shown_beside_the_one_before(club: Seat) -> None:
    client = club.client("marketer")
    text = CLUB.replace("grace_days: 30", "grace_days: 60")
    page = "/loyalty/edit?programme=club"
    answer = client.send("/loyalty/apply", page=page, programme="club", version="1", text=text)
    assert answer.status_code == 303
    shown = client.page("/loyalty/programmes/club")
    assert "<ins>+   grace_days: 60</ins>" in shown
    late = client.send("/loyalty/apply", page=page, programme="club", version="1", text=text)
    assert late.status_code == 422
    assert "was applied meanwhile" in late.text
    assert "12 months" in client.page("/loyalty/programmes/club?version=1")


def test_a_member_sees_points_tier_lots_and_a_statement_that_sums_up(club: Seat) -> None:
    text = club.client("owner").page(f"/loyalty/members/{CARD}")
    assert "Corriente" in text
    assert "more for Cauce" in text
    assert 'class="ladder"' in text
    assert "a welcome (ana)" in text
    total = re.search(r'class="total"><dt>[^<]*</dt><dd>([^<]*)<', text)
    assert total
    assert int(total[1]) == club.platform.commerce.select("select sum(posted) from account where name = 'lot'")[0][0]


def test_points_are_corrected_and_a_reward_is_given(club: Seat) -> None:
    client = club.client("owner")
    page, other = f"/loyalty/members/{CARD}", f"/loyalty/adjust/{CARD}"
    assert client.send(other, page=page, programme="club", points="-10", why="an error").status_code == 303
    assert "−10" in client.page(page)
    assert client.send(other, page=page, programme="club", points="many", why="x").status_code == 422
    promise = {"page": page, "programme": "club", "reward": "cafe", "key": "once"}
    for _pressed_twice in range(2):
        assert client.send(f"/loyalty/redeem/{CARD}", **promise).status_code == 303
    shown = client.page(page)
    assert shown.count('name="redemption"') == 1
    number = re.search(r'name="redemption" value="(\d+)"', shown)
    assert number
    ended = client.send(f"/loyalty/end/{CARD}", page=page, redemption=number[1], do="complete")
    assert ended.status_code == 303
    assert "Un café" in client.page(page)
    assert api.figures(club.platform.commerce.reader, "club").spent == 50


def test_who_does_not_see_personal_data_sees_a_masked_card(club: Seat) -> None:
    text = club.client("marketer").page(f"/loyalty/members/{CARD}")
    assert "9001" not in re.sub(r"(action|href|hx-get)=\"[^\"]*\"", "", text)
    assert "a welcome" not in text


def test_somebody_without_points_is_no_fault(club: Seat) -> None:
    client = club.client("store_staff")
    assert "No member yet" in client.page("/loyalty/members/loyalty:777")
    assert client.page("/loyalty/members/loyalty:", 422)


def test_a_card_shows_its_number_once(club: Seat) -> None:
    client = club.client("marketer")
    answer = client.send("/loyalty/cards/issue", page="/loyalty/cards", amount="12,50", currency="eur", key="k")
    number = re.search(r'id="number">([0-9 ]{19})<', answer.text)
    assert number
    again = client.send("/loyalty/cards/issue", page="/loyalty/cards", amount="12,50", currency="eur", key="k")
    assert number[1] in again.text
    last = number[1][-4:]
    text = client.page(f"/loyalty/cards?last={last}")
    assert f"•••• {last}" in text
    assert number[1].replace(" ", "") not in text.replace(" ", "")
    card = re.search(r"/loyalty/cards/(\d+)", text[text.index(f"•••• {last}") - 60 :])
    assert card
    blocked = client.send(f"/loyalty/cards/{card[1]}/block", page=f"/loyalty/cards/{card[1]}", do="block", why="lost")
    assert blocked.status_code == 303
    assert "blocked" in client.page(f"/loyalty/cards/{card[1]}")
