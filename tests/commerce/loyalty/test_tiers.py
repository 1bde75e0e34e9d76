"""Tiers by the last months and by calendar years: up at once, down after the time of grace."""

from __future__ import annotations

from cauce.commerce.loyalty.definition import Level, Tiers
from cauce.commerce.loyalty.tiers import Entry, Standing, standings
from cauce.model import from_iso
from cauce.model.time import DAY
from tests.commerce.loyalty.club import CARD, CLUB, MAIL, Club

LEVELS = (Level(tier="silver", name="", entry=100, keep=60), Level(tier="gold", name="", entry=300, keep=200))
ROLLING = Tiers(window_months=12, grace_days=30, levels=LEVELS)
YEARS = Tiers(calendar_year=True, grace_days=30, levels=LEVELS)


def day(text: str) -> int:
    return from_iso(f"{text}T12:00:00+00:00")


def held(tiers: Tiers, bought: dict[str, int], *moments: str) -> list[str]:
    entries = [Entry(day(at), day(at), amount) for at, amount in bought.items()]
    return [each.tier for each in standings(tiers, "Europe/Madrid", entries, [day(at) for at in moments])]


def test_a_tier_is_reached_at_once_and_lost_after_its_grace() -> None:
    bought = {"2025-01-10": 120}
    assert held(ROLLING, bought, "2025-01-10", "2025-01-11", "2026-01-09", "2026-02-08", "2026-02-10") == [
        "", "silver", "silver", "silver", "",
    ]  # fmt: skip


def test_who_buys_in_time_keeps_it() -> None:
    assert held(ROLLING, {"2025-01-10": 120, "2026-02-01": 60}, "2026-03-01", "2027-01-31", "2027-03-10") == [
        "silver", "silver", "",
    ]  # fmt: skip


def test_who_loses_gold_may_keep_silver() -> None:
    assert held(ROLLING, {"2025-01-10": 250, "2025-06-10": 70}, "2025-06-11", "2026-02-01", "2026-02-12") == [
        "gold", "gold", "silver",
    ]  # fmt: skip


def test_a_return_takes_away_what_it_had_counted_and_leaves_with_its_purchase() -> None:
    entries = [
        Entry(day("2025-01-10"), day("2025-01-10"), 120),
        Entry(day("2025-03-01"), day("2025-01-10"), -120),
        Entry(day("2025-09-01"), day("2025-09-01"), 100),
    ]
    moments = [day(at) for at in ("2025-02-01", "2025-03-02", "2025-04-02", "2026-01-20")]
    found = standings(ROLLING, "UTC", entries, moments)
    assert [(each.tier, each.counted) for each in found] == [("silver", 120), ("silver", 0), ("", 0), ("silver", 100)]
    assert found[1].falls == day("2025-03-31")


def test_a_year_counts_for_itself_and_the_next() -> None:
    bought = {"2024-05-01": 320, "2025-05-01": 80}
    assert held(YEARS, bought, "2024-05-02", "2025-12-31", "2026-01-15", "2026-02-15", "2027-02-15") == [
        "gold", "gold", "gold", "silver", "",
    ]  # fmt: skip


def test_a_tier_that_costs_nothing_is_everybodys() -> None:
    tiers = Tiers(levels=(Level(tier="base", name="", entry=0, keep=0), *LEVELS))
    assert standings(tiers, "UTC", [], [day("2025-01-01")]) == [Standing("base", 0, 0, 0, 0)]


def test_a_person_is_counted_over_all_identifiers_and_the_river_hears_of_a_change() -> None:
    tiers = "tiers: {window: {months: 6}, levels: [{tier: silver, entry: 150, bonus: 1.5}]}"
    club = Club(CLUB + tiers)
    try:
        club.buy("T-1", 100, CARD, MAIL)
        club.days(1)
        club.buy("W-1", 100, MAIL, CARD)
        club.days(1)
        assert club.buy("T-2", 100, CARD, MAIL)[0].points == 150
        assert club.balance(CARD, MAIL).progress.tier == "silver"  # type: ignore[union-attr]
        club.now += 400 * DAY
        club.sweep()
        facts = [row[0] for row in club.read().select("select body from outbox order by id")]
        told = [bytes(body).decode() for body in facts if b"Tier Changed" in bytes(body)]
        assert len(told) == 2
        assert '"tier":"silver","tier_before":""' in told[0]
        assert '"tier":"","tier_before":"silver"' in told[1]
    finally:
        club.close()
