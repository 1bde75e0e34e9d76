"""The nouns of the console: an area, its pages, and what the view of a page gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from cauce.console.catalogues import marked

if TYPE_CHECKING:
    from cauce.console.visit import Visit

__all__ = ["ANYBODY", "SIGNED_IN", "Answer", "Area", "Led", "Page", "Sent", "Shown", "marked"]

SIGNED_IN = ""
"""The permission of what everybody may see who is signed in."""
ANYBODY = "*"
"""The permission of what is shown without signing in."""


class Shown(msgspec.Struct, frozen=True):
    """A template with its values: what an action shows instead of leading on, or a page with another status."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


class Led(msgspec.Struct, frozen=True):
    """Leads on to another page (303), where `note` is shown once; `kind` is *good*, *warn* or *bad*."""

    to: str
    note: str = ""
    kind: str = "good"


class Sent(msgspec.Struct, frozen=True):
    """Bytes as they are: a file to keep when `filename` says how to call it."""

    body: bytes
    media: str
    filename: str = ""


Answer: TypeAlias = Mapping[str, Any] | Shown | Led | Sent
"""What a view gives: the values of its page's template, or one of the other answers."""


class Page(msgspec.Struct, frozen=True):
    """An address and the view that answers there.

    `view` runs on a reader thread: it may ask the platform, and blocks nobody. `permission` is that of the area unless
    the page says another one. An action (`method` POST) is run only when its form carries the token of the session.
    """

    path: str
    view: Callable[[Visit], Answer]
    template: str = ""
    method: str = "GET"
    permission: str | None = None


class Area(msgspec.Struct, frozen=True):
    """Some pages that belong together. `place` orders the navigation; 0 keeps the area out of it.

    `title` is `marked`; `icon` names a symbol of `static/icons.svg`; `home` is where the navigation leads.
    Pages of an area that is not in the navigation are marked there as those of the area `within`.
    """

    title: str
    home: str
    pages: tuple[Page, ...]
    permission: str = SIGNED_IN
    icon: str = ""
    place: int = 0
    within: str = ""

    def permission_of(self, page: Page) -> str:
        return self.permission if page.permission is None else page.permission
