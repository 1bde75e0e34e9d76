"""SQL in the console: grid, chart, files, limits; and nobody sees a personal value who may not."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cauce.app import Platform
from cauce.app.questions import AT_ONCE_MAX
from cauce.console.areas import data_parts as parts
from cauce.console.areas.data_words import EXAMPLES, VIEWS
from cauce.console.words import words_of
from cauce.errors import Busy, CauceError, Conflict, DefinitionInvalid, NotFound, TooLarge, Unsupported
from cauce.events.sql import place_of
from cauce.model import Source
from cauce.settings import Settings
from tests.console.seat import Seat

pytestmark = pytest.mark.soak

SECRETS = (
    "ana@tienda.es",
    "+34612345678",
    "612345678",
    "Anabella",
    "Zorrilla",
    "Calle Mayor",
    "LOY-777",
    "203.0.113.9",
    "verysecretvalue",
)
"""Values of a person; none of them may be seen by who may not see personal data, whatever the statement."""
HOSTILE = "<script>alert(1)</script>"


def told() -> list[dict[str, Any]]:
    """Calls in which a person's values stand in every place that there is."""
    who = {"userId": "u-1", "anonymousId": "a-1", "timestamp": "2026-10-05T10:00:00Z"}
    context = {
        "ip": "203.0.113.9",
        "traits": {"email": "ana@tienda.es"},
        "page": {"path": "/x", "url": "https://x.es/?mail=ana@tienda.es"},
        "campaign": {"name": "ana@tienda.es", "source": "news"},
        "userAgent": "verysecretvalue",
    }
    return [
        {
            **who, "type": "identify", "messageId": "m1", "context": context,
            "traits": {
                "email": "ana@tienda.es", "firstName": "Anabella", "lastName": "Zorrilla", "phone": "+34612345678",
                "address": {"street": "Calle Mayor"}, "plan": "gold", "secret": "verysecretvalue",
            },
        },
        {
            **who, "type": "track", "event": "Order Completed", "messageId": "m2", "context": context,
            "properties": {
                "order_id": "o1", "total": 27.5, "currency": "EUR", "coupon": "ana@tienda.es",
                "affiliation": "+34 612 345 678", "card_holder": "Anabella Zorrilla", "loyalty_number": "LOY-777",
                "shipping": 3, "note": {"deep": ["verysecretvalue"]},
                "products": [{"sku": "S1", "name": "Falda", "quantity": 1, "engraving": "Anabella"}],
            },
        },
        {**who, "type": "track", "event": "Lead Written", "messageId": "m3", "properties": {"name": "Anabella"}},
        {**who, "type": "page", "name": "Hola ana@tienda.es", "messageId": "m4", "properties": {"title": "Anabella"}},
    ]  # fmt: skip


@contextmanager
def opened(folder: Path, history_rows: int) -> Iterator[Seat]:
    with Platform.open(Settings({"data": str(folder), "history_rows": history_rows})) as platform:
        yield Seat(platform)


def write_files(platform: Platform) -> None:
    """Lets the river write its history files, which it does beside its work."""
    with platform.running() as runner:
        while not platform.reader.select("select count(*) from history_file")[0][0]:
            runner.idle()
            time.sleep(0.005)


@pytest.fixture(scope="module")
def personal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    """An installation that knows somebody; all its events are in no history file yet."""
    yield from knowing_somebody(tmp_path_factory.mktemp("personal") / "data", 1_000)


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    """The same, and its events are in history files."""
    yield from knowing_somebody(tmp_path_factory.mktemp("filed") / "data", 1)


def knowing_somebody(folder: Path, history_rows: int) -> Iterator[Seat]:
    with opened(folder, history_rows) as seat:
        platform = seat.platform
        platform.sources.add(Source("web", "web"))
        platform.append("web", "tracking", [msgspec.json.encode({"batch": told()})])
        platform.drain()
        word = {"identifier": "email:ana@tienda.es", "trait": "firstName", "value": "Anabella", "why": "Zorrilla"}
        platform.decide("trait.set", word, "sara")
        platform.drain()
        if history_rows == 1:
            write_files(platform)
        yield seat


def ask(seat: Seat, statement: str, *, may: bool = False) -> str:
    """Everything that an answer says."""
    answer = seat.platform.questions.ask("tests", statement, personal=may)
    return json.dumps([answer.result.columns, answer.result.rows], default=str, ensure_ascii=False)


