"""The table of roles, names, and delays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.access import rules
from cauce.access.actor import Actor, at_the_command_line, require
from cauce.errors import DefinitionInvalid, Forbidden, Unauthorised

addresses = st.ip_addresses().map(str)


def test_roles_hold_only_permissions_that_exist_and_all_are_held():
    held = [permissions for _, permissions in rules.ROLES.values()]
    assert frozenset().union(*held) == set(rules.PERMISSIONS)
    assert rules.ROLES["owner"][1] == set(rules.PERMISSIONS)
    assert set(rules.PERMISSIONS) >= rules.GRANTABLE
    assert all(scopes <= set(rules.PERMISSIONS) for scopes in rules.FORMER_ROLES.values())


def test_only_owners_manage_accounts_and_few_see_the_audit_trail():
    holders = {name: {role for role, (_, held) in rules.ROLES.items() if name in held} for name in rules.PERMISSIONS}
    assert holders["accounts.write"] == {"owner"}
    assert holders["audit.read"] == {"owner", "privacy"}
    assert holders["people.erase"] == {"owner", "privacy"}
    assert "people.personal" not in rules.ROLES["analyst"][1] | rules.ROLES["store_staff"][1]
    assert rules.ROLES["agent"][1] == rules.ROLES["store_staff"][1] | {"people.personal"}


@pytest.mark.parametrize("role", rules.ROLES)
def test_who_writes_reads_and_who_sees_personal_data_sees_people(role):
    held = rules.ROLES[role][1]
    for area in ("sources", "quarantine", "identity", "definitions"):
        assert f"{area}.write" not in held or f"{area}.read" in held
    for name in ("people.personal", "people.export", "people.erase"):
        assert name not in held or "people.read" in held


@given(st.sampled_from(list(rules.ROLES)), st.sets(st.sampled_from(sorted(rules.GRANTABLE))))
def test_what_is_allowed_only_adds(role, extra):
    assert rules.permissions_of(role, extra) == rules.ROLES[role][1] | extra


def test_what_cannot_be_allowed_is_refused():
    with pytest.raises(DefinitionInvalid, match=r"got 'accounts\.write'"):
        rules.permissions_of("analyst", ["accounts.write"])
    with pytest.raises(DefinitionInvalid, match="got 'root'"):
        rules.permissions_of("root")


@given(st.lists(st.sampled_from([*rules.PERMISSIONS, *rules.ROLES]), min_size=1))
def test_scopes_are_permissions_and_roles_stand_for_theirs(scopes):
    expected = {scope for scope in scopes if scope in rules.PERMISSIONS}
    for scope in scopes:
        expected |= rules.ROLES[scope][1] if scope in rules.ROLES else set()
    assert rules.scopes_checked(scopes) == expected


@pytest.mark.parametrize("scopes", [[], ["people"], ["people.read", "people.reads"]])
def test_wrong_scopes_are_refused(scopes):
    with pytest.raises(DefinitionInvalid, match="expected"):
        rules.scopes_checked(scopes)


@pytest.mark.parametrize("name", ["", " ", "a b", "cauce", "-ana", "a" * 64, "ana/x", "ñandú", "an\na", "@ana", "<b>"])
def test_names_that_are_none(name):
    with pytest.raises(DefinitionInvalid, match="expected a name"):
        rules.account_name(name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,30}", fullmatch=True).filter(lambda name: name.lower() != "cauce"))
def test_names_are_lower_case_and_stay_so(name):
    stored = rules.account_name(f" {name} ")
    assert stored == name.lower() == rules.account_name(stored)


def test_delays_grow_and_are_bounded():
    delays = [rules.delay_seconds(failures) for failures in range(100)]
    assert delays[: rules.FREE_ATTEMPTS] == [0] * rules.FREE_ATTEMPTS
    assert delays == sorted(delays)
    assert delays[rules.FREE_ATTEMPTS] == 1
    assert delays[-1] == rules.DELAY_SECONDS_MAX
    assert rules.delay_seconds(10**9) == rules.DELAY_SECONDS_MAX


@given(addresses)
def test_masked_addresses_name_a_network_and_nobody_in_it(address):
    masked = rules.address_masked(address)
    assert rules.address_masked(masked) == masked
    assert masked.endswith((".0", "::"))


@pytest.mark.parametrize(
    ("address", "masked", "network"),
    [
        ("192.0.2.77", "192.0.2.0", "192.0.2.77"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.77", "192.0.2.0", "192.0.2.77"),
        ("testclient", "", "testclient"),
        ("", "", ""),
    ],
)
def test_addresses(address, masked, network):
    assert rules.address_masked(address) == masked
    assert rules.network_of(address) == network


def test_texts_lose_mail_addresses():
    assert rules.without_addresses("told ana@tienda.es twice") == "told …@… twice"


def test_nobody_and_somebody_who_may_not():
    with pytest.raises(Unauthorised):
        require(None, "people.read")
    reader = Actor("ana", "store_staff", frozenset({"people.read"}))
    assert require(reader, "people.read") is reader
    with pytest.raises(Forbidden, match=r"ana may not do this: it needs people\.erase"):
        require(reader, "people.erase")
    with pytest.raises(AssertionError):
        reader.may("people.reed")
    assert all(at_the_command_line("root").may(permission) for permission in rules.PERMISSIONS)
