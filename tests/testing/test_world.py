"""The synthetic world: repeatable, streamed, true to what it says about itself."""

from __future__ import annotations

import csv
import gc
import hashlib
import http.server
import json
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count, islice

import msgspec
import numpy
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.app import Platform
from cauce.commerce.orders import questions
from cauce.commerce.parts import CHORES
from cauce.connectors import tracking
from cauce.errors import Busy, NotFound, StorageBroken, Unauthorised
from cauce.model import DAY, Received, Record
from cauce.quality.codes import is_gtin
from cauce.quality.contract import Book, Compiled
from cauce.quality.rules import Limits, judged
from cauce.quality.starter import starter_contracts
from cauce.settings import Settings
from cauce.testing.world import (
    CLEAN,
    Batch,
    Delivery,
    Dirt,
    Load,
    World,
    catalogue,
    load,
    orders,
    score,
    send_http,
    write_files,
)  # fmt: skip
from cauce.testing.world.chance import draw, draws, key, share, shares
from cauce.testing.world.channels import Fact
from cauce.testing.world.journeys import KINDS, REACH_DAYS
from cauce.testing.world.people import People, mistype_email, spoken_phone
from cauce.testing.world.stores import STORES

pytestmark = pytest.mark.soak

MILLISECOND = 1_000
SMALL = {"people": 150, "days": 25}


@pytest.fixture(scope="module")
def world() -> World:
    return World(**SMALL)


@pytest.fixture(scope="module")
def batches(world: World) -> list[Batch]:
    return list(world.batches(50))


@pytest.fixture(scope="module")
def clean() -> World:
    return World(500, days=30, dirt=CLEAN)


@pytest.fixture(scope="module")
def facts(clean: World) -> list[Fact]:
    return list(clean.facts())


def decoded(world: World, batches: list[Batch]) -> Iterator[tuple[Batch, int, Received]]:
    """(batch, place in it, item) of everything, through the real decoder, received when it was sent."""
    sources = {source.name: source for source in world.sources()}
    for offset, batch in enumerate(batches, start=1):
        record = Record(offset, batch.source, "tracking", batch.sent, batch.encode())
        for place, item in enumerate(tracking.decode(record, sources[batch.source])):
            yield batch, place, item


def digest(batches: Iterator[Batch]) -> str:
    summed = hashlib.sha256()
    for batch in batches:
        summed.update(batch.source.encode() + batch.encode())
    return summed.hexdigest()


def test_same_arguments_give_the_same_bytes():
    assert digest(World(80, 3, 12).batches()) == digest(World(80, 3, 12).batches())


def test_another_seed_gives_another_world():
    assert digest(World(80, 3, 12).batches()) != digest(World(80, 4, 12).batches())


def test_batch_size_changes_only_the_batches(world, batches):
    def by_id(found: Iterator[Batch]) -> Counter[bytes]:
        return Counter(msgspec.json.encode(message) for batch in found for message in batch.body["batch"])

    assert by_id(world.batches(7)) == by_id(iter(batches))
    assert max(len(batch.truth) for batch in batches) == 50


@pytest.mark.parametrize(("argument", "value"), [("people", 0), ("people", 10_000_001), ("days", 0), ("days", 4_000)])
def test_arguments_out_of_range_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"expected {argument} to be 1–"):
        World(**{argument: value})


@given(st.integers(0, 2**40), st.integers(0, 2**31), st.integers(-40, 10**6))
def test_draws_agree_one_by_one_and_in_bulk(seed, first, second):
    purpose = key(seed, "anything")
    assert draws(purpose, numpy.array([first]), second)[0] == draw(purpose, first, second)
    assert shares(purpose, numpy.array([first]), second)[0] == share(purpose, first, second)


@given(st.integers(0, 10**6), st.integers(0, 3_000), st.integers(0, 10**6))
def test_a_person_does_not_depend_on_how_many_there_are(seed, number, more):
    few, many = People(seed, number + 1, 60), People(seed, number + 1 + more, 60)
    assert few.person(number) == many.person(number)


