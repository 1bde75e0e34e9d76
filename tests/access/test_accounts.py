"""Accounts, passwords, links."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.access.passwords import CHARACTERS_MAX, Passwords, check
from cauce.errors import CauceError, Conflict, DefinitionInvalid, NotFound, Unauthorised
from tests.access.house import OTHER, PASSWORD, QUICK, Clock, House


def test_an_account_is_added_found_and_named_once(house):
    account = house.accounts.add("Ana@Tienda.es", "steward", password=PASSWORD, by="root")
    assert (account.name, account.role, account.can_sign_in) == ("ana@tienda.es", "steward", True)
    assert house.accounts.get("ANA@tienda.es") == account == house.accounts.by_id(account.id)
    with pytest.raises(Conflict, match="already"):
        house.accounts.add("ana@tienda.es", "owner")
    with pytest.raises(NotFound, match="Did you mean"):
        house.accounts.get("ana@tienda.com")
    with pytest.raises(DefinitionInvalid, match="role"):
        house.accounts.add("bea", "reader")
    assert [one.name for one in house.accounts.list()] == ["ana@tienda.es"]
    assert house.actions() == ["account.added"]


def test_what_is_allowed_beyond_the_role_is_permission(house):
    account = house.accounts.add("ana", "analyst", extra=["people.personal"])
    assert account.actor.may("people.personal")
    assert not house.accounts.set_role("ana", "analyst").actor.may("people.personal")


# -- the last owner -------------------------------------------------------------------------------------------------


def test_the_last_owner_stays(house):
    house.accounts.add("ana", "owner", password=PASSWORD)
    house.accounts.add("bea", "owner")  # invited, but was never here
    for attempt in (lambda: house.accounts.disable("ana"), lambda: house.accounts.set_role("ana", "steward")):
        with pytest.raises(Conflict, match="last owner"):
            attempt()
    house.accounts.accept(house.accounts.invite("bea").secret, OTHER)
    house.accounts.set_role("ana", "steward")
    with pytest.raises(Conflict, match="last owner"):
        house.accounts.disable("bea")
    assert house.accounts.get("bea").can_sign_in


steps = st.lists(
    st.tuples(st.sampled_from(["disable", "enable", "owner", "steward"]), st.sampled_from(["ana", "bea", "eva"])),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_there_is_always_an_owner_whatever_is_tried(steps):
    house = House(Path(":memory:"))
    for name in ("ana", "bea", "eva"):
        house.accounts.add(name, "owner", password=PASSWORD)
    for what, name in steps:
        try:
            if what in ("owner", "steward"):
                house.accounts.set_role(name, what)
            else:
                getattr(house.accounts, what)(name)
        except Conflict:
            pass
        assert house.accounts.has_owner
    house.close()


# -- passwords ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("zapatos roj", "at least 12"),
        ("x" * (CHARACTERS_MAX + 1), "at most 256"),
        ("passwordpassword", "first that others try"),
        ("123456789012", "first that others try"),
        ("qwertyuiop123", "first that others try"),
        ("aaaaaaaaaaaaaaa", "first that others try"),
        ("contraseña1234", "first that others try"),
        ("Barcelona2024!", "first that others try"),
        ("maria.lopez-77 x", "own name"),
    ],
)
def test_passwords_that_are_refused(password, why):
    with pytest.raises(DefinitionInvalid, match=why):
        check(password, name="maria.lopez@tienda.es")


@pytest.mark.parametrize(
    "password", [PASSWORD, OTHER, "ñandú y 3 peces", "correct horse battery", "пароль из леса", "x7Gk-29fq-LLw"]
)
def test_passwords_that_are_good(password):
    check(password, name="maria.lopez@tienda.es")


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_any_text_is_judged_and_hashed_without_surprise(text):
    try:
        check(text, name="ana")
    except DefinitionInvalid:
        return
    passwords = Passwords(QUICK)
    assert passwords.matches(passwords.hash(text), text)


def test_composed_and_decomposed_letters_are_one_password():
    passwords = Passwords(QUICK)
    assert passwords.matches(passwords.hash("ca\u00f1\u00f3n de agua"), "can\u0303o\u0301n de agua")


def test_nobody_is_compared_too_and_never_matches(monkeypatch):
    verified = []
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher)
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda self, stored, said: verified.append(stored) or real(self, stored, said)
    )
    assert not passwords.matches("", "nobody's")
    assert len(verified) == 1
    assert not passwords.matches("no hash at all", "x")


real = PasswordHasher.verify


def test_the_hash_is_argon2id_with_the_parameters_of_rfc_9106():
    stored = Passwords().hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD not in stored
    assert not Passwords().is_old(stored)


def test_a_sign_in_renews_a_hash_of_other_parameters(tmp_path):
    old = House(tmp_path / "control.db")
    old.accounts.add("ana", "owner", password=PASSWORD)
    old.close()
    house = House(tmp_path / "control.db", hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))

    def stored():
        return house.control.select("select password from account")[0][0]

    before = stored()
    with pytest.raises(Unauthorised):
        house.access.sign_in("ana", OTHER)
    assert stored() == before
    house.access.sign_in("ana", PASSWORD)
    assert "m=16,t=2,p=1" in stored() != before
    house.access.sign_in("ana", PASSWORD)
    house.close()


def test_change_of_password_wants_the_present_one_and_ends_the_other_sessions(house):
    account = house.accounts.add("ana", "steward", password=PASSWORD)
    here, there = house.sessions.start(account), house.sessions.start(account)
    with pytest.raises(Unauthorised, match="present password"):
        house.accounts.change_password(account, OTHER, OTHER)
    with pytest.raises(DefinitionInvalid, match="at least 12"):
        house.accounts.change_password(account, PASSWORD, "short")
    house.accounts.change_password(account, PASSWORD, OTHER, keep=here.session.id)
    assert house.sessions.find(here.cookie)
    assert house.sessions.find(there.cookie) is None
    assert house.accounts.knows(account, OTHER)
    assert not house.accounts.knows(account, PASSWORD)


# -- links ----------------------------------------------------------------------------------------------------------


def test_the_first_link_makes_the_owner_and_works_once(house):
    first = house.accounts.first_link()
    assert house.accounts.invited(first.secret) is None
    with pytest.raises(DefinitionInvalid, match="at least 12"):
        house.accounts.accept(first.secret, "short", name="ana")
    owner = house.accounts.accept(first.secret, PASSWORD, name="ana")
    assert (owner.role, owner.can_sign_in) == ("owner", True)
    for attempt in (
        lambda: house.accounts.accept(first.secret, OTHER, name="eve"),
        lambda: house.accounts.invited(first.secret),
    ):
        with pytest.raises(NotFound, match="was used"):
            attempt()
    assert house.accounts.first_link() is None
    assert house.accounts.find("eve") is None


def test_a_later_first_link_replaces_the_earlier_one_and_none_is_stored_readable(house):
    early, late = house.accounts.first_link(), house.accounts.first_link()
    with pytest.raises(NotFound):
        house.accounts.accept(early.secret, PASSWORD, name="ana")
    rows = house.control.select("select * from access_link")
    assert len(rows) == 1
    assert late.secret not in str(rows)
    assert late.secret.encode() not in rows[0][0]


def test_a_first_link_that_was_kept_back_makes_no_second_owner(tmp_path):
    house = House(tmp_path / "control.db")
    link = house.accounts.first_link()
    house.accounts.add("ana", "owner", password=PASSWORD)
    with pytest.raises(Conflict, match="owner already"):
        house.accounts.accept(link.secret, OTHER, name="eve")
    house.close()


def test_an_invitation_expires_and_is_replaced(house):
    house.accounts.add("bea", "agent")
    early, late = house.accounts.invite("bea", by="root"), house.accounts.invite("bea", by="root")
    with pytest.raises(NotFound):
        house.accounts.accept(early.secret, PASSWORD)
    house.clock.now += 48 * 3_600 + 1
    with pytest.raises(NotFound, match="expired"):
        house.accounts.accept(late.secret, PASSWORD)
    assert not house.accounts.get("bea").can_sign_in


def test_an_invitation_after_a_forgotten_password_ends_all_sessions(house):
    account = house.accounts.add("bea", "agent", password=PASSWORD)
    stolen = house.sessions.start(account)
    house.accounts.accept(house.accounts.invite("bea").secret, OTHER)
    assert house.sessions.find(stolen.cookie) is None
    assert house.access.sign_in("bea", OTHER).cookie


def test_disabling_ends_everything_at_once(house):
    house.accounts.add("ana", "owner", password=PASSWORD)
    account = house.accounts.add("bea", "agent", password=PASSWORD)
    session, link = house.sessions.start(account), house.accounts.invite("bea")
    token = house.tokens.add("phone", ["people.read"], account=account)
    house.accounts.disable("bea", by="ana")
    house.clock.now += 2
    assert house.sessions.find(session.cookie) is None
    assert house.tokens.authenticate(token.secret) is None
    with pytest.raises(NotFound):
        house.accounts.accept(link.secret, OTHER)
    with pytest.raises(Conflict, match="disabled"):
        house.accounts.invite("bea")
    with pytest.raises(Unauthorised):
        house.access.sign_in("bea", PASSWORD)
    house.accounts.enable("bea")
    assert house.sessions.find(session.cookie) is None
    assert house.access.sign_in("bea", PASSWORD)


def test_a_pass_lets_in_once_and_soon(house):
    house.accounts.add("demo", "owner")
    link = house.accounts.pass_for("demo")
    assert house.accounts.purpose_of(link.secret) == "enter"
    with pytest.raises(NotFound, match="does not let one choose"):
        house.accounts.accept(link.secret, PASSWORD)
    assert house.sessions.find(house.access.enter(link.secret).cookie)
    with pytest.raises(NotFound):
        house.access.enter(link.secret)
    late = house.accounts.pass_for("demo")
    house.clock.now += 3_601
    with pytest.raises(NotFound):
        house.access.enter(late.secret)


def _accept(path: Path, secret: str, name: str, start: Any, said: Any) -> None:
    clock = Clock()
    house = House(path, clock)
    start.wait(30)
    try:
        house.accounts.accept(secret, PASSWORD, name=name)
        said.put("in")
    except CauceError as fault:
        said.put(fault.code)
    house.close()


def test_two_processes_use_a_link_once(tmp_path):
    path = tmp_path / "control.db"
    house = House(path)
    link = house.accounts.first_link()
    context = multiprocessing.get_context("spawn")
    start, said = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_accept, args=(path, link.secret, name, start, said)) for name in ("ana", "eva")
    ]
    for process in processes:
        process.start()
    answers = sorted(said.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert answers == ["in", "not_found"]
    assert len(house.accounts.list()) == 1
    house.close()
