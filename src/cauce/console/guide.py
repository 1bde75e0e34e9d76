"""The guided path: five stops that show what Cauce is for, on the installation's own people and events.

It shows a panel above the pages while somebody walks it; the address says at which stop (`?guide=2`), a cookie keeps
it from page to page, and `?guide=end` puts it away.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.console.catalogues import marked
from cauce.errors import NotFound
from cauce.identity.api import text_of

if TYPE_CHECKING:
    from cauce.app import Platform
    from cauce.console.visit import Visit

COOKIE = "cauce_guide"
FIELD = "guide"
END = "end"
PEOPLE_LOOKED_AT = 120
ENTRIES_LOOKED_AT = 20
CARDS = frozenset({"loyalty"})
DEVICES = frozenset({"anonymous_id", "device_id"})
SHOPS = frozenset({"store", "pos"})
RECEIPT = "Receipt Issued"
SEARCH_SECONDS = 300.0
SEARCH_AGAIN_SECONDS = 5.0
PATIENCE_SECONDS = 2.0
"""How long the beginning of the path waits for a person to show; later stops wait no longer than any page."""


class Stop(msgspec.Struct, frozen=True):
    """A stop of the path: what is to be seen there, and where it is for this visit."""

    title: str
    text: str
    permission: str
    address: Callable[[Visit], str]


def _met(visit: Visit) -> str:
    """The id of a person who was met on the web and in a store; "" while nobody is known, or not yet found."""
    found = visit.soon("guide.person", somebody_met, SEARCH_SECONDS)
    # While the world streams in there was nobody a moment ago, and may be somebody now.
    return found or (visit.soon("guide.person_lately", somebody_met, SEARCH_AGAIN_SECONDS) if found == "" else "") or ""


def prepare(visit: Visit) -> None:
    """Looks for the person of the path, and waits a moment for whoever is found."""
    visit.desk.soon("guide.person", somebody_met, SEARCH_SECONDS, PATIENCE_SECONDS)


def somebody_met(platform: Platform) -> str:
    """Somebody whose visits and receipts met through a loyalty card: the one met in most channels of some hundred."""
    best: tuple[bool, int, int, str] = (False, 0, 0, "")
    for id, size in platform.people.clusters(PEOPLE_LOOKED_AT):
        with suppress(NotFound):  # erased between the two questions
            members = platform.people.members(id)
            kinds = {member.kind for member in members}
            if not (kinds & CARDS and kinds & DEVICES) or any(member.shared for member in members):
                continue
            channels = platform.profiles.profile(id).channels
            if "web" in channels and SHOPS & channels.keys():
                bought = bool(platform.profiles.timeline(id, limit=1, events={RECEIPT}).events)
                # Somebody of many channels and few identifiers is understood at a glance.
                best = max(best, (bought, len(channels), -size, text_of(id)))
    return best[3]


def _overview(_visit: Visit) -> str:
    return "/overview"


def _person(visit: Visit) -> str:
    return f"/people/{_met(visit)}" if _met(visit) else "/people"


def _why(visit: Visit) -> str:
    return f"/people/{_met(visit)}/identifiers" if _met(visit) else "/people"


def _quarantine(visit: Visit) -> str:
    entries = visit.platform.quality.entries(limit=ENTRIES_LOOKED_AT)
    # One whose fault stands at a field is understood at a glance.
    marked_ones = (entry for entry in entries if entry.reasons and all(reason.path for reason in entry.reasons))
    chosen = next(marked_ones, entries[0] if entries else None)
    return f"/quarantine/{chosen.position}" if chosen else "/quarantine"


def _data(_visit: Visit) -> str:
    return "/data"


STOPS = (
    Stop(
        marked("Everything that comes in is counted"),
        marked(
            "Every event that was received is stored, in quarantine, a duplicate or suppressed, and the sum adds up. "
            "While events stream in, this page follows by itself."
        ),
        "status.read",
        _overview,
    ),
    Stop(
        marked("One person from many channels"),
        marked(
            "This person looked around on the website without a name, and bought in a store with a loyalty card. "
            "Cauce found that they are one: one golden record, one timeline of all channels."
        ),
        "people.read",
        _person,
    ),
    Stop(
        marked("Why they are one"),
        marked(
            "Each line between two identifiers is evidence: an event that named both. Look at what ties the browser to "
            "the card. What was joined wrongly can be split, and every number follows."
        ),
        "people.read",
        _why,
    ),
    Stop(
        marked("What is broken waits to be mended"),
        marked(
            "This event broke its contract, so it was kept apart with its reason. Mend the marked field and replay it: "
            "it takes its place as if it had come right."
        ),
        "quarantine.read",
        _quarantine,
    ),
    Stop(
        marked("Ask anything in SQL"),
        marked(
            "The whole history lies in open files. Ask it in SQL, look at the result as a table or a chart, and take "
            "it with you."
        ),
        "data.sql",
        _data,
    ),
)


def stops_of(visit: Visit) -> list[Stop]:
    """The stops that who asks may visit."""
    return [stop for stop in STOPS if visit.may(stop.permission)]


def stands(visit: Visit) -> str:
    """The number of the present stop as text, "" off the path."""
    said = visit.query.get(FIELD) or visit.asked.cookies.get(COOKIE, "")
    return said if said.isascii() and said.isdigit() and len(said) == 1 else ""


def panel(visit: Visit) -> dict[str, Any] | None:
    """What the panel above the page says; None off the path."""
    stops = stops_of(visit)
    number = int(stands(visit) or 0)
    if not visit.signed_in or not 1 <= number <= len(stops):
        return None
    stop = stops[number - 1]

    def leading(at: int) -> str:
        return f"{stops[at - 1].address(visit)}?{FIELD}={at}" if 1 <= at <= len(stops) else ""

    return {
        "number": number,
        "count": len(stops),
        "title": visit.say(stop.title),
        "text": visit.say(stop.text),
        "here": leading(number),
        "before": leading(number - 1),
        "after": leading(number + 1),
        "end": f"{visit.asked.address}?{FIELD}={END}",
        "is_here": visit.asked.address == stop.address(visit),
    }
