"""Quarantine in the console: every reason in words, faults in place, mended one by one and by the thousand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.app import Platform
from cauce.app.mending import Mending
from cauce.console.areas import quarantine_parts as parts
from cauce.console.areas.quarantine_words import REASONS
from cauce.console.words import words_of
from cauce.model import Reason, Source
from cauce.quality.api import REASONS as JUDGED
from cauce.quality.api import Which
from cauce.quality.mending import Mend, Step, read_mend
from tests.console.seat import Seat, seated

pytestmark = pytest.mark.soak

HOSTILE = "<script>alert(1)</script>\"&'"
ORDER = {"order_id": "o1", "total": "27,50", "currency": "EUR"}
DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


def order(number: int, **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": f"buyer-{number}",
        "messageId": f"bad-{number}",
        "timestamp": "2026-10-05T10:00:00Z",
        "properties": {**ORDER, "order_id": f"o{number}", **properties},
    }


def send(platform: Platform, *events: Any) -> list[int]:
    """Sends events to the source *web*; positions of what is open in quarantine afterwards, newest first."""
    platform.append("web", "tracking", [msgspec.json.encode({"batch": list(events)})])
    platform.drain()
    return [entry.position for entry in platform.quality.page(Which())]


@pytest.fixture
def bare_seat(tmp_path: Path) -> Iterator[Seat]:
    """An installation with one source, in which nothing has happened yet."""
    with seated(tmp_path / "data") as seat:
        seat.platform.sources.add(Source("web", "web"))
        yield seat


@pytest.fixture
def bad_seat(bare_seat: Seat) -> Seat:
    """Three orders whose total is a text."""
    send(bare_seat.platform, *(order(number) for number in range(3)))
    return bare_seat


def only(seat: Seat, **which: Any) -> Any:
    (entry,) = seat.platform.quality.page(Which(name="Order Completed", **which))
    return entry


# -- words ------------------------------------------------------------------------------------------------------


def test_every_reason_has_its_sentences() -> None:
    page = (DOCUMENTS / "reference/reasons.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.M))
    assert documented >= JUDGED.keys()
    assert documented <= REASONS.keys()


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_reason_is_said_in_every_language(code: str, language: str) -> None:
    (told,) = parts.told([Reason(code, "/properties/x", "number", "text of 3 characters")], words_of(language))
    assert all(told[part] for part in ("name", "wrong", "mend", "expected", "found"))
    if language == "es":
        assert told["name"] != REASONS[code].name
        assert (told["expected"], told["found"]) == ("número", "texto de 3 caracteres")


def test_what_was_expected_is_said_in_words() -> None:
    spanish = words_of("es")
    assert parts.in_words("text or number", spanish) == "texto o número"
    assert parts.in_words("one of a, b", spanish) == "uno de a, b"
    assert parts.in_words("something new", spanish) == "something new"


# -- the event, with its faults ---------------------------------------------------------------------------------


def test_faults_stand_in_their_place() -> None:
    document = {"event": "Order", "properties": {"total": "x", "products": [{"q": 1}, {"q": "2"}]}}
    reasons = [
        Reason("type_wrong", "/properties/total"),
        Reason("property_missing", "/properties/currency"),
        Reason("type_wrong", "/properties/products/1/q"),
        Reason("identifier_missing", ""),
    ]
    lines = parts.lines_of(document, reasons)
    assert {line.pointer: line.faults for line in lines if line.faults} == {
        "/properties/total": (1,),
        "/properties/currency": (2,),
        "/properties/products/1/q": (3,),
    }
    assert [line.key for line in lines if line.missing] == ['"currency": ']
    shown = "\n".join(line.key + line.text for line in lines if not line.missing)
    assert msgspec.json.decode(shown) == document


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=50)
@given(document=JSON, path=st.text("/ab*0~1", max_size=8))
def test_lines_are_the_document(document: Any, path: str) -> None:
    lines = parts.lines_of(document, [Reason("type_wrong", f"/{path}")])
    text = "\n".join("  " * line.depth + line.key + line.text for line in lines if not line.missing)
    assert msgspec.json.decode(text) == document


def test_a_huge_event_is_shown_in_part() -> None:
    lines = parts.lines_of({str(number): "x" * 5_000 for number in range(5_000)}, [])
    assert len(lines) == parts.LINES_MAX + 1
    assert max(len(line.text) for line in lines) < 2_100


# -- pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
def test_groups_lead_to_their_entries(bad_seat: Seat, language: str) -> None:
    client = bad_seat.client("steward", language=language)
    page = client.page("/quarantine")
    address = next(unescape(found) for found in re.findall(r'href="(/quarantine/entries\?[^"]+type_wrong[^"]+)"', page))
    listed = client.page(address)
    assert len(re.findall(r'href="/quarantine/\d+"', listed)) == 3
    assert ("Wrong type" if language == "en" else "Tipo incorrecto") in listed


def test_an_entry_says_what_is_wrong_and_whether_it_would_pass(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    page = bad_seat.client("steward").page(f"/quarantine/{position}")
    assert "Wrong type" in page
    assert 'class="line faulty"' in page
    assert "It would still break its contract, in 1 place." in page
    assert "/quarantine/mend?" in page


def test_entries_are_paged_by_cursor(bare_seat: Seat) -> None:
    send(bare_seat.platform, *(order(number) for number in range(60)))
    client = bare_seat.client("steward")
    first = client.page("/quarantine/entries?reason=type_wrong")
    second = client.page(unescape(re.search(r'href="(/quarantine/entries\?[^"]*before[^"]*)"', first)[1]))  # type: ignore[index]
    seen = re.findall(r'href="/quarantine/(\d+)"', first) + re.findall(r'href="/quarantine/(\d+)"', second)
    assert len(seen) == len(set(seen)) == 60


def test_nothing_in_quarantine_is_good_news(bare_seat: Seat) -> None:
    page = bare_seat.client("steward", language="es").page("/quarantine")
    assert "No hay nada en cuarentena" in page


@pytest.mark.parametrize(
    "address",
    [
        "/quarantine/entries?state=strange",
        "/quarantine/entries?reason=%27",
        "/quarantine/entries?before=abc",
        "/quarantine/entries?before=99999999999999999999999",
    ],
)
def test_a_senseless_address_is_explained(seat: Seat, address: str) -> None:
    assert seat.client("steward").get(address).status_code in (404, 422)


def test_an_entry_that_is_not_there(seat: Seat) -> None:
    seat.client("steward").page("/quarantine/7", 404)


def test_hostile_events_are_only_text(bare_seat: Seat) -> None:
    evil = order(1, **{HOSTILE: HOSTILE, "currency": HOSTILE})
    evil["event"] = HOSTILE
    evil["type"] = HOSTILE
    mended_evil = {**order(2, currency=HOSTILE), "messageId": HOSTILE}
    positions = send(bare_seat.platform, evil, mended_evil)
    client = bare_seat.client("owner")
    for address in (
        "/quarantine",
        "/quarantine/entries?state=any",
        "/quarantine/entries?name=" + HOSTILE,
        *(f"/quarantine/{position}" for position in positions),
        "/quarantine/mend?state=open",
    ):
        assert "<script>alert" not in client.get(address).text, address
    answer = client.send(
        "/quarantine/mend", page="/quarantine/mend", do="set", at="/" + HOSTILE, value=HOSTILE, sort="text", patch=""
    )
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


# -- one --------------------------------------------------------------------------------------------------------


def test_an_edit_is_judged_while_it_is_written(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    client = bad_seat.client("steward")

    def verdict(raw: str) -> str:
        return str(client.send(f"/quarantine/{position}/check", page=f"/quarantine/{position}", raw=raw).text)

    assert "It would pass now" in verdict(json.dumps(order(2, total=27.5)))
    assert "still break" in verdict(json.dumps(order(2)))
    assert "no JSON" in verdict("{")
    assert bad_seat.platform.quality.entry(position).state == "open"


def test_from_quarantine_to_the_person(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    client = bad_seat.client("steward")
    answer = client.send(
        f"/quarantine/{position}/replay", page=f"/quarantine/{position}", raw=json.dumps(order(2, total=27.5))
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"/quarantine/{position}")
    page = client.page(f"/quarantine/{position}")
    person = bad_seat.platform.people.locate("user_id:buyer-2")
    assert f"/people/{person.text}" in page
    assert "Replayed and stored" in page
    timeline = bad_seat.platform.profiles.timeline(person.id).events
    assert timeline[0].event.properties["total"] == 27.5
    noted = bad_seat.platform.audit.entries(limit=10).entries
    assert "quarantine.replayed" in [entry.action for entry in noted if entry.subject == str(position)]


def test_a_replay_that_mends_nothing_says_so(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    client = bad_seat.client("steward")
    client.send(f"/quarantine/{position}/replay", page=f"/quarantine/{position}", raw=json.dumps(order(2, total="?")))
    page = client.page(f"/quarantine/{position}")
    assert "still breaks its contract" in page
    assert "Replayed, and still broken" in page
    assert bad_seat.platform.quality.entry(position).state == "open"


def test_a_text_that_is_no_json_comes_back_to_be_mended(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    client = bad_seat.client("steward")
    answer = client.send(f"/quarantine/{position}/replay", page=f"/quarantine/{position}", raw="{ not json")
    assert answer.status_code == 422
    assert "{ not json" in unescape(answer.text)


def test_nonsense_bytes_can_be_mended_as_text(bare_seat: Seat) -> None:
    bare_seat.platform.append("web", "tracking", [b'{"batch": [{"nonsense"'])
    position = send(bare_seat.platform)[0]
    client = bare_seat.client("steward")
    assert "Unreadable" in client.page(f"/quarantine/{position}")
    raw = json.dumps({"batch": [order(7, total=1)]})
    answer = client.send(f"/quarantine/{position}/check", page=f"/quarantine/{position}", raw=raw)
    assert "It would pass now" in answer.text


def test_a_drop_needs_a_reason(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    client = bad_seat.client("steward")
    assert client.send(f"/quarantine/{position}/drop", page=f"/quarantine/{position}", why="  ").status_code == 422
    client.send(f"/quarantine/{position}/drop", page=f"/quarantine/{position}", why=HOSTILE)
    entry = bad_seat.platform.quality.entry(position)
    assert (entry.state, entry.why, entry.decided_by) == ("dropped", HOSTILE, "the-steward")
    page = client.page(f"/quarantine/{position}")
    assert "Dropped" in page
    assert "<script>" not in page.split("<main")[1]
    assert client.send(f"/quarantine/{position}/drop", page="/quarantine/mend", why="x").status_code == 409


# -- many -------------------------------------------------------------------------------------------------------


CHANGE = {"do": "number", "at": "/properties/total", "value": "", "sort": "text", "patch": ""}


def test_many_are_mended_after_a_look(bad_seat: Seat) -> None:
    send(bad_seat.platform, order(9, currency="pesetas"))
    client = bad_seat.client("steward")
    form = {"page": "/quarantine/mend?reason=type_wrong", "reason": "type_wrong", **CHANGE}
    seen = client.send("/quarantine/mend", **form).text
    figures = re.findall(r"<dd[^>]*>(\d+)</dd>", seen)
    assert figures == ["3", "1", "4", "4"]
    assert seen.count('<ins class="mono">27.5</ins>') == 4
    assert "Unknown currency" in seen
    answer = client.send("/quarantine/mend/replay", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/quarantine")
    assert "3 events replayed. 1 left as it was" in client.page("/quarantine")
    assert only(bad_seat).event_id == "bad-9"


def test_the_form_suggests_what_mends_the_reason(bad_seat: Seat) -> None:
    page = bad_seat.client("steward").page("/quarantine/mend?reason=type_wrong")
    assert '<option value="number" selected>' in page
    assert 'value="/properties/total"' in page


def test_a_change_can_be_added_without_script(bad_seat: Seat) -> None:
    client = bad_seat.client("steward")
    page = client.send(
        "/quarantine/mend", page="/quarantine/mend?reason=type_wrong", reason="type_wrong", add="yes", **CHANGE
    )
    assert page.text.count('<fieldset class="change">') == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at": "total"}, "JSON pointer"),
        ({"patch": "{"}, "not JSON"),
        ({"do": "set", "sort": "number", "value": "many"}, "no number"),
        ({"do": "explode"}, "one of set"),
    ],
)
def test_a_senseless_change_is_explained(bad_seat: Seat, change: dict[str, str], said: str) -> None:
    client = bad_seat.client("steward")
    answer = client.send("/quarantine/mend", page="/quarantine/mend", **{**CHANGE, **change})
    assert answer.status_code == 422
    assert said in unescape(answer.text)


def test_a_multitude_goes_in_portions(bad_seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cauce.app.mending.PORTION_ENTRIES", 2)
    client = bad_seat.client("steward")
    form: dict[str, str] = {"reason": "type_wrong", **CHANGE}
    first = client.send("/quarantine/mend/replay", page="/quarantine/mend", **form)
    assert first.status_code == 200
    assert "2 events replayed so far" in first.text
    hidden = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', first.text.split("data-goes-on")[1])
    )
    hidden.pop("csrf")
    client.send(
        "/quarantine/mend/replay", page="/quarantine/mend", **{name: unescape(value) for name, value in hidden.items()}
    )
    assert "3 events replayed." in client.page("/quarantine")
    assert bad_seat.platform.quality.count(Which(name="Order Completed")) == 0


def test_many_are_dropped_with_one_reason(bad_seat: Seat) -> None:
    client = bad_seat.client("steward")
    answer = client.send("/quarantine/drop", page="/quarantine/mend", reason="type_wrong", why="load test")
    assert answer.status_code == 303
    dropped = bad_seat.platform.quality.page(Which(name="Order Completed", state="dropped"))
    assert [entry.why for entry in dropped] == ["load test"] * 3


# -- who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["marketer", "analyst", "agent", "store_staff", "privacy"])
def test_others_do_not_see_it(seat: Seat, role: str) -> None:
    for address in ("/quarantine", "/quarantine/entries", "/quarantine/1", "/quarantine/mend"):
        seat.client(role).page(address, 403)


def test_a_form_without_its_token_changes_nothing(bad_seat: Seat) -> None:
    position = send(bad_seat.platform)[0]
    for address in (f"/quarantine/{position}/drop", f"/quarantine/{position}/replay", "/quarantine/drop"):
        assert bad_seat.client("steward").post(address, data={"why": "x", "csrf": "wrong"}).status_code == 403
    assert bad_seat.platform.quality.entry(position).state == "open"


# -- the same judgement as the river ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worn_seat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    """An installation of its own, in which anything may be replayed."""
    with seated(tmp_path_factory.mktemp("worn") / "data") as seat:
        seat.platform.sources.add(Source("web", "web"))
        yield seat


VALUES = st.sampled_from(["27,50", "27.5", 27.5, -1, None, "", "EUR", "eur", True, [], {}, "x" * 300])


@given(
    total=VALUES,
    currency=VALUES,
    event=st.sampled_from(["Order Completed", "Other", "", None, 7]),
    user=st.sampled_from(["u1", "", None]),
    when=st.sampled_from(["2026-10-05T10:00:00Z", "2999-01-01T00:00:00Z", "yesterday"]),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_trial_judges_as_the_river_does(
    worn_seat: Seat, total: Any, currency: Any, event: Any, user: Any, when: str
) -> None:
    platform = worn_seat.platform
    number = platform.log.end()
    send(platform, {**order(number), "userId": ""})
    entry = platform.quality.page(Which(), limit=1)[0]
    raw = {**order(number, total=total, currency=currency), "event": event, "userId": user, "timestamp": when}
    outcome = Mending(platform).try_item(entry, raw)
    platform.replay_quarantined(platform.quality.request_of([(entry, raw)]), "sara")
    after = platform.quality.entry(entry.position)
    assert outcome.passes is (after.state == "replayed")
    if not outcome.passes:
        assert outcome.reasons == after.reasons


def test_a_preview_changes_nothing(bad_seat: Seat) -> None:
    platform = bad_seat.platform
    end = platform.log.end()
    mend = read_mend([{"do": "number", "at": "/properties/total"}])
    found = Mending(platform).preview(Which(name="Order Completed"), mend)
    assert (found.chosen, found.passing) == (3, 3)
    assert platform.log.end() == end
    assert found.shown[0].after["properties"]["total"] == 27.5


def test_what_is_no_json_is_left_alone_by_changes(bare_seat: Seat) -> None:
    bare_seat.platform.append("web", "tracking", [b"{nonsense"])
    bare_seat.platform.drain()
    mending = Mending(bare_seat.platform)
    mend = Mend((Step("remove", "/x"),))
    found = mending.preview(Which(reason="unreadable"), mend)
    assert (found.passing, found.shown[0].after) == (0, "{nonsense")
    portion = mending.replay_portion(Which(reason="unreadable"), mend, "sara")
    assert (portion.looked_at, portion.replayed) == (1, 0)
