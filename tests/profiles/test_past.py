"""The profile of a past moment is the profile that was there at that moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cauce.engines.memory import MemoryTables
from cauce.errors import NotFound, TooLarge
from cauce.identity.api import People
from cauce.identity.stage import IdentityStage
from cauce.model import DAY, Event, Identifier, Passage
from cauce.profiles import past
from cauce.profiles.api import Profile, Profiles
from cauce.profiles.past import Grounds
from cauce.profiles.stage import ProfilesStage
from tests.profiles.world import START, Owned, decision, event, passage

SECRET = b"secret"
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking would take minutes here; the steps are few anyway."""
TRAITS = [
    {"name": "orders", "compute": "count"},
    {"name": "revenue", "compute": "sum", "property": "total"},
    {"name": "visits", "compute": "count", "window_days": 2},
]


class Installation:
    """Identity and profiles on tables in memory, and an archive."""

    def __init__(self) -> None:
        self.tables = MemoryTables()
        self.archived: list[Owned] = []
        identity = IdentityStage(self.tables, SECRET, history=self.history)
        self.stages = (identity, ProfilesStage(self.tables, self.history, identity.identify))
        self.send(decision("trait.applied", 0, definitions=TRAITS))
        people = People(self.tables, SECRET)
        self.people = people
        self.profiles = Profiles(self.tables, people, self, grounds=Grounds(SECRET))

    def history(self) -> Any:
        return iter([self.archived])

    def send(self, *events: Event) -> None:
        passages = [passage(0, each) for each in events]
        for stage in self.stages:
            stage.prefetch(passages)
        for each in passages:
            for stage in self.stages:
                stage.apply(each)
        with self.tables.transaction():
            for stage in self.stages:
                stage.flush()
        for stage in self.stages:
            stage.committed()
        self.archived += [self._stored(each) for each in passages]

    def _stored(self, sent: Passage) -> Owned:
        assert sent.event is not None
        return Owned(sent.subject, sent.identifier_ids, sent.event)

    def bodies(self, positions: Iterable[int]) -> dict[int, Owned]:
        wanted = set(positions)
        return {owned.event.position: owned for owned in self.archived if owned.event.position in wanted}

    def audit(self, *, after: int = 0, limit: int = 100, name: str = "", descending: bool = True) -> list[Event]:
        assert not descending
        found = [owned.event for owned in self.archived if owned.event.type == "decision" and owned.event.name == name]
        return [each for each in found if each.position > after][:limit]

    def find(self, kind: str, value: str, **moment: Any) -> Profile:
        person = self.people.find(kind, value)
        assert person is not None
        return self.profiles.profile(person.id, **moment)


NAMES = [("user_id", "u1"), ("user_id", "u2"), ("email", "ana@tienda.es"), ("email", "eva@tienda.es"),
         ("anonymous_id", "browser-1"), ("anonymous_id", "browser-2"), ("device", "phone-1")]  # fmt: skip


@st.composite
def steps(draw: st.DrawFn) -> list[Event]:
    """Events and decisions in order of receipt; when they occurred is another matter."""
    found = []
    for number in range(1, draw(st.integers(2, 14))):
        received = START + number * DAY
        if draw(st.integers(0, 6)) == 0:
            a, b = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))
            verb = draw(st.sampled_from(["identity.refused", "identity.joined", "identity.unjoined", "link.retracted"]))
            named = {"a": ":".join(a), "b": ":".join(b)}
            found.append(event_at(decision(verb, number, **named), received, received))
            continue
        if draw(st.integers(0, 6)) == 0:
            told = {"identifier": ":".join(draw(st.sampled_from(NAMES))), "trait": "city", "value": f"word {number}"}
            found.append(event_at(decision("trait.set", number, **told), received, received))
            continue
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        happened = event(
            number,
            identifiers=tuple(Identifier(*name) for name in names),
            properties={"total": number},
            traits={"city": f"city {number}"},
        )
        found.append(event_at(happened, received - draw(st.integers(0, 5)) * DAY, received))
    return found


def event_at(happened: Event, occurred: int, received: int) -> Event:
    fields = {name: getattr(happened, name) for name in happened.__struct_fields__}
    return Event(**{**fields, "occurred": occurred, "received": received})


