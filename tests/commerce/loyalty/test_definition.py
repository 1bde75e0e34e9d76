"""Programmes as people write them: what is read, and how faults are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cauce.commerce.loyalty import definition as source
from cauce.commerce.loyalty.definition import Lots, read_programme
from cauce.commerce.loyalty.programmes import ApplyProgramme
from cauce.errors import Conflict, DefinitionInvalid
from cauce.testing.world.loyalty import CLUB as WHOLE
from tests.commerce.loyalty.club import CLUB, Club


def changed(old: str, new: str) -> str:
    assert old in CLUB
    return CLUB.replace(old, new)


def test_a_programme_is_read_in_minor_units_and_millionths() -> None:
    found = read_programme(WHOLE)
    assert (found.earn[0].points, found.earn[0].per_amount) == (1_000_000, 100)
    assert [level.entry for level in found.tiers.levels] == [0, 15_000, 40_000]
    assert found.tiers.levels[1].bonus == 1_250
    assert found.lots == Lots(start_days=1, months=12)
    assert found.rewards[1].value == 500


def test_an_amount_has_the_decimals_of_its_currency() -> None:
    assert read_programme(changed("EUR", "JPY").replace("1.00", "100")).earn[0].per_amount == 100
    with pytest.raises(DefinitionInvalid, match=re.escape("earn[0].per: expected a number")):
        read_programme(changed("EUR", "JPY").replace("1.00", "1.5"))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (changed("programme: club", "programme: Club!"), "programme: expected a code of small letters"),
        (changed("points: 1, per", "points: 0, per"), "earn[0].points: expected a number from 0.000001"),
        (changed("currency: EUR", "currency: EURO"), "currency: expected an ISO 4217 code such as EUR, got 'EURO'"),
        (changed("Europe/Madrid", "Madrid"), "timezone: expected an IANA time zone"),
        (changed("rewards:", "reward:"), "reward: there is no such field. Did you mean 'rewards'?"),
        (changed("months: 12", "months: 12, day: 2027-01-01"), "lots.expire.day: expected one of"),
        (changed("months: 12", "day: 2027-02-30"), "lots.expire.day: expected a date such as"),
        (changed("reward: mug", "reward: coffee"), "rewards[1]: there are two named 'coffee'"),
        (changed("per: 1.00", "per: week"), "earn[0].per: expected a number"),
        (changed("per: 1.00", "event: Survey Answered, per: 1"), "earn[0].per: expected event"),
        (changed("stock: 2", "tiers: [gold]"), "rewards[1].tiers: the programme has no tiers"),
        ("- a list", "the programme: expected a mapping of"),
        ("a: &x [1]\nb: *x", "line 1: anchors and aliases cannot be used here"),
        ("earn: [", "line 1: expected YAML or JSON"),
        ('{"programme": "\x07"}', "expected YAML or JSON"),
    ],
)
def test_a_fault_names_its_place_and_what_was_expected(document: str, told: str) -> None:
    with pytest.raises(DefinitionInvalid, match=re.escape(told)):
        read_programme(document)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        read_programme({"programme": "x", "earn": [{"points": "many"}], "lots": 3, "tiers": {"levels": []}})
    for place in ("name:", "currency:", "earn[0].points:", "earn[0].per:", "lots:", "tiers.levels:"):
        assert place in caught.value.message


def test_tiers_go_from_the_lowest_to_the_highest() -> None:
    levels = "tiers: {levels: [{tier: gold, entry: 300}, {tier: silver, entry: 100, keep: 200}]}"
    with pytest.raises(DefinitionInvalid, match=r"tiers.levels\[1\].keep: expected at most") as caught:
        read_programme(CLUB + levels)
    assert "tiers.levels[1].entry: expected more than 'gold' needs" in caught.value.message


def test_every_field_stands_in_the_reference() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/loyalty-programmes.md").read_text(encoding="utf-8")
    tables = (
        source.FIELDS, source.EARN_FIELDS, source.TIMES_FIELDS, source.LOTS_FIELDS, source.EXPIRE_FIELDS,
        source.TIERS_FIELDS, source.WINDOW_FIELDS, source.LEVEL_FIELDS, source.REWARD_FIELDS,
    )  # fmt: skip
    for field in {name for names in tables for name in names}:
        assert f"`{field}`" in text, field


def test_versions_follow_one_another_and_nobody_overwrites_somebody(club: Club) -> None:
    assert club.do(ApplyProgramme(document=CLUB, by="eva", expected=1)).version == 2
    with pytest.raises(Conflict, match="version 2 of club was applied meanwhile"):
        club.do(ApplyProgramme(document=CLUB, by="ana", expected=1))
    with pytest.raises(DefinitionInvalid, match="currency: expected EUR"):
        club.do(ApplyProgramme(document=changed("EUR", "USD"), by="ana"))


def test_a_version_holds_for_what_happens_from_then_on(club: Club) -> None:
    club.days(10)
    club.do(ApplyProgramme(document=changed("points: 1,", "points: 3,"), by="ana"))
    club.days(10)
    club.buy("T-1", 10)
    club.buy("T-0", 10, at=club.now - 15 * 86_400_000_000)
    assert club.points() == 40


def test_programmes_run_side_by_side(club: Club) -> None:
    club.do(ApplyProgramme(document=changed("programme: club", "programme: kids"), by="ana"))
    assert [(each.programme, each.points) for each in club.buy("T-1", 10)] == [("club", 10), ("kids", 10)]
    assert [each.points for each in club.buy("T-2", 10, programme="kids")] == [10]


def test_the_stock_of_a_reward_follows_its_definition(club: Club) -> None:
    club.adjust(1_000)
    club.complete(club.begin("mug").id)
    with pytest.raises(DefinitionInvalid, match="expected the stock of mug to be at least 1, got 0"):
        club.do(ApplyProgramme(document=changed("stock: 2", "stock: 0"), by="ana"))
    club.do(ApplyProgramme(document=changed("stock: 2", "stock: 1"), by="ana"))
    with pytest.raises(Conflict):
        club.begin("mug")
