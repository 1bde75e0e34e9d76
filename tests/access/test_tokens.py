"""Tokens: scopes, expiry, bounds, and how they are told from one another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.access.api import Limits
from cauce.access.rules import PERMISSIONS, ROLES
from cauce.errors import Conflict, DefinitionInvalid, Forbidden, NotFound, Throttled, Unauthorised
from tests.access.house import PASSWORD, House

some_scopes = st.sets(st.sampled_from(sorted(PERMISSIONS)), min_size=1)


def test_a_token_is_shown_once_and_kept_as_a_hash(house):
    made = house.tokens.add("till", ["people.read"], by="root")
    assert made.secret.startswith("cauce_")
    assert len(made.secret) == 38
    assert made.secret[6:] not in str(house.control.select("select * from access_token"))
    actor = house.access.by_token(made.secret)
    assert (actor.name, actor.kind, actor.role, actor.permissions) == ("till", "token", "", {"people.read"})
    for secret in ("", made.secret[:-1], made.token.id, "\ud800"):
        with pytest.raises(Unauthorised, match="not known, was revoked or has expired"):
            house.access.by_token(secret)


def test_a_token_expires_and_is_revoked(house):
    short, long = house.tokens.add("short", ["people.read"], days=1), house.tokens.add("long", ["people.read"])
    house.clock.now += 86_401
    assert house.tokens.authenticate(short.secret) is None
    assert house.tokens.authenticate(long.secret)
    with pytest.raises(NotFound, match="Did you mean 'long'"):
        house.tokens.revoke("lon")
    assert house.tokens.revoke("long", by="root").revoked
    assert house.tokens.authenticate(long.secret) is None
    with pytest.raises(NotFound):
        house.tokens.revoke(long.token.id)
    with pytest.raises(DefinitionInvalid, match="days"):
        house.tokens.add("x", ["people.read"], days=-1)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(ROLES)), some_scopes)
def test_no_token_may_more_than_its_account_or_than_who_makes_it(role, scopes):
    house = House(":memory:")
    account = house.accounts.add("ana", role)
    for options in ({"account": account, "by": "root"}, {"by": account.actor}):
        if scopes <= ROLES[role][1]:
            made = house.tokens.add("x", scopes, **options)
            assert house.tokens.authenticate(made.secret).permissions == scopes
            house.tokens.revoke(made.token.id)
        else:
            with pytest.raises(Forbidden, match="may not give what it does not have"):
                house.tokens.add("x", scopes, **options)
    house.close()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(ROLES)), st.sampled_from(list(ROLES)))
def test_a_token_loses_what_its_account_loses(before, after):
    house = House(":memory:")
    house.accounts.add("root", "owner", password=PASSWORD)
    account = house.accounts.add("ana", before)
    made = house.tokens.add("x", [before], account=account)
    house.accounts.set_role("ana", after)
    house.clock.now += 1
    assert house.tokens.authenticate(made.secret).permissions == ROLES[before][1] & ROLES[after][1]
    house.close()


def test_names_are_taken_once_per_owner_while_they_live(house):
    ana = house.accounts.add("ana", "steward")
    house.tokens.add("x", ["people.read"])
    house.tokens.add("x", ["people.read"], account=ana)
    with pytest.raises(Conflict, match="already"):
        house.tokens.add("x", ["status.read"])
    with pytest.raises(Conflict, match="2 tokens are named 'x'"):
        house.tokens.revoke("x")
    house.tokens.revoke("x", account=ana)
    house.tokens.add("x", ["people.read"], account=ana)


def test_nobody_sees_or_revokes_the_token_of_another(house):
    ana, bea = house.accounts.add("ana", "steward"), house.accounts.add("bea", "agent")
    hers = house.tokens.add("phone", ["people.read"], account=bea)
    assert house.tokens.list(ana) == []
    with pytest.raises(NotFound):
        house.tokens.revoke(hers.token.id, account=ana)
    assert house.tokens.authenticate(hers.secret).name == "bea/phone"


def test_the_last_use_is_kept_coarsely(house):
    made = house.tokens.add("till", ["people.read"])

    def used():
        return house.tokens.list()[0].used

    assert used() == 0
    house.tokens.authenticate(made.secret)
    first = used()
    assert first == house.clock.micro()
    house.clock.now += 300
    house.tokens.authenticate(made.secret)
    assert used() == first
    house.clock.now += 301
    house.tokens.authenticate(made.secret)
    assert used() == house.clock.micro()


def test_another_process_sees_a_token_within_a_second(tmp_path):
    door, shell = House(tmp_path / "control.db"), House(tmp_path / "control.db")
    made = shell.tokens.add("till", ["people.read"])
    door.tokens.authenticate("x")
    late = shell.tokens.add("late", ["people.read"])
    assert door.tokens.authenticate(late.secret) is None
    door.clock.now += 1
    assert door.tokens.authenticate(late.secret)
    shell.tokens.revoke(made.token.id)
    door.clock.now += 1
    assert door.tokens.authenticate(made.secret) is None
    door.close()
    shell.close()


def test_a_token_that_asks_too_often_waits_and_others_do_not(tmp_path):
    house = House(tmp_path / "control.db", limits=Limits(token_requests_per_minute=30))
    one, other = (house.tokens.add(name, ["people.read"]).secret for name in ("one", "other"))
    for left in reversed(range(30)):
        actor = house.access.by_token(one)
        assert house.access.allowance(actor).left == left
    with pytest.raises(Throttled, match="at most 30 requests a minute") as caught:
        house.access.by_token(one)
    assert caught.value.retry_after_seconds == 2
    assert house.access.by_token(other)
    house.clock.now += 2
    house.access.by_token(one)
    with pytest.raises(Throttled):
        house.access.by_token(one)
    assert house.access.allowance(actor).seconds == 60
    house.close()
