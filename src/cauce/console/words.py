"""How the console says things in a language: texts, numbers, money, days and times, names of channels and kinds."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from babel import Locale, UnknownLocaleError, dates, numbers
from babel.lists import format_list

from cauce.console.catalogues import SOURCE_LANGUAGE, Catalogue, catalogues, marked
from cauce.console.event_names import EVENTS, TYPES
from cauce.model import SECOND
from cauce.model.time import to_datetime

ADDRESS = ("street", "postalCode", "city", "state", "country")
NEVER = "–"
CHANNELS = {
    "web": marked("Website"),
    "app": marked("App"),
    "pos": marked("Stores"),
    "store": marked("Shop floor"),
    "call_center": marked("Call centre"),
    "email": marked("E-mail"),
    "whatsapp": marked("WhatsApp"),
    "sms": marked("SMS"),
    "push": marked("Push"),
    "crm": marked("CRM"),
    "social": marked("Social media"),
    "survey": marked("Surveys"),
    "loyalty": marked("Loyalty"),
    "marketplace": marked("Marketplace"),
}
KINDS = {
    "user_id": marked("user id"),
    "email": marked("e-mail"),
    "phone": marked("phone"),
    "loyalty": marked("loyalty card"),
    "anonymous_id": marked("browser"),
    "device_id": marked("device"),
    "push_token": marked("push token"),
    "ga_client_id": marked("Google Analytics id"),
    "whatsapp": marked("WhatsApp number"),
    "crm_id": marked("CRM id"),
    "pos_customer": marked("till customer number"),
    "advertising_id": marked("advertising id"),
    "instagram": marked("Instagram"),
    "facebook": marked("Facebook"),
    "x": marked("X"),
    "tiktok": marked("TikTok"),
    "linkedin": marked("LinkedIn"),
    "telegram": marked("Telegram"),
    "record": marked("record of another system"),
    "other": marked("other identifier"),
}
ROLES = {
    "owner": marked("owner"),
    "engineer": marked("engineer"),
    "steward": marked("steward"),
    "marketer": marked("marketer"),
    "analyst": marked("analyst"),
    "agent": marked("agent"),
    "store_staff": marked("store staff"),
    "privacy": marked("data protection"),
}
FATES = {
    "received": marked("received"),
    "stored": marked("stored"),
    "quarantined": marked("quarantined"),
    "duplicate": marked("duplicate"),
    "suppressed": marked("suppressed"),
}


class Words:
    """One language and region, seen from one time zone."""

    def __init__(self, locale: Locale, zone: tzinfo, catalogue: Catalogue) -> None:
        self.locale = locale
        self.zone = zone
        self.language = catalogue.language
        self._catalogue = catalogue

    # -- texts --------------------------------------------------------------------------------------------------

    def say(self, text: str, **values: Any) -> str:
        """A text in this language, with `%(name)s` filled in."""
        return self._catalogue.text(text) % values if values else self._catalogue.text(text)

    def say_in(self, context: str, text: str, **values: Any) -> str:
        """A text that means something else in another context."""
        found = self._catalogue.text(text, context)
        return found % values if values else found

    def said(self, text: str) -> str:
        """What the rest of Cauce says in English (an error, a hint, a fault, a reason) in this language."""
        return self._catalogue.said.translated(text)

    def count(self, one: str, many: str, number: int, **values: Any) -> str:
        """A text with a number in the right plural; `%(num)s` is the number as it is written here."""
        return self.plural(one, many, number) % {"num": self.number(number), **values}

    def plural(self, one: str, many: str, number: int) -> str:
        """The form of a text for a number, with nothing filled in."""
        return self._catalogue.plural(one, many, number)

    # -- values -------------------------------------------------------------------------------------------------

    def number(self, value: float, digits: int = 2) -> str:
        """1,234.5 or 1.234,5; at most so many decimals."""
        pattern = "#,##0" + ("." + "#" * digits if digits else "")
        return str(numbers.format_decimal(value, format=pattern, locale=self.locale, group_separator=True))

    def short_number(self, value: float) -> str:
        """12 K, 3.4 M: for axes and tiles that have little room."""
        if abs(value) < 10_000:
            return self.number(value)
        return str(numbers.format_compact_decimal(value, locale=self.locale, fraction_digits=1))

    def percent(self, part: float, digits: int = 1) -> str:
        """12.5 % of 0.125."""
        pattern = "#,##0" + ("." + "#" * digits if digits else "") + ("\u00a0%" if self.language == "es" else "%")
        return str(numbers.format_percent(part, format=pattern, locale=self.locale))

    def money(self, amount: float, currency: str) -> str:
        """€62.90 or 62,90 €; a bare number with two decimals when it has no currency."""
        code = currency.strip().upper()
        if re.fullmatch(r"[A-Z]{3}", code):
            return str(numbers.format_currency(amount, code, locale=self.locale))
        return str(numbers.format_decimal(amount, format="#,##0.00", locale=self.locale)) + (
            f"\u00a0{currency}" if currency else ""
        )

    def bytes(self, size: float) -> str:
        """1.5 MB."""
        for unit in ("B", "kB", "MB", "GB"):
            if size < 1_000 or unit == "GB":
                break
            size /= 1_000
        return f"{self.number(size, 1)}\u00a0{unit}"

    def local(self, moment: int) -> datetime:
        """Microseconds UTC as a moment of the visitor's zone."""
        return to_datetime(moment).astimezone(self.zone)

    def day(self, moment: int | None) -> str:
        """November 21, 2026 / 21 de noviembre de 2026, in the visitor's zone; a dash for never."""
        return NEVER if moment is None else self.written_day(self.local(moment).date())

    def short_day(self, moment: int | None) -> str:
        """Nov 21, 2026 / 21 nov 2026."""
        return NEVER if moment is None else dates.format_date(self.local(moment).date(), "medium", locale=self.locale)

    def written_day(self, day: date) -> str:
        return dates.format_date(day, "long", locale=self.locale)

    def hour(self, moment: int | None) -> str:
        """14:05 / 2:05 PM."""
        return NEVER if moment is None else dates.format_time(self.local(moment), "short", locale=self.locale)

    def moment(self, moment: int | None) -> str:
        """Nov 21, 2026, 2:05:09 PM / 21 nov 2026, 14:05:09."""
        if moment is None:
            return NEVER
        return dates.format_datetime(self.local(moment), "medium", locale=self.locale, tzinfo=self.zone)

    def iso(self, moment: int | None) -> str:
        """For `datetime` attributes: ISO 8601 with the visitor's offset; "" for never."""
        return "" if moment is None else self.local(moment).isoformat(timespec="seconds")

    def ago(self, moment: int | None, now: int | None = None) -> str:
        """*3 minutes ago* / *hace 3 minutos*, in the largest unit that fits; a dash for never."""
        if moment is None:
            return NEVER
        now = time.time_ns() // 1_000 if now is None else now
        seconds = min(0, (moment - now) // SECOND)
        return dates.format_timedelta(timedelta(seconds=seconds), add_direction=True, threshold=1, locale=self.locale)

    def span(self, seconds: float) -> str:
        """*3 minutes*: a length of time."""
        return dates.format_timedelta(timedelta(seconds=seconds), threshold=1, locale=self.locale)

    def value(self, value: Any) -> str:
        """Any value as text: lists with commas, addresses as on an envelope, days written out."""
        if value is None:
            return NEVER
        if isinstance(value, bool):
            return self.say(marked("yes")) if value else self.say(marked("no"))
        if isinstance(value, int | float):
            return self.number(value)
        if isinstance(value, list | tuple):
            return ", ".join(map(self.value, value)) or NEVER
        if isinstance(value, Mapping):
            known = [value[part] for part in ADDRESS if value.get(part)]
            if known and len(known) == len([part for part in value.values() if part]):
                return self.value(known)
            return ", ".join(f"{plain(str(name))}: {self.value(part)}" for name, part in value.items())
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            try:
                return self.written_day(date.fromisoformat(text))
            except ValueError:
                return text
        return text

    def list(self, parts: Sequence[str]) -> str:
        """*a, b, and c* / *a, b y c*."""
        return format_list(list(parts), locale=self.locale)

    # -- names --------------------------------------------------------------------------------------------------

    def channel(self, name: str) -> str:
        return self.say(CHANNELS[name]) if name in CHANNELS else plain(name)

    def kind(self, name: str) -> str:
        return self.say(KINDS[name]) if name in KINDS else plain(name)

    def identifier(self, text: str) -> str:
        """`kind:value` with the name of the kind in words; anything else, such as the id of a person, as it stands."""
        kind, colon, value = text.partition(":")
        return f"{self.kind(kind)} {value}" if colon else text

    def event(self, name: str) -> str:
        """What an event of the vocabulary, or a type of call, is called; any other name as it stands."""
        known = EVENTS.get(name) or TYPES.get(name)
        return self.say(known) if known else name

    def role(self, name: str) -> str:
        return self.say(ROLES[name])

    def fate(self, name: str) -> str:
        """What became of events."""
        return self.say(FATES[name])

    def fate_of_one(self, name: str) -> str:
        """What became of a single event."""
        return {
            "received": self.say_in("one event", "received"),
            "stored": self.say_in("one event", "stored"),
            "quarantined": self.say_in("one event", "quarantined"),
            "duplicate": self.say_in("one event", "duplicate"),
            "suppressed": self.say_in("one event", "suppressed"),
        }[name]


def plain(name: str) -> str:
    """`favourite_store` and `favouriteStore` as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()


def zone_of(name: str) -> tzinfo:
    """The time zone of a name such as Europe/Madrid; UTC when there is none of that name."""
    try:
        return ZoneInfo(name) if re.fullmatch(r"[A-Za-z0-9+/_-]{1,64}", name) else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@lru_cache(maxsize=256)
def words_of(language: str, zone: str = "UTC") -> Words:
    """The words of a language tag such as `es-MX`, seen from a zone; English for a language that we do not speak."""
    spoken = language[:2].lower()
    catalogue = catalogues().get(spoken) or catalogues()[SOURCE_LANGUAGE]
    return Words(_locale(language if spoken in catalogues() else SOURCE_LANGUAGE), zone_of(zone), catalogue)


@cache
def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(tag[:2])
