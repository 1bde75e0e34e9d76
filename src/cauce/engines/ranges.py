"""The part of a *runs* table that `Reader.scan` asks for, as SQL that engines share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cauce.engines.api import Table


def within(table: Table, prefix: int, after: Sequence[int], before: Sequence[int]) -> tuple[str, list[Any]]:
    """(condition, parameters): the first key column is `prefix`, the remaining ones lie between exclusive bounds."""
    first, *rest = [f'"{name}"' for name in table.key]
    where = [f"{first} = ?"]
    parameters: list[Any] = [prefix]
    for bound, sign in ((after, ">"), (before, "<")):
        if bound:
            where.append(f"({', '.join(rest[: len(bound)])}) {sign} ({', '.join('?' * len(bound))})")
            parameters += bound
    return " and ".join(where), parameters
