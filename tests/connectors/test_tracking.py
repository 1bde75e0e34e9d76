from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce import registry
from cauce.connectors import posthog, reading, rows, tracking
from cauce.connectors.reading import NESTING_LEVELS_MAX, read_items
from cauce.errors import Unreadable
from cauce.model import Event, Identifier, Received, Record, Source, from_iso

RECEIVED = from_iso("2026-11-21T12:00:00Z")
SOURCE = Source("web", "web")


def record(body: Any, connector: str = "tracking", offset: int = 1) -> Record:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Record(offset, "web", connector, RECEIVED, data)


def decode(body: Any, connector: str = "tracking", source: Source = SOURCE) -> list[Received]:
    return tracking.decode(record(body, connector), source)


def event_of(call: dict[str, Any], connector: str = "tracking", source: Source = SOURCE, **envelope: Any) -> Event:
    (item,) = decode({"batch": [call], **envelope} if envelope else call, connector, source)
    assert item.event is not None, item.reasons
    return item.event


def codes(body: Any, connector: str = "tracking") -> list[tuple[str, ...]]:
    return [tuple(reason.code for reason in item.reasons) for item in decode(body, connector)]


def kinds(event: Event) -> dict[str, str]:
    return dict(event.identifiers)


TRACK = {"type": "track", "event": "Viewed", "userId": "u1", "messageId": "m1"}


def test_registry_finds_the_connectors() -> None:
    found = registry.find("cauce.connectors", role="decode")
    assert {"tracking", "posthog", "rows"} <= set(found)


def test_call_becomes_an_event_with_all_its_parts() -> None:
    event = event_of({**TRACK, "anonymousId": "a1", "properties": {"total": 2}, "context": {"ip": "1.2.3.4"}})
    assert event == Event(
        "m1", "web", "web", "track", "Viewed", RECEIVED, RECEIVED, 1 << 20,
        (Identifier("user_id", "u1"), Identifier("anonymous_id", "a1")), {}, {"total": 2}, {"ip": "1.2.3.4"},
    )  # fmt: skip


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_means_absent(empty: str | None) -> None:
    call = {**TRACK, "anonymousId": empty, "messageId": empty, "properties": empty, "context": empty, "traits": empty}
    event = event_of(call)
    assert event.identifiers == (Identifier("user_id", "u1"),)
    assert event.id == f"cauce-{1 << 20}"


def test_path_gives_the_type_and_the_body_overrules_it() -> None:
    assert event_of({"event": "A", "userId": "u"}, "tracking:track").type == "track"
    assert event_of({"type": "identify", "userId": "u"}, "tracking:track").type == "identify"


@pytest.mark.parametrize("pack", [lambda body: body, gzip.compress, zstandard.ZstdCompressor().compress])
def test_compression_is_known_by_its_first_bytes(pack: Any) -> None:
    (item,) = tracking.decode(record(pack(json.dumps(TRACK).encode())), SOURCE)
    assert item.event is not None


def test_zstd_without_a_length_is_read_too() -> None:
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    body = packer.compress(json.dumps(TRACK).encode()) + packer.flush()
    (item,) = tracking.decode(record(body), SOURCE)
    assert item.event is not None


def test_batch_gives_its_time_and_context_to_its_calls() -> None:
    event = event_of(
        {**TRACK, "timestamp": "2026-11-21T09:00:00Z", "context": {"locale": "es"}},
        sentAt="2026-11-21T09:00:10Z",
        context={"ip": "1.1.1.1", "locale": "en"},
    )
    assert event.occurred == RECEIVED - 10_000_000
    assert event.context == {"ip": "1.1.1.1", "locale": "es"}


