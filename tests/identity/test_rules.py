"""Rules: what they refuse, and how they read values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.errors import DefinitionInvalid
from cauce.identity.kinds import ean13, luhn
from cauce.identity.rules import Rules, identifier_id
from cauce.model import Identifier
from tests.identity.drive import quick

DEFAULT = Rules.default()


@pytest.mark.parametrize(
    ("kind", "value", "normalised"),
    [
        ("email", " Ana.Perez@TIENDA.es ", "ana.perez@tienda.es"),
        ("email", "mailto:ana@tienda.es", "ana@tienda.es"),
        ("email", "ana@ESPAÑOL.es", "ana@xn--espaol-zwa.es"),
        ("email", "ana@@tienda.es", None),
        ("email", "ana@tienda", None),
        ("email", "ana maria@tienda.es", None),
        ("email", "test@tienda.es", None),
        ("email", "noreply@tienda.es", None),
        ("email", "ana@-tienda.es", None),
        ("phone", "612 34 56 78", "+34612345678"),
        ("phone", "0034 612-345-678", "+34612345678"),
        ("phone", "+351 912 345 678", "+351912345678"),
        ("phone", "600000000", None),
        ("phone", "12", None),
        ("whatsapp", "34612345678", "+34612345678"),
        ("loyalty", " 2001-33.44 ", "20013344"),
        ("loyalty", "99999999", None),
        ("pos_customer", "0000", None),
        ("instagram", "@Ana.Shop", "ana.shop"),
        ("x", "https://x.com/Ana/?s=20", "ana"),
        ("user_id", " 42 ", "42"),
        ("user_id", "U-42", "U-42"),
        ("user_id", "NULL", None),
        ("user_id", "-1", None),
        ("user_id", "00000000-0000-0000-0000-000000000000", None),
        ("user_id", "Guest 17", None),
        ("user_id", "anonymous", None),
        ("user_id", "n/a", None),
        ("user_id", "xxxx", None),
        ("user_id", "", None),
        ("user_id", "a" * 513, None),
        ("user_id", "\x00", None),
        ("record.crm", "12:3", "12:3"),
        ("club", "Gold 7", "Gold 7"),
        ("", "x", None),
    ],
)
def test_values_are_normalised_or_refused(kind: str, value: str, normalised: str | None) -> None:
    assert DEFAULT.normalise(Identifier(kind, value)) == normalised


@quick
@given(st.sampled_from(sorted(DEFAULT.kinds)), st.text(max_size=40))
def test_normalisation_is_idempotent(kind: str, value: str) -> None:
    once = DEFAULT.normalise(Identifier(kind, value))
    if once is not None:
        assert DEFAULT.normalise(Identifier(kind, once)) == once


def test_a_phone_is_read_in_the_region_of_its_source() -> None:
    assert DEFAULT.normalise(Identifier("phone", "912 345 678"), "PT") == "+351912345678"


def test_mail_providers_are_off_until_asked_for() -> None:
    address = Identifier("email", "Ana.Perez+shop@googlemail.com")
    assert DEFAULT.normalise(address) == "ana.perez+shop@googlemail.com"
    rules = Rules.from_dict(
        {
            "email_providers": {
                "ignore_dots": ["gmail.com"],
                "ignore_plus": ["gmail.com"],
                "aliases": {"googlemail.com": "gmail.com"},
            }
        }
    )
    assert rules.normalise(address) == "anaperez@gmail.com"


def test_check_digits() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert not luhn("x")
    assert ean13("4006381333931")
    assert not ean13("4006381333932")
    assert not ean13("1")
    rules = Rules.from_dict({"kinds": {"loyalty": {"check_digit": "ean13"}}})
    assert rules.normalise(Identifier("loyalty", "4006381-333931")) == "4006381333931"
    assert rules.normalise(Identifier("loyalty", "4006381-333932")) is None


def test_a_kind_that_nobody_named_is_usable_and_above_anonymous_ids() -> None:
    kind = DEFAULT.kind("club")
    assert (kind.limit, kind.unique, kind.merges) == (5, False, True)
    named = [DEFAULT.kinds[name].priority for name in ("user_id", "email", "phone", "instagram")]
    assert DEFAULT.kinds["anonymous_id"].priority < kind.priority < min(named)


def test_own_kinds_patterns_and_blocked_values() -> None:
    rules = Rules.from_yaml(
        """
        blocked: [forbidden]
        kinds:
          club: {priority: 88, unique: true, normaliser: lower, pattern: 'c\\d+', blocked: ['c0+']}
        """
    )
    assert rules.normalise(Identifier("club", "C12")) == "c12"
    assert rules.normalise(Identifier("club", "x12")) is None
    assert rules.normalise(Identifier("club", "c000")) is None
    assert rules.normalise(Identifier("user_id", "Forbidden")) is None
    assert rules.normalise(Identifier("user_id", "null")) is None
    assert rules.kind("user_id") == DEFAULT.kind("user_id")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "mapping"),
        ({"kindz": {}}, "Did you mean 'kinds'"),
        ({"kinds": {"email": {"limitt": 3}}}, "Did you mean 'limit'"),
        ({"kinds": {"email": {"limit": -1}}}, "expected kinds.email.limit to be 0–10000, got -1"),
        ({"kinds": {"email": {"priority": "high"}}}, "kinds.email"),
        ({"kinds": {"email": {"normaliser": "mail"}}}, "normaliser to be one of"),
        ({"kinds": {"email": {"check_digit": "iban"}}}, "check_digit to be one of"),
        ({"kinds": {"email": {"pattern": "("}}}, "regular expressions"),
        ({"kinds": {"E:mail": {}}}, "without a colon"),
        ({"kinds": {"email": 5}}, "kinds.email to be a mapping"),
        ({"kinds": 5}, "kinds to be a mapping"),
        ({"blocked": "x"}, "list of regular expressions"),
        ({"blocked": ["("]}, "regular expressions"),
        ({"default_region": "Spain"}, "two capital letters"),
        ({"shared_device": {"policy": "somebody"}}, "nobody, last_authenticated"),
        ({"shared_device": {"window_minutes": 0}}, "1–525600"),
        ({"shared_device": {"window": 5}}, "shared_device has no field"),
        ({"sources": {"till": {"regio": "ES"}}}, "sources.till has no field"),
    ],
)
def test_rules_that_make_no_sense_are_refused_with_the_place(document: Any, words: str) -> None:
    with pytest.raises(DefinitionInvalid, match=words):
        Rules.from_dict(document)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(DefinitionInvalid, match=r"(?s)kindz.*window_minutes"):
        Rules.from_dict({"kindz": {}, "shared_device": {"window_minutes": 0}})


def test_text_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(DefinitionInvalid, match="not YAML"):
        Rules.from_yaml("kinds: [")


def test_rules_read_back_from_what_they_give() -> None:
    assert Rules.from_dict(DEFAULT.as_dict()) == DEFAULT
    assert Rules.from_yaml("") == DEFAULT
    assert Rules.from_dict({"kinds": {"email": {"limit": 3}}}) != DEFAULT


def test_only_what_changes_evidence_asks_for_the_history() -> None:
    assert DEFAULT.same_evidence(Rules.from_dict({"kinds": {"email": {"limit": 3, "window_days": 9, "unique": True}}}))
    for document in ({"kinds": {"email": {"priority": 71}}}, {"blocked": ["x"]}, {"default_region": "PT"}):
        assert not DEFAULT.same_evidence(Rules.from_dict(document))


@quick
@given(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=64))
def test_identifier_ids_are_63_bits_and_never_zero(kind: str, value: str, secret: bytes) -> None:
    number = identifier_id(kind, value, secret)
    assert 0 < number < 2**63
    assert number == identifier_id(kind, value, secret)


def test_the_examples_of_the_documentation_are_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "explanation" / "identity.md"
    examples = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert len(examples) == 2
    for example in examples:
        assert Rules.from_yaml(example) != DEFAULT
