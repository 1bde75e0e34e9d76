"""What those see who may see people but no personal data: enough to tell one from another, too little to reach anyone.

Pages, API, SQL and commands all mask with these functions, so that nothing is hidden in one place and shown in another.
Kinds and traits that nobody named are masked too: what is not known to be harmless is personal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DOT = "•"
MASK = DOT * 3
_DIGITS = re.compile(r"\d")

PUBLIC_TRAITS = frozenset(
    {
        "age", "birthYear", "city", "country", "createdAt", "currency", "employees", "gender", "industry", "language",
        "locale", "logins", "loyaltyTier", "loyalty_tier", "plan", "points", "region", "segment", "state", "status",
        "store", "store_id", "tier", "timezone", "vip",
    }
)  # fmt: skip
"""Traits that lead to nobody; all others are personal."""


def masked(value: str) -> str:
    """A masked identifier: `ana@tienda.es` → `a•••@t•••.es`, `+34612345678` → `+34•••78`, others → `ab•••`.

    A value always keeps less than it hides, and its length is hidden too.
    """
    if "@" in value.strip("@"):
        local, _, domain = value.rpartition("@")
        name, point, end = domain.rpartition(".")
        return f"{local[:1]}{MASK}@{(name or end)[:1]}{MASK}{point}{end if point else ''}"
    digits = _DIGITS.findall(value)
    if value.startswith("+") and len(digits) >= 8:
        return f"{value[:3]}{MASK}{value[-2:]}"
    return f"{value[: min(2, len(value) // 4)]}{MASK}"


def masked_name(value: str) -> str:
    """Initials of a name: `Ana García López` → `A••• G••• L•••`."""
    return " ".join(f"{word[0]}{MASK}" for word in value.split()) or MASK


def masked_trait(name: str, value: Any) -> Any:
    """The value of a trait as somebody without personal data sees it; public ones as they are, None as it is."""
    if value is None or name in PUBLIC_TRAITS or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {part: masked_trait(str(part), inner) for part, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked_trait(name, inner) for inner in value]
    if not isinstance(value, str):
        return MASK
    if "name" in name.lower():
        return masked_name(value)
    return masked(value)


def masked_text(text: str) -> str:
    """A masked `kind:value`; a person id (`p_…`) is no personal value and stays."""
    kind, colon, value = text.partition(":")
    return f"{kind}:{masked(value)}" if colon else text
