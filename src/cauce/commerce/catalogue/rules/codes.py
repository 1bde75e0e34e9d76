"""Codes of standards: GTIN, GLN, units, languages, countries, time zones; each checked, and as it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from stdnum import ean
from stdnum.exceptions import InvalidChecksum, ValidationError

from cauce.errors import DefinitionInvalid

GTIN_DIGITS = 14
GLN_DIGITS = 13
CODE_CHARACTERS_MAX = 40

UNITS: dict[str, str] = {
    "H87": "piece",
    "C62": "one",
    "PR": "pair",
    "SET": "set",
    "XPK": "package",
    "XBX": "box",
    "GRM": "g",
    "KGM": "kg",
    "MLT": "ml",
    "LTR": "l",
    "CMT": "cm",
    "MTR": "m",
    "MTK": "m²",
    "MTQ": "m³",
    "HUR": "h",
}
"""The usual units of UN/ECE Recommendations 20 and 21 → how they are written; any other code is taken as it is."""
WHOLE_UNITS = frozenset({"H87", "C62", "PR", "SET", "XPK", "XBX"})
"""Units of which there are only whole ones."""
_UNIT_BY_WORD = {word: code for code, word in UNITS.items()} | {"pieces": "H87", "pcs": "H87", "m2": "MTK", "m3": "MTQ"}

_UNIT = re.compile(r"[A-Z0-9]{2,3}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_IN_LINK = re.compile(r"https?://[^/]+/(?:[^?#]*/)?01/([0-9]{8,14})(?![0-9])")
_IN_ELEMENTS = re.compile(r"(?:\](?:d2|Q3|C1|e0))?(?:\(01\)|01)([0-9]{14})")
"""GS1 in a QR or DataMatrix: the application identifier 01 is the GTIN."""
_SHORT_GTINS = frozenset({8, 12, 13, 14})


def gtin14(text: str) -> str:
    """A GTIN of 8, 12, 13 or 14 digits as 14; DefinitionInvalid when its length or its check digit is wrong."""
    return _digits(text, "GTIN", _SHORT_GTINS).zfill(GTIN_DIGITS)


def gtin_or_none(text: str) -> str | None:
    """The 14 digits of a GTIN, None for any other text."""
    if len(text) not in _SHORT_GTINS or not (text.isascii() and text.isdigit()) or not ean.is_valid(text):
        return None
    return text.zfill(GTIN_DIGITS)


def gtin_in(text: str) -> str:
    """The GTIN that a scanner read out of a GS1 Digital Link or an element string, "" when there is none.

    >>> gtin_in("https://id.gs1.org/01/09506000134352/10/LOT1"), gtin_in("]d2010950600013435210LOT1"), gtin_in("A-7")
    ('09506000134352', '09506000134352', '')
    """
    found = _IN_LINK.match(text) or _IN_ELEMENTS.match(text)
    return found[1] if found else ""


def gln(text: str) -> str:
    """A GLN; DefinitionInvalid when it has not 13 digits or a wrong check digit."""
    return _digits(text, "GLN", frozenset({GLN_DIGITS}))


def _digits(text: str, name: str, lengths: frozenset[int]) -> str:
    compact = ean.compact(text) if len(text) <= CODE_CHARACTERS_MAX else text
    wanted = " or ".join(map(str, sorted(lengths)))
    if len(compact) not in lengths or not (compact.isascii() and compact.isdigit()):
        raise DefinitionInvalid(f"expected a {name} of {wanted} digits, got {text[:CODE_CHARACTERS_MAX]!r}")
    try:
        found: str = ean.validate(compact)
    except InvalidChecksum:
        right = ean.calc_check_digit(compact[:-1])
        raise DefinitionInvalid(
            f"expected the check digit of {name} {compact} to be {right}, got {compact[-1]}",
            hint="A digit is wrong, or two have changed places: compare it with the label",
        ) from None
    except ValidationError as fault:
        raise DefinitionInvalid(f"{compact} is no {name}: {fault}") from None
    return found


def unit(text: str) -> str:
    """A UN/ECE code, also of a usual word (*kg*, *piece*)."""
    found = _UNIT_BY_WORD.get(text.strip().lower(), text.strip().upper())
    if not _UNIT.fullmatch(found):
        raise DefinitionInvalid(
            f"expected unit to be a UN/ECE code such as H87 or KGM, or {', '.join(_UNIT_BY_WORD)}; got {text[:40]!r}"
        )
    return found


def is_whole(unit_code: str) -> bool:
    """Whether there are only whole ones of a unit: half a pair cannot be sold."""
    return unit_code in WHOLE_UNITS


def language(text: str) -> str:
    """A language tag (BCP 47) such as es or pt-BR."""
    if not _LANGUAGE.fullmatch(text):
        raise DefinitionInvalid(f"expected a language such as es or pt-BR, got {text[:40]!r}")
    try:
        Locale.parse(text, sep="-")
    except (UnknownLocaleError, ValueError):
        raise DefinitionInvalid(f"expected a language such as es or pt-BR, got {text[:40]!r}") from None
    return text


def country(text: str) -> str:
    """A country of ISO 3166, two letters."""
    if text.upper() not in _countries():
        raise DefinitionInvalid(f"expected country to be two letters of ISO 3166 such as ES, got {text[:40]!r}")
    return text.upper()


@cache
def _countries() -> frozenset[str]:
    territories: dict[str, str] = dict(Locale("en").territories)
    # Groups of countries (EU, EZ, UN) and places that are not yet known (ZZ) are no address.
    return frozenset(code for code in territories if len(code) == 2 and code.isalpha()) - {"EU", "EZ", "UN", "ZZ", "QO"}


def zone(text: str) -> str:
    """A time zone of the IANA database."""
    known = _zones()
    if text not in known:
        raise DefinitionInvalid(
            f"expected zone to be a time zone such as Europe/Madrid, got {text[:40]!r}",
            hint=close(text, known),
        )
    return text


def zones() -> list[str]:
    """All time zones, in order."""
    return sorted(_zones())


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def zone_info(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def code(text: str, what: str) -> str:
    """A lower-case word of an own list (a tax class)."""
    if len(text) > CODE_CHARACTERS_MAX or not _CODE.fullmatch(text):
        raise DefinitionInvalid(f"expected {what} to be lower-case letters, digits and _ . -, got {text[:40]!r}")
    return text


def close(text: str, known: Iterable[str]) -> str:
    """A hint at what may have been meant; "" when nothing is near."""
    near = get_close_matches(text[:CODE_CHARACTERS_MAX], sorted(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
