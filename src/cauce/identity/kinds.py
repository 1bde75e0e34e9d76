"""Kinds of identifiers and how their values are normalised: pure functions, None when a value is unusable."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

import idna
import msgspec
import phonenumbers

VALUE_CHARACTERS_MAX = 512

_SEPARATORS = re.compile(r"[\s\-./_·]+")
_PLAIN_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}(?<!-)\.)+[a-z]{2,63}")
"""Domains that are in IDNA form as they stand; a double dash may be an encoded name that must be checked."""
_NO_ADDRESS = re.compile(r"[\s,;<>()]")
_E164_REPEATED = re.compile(r"\+\d*?(\d)\1{7,}")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of one kind of identifier.

    `priority`: the greater, the more personal; it chooses an event's subject and the order in which links join.
    `unique`: a person has one value, unless a steward says otherwise; two values make their common neighbours *shared*.
    `merges`: False for kinds that are remembered and join nothing.
    `limit` identifiers of the kind may lie in any `window_days` (0: ever) of a person, by first sight; 0 for no limit.
    `device`: belongs to a device rather than to a person, so a declared shared device spoils it.
    """

    name: str
    priority: int
    unique: bool = False
    merges: bool = True
    limit: int = 5
    window_days: int = 0
    device: bool = False
    normaliser: str = "text"
    check_digit: str = ""
    pattern: str = ""
    blocked: tuple[str, ...] = ()


class EmailProviders(msgspec.Struct, frozen=True, kw_only=True):
    """Domains whose mailboxes ignore dots or a `+tag` in the local part; none by default."""

    ignore_dots: tuple[str, ...] = ()
    ignore_plus: tuple[str, ...] = ()
    aliases: Mapping[str, str] = {}


def trimmed(value: str) -> str | None:
    """The value in Unicode form NFC without surrounding white space; None when empty or longer than 512 characters."""
    text = value.strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).strip("\u200b\ufeff ")
    if not text or len(text) > VALUE_CHARACTERS_MAX or "\x00" in text:
        return None
    return text


def email(value: str, providers: EmailProviders = EmailProviders()) -> str | None:  # noqa: B008  (frozen)
    """Lower case, domain in IDNA form, provider rules applied; None when it is no address."""
    text = value.removeprefix("mailto:").strip().lower()
    local, at, domain = text.rpartition("@")
    domain = domain.rstrip(".")
    if not at or not local or "@" in local or "." not in domain or len(text) > 254 or _NO_ADDRESS.search(text):
        return None
    if not _PLAIN_DOMAIN.fullmatch(domain):
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    domain = providers.aliases.get(domain, domain)
    if domain in providers.ignore_plus:
        local = local.partition("+")[0]
    if domain in providers.ignore_dots:
        local = local.replace(".", "")
    return f"{local}@{domain}" if local else None


def phone(value: str, region: str) -> str | None:
    """E.164 (`+34612345678`) of a number that is valid in `region` or names its country; None otherwise."""
    text = value.removeprefix("tel:").strip()
    found = _valid_phone(text, region)
    if found is None:
        digits = re.sub(r"\D", "", text)
        found = _valid_phone(f"+{digits}", region) if len(digits) >= 11 else None
    return None if found is None or _E164_REPEATED.fullmatch(found) else found


def _valid_phone(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def number(value: str) -> str | None:
    """A card or customer number in upper case without blanks, dashes, dots, slashes and underscores."""
    return _SEPARATORS.sub("", value).upper() or None


def handle(value: str) -> str | None:
    """A social handle in lower case, without a leading @ and without the address of its network."""
    text = re.sub(r"^https?://(www\.)?[^/]+/", "", value.strip().lower()).partition("?")[0]
    text = text.strip("/").lstrip("@")
    return text or None


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit (ISO/IEC 7812-1) of the others."""
    if not (digits.isascii() and digits.isdigit()) or len(digits) < 2:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        worth = int(digit) * (2 if place % 2 else 1)
        total += worth - 9 if worth > 9 else worth
    return total % 10 == 0


def ean13(digits: str) -> bool:
    """Whether 13 digits end in their EAN check digit (ISO/IEC 15420)."""
    if len(digits) != 13 or not (digits.isascii() and digits.isdigit()):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


CHECK_DIGITS: dict[str, Callable[[str], bool]] = {"luhn": luhn, "ean13": ean13}
NORMALISERS = ("text", "lower", "email", "phone", "number", "handle")


def normalised(kind: Kind, value: str, region: str, providers: EmailProviders) -> str | None:
    """The value in the one form that its kind knows, before anything is blocked; None when it is unusable."""
    text = trimmed(value)
    if text is None:
        return None
    if kind.normaliser == "email":
        text = email(text, providers)
    elif kind.normaliser == "phone":
        text = phone(text, region)
    elif kind.normaliser == "number":
        text = number(text)
    elif kind.normaliser == "handle":
        text = handle(text)
    elif kind.normaliser == "lower":
        text = text.lower()
    if text is None or (kind.check_digit and not CHECK_DIGITS[kind.check_digit](text)):
        return None
    return text
