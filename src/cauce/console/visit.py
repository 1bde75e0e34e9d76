"""One request for a page: who asks for what, in which language and zone, over which installation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from starlette.datastructures import QueryParams

from cauce.access.api import Actor, require
from cauce.console.cached import Cached, Errands
from cauce.console.words import Words
from cauce.http.guard import Visitor

if TYPE_CHECKING:
    from cauce.app import Platform

T = TypeVar("T")
PATIENCE_SECONDS = 0.05
"""How long a page waits in all for what has never been known; where that takes longer, it is shown without."""


class Asked(msgspec.Struct, frozen=True):
    """The parts of a request that a view may want. `path` holds the parameters of the route, `form` those of a body."""

    address: str
    path: Mapping[str, str]
    query: QueryParams
    form: QueryParams
    is_partial: bool
    base_url: str
    cookies: Mapping[str, str]
    encodings: str


class Desk:
    """What all visits share: the installation, and values that are dear to compute and the same for everybody."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._kept: dict[str, Cached[Any]] = {}
        self._slow = Errands()

    def kept(self, name: str, compute: Callable[[Platform], T], seconds: float) -> T:
        """The value of `compute(platform)`, at most `seconds` old (older where computing takes long)."""
        found = self._kept.get(name)
        if found is None:
            found = self._kept.setdefault(name, Cached(lambda: compute(self.platform), seconds))
        return cast(T, found.get())

    def soon(
        self, name: str, compute: Callable[[Platform], T], seconds: float, patience_seconds: float = 0.0
    ) -> T | None:
        """The same for what takes longer than a page may: None until a thread of its own has computed it once.

        It is waited for so long at most when it was never known.
        """
        found = self._kept.get(name)
        if found is None:
            found = self._kept.setdefault(name, Cached(lambda: compute(self.platform), seconds))
        if found.is_due:
            self._slow.ask(name, found.get, patience_seconds if found.peek() is None else 0.0)
        return cast("T | None", found.peek())


class Visit:
    """What a view works with; made anew for each request."""

    def __init__(self, desk: Desk, asked: Asked, visitor: Visitor, words: Words) -> None:
        self.desk = desk
        self.platform = desk.platform
        self.asked = asked
        self.visitor = visitor
        self.words = words
        self.query = asked.query
        self.form = asked.form
        self.path = asked.path
        self._patience_seconds = PATIENCE_SECONDS

    @property
    def actor(self) -> Actor:
        """Who asks; only pages for anybody have none."""
        actor = self.visitor.actor
        assert actor is not None, "a page for anybody has no actor"
        return actor

    @property
    def signed_in(self) -> bool:
        return self.visitor.actor is not None

    def may(self, permission: str) -> bool:
        """Whether who asks holds a permission; `""` is held by everybody who is signed in."""
        actor = self.visitor.actor
        return actor is not None and (not permission or actor.may(permission))

    def require(self, permission: str) -> None:
        """Forbidden unless who asks holds the permission."""
        require(self.visitor.actor, permission)

    def say(self, text: str, **values: Any) -> str:
        """A text in the visit's language, with `%(name)s` filled in."""
        return self.words.say(text, **values)

    def said(self, text: str) -> str:
        """What the rest of Cauce says in English (an error, a hint, a fault, a reason) in the visit's language."""
        return self.words.said(text)

    def count(self, one: str, many: str, number: int, **values: Any) -> str:
        """A text with a number, in the right plural; `%(num)s` is the number as it is written here."""
        return self.words.count(one, many, number, **values)

    def note(self, action: str, subject: str, **details: Any) -> None:
        """An action in the audit trail: ids and counts only, never a value of a person. Durable on return."""
        self.platform.audit.note(self.actor, action, subject, details, address=self.visitor.address)

    def look(self, action: str, subject: str) -> None:
        """A look at a person in the audit trail, written with others a moment later."""
        self.platform.audit.look(self.actor, action, subject, address=self.visitor.address)

    def kept(self, name: str, compute: Callable[[Platform], T], seconds: float = 2.0) -> T:
        """A value that is dear to compute and the same for all visitors, at most `seconds` old."""
        return self.desk.kept(name, compute, seconds)

    def soon(self, name: str, compute: Callable[[Platform], T], seconds: float = 10.0) -> T | None:
        """A value that takes long, such as a count of everybody: None while it is computed the first time."""
        began = time.monotonic()
        found = self.desk.soon(name, compute, seconds, self._patience_seconds)
        self._patience_seconds = max(0.0, self._patience_seconds - (time.monotonic() - began))
        return found
