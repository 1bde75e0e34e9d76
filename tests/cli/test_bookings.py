"""`cauce bookings`: what is free is booked, listed, and given up."""

from __future__ import annotations

import json

from click.testing import CliRunner

from cauce.app import Platform
from cauce.cli.main import main
from cauce.commerce.bookings.nouns import Resource
from cauce.commerce.bookings.resources import PutResource
from cauce.commerce.catalogue.nouns import Opening
from cauce.settings import Settings


def test_a_slot_is_booked_listed_and_given_up(tmp_path):
    week = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    with Platform.open(Settings({"data": str(tmp_path)})) as platform:
        platform.commerce.do(PutResource(resource=Resource(id="room", name="Room", hours=week)))

    def call(*words, status=0):
        result = CliRunner().invoke(main, ["--data", str(tmp_path), "bookings", *words])
        assert result.exit_code == status, f"{result.output}{result.exception!r}"
        return result.stdout

    def answer(*words):
        return json.loads(call(*words, "--json"))

    assert [each["id"] for each in answer("resources")] == ["room"]
    first, *_ = answer("slots", "room", "--days", "1")
    assert first["free"] == 1
    words = ("book", "room", first["start"], "--for", "email:ANA@tienda.es", "--key", "k1")
    booked = answer(*words)
    assert (booked["state"], booked["owners"]) == ("confirmed", ["email:ana@tienda.es"])
    assert answer(*words)["id"] == booked["id"]
    assert [each["id"] for each in answer("list", "--day", first["start"][:10], "--resource", "room")] == [booked["id"]]
    assert "confirmed" in call("list", "--day", first["start"][:10])
    assert "Room" in call("slots", "room")
    assert "cancelled" in call("cancel", str(booked["id"]))
    call("slots", "room", "--from", "soon", status=1)


def test_a_request_is_kept_moved_and_attended_and_who_waits_is_offered_the_place(tmp_path):
    week = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
    room = Resource(id="room", name="Room", hours=week, confirms=False)
    with Platform.open(Settings({"data": str(tmp_path)})) as platform:
        platform.commerce.do(PutResource(resource=room))

    def answer(*words, status=0):
        result = CliRunner().invoke(main, ["--data", str(tmp_path), "bookings", *words, "--json"])
        assert result.exit_code == status, f"{result.output}{result.exception!r}"
        return json.loads(result.stdout) if not status else result.output

    *_, first, second = answer("slots", "room", "--days", "2")
    ana, luis = "email:ana@tienda.es", "email:luis@tienda.es"
    booked = answer("book", "room", first["start"], "--for", ana)
    assert booked["state"] == "held"
    assert answer("confirm", str(booked["id"]))["state"] == "confirmed"
    waiting = answer("wait", "room", first["start"], "--for", luis)
    assert [one["id"] for one in answer("waiting", "--resource", "room")] == [waiting["id"]]
    assert answer("move", str(booked["id"]), second["start"])["start"] == second["start"]
    assert [one["state"] for one in answer("itinerary", luis)] == ["offered"]
    assert [one["start"] for one in answer("itinerary", ana)] == [second["start"]]
    again = answer("wait", "room", second["start"], "--for", luis)
    assert answer("leave", str(again["id"]))["state"] == "left"
    assert "nobody has missed it yet" in answer("attend", str(booked["id"]), "--missed", status=1)
    assert answer("attend", str(booked["id"]))["state"] == "attended"
