"""Money: whole minor units of a currency, with the currency's own exponent.

Exponents are those of ISO 4217, which payments use. CLDR rounds for display instead (an Iraqi dinar has 3 decimals, and
CLDR shows 0), so its digits are not taken for amounts.
"""

from __future__ import annotations

import re
from functools import cache

from babel.numbers import list_currencies

from cauce.commerce.catalogue.rules.codes import close
from cauce.errors import DefinitionInvalid

EXPONENT_USUAL = 2
EXPONENTS: dict[str, int] = {
    code: decimals
    for decimals, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}
"""Currencies whose minor unit is not a hundredth (ISO 4217, list one)."""
_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,12}))?")


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def currency(text: str) -> str:
    """A currency of ISO 4217."""
    found = text.strip().upper()
    if found not in _currencies():
        raise DefinitionInvalid(
            f"expected a currency of ISO 4217 such as EUR, got {text[:40]!r}", hint=close(found, _currencies())
        )
    return found


def exponent(currency_code: str) -> int:
    """Decimals of a currency's minor unit: JPY 0, EUR 2, KWD 3."""
    return EXPONENTS.get(currency_code, EXPONENT_USUAL)


def minor(text: str, currency_code: str) -> int:
    """Minor units of an amount as people write it, `12.95`; exact, or DefinitionInvalid."""
    decimals = exponent(currency_code)
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise DefinitionInvalid(f"expected an amount such as 12.95, with a point and without signs, got {text[:40]!r}")
    part = match[2] or ""
    if part[decimals:].strip("0"):
        raise DefinitionInvalid(f"expected an amount of {currency_code} with {decimals} decimals, got {text[:40]!r}")
    return int(match[1] + part[:decimals].ljust(decimals, "0"))


def written(amount: int, currency_code: str) -> str:
    """An amount as `minor` reads it: 1295 of EUR is `12.95`."""
    decimals = exponent(currency_code)
    whole, part = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"
