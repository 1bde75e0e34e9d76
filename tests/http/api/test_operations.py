"""What holds for every operation of the table, whatever it does."""

from __future__ import annotations

import importlib
import pkgutil

import msgspec
import pytest

from cauce.access.api import PERMISSIONS, Filter
from cauce.client import types
from cauce.http.api.door import BODY_BYTES_MAX
from cauce.http.api.table import RESOURCES
from tests.http.api import desk
from tests.http.api.world import (
    BY_NAME,
    OPERATIONS,
    PERSONAL,
    Values,
    address,
    client_of,
    copied,
    faults,
    send,
    token,
)

NOW = {"people.get": {}}
"""Parameters instead of the example's, which name a day that has nothing to tell in this world."""
NAMES = [operation.name for operation in OPERATIONS]
UNKNOWN = {
    "key": "email:nobody@tienda.es",
    "source": "nobody",
    "sku": "nothing",
    "place": "nowhere",
    "programme": "nothing",
    "redemption": "999999999",
    "card": "999999999",
    "authorisation": "999999999",
    "hint": "zzzz",
    "secret": "ffffffff",
    "system": "amazon",
    "position": "999999999",
    "contract": "track:Nothing",
    "computed": "nothing",
    "account": "nobody",
    "sort": "nothing",
    "token": "nobody",
    "trial": "nothing",
    "statement": "7",
    "fact": "999999999",
    "order": "nothing",
    "basket": "999999999",
    "line": "nothing",
    "hold": "999999999",
    "shipment": "999999999",
    "task": "999999999",
    "resource": "nothing",
    "booking": "999999999",
    "waiting": "999999999",
    "hook": "nothing",
}


@pytest.fixture(scope="module")
def values(platform):
    return Values(platform)


ENDING = {
    "loyalty.apply",
    "loyalty.retire",
    "contracts.apply",
    "contracts.remove",
    "computed.apply",
    "computed.remove",
    "people.set_trait",
    "fulfilment.apply_rules",
    "places.change",
    "places.put",
    "places.retire",
}
"""Operations that change what the other ones are tried on."""


@pytest.fixture(scope="module")
def doomed(world, tmp_path_factory):
    """A platform for those, and its client."""
    with copied(world, tmp_path_factory.mktemp("api") / "doomed") as platform, client_of(platform) as client:
        yield platform, client


def restored(client, operation, values):
    """Puts back what an operation removed."""
    if operation.name.endswith(".remove"):
        again = BY_NAME[operation.name.replace("remove", "apply")]
        assert send(client, again, values, headers={"if-match": ""}).status_code == 200


@pytest.mark.parametrize("name", NAMES)
def test_the_example_works_and_answers_as_told(request, platform, client, name):
    operation = BY_NAME[name]
    if name in ENDING:
        platform, client = request.getfixturevalue("doomed")
    who = token(platform, "owner")
    response = send(
        client,
        operation,
        values := desk.chosen(platform, name, Values(platform, who)),
        params=NOW.get(name, operation.parameters),
        headers={"authorization": f"Bearer {who}"},
    )
    assert response.status_code == operation.status, response.text
    assert faults(operation, response) == []
    assert response.headers["cache-control"] == "no-store"
    assert "r=" in response.headers["ratelimit"]
    mine = platform.audit.entries(Filter(actor=platform.access.by_token(who).name)).entries
    if operation.lane != "now":  # what is done there stands in the ledger
        assert bool(mine) == bool(operation.changes or operation.audit), "nobody would know that it was done"
    assert not operation.audit or operation.audit in {entry.action for entry in mine}
    text = msgspec.json.encode(mine).decode()
    assert not [value for value in PERSONAL if value in text]
    restored(client, operation, values)


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_nobody_gets_in_without_a_token(client, values, name):
    operation = BY_NAME[name]
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic cm9vdDpyb290"}):
        request = client.build_request(operation.method, address(operation, values), headers=headers)
        if not headers:
            del request.headers["authorization"]
        response = client.send(request)
        assert response.status_code == 401
        assert response.json()["code"] == "unauthorised"
        assert faults(operation, response) == []


@pytest.mark.soak
@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS if operation.permission])
def test_a_token_does_only_what_its_scopes_say(client, platform, values, name):
    operation = BY_NAME[name]
    others = token(platform, *(PERMISSIONS.keys() - {operation.permission}))
    response = send(client, operation, values, headers={"authorization": f"Bearer {others}"})
    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"
    assert operation.permission in response.json()["message"]
    assert faults(operation, response) == []


MAKING = (
    "baskets.put_line",
    "loyalty.apply",
    "contracts.apply",
    "computed.apply",
    "products.put",
    "places.put",
    "resources.put",
)
"""Operations that make what is not there."""


@pytest.mark.parametrize(
    "name", [operation.name for operation in OPERATIONS if operation.path_names and operation.name not in MAKING]
)
def test_what_is_not_there_is_404(client, values, name):
    operation = BY_NAME[name]
    part = operation.path_names[-1] if operation.path_names[-1] != "trait" else "key"
    headers = {"if-match": ""} if operation.guard else {}
    parameters = NOW.get(name, operation.parameters)
    response = send(client, operation, {**values, part: UNKNOWN[part]}, params=parameters, headers=headers)
    assert response.status_code == 404, response.text
    assert faults(operation, response) == []


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_refused_with_the_nearest_name(client, values, name):
    operation = BY_NAME[name]
    fields = operation.query.__struct_fields__
    typo = f"{fields[0]}x" if fields else "limit"
    response = send(client, operation, values, params={typo: "1"})
    assert response.status_code == 400
    assert faults(operation, response) == []
    (fault,) = response.json()["details"]["faults"]
    assert fault["path"] == f"/{typo}"
    assert not fields or repr(fields[0]) in response.json()["message"]