# -- masked -----------------------------------------------------------------------------------------------------


ATTEMPTS = (
    *(f"from {view}" for view in VIEWS),
    "select * exclude (id) from events",
    "select columns(*) from events",
    "select events from events",
    "select to_json(events) from events",
    "select identifiers, traits, properties, context from events where type = 'identify'",
    "select unnest(identifiers) from events",
    "select json_keys(properties), properties->'$.note' from events",
    "select properties->>'$.card_holder', properties->>'$.products[0].engraving' from events",
    "select (select string_agg(value, ',') from identifiers)",
    "with seen as (select * from traits) select * from seen",
    "select * from events e join identifiers i on i.id = e.subject join traits t on t.person = i.person",
    "pivot traits on name using first(value)",
    "summarize traits",
    "summarize events",
    "describe events",
    "show tables",
    "explain analyze select * from identifiers",
    "select * from events where properties->>'$.total' = '27.5' union all by name select * from decisions",
    "from decisions select properties, context",
    "select list(traits), min(name), max(name) from events group by type",
)


@pytest.mark.parametrize("statement", ATTEMPTS)
def test_no_statement_shows_a_personal_value(personal: Seat, statement: str) -> None:
    answer = ask(personal, statement)
    assert not [secret for secret in SECRETS if secret in answer], answer


@pytest.mark.parametrize("statement", ["from events", "from decisions", "select unnest(identifiers) from events"])
def test_nor_does_one_over_files(filed: Seat, statement: str) -> None:
    answer = ask(filed, statement)
    assert not [secret for secret in SECRETS if secret in answer], answer
    assert "h_" in ask(filed, "select identifiers[1].value from events where type = 'identify'")


def test_who_may_sees_them(personal: Seat) -> None:
    answers = "".join(ask(personal, f"from {view}", may=True) for view in VIEWS)
    assert not [secret for secret in SECRETS if secret not in answers]


def test_what_leads_to_nobody_stays(personal: Seat) -> None:
    asked = personal.platform.questions.ask(
        "tests",
        "select properties->>'$.total', properties->>'$.products[0].name', properties->>'$.order_id', person "
        "from events where name = 'Order Completed'",
        personal=False,
    )
    ((total, name, order, person),) = asked.result.rows
    assert (float(total), name, order) == (27.5, "Falda", "o1")
    assert person == personal.platform.people.locate("email:ana@tienda.es").text
    plans = personal.platform.questions.ask("tests", "select traits->>'$.plan' from events", personal=False)
    assert ("gold",) in plans.result.rows
    assert "revenue_total" in ask(personal, "select name, value from traits where sort = 'computed' and value = '27.5'")


def test_equal_values_stay_equal(personal: Seat) -> None:
    answer = personal.platform.questions.ask(
        "tests",
        "select count(*), count(distinct value) from identifiers where kind in ('email', 'phone')",
        personal=False,
    )
    clear = personal.platform.questions.ask(
        "tests",
        "select count(*), count(distinct value) from identifiers where kind in ('email', 'phone')",
        personal=True,
    )
    assert answer.result.rows == clear.result.rows


@pytest.mark.parametrize(
    "statement",
    [
        "from read_parquet('{folder}/history/**/*.parquet')",
        "from '{folder}/history/x.parquet'",
        "select * from events, read_text('{folder}/secret.key')",
        "select * from events, glob('{folder}/*')",
        "from sniff_csv('{folder}/x.csv')",
        "from \"READ_BLOB\"('{folder}/secret.key')",
        "from main.read_text('{folder}/secret.key')",
        "attach '{folder}/state.db' as other",
        "copy (select 1) to '{folder}/out.csv'",
        "explain analyze copy (select 1) to '{folder}/out.csv'",
        "export database '{folder}/out'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "call pragma_version()",
        "from duckdb_settings()",
        "from duckdb_views",
        "from duckdb_secrets()",
        "from information_schema.tables",
        "from sqlite_master",
        "from pg_catalog.pg_class",
        "from stored_event",
        "from unwritten_event",
        "select * from events where exists (select 1 from unwritten_event)",
        "from query('from unwritten_event')",
        "from query_table('unwritten_event')",
        "select current_setting('allowed_paths')",
        "select \"current_setting\" ('secret_directory')",
        "select getenv('HOME')",
        "select getvariable('x')",
        "select 1; select 2",
        "create table x as from events",
        "delete from events",
        "select pg_sleep(100)",
        "select sleep_ms(100000)",
        "prepare p as select 1",
        "use memory",
        "with x as (from read_json('{folder}/x.json')) from x",
        "select json_serialize_sql('select 1')",
        "select * from json_execute_serialized_sql('x')",
        "from x'{folder}/secret.key'",
    ],
)
def test_nothing_but_the_views_can_be_reached(seat: Seat, statement: str) -> None:
    folder = seat.platform.settings.folder
    for may in (False, True):
        with pytest.raises((Unsupported, DefinitionInvalid)):
            ask(seat, statement.format(folder=folder), may=may)
    assert not list(folder.glob("out*"))


