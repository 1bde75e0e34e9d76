from __future__ import annotations

import base64
import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cauce.errors import StorageBroken
from cauce.http import intake as door
from cauce.model import Received, Source
from tests.http.serving import SmallPlatform, serving
from tests.running import http_client

CALL = {"type": "track", "event": "Viewed", "userId": "u1"}
REQUEST_BYTES_MAX = 100_000


class Shop:
    """A served platform and a client for it."""

    def __init__(self, platform: SmallPlatform, url: str, client: httpx.Client) -> None:
        self.platform = platform
        self.url = url
        self.client = client
        self.key = platform.key

    def post(self, path: str = "/v1/batch", body: Any = None, **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps({"batch": [CALL]} if body is None else body).encode()
        options.setdefault("auth", (self.key, ""))
        return self.client.post(path, content=content, **options)

    def accepted(self, path: str = "/v1/batch", body: Any = None, **options: Any) -> list[Received]:
        """Items of this one request, which must be answered exactly so."""
        before = self.platform.log.end()
        answer = self.post(path, body, **options)
        assert (answer.status_code, answer.content) == (200, b'{"success":true}'), answer.text
        assert self.platform.log.end() == before + 1
        return [item for item in self.platform.items() if item.position >> 20 == before + 1]

    def raw(self, request: bytes) -> bytes:
        """What the server answers to these bytes until it closes or goes silent."""
        parts = urlsplit(self.url)
        assert parts.hostname
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    platform = SmallPlatform(
        tmp_path_factory.mktemp("shop"), request_bytes_max=REQUEST_BYTES_MAX, request_events_max=1_000
    )
    with serving(platform) as url, http_client(url) as client:
        yield Shop(platform, url, client)
    platform.close()


# -- paths ----------------------------------------------------------------------------------------------------------

LONG = ("identify", "track", "page", "screen", "group", "alias")


@pytest.mark.parametrize("type_", LONG)
@pytest.mark.parametrize("form", ["/v1/{long}", "/v1/{long}/", "/v1/{short}", "/v1/{short}/"])
def test_path_of_a_call_says_its_type(shop: Shop, type_: str, form: str) -> None:
    call = {"userId": "u1", "event": "Viewed", "groupId": "g"}
    (item,) = shop.accepted(form.format(long=type_, short=type_[0]), call)
    assert item.event is not None
    assert item.event.type == type_


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/", "/v1/b", "/v1/b/", "/v1/import", "/v1/import/"])
def test_paths_of_batches(shop: Shop, path: str) -> None:
    items = shop.accepted(path, {"batch": [CALL, {**CALL, "type": "identify"}]})
    assert [item.event.type for item in items if item.event] == ["track", "identify"]


@pytest.mark.parametrize("path", ["/batch/", "/batch", "/capture/", "/e/", "/i/v0/e/"])
def test_paths_of_posthog(shop: Shop, path: str) -> None:
    (item,) = shop.accepted(path, {"api_key": shop.key, "event": "Paid", "distinct_id": "u1"}, auth=None)
    assert item.event is not None
    assert item.event.name == "Paid"


def test_channel_by_name(shop: Shop) -> None:
    (item,) = shop.accepted("/v1/channels/rows", {"event": "Paid", "identifiers": {"email": "a@b.es"}})
    assert item.event is not None
    assert item.event.identifiers == (("email", "a@b.es"),)
    answer = shop.post("/v1/channels/row")
    assert answer.status_code == 404
    assert "Did you mean 'rows'" in answer.json()["message"]
    assert shop.post("/v1/channels/cauce").status_code == 404


def test_metrics_of_browser_sdks_are_answered_and_not_kept(shop: Shop) -> None:
    before = shop.platform.log.end()
    assert shop.post("/v1/m", {"series": []}, auth=None).status_code == 200
    assert shop.platform.log.end() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(shop: Shop, method: str) -> None:
    answer = shop.client.request(method, "/v1/track")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert shop.client.post("/v1/projects/x/settings").headers["allow"] == "GET, HEAD, OPTIONS"


def test_unknown_path_is_said_so(shop: Shop) -> None:
    answer = shop.client.post("/v1/nothing", json={})
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


# -- keys -----------------------------------------------------------------------------------------------------------


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


def test_credentials_in_every_place(shop: Shop) -> None:
    key = shop.key
    for headers in (
        {"authorization": basic(key)},
        {"authorization": basic(key).replace("Basic", "basic").rstrip("=")},
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key}"},
    ):
        assert shop.accepted(body={"batch": [CALL]}, auth=None, headers=headers)
    assert shop.accepted(f"/v1/batch?writeKey={key}", auth=None)
    assert shop.accepted("/v1/track", {**CALL, "writeKey": key}, auth=None)
    assert shop.accepted(body={"writeKey": key, "batch": [CALL]}, auth=None)
    assert shop.accepted(body={"batch": [{**CALL, "writeKey": key}]}, auth=None)
    assert shop.accepted("/batch/", [{"event": "A", "distinct_id": "u", "properties": {"token": key}}], auth=None)
    assert shop.accepted("/batch/", [{"event": "A", "distinct_id": "u", "api_key": key}], auth=None)
    packed = gzip.compress(json.dumps({"writeKey": key, "batch": [CALL]}).encode())
    assert shop.accepted(body=packed, auth=None)


