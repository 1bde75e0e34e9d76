"""`GET /v1/people/…` of a real server over a real installation."""

from __future__ import annotations

import logging
from urllib.parse import quote

import httpx
import msgspec
import pytest

from cauce.app import Platform
from cauce.http.api.people import page_of
from cauce.identity.api import text_of
from cauce.model import Event
from cauce.profiles.api import TimelineEvent, TimelinePage
from tests.http.installation import ANA, ODD, make
from tests.http.serving import serving
from tests.running import http_client


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "data"
    key = make(folder)
    with Platform.open(folder) as opened:
        opened.access_key = key
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with (
        serving(platform) as url,
        http_client(url, headers={"authorization": f"Bearer {platform.access_key}"}) as client,
    ):
        yield client


def answer(client, path, **parameters):
    found = client.get(f"/v1/people/{path}", params=parameters)
    assert found.status_code == 200, found.text
    assert found.headers["cache-control"] == "no-store"
    return found.json()


def test_a_person_is_all_that_is_known(client):
    found = answer(client, ANA)
    assert found["id"].startswith("p_")
    assert {f"{one['kind']}:{one['value']}" for one in found["identifiers"]} >= {ANA, "user_id:u-ana"}
    assert found["traits"]["phone"]["value"] == "+34698765432"
    assert [other["value"] for other in found["traits"]["phone"]["others"]] == ["+34612345678"]
    assert found["traits"]["phone"]["identifier"] in {f"{one['kind']}:{one['value']}" for one in found["identifiers"]}
    assert found["computed"]["revenue_total"] == 1234.5
    assert found["channels"] == {"crm": 2, "store": 1, "web": 3}
    assert found["events"] == 6
    assert found["first_seen"] == "2026-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("traits", {"id", "traits", "computed"}),
        ("identifiers", {"id", "identifiers"}),
        ("timeline", {"id", "events", "cursor"}),
        ("consents", {"id", "consents"}),
    ],
)
def test_parts_say_the_same_as_the_whole(client, part, keys):
    whole = answer(client, ANA)
    found = answer(client, f"{ANA}/{part}")
    assert found.keys() == keys
    for name in (keys & whole.keys()) - {"events"}:
        assert found[name] == whole[name]


def test_a_consent_says_who_decided_it(client):
    (consent,) = answer(client, f"{ANA}/consents")["consents"]
    assert (consent["purpose"], consent["channel"], consent["granted"]) == ("marketing", "email", True)
    assert consent["decided_by"]["source"] == "crm"


def test_the_timeline_goes_on_by_cursor(client):
    seen, cursor = [], ""
    while True:
        page = answer(client, f"{ANA}/timeline", limit=2, cursor=cursor)
        seen += [event["occurred"] for event in page["events"]]
        cursor = page["cursor"]
        if not cursor:
            break
        assert len(page["events"]) == 2
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 6


def test_the_timeline_can_be_filtered(client):
    assert {event["channel"] for event in answer(client, f"{ANA}/timeline", channel="store")["events"]} == {"store"}
    named = client.get(f"/v1/people/{ANA}/timeline?event=Store+Visited&event=Order%20Completed").json()["events"]
    assert [event["name"] for event in named] == ["Store Visited", "Order Completed"]


def test_the_timeline_names_the_shared_device_that_lent_an_event():
    event = Event("m1", "kiosk", "store", "track", "Shown", 0, 0, 1)
    own, lent = TimelineEvent(1, event), TimelineEvent(1, event, "device_id:tablet-12")
    described = msgspec.to_builtins(page_of(1, TimelinePage((own, lent), "")))["events"]
    assert "device" not in described[0]
    assert described[1] == {**described[0], "device": "device_id:tablet-12"}


def test_values_may_hold_any_character(client):
    for written in (quote(f"user_id:{ODD}", safe=""), quote(f"user_id:{ODD}", safe="/:+")):
        for part in ("", "/timeline"):
            assert answer(client, written + part)["id"] == answer(client, "anonymous_id:odd")["id"]


def test_a_slash_of_the_value_is_not_a_part(client):
    whole = answer(client, "user_id:x%2Ftraits")
    assert "identifiers" in whole
    assert answer(client, "user_id:x%2Ftraits/identifiers")["id"] == whole["id"]
    assert client.get("/v1/people/user_id:x/traits").status_code == 404


def test_ids_lead_to_the_person_merged_ones_too(client, platform):
    person = answer(client, ANA)["id"]
    assert answer(client, person)["id"] == person
    for member in platform.people.locate(ANA).identifiers:
        assert answer(client, text_of(member.id))["id"] == person


@pytest.mark.parametrize("key", ["email:nobody@tienda.es", "p_0000000000001", "nokind", "", "x:%FF", "a" * 3_000])
def test_nobody_is_404(client, key):
    found = client.get(f"/v1/people/{key}")
    assert found.status_code == 404
    assert found.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "query",
    [
        "limit=none", "limit=0", "limit=1001", "limit=%C2%B2", "limit=-1", "cursor=%21", "cursor=abc",
        "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTksMQ",
    ],
)  # fmt: skip
def test_wrong_parameters_of_the_timeline_are_400(client, query):
    found = client.get(f"/v1/people/{ANA}/timeline?{query}")
    assert found.status_code == 400
    assert found.json().keys() == {"code", "message", "details"}
    assert "expected" in found.json()["message"]


def test_as_of_is_what_was_known_then(client):
    assert answer(client, ANA, as_of="2999-01-01")["traits"].keys() >= {"email", "lastName"}
    # The plus sign of a zone is often sent as it is, and then means a blank.
    assert client.get(f"/v1/people/{ANA}?as_of=2999-01-01T10:00:00+01:00").status_code == 200
    assert client.get(f"/v1/people/{ANA}?as_of=2020-01-01").status_code == 404
    wrong = client.get(f"/v1/people/{ANA}?as_of=yesterday")
    assert (wrong.status_code, "ISO" in wrong.json()["message"]) == (400, True)


def test_only_access_keys_read(client, platform):
    write_key = platform.sources.rotate("web")
    for headers in ({}, {"authorization": f"Bearer {write_key}"}, {"authorization": "Bearer"}, {"authorization": "x"}):
        found = httpx.get(f"{client.base_url}/v1/people/{ANA}", headers=headers)
        assert found.status_code == 401
        assert found.json()["code"] == "unauthorised"
        assert "bearer" in found.headers["www-authenticate"].lower()
    assert httpx.get(f"{client.base_url}/v1/people/{ANA}", auth=(write_key, "")).status_code == 401


def test_a_revoked_key_reads_no_more(client, platform):
    key = platform.access.tokens.add("leaver", ["people.read", "people.personal"]).secret
    headers = {"authorization": f"Bearer {key}"}
    assert httpx.get(f"{client.base_url}/v1/people/{ANA}", headers=headers).status_code == 200
    platform.access.tokens.revoke("leaver")
    assert httpx.get(f"{client.base_url}/v1/people/{ANA}", headers=headers).status_code == 401


def test_refusals_leave_no_trace_of_a_person(client, caplog):
    with caplog.at_level(logging.DEBUG):
        client.get("/v1/people/email:secret@tienda.es")
        client.get(f"/v1/people/{ANA}/timeline?limit=none")
    spoken = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in spoken if "tienda.es" in line]