CLOCK = [
    ({"timestamp": "2026-11-21T09:00:00Z", "sentAt": "2026-11-21T09:00:10Z"}, "2026-11-21T11:59:50Z"),
    ({"originalTimestamp": "2026-11-21T09:00:00Z", "sentAt": "2026-11-21T09:00:10Z"}, "2026-11-21T11:59:50Z"),
    (
        {
            "originalTimestamp": "2026-11-21T09:00:00Z",
            "timestamp": "2024-05-01T00:00:00Z",
            "sentAt": "2026-11-21T09:00:10Z",
        },
        "2024-05-01T00:00:00Z",
    ),
    ({"timestamp": "2026-11-21T09:00:00Z"}, "2026-11-21T09:00:00Z"),
    ({"timestamp": "2026-11-21T10:00:00+01:00"}, "2026-11-21T09:00:00Z"),
    ({"timestamp": "2026-11-21T09:00:00Z", "sentAt": "yesterday"}, "2026-11-21T09:00:00Z"),
    ({"timestamp": "soon", "sentAt": "2026-11-21T09:00:10Z"}, "2026-11-21T12:00:00Z"),
    ({"sentAt": "2026-11-21T09:00:10Z"}, "2026-11-21T12:00:00Z"),
    ({"timestamp": 1_795_251_600_000}, "2026-11-21T09:00:00Z"),
    ({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T00:00:00Z"}, "0001-01-01T00:00:00Z"),
    ({}, "2026-11-21T12:00:00Z"),
]


@pytest.mark.parametrize(("times", "expected"), CLOCK)
def test_clock_is_corrected(times: dict[str, Any], expected: str) -> None:
    assert event_of({**TRACK, **times}).occurred == from_iso(expected)


def test_identifiers_are_promoted_from_every_place() -> None:
    event = event_of(
        {
            "type": "track",
            "event": "Order Completed",
            "userId": 42,
            "anonymousId": "a1",
            "properties": {"email": "p@x.es", "phone": 600123123, "loyalty_id": "L1"},
            "integrations": {"All": True, "Google Analytics 4": {"clientId": "GA1.2.11.22"}},
            "context": {
                "traits": {"email": "t@x.es", "plan": "gold"},
                "device": {"id": "d1", "advertisingId": "ad1", "token": "push1"},
                "externalIds": [
                    {"id": "b1", "type": "brazeExternalId"},
                    {"id": "d2", "type": "ios.id", "collection": "users"},
                    {"id": "acme", "type": "group_id", "collection": "accounts"},
                    "nonsense",
                ],
            },
        },
        source=Source("crm", "crm", user_id_kind="crm_id"),
    )
    assert set(event.identifiers) == {
        ("crm_id", "42"), ("anonymous_id", "a1"), ("email", "t@x.es"), ("email", "p@x.es"), ("phone", "600123123"),
        ("loyalty", "L1"), ("device_id", "d1"), ("advertising_id", "ad1"), ("push_token", "push1"),
        ("braze_external_id", "b1"), ("device_id", "d2"), ("ga_client_id", "11.22"),
    }  # fmt: skip
    assert event.traits == {"email": "t@x.es", "plan": "gold"}


def test_own_traits_win_over_those_of_the_context_and_null_stays() -> None:
    call = {"type": "identify", "userId": "u", "traits": {"a": None, "b": ""}, "context": {"traits": {"a": 1, "c": 2}}}
    assert event_of(call).traits == {"a": None, "b": "", "c": 2}


def test_email_among_the_properties_is_a_trait() -> None:
    assert event_of({**TRACK, "properties": {"email": "a@b.es"}}).traits == {"email": "a@b.es"}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"userId": "u", "previousId": "a"}, {("user_id", "u"), ("anonymous_id", "a")}),
        ({"userId": "u", "previousId": "u"}, {("user_id", "u")}),
        ({"userId": "u", "previousId": "a", "anonymousId": "a"}, {("user_id", "u"), ("anonymous_id", "a")}),
        ({"userId": "u", "previousId": "a@b.es"}, {("user_id", "u"), ("email", "a@b.es")}),
    ],
)
def test_alias(call: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert set(event_of({"type": "alias", **call}).identifiers) == expected


def test_traits_of_a_group_are_nobodys() -> None:
    event = event_of({"type": "group", "userId": "u", "groupId": "g1", "traits": {"email": "info@acme.es"}})
    assert event.identifiers == (Identifier("user_id", "u"),)
    assert event.traits == {}
    assert event.properties == {"groupId": "g1", "traits": {"email": "info@acme.es"}}


@pytest.mark.parametrize(("type_", "name"), [("page", "Home"), ("screen", "Home")])
def test_views_have_a_name_and_a_category(type_: str, name: str) -> None:
    event = event_of({"type": type_, "userId": "u", "name": name, "category": "Docs"})
    assert (event.name, event.properties) == (name, {"category": "Docs"})
    assert event_of({"type": type_, "userId": "u", "properties": {"name": name}}).name == name


BAD = [
    (5, "not_an_object"),
    (None, "not_an_object"),
    ("text", "not_an_object"),
    ([1], "not_an_object"),
    ({"userId": "u"}, "type_unknown"),
    ({"type": "purchase"}, "type_unknown"),
    ({"type": {}}, "type_unknown"),
    ({"type": "track"}, "event_name_missing"),
    ({"type": "track", "event": "  "}, "event_name_missing"),
    ({"type": "track", "event": 5}, "event_name_missing"),
    ({**TRACK, "userId": {"a": 1}}, "identifier_unreadable"),
    ({**TRACK, "anonymousId": [1]}, "identifier_unreadable"),
    ({**TRACK, "messageId": {}}, "id_unreadable"),
    ({**TRACK, "messageId": True}, "id_unreadable"),
    ({**TRACK, "properties": [1]}, "object_expected"),
    ({**TRACK, "context": "web"}, "object_expected"),
    ({**TRACK, "context": {"traits": 1}}, "object_expected"),
    ({"type": "group", "userId": "u"}, "group_id_missing"),
]


@pytest.mark.parametrize(("call", "code"), BAD)
def test_bad_call_spoils_only_itself(call: Any, code: str) -> None:
    items = decode({"batch": [TRACK, call, {**TRACK, "messageId": "m2"}]})
    assert [item.event is not None for item in items] == [True, False, True]
    assert [reason.code for reason in items[1].reasons] == [code]


UNUSABLE = [
    (b"NaN", "not_a_number"),
    (b'"\\ud83d"', "lone_surrogate"),
    (b'"\xff\xfe"', "invalid_utf8"),
    (b'"a\\u0000b"', "nul_character"),
    (b"9223372036854775808", "number_out_of_range"),
    (b"1e999", "number_out_of_range"),
    (b"9" * 6_000, "number_out_of_range"),
    (b"[" * 3_000 + b"]" * 3_000, "nesting_too_deep"),
    (b"[" * NESTING_LEVELS_MAX + b"]" * NESTING_LEVELS_MAX, "nesting_too_deep"),
]


@pytest.mark.parametrize(("value", "code"), UNUSABLE)
def test_value_that_nothing_can_store_spoils_only_its_call(value: bytes, code: str) -> None:
    bad = b'{"type":"track","event":"X","userId":"u","messageId":"bad","properties":{"v":%s}}' % value
    good = json.dumps(TRACK).encode()
    items = decode(b'{"batch":[%s,%s,%s],"sentAt":"2026-11-21T09:00:10Z"}' % (good, bad, good))
    assert [item.event is not None for item in items] == [True, False, True]
    assert [reason.code for reason in items[1].reasons] == [code]
    assert items[0].event is not None
    assert items[0].event.occurred == RECEIVED
    msgspec.json.encode(items[1].raw)
    (alone,) = decode(bad)
    assert [reason.code for reason in alone.reasons] == [code]


def test_largest_numbers_and_long_digits_in_texts_are_fine() -> None:
    event = event_of({**TRACK, "properties": {"n": 2**63 - 1, "m": -(2**63), "t": "8" * 40}})
    assert event.properties["n"] == 2**63 - 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nothing", b'{"a":1}}', b'{"batch":[NaN', gzip.compress(b"{}", mtime=0)[:-6], b"\x28\xb5\x2f\xfdxx"],
)
def test_unreadable_body_is_one_item_with_its_reason(body: bytes) -> None:
    (item,) = decode(body)
    assert item.event is None
    assert [reason.code for reason in item.reasons] == ["unreadable"]


