"""What a poll fetches is what webhooks would have told: nothing is missing, nothing is doubled."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from cauce.connectors import shopify, square, stripe, woocommerce
from cauce.connectors.polling import ATTEMPTS_MAX, OVERLAP, Api, poll
from cauce.connectors.webhooks import Delivery, framed
from cauce.errors import Busy, NotFound, Unauthorised, Unreadable
from cauce.model import DAY, HOUR, Source, from_iso, to_iso
from cauce.settings import Settings
from tests.connectors.shops import CREDENTIAL, FakeShop, Reply, ShopifyShop, SquareShop, StripeShop, WooShop

pytestmark = pytest.mark.soak

NOW = from_iso("2026-11-21T12:00:00Z")
SECONDS = NOW // 1_000_000


def ago(hours: float) -> str:
    return to_iso(NOW - int(hours * HOUR))


def shopify_order(number: int, hours: float, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "email": f"person{number}@tienda.es", "currency": "EUR", "total_price": "27.50",
        "created_at": ago(hours), "updated_at": ago(hours), "line_items": [], "source_name": "web", **more,
    }  # fmt: skip


def woo_order(number: int, hours: float, **more: Any) -> dict[str, Any]:
    moment = ago(hours).removesuffix("Z")
    return {
        "id": number, "status": "processing", "currency": "EUR", "total": "27.50", "customer_id": number,
        "date_created_gmt": moment, "date_modified_gmt": moment, "line_items": [],
        "billing": {"email": f"person{number}@tienda.es"}, **more,
    }  # fmt: skip


def square_payment(number: int, hours: float) -> dict[str, Any]:
    return {
        "id": f"P{number}", "status": "COMPLETED", "created_at": ago(hours), "updated_at": ago(hours),
        "total_money": {"amount": 2_750, "currency": "EUR"},
        "customer_id": f"C{number}", "location_id": f"L{number % 2}",
    }  # fmt: skip


def square_event(type_: str, held: dict[str, Any]) -> bytes:
    kind = type_.partition(".")[0]
    data = {"type": kind, "id": held["id"], "object": {kind: held}}
    return json.dumps({"type": type_, "event_id": "e1", "created_at": ago(0), "data": data}).encode()


def square_order(number: int, hours: float) -> dict[str, Any]:
    return {
        "id": f"O{number}", "location_id": f"L{number}", "state": "COMPLETED", "customer_id": f"C{number}",
        "created_at": ago(hours), "closed_at": ago(hours), "updated_at": ago(hours),
        "total_money": {"amount": 2_750, "currency": "EUR"},
    }  # fmt: skip


def stripe_event(number: int, hours: float) -> dict[str, Any]:
    held = {"object": "payment_intent", "id": f"pi_{number}", "amount": 2_750, "currency": "eur", "customer": "cus_1"}
    created = SECONDS - int(hours * 3_600)
    return {"id": f"evt_{number}", "type": "payment_intent.succeeded", "created": created, "data": {"object": held}}


class Bench:
    """A platform with one source that is connected to a shop."""

    def __init__(self, platform: Platform, module: ModuleType, url: str, secret: str = CREDENTIAL) -> None:
        self.platform, self.module = platform, module
        self.waits: list[float] = []
        self.connections = platform.sources.connections
        platform.sources.add(Source("shop", "web"))
        self.connections.connect("shop", module.NAME, api_url=url)
        self.connections.add_secret("shop", module.NAME, secret, purpose="api")

    def poll(self, **options: Any) -> Any:
        options = {"now": NOW, "sleep": self.waits.append, **options}
        report = poll(self.platform, self.connections, self.module, "shop", **options)
        self.platform.drain()
        return report

    def webhook(self, body: bytes, **headers: str) -> None:
        told = {name.encode(): value.encode() for name, value in headers.items()}
        facts = self.module.facts(Delivery(told, body, "", NOW))
        self.platform.append("shop", self.module.NAME, [framed(facts)])
        self.platform.drain()

    def names(self) -> list[str]:
        found = [stored.event for page in self.platform.archive.scan() for stored in page]
        return sorted(event.name for event in found if event.source == "shop")

    def counts(self) -> dict[str, int]:
        (row,) = [row for row in self.platform.quality.counts("source") if row["source"] == "shop"]
        return {fate: row[fate] for fate in ("stored", "duplicate", "quarantined") if row[fate]}


@pytest.fixture
def platform(tmp_path: Path) -> Any:
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as opened:
        yield opened


def test_shopify_pages_waits_and_finds_everything_once(platform: Platform) -> None:
    refunds = [
        {"id": 90, "created_at": ago(1), "transactions": [{"amount": "5.00", "kind": "refund", "status": "success"}]}
    ]
    paid = {"financial_status": "partially_refunded", "refunds": refunds}
    orders = [shopify_order(number, 30 - number) for number in range(1, 5)]
    orders += [shopify_order(5, 3, **paid), shopify_order(6, 2, cancelled_at=ago(2))]
    shop = ShopifyShop(orders)
    shop.resources["customers"] = [{"id": 1, "email": "person1@tienda.es", "updated_at": ago(1)}]
    shop.resources["products"] = [{"id": 2, "title": "Jacket", "updated_at": ago(1)}]
    with shop.serving() as url:
        bench = Bench(platform, shopify, url)
        report = bench.poll()
        assert (report.pages, report.facts) == (5, 6 * 2 + 1 + 1 + 1 + 2)
        assert bench.waits
        assert set(bench.waits) == {2.0}, "as long as the shop said"
        assert bench.names() == sorted(
            ["Order Completed"] * 6 + ["Order Updated"] * 6
            + ["Payment Taken", "Order Refunded", "Order Cancelled", "Product Changed", ""]
        )  # fmt: skip
        before = bench.counts()
        assert set(before) == {"stored"}
        bench.poll(since=NOW - 30 * DAY)
        assert bench.counts() == {**before, "duplicate": before["stored"]}


def test_what_came_by_webhook_is_a_duplicate_and_what_did_not_is_found(platform: Platform) -> None:

    orders = [shopify_order(1, 3), shopify_order(2, 2)]
    with ShopifyShop(orders).serving() as url:
        bench = Bench(platform, shopify, url)
        for topic in ("orders/create", "orders/updated"):
            bench.webhook(json.dumps(orders[0]).encode(), **{"x-shopify-topic": topic})
        bench.poll()
        assert bench.counts() == {"stored": 4, "duplicate": 2}


def test_woocommerce_goes_on_by_time_so_that_nothing_slips_between_pages(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(woocommerce, "PAGE_ITEMS", 2)
    orders = [woo_order(number, 10 - number) for number in range(1, 6)]
    orders += [woo_order(number, 1) for number in range(6, 11)]  # five in one second

    class Moving(WooShop):
        def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
            reply = super().answer(path, query, body, headers)
            if len(self.asked) == 1:
                orders[0]["date_modified_gmt"] = ago(0.5).removesuffix("Z")  # the pages move up by one
            return reply

    with Moving(orders).serving() as url:
        bench = Bench(platform, woocommerce, url)
        bench.poll()
        placed = [name for name in bench.names() if name == "Order Completed"]
        assert len(placed) == 10
        assert "quarantined" not in bench.counts()


def test_square_fetches_payments_and_whole_orders_of_every_place_and_customers(platform: Platform) -> None:
    payments = [square_payment(number, 9 - number) for number in range(5)]
    payments.append({**square_payment(7, 1), "status": "APPROVED"})
    customers = [{"id": f"C{number}", "given_name": "Ana", "updated_at": ago(1)} for number in range(3)]
    shop = SquareShop(payments, [square_order(number, 1) for number in range(12)], customers)
    with shop.serving() as url:
        bench = Bench(platform, square, url)
        bench.webhook(square_event("payment.updated", payments[0]))
        bench.webhook(square_event("customer.updated", customers[0]))
        bench.poll()
        names = bench.names()
        assert (names.count("Payment Taken"), names.count("Receipt Issued"), names.count("")) == (5, 12, 3)
        assert bench.counts()["duplicate"] == 2
        assert bench.module.API_URL.startswith("https://")


def test_stripe_fetches_the_same_events_by_their_own_ids(platform: Platform) -> None:
    found = [stripe_event(number, 10 - number) for number in range(7)]
    with StripeShop(found).serving() as url:
        bench = Bench(platform, stripe, url)
        bench.webhook(json.dumps(found[3]).encode())
        bench.poll()
        assert bench.names() == ["Payment Taken"] * 7
        assert bench.counts() == {"stored": 7, "duplicate": 1}


def test_the_next_poll_begins_a_little_before_where_the_last_one_began(platform: Platform) -> None:
    with ShopifyShop([]).serving() as url:
        bench = Bench(platform, shopify, url)
        assert bench.poll().since == NOW - 30 * DAY
        assert bench.poll(now=NOW + DAY).since == NOW - OVERLAP
        assert bench.connections.connection("shop", "shopify").reconciled == NOW + DAY


def test_a_poll_that_fails_begins_again_where_it_did(platform: Platform) -> None:
    class Breaking(ShopifyShop):
        def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
            return (200, {}, b"<html>") if "customers" in path else super().answer(path, query, body, headers)

    with Breaking([shopify_order(1, 3)], busy_every=0).serving() as url:
        bench = Bench(platform, shopify, url)
        with pytest.raises(Unreadable, match="no JSON"):
            bench.poll()
        platform.drain()
        assert "Order Completed" in bench.names()
        assert bench.connections.connection("shop", "shopify").reconciled == 0


def test_a_wrong_credential_is_said_without_it(platform: Platform) -> None:
    with ShopifyShop([], busy_every=0).serving() as url:
        bench = Bench(platform, shopify, url, secret="another-credential-0123")
        with pytest.raises(Unauthorised) as fault:
            bench.poll()
        assert "another-credential" not in str(fault.value)


def test_without_a_credential_or_an_address_it_is_said_how_to_give_one(platform: Platform) -> None:
    platform.sources.add(Source("shop", "web"))
    connections = platform.sources.connections
    with pytest.raises(Unreadable, match="--api-url"):
        poll(platform, connections, shopify, "shop", now=NOW)
    with pytest.raises(NotFound, match="--purpose api"):
        poll(platform, connections, stripe, "shop", now=NOW)
    with pytest.raises(NotFound, match="no source"):
        poll(platform, connections, stripe, "shap", now=NOW)


class Always(FakeShop):
    def __init__(self, reply: Reply) -> None:
        super().__init__(busy_every=0)
        self._reply = reply

    def answer(self, path: str, query: dict[str, str], body: Any, headers: dict[str, str]) -> Reply:
        return self._reply


@pytest.mark.parametrize(
    ("status", "after", "asked"), [(429, "1", ATTEMPTS_MAX), (503, "", ATTEMPTS_MAX), (429, "9999", 1)]
)
def test_patience_with_a_busy_shop_ends(status: int, after: str, asked: int) -> None:
    waits: list[float] = []
    shop = Always((status, {"Retry-After": after} if after else {}, {}))
    with shop.serving() as url, Api(url, CREDENTIAL, sleep=waits.append) as api, pytest.raises(Busy):
        api.get("/orders")
    assert len(shop.asked) == asked
    assert waits == ([1.0] * (asked - 1) if after == "1" else [2.0**number for number in range(asked - 1)])


def test_a_shop_that_is_gone_is_said() -> None:
    with Always((200, {}, {})).serving() as url:
        pass
    with Api(url, CREDENTIAL, sleep=lambda _seconds: None) as api, pytest.raises(Busy, match="ConnectError"):
        api.get("/orders")


def test_a_credential_never_leaves_for_another_host() -> None:
    with Always((302, {"Location": "https://evil.example/"}, {})).serving() as url, Api(url, CREDENTIAL) as api:
        with pytest.raises(Unreadable, match="302"):
            api.get("/orders")
        for elsewhere in ("https://evil.example/orders", "http://127.0.0.1:1/orders"):
            with pytest.raises(Unreadable, match="another host"):
                api.get(elsewhere)


def test_the_command_says_what_was_missing(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def cauce(*words: str, given: str = "") -> str:
        result = CliRunner().invoke(main, ["--data", str(folder), *words], input=given)
        assert result.exit_code == 0, result.output
        return result.stdout

    with StripeShop([stripe_event(number, number) for number in range(3)], busy_every=0).serving() as url:
        cauce("sources", "add", "shop", "--channel", "web")
        cauce("sources", "connect", "shop", "stripe", "--api-url", url)
        cauce("sources", "secret", "shop", "--for", "stripe", "--purpose", "api", given=CREDENTIAL)
        (found,) = json.loads(cauce("reconcile", "shop", "--since", to_iso(NOW - 30 * DAY), "--json"))
        assert (found["poll"]["facts"], found["fates"]) == (3, {"stored": 3, "duplicate": 0, "quarantined": 0})
        said = cauce("reconcile", "shop", "--since", to_iso(NOW - 30 * DAY))
        assert "0 were missing and are stored now, 3 were there already" in said
        assert "fetched until" in cauce("sources", "show", "shop")
        cauce("sources", "connect", "shop", "shopify", "--api-url", url)
        cauce("sources", "secret", "shop", "--for", "shopify", "--purpose", "api", given=CREDENTIAL)
        assert "stripe" in cauce("reconcile", "--with", "stripe", "--no-wait")
        result = CliRunner().invoke(main, ["--data", str(folder), "reconcile"])
        assert result.exit_code == 1, "one of the two answers what no shop of Shopify would"
        assert "shop, stripe: 0 facts" in result.stdout
        assert "shop, shopify: 127.0.0.1" in result.stdout


def test_the_command_goes_on_every_so_many_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt

    with Platform.open(Settings({"data": str(tmp_path / "data")})) as platform:
        platform.sources.add(Source("shop", "web"))
        platform.sources.connections.add_secret("shop", "stripe", CREDENTIAL, purpose="api")
        with StripeShop([stripe_event(1, 0)], busy_every=0).serving() as url:
            platform.sources.connections.connect("shop", "stripe", api_url=url)
            monkeypatch.setattr("cauce.cli.reconcile.time.sleep", sleep)
            words = ["--data", str(tmp_path / "data"), "reconcile", "--every", "60", "--no-wait"]
            result = CliRunner().invoke(main, words)
    assert waits == [3_600, 3_600]
    assert result.stdout.count("shop, stripe:") == 2