def test_memory_hardly_grows_with_the_people():
    def blocks_max(people: int) -> int:
        """Blocks of memory in use at the worst moment of the stream, more than before it."""
        world = World(people, days=3)
        gc.collect()
        before = sys.getallocatedblocks()
        sampled = islice(world.facts(), 0, None, 500)
        return max(sys.getallocatedblocks() - before for _ in sampled)

    blocks_max(500)  # fills the caches that live as long as the process
    few, many = blocks_max(1_000), blocks_max(5_000)
    assert many < 2.5 * few


def test_batches_leave_in_order_of_time(batches):
    sent = [batch.sent for batch in batches]
    assert sent == sorted(sent)
    for batch in batches:
        times = [truth.sent for truth in batch.truth]
        assert times == sorted(times)
        assert times[-1] <= batch.sent


def test_late_events_and_only_they_come_out_of_order(world):
    latest: dict[str, int] = defaultdict(int)
    behind = Counter()
    for fact in world.facts():
        source = world.sources()[fact.source].name
        if fact.occurred < latest[source] - DAY // 4:
            behind[fact.late or fact.duplicate] += 1
        latest[source] = max(latest[source], fact.occurred)
    assert set(behind) == {True}


def test_products_have_valid_numbers_prices_and_margins(world):
    gtins = [product.gtin for product in world.assortment.products]
    assert len(set(gtins)) == len(gtins) == 400
    for product in world.assortment.products:
        assert is_gtin(product.gtin)
        assert product.price_cents > 0
        assert 0 < product.margin < 1


def test_there_are_twelve_stores_with_tills_and_tablets():
    assert len(STORES) == 12
    tills = [till for store in STORES for till in store.tills]
    assert len(set(tills)) == len(tills) >= 12
    assert len({store.tablet for store in STORES}) == 12


def test_households_part_the_people_and_share_their_address(world):
    seen = []
    for number, members in world.truth.households():
        people = [world.people.person(index) for index in members]
        assert 1 <= len(people) <= 5
        assert {person.household.id for person in people} == {number}
        assert len({person.household for person in people}) == 1
        seen += list(members)
    assert seen == list(range(SMALL["people"]))


def test_telephone_numbers_are_valid_and_survive_being_written_by_hand():
    people = People(5, 1_200, 10)
    for index in range(600):
        person = people.person(index)
        for number in filter(None, (person.mobile, person.household.landline)):
            assert phonenumbers.is_valid_number(phonenumbers.parse(number)), number
            for style in range(4):
                assert e164(spoken_phone(number, style)) == number


@given(st.integers(0, 2**16))
def test_a_misspelt_address_is_never_somebody_elses(chance):
    wrong = mistype_email("ana.garcia17@gmail.com", chance)
    assert wrong != "ana.garcia17@gmail.com"
    assert "17@" in wrong


def e164(text: str) -> str:
    return phonenumbers.format_number(phonenumbers.parse(text, "ES"), phonenumbers.PhoneNumberFormat.E164)


def normal(kind: str, value: str, junk: set[tuple[str, str]]) -> str:
    if kind == "phone" and (kind, value) not in junk:
        return e164(value)
    return value.lower() if kind == "email" else value


def test_every_identifier_is_known_to_the_truth(world, batches):
    known = defaultdict(list)
    for identifier in world.truth.identifiers():
        known[identifier.kind, identifier.value].append(identifier)
    junk = {name for name, owners in known.items() if owners[0].status == "blocked"}
    statuses = Counter()
    for batch, place, item in decoded(world, batches):
        if item.event is None:
            continue
        person = world.people.person(batch.truth[place].person)
        for kind, value in item.event.identifiers:
            owners = known[kind, normal(kind, value, junk)]
            fitting = [
                owner
                for owner in owners
                if owner.status in ("device", "blocked")
                or owner.person == person.number
                or (owner.status == "household" and owner.household == person.household.id)
            ]
            assert fitting, (kind, value, batch.truth[place])
            statuses[fitting[0].status] += 1
    assert set(statuses) == {"personal", "household", "device", "wrong", "blocked"}


def test_personal_identifiers_belong_to_one_person_only():
    owners = defaultdict(set)
    for identifier in World(400).truth.identifiers():
        if identifier.status in ("personal", "household"):
            owners[identifier.kind, identifier.value].add((identifier.person, identifier.household))
    assert not {name: found for name, found in owners.items() if len(found) > 1}