def test_masked_copies_are_made_once_and_go_with_the_platform(tmp_path: Path) -> None:
    with opened(tmp_path / "data", 1) as seat:
        seat.platform.sources.add(Source("web", "web"))
        seat.platform.append("web", "tracking", [msgspec.json.encode({"batch": told()})])
        seat.platform.drain()
        write_files(seat.platform)
        ask(seat, "from events")
        copies = sorted((tmp_path / "data").glob("masked-*/*.parquet"))
        made = [copy.stat().st_mtime_ns for copy in copies]
        ask(seat, "from events")
        assert [copy.stat().st_mtime_ns for copy in copies] == made
        assert made
        for copy in copies:
            assert not [secret for secret in SECRETS if secret.encode() in copy.read_bytes()]
        contract = {
            "event": "Lead Written",
            "properties": {"properties": {"name": {"type": "string", "x-personal": False}}},
        }
        seat.platform.decide("contract.applied", {"contracts": [contract]}, "sara")
        assert "Anabella" in ask(seat, "select properties from events where name = 'Lead Written'")
        contract["properties"]["properties"]["name"]["x-personal"] = True  # type: ignore[index]
        seat.platform.decide("contract.applied", {"contracts": [contract]}, "sara")
        assert "Anabella" not in ask(seat, "select properties from events where name = 'Lead Written'")
    assert not list((tmp_path / "data").glob("masked-*"))


