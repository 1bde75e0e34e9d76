"""Documents that are no lists of events (POSLog, EPCIS) at the door: durable as the records they become, or refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cauce.connectors import epcis, poslog
from cauce.model import Source
from tests.http.serving import SmallPlatform, serving
from tests.running import http_client

CASES = Path(__file__).parents[1] / "connectors" / "cases" / "poslog"
EVENT = {
    "type": "ObjectEvent",
    "eventTime": "2026-09-21T10:00:00+02:00",
    "eventTimeZoneOffset": "+02:00",
    "action": "OBSERVE",
    "epcList": ["https://id.gs1.org/01/09521141012345/21/2017"],
}


def document(*events: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-09-21T10:00:00Z",
            "epcisBody": {"eventList": list(events)},
        }
    ).encode()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallPlatform, httpx.Client]]:
    platform = SmallPlatform(tmp_path_factory.mktemp("door"))
    with serving(platform) as url, http_client(url, auth=(platform.key, "")) as client:
        yield platform, client


def names(platform: SmallPlatform, after: int) -> list[str]:
    """Events (or their reasons) of the records behind an offset."""
    decoders = {"poslog": poslog.decode, "epcis": epcis.decode}
    found = [
        item
        for record in platform.log.read(after, records_max=1_000, bytes_max=2**30)
        for item in decoders[record.connector.partition(":")[0]](record, Source(record.source, "store"))
    ]
    return [item.event.name if item.event else str(item.reasons[0].code) for item in found]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_poslog(door: tuple[SmallPlatform, httpx.Client], pack: Any) -> None:
    platform, client = door
    before = platform.log.end()
    answer = client.post("/v1/channels/poslog", content=pack((CASES / "exchange.xml").read_bytes()))
    assert answer.status_code == 200, answer.text
    assert names(platform, before) == ["Receipt Issued", "Product Returned", "Product Returned"]


def test_capture(door: tuple[SmallPlatform, httpx.Client]) -> None:
    platform, client = door
    before = platform.log.end()
    assert client.post("/v1/epcis/capture", content=document(EVENT, EVENT)).status_code == 202
    assert names(platform, before) == ["Goods Observed", "Goods Observed"]
    refused = client.post("/v1/epcis/capture", content=document(EVENT, {**EVENT, "action": "MOVE"}))
    assert refused.status_code == 400
    assert "/epcisBody/eventList/1/action" in refused.json()["message"]
    before = platform.log.end()
    assert client.post("/v1/channels/epcis", content=document(EVENT, {**EVENT, "action": "MOVE"})).status_code == 200
    assert names(platform, before) == ["Goods Observed", "value_not_allowed"]


@pytest.mark.parametrize("path", ["/v1/channels/poslog", "/v1/channels/epcis", "/v1/epcis/capture"])
@pytest.mark.parametrize("content", [b"", b"{", b"<a/>", b"<POSLog><Transaction", b"\xff\xfe", document()])
def test_what_is_no_document_is_refused_and_nothing_is_kept(
    door: tuple[SmallPlatform, httpx.Client], path: str, content: bytes
) -> None:
    platform, client = door
    before = platform.log.end()
    assert client.post(path, content=content).status_code == 400
    assert platform.log.end() == before


def test_without_a_key_nothing_is_kept(door: tuple[SmallPlatform, httpx.Client]) -> None:
    platform, client = door
    before = platform.log.end()
    assert client.post("/v1/epcis/capture", content=document(EVENT), auth=("", "")).status_code == 401
    assert platform.log.end() == before
