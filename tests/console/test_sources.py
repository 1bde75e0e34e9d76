"""Sources in the console: connect, look at what arrives, keep the keys."""

from __future__ import annotations

import json
import re

import pytest

from cauce.app.arrivals import arrivals
from cauce.model import Source

HOSTILE = '<script>alert("x")</script>'


def sent(platform, source, *calls):
    platform.append(source, "tracking", [json.dumps({"batch": list(calls)}).encode()])
    platform.drain()


def call(id, **fields):
    return {"type": "track", "event": "Signed In", "userId": "u-1", "messageId": id, **fields}


def test_a_source_is_added_and_its_key_shown_once(own_seat):
    client = own_seat.client("engineer")
    page = "/sources/new"
    answer = client.send(
        page, page=page, channel="app", name="shop-app", region="mx", user_id_kind="user_id", mode="observe"
    )
    assert answer.status_code == 200
    key = re.search(r'<code id="key">(\w+)</code>', answer.text)[1]
    source = own_seat.platform.sources.authenticate(key)
    assert (source.name, source.channel, source.region, source.mode) == ("shop-app", "app", "MX", "observe")
    assert answer.text.count(key) >= 6, "the snippets hold the key"
    assert "http://console.test" in answer.text
    assert key not in client.page("/sources/shop-app/connect")
    (entry,) = [one for one in own_seat.platform.audit.entries().entries if one.action == "source.added"][:1]
    assert (entry.actor, entry.subject) == ("the-engineer", "shop-app")
    assert key not in str(entry.details)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Shop App", "channel": "app"}, "name"),
        ({"name": "web", "channel": "app"}, "name"),
        ({"name": HOSTILE, "channel": "app"}, "name"),
        ({"name": "x", "channel": "app", "region": "Spain"}, "region"),
        ({"name": "x", "channel": "app", "user_id_kind": "A b"}, "user_id_kind"),
        ({"name": "x", "channel": "other", "other": ""}, "other"),
    ],
)
def test_a_fault_stands_at_its_field_and_what_was_written_stays(seat, fields, field):
    answer = seat.client().send("/sources/new", page="/sources/new", **fields)
    assert answer.status_code == 422
    assert re.search(rf'<input id="f-{field}"[^>]* aria-invalid="true"', answer.text)
    assert HOSTILE not in answer.text
    assert not [source for source in seat.platform.sources.list() if source.name == fields["name"] != "web"]
    spoken = seat.client(language="es").send("/sources/new", page="/sources/new", **fields)
    fault = re.search(rf'id="h-{field}">(.*?)</p>', spoken.text, re.DOTALL)[1]
    assert "expected" not in fault.lower()


def test_another_channel_may_be_written(own_seat):
    client = own_seat.client()
    answer = client.send("/sources/new", page="/sources/new", channel="other", other="marketplace", name="bazaar")
    assert answer.status_code == 200
    assert own_seat.platform.sources.get("bazaar").channel == "marketplace"
    assert "Marketplace" in client.page("/sources")


def test_the_first_event_is_noticed(own_seat):
    platform = own_seat.platform
    platform.sources.add(Source("fresh", "web"), by="tests")
    client = own_seat.client()
    assert "Waiting for the first event" in client.page("/sources/fresh/first")
    assert "Nothing has arrived yet" in client.page("/sources/fresh")
    sent(platform, "fresh", call("m1", event=HOSTILE))
    text = client.page("/sources/fresh/first")
    assert "The first event is here" in text
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text


def test_what_became_of_each(own_seat):
    platform = own_seat.platform
    platform.sources.add(Source("fresh", "web"), by="tests")
    sent(
        platform,
        "fresh",
        call("good"),
        call("good"),
        call("bad", event="Order Completed", properties={"total": "many"}),
        call("nobody", userId=""),
    )
    platform.append("fresh", "tracking", [json.dumps({"batch": [call("late")]}).encode()])
    found = {(one.event_id, one.fate): one for one in arrivals(platform, "fresh").items}
    assert {fate for _, fate in found} == {"stored", "duplicate", "quarantined", "waiting"}
    person = platform.people.locate("user_id:u-1").text
    assert found["good", "stored"].person == person
    assert found["bad", "quarantined"].reasons
    assert found["late", "waiting"].person == ""
    text = own_seat.client().page("/sources/fresh")
    assert f'href="/people/{person}"' in text
    assert f'href="/quarantine/{found["bad", "quarantined"].position}"' in text
    assert "waiting to be processed" in text


