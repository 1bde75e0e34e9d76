"""Drives the identity stage over generated events, and generates them: a small town where everybody meets everybody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from cauce.identity import bulk, store
from cauce.identity.rules import Rules, identifier_id
from cauce.identity.rulings import PAIR_DECISIONS, decision_of
from cauce.identity.stage import IdentityStage
from cauce.model import DAY, DECISION, Event, Fate, Identifier, Passage, Received, Source
from tests.furnished import FurnishedTables

quick = settings(max_examples=40, deadline=None)
"""For properties that run a river per example; time says nothing on a busy machine."""

SECRET = b"secret of the tests"
TABLET = "tablet"

TIGHT = Rules.from_dict(
    {
        "defaults": False,
        "blocked": ["nobody"],
        "kinds": {
            "user_id": {"priority": 100, "unique": True, "limit": 1},
            "crm_id": {"priority": 90, "unique": True, "limit": 1},
            "email": {"priority": 70, "limit": 2},
            "note": {"priority": 40, "merges": False},
            "other": {"priority": 30, "limit": 3},
            "anonymous_id": {"priority": 10, "limit": 2, "window_days": 7, "device": True},
        },
    }
)
LOOSE = Rules.from_dict(
    {
        "defaults": False,
        "kinds": {name: {"priority": 10 * rank, "limit": 0, "device": rank == 1} for rank, name in enumerate(
            ("anonymous_id", "other", "note", "email", "crm_id", "user_id"), start=1)},
    }
)  # fmt: skip

_VALUES = {"user_id": 4, "crm_id": 3, "email": 5, "note": 2, "hobby": 2, "anonymous_id": 6}
IDENTIFIERS = [Identifier(kind, f"{kind[0]}{number}") for kind, count in _VALUES.items() for number in range(count)]
IDENTIFIERS.append(Identifier("email", "nobody"))


def source_of(name: str) -> Source:
    return Source(name, name, shared_device=name == TABLET)


def id_of(text: str | Identifier) -> int:
    kind, value = text if isinstance(text, Identifier) else text.split(":", 1)
    return identifier_id(kind, value, SECRET)


def event(number: int, *names: str, day: int | None = None, source: str = "web", type: str = "track") -> Event:
    """Event number `number`, of `names` such as `user_id:u1`, on a day (default: its number)."""
    identifiers = tuple(Identifier(*name.split(":", 1)) for name in names)
    occurred = (number if day is None else day) * DAY
    return Event(f"e{number}", source, source, type, "", occurred, number * DAY + DAY, number, identifiers)


def decision(number: int, name: str, **properties: Any) -> Event:
    return Event(
        f"d{number}", "cauce", "cauce", DECISION, name, 0, number, number, properties=properties, context={"by": "ana"}
    )


def pair(number: int, name: str, a: str, b: str) -> Event:
    return decision(number, name, a=a, b=b, why="asked")


EVENTS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(IDENTIFIERS), min_size=0, max_size=6),
        st.integers(0, 12),
        st.sampled_from(["web", "web", "web", "app", TABLET]),
    ),
    min_size=1,
    max_size=18,
).map(
    lambda drawn: [
        Event(f"e{n}", source, source, "track", "", day * DAY, (n + 1) * DAY, n + 1, tuple(names))
        for n, (names, day, source) in enumerate(drawn)
    ]
)

DECISIONS = st.lists(
    st.tuples(
        st.sampled_from(sorted(PAIR_DECISIONS)), st.sampled_from(IDENTIFIERS[:20]), st.sampled_from(IDENTIFIERS[:20])
    ),
    max_size=6,
).map(lambda drawn: [pair(1_000 + n, name, str(a), str(b)) for n, (name, a, b) in enumerate(drawn)])


class River:
    """The identity stage on memory tables, fed in batches; remembers what it stored, as the archive does."""

    def __init__(self, rules: Rules = TIGHT, *, history: bool = True, cap: int = 2_000, cache: int = 500_000) -> None:
        self.tables = FurnishedTables()
        self.archive: list[Passage] = []
        self.stage = IdentityStage(
            self.tables,
            SECRET,
            rules=rules,
            history=self.history if history else None,
            source_of=source_of,
            component_identifiers_max=cap,
            cache_identifiers=cache,
        )

    def history(self) -> Iterator[list[Passage]]:
        yield list(self.archive)

    def feed(self, events: Sequence[Event], cuts: Iterable[int] = ()) -> list[Passage]:
        """Events in this order, in batches that end before the indexes `cuts`; their passages."""
        marks = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(events)), len(events)]
        passages: list[Passage] = []
        for start, end in pairwise(marks):
            passages += self._batch(events[start:end])
        return passages

    def _batch(self, events: Sequence[Event]) -> list[Passage]:
        passages = [Passage(Received(e.position, e.source, e.channel, e.received, None, e)) for e in events]
        self.stage.prefetch(passages)
        for passage in passages:
            went_on = self.stage.apply(passage)
            assert went_on == (passage.fate is not Fate.SUPPRESSED)
        with self.tables.transaction():
            self.stage.flush()
        self.stage.committed()
        self.archive += [passage for passage in passages if passage.fate is None]
        return passages

    def state(self) -> tuple[list[Any], list[Any]]:
        """All identifiers and links, as rows."""
        return (
            self.tables.select("select * from identifier order by id"),
            self.tables.select("select * from link order by id"),
        )

    def people(self) -> dict[int, int]:
        return dict(self.tables.select("select id, person from identifier"))

    def same(self, a: str, b: str) -> bool:
        people = self.people()
        return people[id_of(a)] == people[id_of(b)]


def reference(
    events: Sequence[Event], rules: Rules = TIGHT, decisions: Sequence[Event] = (), cap: int = 2_000
) -> tuple[list[Any], list[Any]]:
    """The state that the bulk computes from a set of events and decisions in order."""
    latest = {}
    for found in (decision_of(word, rules, SECRET) for word in decisions):
        if found is not None:
            latest[found.id] = found
    passages = [Passage(Received(e.position, e.source, e.channel, e.received, None, e)) for e in events]
    built = bulk.rebuild([passages], rules, latest.values(), SECRET, source_of=source_of, component_identifiers_max=cap)
    return (
        [msgspec.structs.astuple(built.known[id]) for id in sorted(built.known)],
        [msgspec.structs.astuple(built.links[id]) for id in sorted(built.links)],
    )


def groups_of(river: River) -> dict[int, list[store.Known]]:
    """Members by person."""
    groups: dict[int, list[store.Known]] = {}
    for known in store.all_identifiers(river.tables):
        groups.setdefault(known.person, []).append(known)
    return groups