def test_known_key_in_the_body_is_found_beside_a_stranger_in_the_header(shop: Shop) -> None:
    assert shop.accepted(body={"writeKey": shop.key, "batch": [CALL]}, auth=("proxy", "secret"))


@pytest.mark.parametrize(
    "authorization", ["", "Basic", "Basic !!!", "Basic eA==", "Bearer", "Bearer nobody", "Digest x", "Basic \xff\xfe"]
)
def test_wrong_or_missing_key_is_401(shop: Shop, authorization: str) -> None:
    answer = shop.post(auth=None, headers={"authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorised"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_revoked_key_is_401(shop: Shop) -> None:
    key = shop.platform.sources.rotate("web")
    assert shop.accepted(auth=(key, ""))
    shop.platform.sources.revoke("web", key[-4:])
    assert shop.post(auth=(key, "")).status_code == 401


# -- bodies ---------------------------------------------------------------------------------------------------------


def packed(kind: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"batch": [CALL]}).encode()
    return {
        "plain": (body, {}),
        "text": (body, {"content-type": "text/plain"}),
        "form": (body, {"content-type": "application/x-www-form-urlencoded"}),
        "gzip": (gzip.compress(body), {"content-encoding": "gzip"}),
        "gzip by magic": (gzip.compress(body), {}),
        "gzip told, not done": (body, {"content-encoding": "gzip"}),
        "gzip of two members": (gzip.compress(body[:20]) + gzip.compress(body[20:]), {}),
        "deflate": (zlib.compress(body), {"content-encoding": "deflate"}),
        "spaces": (b" \n" + body + b"\r\n", {}),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        "text",
        "form",
        "gzip",
        "gzip by magic",
        "gzip told, not done",
        "gzip of two members",
        "deflate",
        "spaces",
    ],
)
def test_body_is_read_whatever_the_headers_say(shop: Shop, kind: str) -> None:
    body, headers = packed(kind)
    (item,) = shop.accepted(body=body, headers=headers)
    assert item.event is not None


UNREADABLE = {
    "nothing": b"",
    "blanks": b"  ",
    "broken off": b'{"batch":[{"type":"track"}',
    "two documents": b"{}{}",
    "words": b"hello",
    "binary": bytes(range(256)),
    "gzip broken off": gzip.compress(json.dumps({"batch": [CALL] * 50}).encode())[:-9],
    "gzip damaged": gzip.compress(b"{}")[:10] + b"\xff" * 20,
    "gzip of words": gzip.compress(b"hello"),
    "zstd damaged": b"\x28\xb5\x2f\xfd\xff\xff",
    "deep and open": b"[" * 50_000,
}


