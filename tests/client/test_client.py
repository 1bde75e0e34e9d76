"""The client against a real server: what it gives, what it raises, and how patient it is."""

from __future__ import annotations

import inspect
import subprocess
import sys

import httpx
import msgspec
import pytest

from cauce import errors
from cauce.client import Client
from cauce.client.refusals import PreconditionFailed, PreconditionRequired
from cauce.client.transport import Transport, error_of
from cauce.client.types.quarantine import Filter, Step
from cauce.errors import (
    Busy,
    CauceError,
    Conflict,
    DefinitionInvalid,
    Forbidden,
    MissingExtra,
    NotFound,
    Unauthorised,
    Unreadable,
)
from cauce.http.api.table import OPERATIONS
from tests.http.api.world import client_of, copied, make, token

pytestmark = pytest.mark.soak

ANA = "email:ana@tienda.es"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client") / "world"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def platform(world, tmp_path_factory):
    with copied(world, tmp_path_factory.mktemp("client") / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def url(platform):
    with client_of(platform) as client:
        yield str(client.base_url)


@pytest.fixture(scope="module")
def client(url, platform):
    with Client(url, token(platform, "owner")) as opened:
        yield opened


def test_every_operation_has_its_method(client):
    for operation in OPERATIONS:
        if operation.media == "text/event-stream":
            continue  # is for browsers; programs page through the same changes
        resource, _, verb = operation.name.partition(".")
        assert callable(getattr(getattr(client, resource), verb)), operation.name


def test_every_method_has_its_operation(client):
    names = {operation.name for operation in OPERATIONS}
    for resource, found in vars(client).items():
        if resource.startswith("_"):
            continue
        for verb, _ in inspect.getmembers(found, inspect.ismethod):
            assert verb.startswith("_") or f"{resource}.{verb}" in names


# --- what it gives -------------------------------------------------------------------------------------------------


def test_people_are_typed(client, platform):
    profile = client.people.get(ANA)
    assert profile.traits["phone"].value == "+34698765432"
    assert profile.first_seen.tzinfo is not None
    assert client.people.get(profile.id).identifiers == profile.identifiers
    assert client.people.traits(ANA).traits == profile.traits
    assert client.people.identifiers(ANA).identifiers == profile.identifiers
    assert client.people.consents(ANA).consents == profile.consents
    assert client.people.get(ANA, as_of=profile.as_of).events == profile.events
    assert client.people.links(ANA).links[0].in_words
    assert len(client.people.export(ANA).events) == profile.events
    assert [hit.person for hit in client.people.search("ana@tienda.es", limit=1)] == [profile.id]


def test_the_timeline_goes_through_all_pages(client):
    whole = list(client.people.timeline(ANA))
    assert [event.id for event in client.people.timeline(ANA, page_events=2)] == [event.id for event in whole]
    assert len(whole) == client.people.get(ANA).events
    assert {event.channel for event in client.people.timeline(ANA, channels=["store"])} == {"store"}
    found = [event.name for event in client.people.timeline(ANA, text="falda", since="2026-03-01", until="2026-03-04")]
    assert found == ["Order Completed"]
    assert list(client.people.timeline(ANA, until="2026-02-28")) == []
    (purchase,) = client.people.shopping(ANA).purchases
    assert (purchase.amount_millionths, purchase.products[0].name) == (1_234_500_000, "Falda")


@pytest.mark.parametrize("value", ["a/b+c%ñ d", "x/traits"])
def test_keys_may_hold_any_character(client, value):
    assert f"user_id:{value}" in {
        f"{each.kind}:{each.value}" for each in client.people.identifiers(f"user_id:{value}").identifiers
    }


def test_sources_and_their_keys(client):
    added = client.sources.add("kiosk", "store", shared_device=True)
    assert added.source.shared_device
    assert client.sources.change("kiosk", mode="observe").mode == "observe"
    fresh = client.sources.rotate("kiosk")
    client.sources.revoke("kiosk", added.key[-4:])
    assert {key.hint: key.revoked is None for key in client.sources.keys("kiosk")} == {
        fresh.hint: True,
        added.key[-4:]: False,
    }
    assert "kiosk" in [source.name for source in client.sources.list()]


def test_secrets_and_connections(client):
    client.sources.add("shop", "web")
    given = "whsec_0123456789abcdef"
    secret = client.sources.add_secret("shop", "stripe", given)
    assert (secret.connector, secret.purpose, secret.revoked) == ("stripe", "signing", None)
    assert [one.hint for one in client.sources.secrets("shop")] == [secret.hint]
    assert given not in repr(list(client.sources.secrets("shop")))
    client.sources.forget("shop", secret.hint)
    assert [one.revoked is None for one in client.sources.secrets("shop")] == [False]
    assert client.sources.connect("shop", "square", public_url="https://cauce.example.com/x").api_url == ""
    assert [one.connector for one in client.sources.connections("shop")] == ["square"]
    with pytest.raises(DefinitionInvalid) as fault:
        client.sources.add_secret("shop", "stripe", "too short")
    assert "too short" not in str(fault.value)
    with pytest.raises(NotFound, match="shopify"):
        client.sources.add_secret("shop", "shopfy", given)


def test_quarantine_is_mended(client):
    (group, *_) = [group for group in client.quarantine.groups().items if group.code == "property_missing"]
    which = Filter(source=group.source, reason=group.code, path=group.path)
    steps = [Step(do="set", at=group.path, value="o-1")]
    assert client.quarantine.replay(filter=which, steps=steps, dry_run=True).passing == group.count
    assert client.quarantine.replay(filter=which, steps=steps).replayed == group.count
    assert client.quarantine.history(group.example).person
    assert client.quarantine.get(group.example).state == "replayed"
    entries = list(client.quarantine.list(name="track"))
    assert client.quarantine.drop([entries[0].position], why="no name").dropped == 1


def test_definitions_are_changed_as_they_were_read(client, url, platform):
    definition = {"name": "visits", "compute": "count", "events": ["Store Visited"]}
    with Client(url, token(platform, "owner")) as other:
        client.computed.apply("visits", definition)
        with pytest.raises(PreconditionRequired):
            other.computed.apply("visits", definition)
        other.computed.get("visits")
        client.computed.apply("visits", {**definition, "window_days": 30})
        with pytest.raises(PreconditionFailed):
            other.computed.apply("visits", definition)
        other.computed.apply("visits", definition, overwrite=True)
        client.computed.get("visits")
        client.computed.remove("visits")
        other.computed.apply("visits", definition, overwrite=True)
        other.computed.remove("visits", overwrite=True)
    assert "visits" not in [trait.name for trait in client.computed.list()]


def test_contracts_survivorship_and_rules(client):
    key = "track:Gift Wrapped"
    contract = client.contracts.apply(key, {"event": "Gift Wrapped", "description": "A present."})
    assert client.contracts.get(key) == contract
    assert key in [each.key for each in client.contracts.list()]
    client.contracts.remove(key)
    versions = client.definitions.versions("contract", key).items
    assert [version.definition is None for version in versions] == [False, True]
    assert client.contracts.unknown().default == "accept"
    assert client.contracts.set_unknown(sources={"crm": "quarantine"}).sources == {"crm": "quarantine"}
    assert {breach.code for breach in client.contracts.breaches().items} <= {"number_as_text"}
    rules = client.survivorship.get()
    assert client.survivorship.apply(rules.survivorship, dry_run=True) == rules
    identity = client.identity.rules()
    assert client.identity.try_rules(identity.rules).people_merged == 0
    assert client.identity.apply_rules(identity.rules) == identity


def test_identity_is_explained_and_decided(client):
    assert client.identity.explain(ANA, "loyalty:9001").same
    tried = client.identity.decide("refuse", ANA, "loyalty:9001", why="test", dry_run=True)
    assert (tried.same, len(tried.after)) == (False, 2)
    assert next(client.identity.clusters()).identifiers > 1
    assert list(client.identity.shared()) == client.identity.queue() == list(client.identity.decisions()) == []


def test_a_search_is_narrowed(client):
    (ana,) = {hit.person for hit in client.people.search("ana garcía", kind="email")}
    assert [hit.person for hit in client.people.search("ana garcía", channel="crm")] == [ana]
    assert not list(client.people.search("ana garcía", channel="app"))
    assert not list(client.people.search("ana garcía", kind="push_token"))
    assert not list(client.people.search("ana garcía", since="2999-01-01"))
    profile = client.people.get(ana)
    assert [hit.person for hit in client.people.search("ana garcía", since=profile.last_seen)] == [ana]
    with pytest.raises(Unreadable, match="since"):
        list(client.people.search("ana garcía", since="lately"))


def test_who_became_one_lately(client, url, platform):
    batch = [
        {"type": "track", "event": "Signed In", "anonymousId": "met-1"},
        {"type": "identify", "userId": "u-met", "traits": {"firstName": "Eva"}},
    ]
    for call in (*batch, {"type": "identify", "anonymousId": "met-1", "userId": "u-met"}):
        platform.append("web", "tracking", [msgspec.json.encode({"batch": [call]})])
        platform.drain()
    found = client.identity.meetings()
    assert found[0].person == client.people.get("user_id:u-met").id
    assert {found[0].evidence.a, found[0].evidence.b} == {"anonymous_id:met-1", "user_id:u-met"}
    assert len(client.identity.meetings(limit=1)) == 1
    with Client(url, token(platform, "analyst")) as masked:
        assert "u-met" not in str(masked.identity.meetings())


def test_the_rest(client):
    assert client.status.get().adds_up
    assert {count.value for count in client.status.counts("channel").items} >= {"web", "crm"}
    assert "people.read" in client.status.me().permissions
    found = client.sql.ask("select count(*) as events from events")
    assert [column.name for column in found.columns] == ["events"]
    assert "people" in client.sql.views()
    assert next(client.decisions.list("trait.applied")).name == "trait.applied"
    invitation = client.accounts.add("maria", "analyst")
    assert client.accounts.get("maria").role == "analyst"
    assert client.accounts.change("maria", extra=["people.personal"]).extra == ["people.personal"]
    assert client.accounts.invite("maria").link != invitation.link
    assert client.accounts.sessions("maria") == []
    client.accounts.end_sessions("maria")
    assert "maria" in [account.name for account in client.accounts.list()]
    made = client.tokens.make("nightly", ["status.read"], days=1)
    assert made.token.id in [each.id for each in client.tokens.list()]
    client.tokens.revoke(made.token.id)
    assert "account.added" in {entry.action for entry in client.audit.list()}
    word = client.people.set_trait("user_id:u-bad", "nickname", "Bad", why="test")
    assert word.decision == "trait.set"
    assert client.people.erase("user_id:u-bad", why="test", dry_run=True).identifiers


# --- what it raises ------------------------------------------------------------------------------------------------


def test_refusals_are_the_errors_of_cauce(client, url, platform):
    with pytest.raises(NotFound, match="nobody is known"):
        client.people.get("email:nobody@tienda.es")
    with pytest.raises(NotFound, match="Did you mean 'web'"):
        client.sources.get("wev")
    with pytest.raises(Conflict):
        client.sources.add("web", "web")
    with pytest.raises(Unreadable, match="expected name to be"):
        client.sources.add("Web!", "web")
    with Client(url, "wrong") as stranger, pytest.raises(Unauthorised):
        stranger.status.get()
    with Client(url, token(platform, "status.read")) as small, pytest.raises(Forbidden, match=r"people\.read"):
        small.people.get(ANA)


def kinds(kind=CauceError):
    yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def test_every_error_comes_back_as_what_it_was():
    for kind in kinds():
        if kind.__module__ not in (errors.__name__, "cauce.client.refusals") or kind is CauceError:
            continue
        body = msgspec.json.encode(
            {"code": kind.code, "message": "what. Mend it so", "details": {"hint": "Mend it so", "faults": []}}
        )
        found = error_of(400, body, 7)
        assert type(found) is kind
        assert (found.message, found.hint, str(found)) == ("what", "Mend it so", "what. Mend it so")
        assert not isinstance(found, Busy) or found.retry_after_seconds == 7


def test_strange_answers_are_told():
    assert "got status 502" in str(error_of(502, b"<html>", 1))
    later = error_of(418, b'{"code":"teapot","message":"short and stout","details":{}}', 1)
    assert (type(later), later.code, str(later)) == (CauceError, "teapot", "short and stout")

    def html(_request):
        return httpx.Response(200, content=b"<html>")

    with Client("http://x", "t", transport=httpx.MockTransport(html)) as client, pytest.raises(Unreadable):
        client.status.get()


# --- how patient it is ---------------------------------------------------------------------------------------------


class Script:
    """A door that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def refused(status, **headers):
    body = {"code": "busy" if status == 503 else "throttled", "message": "later", "details": {}}
    return httpx.Response(status, json=body, headers=headers)


def patient(script, waits):
    transport = httpx.MockTransport(script)
    return Transport("http://x", "t", transport=transport, wait=waits.append, chance=lambda: 0.0)


def test_it_waits_as_long_as_it_is_told_and_tries_again():
    waits = []
    good = httpx.Response(200, json={"views": ["events"]})
    script = Script(refused(429, **{"retry-after": "7"}), refused(503), httpx.ConnectError("down"), good)
    found = patient(script, waits).ask("GET", "/v1/sql/views", dict)
    assert found == {"views": ["events"]}
    assert waits == [7.0, 0.8, 1.6]


def test_a_change_is_sent_again_with_the_same_key():
    script = Script(httpx.ReadError("lost"), httpx.Response(200, json={}))
    patient(script, []).ask("POST", "/v1/x", dict, body={"a": 1})
    first, second = [request.headers["idempotency-key"] for request in script.requests]
    assert first == second


def test_it_gives_up_in_the_end():
    waits = []
    script = Script(*[refused(503, **{"retry-after": "9"}) for _ in range(5)])
    with pytest.raises(Busy) as fault:
        patient(script, waits).ask("GET", "/v1/x", dict)
    assert (fault.value.retry_after_seconds, len(waits)) == (9, 4)
    with pytest.raises(Busy, match="does not answer"):
        patient(Script(*[httpx.ConnectError("down")] * 5), []).ask("GET", "/v1/x", dict)


def test_what_is_wrong_is_not_tried_again():
    script = Script(refused(404))
    with pytest.raises(CauceError):
        patient(script, []).ask("GET", "/v1/x", dict)
    assert len(script.requests) == 1


def test_it_waits_no_longer_than_a_minute():
    waits = []
    script = Script(refused(503, **{"retry-after": "99999"}), httpx.Response(200, json={}))
    patient(script, waits).ask("GET", "/v1/x", dict)
    assert waits == [60.0]


def test_without_httpx_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtra, match=r"cauce\[client\]"):
        Client("http://x", "t")


def test_importing_it_loads_no_engine():
    code = (
        "import sys, cauce.client; "
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('cauce.')}, *sys.modules.keys() & "
        "{'duckdb', 'starlette', 'pyarrow', 'httpx'})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(said.split()) == {"client", "errors"}


# --- what the console does too ---------------------------------------------------------------------------------------


def test_the_last_items_of_a_source(client, platform):
    found = client.sources.arrivals("web", limit=5)
    assert [one.position for one in found.items] == sorted((one.position for one in found.items), reverse=True)
    assert {one.fate for one in client.sources.arrivals("web", limit=100).items} == {"stored", "quarantined"}
    broken = next(one for one in client.sources.arrivals("web", limit=100).items if one.fate == "quarantined")
    assert broken.reasons[0].code
    stored = next(one for one in client.sources.arrivals("store", limit=100).items if one.person)
    assert client.people.get(stored.person).id == stored.person
    assert '"messageId"' in stored.raw


def test_what_was_sent_is_shown_to_those_who_may_see_it(url, platform):
    with Client(url, token(platform, "sources.read")) as modest:
        found = modest.sources.arrivals("web", limit=100)
        assert found.items
        assert not [one for one in found.items if one.raw or one.person]


def test_rules_are_tried_beside(client, platform):
    started = client.identity.start_trial({"kinds": {"email": {"limit": 1}}})
    assert started.state == "running"
    platform.trials.wait(started.id, 60)
    done = client.identity.trial(started.id)
    assert (done.state, done.events) == ("done", done.events_total)
    assert done.report == client.identity.try_rules({"kinds": {"email": {"limit": 1}}})
    client.identity.stop_trial(started.id)  # too late: nothing changes
    assert [trial.state for trial in client.identity.trials() if trial.id == started.id] == ["done"]
    with pytest.raises(NotFound):
        client.identity.trial("nothing")


def test_a_trait_is_tried_before_it_is_applied(client, url, platform):
    definition = {"name": "orders", "compute": "count", "events": ["Order Completed"]}
    (sample, *_) = client.computed.sample(definition)
    assert sample.value == sample.events >= 1
    names = {"name": "seen", "compute": "last", "property": "traits.email", "types": ["identify"]}
    assert client.computed.sample(names)
    with Client(url, token(platform, "definitions.read", "people.read")) as modest:
        hidden = [sample.value for sample in modest.computed.sample(names, people=20)]
        assert not [value for value in hidden if value and "tienda.es" in value]
    with Client(url, token(platform, "definitions.read")) as other, pytest.raises(Forbidden):
        other.computed.sample(definition)


def test_statements_are_kept_for_whoever_keeps_them(client, url, platform):
    kept = client.sql.save("channels", "select 1")
    assert client.sql.get(kept.id) == kept
    assert client.sql.save("channels", "select 2").id == kept.id
    assert [(one.name, one.statement) for one in client.sql.saved()] == [("channels", "select 2")]
    with Client(url, token(platform, "owner")) as other:
        assert list(other.sql.saved()) == []
        with pytest.raises(NotFound):
            other.sql.forget(kept.id)
    client.sql.forget(kept.id)
    assert list(client.sql.saved()) == []


def test_an_accounts_tokens_find_what_it_kept_in_the_console(url, platform):
    root = platform.access.accounts.get("root")
    platform.questions.queries.save(f"account:{root.id}", "mine", "select 3")
    made = platform.access.tokens.add("roots", ["data.sql"], by="tests", account=root)
    with Client(url, made.secret) as client:
        assert [one.statement for one in client.sql.saved()] == ["select 3"]
