"""POSLog documents become receipts, returns and cancellations: cases as data, and what is wrong says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.connectors import poslog
from cauce.errors import Unreadable
from cauce.model import Received, Record, Source, to_iso
from tests.reference import shared

CASES = Path(__file__).parent / "cases" / "poslog"
TILLS = Source("tills", "store")


def decoded(document: bytes) -> list[Received]:
    bodies = poslog.frame(document)
    records = (Record(number, "tills", "poslog", 1_790_000_000_000_000, body) for number, body in enumerate(bodies, 1))
    return [item for record in records for item in poslog.decode(record, TILLS)]


def told(item: Received) -> dict[str, Any]:
    event = item.event
    assert event is not None, item.reasons
    return {
        "name": event.name,
        "id": event.id,
        "occurred": to_iso(event.occurred),
        "identifiers": list(map(str, event.identifiers)),
        "properties": event.properties,
    }


@pytest.mark.parametrize("path", sorted(CASES.glob("*.xml")), ids=lambda path: path.stem)
def test_cases(path: Path) -> None:
    expected = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    assert [told(item) for item in decoded(path.read_bytes())] == expected


@pytest.mark.parametrize("path", sorted(CASES.glob("*.xml")), ids=lambda path: path.stem)
def test_an_item_that_is_sent_back_alone_is_the_same_event(path: Path) -> None:
    for item in decoded(path.read_bytes()):
        body = msgspec.json.encode(item.raw)
        (again,) = poslog.decode(Record(9, "tills", "poslog", item.received, body), TILLS)
        assert told(again) == told(item)


@pytest.mark.reference
def test_a_document_of_a_real_till() -> None:
    items = decoded(shared("payloads/poslog/poslog_ncr_excerpt.xml").read_bytes())
    names = [item.event.name for item in items if item.event]
    assert names == ["Till Operated"] * 3 + ["Receipt Issued"] * 7
    first = items[3].event
    assert first
    assert first.properties["products"][0]["quantity"] == 0.63
    assert first.properties["total"] == 5.27


TRANSACTION = (
    "<Transaction>{store}<WorkstationID>1</WorkstationID><SequenceNumber>{sequence}</SequenceNumber>"
    "<BusinessDayDate>{day}</BusinessDayDate><EndDateTime>{end}</EndDateTime>"
    "<RetailTransaction><LineItem><Sale>{sale}</Sale></LineItem></RetailTransaction></Transaction>"
)
WHOLE = {
    "store": "<RetailStoreID>S1</RetailStoreID>",
    "sequence": "1",
    "day": "2026-09-21",
    "end": "2026-09-21T10:00:00Z",
    "sale": "<ItemID>A</ItemID><Quantity>1</Quantity>",
}


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"store": ""}, "value_missing", "/poslog/RetailStoreID"),
        ({"sequence": ""}, "value_missing", "/poslog/SequenceNumber"),
        ({"day": "soon"}, "time_unreadable", "/poslog/BusinessDayDate"),
        ({"sale": "<ItemID>A</ItemID><Quantity>two</Quantity>"}, "value_unreadable", "/poslog/Quantity"),
        ({"sale": "<Quantity>1</Quantity>"}, "value_missing", "/poslog/LineItem/ItemID"),
    ],
)
def test_what_is_wrong_with_a_transaction(change: dict[str, str], code: str, path: str) -> None:
    document = f"<POSLog>{TRANSACTION.format(**{**WHOLE, **change})}{TRANSACTION.format(**WHOLE)}</POSLog>"
    bad, good = decoded(document.encode())
    assert [(reason.code, reason.path) for reason in bad.reasons] == [(code, path)]
    assert good.event is not None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"<POSLog>",
        b"<POSLog></POSLog>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><POSLog>&b;</POSLog>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hosts">]><POSLog><Transaction>&b;</Transaction></POSLog>',
    ],
)
def test_what_is_no_poslog_is_refused_at_the_door(document: bytes) -> None:
    with pytest.raises(Unreadable):
        poslog.frame(document)


def test_long_documents_become_several_records() -> None:
    many = "".join(TRANSACTION.format(**{**WHOLE, "sequence": str(number)}) for number in range(1_200))
    bodies = poslog.frame(f"<POSLog>{many}</POSLog>".encode())
    assert len(bodies) == 3
    assert sum(len(msgspec.json.decode(body)["batch"]) for body in bodies) == 1_200


@given(st.one_of(st.text(max_size=200), st.dictionaries(st.text(max_size=8), st.text(max_size=80), max_size=4)))
def test_whatever_comes_is_an_item_with_reasons(item: Any) -> None:
    body = msgspec.json.encode({"batch": [item, {"poslog": item}]})
    found = poslog.decode(Record(1, "tills", "poslog", 1, body), TILLS)
    assert [one.event for one in found] == [None, None]
    assert all(one.reasons for one in found)