def test_a_perfect_finder_scores_one_and_a_rough_one_loses_precision_or_recall(world):
    people = {(i.kind, i.value): i for i in world.truth.identifiers() if i.status == "personal"}

    def scored(find):
        return score(world.truth.identifiers(), find)

    perfect = scored(lambda kind, value: people[kind, value].person)
    assert (perfect.identifiers, perfect.precision, perfect.recall) == (len(people), 1.0, 1.0)
    households = scored(lambda kind, value: people[kind, value].household)
    assert households.precision < 0.6
    assert households.recall == 1.0
    assert scored(lambda kind, value: (kind, value))[1:] == (0, perfect.true, 0)
    assert scored(lambda kind, value: None) == (0, 0, 0, 0)
    assert scored(lambda kind, value: None).precision == scored(lambda kind, value: None).recall == 1.0


def test_the_receiver_finds_the_true_time_whatever_the_senders_clock_says(world, batches):
    skewed = 0
    for batch, place, item in decoded(world, batches):
        if item.event is not None:
            assert abs(item.event.occurred - batch.truth[place].occurred) <= MILLISECOND
            skewed += batch.skew != 0
    assert skewed > 0


def test_sending_at_another_moment_changes_only_when_it_was_sent(batches):
    batch = next(batch for batch in batches if batch.skew)
    later = batch.sent_at(batch.sent + DAY)
    assert later["batch"] is batch.body["batch"]
    assert later["sentAt"] != batch.body["sentAt"] == batch.sent_at(batch.sent)["sentAt"]


def test_every_event_meets_the_fate_that_the_truth_says():
    world = World(150, days=30, dirt=Dirt(duplicates=0.05, bad=0.02, bad_sales=0.4, blocked=0.02))
    book = Book(Compiled(contract) for contract in starter_contracts())
    limits = Limits(event_bytes_max=32_768, future_seconds_max=86_400, past_days_max=36_500)
    seen: set[tuple[str, str]] = set()
    reasons = Counter()
    for batch, place, item in decoded(world, list(world.batches())):
        truth = batch.truth[place]
        if item.event is None:
            codes = {reason.code for reason in item.reasons}
        else:
            verdict = judged(item.event, len(msgspec.json.encode(item.raw)), book, limits)
            codes = {reason.code for reason in verdict.hard}
            codes |= {reason.code for reason in verdict.contract} if verdict.quarantines else set()
        doubled = (batch.source, truth.message_id) in seen
        seen.add((batch.source, truth.message_id))
        fate = "duplicate" if doubled else "quarantined" if codes else "stored"
        assert (fate, truth.reason in codes) == (truth.fate, truth.reason != ""), (truth, codes)
        reasons[truth.reason] += 1
    assert len(reasons) == 8  # seven faults and none


def test_expected_totals_are_what_is_sent(world, batches):
    expected = world.expected()
    fates = Counter((truth.source, truth.fate) for batch in batches for truth in batch.truth)
    for source in world.sources():
        counted = [getattr(expected, fate)[source.name] for fate in ("stored", "duplicate", "quarantined")]
        assert counted == [fates[source.name, fate] for fate in ("stored", "duplicate", "quarantined")]
        assert sum(counted) == expected.received[source.name]
    assert expected.sent == sum(fates.values())
    assert expected.late > 0
    assert expected.wrong_clock > 0


def test_dirt_comes_in_the_declared_proportions():
    dirt = Dirt(duplicates=0.1, bad=0.05, bad_sales=0.5, blocked=0.0, late=0.1, wrong_clocks=0.0)
    totals = World(400, days=20, dirt=dirt).expected()
    originals = totals.sent - sum(totals.duplicate.values())
    assert sum(totals.duplicate.values()) / originals == pytest.approx(dirt.duplicates, abs=0.015)
    web_bad = totals.reasons["identifier_missing"] / (totals.received["web"] + totals.received["app"])
    assert web_bad == pytest.approx(dirt.bad, abs=0.01)
    assert totals.wrong_clock == 0


