"""Masked values: they tell people apart a little, and lead to nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.profiles.masking import MASK, PUBLIC_TRAITS, masked, masked_name, masked_text, masked_trait


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ana.garcia@tienda.es", "a•••@t•••.es"),
        ("ana@localhost", "a•••@l•••"),
        ("+34612345678", "+34•••78"),
        ("4012345678901", "40•••"),
        ("u-1", "•••"),
        ("", "•••"),
        ("@", "•••"),
    ],
)
def test_identifiers(value: str, shown: str) -> None:
    assert masked(value) == shown


@given(value=st.text(min_size=4))
def test_a_mask_keeps_less_than_half_of_a_value_and_hides_its_length(value: str) -> None:
    kept = masked(value).replace(MASK, "")
    if "@" not in value:
        assert len(kept) <= max(5, len(value) // 2)
    assert MASK in masked(value)


def test_names_are_initials() -> None:
    assert masked_name("  Ana García  López ") == "A••• G••• L•••"
    assert masked_name("") == MASK


def test_an_identifier_with_its_kind_keeps_the_kind_and_a_person_id_stays() -> None:
    assert masked_text("email:ana@tienda.es") == "email:a•••@t•••.es"
    assert masked_text("p_0123456789abc") == "p_0123456789abc"


def test_traits_are_personal_unless_they_are_known_to_lead_to_nobody() -> None:
    assert masked_trait("city", "León") == "León"
    assert masked_trait("firstName", "Ana") == "A•••"
    assert masked_trait("somethingNew", "x@y.es") == "x•••@y•••.es"
    assert masked_trait("birthday", "1980-02-03") == "19•••"
    assert masked_trait("phone", None) is None
    assert masked_trait("salary", 31_000) == MASK
    assert masked_trait("subscribed", True) is True
    address = {"street": "Calle Mayor 1", "city": "León", "geo": [41.5, -5.5]}
    assert masked_trait("address", address) == {"street": "Ca•••", "city": "León", "geo": [MASK, MASK]}


def test_no_public_trait_is_a_name() -> None:
    assert not [name for name in PUBLIC_TRAITS if "name" in name.lower() or "mail" in name.lower()]