def test_duplicate_keys_keep_the_last() -> None:
    (item,) = decode(b'{"type":"track","event":"A","event":"B","userId":"u"}')
    assert item.event is not None
    assert item.event.name == "B"


def test_erased_items_keep_their_place_and_do_nothing() -> None:
    items = decode(
        {"batch": [{"_erased": "stored", "messageId": "m0"}, TRACK, {**TRACK, "_erased": "stored"}, {"_erased": 5}]}
    )
    assert (items[0].event, items[0].erased, items[0].reasons) == (None, "stored", ())
    assert items[1].position == (1 << 20) + 1
    assert items[2].event is not None  # a call that only says so is a call
    assert items[3].reasons


def test_raw_is_mended_alone_with_the_same_id_and_time() -> None:
    body = {
        "batch": [TRACK, {"type": "track", "userId": "u", "timestamp": "2026-11-21T09:00:00Z"}],
        "sentAt": "2026-11-21T09:00:10Z",
        "context": {"ip": "1.1.1.1"},
    }
    raw = decode(body)[1].raw
    mended = event_of({**raw, "event": "Mended"})
    assert mended.id == f"cauce-{(1 << 20) + 1}"
    assert mended.occurred == RECEIVED - 10_000_000
    assert mended.context == {"ip": "1.1.1.1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("type", "event", "userId", "anonymousId", "previousId", "groupId", "messageId", "timestamp", "sentAt",
          "originalTimestamp", "traits", "properties", "context", "integrations", "name", "category", "_erased",
          "distinct_id", "uuid", "offset", "identifiers", "occurred", "id", "$set")  # fmt: skip
