"""Decisions as records of the log."""

from __future__ import annotations

import msgspec
import pytest

from cauce.events import decisions
from cauce.model import DECISION, DECISIONS, Record, position_of

NOON = 1_728_043_200_000_000


def record(body: bytes) -> Record:
    return Record(7, DECISIONS, DECISIONS, NOON + 5, body)


def test_a_decision_survives_the_log() -> None:
    (found,) = decisions.decode(record(decisions.encode("identity.joined", {"a": "email:x@y.es"}, "ana", NOON)))
    event = found.event
    assert event is not None
    assert (event.id, event.type, event.name) == (f"decision-{position_of(7, 0)}", DECISION, "identity.joined")
    assert (event.source, event.channel) == (DECISIONS, DECISIONS)
    assert event.properties == {"a": "email:x@y.es"}
    assert event.context == {"by": "ana"}
    assert (event.occurred, event.received, event.position) == (NOON, NOON + 5, position_of(7, 0))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"name": "a.b"}',
        b'{"name": 1, "properties": {}, "by": "x", "occurred": "2024-01-01T00:00:00Z"}',
        b'{"name": "a.b", "properties": {}, "by": "x", "occurred": "yesterday"}',
        b"[" * 100_000,
    ],
)
def test_a_bad_body_is_a_value_with_reasons(body: bytes) -> None:
    (found,) = decisions.decode(record(body))
    assert found.event is None
    assert [reason.code for reason in found.reasons] == ["unreadable_decision"]
    assert found.position == position_of(7, 0)


def test_a_blanked_decision_counts_and_does_nothing() -> None:
    (found,) = decisions.decode(record(b'{"_erased": "decision"}'))
    assert (found.event, found.reasons, found.erased) == (None, (), "decision")


def test_scrubbing_leaves_ids_only_and_can_be_done_again() -> None:
    properties = {"identifiers": ["email:ana@example.com"], "suppress": True, "note": "Ana asked"}
    body = decisions.encode("person.erased", properties, "ana", NOON)
    once = decisions.scrub(body, [5, 3])
    assert b"ana@" not in once
    assert b"asked" not in once
    assert msgspec.json.decode(once)["properties"] == {"identifiers": [3, 5], "suppress": True}
    assert decisions.scrub(once, []) == once


def test_mended_items_inside_a_decision_are_blanked_one_by_one() -> None:
    items = [{"position": 1, "raw": {"user": "ana"}}, {"position": 2, "raw": {"user": "luis"}}]
    body = decisions.encode("quarantine.replayed", {"items": items}, "ana", NOON)
    left = msgspec.json.decode(decisions.blank(body, {1: {"_erased": "stored"}}))["properties"]["items"]
    assert left == [{"position": 1, "raw": {"_erased": "stored"}}, {"position": 2, "raw": {"user": "luis"}}]
