"""How products are spoken of: units, amounts, tax classes, accounts of stock; lists as people type them."""

from __future__ import annotations

import re

from cauce.commerce.catalogue import api
from cauce.console.frame import marked
from cauce.console.visit import Visit
from cauce.console.words import plain
from cauce.errors import DefinitionInvalid

UNITS = {
    "H87": marked("piece"),
    "C62": marked("one"),
    "PR": marked("pair"),
    "SET": marked("set"),
    "XPK": marked("package"),
    "XBX": marked("box"),
    "HUR": marked("hour"),
}
"""Units that are words; the others have a sign of their own, the same everywhere."""
TAX_CLASSES = {
    "standard": marked("standard rate"),
    "reduced": marked("reduced rate"),
    "exempt": marked("exempt"),
    "zero": marked("zero rate"),
}
ACCOUNTS = {
    "free": marked("on the shelf"),
    "sold": marked("sold"),
    "supplier": marked("supplier"),
    "transit": marked("on its way"),
    "damaged": marked("damaged"),
    "shrinkage": marked("lost or found"),
    "oversold": marked("owed"),
}
REASONS = {
    "arrived": marked("arrived"),
    "counted": marked("counted"),
    "damaged": marked("damaged"),
    "broke on its way": marked("broke on its way"),
    "disposed of": marked("written off"),
    "lost": marked("lost on its way"),
    "moved": marked("moved"),
    "owed": marked("owed"),
    "received": marked("goods received"),
    "repaired": marked("repaired"),
    "returned": marked("returned"),
    "sold": marked("sold"),
}
"""What moved goods; where a person wrote why, their own words stand."""
DIGITS = 3
_LIST = re.compile(r"[\s,;|]+")


def unit_said(visit: Visit, code: str) -> str:
    """A unit as people say it: *piece*, kg."""
    return visit.say(UNITS[code]) if code in UNITS else api.UNITS.get(code, code)


def amount_said(visit: Visit, thousandths: int, unit: str) -> str:
    """An amount of goods: pieces as a number alone, others with their sign."""
    number = visit.words.number(thousandths / 1_000, DIGITS)
    return number if api.is_whole(unit) else f"{number} {unit_said(visit, unit)}"


def tax_said(visit: Visit, name: str) -> str:
    return visit.say(TAX_CLASSES[name]) if name in TAX_CLASSES else plain(name)


def account_said(visit: Visit, name: str) -> str:
    return visit.say(ACCOUNTS[name]) if name in ACCOUNTS else plain(name)


def why_said(visit: Visit, why: str) -> str:
    return visit.say(REASONS[why]) if why in REASONS else why


def units(visit: Visit, present: str) -> list[tuple[str, str]]:
    """Units to choose from; the one that is there among them."""
    codes = list(api.UNITS) if present in api.UNITS else [present, *api.UNITS]
    return [(code, f"{unit_said(visit, code)} ({code})") for code in codes]


def listed(text: str) -> list[str]:
    """Codes, however they are set apart."""
    return [part for part in _LIST.split(text.strip()) if part]


def pairs_of(text: str) -> dict[str, str]:
    """Pairs, one in a line: `es: Abrigo azul`."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise DefinitionInvalid(f"expected lines such as es: Blue coat, got {line[:80]!r}")
        found[name.strip()] = value.strip()
    return found


def written_lines(pairs: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in pairs.items())