def test_copies_that_take_long_are_made_by_and_by(filed: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    shield = filed.platform.questions.shield()
    shield.forget()
    with monkeypatch.context() as patched:
        patched.setattr("cauce.events.masking.PREPARING_SECONDS_MAX", -1.0)
        with pytest.raises(Busy, match="being made"):
            ask(filed, "from events")
    with pytest.raises(Conflict, match="stopped"):
        shield.copies(list(filed.platform.history_path.rglob("*.parquet")), lambda: True)
    assert "Falda" in ask(filed, "from events")


def test_the_page_masks_by_who_asks(personal: Seat) -> None:
    statement = "select value from identifiers where kind = 'email'"
    analyst = personal.client("analyst").send("/data/run", page="/data", statement=statement).text
    engineer = personal.client("engineer").send("/data/run", page="/data", statement=statement).text
    assert "ana@tienda.es" not in analyst
    assert "masked" in analyst
    assert "ana@tienda.es" in engineer
    file = personal.client("analyst").send("/data/download", page="/data", statement=statement, kind="csv")
    assert b"ana@tienda.es" not in file.content


# -- asking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
def test_examples_run(seat: Seat, language: str) -> None:
    client = seat.client("engineer", language=language)
    for _, statement in EXAMPLES:
        answer = client.send("/data/run", page="/data", statement=statement)
        assert answer.status_code == 200
        assert 'class="grid"' in answer.text or 'class="empty"' in answer.text


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_views_are_described_as_they_are(seat: Seat, view: str) -> None:
    rows = seat.platform.questions.ask("tests", f"describe {view}", personal=True).result.rows
    found = {name: kind for name, kind, *_ in rows}
    described = {name: kind for name, kind, _ in VIEWS[view][1]}
    assert described.items() <= found.items()
    if view != "decisions":
        assert list(described) == list(found)


def test_a_fault_says_where(seat: Seat) -> None:
    client = seat.client("engineer")
    answer = client.send("/data/run", page="/data", statement="select channel,\n       nme\nfrom events")
    assert answer.status_code == 422
    assert "Line 2, column 8" in answer.text
    assert "select channel," in answer.text  # what was asked stays in the editor


@pytest.mark.parametrize(
    ("message", "statement", "place"),
    [
        ("x\n\nLINE 2:   nme\n          ^", "a\n  nme", (2, 3)),
        ("x\n\nLINE 1: ...bbbb nme\n                ^", "select aaaa bbbb nme", (1, 18)),
        ("no place", "select 1", None),
    ],
)
def test_the_place_of_a_fault(message: str, statement: str, place: tuple[int, int] | None) -> None:
    assert place_of(message, statement) == place


def test_results_are_paged_and_belong_to_who_asked(seat: Seat) -> None:
    client = seat.client("engineer")
    page = client.send("/data/run", page="/data", statement="select i from range(250) t(i)").text
    address = unescape(re.search(r'href="(/data/results/[^"]+page=2)"', page)[1])  # type: ignore[index]
    second = client.page(address)
    assert "Page 2 of 3" in second
    assert ">100<" in second
    seat.client("owner").page(address, 404)


def test_values_are_written_as_the_visitor_writes(seat: Seat) -> None:
    statement = (
        "select 1234.5::decimal(9,2) as amount, timestamptz '2026-10-05 10:00:00Z' as at, 2026 as year, null as x"
    )
    page = seat.client("engineer", language="es").send("/data/run", page="/data", statement=statement).text
    for shown in ("1.234,5", "5 oct 2026, 12:00:00", ">2026<", ">null<"):
        assert shown in page, shown


def test_hostile_values_are_only_text(seat: Seat) -> None:
    statement = f"select '{HOSTILE}' as \"{HOSTILE}\", 3 as n union all select '{HOSTILE}2', 4"
    client = seat.client("engineer")
    page = client.send("/data/run", page="/data", statement=statement).text
    assert "alert(1)" in page
    assert "<script>alert" not in page
    key = re.search(r"/data/results/([\w-]+)", page)[1]  # type: ignore[index]
    for kind in ("columns", "lines", "bars"):
        again = client.get(f"/data/results/{key}", params={"kind": kind, "x": HOSTILE, "y": "n"}).text
        assert "<script>alert" not in again
        assert 'class="chart"' in again or 'class="bars"' in again
    broken = client.send("/data/run", page="/data", statement=f"select {HOSTILE}").text
    assert "<script>alert" not in broken


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"day": ["a", "b"], "n": [1, 2]}, ("columns", "day", ["n"], "")),
        ({"x": list(map(str, range(20))), "n": list(range(20))}, ("bars", "x", ["n"], "")),
        ({"x": ["a", "a"], "s": ["p", "q"], "n": [1, 2]}, ("columns", "s", ["n"], "")),
        ({"a": [1, 2], "b": [3, 4]}, None),
        ({"n": [5, 2], "m": [3, 4]}, ("columns", "n", ["m"], "")),
        ({"x": ["a"], "n": [1]}, None),
        ({"x": ["a", "b"]}, None),
    ],
)
def test_a_result_suggests_its_chart(columns: dict[str, list[Any]], chosen: Any) -> None:
    found = parts.charted(pa.table(columns))
    assert (found and (found["kind"], found["x"], found["y"], found["split"])) == chosen


def test_a_chart_that_cannot_be_says_why() -> None:
    table = pa.table({"x": ["a", "b"], "n": [-1, 2], "t": ["p", "q"]})
    words = words_of("en")
    for kind, x, y, split in (
        ("columns", "x", ["n"], ""),
        ("pie", "x", ["n"], ""),
        ("lines", "z", ["n"], ""),
        ("bars", "x", ["t"], ""),
    ):
        with pytest.raises(DefinitionInvalid):
            parts.chart(table, kind, x, y, split, words)


# -- files ------------------------------------------------------------------------------------------------------


def test_files_hold_the_result(seat: Seat) -> None:
    statement = "select i, 'x' || i as name, [i] as list, 1.10::decimal(9,2) as money from range(3) t(i)"
    client = seat.client("engineer")

    def file(kind: str) -> bytes:
        answer = client.send("/data/download", page="/data", statement=statement, kind=kind)
        assert answer.headers["content-disposition"].startswith("attachment")
        return bytes(answer.content)

    rows = list(csv.DictReader(io.StringIO(file("csv").decode("utf-8-sig"))))
    assert rows[2] == {"i": "2", "name": "x2", "list": "[2]", "money": "1.10"}
    assert json.loads(file("json"))[2] == {"i": 2, "name": "x2", "list": [2], "money": "1.10"}
    assert pq.read_table(io.BytesIO(file("parquet"))).column("name").to_pylist() == ["x0", "x1", "x2"]
    assert client.send("/data/download", page="/data", statement=statement, kind="exe").status_code == 422


