"""Codes are typed without harm, noticed when they are mistyped, and cannot be guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.commerce.fulfilment.keys import ROUNDS, Keys
from cauce.commerce.fulfilment.rules import codes
from cauce.commerce.fulfilment.rules.tries import FREE, PAUSE_SECONDS_MAX, SECOND, Patience, failed, seconds_left
from cauce.errors import NotFound, Unreadable

NUMBERS = st.integers(1, 2**62)
SECRETS = st.binary(min_size=32, max_size=32)


@given(st.binary(min_size=16, max_size=64))
def test_a_code_is_read_however_it_is_typed(chance):
    code = codes.code_of(chance)
    assert len(code) == codes.LENGTH
    assert set(code) <= set(codes.ALPHABET)
    for typed in (code, code.lower(), codes.shown(code), f" {code[:3]} {code[3:]}\n", "–".join(code)):
        assert codes.read(typed) == code


@given(st.binary(min_size=16, max_size=16), st.integers(0, codes.LENGTH - 1), st.sampled_from(codes.ALPHABET))
def test_every_wrong_character_is_noticed(chance, place, letter):
    code = codes.code_of(chance)
    wrong = code[:place] + letter + code[place + 1 :]
    if wrong != code:
        with pytest.raises(Unreadable, match="typing error"):
            codes.read(wrong)


@given(st.binary(min_size=16, max_size=16), st.integers(0, codes.LENGTH - 1), st.integers(0, codes.LENGTH - 1))
def test_every_exchange_of_two_characters_is_noticed(chance, one, other):
    code = list(codes.code_of(chance))
    code[one], code[other] = code[other], code[one]
    if "".join(code) != codes.code_of(chance):
        with pytest.raises(Unreadable, match="typing error"):
            codes.read("".join(code))


@pytest.mark.parametrize("typed", ["", "7K3M", "7K3M-2F9CC", "0K3M-2F9C", "ÁK3M-2F9C", "7K3M-2F9O", "\u2028" * 8])
def test_what_can_be_no_code_says_why(typed):
    with pytest.raises(Unreadable):
        codes.read(typed)


def test_no_code_has_a_character_that_is_taken_for_another():
    assert not set(codes.ALPHABET) & set("01OILBSZQUVAE")
    assert len(codes.ALPHABET) == len(set(codes.ALPHABET)) == 23
    assert codes.SPACE > 3 * 10**9


@given(SECRETS, NUMBERS)
def test_codes_come_of_the_secret_and_of_nothing_that_is_stored(secret, order):
    keys, others = Keys(secret), Keys(bytes(reversed(secret)) if secret != secret[::-1] else secret[:-1] + b"x")
    found = {keys.code(order, round_) for round_ in range(1, ROUNDS + 1)}
    assert len(found) == ROUNDS
    assert keys.hashes(order) == tuple(keys.hash(keys.code(order, round_)) for round_ in range(1, ROUNDS + 1))
    assert not found & set(keys.hashes(order))
    assert keys.code(order, 1) != others.code(order, 1) or keys.hashes(order) != others.hashes(order)


@given(SECRETS, NUMBERS, st.integers(1, 2**53), st.integers(0, 200), st.characters())
def test_a_link_opens_its_order_and_a_changed_one_nothing(secret, order, until, place, letter):
    keys = Keys(secret)
    link = keys.links.link(order, until)
    assert keys.links.opened(link, until - 1).id == order
    with pytest.raises(NotFound, match="run out"):
        keys.links.opened(link, until)
    changed = link[: place % len(link)] + letter + link[place % len(link) + 1 :]
    try:
        assert keys.links.opened(changed, 0) == (order, until)  # the last character may hold bits that mean nothing
    except NotFound:
        assert changed != link
    with pytest.raises(NotFound):
        Keys(secret[::-1] + b"!").links.opened(link, 0)


def test_nobody_guesses_a_code_by_trying_for_a_day():
    """As quickly as the pauses let anybody, at a desk with a thousand open codes: less than one in ten thousand."""
    patience, now, tries = Patience(), 0, 0
    while now < 86_400 * SECOND:
        patience = failed(patience, now)
        tries += 1
        now += max(1, seconds_left(patience, now)) * SECOND
    assert tries <= 130
    assert tries * 1_000 / codes.SPACE < 1e-4


@given(st.lists(st.integers(0, 3_600), max_size=40))
def test_patience_ends_and_comes_back(waits):
    patience, now = Patience(), 0
    for wait in waits:
        now += wait * SECOND
        if not seconds_left(patience, now):
            patience = failed(patience, now)
        assert 0 <= seconds_left(patience, now) <= PAUSE_SECONDS_MAX
        assert patience.failures < FREE or patience.until > patience.last
    later = now + 7 * 3_600 * SECOND
    assert failed(patience, later).failures == 1
