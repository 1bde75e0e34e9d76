"""What the statements and keys of all parts have in common."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b


def marks(values: Collection[object]) -> str:
    """So many `?` for a list in SQL."""
    return ", ".join("?" * len(values))


def plain(text: str) -> str:
    """A text in which nothing stands for anything else, for `like ? escape '!'`."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def number_of(content: bytes) -> int:
    """63 bits of a hash, never 0: a key that fits a column of integers."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1 or 1
