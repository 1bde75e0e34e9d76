"""Strands are sums: whatever the order, the cut or the grouping, the same events give the same bytes."""

from __future__ import annotations

import random
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.model import DAY
from cauce.profiles import rules, strand
from cauce.profiles.computed import Traits
from cauce.profiles.definitions import read_definitions
from tests.profiles import world
from tests.profiles.world import START, event


def pulse_of(happened: list[Any], traits: Traits) -> Any:
    pulse = None
    for each in happened:
        pulse = strand.fold_pulse(pulse, each.occurred, each.channel, traits.observe(each), traits.slots)
    return pulse


def ledger_of(happened: list[Any]) -> Any:
    ledger = None
    for each in happened:
        told = strand.told_by(each)
        ledger = ledger if told is None else strand.fold_ledger(ledger, told)
    return ledger


def pulse_bytes(pulse: Any) -> bytes:
    return b"" if pulse is None else strand.encode_pulse(strand.decode(strand.encode_pulse(pulse)))


def ledger_bytes(ledger: Any) -> bytes:
    return b"" if ledger is None else strand.encode_ledger(strand.decode(strand.encode_ledger(ledger)))


@settings(max_examples=20, deadline=None)
@given(definitions=world.definitions(), owned=world.events(), seed=st.integers(0, 2**32))
def test_strands_are_a_commutative_monoid(definitions, owned, seed) -> None:
    traits = Traits(enumerate(definitions))
    happened = [each for _, each in owned]
    chance = random.Random(seed)
    whole_pulse, whole_ledger = pulse_bytes(pulse_of(happened, traits)), ledger_bytes(ledger_of(happened))
    shuffled = chance.sample(happened, len(happened))
    assert pulse_bytes(pulse_of(shuffled, traits)) == whole_pulse
    assert ledger_bytes(ledger_of(shuffled)) == whole_ledger
    parts: list[list[Any]] = [[], [], []]
    for each in shuffled:
        chance.choice(parts).append(each)
    pulses, ledgers = [pulse_of(part, traits) for part in parts], [ledger_of(part) for part in parts]

    def add(one: Any, other: Any) -> Any:
        return strand.merge_pulses(one, other, traits)

    one, two, three = pulses
    assert pulse_bytes(add(add(one, two), three)) == pulse_bytes(add(three, add(two, one))) == whole_pulse
    assert pulse_bytes(add(one, None)) == pulse_bytes(one) == pulse_bytes(add(None, one))
    assert ledger_bytes(reduce(strand.merge_ledgers, ledgers)) == whole_ledger
    assert ledger_bytes(reduce(strand.merge_ledgers, reversed(ledgers))) == whole_ledger


VALUES = [f'"value {number}' for number in range(300)]


def sample_of(texts: list[str]) -> Any:
    sample = None
    for text in texts:
        sample = rules.fold_sample(sample, 0, text)
    return sample


def test_full_samples_keep_the_same_values_with_exact_counts_in_any_order() -> None:
    texts = [text for number, text in enumerate(VALUES) for _ in range(number % 4 + 1)]
    chance = random.Random(1)
    whole = sample_of(chance.sample(texts, len(texts)))
    assert whole == sample_of(sorted(texts))
    assert whole[0] == 1
    assert len(whole[1]) == rules.SAMPLE_VALUES
    assert all(count == VALUES.index(text) % 4 + 1 for text, count in zip(whole[1], whole[2], strict=True))
    parts = [texts[0::3], texts[1::3], texts[2::3]]
    assert reduce(rules.merge_samples, map(sample_of, parts)) == whole
    assert rules.unique_count(whole) == pytest.approx(300, rel=0.4)


def test_samples_are_exact_until_they_are_full() -> None:
    assert rules.unique_count(sample_of(VALUES[: rules.SAMPLE_VALUES] * 2)) == rules.SAMPLE_VALUES
    assert rules.most_frequent(sample_of(["b", "a", "c", "b", "c"])) == "b"


def test_registers_keep_the_latest_value_though_its_hash_is_large() -> None:
    told = [event(number, traits={"colour": f"value {number}"}) for number in range(100)]
    register = ledger_of(random.Random(2).sample(told, 100))[0]["colour"]["shop"]
    assert register[:3] == [told[-1].occurred, "e99", '"value 99"']
    assert len(register[4]) == strand.REGISTER_VALUES
    halves = [ledger_of(told[::2]), ledger_of(told[1::2])]
    assert strand.merge_ledgers(*halves)[0]["colour"]["shop"] == register


def test_windows_forget_days_that_nobody_asks_for() -> None:
    traits = Traits(enumerate(read_definitions({"name": "visits", "compute": "count", "window_days": 7})))
    happened = [event(number, occurred=START + number * DAY) for number in range(100)]
    pulse = pulse_of(happened, traits)
    assert len(pulse[4][0][0]) == 7 + rules.DAYS_KEPT_BEYOND_WINDOW
    (trait,) = traits
    assert trait.finish(pulse[4][0], START + 99 * DAY) == 7
    assert trait.finish(pulse[4][0], START + 102 * DAY) == 4
    assert trait.finish(pulse[4][0], START + 200 * DAY) == 0


def test_sums_beyond_64_bits_are_exact() -> None:
    traits = Traits(enumerate(read_definitions({"name": "money", "compute": "sum", "property": "total"})))
    happened = [event(number, properties={"total": 10**12}) for number in range(25)]
    pulse = strand.decode(strand.encode_pulse(pulse_of(happened, traits)))
    assert next(iter(traits)).finish(pulse[4][0], 0) == 25 * 10**12


def test_too_many_trait_names_are_bounded_in_any_order() -> None:
    told = [event(number, traits={f"name {number * 200 + index}": 1 for index in range(200)}) for number in range(7)]
    ledger = ledger_of(told)
    assert len(ledger[0]) == strand.TRAITS_MAX
    assert ledger_bytes(ledger_of(told[::-1])) == ledger_bytes(ledger)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4, "4"),
        (4.0, "4"),
        (4.5, "4500000e-6"),
        (-0.0, "0"),
        (True, "true"),
        ("4", '"4'),
        ("", '"'),
        (None, None),
        ([1], None),
        ({"a": 1}, None),
        (1e13, None),
        (2**63, None),
        (2**63 - 1, "9223372036854775807"),
    ],
)
def test_values_as_texts(value, text) -> None:
    assert rules.text_of(value) == text
    if text is not None:
        assert rules.value_of(text) == value
