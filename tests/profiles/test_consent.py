"""Consent: the latest word of an identifier, the most restrictive of a person."""

from __future__ import annotations

import itertools
from typing import Any

from cauce.profiles import consent, strand
from cauce.profiles.consent import consents_of
from tests.profiles.world import event


def given(number: int, **properties: Any) -> Any:
    return event(number, consent.GIVEN, properties={"purpose": "marketing", "channel": "email", **properties})


def withdrawn(number: int, **properties: Any) -> Any:
    return event(number, consent.WITHDRAWN, properties={"purpose": "marketing", "channel": "email", **properties})


def ledger_of(*events: Any) -> Any:
    found = None
    for ordered in itertools.islice(itertools.permutations(events), 24):
        ledger = None
        for each in ordered:
            ledger = strand.fold_ledger(ledger, strand.told_by(each))
        assert found is None or strand.encode_ledger(ledger) == strand.encode_ledger(found)
        found = ledger
    return found[1]


def test_the_latest_word_counts_with_its_source_and_history() -> None:
    (found,) = consents_of(
        [(1, ledger_of(given(1, source="form"), withdrawn(2, source="call"), given(3, source="till")))]
    )
    assert (found.purpose, found.channel, found.granted) == ("marketing", "email", True)
    assert (found.word.said, found.word.source, found.word.event) == ("till", "shop", "e3")
    assert [word.said for word in found.history] == ["till", "call", "form"]


def test_of_equally_late_words_the_withdrawal_counts() -> None:
    at = event(1).occurred
    both = [
        event(1, consent.GIVEN, properties=given(1).properties),
        event(2, consent.WITHDRAWN, occurred=at, properties=given(1).properties),
    ]
    assert not consents_of([(1, ledger_of(*both))])[0].granted


def test_a_merge_never_grants_what_somebody_refused_and_a_split_gives_each_its_own_word() -> None:
    one, other = ledger_of(withdrawn(1)), ledger_of(given(2))
    (together,) = consents_of([(1, one), (2, other)])
    assert not together.granted
    assert together.word.identifier == 1
    assert [(word.granted, word.identifier) for word in together.history] == [(True, 2), (False, 1)]
    assert consents_of([(2, other)])[0].granted


def test_traits_tell_consents_and_are_no_golden_traits() -> None:
    ledger = strand.fold_ledger(
        None,
        strand.told_by(event(1, traits={"consent.marketing.sms": False, "consent.profiling": True, "city": "Vigo"})),
    )
    assert set(ledger[0]) == {"city"}
    found = {(each.purpose, each.channel): each.granted for each in consents_of([(1, ledger[1])])}
    assert found == {("marketing", "sms"): False, ("profiling", consent.ANY_CHANNEL): True}


def test_what_says_nothing_changes_nothing() -> None:
    assert strand.told_by(event(1, consent.GIVEN, properties={"purpose": 3})) is None
    assert strand.told_by(event(1, traits={"consent.marketing.sms": "perhaps"})) is None
    assert strand.told_by(event(1)) is None


def test_history_is_bounded_and_keeps_the_latest() -> None:
    events = [withdrawn(number) for number in range(150)]
    ledger = None
    for each in events:
        ledger = strand.fold_ledger(ledger, strand.told_by(each))
    (found,) = consents_of([(1, ledger[1])])
    assert len(found.history) == consent.HISTORY_MAX
    assert found.word.event == "e149"