def test_a_clean_world_is_clean():
    totals = World(100, days=10, dirt=CLEAN).expected()
    assert totals.stored == totals.received
    assert (totals.late, totals.wrong_clock) == (0, 0)


def test_a_duplicate_follows_its_original_with_a_new_sent_at(batches):
    first: dict[str, tuple[str, dict]] = {}
    doubled = 0
    for batch in batches:
        for message, truth in zip(batch.body["batch"], batch.truth, strict=True):
            if truth.fate == "duplicate":
                sent_at, original = first[truth.message_id]
                assert message == original
                assert batch.body["sentAt"] > sent_at
                doubled += 1
            else:
                assert truth.message_id not in first
                first[truth.message_id] = (batch.body["sentAt"], message)
    assert doubled > 0


def test_messages_have_the_wire_form(world, batches):
    sources = {source.name for source in world.sources()}
    web_bytes = []
    for batch in batches:
        assert batch.source in sources
        assert batch.endpoint == "/v1/batch"
        assert set(batch.body) == {"batch", "sentAt"}
        assert len(batch.encode()) < 500_000
        for message, truth in zip(batch.body["batch"], batch.truth, strict=True):
            assert message["type"] in ("track", "identify", "page", "screen")
            assert 0 < len(message["messageId"]) <= 100
            assert message["timestamp"].endswith("Z")
            assert message["context"]["library"]["name"]
            if truth.reason == "":
                assert (message["type"] == "track") == ("event" in message)
            if batch.source == "web":
                web_bytes.append(len(msgspec.json.encode(message)))
    assert 850 < sum(web_bytes) / len(web_bytes) < 1_200


def test_all_channels_and_the_whole_vocabulary_occur(clean, facts):
    names = {fact.message.get("event") for fact in facts}
    assert {clean.sources()[fact.source].name for fact in facts} == {source.name for source in clean.sources()}
    assert names >= {
        *("Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Products Searched"),
        *("Receipt Issued", "Product Returned", "Loyalty Card Scanned", "Loyalty Points Earned", "Order Picked Up"),
        *("Store Visited", "Product Tried", "Call Received", "Call Ended", "Case Opened", "Case Closed"),
        *("Lead Created", "Lead Qualified", "Lead Won", "Lead Lost", "Ad Clicked"),
        *("Email Sent", "Email Opened", "Email Clicked", "Message Received", "Message Sent"),
        *("Survey Sent", "Survey Answered", "Review Posted", "Consent Given", "Consent Withdrawn"),
    }


def test_somebody_logs_out_and_a_relative_logs_in_on_the_family_tablet(clean, facts):
    shared = {i.value for i in clean.truth.identifiers() if i.kind == "anonymous_id" and i.status == "household"}
    users = defaultdict(set)
    for fact in facts:
        if fact.message.get("anonymousId") in shared and fact.message.get("userId"):
            users[fact.message["anonymousId"]].add(fact.message["userId"])
    assert max(map(len, users.values())) >= 2


def test_a_journey_ends_in_a_purchase_exactly_when_the_truth_says(clean, facts):
    last = clean.days - REACH_DAYS - 1
    told = Counter()
    for fact in facts:
        properties = fact.message.get("properties", {})
        if fact.message.get("event") in ("Order Completed", "Receipt Issued"):
            number = properties.get("order_id") or properties["receipt_id"].partition("-")[2]
            person, day = number.lstrip("WM").split("-")
            assert int(person) == fact.person
            told[int(person), int(day)] += int(day) <= last
    bought = {(journey.person, journey.day) for journey in clean.truth.journeys() if journey.bought}
    assert {journey for journey, count in told.items() if count} == {(p, day) for p, day in bought if day <= last}
    assert set(told.values()) <= {0, 1}