@pytest.mark.soak
@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS if operation.body])
def test_bad_bodies_are_refused_with_what_and_where(client, values, name):
    operation = BY_NAME[name]
    path = address(operation, values)
    for content, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b"x" * (BODY_BYTES_MAX + 1), 413)):
        response = client.request(operation.method, path, content=content)
        assert response.status_code == status
        assert response.json()["message"]
        assert faults(operation, response) == []
    response = client.request(operation.method, path, json={**operation.example, "dry_runn": True})
    assert (response.status_code, response.json()["details"]["faults"][0]["path"]) == (400, "/dry_runn")
    for member in operation.body.__struct_fields__:
        response = client.request(operation.method, path, json={**operation.example, member: {"a": [{}]}})
        if response.status_code == 400:
            assert response.json()["details"]["faults"][0]["path"].startswith(f"/{member}")


@pytest.mark.parametrize("path", sorted({operation.path for operation in OPERATIONS}))
def test_other_methods_are_refused_with_those_that_there_are(client, values, path):
    allowed = {operation.method for operation in OPERATIONS if operation.path == path}
    operation = next(operation for operation in OPERATIONS if operation.path == path)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
        response = client.request(method, address(operation, values))
        assert response.status_code == 405
        assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_refusals_come_as_problems_to_those_who_accept_them(client, values, name):
    operation = BY_NAME[name]
    headers = {"accept": "application/problem+json", "authorization": "Bearer wrong"}
    response = send(client, operation, values, headers=headers)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.json()["status"], response.json()["code"]) == (401, "unauthorised")
    assert faults(operation, response) == []


SHOWING = [
    name
    for name in NAMES
    if BY_NAME[name].method == "GET" and BY_NAME[name].permission in ("people.read", "identity.read", "audit.read")
]


@pytest.fixture(scope="module")
def masked(platform):
    with client_of(platform, "people.read", "identity.read", "audit.read", "data.sql") as opened:
        yield opened


@pytest.mark.soak
@pytest.mark.parametrize("name", SHOWING)
def test_personal_values_are_hidden_from_those_who_may_not_see_them(client, masked, platform, name):
    operation, values = BY_NAME[name], Values(platform)
    parameters = {**NOW.get(name, operation.parameters)}
    if name == "people.search":
        parameters["q"] = "ana@tienda.es"
    if name == "people.timeline":
        parameters = {}
    client.post("/v1/identity/decisions", json={**BY_NAME["identity.decide"].example, "dry_run": False})
    hidden = send(masked, operation, values, params=parameters)
    assert hidden.status_code == 200, hidden.text
    assert not [value for value in PERSONAL if value in hidden.text]
    assert faults(operation, hidden) == []
    client.post("/v1/identity/decisions", json={**BY_NAME["identity.decide"].example, "decision": "unrefuse"})


def test_sql_hides_personal_values_too(masked):
    for view in ("events", "people", "identifiers", "traits", "links"):
        found = masked.post("/v1/sql", json={"statement": f"select * from {view}"})
        assert found.status_code == 200, found.text
        assert found.json()["rows"]
        assert not [value for value in PERSONAL if value in found.text]


def test_every_permission_and_resource_is_known():
    assert {operation.permission for operation in OPERATIONS} - {""} <= PERMISSIONS.keys()
    assert {operation.resource for operation in OPERATIONS} == RESOURCES.keys()
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
    assert len(NAMES) == len(set(NAMES))


def test_whoever_sees_a_person_or_changes_something_is_noted():
    notes_itself = ("sources.", "accounts.", "tokens.")
    quiet = [
        operation.name
        for operation in OPERATIONS
        if (operation.changes or operation.permission.startswith("people."))
        and not operation.audit
        and operation.lane != "now"  # the ledger notes what is done there, and by which command
        and not operation.name.startswith(notes_itself)
    ]
    assert not quiet


def test_lists_in_which_people_stand_are_looks_at_them():
    named = (
        "people.search", "identity.shared", "identity.queue", "identity.meetings", "identity.decisions",
        "orders.list", "orders.get", "orders.history", "bookings.list", "bookings.get", "bookings.itinerary",
        "waiting.list", "pickups.list", "pickups.get", "fulfilment.pick_list", "baskets.get", "decisions.list",
    )  # fmt: skip
    assert not [name for name in named if not (BY_NAME[name].audit and BY_NAME[name].is_look)]


def test_the_audit_trail_says_who_was_seen_by_whom(client, platform):
    seen = client.get("/v1/people/email:bad@tienda.es").json()["id"]
    (entry,) = platform.audit.entries(Filter(action="person.seen", subject=seen)).entries
    assert entry.kind == "token"


def test_no_two_records_have_one_name():
    """The OpenAPI document names them all in one list."""
    found = {}
    for module in pkgutil.iter_modules(types.__path__):
        names = vars(importlib.import_module(f"{types.__name__}.{module.name}")).items()
        for name, kind in names:
            if isinstance(kind, type) and kind.__module__.endswith(f".{module.name}"):
                found.setdefault(name, []).append(module.name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