def of_everybody(installation: Installation, names: Sequence[tuple[str, str]], **moment: Any) -> dict[Any, Any]:
    """Profiles by identifier, each asked for by its own id."""
    found: dict[Any, Any] = {}
    for name in names:
        id = next((each.id for each in _members(installation, name) if (each.kind, each.value) == name), None)
        try:
            found[name] = None if id is None else comparable(installation.profiles.profile(id, **moment))
        except NotFound:
            found[name] = None
    return found


def _members(installation: Installation, name: tuple[str, str]) -> Sequence[Any]:
    person = installation.people.find(*name)
    return person.identifiers if person else ()


def comparable(profile: Profile) -> Any:
    """Without what a windowed trait may have forgotten, and the moment of asking."""
    names = [
        (each.kind, each.value, each.first_occurred, each.known_since, each.shared) for each in profile.identifiers
    ]
    return (profile.person, names, profile.traits, profile.computed, profile.consents, profile.channels,
            profile.first_seen, profile.last_seen, profile.events)  # fmt: skip


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(steps=steps(), cut=st.integers(0, 14))
def test_the_past_is_what_was_there(steps, cut) -> None:
    known_then, all_known = steps[:cut], steps
    moment = known_then[-1].received if known_then else START
    then, today = Installation(), Installation()
    for each in known_then:
        then.send(each)
    for each in all_known:
        today.send(each)
    expected = of_everybody(then, NAMES, now=moment)
    found = of_everybody(today, NAMES, as_of=moment)
    for name, profile in expected.items():
        if profile is not None:
            assert found[name] == profile
        elif found[name] is not None:  # unknown then, so today's person is asked for by others of its identifiers
            assert found[name] in expected.values()


def visit(number: int, *names: tuple[str, str], **changes: Any) -> Event:
    identifiers = tuple(Identifier(*name) for name in names)
    return event(number, identifiers=identifiers, properties={"total": number}, **changes)


USER, OTHER_USER, BROWSER = NAMES[0], NAMES[1], NAMES[4]


def test_before_a_merge_the_two_were_apart() -> None:
    shop = Installation()
    shop.send(visit(1, USER), visit(2, BROWSER))
    shop.send(visit(3, USER, BROWSER))
    assert shop.find(*USER).computed["revenue"] == 6
    assert shop.find(*USER, as_of=event(2).received).computed["revenue"] == 1
    assert shop.find(*USER, as_of=event(3).received).computed["revenue"] == 6


def test_before_a_device_was_shared_it_was_one_persons() -> None:
    shop = Installation()
    shop.send(visit(1, USER, BROWSER), visit(2, BROWSER))
    shop.send(visit(3, OTHER_USER, BROWSER))
    assert shop.find(*USER).computed["revenue"] == 1
    assert shop.find(*USER, as_of=event(2).received).computed["revenue"] == 3


def test_what_comes_late_was_not_known_though_it_occurred() -> None:
    shop = Installation()
    shop.send(visit(1, USER), visit(5, USER, occurred=event(0).occurred))
    assert shop.find(*USER, as_of=event(4).received).computed["orders"] == 1
    assert shop.find(*USER, as_of=event(5).received).computed["orders"] == 2


def test_rules_of_then_hold() -> None:
    shop = Installation()
    shop.send(visit(1, USER, BROWSER), visit(2, BROWSER))
    loose = {"kinds": {"anonymous_id": {"merges": False}}}
    shop.send(decision("identity.rules_applied", 3, rules=loose))
    assert shop.find(*USER).computed["revenue"] == 1
    assert shop.find(*USER, as_of=event(2).received).computed["revenue"] == 3


def test_before_anybody_was_known_nobody_is_found() -> None:
    shop = Installation()
    shop.send(visit(5, USER))
    with pytest.raises(NotFound, match="at that moment"):
        shop.find(*USER, as_of=event(4).received)


@pytest.mark.parametrize("bound", ["EVENTS_MAX", "IDENTIFIERS_MAX"])
def test_the_past_of_very_many_is_refused(monkeypatch, bound) -> None:
    shop = Installation()
    shop.send(*(visit(number, USER, NAMES[2], BROWSER) for number in range(1, 5)))
    monkeypatch.setattr(past, bound, 2)
    with pytest.raises(TooLarge, match="more than 2"):
        shop.find(*USER, as_of=event(9).received)