def test_journeys_start_in_one_channel_and_end_in_another(clean, facts):
    kinds = {(journey.person, journey.day): journey.kind for journey in clean.truth.journeys() if journey.bought}
    channels = defaultdict(set)
    for fact in facts:
        properties = fact.message.get("properties", {})
        for name in ("order_id", "receipt_id", "lead_id", "case_id", "conversation_id"):
            number = str(properties.get(name, "")).partition("-")[2] if name == "receipt_id" else properties.get(name)
            if number and number.lstrip("WMLQHR").count("-") == 1:
                person, day = map(int, number.lstrip("WMLQHR").split("-"))
                channels[kinds.get((person, day))].add(clean.sources()[fact.source].name)
    assert channels["click_and_collect"] == {"web", "pos"}
    assert channels["lead_call_store"] == {"social", "call_center", "pos"}
    assert channels["whatsapp_question"] == {"whatsapp", "pos", "web"}
    assert {kind.name for kind in KINDS if kind.purchase > 0} <= set(channels)


def test_treated_and_held_out_differ_by_what_the_campaign_caused():
    truth = World(15_000, days=60).truth
    for campaign in truth.campaigns:
        for effect, lift in zip(truth.effects(campaign.name), campaign.lifts, strict=True):
            assert effect.treated + effect.held_out > 800
            # A purchase is rare, so the variance of a person's number of purchases is about its mean.
            error = (effect.mean_treated / effect.treated + effect.mean_held_out / effect.held_out) ** 0.5
            assert effect.mean_treated - effect.mean_held_out == pytest.approx(effect.caused, abs=4 * error)
            untreated = effect.mean_treated - effect.caused
            assert effect.caused == pytest.approx(lift * untreated, abs=0.5 * abs(lift) * untreated)


def test_treatment_is_seen_in_the_messages_that_went_out(clean, facts):
    reached = defaultdict(set)
    for fact in facts:
        campaign = fact.message.get("properties", {}).get("campaign")
        if fact.message.get("event") in ("Email Sent", "Message Sent") and campaign:
            reached[campaign].add(fact.person)
    everybody = numpy.arange(500)
    for campaign in clean.truth.campaigns:
        treated = set(everybody[clean.truth.treated(campaign.name, everybody)].tolist())
        held_out = set(everybody[clean.truth.held_out(campaign.name, everybody)].tolist())
        assert reached[campaign.name] == treated
        assert not treated & held_out
        assert len(held_out) > 100


def test_an_unknown_campaign_is_refused(world):
    with pytest.raises(ValueError, match="expected campaign to be one of rebajas"):
        world.truth.effects("navidad")


def test_legacy_files_tell_of_the_same_people(world, tmp_path):
    counts = write_files(world, tmp_path / "legacy")
    known = {identifier.value for identifier in world.truth.identifiers()}
    customers = list(
        csv.DictReader((tmp_path / "legacy/crm_customers.csv").read_text("latin-1").splitlines(), delimiter=";")
    )
    members = [json.loads(line) for line in (tmp_path / "legacy/loyalty_members.jsonl").read_text("utf-8").splitlines()]
    receipts = list(csv.DictReader((tmp_path / "legacy/store_receipts.csv").read_text("utf-8").splitlines()))
    calls = list(csv.DictReader((tmp_path / "legacy/call_log.tsv").read_text("utf-8").splitlines(), delimiter="\t"))
    assert list(counts.values()) == [len(customers), len(members), len(receipts), len(calls)]
    assert min(counts.values()) > 0
    assert {row["cliente"] for row in customers} <= known
    assert {member["card"] for member in members} <= known
    assert {row["customer"] for row in receipts} - {""} <= known
    assert {e164(row["phone"]) for row in calls} <= known
    assert all(is_gtin(row["gtin"]) for row in receipts)
    assert "ñ" in (tmp_path / "legacy/crm_customers.csv").read_text("latin-1").lower()


