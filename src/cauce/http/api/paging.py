"""Pages of lists that are known as a whole, and of lists that are numbered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cauce.client.types.basics import Page
from cauce.errors import Unreadable
from cauce.http.api.operation import Call

Item = TypeVar("Item")
Told = TypeVar("Told")

NUMBERED_MAX = 10_000
"""Items of a numbered list that can be paged through; nobody reads further, and each page counts from the start."""


def page_after(
    call: Call[Any, Any], items: Sequence[Item], key: Callable[[Item], str], tell: Callable[[Item], Told]
) -> Page[Told]:
    """The page of a whole list in order of its keys, behind the key where the page before ended."""
    last = str(call.place[0]) if call.place else None
    rest = sorted((item for item in items if last is None or key(item) > last), key=key)
    shown = rest[: call.query.limit]
    more = len(rest) > len(shown)
    return Page(items=[tell(item) for item in shown], cursor=call.cursor_at((key(shown[-1]),)) if more else "")


def page_numbered(
    call: Call[Any, Any], ask: Callable[[int], Sequence[Item]], tell: Callable[[Item], Told]
) -> Page[Told]:
    """The page of a list of which only the first so many can be asked (`ask(limit)`)."""
    start, limit = int(call.place[0]) if call.place else 0, call.query.limit
    if start + limit > NUMBERED_MAX:
        raise Unreadable(f"expected to page through at most {NUMBERED_MAX} items", hint="Ask in SQL for more")
    found = ask(start + limit + 1)[start:]
    more = len(found) > limit and start + 2 * limit <= NUMBERED_MAX
    return Page(items=[tell(item) for item in found[:limit]], cursor=call.cursor_at((start + limit,)) if more else "")