INNER = st.dictionaries(
    st.sampled_from(("email", "phone", "loyalty_id", "device", "externalIds", "clientId", "traits", "$set", "alias")),
    JSON, max_size=3,
)  # fmt: skip
CALL = st.dictionaries(
    st.sampled_from(FIELDS), JSON | INNER | st.sampled_from((*tracking.TYPES, "$identify")), max_size=8
)
ITEM = CALL | JSON
BODY = st.one_of(
    st.lists(ITEM, max_size=5),
    st.fixed_dictionaries({"batch": st.lists(ITEM, max_size=5)}, optional={"sentAt": JSON, "context": JSON}),
)


@settings(max_examples=60)
@given(BODY, st.sampled_from([tracking, posthog, rows]))
def test_every_item_gets_its_place_whatever_it_holds(body: Any, connector: Any) -> None:
    data = json.dumps(body).encode()  # may hold NaN, lone surrogates and huge numbers
    sent = body if isinstance(body, list) else body["batch"]
    items = connector.decode(record(data), SOURCE)
    assert [item.position for item in items] == [(1 << 20) + index for index in range(len(sent))]
    for item in items:
        assert (item.event is not None) + bool(item.reasons) + bool(item.erased) == 1
        msgspec.json.encode(item)
        assert item.event is None or -(2**63) <= item.event.occurred < 2**63


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_make_the_decoder_raise(body: bytes) -> None:
    for connector in (tracking, posthog, rows):
        for item in connector.decode(record(body), SOURCE):
            assert item.event is not None or item.reasons or item.erased


@given(JSON)
def test_the_slow_way_reads_what_the_standard_library_writes(value: Any) -> None:
    text = json.dumps([value, float("nan")]).encode()
    first, second = read_items(text).items
    assert second.reason.code == "not_a_number"
    assert first is not None or value is None


@given(st.text(alphabet='{}[]",:1aN ', max_size=12))
def test_the_slow_way_accepts_nothing_that_is_not_json(text: str) -> None:
    try:
        expected = isinstance(json.loads(text), object)
    except ValueError:
        expected = False
    try:
        accepted = read_items(text.encode()) is not None
    except Unreadable:
        accepted = False
    assert accepted == expected


def test_posthog_words_become_ours() -> None:
    body = {
        "api_key": "k",
        "sent_at": "2026-11-21T09:00:10Z",
        "batch": [
            {"event": "$pageview", "distinct_id": "d1", "properties": {"$device_id": "d1", "$current_url": "http://x/"}},
            {
                "event": "$identify", "distinct_id": "u1",
                "properties": {"$anon_distinct_id": "d1"}, "$set": {"email": "a@b.es"},
            },
            {"event": "Paid", "distinct_id": "u1", "uuid": "i1", "timestamp": "2026-11-21T09:00:00Z"},
            {"event": "$create_alias", "distinct_id": "anon", "properties": {"$lib": "posthog-python", "alias": "u1"}},
        ],
    }  # fmt: skip
    events = [item.event for item in posthog.decode(record(body, "posthog"), SOURCE)]
    assert [event.type for event in events if event] == ["page", "identify", "track", "alias"]
    assert [kinds(event) for event in events if event] == [
        {"anonymous_id": "d1"},
        {"user_id": "u1", "anonymous_id": "d1", "email": "a@b.es"},
        {"user_id": "u1"},
        {"user_id": "u1", "anonymous_id": "anon"},
    ]
    assert events[1] is not None
    assert events[1].traits == {"email": "a@b.es"}
    assert events[2] is not None
    assert (events[2].id, events[2].occurred) == ("i1", RECEIVED - 10_000_000)


def test_rows_are_in_our_own_words() -> None:
    row = {
        "event": "Receipt Issued", "id": "r1", "occurred": "2026-11-20T10:00:00Z",
        "identifiers": {"loyalty": "L1", "email": ["a@b.es", "c@d.es"]}, "properties": {"total": 5},
    }  # fmt: skip
    good, traits_only, bad = (
        rows.decode(record([row, {"identifiers": {"email": "a@b.es"}, "traits": {"name": "Ana"}},
                            {"event": "X", "occurred": "soon", "identifiers": {"email": {}}}], "rows"), SOURCE)
    )  # fmt: skip
    assert good.event is not None
    assert good.event.identifiers == (("loyalty", "L1"), ("email", "a@b.es"), ("email", "c@d.es"))
    assert good.event.occurred == from_iso("2026-11-20T10:00:00Z")
    assert traits_only.event is not None
    assert traits_only.event.type == "identify"
    assert [reason.code for reason in bad.reasons] == ["time_unreadable", "identifier_unreadable"]


def test_more_items_than_the_log_can_number_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ITEMS_MAX", 3)
    for connector in (tracking, posthog, rows):
        items = connector.decode(record([1, 2, 3, 4, 5]), SOURCE)
        assert [reason.code for item in items for reason in item.reasons][-1] == "too_many_items"
        assert [item.raw for item in items] == [1, 2, "[3,4,5]"]
