"""What doors do at the pick-up desk: commands with codes and links, which only who holds the secret can make."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Protocol

import segno

from cauce.commerce.catalogue import api as catalogue
from cauce.commerce.fulfilment.api import PickupSeen, pickup, pickup_by_id
from cauce.commerce.fulfilment.desk import Arrive, HandedOver, HandOver, NewCode, PickupState, Present, Ready
from cauce.commerce.fulfilment.keys import Keys
from cauce.commerce.fulfilment.rules import codes
from cauce.commerce.orders import questions
from cauce.commerce.orders.api import COLLECTED_KINDS, Advance, Standing
from cauce.commerce.transact.carrier import Command
from cauce.engines.api import Row
from cauce.errors import Conflict, DefinitionInvalid, Ended, NotFound, Throttled
from cauce.model.time import DAY

LINK_DAYS = 180
"""How long a link works after the order: longer than anything waits, so that the person sees what became of it."""
PICTURE_SCALE = 8
"""Pixels of a module of the QR as PNG: 300 or so in all, enough for any mail."""
COLLECT = "/collect"
"""Where links lead."""


class Carrying(Protocol):
    """An installation's commerce: carries commands out, and can be asked."""

    @property
    def now(self) -> int: ...
    def do(self, command: Command) -> Any: ...
    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...


class Counter:
    """The pick-up desks of an installation. `public_url` is where customers reach it, "" when nobody said."""

    def __init__(self, commerce: Carrying, secret: bytes, public_url: str = "") -> None:
        self._commerce = commerce
        self._keys = Keys(secret)
        self._public_url = public_url.rstrip("/")

    # -- staff --------------------------------------------------------------------------------------------------

    def ready(
        self,
        order: str,
        *,
        by: str,
        origins: Sequence[str] = (),
        partial: bool = False,
        channel: str = "",
        key: str = "",
    ) -> PickupState:
        """An order lies at its desk: the person hears of it, and gets a code."""
        seen = pickup(self._commerce, order)
        command = Ready(
            key=key,
            order=order,
            codes=self._keys.hashes(seen.order_id),
            origins=tuple(origins),
            link=self.link(seen),
            partial=partial,
            by=by,
            channel=channel,
        )
        found: PickupState = self._commerce.do(command)
        return found

    def advance(self, command: Advance) -> Standing:
        """Goods of an order come into a state; what is collected becomes ready here, so that the person has a code."""
        if command.to == "ready":
            head = questions.head(self._commerce, command.order)
            if head.kind in COLLECTED_KINDS:
                return self._ready(head, command)
        found: Standing = self._commerce.do(command)
        return found

    def _ready(self, head: questions.Head, command: Advance) -> Standing:
        if command.where not in ("", head.place):
            raise DefinitionInvalid(
                f"order {head.number} is collected in {head.place}: it cannot become ready in {command.where[:80]!r}",
                hint="Leave `where` out",
            )
        ready = Ready(
            key=command.key,
            order=head.number,
            codes=self._keys.hashes(command.order),
            changes=command.changes,
            was=command.was,
            link=self.link(pickup(self._commerce, head.number)),
            by=command.by,
            channel=command.channel,
            why=command.why,
        )
        found: PickupState = self._commerce.do(ready)
        return found.standing

    def new_code(self, order: str, *, by: str, key: str = "") -> PickupState:
        """Another code in the place of the one that was given out."""
        seen = pickup(self._commerce, order)
        command = NewCode(key=key, order=order, codes=self._keys.hashes(seen.order_id), by=by)
        found: PickupState = self._commerce.do(command)
        return found

    def hand_over(
        self,
        desk: str,
        *,
        by: str,
        code: str = "",
        order: str = "",
        initials: str = "",
        receipt: str = "",
        lines: Sequence[tuple[int, int]] = (),
        cancel_rest: bool = False,
        channel: str = "store",
        key: str = "",
    ) -> HandedOver:
        """Goods are given to the person, by the code as it was typed or scanned, or by an id that was shown.

        Unreadable for what can be no code, NotFound and Throttled for wrong ones, Ended for one that was used.
        """
        hash_ = self._keys.hash(codes.read(typed(code))) if code else ""
        seen = self._behind(hash_) if code else pickup(self._commerce, order)
        command = HandOver(
            key=key,
            desk=desk,
            code=hash_,
            order="" if code else order,
            initials=initials,
            receipt=receipt,
            lines=tuple(lines),
            cancel_rest=cancel_rest,
            codes=self._keys.hashes(seen.order_id) if seen else (),
            by=by,
            channel=channel,
        )
        found: HandedOver = self._commerce.do(command)
        return admitted(found)

    def present(self, desk: str, code: str, *, by: str, key: str = "") -> PickupSeen:
        """The order that a code opens at a desk, so that its goods can be fetched. Errors as of `hand_over`."""
        command = Present(key=key, desk=desk, code=self._keys.hash(codes.read(typed(code))), by=by)
        return pickup_by_id(self._commerce, admitted(self._commerce.do(command)).order_id)

    def _behind(self, hash_: str) -> PickupSeen | None:
        found = self._commerce.select("select order_id from pickup_code where hash = ?", (hash_,))
        return pickup_by_id(self._commerce, found[0][0]) if found else None

    # -- the person ---------------------------------------------------------------------------------------------

    def link(self, seen: PickupSeen) -> str:
        """The address that leads the person, and nobody else, to the order's code; always the same."""
        return f"{self._public_url}{COLLECT}/{self._keys.links.link(seen.order_id, seen.at + LINK_DAYS * DAY)}"

    def opened(self, link: str) -> PickupSeen:
        """The pick-up behind the last step of a link; NotFound."""
        return pickup_by_id(self._commerce, self._keys.links.opened(link, self._commerce.now).id)

    def code(self, seen: PickupSeen) -> str:
        """The code of a pick-up, only for the person; NotFound when it has none now."""
        if not seen.has_code:
            raise NotFound(f"order {seen.order} has no code now: it is {seen.state}")
        return self._keys.code(seen.order_id, seen.round)

    def arrive(self, link: str, *, bay: str = "", vehicle: str = "", key: str = "") -> PickupState:
        """The person behind a link is here."""
        order = self._keys.links.opened(link, self._commerce.now).id
        found: PickupState = self._commerce.do(Arrive(key=key, order=order, bay=bay, vehicle=vehicle))
        return found

    def picture(self, seen: PickupSeen, kind: str) -> bytes:
        """The QR of a pick-up's code as *svg* or *png*, black on white: scanners want it so in any theme."""
        drawn = segno.make(self.content(seen), error="m", micro=False)
        out = io.BytesIO()
        if kind == "svg":
            drawn.save(out, kind="svg", scale=PICTURE_SCALE, light="white", xmldecl=False, svgns=True, omitsize=False)
        else:
            drawn.save(out, kind="png", scale=PICTURE_SCALE, light="white")
        return out.getvalue()

    def content(self, seen: PickupSeen) -> str:
        """What the QR says: a GS1 Digital Link of the place with the code, where the place has a GLN and we an address.

        So any phone that scans it opens the desk; the code alone does where there is no address.
        """
        code = self.code(seen)
        if not self._public_url:
            return code
        place = catalogue.place(_Asked(self._commerce), seen.desk)
        if place is not None and place.gln:
            return f"{self._public_url}/414/{place.gln}?pickup={code}"
        return f"{self._public_url}/pickups?code={code}"