def test_a_spreadsheet_runs_nothing_of_a_file() -> None:
    table = pa.table({"=a": ["=1+1", "@x", "+34612345678", "-5", "+cmd|x", "plain"]})
    lines = parts.as_csv(table).decode("utf-8-sig").splitlines()
    assert lines == ["'=a", "'=1+1", "'@x", "+34612345678", "-5", "'+cmd|x", "plain"]


# -- limits -----------------------------------------------------------------------------------------------------


ENDLESS = "select count(*) from range(100000000000) a, range(1000) b where hash(a.range, b.range) = 1"


def test_a_statement_that_takes_long_is_ended(seat: Seat) -> None:
    with pytest.raises(TooLarge, match="longer than"):
        seat.platform.questions.ask("tests", ENDLESS, personal=True, seconds=0.2)


def test_a_statement_can_be_stopped(seat: Seat) -> None:
    questions = seat.platform.questions
    ended: list[CauceError] = []

    def run() -> None:
        try:
            questions.ask("me", ENDLESS, personal=True, run="one", seconds=60)
        except CauceError as fault:
            ended.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    while not questions.stop("me", "one"):
        assert thread.is_alive()
    assert not questions.stop("somebody else", "one")
    thread.join(30)
    assert [type(fault) for fault in ended] == [Conflict]


def test_only_some_statements_run_at_once(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    assert AT_ONCE_MAX >= 1
    monkeypatch.setattr("cauce.app.questions.AT_ONCE_MAX", 0)
    with pytest.raises(Busy):
        seat.platform.questions.ask("me", "select 1", personal=True)


def test_many_rows_are_cut_and_said_so(seat: Seat) -> None:
    page = seat.client("engineer").send("/data/run", page="/data", statement="select i from range(20000) t(i)").text
    assert "there are more" in page
    assert "10,000 rows" in page


# -- kept statements --------------------------------------------------------------------------------------------


def test_statements_are_kept_for_who_asked(own_seat: Seat) -> None:
    client = own_seat.client("engineer")
    client.send("/data/run", page="/data", statement="select 41 + 1")
    assert "select 41 + 1" in client.page("/data")
    led = client.send("/data/save", page="/data", statement="select 43", name=f"mine {HOSTILE}").headers["location"]
    page = client.page(led)
    assert ">\nselect 43</textarea>" in page
    assert "<script>alert" not in page
    other = own_seat.client("owner")
    other.page(led, 404)
    assert "select 41" not in other.page("/data")
    number = led.partition("=")[2]
    assert other.send("/data/forget", page="/data", query=number).status_code == 404
    assert client.send("/data/forget", page="/data", query=number).status_code == 303
    client.page(led, 404)


def test_kept_statements_are_bounded(own_seat: Seat) -> None:
    queries = own_seat.platform.questions.queries
    for number in range(40):
        queries.remember("me", f"select {number}")
    assert [query.statement for query in queries.recent("me")][:2] == ["select 39", "select 38"]
    assert len(queries.recent("me")) == 30
    queries.remember("me", "select 20")
    assert len({query.statement for query in queries.recent("me")}) == 30
    for name in ("", "x" * 101):
        with pytest.raises(DefinitionInvalid):
            queries.save("me", name, "select 1")
    with pytest.raises(NotFound):
        queries.get("you", queries.recent("me")[0].id)


def test_the_audit_trail_knows_that_it_was_asked_and_not_what(own_seat: Seat) -> None:
    client = own_seat.client("engineer")
    client.send("/data/run", page="/data", statement="select 'ana@tienda.es'")
    client.send("/data/run", page="/data", statement="select nme from events")
    noted = own_seat.platform.audit.entries(limit=20).entries
    assert {"sql.asked", "sql.refused"} <= {entry.action for entry in noted}
    assert "ana@tienda.es" not in str(noted)


@pytest.mark.parametrize("role", ["steward", "marketer", "agent", "store_staff", "privacy"])
def test_others_do_not_see_it(seat: Seat, role: str) -> None:
    seat.client(role).page("/data", 403)


def test_a_form_without_its_token_asks_nothing(seat: Seat) -> None:
    for address in ("/data/run", "/data/download", "/data/save", "/data/stop"):
        answer = seat.client("engineer").post(address, data={"statement": "select 1", "csrf": "x"})
        assert answer.status_code == 403
