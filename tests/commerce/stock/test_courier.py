"""Addresses are told what changed, signed, at least once, and never in our own network."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from cauce.app import Platform
from cauce.app.courier import Courier, is_public, post, secret_of
from cauce.commerce.stock import hooks
from cauce.commerce.stock.api import Entry
from cauce.commerce.stock.hooks import AddHook, checked_address
from cauce.commerce.stock.keeping import Receive, Sell
from cauce.commerce.stock.store import HOOKS, Hook
from cauce.errors import DefinitionInvalid, Forbidden
from cauce.settings import Settings
from tests.commerce.stock.desk import Desk


class Shop:
    """A receiver that keeps what it got; it answers `status`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []


@contextmanager
def receiving() -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            shop.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(shop.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        shop = Shop(f"http://127.0.0.1:{server.server_port}/stock")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield shop
        server.shutdown()
        thread.join()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as found:
        yield found


def row(platform: Platform) -> Hook:
    return HOOKS.of(platform.commerce.select(f"select {HOOKS.columns} from {HOOKS.name}")[0])


def test_what_changed_is_told_signed_and_once(platform: Platform) -> None:
    platform.commerce.do(Receive(lines=(Entry("A", "S1", 5_000),)))
    with receiving() as shop:
        platform.commerce.do(AddHook(id="h_1", url=shop.url, salt="x"))
        courier = Courier(platform, allow_private=True)
        assert not courier.deliver(row(platform))
        platform.commerce.do(Sell(lines=(Entry("A", "S1", 2_000),)))
        courier.deliver(row(platform))
        courier.deliver(row(platform))
    webhook = Webhook(secret_of(platform.secret, "h_1", "x"))
    told = [webhook.verify(body, headers) for headers, body in shop.got]
    assert [[level["available"] for level in one["data"]["levels"]] for one in told] == [[5_000], [3_000]]
    assert len({headers["webhook-id"] for headers, _ in shop.got}) == 2


def test_what_was_not_received_is_told_again_under_the_same_id_with_growing_pauses(platform: Platform) -> None:
    platform.commerce.do(Receive(lines=(Entry("A", "S1", 5_000),)))
    with receiving() as shop:
        shop.status = 500
        platform.commerce.do(AddHook(id="h_1", url=shop.url, salt="x"))
        courier = Courier(platform, allow_private=True)
        pauses = []
        for _ in range(3):
            courier.deliver(row(platform))
            pauses.append(round((row(platform).due - platform.commerce.now) / hooks.SECOND))
        assert row(platform).fault == "expected an answer of 200 to 299, got 500"
        shop.status = 200
        courier.deliver(row(platform))
    assert pauses == [5, 10, 20]
    assert len({headers["webhook-id"] for headers, _ in shop.got}) == 1
    assert row(platform).failures == 0


def test_only_changes_and_only_of_a_place(platform: Platform) -> None:
    platform.commerce.do(Receive(lines=(Entry("A", "S1", 5_000),)))
    with receiving() as shop:
        wish = hooks.Wish(place="S2")
        platform.commerce.do(AddHook(id="h_1", url=shop.url, salt="x", wish=wish, only_changes=True))
        platform.commerce.do(Receive(lines=(Entry("A", "S1", 1_000), Entry("A", "S2", 2_000))))
        Courier(platform, allow_private=True).deliver(row(platform))
    levels = [level for _, body in shop.got for level in json.loads(body)["data"]["levels"]]
    assert [(level["place"], level["available"]) for level in levels] == [("S2", 2_000)]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x", "https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.8/x", "https://169.254.169.254/",
        "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/", "https://localhost/x", "http://example.com/",
    ],
)  # fmt: skip
def test_nothing_is_sent_into_our_own_network(url: str) -> None:
    with pytest.raises(Forbidden):
        post(url, b"{}", {}, allow_private=False)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("192.168.1.1", False), ("100.64.0.1", False), ("fd00::1", False),
        ("2002:0a00:0001::", False), ("::ffff:127.0.0.1", False), ("224.0.0.1", False), ("fe80::1%eth0", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("url", ["ftp://a.b/", "https://", "https://u:p@a.b/", "https://a.b:x/", "https://a b/", "x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(DefinitionInvalid):
        checked_address(url)


def test_a_hook_that_nobody_answers_for_days_is_paused_until_it_is_resumed() -> None:
    desk = Desk()
    desk.do(AddHook(id="h_1", url="https://a.example/", salt="x"))
    desk.do(hooks.Undelivered(id="h_1", fault="no"))
    desk.now += (hooks.PATIENCE_SECONDS + 1) * hooks.SECOND
    desk.do(hooks.Undelivered(id="h_1", fault="no"))
    assert hooks.due_hooks(desk.tables, desk.now + 10**15) == []
    assert desk.do(hooks.ResumeHook(id="h_1")).state == hooks.ACTIVE
    assert len(hooks.due_hooks(desk.tables, desk.now)) == 1