class _Asked:
    """Commerce as the catalogue asks it."""

    def __init__(self, commerce: Carrying) -> None:
        self._commerce = commerce

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._commerce.select(sql, parameters)


def typed(text: str) -> str:
    """The code in what somebody typed or a camera read: the code itself, or an address that holds it."""
    text = text.strip()
    if "?" not in text:
        return text[:200]
    parts = (part.partition("=") for part in text.partition("?")[2].partition("#")[0].split("&"))
    return next((value for name, _, value in parts if name in ("pickup", "code")), text)[:200]


def admitted(handed: HandedOver) -> HandedOver:
    """A hand-over that was one; raises what a code was refused for."""
    outcome = handed.outcome
    if outcome == "locked":
        raise Throttled(
            f"too many wrong codes were typed; the next one is looked at in {handed.seconds} s",
            retry_after_seconds=handed.seconds,
        )
    if outcome == "unknown_code":
        left = f"{handed.tries_left} more may be wrong" if handed.tries_left else f"Wait {handed.seconds} s"
        raise NotFound("nobody waits for anything under this code", hint=left)
    if outcome == "used_code":
        raise Ended("this code was used already: a code works once", hint="Look at the order's hand-overs")
    if outcome == "withdrawn_code":
        raise Ended("this code does not count any more", hint="Another one was given out, or the goods went back")
    if outcome == "elsewhere":
        raise Conflict(f"this order waits in {handed.desk}")
    return handed
