"""What the operations do, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cauce.http.api.openapi import document as openapi_document
from cauce.http.api.page import curl_of, rendered
from cauce.http.api.table import OPERATIONS, RESOURCES
from tests.http.api.world import DOCUMENT, client_of, copied, token
from tests.running import http_client

pytestmark = pytest.mark.soak

ANA = "email:ana@tienda.es"


@pytest.fixture
def own(world, tmp_path):
    """(platform, client) of a world that one test has for itself."""
    with copied(world, tmp_path / "data") as platform, client_of(platform, "owner") as client:
        yield platform, client


def pages(client, path, **parameters):
    """All items of a list, page by page."""
    cursor, found = "", []
    while True:
        page = client.get(path, params={**parameters, "cursor": cursor})
        assert page.status_code == 200, page.text
        assert len(page.json()["items"]) <= parameters["limit"]
        found.append(page.json()["items"])
        cursor = page.json()["cursor"]
        if not cursor:
            return found


# --- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1/sources", "name"),
        ("/v1/quarantine", "position"),
        ("/v1/contracts", "key"),
        ("/v1/computed-traits", "name"),
        ("/v1/identity/clusters", "person"),
        ("/v1/decisions", "position"),
        ("/v1/tokens", "id"),
        ("/v1/audit", "id"),
    ],
)
def test_a_list_comes_whole_and_each_item_once(client, platform, path, key):
    client.get(f"/v1/people/{ANA}")
    client.get("/v1/people/user_id:u-bad")
    client.post("/v1/sources/web/keys")
    token(platform, "status.read")
    whole = [item[key] for page in pages(client, path, limit=1_000) for item in page]
    parts = pages(client, path, limit=1)
    assert len(parts) > 1
    told = [item[key] for page in parts for item in page]
    assert len(told) == len(set(told))
    assert set(whole) <= set(told)  # the audit trail grows while it is read


def test_a_cursor_belongs_to_its_question(client):
    first = client.get(f"/v1/people/{ANA}/timeline", params={"limit": 1}).json()["cursor"]
    assert client.get(f"/v1/people/{ANA}/timeline", params={"cursor": first}).status_code == 200
    contracts = client.get("/v1/contracts", params={"limit": 1}).json()["cursor"]
    stolen = [
        ("/v1/people/user_id:u-bad/timeline", {"cursor": first}),
        (f"/v1/people/{ANA}/timeline", {"cursor": first, "channel": "web"}),
        (f"/v1/people/{ANA}/timeline", {"cursor": contracts}),
        ("/v1/computed-traits", {"cursor": contracts}),
        ("/v1/contracts", {"cursor": contracts[:-2]}),
        ("/v1/contracts", {"cursor": contracts + "AA"}),
        ("/v1/contracts", {"cursor": "ñ"}),
    ]
    for path, parameters in stolen:
        response = client.get(path, params=parameters)
        assert response.status_code == 400, (path, parameters)
        assert "cursor" in response.json()["message"]


# --- changes -----------------------------------------------------------------------------------------------------


def test_two_people_do_not_overwrite_each_other(own):
    _, client = own
    path = "/v1/computed-traits/visits"
    definition = {"name": "visits", "compute": "count", "events": ["Store Visited"]}
    made = client.put(path, json={"definition": definition})
    assert made.status_code == 200
    first = client.get(path).headers["etag"]
    assert made.headers["etag"] == first
    assert client.put(path, json={"definition": definition}).status_code == 428
    changed = client.put(path, json={"definition": {**definition, "window_days": 30}}, headers={"if-match": first})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first
    late = client.put(path, json={"definition": {**definition, "window_days": 90}}, headers={"if-match": first})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert client.get(path).json()["definition"]["window_days"] == 30
    assert client.put(path, json={"definition": definition}, headers={"if-none-match": "*"}).status_code == 412
    assert client.get(path, headers={"if-none-match": changed.headers["etag"]}).status_code == 304
    assert client.delete(path, headers={"if-match": first}).status_code == 412
    assert client.delete(path, headers={"if-match": f'W/{changed.headers["etag"]}, "x"'}).status_code == 204
    assert client.get(path).status_code == 404


def test_of_many_who_change_at_once_one_wins(own):
    _, client = own
    tag = client.get("/v1/survivorship").headers["etag"]

    def change(number):
        rules = {"default": {"rule": "source_order", "sources": [f"s{number}"]}}
        return client.put("/v1/survivorship", json={"survivorship": rules}, headers={"if-match": tag}).status_code

    with ThreadPoolExecutor(6) as pool:
        found = sorted(pool.map(change, range(6)))
    assert found == [200] + [412] * 5


def test_a_request_that_is_sent_twice_is_done_once(own):
    platform, client = own
    headers = {"idempotency-key": "k1"}
    first = client.post("/v1/sources/web/keys", headers=headers)
    again = client.post("/v1/sources/web/keys", headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert len(platform.sources.keys("web")) == 2
    other = client.post("/v1/sources/crm/keys", headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    somebody = {**headers, "authorization": f"Bearer {token(platform, 'owner')}"}
    assert client.post("/v1/sources/web/keys", headers=somebody).json() != first.json()
    assert client.post("/v1/sources/web/keys", headers={"idempotency-key": "x" * 256}).status_code == 400


def test_a_request_that_failed_can_be_sent_again_with_its_key(own):
    _, client = own
    headers = {"idempotency-key": "k2"}
    body = {"name": "till", "channel": "store"}
    assert client.post("/v1/sources/till/keys", headers=headers).status_code == 404
    assert client.post("/v1/sources", json=body).status_code == 201
    assert client.post("/v1/sources/till/keys", headers=headers).status_code == 201


def test_dry_runs_change_nothing(own):
    platform, client = own
    end = platform.log.end()
    (position, *_) = [entry["position"] for entry in client.get("/v1/quarantine").json()["items"]]
    bodies = {
        "/v1/quarantine/replay": {"positions": [position]},
        "/v1/quarantine/drop": {"positions": [position], "why": "test"},
        f"/v1/people/{ANA}/erase": {"why": "test"},
        "/v1/identity/decisions": {"decision": "refuse", "a": ANA, "b": "user_id:u-bad", "why": "test"},
    }
    for path, body in bodies.items():
        response = client.post(path, json={**body, "dry_run": True})
        assert response.status_code == 200, response.text
        assert response.json()["dry_run"] is True
    trait = {"name": "visits", "compute": "count"}
    assert client.put("/v1/computed-traits/visits", json={"definition": trait, "dry_run": True}).status_code == 200
    contract = {"event": "Gift Wrapped"}
    path = "/v1/contracts/track:Gift%20Wrapped"
    assert client.put(path, json={"definition": contract, "dry_run": True}).status_code == 200
    assert platform.log.end() == end


def test_quarantined_events_are_mended_by_filter_and_by_position(own):
    platform, client = own
    filter = {"source": "web", "reason": "property_missing", "path": "/properties/order_id"}
    steps = [{"do": "set", "at": "/properties/order_id", "value": "o-77"}]
    tried = client.post("/v1/quarantine/replay", json={"filter": filter, "steps": steps, "dry_run": True}).json()
    assert (tried["chosen"], tried["passing"], tried["replayed"]) == (3, 3, 0)
    assert tried["items"][0]["raw"]["properties"]["order_id"] == "o-77"
    position = tried["items"][0]["position"]
    one = client.post("/v1/quarantine/replay", json={"positions": [position], "steps": steps}).json()
    assert (one["replayed"], one["items"][0]["passes"]) == (1, True)
    again = client.post("/v1/quarantine/replay", json={"positions": [position], "steps": steps})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    life = client.get(f"/v1/quarantine/{position}/history").json()
    assert [step["what"] for step in life["happened"]] == ["received", "replayed"]
    assert life["person"].startswith("p_")
    rest = client.post("/v1/quarantine/replay", json={"filter": filter, "patch": {"properties": {"order_id": "o-78"}}})
    assert rest.json()["replayed"] == 2
    bad = client.post("/v1/quarantine/replay", json={"filter": {"name": "track"}}).json()
    assert (bad["tried"], bad["replayed"]) == (1, 0)
    dropped = client.post("/v1/quarantine/drop", json={"filter": {"name": "track"}, "why": "no name"}).json()
    assert dropped["dropped"] == 1
    assert client.get("/v1/quarantine").json()["items"] == []
    assert platform.status()["adds_up"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"positions": []},
        {"positions": [1], "filter": {"source": "web"}},
        {"positions": [1, 2], "raw": {}},
        {"filter": {"source": "web"}, "raw": {}},
        {"filter": {"source": "web"}, "steps": [{"do": "rename", "at": "/a"}]},
        {"filter": {"source": "web"}, "steps": [{"do": "st", "at": "/a"}]},
        {"positions": [0]},
        {"positions": ["1"]},
    ],
)
def test_a_replay_must_say_what_it_means(client, body):
    response = client.post("/v1/quarantine/replay", json=body)
    assert response.status_code in (400, 422), response.text
    assert "expected" in response.json()["message"]


def test_a_split_changes_who_is_who_and_can_be_taken_back(own):
    _, client = own
    pair = {"a": ANA, "b": "loyalty:9001", "why": "mother and daughter"}
    tried = client.post("/v1/identity/decisions", json={**pair, "decision": "refuse", "dry_run": True}).json()
    done = client.post("/v1/identity/decisions", json={**pair, "decision": "refuse"}).json()
    assert (tried["same"], done["same"]) == (False, False)
    assert tried["after"] == done["after"]
    assert len(done["after"]) == 2
    explained = client.get("/v1/identity/explain", params={"a": ANA, "b": "loyalty:9001"}).json()
    assert explained["same"] is False
    (word,) = client.get("/v1/identity/decisions").json()["items"]
    assert (word["what"], word["why"]) == ("refused", "mother and daughter")
    back = client.post("/v1/identity/decisions", json={**pair, "decision": "unrefuse"}).json()
    assert back["same"] is True


def test_erasing_leaves_nothing_and_says_who_did_it(own):
    _, client = own
    who = client.get(f"/v1/people/{ANA}").json()["id"]
    erased = client.post(f"/v1/people/{ANA}/erase", json={"why": "asked for"})
    assert erased.status_code == 200, erased.text
    assert erased.json()["events"] > 0
    assert client.get(f"/v1/people/{ANA}").status_code == 404
    assert "ana@" not in client.get("/v1/people", params={"q": "ana@tienda.es"}).text
    assert client.get(f"/v1/people/{who}/export").status_code == 404
    (entry,) = client.get("/v1/audit", params={"action": "person.erased"}).json()["items"]
    assert entry["subject"] == who


def test_a_stewards_word_wins_until_it_is_taken_back(own):
    _, client = own
    path = f"/v1/people/{ANA}/traits/firstName"
    assert client.put(path, json={"value": "Anita", "why": "said so"}).status_code == 200
    assert client.get(f"/v1/people/{ANA}").json()["traits"]["firstName"]["value"] == "Anita"
    assert client.put(path, json={"value": None, "why": "mistake"}).status_code == 200
    assert client.get(f"/v1/people/{ANA}").json()["traits"]["firstName"]["value"] == "Ana"


# --- who may -----------------------------------------------------------------------------------------------------


def test_nobody_gives_out_more_than_they_have(own):
    platform, client = own
    small = {"authorization": f"Bearer {token(platform, 'accounts.write', 'status.read')}"}
    much = {"name": "more", "scopes": ["people.erase"]}
    refused = client.post("/v1/tokens", json=much, headers=small)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    steward = {"name": "evas", "scopes": ["people.erase"], "account": "eva"}
    assert client.post("/v1/tokens", json=steward).status_code == 403
    for path, body in (
        ("/v1/accounts", {"name": "boss", "role": "owner"}),
        ("/v1/accounts/root/invitation", None),
    ):
        assert client.post(path, json=body, headers=small).status_code == 403
    change = {**small, "if-match": "*"}
    assert client.patch("/v1/accounts/eva", json={"role": "owner"}, headers=change).status_code == 403
    assert platform.access.accounts.get("eva").role == "steward"
    fine = client.post("/v1/tokens", json={"name": "evas", "scopes": ["people.read"], "account": "eva"}).json()
    mine = {"authorization": f"Bearer {fine['secret']}"}
    assert client.get("/v1/me", headers=mine).json()["permissions"] == ["people.read"]
    assert client.patch("/v1/accounts/eva", json={"enabled": False}, headers={"if-match": "*"}).status_code == 200
    deadline = time.monotonic() + 10
    while client.get("/v1/me", headers=mine).status_code != 401:  # every process knows within a second
        assert time.monotonic() < deadline


def test_the_last_owner_stays(client):
    for change in ({"role": "analyst"}, {"enabled": False}):
        response = client.patch("/v1/accounts/root", json=change, headers={"if-match": "*"})
        assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_secrets_are_shown_once_only(own):
    _, client = own
    made = client.post("/v1/tokens", json={"name": "once", "scopes": ["status.read"]}).json()
    key = client.post("/v1/sources/web/keys").json()["key"]
    for path in ("/v1/tokens", "/v1/sources/web/keys", "/v1/audit", "/v1/decisions"):
        text = client.get(path, params={} if "keys" in path else {"limit": 1_000}).text
        assert made["secret"] not in text
        assert key not in text


def test_a_session_cookie_of_another_site_changes_nothing(own):
    platform, client = own
    started = platform.access.sessions.start(platform.access.accounts.get("root"))
    with http_client(client.base_url, cookies={"cauce_session": started.cookie}) as browser:
        assert browser.get("/v1/me").json()["name"] == "root"
        assert browser.post("/v1/sources", json={"name": "evil", "channel": "x"}).status_code == 403


def test_a_token_that_asks_too_often_is_told_when_to_come_again(world, tmp_path):
    with copied(world, tmp_path / "data") as platform, client_of(platform, "owner") as client:
        platform.access._buckets._per_minute = 3
        found = [client.get("/v1/me") for _ in range(5)]
    assert [response.status_code for response in found] == [200, 200, 200, 429, 429]
    assert found[0].headers["ratelimit-policy"] == '"token";q=3;w=60'
    assert found[2].headers["ratelimit"].startswith('"token";r=0;t=')
    assert found[3].json()["code"] == "throttled"
    assert 1 <= int(found[3].headers["retry-after"]) <= 60


# --- what is told ------------------------------------------------------------------------------------------------


def test_the_document_is_served_as_the_table_says(client):
    response = httpx.get(f"{client.base_url}/v1/openapi.json")
    assert response.json() == DOCUMENT == json.loads(json.dumps(openapi_document(OPERATIONS, RESOURCES)))
    assert DOCUMENT["openapi"] == "3.1.0"


def test_the_page_explains_every_operation_without_scripts_or_strangers(client):
    response = httpx.get(f"{client.base_url}/docs/api")
    assert response.status_code == 200
    for operation in OPERATIONS:
        assert f'<article id="{operation.name}">' in response.text
    assert "<script" not in response.text
    assert "default-src 'none'" in response.headers["content-security-policy"]
    foreign = [part for part in response.text.split('href="')[1:] if not part.startswith(("#", "/"))]
    assert not foreign
    anchors = {part.partition('"')[0] for part in response.text.split('href="#')[1:]}
    missing = [anchor for anchor in anchors if f'id="{anchor}"' not in response.text]
    assert not missing


def test_the_page_shows_its_address_but_nothing_that_is_none(client):
    text = rendered(OPERATIONS, RESOURCES, 'http://x/"><script>alert(1)</script>')
    assert "<script" not in text
    for host, shown in (("cauce.tienda.es", True), ("x$(reboot)", False), ('x"><b>', False)):
        found = client.get("/docs/api", headers={"host": host})
        assert (f"curl http://{host}/v1/me" in found.text) == shown
        assert "reboot" not in found.text
        assert "<b>" not in found.text


def test_the_curl_examples_of_the_page_run(client):
    token = client.headers["authorization"].partition(" ")[2]
    base = str(client.base_url).rstrip("/")
    for operation in OPERATIONS:
        if operation.changes and not operation.example.get("dry_run"):
            continue
        if operation.name == "people.get":
            continue
        ran = subprocess.run(
            ["bash", "-c", curl_of(operation, base) + " -s -o /dev/null -w '%{http_code}'"],
            env={"TOKEN": token, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ran.stdout in ("200", "404"), (operation.name, ran.stdout)


def test_what_lies_too_deep_or_holds_nul_is_refused(client):
    deep = "[" * 150 + "]" * 150
    found = client.post("/v1/quarantine/replay", content=f'{{"positions": [1], "patch": {{"a": {deep}}}}}')
    assert (found.status_code, "inside one another" in found.json()["message"]) == (400, True)
    assert client.post("/v1/sql", content="[" * 100_000).status_code == 400
    assert client.get("/v1/quarantine?source=a%00b").status_code == 400
    assert client.get("/v1/sources/a%00b").status_code == 404


def test_paths_that_are_not_there_are_told_with_the_nearest(client):
    response = client.get("/v1/sorces")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert "/v1/sources" in response.json()["message"]


def test_a_failure_inside_tells_nothing_of_anybody(own, monkeypatch, caplog):
    platform, client = own

    def broken(self, key):
        raise RuntimeError(f"cannot read {key}")

    monkeypatch.setattr(type(platform.people), "locate", broken)
    response = client.get(f"/v1/people/{ANA}")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "ana@" not in response.text + caplog.text
    assert "RuntimeError" in caplog.text
