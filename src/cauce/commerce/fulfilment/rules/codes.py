"""Pick-up codes: short enough to be said aloud, long enough not to be guessed, and typing errors are noticed.

Eight characters of 23 that nobody takes for one another (no 0 1 O I L B S Z Q U V, and no vowels, so no words). Seven
are by chance (23⁷ ≈ 3.4 × 10⁹), the eighth is a check character: as 23 is prime and all weights differ, every single
wrong character and every exchange of two is noticed.
"""

from __future__ import annotations

from cauce.errors import Unreadable

ALPHABET = "23456789CDFGHJKMNPRTWXY"
CHANCE = 7
LENGTH = CHANCE + 1
SPACE = len(ALPHABET) ** CHANCE
"""How many codes there are."""

_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_LAST_INVERSE = pow(LENGTH, -1, len(ALPHABET))
_PASSED_OVER = str.maketrans("", "", " -–—.·_\t\r\n\u00a0")


def code_of(chance: bytes) -> str:
    """The code that some bytes of chance (16 or more) come to."""
    number = int.from_bytes(chance, "big") % SPACE
    letters = []
    for _ in range(CHANCE):
        number, value = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[value])
    return "".join(letters) + check_of("".join(letters))


def check_of(letters: str) -> str:
    """The check character of the seven before it."""
    total = sum(weight * _VALUES[letter] for weight, letter in enumerate(letters, start=1))
    return ALPHABET[-total * _LAST_INVERSE % len(ALPHABET)]


def read(text: str) -> str:
    """The code that somebody typed, in any case and with any gaps; Unreadable says what cannot be right about it."""
    code = text.translate(_PASSED_OVER).upper()
    if len(code) != LENGTH:
        raise Unreadable(f"expected a code of {LENGTH} characters, got {len(code)}", hint="Such as 7K3M-2F9C")
    strange = next((letter for letter in code if letter not in _VALUES), "")
    if strange:
        raise Unreadable(f"no code has the character {strange!r}", hint="Look once more; codes have no vowels, 0 or 1")
    if check_of(code[:CHANCE]) != code[CHANCE]:
        raise Unreadable("the code has a typing error", hint="One character is wrong, or two are exchanged")
    return code


def is_one(text: str) -> bool:
    """Whether a text can be a code."""
    try:
        read(text)
    except Unreadable:
        return False
    return True


def shown(code: str) -> str:
    """A code as people read it: in two groups."""
    return f"{code[:4]}-{code[4:]}"