class Door(http.server.BaseHTTPRequestHandler):
    """A server that says what `answers` tells it to, then 200, and keeps what it accepts."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # an answer leaves in one piece
    answers: list[int]
    seen: list[tuple[str, dict]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.answers.pop(0) if self.answers else 200
        self.seen.append((f"{status} {self.headers['Authorization']}", body))
        self.send_response(status)
        if status in (429, 503):
            self.send_header("Retry-After", "0.01")
        self.send_header("Content-Length", "16")
        self.end_headers()
        self.wfile.write(b'{"success": true}'[:16])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def door() -> Iterator[tuple[str, type[Door]]]:
    kind = type("OwnDoor", (Door,), {"answers": [], "seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", kind
        finally:
            server.shutdown()
            thread.join()


def keys(world: World) -> dict[str, str]:
    return {source.name: f"key-{source.name}" for source in world.sources()}


def test_sending_tries_again_with_the_same_ids_until_everything_is_accepted(world, batches, door):
    url, kind = door
    kind.answers += [503, 429, 503]
    progress: list[Delivery] = []
    delivery = send_http(url, keys(world), batches[:40], progress.append, connections=3)
    accepted = [body for answer, body in kind.seen if answer.startswith("200")]
    sent = Counter(message["messageId"] for batch in batches[:40] for message in batch.body["batch"])
    assert Counter(message["messageId"] for body in accepted for message in body["batch"]) == sent
    assert (delivery.events, delivery.requests, delivery.retries) == (sent.total(), 40, 3)
    assert [so_far.requests for so_far in progress] == list(range(1, 41))
    assert progress[-1].events == sent.total()
    assert all(answer.split()[1] == "Basic" for answer, _ in kind.seen)


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorised), (400, StorageBroken), (503, Busy)])
def test_sending_ends_when_it_is_refused_for_good(world, batches, door, status, error):
    url, kind = door
    kind.answers += [status] * 1_000
    with pytest.raises(error):
        send_http(url, keys(world), batches, connections=1, patience_seconds=0.03)


def test_sending_needs_a_key_for_every_source(world, batches, door):
    with pytest.raises(NotFound, match="no write key"):
        send_http(door[0], {"nobody": "k"}, batches)


def test_sending_needs_an_address(world):
    with pytest.raises(ValueError, match="expected url to begin with"):
        send_http("localhost:8080", {}, [])


@pytest.mark.parametrize(("events", "identifiers"), [(5_000, 1_600), (1_000, 1_000), (7, 100), (50, 1)])
def test_the_load_has_as_many_events_and_identifiers_as_it_says(events, identifiers):
    source = Load(events, identifiers, seed=3)
    found: set[tuple[str, str]] = set()
    ids: set[str] = set()
    for body in source.bodies(64):
        for message in msgspec.json.decode(body)["batch"]:
            ids.add(message["messageId"])
            found.add(("anonymous_id", message["anonymousId"]))
            if "userId" in message:
                found.add(("user_id", message["userId"]))
            if message["type"] == "identify":
                found.add(("email", message["traits"]["email"]))
    assert len(ids) == events
    assert len(found) == source.identifiers
    if identifiers <= events:
        assert source.identifiers == pytest.approx(identifiers, abs=3)


def test_the_load_is_repeatable_and_of_the_wanted_size():
    bodies = list(load(4_000, 1_000, seed=5, event_bytes=1_060))
    assert bodies == list(load(4_000, 1_000, seed=5, event_bytes=1_060))
    assert bodies != list(load(4_000, 1_000, seed=6, event_bytes=1_060))
    assert sum(map(len, bodies)) / 4_000 == pytest.approx(1_060, rel=0.05)
    names = Counter(message.get("event") for body in bodies for message in msgspec.json.decode(body)["batch"])
    assert len(names) == 13  # twelve events, and identify


@pytest.mark.parametrize("often", [1, 2, 3])
def test_the_past_of_the_shop_is_told_while_the_clerk_of_today_is_at_work(tmp_path, monkeypatch, often):
    """For whom it is all long ago: what was not collected in time is given up between any two steps."""
    with Platform.open(Settings({"data": str(tmp_path / "data")})) as platform:
        commands = count()

        class Disturbed(orders.Commerce):
            def do(self, command):
                if next(commands) % often == 0:
                    assert not any(isinstance(one, Exception) for one in platform.commerce.writer.do_all(CHORES))
                return super().do(command)

        monkeypatch.setattr(orders, "Commerce", Disturbed)
        catalogue.furnish(platform)
        orders.furnish(platform, ["email:ana@tienda.es"], orders=60)
        found = questions.page(platform.commerce, questions.Which(text=orders.NUMBERS), limit=50)
        assert len(found) == 50
        whys = [entry.why for order in found for entry in questions.history(platform.commerce, order.id)]
        assert "time ran out" in whys