@pytest.mark.parametrize("body", list(UNREADABLE.values()), ids=list(UNREADABLE))
def test_unreadable_body_is_400_with_a_code(shop: Shop, body: bytes) -> None:
    before = shop.platform.log.end()
    answer = shop.post(body=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "unreadable"
    assert answer.json()["message"]
    assert shop.platform.log.end() == before


@pytest.mark.parametrize(
    "bad",
    [b"5", b"{}", b'{"v":NaN}', b'{"v":"\\ud83d"}', b'{"v":"\xff"}', b"[" * 5_000 + b"]" * 5_000, b'{"v":1e999}'],
)
def test_one_bad_event_of_five_spoils_only_itself(shop: Shop, bad: bytes) -> None:
    good = json.dumps(CALL).encode()
    items = shop.accepted(body=b'{"batch":[%s,%s,%s,%s,%s]}' % (good, good, bad, good, good))
    assert [item.event is not None for item in items] == [True, True, False, True, True]
    assert items[2].reasons


def test_batch_may_be_empty_or_no_list(shop: Shop) -> None:
    assert shop.accepted(body={"batch": []}) == []
    (item,) = shop.accepted(body={"batch": 5})
    assert item.reasons


@pytest.mark.parametrize(
    "body", [b"x" * (REQUEST_BYTES_MAX + 1), gzip.compress(b" " * 50_000_000, mtime=0)], ids=["plain", "bomb"]
)
def test_too_large_is_413(shop: Shop, body: bytes) -> None:
    answer = shop.post(body=body)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


def test_too_large_in_pieces_is_413(shop: Shop) -> None:
    answer = shop.client.post("/v1/batch", content=iter([b"x" * 10_000] * 20), auth=(shop.key, ""))
    assert answer.status_code == 413


def test_absurd_length_is_refused_before_it_comes(shop: Shop) -> None:
    head = f"POST /v1/batch HTTP/1.1\r\nhost: x\r\nauthorization: {basic(shop.key)}\r\n"
    answer = shop.raw(f"{head}content-length: 99999999999\r\n\r\n{{".encode())
    assert not answer or b" 413 " in answer
    assert shop.accepted()


def test_pieces_are_put_together(shop: Shop) -> None:
    body = json.dumps({"batch": [CALL]}).encode()
    answer = shop.client.post(
        "/v1/batch", content=(body[at : at + 7] for at in range(0, len(body), 7)), auth=(shop.key, "")
    )
    assert answer.content == b'{"success":true}'


def test_too_many_events_are_413(shop: Shop) -> None:
    answer = shop.post(body={"batch": [1] * 1_001})
    assert answer.status_code == 413
    assert "at most 1000 events" in answer.json()["message"]


def test_slow_body_is_asked_for_again(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS_MAX", 0.05)
    platform = SmallPlatform(tmp_path)
    with serving(platform) as url:
        parts = urlsplit(url)
        assert parts.hostname
        with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
            connection.sendall(b"POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
            answer = connection.recv(65_536)
    assert b" 503 " in answer
    assert b"retry-after: 1" in answer.lower()
    platform.close()


def test_client_that_goes_away_leaves_nothing(shop: Shop) -> None:
    before = shop.platform.log.end()
    head = f"POST /v1/batch HTTP/1.1\r\nhost: x\r\nauthorization: {basic(shop.key)}\r\n"
    shop.raw(f"{head}content-length: 100\r\n\r\n{{".encode())
    assert shop.accepted()
    assert shop.platform.log.end() == before + 1


# -- pages of other origins -----------------------------------------------------------------------------------------


def test_preflight_allows_what_is_asked_for(shop: Shop) -> None:
    asked = "authorization, content-type, x-retry-count, anonymousid, sentat"
    answer = shop.client.options(
        "/v1/batch",
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": asked,
            "access-control-request-private-network": "true",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-headers"] == asked
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-max-age"]
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_answers_can_be_read_by_pages_errors_too(shop: Shop) -> None:
    headers = {"origin": "https://shop.example"}
    for answer in (
        shop.post(headers=headers),
        shop.post(body=b"{", headers=headers),
        shop.post(auth=None, headers=headers),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in shop.post().headers
    assert "access-control-allow-origin" not in shop.client.get("/health/live", headers=headers).headers


# -- what browser SDKs ask ------------------------------------------------------------------------------------------


def test_segment_settings_lead_back_here(shop: Shop) -> None:
    answer = shop.client.get(f"/v1/projects/{shop.key}/settings", headers={"origin": "http://shop.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://shop.example"
    settings = answer.json()
    host = urlsplit(shop.url).netloc
    assert list(settings["integrations"]) == ["Segment.io"]
    told = settings["integrations"]["Segment.io"]
    assert (told["apiKey"], told["apiHost"], told["protocol"]) == (shop.key, f"{host}/v1", "http")
    assert settings["metrics"]["sampleRate"] == 0
    assert shop.client.get("/v1/projects/nobody/settings").status_code == 401


@pytest.mark.parametrize("prefix", ["", "/cfg"])
def test_rudder_configuration(shop: Shop, prefix: str) -> None:
    by_query = shop.client.get(f"{prefix}/sourceConfig/?p=npm&v=3.34.1&writeKey={shop.key}")
    by_header = shop.client.get(f"{prefix}/sourceConfig/", headers={"authorization": basic(shop.key)})
    for answer in (by_query, by_header):
        source = answer.json()["source"]
        assert (source["id"], source["enabled"], source["destinations"]) == ("web", True, [])
        assert source["config"]["statsCollection"]["errors"]["enabled"] is False
    assert shop.client.get(f"{prefix}/sourceConfig/?writeKey=nobody").status_code == 401
    assert shop.client.head(f"{prefix}/sourceConfig/?view=ad").status_code == 200


def test_host_that_is_none_is_not_repeated(shop: Shop) -> None:
    request = f'GET /v1/projects/{shop.key}/settings HTTP/1.1\r\nhost: a"b<c\r\nconnection: close\r\n\r\n'
    answer = shop.raw(request.encode())
    assert b" 200 " in answer
    assert b"<c" not in answer


# -- the disk -------------------------------------------------------------------------------------------------------


def test_busy_disk_is_503_with_retry_after_and_recovers(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    works = platform.log.append

    def broken(_records: Any) -> int:
        raise StorageBroken("disk full")

    with serving(platform) as url, http_client(url) as client:
        platform.log.append = broken  # type: ignore[method-assign]
        answer = client.post("/v1/track", json=CALL, auth=(platform.key, ""))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] == "busy"
        assert client.get("/health/ready").status_code == 503
        assert platform.log.end() == 0
        platform.log.append = works  # type: ignore[method-assign]
        assert client.post("/v1/track", json=CALL, auth=(platform.key, "")).status_code == 200
        assert client.get("/health/ready").status_code == 200
    platform.close()


def test_fault_of_our_own_is_500_with_a_code(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    platform = SmallPlatform(tmp_path)

    def surprised(_key: str) -> None:
        raise RuntimeError("surprise")

    with serving(platform) as url, http_client(url) as client:
        platform.sources.authenticate = surprised  # type: ignore[assignment]
        answer = client.post("/v1/track", json=CALL, auth=(platform.key, ""), headers={"origin": "http://x"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert answer.headers["access-control-allow-origin"] == "http://x"
    assert "surprise" in caplog.text
    platform.close()


def test_backlog_is_429_with_retry_after(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path, backlog_bytes_max=1_000)
    platform.lag_bytes = 1_001
    with serving(platform) as url, http_client(url) as client:
        answer = client.post("/v1/track", json=CALL, auth=(platform.key, ""))
        assert answer.status_code == 429
        assert answer.json()["code"] == "overloaded"
        assert int(answer.headers["retry-after"]) > 0
    platform.close()


def test_source_of_another_channel_reaches_the_events(tmp_path: Path) -> None:
    platform = SmallPlatform(tmp_path)
    key = platform.sources.add(Source("till-1", "store", user_id_kind="pos_customer"))
    with serving(platform) as url, http_client(url) as client:
        assert client.post("/v1/track", json=CALL, auth=(key, "")).status_code == 200
    (item,) = platform.items()
    assert item.event is not None
    assert (item.event.source, item.event.channel) == ("till-1", "store")
    assert item.event.identifiers == (("pos_customer", "u1"),)
    platform.close()
