"""Sessions and the sign-in that starts them."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.access.api import Limits, Origin
from cauce.access.outside import Vouched
from cauce.access.rules import DELAY_SECONDS_MAX, FORGET_SECONDS, FREE_ATTEMPTS
from cauce.errors import CauceError, NotFound, Throttled, Unauthorised
from tests.access.house import OTHER, PASSWORD, House

HOME = Origin("192.0.2.7", "Firefox")
AWAY = Origin("198.51.100.9", "curl")


@pytest.fixture
def ana(house):
    return house.accounts.add("ana", "steward", password=PASSWORD)


def test_a_session_is_found_by_its_cookie_only(house, ana):
    started = house.access.sign_in("Ana ", PASSWORD, HOME)
    session, account = house.sessions.find(started.cookie)
    assert (session.account, account.name, session.agent, session.address) == (ana.id, "ana", "Firefox", "192.0.2.0")
    for cookie in ("", started.cookie[:-1], started.session.id, "x" * 43, "\ud800"):
        assert house.sessions.find(cookie) is None
    assert started.cookie not in str(house.control.select("select * from access_session"))
    assert house.accounts.get("ana").signed_in == house.clock.micro()


def test_each_sign_in_has_a_cookie_of_its_own(house, ana):
    cookies = {house.access.sign_in("ana", PASSWORD).cookie for _ in range(5)}
    assert len(cookies) == 5
    assert all(len(cookie) >= 43 for cookie in cookies)


def test_an_idle_session_ends_and_one_in_use_lasts_until_its_end(tmp_path):
    house = House(tmp_path / "control.db", limits=Limits(session_idle_seconds=600, session_seconds_max=3_600))
    house.accounts.add("ana", "steward", password=PASSWORD)
    idle, used = house.access.sign_in("ana", PASSWORD), house.access.sign_in("ana", PASSWORD)
    for _ in range(11):
        house.clock.now += 300
        assert house.sessions.find(used.cookie)
    assert house.sessions.find(idle.cookie) is None
    assert [one.id for one in house.sessions.list()] == [used.session.id]
    house.clock.now += 300
    assert house.sessions.find(used.cookie) is None
    house.access.sign_in("ana", PASSWORD)
    assert len(house.control.select("select id from access_session")) == 1  # the dead ones are swept away
    house.close()


def test_a_page_that_refreshes_itself_keeps_nobody_signed_in(tmp_path):
    house = House(tmp_path / "control.db", limits=Limits(session_idle_seconds=600))
    house.accounts.add("ana", "steward", password=PASSWORD)
    started = house.access.sign_in("ana", PASSWORD)
    for _ in range(5):
        house.clock.now += 100
        assert house.sessions.find(started.cookie, is_use=False)
    house.clock.now += 100
    assert house.sessions.find(started.cookie, is_use=False) is None
    house.close()


def test_sessions_are_bounded_per_account(house, ana):
    first = house.sessions.start(ana)
    for _ in range(55):
        house.clock.now += 1
        house.sessions.start(ana)
    assert len(house.sessions.list(ana)) == 50
    assert house.sessions.find(first.cookie) is None


def test_nobody_ends_the_session_of_another(house, ana):
    bea = house.accounts.add("bea", "agent", password=PASSWORD)
    mine, hers = house.sessions.start(ana), house.sessions.start(bea)
    with pytest.raises(NotFound):
        house.sessions.end(hers.session.id, account=ana)
    with pytest.raises(NotFound):
        house.sessions.end("' or 1=1 --", account=ana)
    assert house.sessions.find(hers.cookie)
    house.sessions.end(mine.session.id, account=ana, by=ana.actor)
    assert house.sessions.find(mine.cookie) is None
    assert house.sessions.end_all(bea, by="root") == 1
    assert house.sessions.find(hers.cookie) is None


def test_a_change_of_role_counts_at_once(house, ana):
    started = house.sessions.start(ana)
    assert not house.sessions.find(started.cookie)[1].actor.may("audit.read")
    house.accounts.set_role("ana", "privacy")
    assert house.sessions.find(started.cookie)[1].actor.may("audit.read")


# -- forms ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_form_belongs_to_one_cookie(one, other):
    house = _shared()
    said = house.access.csrf_of(one)
    assert house.access.is_csrf(one, said) == bool(one)
    assert not house.access.is_csrf(one, other)
    if one != other:
        assert not house.access.is_csrf(other, said)


def _shared(kept: list[House] = []) -> House:  # noqa: B006 one for all examples
    if not kept:
        kept.append(House(":memory:"))
    return kept[0]


# -- wrong passwords ------------------------------------------------------------------------------------------------


def _fail(house, name="ana", origin=HOME):
    with pytest.raises(Unauthorised, match="at least one of them is wrong"):
        house.access.sign_in(name, OTHER, origin)


def _waits(house, name="ana", origin=HOME, password=OTHER):
    with pytest.raises(Throttled, match="the next one is possible in") as caught:
        house.access.sign_in(name, password, origin)
    return caught.value.retry_after_seconds


def test_delays_grow_with_wrong_passwords_and_hold_for_the_right_one_too(house, ana):
    for _ in range(FREE_ATTEMPTS):
        _fail(house)
    waited = []
    for _ in range(12):
        waited.append(_waits(house))
        assert _waits(house, password=PASSWORD) == waited[-1]  # even the right one waits
        house.clock.now += waited[-1]
        _fail(house)
    assert waited == [min(2**power, DELAY_SECONDS_MAX) for power in range(12)]
    house.clock.now += _waits(house)
    assert house.access.sign_in("ana", PASSWORD, HOME)
    _fail(house)  # forgiven: the first few are free again


def test_an_unknown_name_is_told_and_throttled_alike(house, ana):
    for _ in range(FREE_ATTEMPTS):
        _fail(house, "nobody", Origin("192.0.2.50"))
        _fail(house, "ana", Origin("192.0.2.51"))
    assert _waits(house, "nobody", Origin("192.0.2.60")) == _waits(house, "ana", Origin("192.0.2.61"))


def test_an_address_that_tries_many_names_waits_and_others_do_not(house, ana):
    for number in range(FREE_ATTEMPTS):
        _fail(house, f"user{number}")
    _waits(house, "someone-else")
    _waits(house, "ana", password=PASSWORD)
    assert house.access.sign_in("ana", PASSWORD, AWAY)


def test_a_right_password_of_one_account_does_not_free_the_address_of_many_tries_elsewhere(house, ana):
    """Else whoever has one account could try the others without end."""
    for number in range(FREE_ATTEMPTS - 1):
        _fail(house, f"user{number}")
    house.access.sign_in("ana", PASSWORD, HOME)
    _fail(house, "bea")
    _waits(house, "bea")


def test_an_hour_without_failures_forgives(house, ana):
    for _ in range(FREE_ATTEMPTS):
        _fail(house)
    house.clock.now += FORGET_SECONDS + 1
    assert house.access.sign_in("ana", PASSWORD, HOME)


def test_many_at_once_are_counted_before_they_are_tried(house, ana):
    said = []

    def attempt():
        try:
            house.access.sign_in("ana", OTHER, HOME)
        except CauceError as fault:
            said.append(fault.code)

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("unauthorised") == FREE_ATTEMPTS
    assert said.count("throttled") == 20 - FREE_ATTEMPTS


def test_what_was_typed_is_nowhere_kept_and_refusals_are_noted(house, ana):
    _fail(house, "my secret password 1")
    _fail(house, "ana")
    stored = str(house.control.select("select * from access_attempt")) + str(house.audit.entries())
    assert "secret" not in stored
    refused = house.audit.entries().entries[:2]
    assert [(entry.action, entry.subject, entry.address) for entry in refused] == [
        ("session.refused", "ana", "192.0.2.0"),
        ("session.refused", "", "192.0.2.0"),
    ]


def test_wrong_present_passwords_are_throttled_too(house, ana):
    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(Unauthorised):
            house.access.change_password(ana, OTHER, OTHER, keep="", origin=HOME)
    with pytest.raises(Throttled):
        house.access.change_password(ana, PASSWORD, OTHER, keep="", origin=HOME)


def test_who_comes_from_outside_has_an_account_that_follows(house, ana):
    seventh = "https://id.example|7"
    started = house.access.sign_in_outside(Vouched(seventh, "bea", "agent", "/"), HOME)
    assert house.sessions.find(started.cookie)[1].role == "agent"
    again = house.access.sign_in_outside(Vouched(seventh, "beatriz", "steward", "/"), HOME)
    account = house.sessions.find(again.cookie)[1]
    assert (account.name, account.role, account.can_sign_in) == ("bea", "steward", True)
    with pytest.raises(CauceError, match="already"):
        house.access.sign_in_outside(Vouched("https://id.example|8", "ana", "owner", "/"), HOME)
    with pytest.raises(Unauthorised):
        house.access.sign_in("bea", "", HOME)
    house.accounts.disable("bea")
    with pytest.raises(Unauthorised, match="disabled"):
        house.access.sign_in_outside(Vouched(seventh, "bea", "steward", "/"), HOME)
