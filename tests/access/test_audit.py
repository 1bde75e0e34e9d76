"""The audit trail."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.access.api import Actor, Audit, Filter
from cauce.errors import StorageBroken
from tests.access.house import House

ANA = Actor("ana", "agent", frozenset({"people.read"}))


def test_an_action_is_noted_with_who_when_and_from_where(house):
    house.audit.note(ANA, "quarantine.dropped", "web", {"entries": 3}, address="192.0.2.7")
    (entry,) = house.audit.entries().entries
    assert (entry.actor, entry.kind, entry.action, entry.subject) == ("ana", "account", "quarantine.dropped", "web")
    assert (entry.details, entry.address, entry.happened) == ({"entries": 3}, "192.0.2.0", house.clock.micro())


@pytest.mark.parametrize(("kept", "shown"), [("masked", "192.0.2.0"), ("whole", "192.0.2.7"), ("none", "")])
def test_addresses_are_kept_as_the_setting_says(house, kept, shown):
    audit = Audit(house.control, addresses=kept)
    audit.note("root", "source.added", "web", address="192.0.2.7")
    assert audit.entries().entries[0].address == shown


def test_details_are_bounded_and_lose_mail_addresses(house):
    house.audit.note(ANA, "sql.asked", "x" * 900, {"text": "where email = 'ana@tienda.es' " + "x" * 900})
    (entry,) = house.audit.entries().entries
    assert len(entry.subject) == 200
    assert len(entry.details["text"]) <= 200
    assert "tienda" not in entry.details["text"]


def test_an_action_must_be_one(house):
    for action in ("", "looked", "Person.Seen", "person seen"):
        with pytest.raises(AssertionError, match="expected an action"):
            house.audit.note(ANA, action)


def test_looks_are_written_together_and_once_a_minute(house):
    for _ in range(5):
        house.audit.look(ANA, "person.seen", "p_1")
    house.audit.look(ANA, "person.seen", "p_2")
    house.clock.now += 61
    house.audit.look(ANA, "person.seen", "p_1")
    assert [entry.subject for entry in house.audit.entries().entries] == ["p_1", "p_2", "p_1"]


def test_looks_wait_when_they_cannot_be_written(tmp_path):
    house = House(tmp_path / "control.db")
    other = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    other.execute("create trigger deny before insert on access_audit begin select raise(abort, 'full'); end")
    house.audit.look(ANA, "person.seen", "p_1")
    with pytest.raises(StorageBroken, match="full"):
        house.audit.flush()
    other.execute("drop trigger deny")
    other.close()
    assert [entry.subject for entry in house.audit.entries().entries] == ["p_1"]
    house.close()


def test_looks_are_there_after_closing(tmp_path):
    house = House(tmp_path / "control.db")
    house.audit.look(ANA, "person.seen", "p_1")
    house.close()
    again = House(tmp_path / "control.db")
    assert [entry.subject for entry in again.audit.entries().entries] == ["p_1"]
    again.close()


def test_old_entries_are_dropped_at_opening_and_ids_go_on(house):
    house.audit.note("root", "source.added", "old")
    house.clock.now += 86_400
    house.audit.note("root", "source.added", "young")
    for days, kept in ((0, ["young", "old"]), (2, ["young", "old"]), (1, ["young", "old"])):
        Audit(house.control, days=days, clock=house.clock.micro)
        assert [entry.subject for entry in house.audit.entries().entries] == kept
    house.clock.now += 1
    Audit(house.control, days=1, clock=house.clock.micro)
    assert [entry.subject for entry in house.audit.entries().entries] == ["young"]
    house.audit.note("root", "source.added", "new")
    assert [entry.id for entry in house.audit.entries().entries] == [3, 2]


noted = st.lists(
    st.tuples(
        st.sampled_from(["ana", "bea"]),
        st.sampled_from(["person.seen", "person.erased", "source.added", "source.key_added", "sources.x"]),
        st.sampled_from(["p_1", "web"]),
    ),
    max_size=25,
)
filters = st.builds(
    Filter,
    actor=st.sampled_from(["", "ana", "carl"]),
    action=st.sampled_from(["", "person", "source", "source.added", "per", "source."]),
    subject=st.sampled_from(["", "web"]),
    after=st.sampled_from([0, 5]),
    before=st.sampled_from([0, 15]),
)


@settings(max_examples=60, deadline=None)
@given(noted, filters, st.integers(1, 4))
def test_pages_hold_what_the_filter_means_once_and_in_order(noted, wanted, limit):
    house = House(":memory:")
    house.clock.now = 0
    for place, (actor, action, subject) in enumerate(noted):
        house.clock.now = place / 1_000_000
        house.audit.note(actor, action, subject)
    expected = [
        (actor, action, subject)
        for place, (actor, action, subject) in enumerate(noted)
        if wanted.actor in ("", actor)
        and wanted.subject in ("", subject)
        and (not wanted.action or action == wanted.action or action.startswith(wanted.action + "."))
        and place >= wanted.after
        and (not wanted.before or place < wanted.before)
    ]
    found, cursor = [], 0
    while True:
        page = house.audit.entries(wanted, cursor=cursor, limit=limit)
        assert len(page.entries) <= limit
        found += [(entry.actor, entry.action, entry.subject) for entry in page.entries]
        cursor = page.cursor
        if not cursor:
            break
    assert found == expected[::-1]
    house.close()
