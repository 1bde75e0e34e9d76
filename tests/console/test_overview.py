"""The overview: counts that are those of the platform, asked of counters, quick, and calm while nothing is there."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest

from cauce.console import charts, flow
from cauce.console.areas import overview as area
from cauce.console.cached import Cached, Errands
from cauce.console.charts import Series
from cauce.console.words import words_of
from cauce.model import DAY, HOUR, Source

WORDS = words_of("en", "Europe/Madrid")


def numbers(text):
    return [int(found.replace(",", "")) for found in re.findall(r">([\d,]+)<", text)]


def settled(client, address, wanted):
    """A page as soon as what is counted off the page is there."""
    for _ in range(200):
        text = client.page(address)
        if re.search(wanted, text, re.DOTALL):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{address} never said {wanted!r}")


def test_the_sum_is_that_of_the_platform(seat):
    text = settled(seat.client(), "/overview", 'class="terms"')
    rows = seat.platform.quality.balance()
    terms = text.partition('class="terms"')[2].partition("</dl>")[0]
    total = sum(row.received for row in rows)
    assert numbers(terms)[0] == total
    assert f">{sum(row.stored for row in rows):,} <small>" in terms.replace("</a>", "")
    assert "it adds up" in text
    assert sum(row.quarantined for row in rows) > 0
    assert 'href="/quarantine"' in terms


def test_people_are_counted_off_the_page_and_then_shown(seat):
    counts = seat.platform.people.counts()
    text = settled(seat.client(), "/overview/live", rf"<b[^>]*>{counts['people']:,}</b>")
    assert f"{counts['identifiers'] - counts['people']:,}" in text


def test_growth_agrees_with_the_counts(seat):
    growth, counts = seat.platform.people.growth(0), seat.platform.people.counts()
    assert (growth.identifiers, growth.people) == (counts["identifiers"], counts["people"])
    assert growth.people_new == growth.people
    assert growth.joined_new == growth.identifiers - growth.people
    later = seat.platform.people.growth(2**62)
    assert (later.people, later.people_new, later.joined_new) == (growth.people, 0, 0)


@pytest.mark.parametrize("choice", ["day", "month", "year", "nonsense"])
def test_the_chart_counts_each_event_once(seat, choice):
    client = seat.client()
    text = settled(
        client, f"/overview/live?range={choice}", r'id="over-time">.*?(class="chart"|class="empty").*</section>'
    )
    rows = re.findall(r'<tr><th scope="row">[^<]*</th>((?:<td class="n">[\d,]+</td>)+)', text)
    shown = sum(sum(numbers(row)) for row in rows)
    since = {"day": 1, "year": 366}.get(choice, 30)
    happened = sum(
        sum(1 for one in chunk if one.event.type != "decision" and one.event.occurred > _ago(since))
        for chunk in seat.platform.archive.scan()
    )
    assert shown <= happened
    assert shown >= happened - 5, "what happened on the edge of the first step may be left out"


def _ago(days):
    return int(datetime.now(UTC).timestamp() * 1_000_000) - days * DAY


def test_an_empty_installation_says_what_to_do_next(empty_seat):
    text = empty_seat.client().page("/overview")
    assert "No source yet" in text
    assert 'href="/sources/new"' in text
    assert 'href="/sources/new"' not in empty_seat.client("privacy").page("/overview")


def test_how_a_source_does(own_seat):
    platform = own_seat.platform
    found = {one.source: one for one in flow.wellbeing(platform)}
    assert found["web"].state == "well"
    assert found["web"].received == sum(found["web"].hours)
    platform.sources.add(Source("fresh", "web"), by="tests")
    platform.sources.disable("crm", by="tests")
    found = {one.source: one.state for one in flow.wellbeing(platform)}
    assert (found["fresh"], found["crm"], found["web"]) == ("new", "off", "well")
    for number in range(60):
        platform.append("fresh", "tracking", [b'{"batch": [{"type": "no such call", "messageId": "%d"}]}' % number])
    platform.drain()
    (fresh,) = [one for one in flow.wellbeing(platform) if one.source == "fresh"]
    assert (fresh.state, fresh.received, fresh.quarantined, sum(fresh.hours)) == ("dirty", 60, 60, 60)


def test_the_pulse_of_the_last_minute():
    pulse = flow.Pulse()
    assert pulse.per_minute() == 0
    for second in range(0, 121, 2):
        pulse.beat(second * 10 if second <= 60 else 600, float(second))
    assert pulse.per_minute() == 0
    pulse.beat(606, 122.0)
    assert pulse.per_minute() == pytest.approx(6, rel=0.05)
    assert pulse.rates()[-1] == 3


def test_steps_of_time_follow_the_visitors_clock():
    # The night in which Madrid's clocks go back: the day has 25 hours, and its steps are whole days all the same.
    now = datetime(2026, 10, 26, 9, 30, tzinfo=WORDS.zone)
    days = [area.RANGES["month"].begin(now, back) for back in (2, 1, 0)]
    assert [day.isoformat() for day in days] == [
        "2026-10-24T00:00:00+02:00",
        "2026-10-25T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    ]
    hours = [area.RANGES["day"].begin(datetime(2026, 10, 25, 4, tzinfo=WORDS.zone), back) for back in range(4)]
    assert len({hour.timestamp() for hour in hours}) == 4
    months = [area.RANGES["year"].begin(datetime(2026, 1, 31, tzinfo=UTC), back) for back in (0, 1, 11)]
    assert [(month.year, month.month, month.day) for month in months] == [(2026, 1, 1), (2025, 12, 1), (2025, 2, 1)]


def test_counts_fall_into_the_step_in_which_they_begin():
    assert area._folded({0: 1, HOUR: 2, HOUR + 5: 3, 5 * HOUR: 4, -1: 9}, [0, HOUR, 2 * HOUR]) == [1, 5, 4]


def test_ticks_are_round_and_reach_the_top():
    assert charts.ticks(6_474) == [0, 2_000, 4_000, 6_000, 8_000]
    assert charts.ticks(3) == [0, 1, 2, 3]
    assert charts.ticks(0) == [0, 1]
    for highest in (1, 7, 11, 99, 1_234, 10**9, 0.3):
        found = charts.ticks(highest)
        assert found[-1] >= highest
        assert 2 <= len(found) <= 7


def test_a_chart_escapes_what_it_is_given():
    hostile = "<script>alert(1)</script>\"'"
    drawn = charts.columns([hostile, "b"], [Series(hostile, 1, [1, 2])], WORDS, hostile)
    lines = charts.lines([hostile, "b"], [Series(hostile, 1, [None, 2])], WORDS, hostile)
    (bar,) = charts.bars([(hostile, 1, [(hostile, 2.0)])], WORDS)
    for svg in (drawn, lines, bar):
        assert "<script" not in svg
        assert "style=" not in svg


def test_columns_stack_to_their_sum():
    drawn = charts.columns(["a"], [Series("x", 1, [30]), Series("y", 2, [10])], WORDS, "t")
    wide = drawn.partition("</svg>")[0]
    heights = [float(found) for found in re.findall(r'class="part c\d"[^>]* height="([\d.]+)"', wide)]
    assert heights[0] == pytest.approx(3 * heights[1], rel=0.01)
    assert 'data-tip="a\nx: 30\ny: 10"' in wide


def test_a_value_is_computed_once_for_all_and_not_before_it_is_due():
    clock = [0.0]
    computed = []
    cached = Cached(lambda: computed.append(1) or len(computed), 10, clock=lambda: clock[0])
    assert cached.peek() is None
    assert cached.is_due
    assert (cached.get(), cached.get()) == (1, 1)
    clock[0] = 10.5
    assert cached.is_due
    assert (cached.peek(), cached.get()) == (1, 2)


def test_an_errand_that_fails_does_not_stop_the_others(caplog):
    done = []
    errands = Errands()
    errands.ask("bad", lambda: 1 / 0)
    errands.ask("good", lambda: done.append(1))
    errands._pool.shutdown(wait=True)
    assert done == [1]
    assert "ZeroDivisionError" in caplog.text


def test_the_sum_from_what_settled_and_the_hours_since_is_the_whole_sum(own_seat):
    platform = own_seat.platform
    before = flow.settled(platform)
    assert sum(counts["received"] for counts in before.sources.values()) == 0, "all of it came in these two hours"
    earlier = flow.Settled(0, {})
    platform.append("crm", "tracking", [b'{"batch": [{"type": "identify", "userId": "u-9", "messageId": "m-9"}]}'])
    platform.drain()
    whole = {row.source: row for row in platform.quality.balance()}
    for known in (before, earlier):
        found = flow.flow(platform, known, flow.Pulse())
        assert found.adds_up
        assert {row["source"]: row["received"] for row in found.sources} == {
            name: row.received for name, row in whole.items()
        }
        assert found.totals["stored"] == sum(row.stored for row in whole.values())
