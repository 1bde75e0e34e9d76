"""The days of a place: how they are called, and their opening hours as bars from midnight to midnight."""

from __future__ import annotations

from datetime import date, timedelta

from babel import dates
from markupsafe import Markup

from cauce.commerce.catalogue import api
from cauce.commerce.catalogue.nouns import Place
from cauce.commerce.catalogue.rules.hours import DAY_MINUTES, week_of
from cauce.console.visit import Visit

HEIGHT = 20
NOW_WIDTH = 6


def weekday(visit: Visit, number: int) -> str:
    """The name of a weekday, 0 for Monday."""
    return str(dates.get_day_names("wide", locale=visit.words.locale)[number])


def weekday_and_day(visit: Visit, day: date) -> str:
    """*Mon, Nov 23* / *lun, 23 nov*."""
    return dates.format_skeleton("MMMEd", day, locale=visit.words.locale)


def day_of_year(visit: Visit, day: date) -> str:
    """*December 25* / *25 de diciembre*."""
    return dates.format_skeleton("MMMMd", day, locale=visit.words.locale)


def drawn(place: Place, day: date, now: int) -> Markup:
    """A day's opening hours as bars, with what lasts from the evening before, and a mark for now."""
    week = week_of(place.hours, place.special_days)
    evening = [(0, ends - DAY_MINUTES) for _, ends in week.on(day - timedelta(days=1)) if ends > DAY_MINUTES]
    own = [(opens, min(closes, DAY_MINUTES)) for opens, closes in week.on(day)]
    bars = "".join(
        f'<rect x="{opens}" width="{closes - opens}" height="{HEIGHT}"/>' for opens, closes in (*evening, *own)
    )
    mark = ""
    if api.day_at(place, now) == day:
        hour, minute = map(int, api.clock_at(place, now).split(":"))
        at = hour * 60 + minute - NOW_WIDTH // 2
        mark = f'<rect class="now" x="{at}" width="{NOW_WIDTH}" height="{HEIGHT}"/>'
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="day" viewBox="0 0 {DAY_MINUTES} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{bars}{mark}</svg>"
    )