def test_the_latest_come_first_and_others_are_left_out(seat):
    found = arrivals(seat.platform, "crm", limit=10)
    assert len(found.items) == 10
    assert [one.position for one in found.items] == sorted((one.position for one in found.items), reverse=True)
    last = max(row["position"] for row in _positions(seat.platform, "crm"))
    assert found.items[0].position == last


def _positions(platform, source):
    return platform.sql(f"select position from events where source = '{source}'").table.to_pylist()


def test_an_unreadable_body_is_shown_as_it_came(own_seat):
    platform = own_seat.platform
    platform.append("web", "tracking", [b"\xff\xfe not json <script>"])
    platform.drain()
    text = own_seat.client().page("/sources/web/events")
    assert "<script>" not in text
    assert "quarantined" in text


def test_a_key_is_made_and_the_old_one_revoked(own_seat):
    platform, client = own_seat.platform, own_seat.client("engineer")
    (old,) = platform.sources.keys("web")
    fresh = client.send("/sources/web/keys", page="/sources/web/settings").text
    key = re.search(r'<code id="key">(\w+)</code>', fresh)[1]
    assert platform.sources.authenticate(key).name == "web"
    answer = client.send("/sources/web/revoke", page="/sources/web/settings", hint=old.hint)
    assert answer.headers["location"] == "/sources/web/settings"
    assert [one.hint for one in platform.sources.keys("web") if one.revoked is None] == [key[-4:]]
    assert client.send("/sources/web/revoke", page="/sources/web/settings", hint="none").status_code == 404


def test_settings_are_changed_and_faults_said(own_seat):
    platform, client = own_seat.platform, own_seat.client("engineer")
    page = "/sources/web/settings"
    good = {
        "region": "pt",
        "user_id_kind": "crm_id",
        "mode": "observe",
        "event_bytes_max": "65536",
        "shared_device": "yes",
    }
    assert client.send(page, page=page, **good).status_code == 303
    source = platform.sources.get("web")
    assert (source.region, source.user_id_kind, source.mode) == ("PT", "crm_id", "observe")
    assert (source.event_bytes_max, source.shared_device, source.channel) == (65_536, True, "web")
    for field, value in (
        ("region", "x"),
        ("user_id_kind", ""),
        ("event_bytes_max", "-1"),
        ("event_bytes_max", "9" * 40),
    ):
        answer = client.send(page, page=page, **{**good, field: value})
        assert answer.status_code == 422
        assert re.search(rf'<input id="f-{field}"[^>]* aria-invalid="true"', answer.text)
    assert client.send(page, page=page, **{**good, "mode": "loud"}).status_code == 422
    assert platform.sources.get("web") == source


def test_a_source_is_switched_off_and_on(own_seat):
    platform, client = own_seat.platform, own_seat.client()
    page = "/sources/web/settings"
    client.send("/sources/web/switch", page=page, enabled="no")
    assert not platform.sources.get("web").enabled
    assert "switched off" in client.page("/sources")
    client.send("/sources/web/switch", page=page, enabled="yes")
    assert platform.sources.get("web").enabled


def test_a_role_that_may_only_look_is_offered_nothing_else(seat):
    text = seat.client("owner").page("/sources/web")
    assert "/sources/web/settings" in text
    for role in ("steward", "analyst", "agent"):
        assert seat.client(role).get("/sources").status_code == 403


def test_an_unknown_source_is_not_there(seat):
    for path in ("", "/events", "/first", "/connect", "/settings"):
        assert seat.client().get(f"/sources/unknown{path}").status_code == 404
