"""`cauce orders` and `cauce baskets`, over a small shop."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.api import Opening
from cauce.commerce.fulfilment.api import DateWaiting
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.supply import Expect
from cauce.settings import Settings
from cauce.testing.world import catalogue, orders

OWNER = "email:ana@tienda.es"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orders") / "data"
    with Platform.open(Settings({"data": str(folder)})) as platform:
        catalogue.furnish(platform)
        orders.furnish(platform, [OWNER], orders=16)
        orders.furnish(platform, [OWNER], orders=16)
    return folder


@pytest.fixture
def run(data, monkeypatch):
    """Runs a command; gives what it prints, as JSON when it is asked for."""
    monkeypatch.setenv("CAUCE_DATA", str(data))

    def carried(*words, code=0):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == code, result.output
        return json.loads(result.output) if "--json" in words else result.output

    return carried


def test_the_demo_has_each_order_once_and_in_many_states(run):
    found = run("orders", "list", "--number", "D-", "--json")
    assert len({head["number"] for head in found}) == len(found) == 16
    assert len({head["state"] for head in found}) >= 4
    assert run("orders", "list", "--person", OWNER, "--number", "D-", "--limit", "3").count("D-00") == 3
    assert "no order matches" in run("orders", "list", "--number", "nothing")


def test_an_order_is_shown_moved_on_given_up_and_brought_back(run):
    found = run("orders", "list", "--number", "D-", "--state", "allocated", "--json")
    number, desk = next(
        (head["number"], head["place"]) for head in found if head["kind"] == "pick_up" and head["confirmed"]
    )
    assert number in run("orders", "show", number)
    for state in ("picked", "ready"):
        assert run("orders", "advance", number, state, "1", "--json")["number"] == number
    assert "against its code" in run("orders", "advance", number, "collected", "1", code=1)
    run("pickups", "hand-over", desk, "--order", number, "--initials", "AR")
    run("orders", "return", number, "S02", "1=1", "--why", "too small")
    shown = run("orders", "show", number, "--json")
    assert shown["order"]["lines"][0]["amounts"]["returned"] == 1_000
    assert shown["history"][-1]["why"] == "too small"
    assert "are to become returned, 1000 can" in run("orders", "return", number, "S02", "1=99", code=1)
    assert "LINE=AMOUNT" in run("orders", "advance", number, "picked", "one", code=1)
    states = {column["state"]: column["count"] for column in run("orders", "board", "--json")}
    assert set(states) == {"placed", "allocated", "picked", "ready", "shipped"}
    assert "allocated" in run("orders", "board")


def test_what_waits_for_its_payment_is_confirmed_or_cancelled(run):
    waiting = [head for head in run("orders", "list", "--number", "D-", "--json") if not head["confirmed"]]
    for head in waiting:
        assert "cancelled" in run("orders", "cancel", head["number"], "--why", "nobody paid")
    number = next(head["number"] for head in run("orders", "list", "--number", "D-", "--state", "placed", "--json"))
    assert run("orders", "confirm", number, "--json")["confirmed"]
    assert "there is no order" in run("orders", "show", "X-1", code=1)


def test_a_basket_is_filled_shown_and_emptied(run):
    run("baskets", "put", "email:eva@tienda.es", "l1", "NEW-1", "--amount", "2.5")
    assert "NEW-1" in run("baskets", "show", "email:eva@tienda.es")
    shown = run("baskets", "show", "email:eva@tienda.es", "--json")
    assert (shown["lines"][0]["amount"], shown["unpriced"]) == (2_500, 1)
    assert "0 lines" in run("baskets", "remove", str(shown["basket"]), "l1")
    assert "nothing lies there" in run("baskets", "show", "email:eva@tienda.es")


def test_an_order_is_placed_by_options_or_by_a_file_and_once_for_a_key(run, tmp_path):
    line = run("orders", "list", "--number", "D-", "--state", "allocated", "--json")[0]
    sku = run("orders", "show", line["number"], "--json")["order"]["lines"][0]["sku"]
    words = ("orders", "place", f"{sku}=2", "--place", "S01", "--person", OWNER, "--backorder", "--key", "k1", "--json")
    made = run(*words)
    assert run(*words) == made
    shown = run("orders", "show", made["number"], "--json")
    assert (shown["order"]["lines"][0]["amount"], shown["order"]["backorder"], shown["slot"]) == (2_000, True, None)
    file = tmp_path / "order.json"
    file.write_text(json.dumps({"lines": [{"sku": sku, "price_minor": 100}], "place": "S01", "backorder": True}))
    assert "F-1: " in run("orders", "place", "--file", str(file), "--number", "F-1")
    assert run("orders", "show", "F-1", "--json")["order"]["head"]["total"] == 100
    file.write_text('{"lines": [{"amount": 1}]}')
    assert "missing required field `sku`" in run("orders", "place", "--file", str(file), code=1)
    file.write_text("no json")
    assert "to be an order as JSON" in run("orders", "place", "--file", str(file), code=1)
    assert "SKU=AMOUNT" in run("orders", "place", f"{sku}=two", code=1)


def test_an_order_ahead_is_placed_with_its_slot_and_shows_it(run, data):
    start = (datetime.now(UTC) + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    hours = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    resource = Resource(id="bay", name="Bay", kind="pickup_bay", zone="UTC", minutes=30, capacity=2, hours=hours)
    with Platform.open(Settings({"data": str(data)})) as platform:
        platform.commerce.do(PutResource(resource=resource))
        platform.commerce.do(Receive(lines=(Entry("AHEAD-1", "S01", 5_000),)))
    file = data.parent / "ahead.json"
    file.write_text(json.dumps({"lines": [{"sku": "AHEAD-1", "price_minor": 100}], "kind": "order_ahead"}))
    made = run(
        "orders", "place", "--file", str(file), "--place", "S01", "--slot", f"bay@{start.isoformat()}", "--json"
    )  # fmt: skip
    assert run("orders", "show", made["number"], "--json")["slot"]["id"] == made["booking"]
    assert f"(booking {made['booking']})" in run("orders", "show", made["number"])


def test_what_waits_is_shown_with_the_time_when_it_is_expected(run, data):
    file = data.parent / "late.json"
    file.write_text(json.dumps({"lines": [{"sku": "LATE-1", "price_minor": 100}], "pays_first": False}))
    made = run("orders", "place", "--file", str(file), "--kind", "pick_up", "--place", "S01", "--backorder", "--json")
    assert "expected" not in run("orders", "show", made["number"])
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    with Platform.open(Settings({"data": str(data)})) as platform:
        platform.commerce.do(Expect(sku="LATE-1", place="S01", amount=1_000, on=day, reference="P1"))
        platform.commerce.do(DateWaiting())
    expected = run("orders", "show", made["number"], "--json")["expected"]["1"]
    assert expected > day
    assert "expected" in run("orders", "show", made["number"])
