"""Documents of EPCIS 2.0 are judged as the standard judges them, and become events of the river."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.connectors import epcis
from cauce.errors import Unreadable
from cauce.model import Received, Record, Source
from tests.reference import SHARED, shared

FOLDER = SHARED / "payloads" / "gs1_epcis"
SAMPLES = sorted(FOLDER.glob("*.json"))
INBOUND = Source("epcis", "warehouse")


def document(*events: Any, **more: Any) -> dict[str, Any]:
    return {
        "@context": [epcis.STANDARD_CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-09-21T10:00:00Z",
        "epcisBody": {"eventList": list(events)},
        **more,
    }


def event(**more: Any) -> dict[str, Any]:
    told = {
        "type": "ObjectEvent",
        "eventTime": "2026-09-21T10:00:00+02:00",
        "eventTimeZoneOffset": "+02:00",
        "action": "OBSERVE",
        "epcList": ["https://id.gs1.org/01/09521141012345/21/2017"],
        **more,
    }
    return {name: value for name, value in told.items() if value is not None}


def decoded(bodies: list[bytes]) -> list[Received]:
    records = (Record(number, "epcis", "epcis", 1_790_000_000_000_000, body) for number, body in enumerate(bodies, 1))
    return [item for record in records for item in epcis.decode(record, INBOUND)]


@pytest.mark.reference
def test_there_are_samples() -> None:
    assert len(list(shared("payloads/gs1_epcis").glob("*.json"))) == len(SAMPLES) > 15


@pytest.mark.reference
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_judged_as_their_names_say(path: Path) -> None:
    sample = msgspec.json.decode(path.read_bytes())
    faults = epcis.document_faults(sample)
    assert bool(faults) == path.name.startswith("invalid_"), faults
    if faults:
        with pytest.raises(Unreadable):
            epcis.frame(path.read_bytes(), "capture")
        return
    items = decoded(epcis.frame(path.read_bytes(), "capture"))
    assert len(items) == len(sample["epcisBody"]["eventList"])
    for item, told in zip(items, sample["epcisBody"]["eventList"], strict=True):
        assert item.event is not None, item.reasons
        assert item.event.name == "Goods Observed"
        assert {**item.event.properties, "@context": None} == {**told, "@context": None}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"action": "MOVE"}, "/action"),
        ({"action": None}, "/action"),
        ({"eventTimeZoneOffset": "2"}, "/eventTimeZoneOffset"),
        ({"bizStep": "transforming"}, "/bizStep"),
        ({"disposition": "lost"}, "/disposition"),
        (
            {"quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.1", "quantity": "5"}]},
            "/quantityList/0/quantity",
        ),
        ({"quantityList": [{"quantity": 5}]}, "/quantityList/0/epcClass"),
        ({"epcList": None}, ""),
        ({"epcList": ["a", "a"]}, "/epcList"),
        ({"readPoint": {"name": "door"}}, "/readPoint"),
        ({"errorDeclaration": {"reason": "incorrect_data"}}, "/errorDeclaration/declarationTime"),
        ({"colour": "red"}, ""),
        ({"type": "SubjectEvent"}, "/type"),
    ],
)
def test_faults_name_their_place(change: dict[str, Any], path: str) -> None:
    faults = epcis.faults_of(event(**change))
    assert path in {fault.path for fault in faults}, faults
    assert all(fault.expected for fault in faults)


@pytest.mark.parametrize(
    "change",
    [
        {"bizStep": "https://example.com/steps/steaming"},
        {"example:colour": "red"},
        {"type": "TransformationEvent", "action": None, "epcList": None, "inputEPCList": ["urn:a:b"]},
        {"type": "AggregationEvent", "epcList": None, "parentID": "urn:a:b"},
        {"ilmd": {"example:lot": "7"}},
    ],
)
def test_what_the_standard_allows(change: dict[str, Any]) -> None:
    assert epcis.faults_of(event(**change)) == []


def test_capture_takes_a_document_whole_or_not_at_all_and_the_channel_event_by_event() -> None:
    body = msgspec.json.encode(document(event(), event(action="MOVE")))
    with pytest.raises(Unreadable, match="/epcisBody/eventList/1/action"):
        epcis.frame(body, "capture")
    good, bad = decoded(epcis.frame(body))
    assert good.event
    assert not bad.event
    assert [reason.path for reason in bad.reasons] == ["/action"]


@pytest.mark.parametrize(
    "change", [{"@context": None}, {"type": "EPCISQueryDocument"}, {"epcisBody": {}}, {"schemaVersion": "1"}]
)
def test_what_is_no_document(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        epcis.frame(msgspec.json.encode(document(event(), **change)))


def test_an_error_declaration_is_an_event_of_its_own() -> None:
    wrong = event(eventID="urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
    declared = {**wrong, "errorDeclaration": {"declarationTime": "2026-09-21T12:00:00Z", "reason": "did_not_occur"}}
    first, second, again = decoded(
        epcis.framed(document(wrong, declared, {**wrong, "recordTime": "2026-09-22T00:00:00Z"}))
    )
    assert first.event
    assert second.event
    assert again.event
    assert first.event.id == again.event.id != second.event.id


def test_namespaces_of_the_document_stay_with_its_events() -> None:
    namespace = {"example": "http://ns.example.com/epcis/"}
    (item,) = decoded(epcis.framed(document(event(), **{"@context": [epcis.STANDARD_CONTEXT, namespace]})))
    assert item.event
    assert item.event.properties["@context"] == [namespace]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*epcis.COMMON, "epcList"]), inner),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_comes_has_reasons(item: Any) -> None:
    (found,) = epcis.decode(Record(1, "epcis", "epcis", 1, msgspec.json.encode({"batch": [item]})), INBOUND)
    assert (found.event is None) == bool(found.reasons)
