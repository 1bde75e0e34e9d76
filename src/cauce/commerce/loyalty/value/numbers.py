"""Numbers and PINs of cards: made from a secret, shown once, kept as hashes."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NamedTuple

DIGITS, PIN_DIGITS = 16, 6
PREFIX = "6"
"""Card numbers that begin with 6 and no bank's range cannot be taken for a payment card's at a till."""


class Fresh(NamedTuple):
    """A card's number and PIN, in the clear: for one answer and nothing else."""

    number: str
    pin: str


def fresh(secret: bytes, key: str) -> Fresh:
    """Number and PIN for a command's key: the same key gives the same, so that a repeated command is the same."""
    digits = str(int.from_bytes(_mac(secret, "card number", key), "big"))[-(DIGITS - 2) :]
    body = PREFIX + digits.zfill(DIGITS - 2)
    pin = str(int.from_bytes(_mac(secret, "card pin", key), "big"))[-PIN_DIGITS:].zfill(PIN_DIGITS)
    return Fresh(body + check_digit(body), pin)


def check_digit(digits: str) -> str:
    """The Luhn digit that follows (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        worth = int(digit) * (1 if place % 2 else 2)
        total += worth - 9 if worth > 9 else worth
    return str(-total % 10)


def plain(number: str) -> str:
    """A number as it is hashed: without the blanks and dashes that people type."""
    return "".join(each for each in number if each not in " -.\u00a0")[:64]


def number_hash(secret: bytes, number: str) -> str:
    return _mac(secret, "number", plain(number)).hex()


def pin_hash(secret: bytes, number_hashed: str, pin: str) -> str:
    """Worth nothing without the secret, which does not lie in the database; and another for every card."""
    return _mac(secret, "pin", f"{number_hashed}\x1f{pin}").hex()


def _mac(secret: bytes, what: str, text: str) -> bytes:
    return hmac.new(secret, f"cauce value {what}\x1f{text}".encode("utf-8", "surrogatepass"), sha256).digest()
