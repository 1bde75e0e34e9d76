"""Code lists that contracts check values against, and the stable codes of reasons."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

_CURRENCIES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
    CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
    RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CURRENCIES.split())
"""ISO 4217 codes of currencies and funds."""

_UNITS = """
    1 % mg g kg t mL cL dL L mm cm m km m2 m3 cm3 s min h d wk mo a W kW kWh [lb_av] [oz_av] [in_i] [ft_i]
    C62 H87 EA PR SET PK BX CT DZN GRM KGM MGM TNE MLT CLT LTR MMT CMT MTR KMT MTK MTQ SEC MIN HUR DAY WEE MON ANN P1
    KWH LBR ONZ INH FOT
"""
UNITS = frozenset(_UNITS.split())
"""Units: a short list of UCUM, and the codes of UN/CEFACT recommendation 20 and 21 that receipts use."""

REASONS: dict[str, str] = {
    "type_unknown": "The call is none of identify, track, page, screen, group, alias.",
    "id_missing": "The event has no id, so a repetition could not be told from a new fact.",
    "id_too_long": "The event id is longer than 100 characters.",
    "identifier_missing": "The event names nobody, or none of the kinds of identifiers that its contract asks for.",
    "time_in_future": "The event lies further ahead of its receipt than `future_seconds_max` allows.",
    "time_too_old": "The event lies further before its receipt than `past_days_max` allows.",
    "event_too_large": "The event is larger than `event_bytes_max`.",
    "event_unknown": "No contract knows this event, and the contract set says `unknown: quarantine`.",
    "property_missing": "A required property is absent or null.",
    "property_unexpected": "A property that the contract does not allow.",
    "type_wrong": "A value has another JSON type than the contract says.",
    "number_as_text": 'A number came as text ("27.5"). Observed only: the event is never quarantined for it.',
    "text_as_number": "A text came as a number (an article number 4711). Observed only.",
    "value_not_allowed": "A value is not among the allowed ones.",
    "number_out_of_range": "A number is below its minimum, above its maximum, or not a multiple.",
    "text_wrong_length": "A text is shorter or longer than allowed.",
    "pattern_mismatch": "A text does not match its pattern.",
    "format_wrong": "A text is not of its format (date, e-mail, URI …).",
    "time_unreadable": "A text is no ISO 8601 date or time.",
    "gtin_wrong": "A GTIN does not have 8, 12, 13 or 14 digits, or its check digit is wrong.",
    "currency_unknown": "A currency is no ISO 4217 code.",
    "unit_unknown": "A unit is neither a known UCUM unit nor a known UN/CEFACT code.",
    "list_wrong": "A list is too short or too long, repeats itself, or lacks what it must contain.",
    "object_wrong": "An object has too few or too many properties, or one with a name that is not allowed.",
    "alternatives_unmet": "None of the alternatives of the contract holds (or more than one where only one may).",
    "contract_broken": "Another rule of the contract's JSON Schema is broken.",
    "undecoded": "The connector gave neither an event nor a reason.",
    "internal_error": "A stage failed on this event, which is kept so that nothing is lost. Report it, replay it.",
}
"""Every code that this package, or the runner, gives to a reason, and what it means.

Only *event_name_missing* is not here: it is the connectors' word, used for the same fault.
"""

SOFT = frozenset({"number_as_text", "text_as_number"})
"""Codes that are counted as breaches but never quarantine: the value can be read without guessing."""

_ANNOTATION = re.compile(r"\{[a-z_]{1,32}\}")


def is_currency(text: str) -> bool:
    """Whether `text` is an ISO 4217 code, in capitals."""
    return text in CURRENCIES


def is_unit(text: str) -> bool:
    """Whether `text` is a known unit; UCUM's counted things in braces (`{points}`) are."""
    return text in UNITS or _ANNOTATION.fullmatch(text) is not None


@lru_cache(maxsize=65_536)
def is_gtin(text: str) -> bool:
    """Whether `text` is a GTIN-8, -12, -13 or -14 with the right check digit (GS1 General Specifications, 7.9)."""
    if len(text) not in (8, 12, 13, 14) or not (text.isascii() and text.isdigit()):
        return False
    digits = [int(digit) for digit in reversed(text)]
    weighted = sum(digits[::2]) + 3 * sum(digits[1::2])
    return weighted % 10 == 0


def is_time(text: str) -> bool:
    """Whether `text` is an ISO 8601 date or date and time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


FORMATS: dict[str, Callable[..., bool]] = {"currency": is_currency, "unit": is_unit, "gtin": is_gtin, "time": is_time}
"""Checks of texts by the name that they have in a prepared schema."""
