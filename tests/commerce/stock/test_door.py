"""Stock over HTTP: holds in the event loop, and the feed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cauce.app import Platform
from cauce.client import Client
from cauce.commerce.stock.api import Entry
from cauce.commerce.stock.keeping import Receive, Sell
from cauce.errors import Ended, Shortage
from cauce.settings import Settings
from tests.http.serving import serving
from tests.running import http_client

HOLD = {"lines": [{"sku": "A", "place": "S1", "amount": 2_000}]}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("stock")
    settings = Settings({"data": str(folder / "data"), "streams_max": 3, "token_streams_max": 2})
    with Platform.open(settings) as found:
        found.commerce.do(Receive(lines=(Entry("A", "S1", 10_000), Entry("B", "S1", 1_000), Entry("C", "S1", 1_000))))
        yield found


@pytest.fixture(scope="module")
def url(platform: Platform) -> Iterator[str]:
    with serving(platform) as found:
        yield found


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    scopes = ["commerce.read", "commerce.serve", "commerce.write"]
    return platform.access.tokens.add("desk", scopes, by="tests").secret


@pytest.fixture
def http(url: str, token: str) -> Iterator[httpx.Client]:
    with http_client(url, headers={"authorization": f"Bearer {token}"}, timeout=30) as found:
        yield found


def test_a_hold_is_answered_alike_on_both_ways(http: httpx.Client) -> None:
    quick = http.post("/v1/stock/holds", json=HOLD)
    long = http.post("/v1/stock/holds?", json=HOLD, headers={"cookie": "a=b"})
    for answer in (quick, long):
        assert answer.status_code == 200, answer.text
        assert answer.json().keys() == {"id", "state", "due", "lines"}
        assert http.post(f"/v1/stock/holds/{answer.json()['id']}/release").status_code == 200
    assert {name for name in quick.headers if name != "date"} == {name for name in long.headers if name != "date"}


def test_the_same_key_is_the_same_hold_and_other_content_a_conflict(http: httpx.Client) -> None:
    key = {"idempotency-key": "basket-17"}
    first, again = (http.post("/v1/stock/holds", json=HOLD, headers=key).json() for _ in range(2))
    assert first == again
    other = http.post("/v1/stock/holds", json={**HOLD, "seconds": 5}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    http.post(f"/v1/stock/holds/{first['id']}/release")


@pytest.mark.parametrize("cookie", [{}, {"cookie": "a=b"}])
@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 400, "expected a JSON body, got none"),
        (b"{", 400, "the body is no JSON"),
        (b"[]", 400, "expected the body to be"),
        (b'{"lines": []}', 400, "lines"),
        (b'{"line": []}', 400, "there is no member"),
        (b'{"lines": [{"sku": "A", "place": "S1", "amount": 0}]}', 400, "lines.0.amount"),
        (b'{"lines": [{"sku": "A", "place": "S1", "amount": 99000}]}', 409, "99000 thousandths of A at S1"),
    ],
)
def test_what_does_not_fit_is_refused_alike_on_both_ways(
    http: httpx.Client, cookie: dict[str, str], content: bytes, status: int, said: str
) -> None:
    answer = http.post("/v1/stock/holds", content=content, headers=cookie)
    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_a_shortage_tells_what_can_be_had(http: httpx.Client, url: str, token: str) -> None:
    lines = [{"sku": "B", "place": "S1", "amount": 3_000}]
    about = http.post("/v1/stock/holds", json={"lines": lines}).json()["details"]["about"]
    assert about == {"lines": [{"sku": "B", "place": "S1", "wanted": 3_000, "available": 1_000}]}
    with Client(url, token) as client, pytest.raises(Shortage) as refused:
        client.stock.hold(lines)
    assert refused.value.details == about


def test_only_an_open_hold_is_confirmed(url: str, token: str) -> None:
    with Client(url, token) as client:
        held = client.stock.hold(HOLD["lines"])
        assert client.stock.confirm(held.id).state == "confirmed"
        with pytest.raises(Ended):
            client.stock.release(held.id)
        assert client.stock.get_hold(held.id).state == "confirmed"


def test_nobody_holds_without_a_token_or_the_right(platform: Platform, url: str) -> None:
    reader = platform.access.tokens.add("reader", ["commerce.read"], by="tests").secret
    for secret, status in (("", 401), ("nobody", 401), (reader, 403)):
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        assert httpx.post(f"{url}/v1/stock/holds", json=HOLD, headers=headers).status_code == status


def test_the_feed_tells_the_whole_and_then_what_changes(platform: Platform, http: httpx.Client) -> None:
    with http.stream("GET", "/v1/stock/feed") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = told(answer)
        name, cursor, levels = next(events)
        assert (name, {level["sku"] for level in levels}) == ("levels", {"A", "B", "C"})
        assert next(events)[0] == "whole"
        platform.commerce.do(Sell(lines=(Entry("C", "S1", 1_000),)))
        name, cursor, levels = next(events)
        assert [(level["sku"], level["available"], level["state"]) for level in levels] == [("C", 0, "out")]
    platform.commerce.do(Receive(lines=(Entry("C", "S1", 4_000),)))
    with http.stream("GET", "/v1/stock/feed", headers={"last-event-id": cursor}) as answer:
        _, _, levels = next(told(answer))
        assert [(level["sku"], level["available"]) for level in levels] == [("C", 4_000)]


def told(answer: httpx.Response) -> Iterator[tuple[str, str, list[dict[str, object]]]]:
    """The events of a stream: name, id, data."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])["levels"]
            fields = {}


def test_a_cursor_that_no_feed_gave_out_is_refused(http: httpx.Client) -> None:
    for cursor in ("x", "1-", "-1", "1" * 40):
        answer = http.get("/v1/stock/feed", headers={"last-event-id": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")


def test_so_many_streams_and_no_more_and_each_ends_for_the_next(platform: Platform, url: str) -> None:
    tokens = [platform.access.tokens.add(f"app-{number}", ["commerce.read"], by="tests").secret for number in range(3)]
    with contextlib.ExitStack() as opened:

        def follow(token: str, seconds: int = 60) -> httpx.Response:
            client = opened.enter_context(http_client(url, headers={"authorization": f"Bearer {token}"}))
            return opened.enter_context(client.stream("GET", "/v1/stock/feed", params={"seconds": seconds}, timeout=30))

        first, second = follow(tokens[0]), follow(tokens[0], seconds=1)
        assert [first.status_code, second.status_code] == [200, 200]
        refused(follow(tokens[0]), "this token follows 2 streams")
        assert follow(tokens[1]).status_code == 200
        refused(follow(tokens[2]), "3 streams are open")
        second.read()  # until it ends by itself
        assert follow(tokens[2]).status_code == 200
        refused(follow(tokens[1]), "3 streams are open")
        first.close()
        assert any(follow(tokens[1]).status_code == 200 for _ in range(200)), "who hangs up makes room"


def refused(answer: httpx.Response, why: str) -> None:
    fault = json.loads(answer.read())
    assert (answer.status_code, fault["code"], answer.headers["retry-after"]) == (503, "busy", "5")
    assert why in fault["message"]
