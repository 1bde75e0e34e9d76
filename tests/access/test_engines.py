"""The control database on PostgreSQL too: what two processes do to it, each sees."""

from __future__ import annotations

import threading

import pytest

from cauce.access.api import Access, Audit, Control, Filter, Origin
from cauce.engines.postgres import Database, PostgresTables
from cauce.errors import CauceError, Throttled, Unauthorised
from cauce.events.sources import Sources
from cauce.model import Source
from cauce.testing.postgres import PrivateServer
from tests.access.house import OTHER, PASSWORD, QUICK, SECRET, Clock

HOME = Origin("192.0.2.7", "Firefox")


class House:
    """Access over a schema of PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        self.control = Control(PostgresTables(database.url, database.control), clock=self.clock)
        self.audit = Audit(self.control, clock=self.clock.micro)
        self.access = Access(
            self.control, self.audit, SECRET, clock=self.clock.micro, steady_clock=self.clock, hasher=QUICK
        )
        self.sources = Sources(self.control, self.audit)

    def close(self) -> None:
        self.access.close()
        self.control.close()


@pytest.fixture
def houses(postgres_server: PrivateServer):
    """The same installation, opened twice."""
    database = Database(postgres_server.fresh_database())
    database.prepare("of the tests")
    found = House(database), House(database)
    yield found
    for house in found:
        house.close()
    database.close()


def test_people_and_programs_get_in_through_either_door(houses):
    one, other = houses
    link = one.access.accounts.first_link()
    started = other.access.sign_in_by_link(link.secret, PASSWORD, "ana", HOME)
    session, account = one.access.sessions.find(started.cookie)
    assert (account.name, account.role, session.address) == ("ana", "owner", "192.0.2.0")
    for _ in range(5):
        with pytest.raises(Unauthorised):
            one.access.sign_in("ana", OTHER, HOME)
    with pytest.raises(Throttled):
        other.access.sign_in("ana", PASSWORD, HOME)
    made = one.access.tokens.add("till", ["people.read"], account=account, by=account.actor)
    other.clock.now += 2
    assert other.access.by_token(made.secret).permissions == {"people.read"}
    one.access.accounts.add("bea", "owner", password=PASSWORD)
    one.access.accounts.disable("ana", by="bea")
    other.clock.now += 2
    assert other.access.sessions.find(started.cookie) is None
    assert other.access.tokens.authenticate(made.secret) is None


def test_sources_and_the_trail_are_the_same_for_both(houses):
    one, other = houses
    key = one.sources.add(Source("web", "web"), by="ana")
    other.clock.now += 2
    assert other.sources.authenticate(key) == Source("web", "web")
    other.sources.revoke("web", key)
    one.clock.now += 2
    assert one.sources.authenticate(key) is None
    one.audit.look("ana", "person.seen", "p_1")
    assert one.audit.entries(Filter(action="person")).entries[0].subject == "p_1"
    found = other.audit.entries(limit=2)
    assert [entry.action for entry in found.entries] == ["person.seen", "source.key_revoked"]
    assert [entry.action for entry in other.audit.entries(cursor=found.cursor).entries] == ["source.added"]


def test_a_link_is_used_once_by_whoever_is_quicker(houses):
    link = houses[0].access.accounts.first_link()
    start, said = threading.Barrier(2), list[str]()

    def accept(house, name):
        start.wait(30)
        try:
            house.access.accounts.accept(link.secret, PASSWORD, name=name)
            said.append("in")
        except CauceError as fault:
            said.append(fault.code)

    threads = [
        threading.Thread(target=accept, args=(house, name)) for house, name in zip(houses, ("ana", "eva"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["in", "not_found"]
    assert len(houses[0].access.accounts.list()) == 1
