"""Erasure: nothing of the person is left anywhere, neighbours and counts stay, and a crash is made good."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.memory import Broken, Faults, MemoryLog, MemoryTables
from cauce.engines.sqlite import SqliteLog, SqliteTables
from cauce.errors import Unsupported
from cauce.events import erasure
from cauce.events.rules import PERSON_ERASED
from cauce.model import DECISIONS, Identifier, Passage, Received, position_of
from cauce.runner import PROGRESS, contents
from tests.events.river import River, body, calls, decode, id_of, item

ANA = "ana.secreta@example.com"
LUIS = "luis@example.com"


def erase(river: River, *, suppress: bool = False) -> int:
    return river.decide(PERSON_ERASED, {"identifiers": [f"email:{ANA}"], "suppress": suppress, "note": "Ana Secreta"})


def on_disk(folder: Path, **options: Any) -> River:
    return River(folder, log=SqliteLog(folder / "log.db"), tables=SqliteTables(folder / "state.db"), **options)


def shut(river: River) -> None:
    river.tables.close()
    river.log.close()


def requests() -> list[bytes]:
    """Ana alone, Ana among others, Ana as second identifier, others; Ana's duplicate and quarantined items."""
    return [
        body([item(1, ANA, properties={"note": f"for {ANA}"})]),
        body([item(2, LUIS), item(3, ANA), item(4, LUIS)]),
        body([item(5, f"{LUIS} {ANA}"), item(6, "")]),
        body([item(3, ANA, fate="duplicate"), item(7, LUIS, fate="duplicate")]),
        body([item(8, ANA, fate="quarantined"), {"messageId": "m-9", "text": f"mailto {ANA.upper()}"}]),
        *calls(80, first=100),
        gzip.compress(body([item(10, LUIS), item(11, ANA)])),
    ]


def decode_packed(record: Any) -> list[Received]:
    plain = gzip.decompress(record.body) if record.body.startswith(b"\x1f\x8b") else record.body
    return decode(msgspec.structs.replace(record, body=plain))


@pytest.fixture(autouse=True)
def reads_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.events.river.decode", decode_packed)


def fates(river: River) -> list[tuple[int, str]]:
    """What the log says about every item now."""
    records = river.log.read(0, records_max=10_000, bytes_max=10**9)
    return [(one.position, one.erased) for record in records for one in decode_packed(record)]


def test_nothing_of_the_person_is_left(tmp_path: Path) -> None:
    river = on_disk(tmp_path, history_rows=20, history_files_max=2)
    river.send(*requests())
    river.drain()
    assert {trace.file.split("/")[0] for trace in erasure.proof(tmp_path, [ANA])} >= {"log.db", "state.db", "history"}
    before = river.archive.bodies(river.positions())
    decision = erase(river)
    river.drain()
    shut(river)
    assert erasure.proof(tmp_path, [ANA, "Ana Secreta"]) == []
    river = on_disk(tmp_path, history_rows=20)
    after = river.archive.bodies(river.positions())
    erased_id = id_of(Identifier("email", ANA))
    assert after == {
        position: stored for position, stored in before.items() if erased_id not in stored.identifier_ids
    } | river.archive.bodies([decision])
    assert {row["position"] for row in river.file_rows()} <= after.keys()
    assert river.tables.select("select count(*) from event_erasure") == [(0,)]
    shut(river)


def test_positions_and_fates_stay_in_the_log(tmp_path: Path) -> None:
    river = River(tmp_path)
    river.send(*requests())
    river.drain()
    positions = [position for position, _ in fates(river)]
    erase(river)
    river.drain()
    left = dict(fates(river))
    assert list(left)[: len(positions)] == positions
    assert {position: fate for position, fate in left.items() if fate} == {
        position_of(1, 0): "stored",
        position_of(2, 1): "stored",
        position_of(3, 0): "stored",
        position_of(4, 0): "duplicate",
        position_of(5, 0): "quarantined",
        position_of(5, 1): "quarantined",
        position_of(33, 1): "stored",
    }
    (record,) = river.log.get([2])
    assert json.loads(record.body)["batch"][1] == {"_erased": "stored", "messageId": "m-3"}


def test_the_audit_trail_keeps_keyed_hashes_only(tmp_path: Path) -> None:
    river = River(tmp_path)
    river.send(*requests())
    decision = erase(river, suppress=True)
    river.drain()
    (event,) = river.archive.audit(name=PERSON_ERASED)
    assert event.properties == {"identifiers": [id_of(Identifier("email", ANA))], "suppress": True}
    (record,) = river.log.get([decision >> 20])
    assert json.loads(record.body)["properties"] == event.properties


def test_a_replay_of_the_log_gives_the_same_archive(tmp_path: Path) -> None:
    river = River(tmp_path / "a")
    river.send(*requests())
    erase(river)
    river.send(*calls(10, first=500))
    river.drain()
    again = River(tmp_path / "b", log=river.log)
    again.drain()
    assert again.archive.digest() == river.archive.digest()
    ours, theirs = contents(again.runner, again.tables), contents(river.runner, river.tables)
    assert {name: list(rows) for name, rows in ours.items()} == {name: list(rows) for name, rows in theirs.items()}


def test_what_comes_after_the_decision_stays(tmp_path: Path) -> None:
    river = River(tmp_path, batch_records=100)
    river.send(body([item(1, ANA)]))
    erase(river)
    river.send(body([item(2, ANA)]))
    river.drain()
    assert position_of(1, 0) not in river.positions()
    assert position_of(3, 0) in river.positions()


def test_a_suppressed_item_leaves_the_log_at_once(tmp_path: Path) -> None:
    river = River(tmp_path)
    river.send(body([item(1, ANA, fate="suppressed"), item(2, LUIS)]))
    river.drain()
    (record,) = river.log.get([1])
    batch = json.loads(record.body)["batch"]
    assert batch[0] == {"_erased": "suppressed", "messageId": "m-1"}
    assert batch[1]["user"] == LUIS
    assert river.tables.select("select count(*) from event_erasure") == [(0,)]


def test_decisions_about_the_person_go_too(tmp_path: Path) -> None:
    river = River(tmp_path)
    joined = river.decide("identity.joined", {"a": f"email:{ANA.title()}", "b": f"email:{LUIS}"})
    other = river.decide("identity.joined", {"a": "email:x@example.com", "b": f"email:{LUIS}"})
    erase(river)
    river.drain()
    assert [event.position for event in river.archive.audit(name="identity.joined")] == [other]
    (record,) = river.log.get([joined >> 20])
    assert json.loads(record.body) == {"_erased": "decision"}
    assert record.connector == DECISIONS


def test_short_values_are_no_text_search(tmp_path: Path) -> None:
    river = River(tmp_path)
    river.send(body([item(17, "luis@example.com", fate="duplicate"), item(18, "7", fate="duplicate")]))
    river.send(body([{"messageId": "m-7", "quantity": "17"}, {"messageId": "m-9", "email": "7"}, {"customer": "7"}]))
    traits = river.decide("trait.applied", {"definitions": [{"name": "email:7", "window": "7"}]})
    other = river.decide("identity.joined", {"a": "email:17", "b": "email:77"})
    own = river.decide("identity.joined", {"a": "email:7", "b": "email:77"})
    river.decide(PERSON_ERASED, {"identifiers": ["email:7"]})
    river.drain()
    assert {position: fate for position, fate in fates(river) if fate} == {
        position_of(1, 1): "duplicate",
        position_of(2, 1): "quarantined",
        own: "decision",
    }
    kept = [event.position for event in river.archive.audit(descending=False)]
    assert kept[:2] == [traits, other]


@given(batch_records=st.integers(1, 50), rows=st.sampled_from([5, 10**6]), place=st.integers(0, 30))
@settings(max_examples=15, deadline=None)
def test_an_erasure_does_not_depend_on_batches(
    batch_records: int, rows: int, place: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("river")
    rivers = [
        River(folder / "a", batch_records=10_000),
        River(folder / "b", batch_records=batch_records, history_rows=rows),
    ]
    for river in rivers:
        sent = requests()
        river.send(*sent[:place])
        erase(river)
        river.send(*sent[place:])
        river.drain()
    assert rivers[0].archive.digest() == rivers[1].archive.digest()
    assert fates(rivers[0]) == fates(rivers[1])
    written = [row["position"] for row in rivers[1].file_rows()]
    assert written == [position for position in rivers[1].positions() if position in set(written)]


def test_a_crash_anywhere_is_made_good(tmp_path: Path) -> None:
    def begun(log: MemoryLog) -> MemoryLog:
        river = River(tmp_path, log=log)
        river.send(*requests()[:7])
        erase(river)
        return log

    whole = River(_made(tmp_path / "whole"), log=begun(MemoryLog()), history_rows=8)
    whole.drain()
    expected = (whole.archive.digest(), fates(whole))
    for operation in itertools.count(1):
        folder, log, faults = _made(tmp_path / str(operation)), begun(MemoryLog()), Faults(operation)
        tables = MemoryTables()
        with contextlib.suppress(Broken):
            broken = {"log": faults.wrap(log), "tables": faults.wrap(tables)}
            River(folder, **broken, history_rows=8, batch_records=5).drain()
        river = River(folder, log=log, tables=tables, history_rows=8, batch_records=5)
        river.drain()
        assert (river.archive.digest(), fates(river)) == expected
        assert {row["position"] for row in river.file_rows()} <= set(river.positions())
        if operation % 10 == 0:
            assert erasure.proof(folder, [ANA]) == []
        if faults.operations_left > 0:
            break
    assert operation > 20


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_crash_between_commit_and_log_is_made_good(tmp_path: Path) -> None:
    river = on_disk(tmp_path)
    river.send(*requests())
    river.drain()
    erase(river)
    (record,) = river.log.read(river.runner.offset, records_max=1, bytes_max=10**6)
    with river.tables.transaction():
        _process_without_commit_hook(river, record)
    assert any(trace.file == "log.db" for trace in erasure.proof(tmp_path, [ANA]))
    shut(river)
    again = on_disk(tmp_path)
    again.drain()
    shut(again)
    assert erasure.proof(tmp_path, [ANA]) == []


def _process_without_commit_hook(river: River, record: Any) -> None:
    passages = [Passage(one) for one in decode(record)]
    for stage in river.runner.stages:
        stage.prefetch(passages)
    for passage in passages:
        for stage in river.runner.stages:
            stage.apply(passage)
    river.stage.flush()
    river.tables.upsert(PROGRESS, [(1, record.offset)])


# --- pure functions ------------------------------------------------------------------------------------------------

GONE = {"_erased": "stored"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"batch": [1, 2, 3], "context": {"ip": 1}}, {"batch": [1, GONE, 3], "context": {"ip": 1}}),
        ({"rows": [1, 2], "file": "f"}, {"rows": [1, GONE], "file": "f"}),
        ([{"a": 1}, {"b": 2}], [{"a": 1}, GONE]),
    ],
)
def test_blanking_replaces_items_only(before: Any, after: Any) -> None:
    assert json.loads(erasure.blank(json.dumps(before).encode(), {1: GONE})) == after


def test_blanking_everything_takes_the_envelope_too() -> None:
    sent = {"batch": [{"user": "ana"}], "context": {"ip": "10.0.0.1"}}
    assert json.loads(erasure.blank(json.dumps(sent).encode(), {0: GONE})) == {"batch": [GONE]}
    assert json.loads(erasure.blank(b'{"user": "ana"}', {0: GONE})) == GONE


def test_blanking_keeps_the_compression() -> None:
    sent = json.dumps([1, 2]).encode()
    assert json.loads(gzip.decompress(erasure.blank(gzip.compress(sent), {0: GONE}))) == [GONE, 2]
    packed = erasure.blank(zstandard.ZstdCompressor().compress(sent), {1: GONE})
    assert json.loads(zstandard.ZstdDecompressor().decompress(packed)) == [1, GONE]


def test_blanking_reads_lines_and_lenient_json() -> None:
    assert erasure.blank(b'{"a": 1}\n{"b": 2}\n', {1: GONE}) == b'{"a": 1}\n{"_erased":"stored"}'
    assert erasure.blank(b'[{"a": NaN}, {"b": "ana"}]', {1: GONE}) == b'[{"a":NaN},{"_erased":"stored"}]'
    assert erasure.blank(b"not json: ana", {0: GONE}) == b'{"_erased":"stored"}'


def test_blanking_twice_changes_nothing() -> None:
    once = erasure.blank(body([item(1, ANA), item(2, LUIS)]), {0: GONE})
    assert erasure.blank(once, {0: GONE}) == once


def test_an_unknown_form_is_refused_and_neighbours_are_safe() -> None:
    with pytest.raises(Unsupported, match="no JSON"):
        erasure.blank(b"ana;1\nluis;2\n", {0: GONE})


def test_a_refused_record_stays_on_the_list(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: Any) -> bytes:
        raise Unsupported("cannot")

    river = River(tmp_path, blank=refuse)
    river.send(body([item(1, ANA)]))
    decision = erase(river)
    river.drain()
    assert "cannot" in caplog.text
    assert river.tables.select("select position from event_erasure") == [(decision,)]
    again = River(tmp_path, log=river.log, tables=river.tables)
    again.drain()
    assert river.tables.select("select position from event_erasure") == []
    assert ANA not in str(river.log.get([1]))


def test_the_proof_looks_into_everything(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text(f"x {ANA.upper()} y")
    (tmp_path / "escaped.json").write_text(json.dumps({"name": "Íñigo"}))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(ANA.encode()))
    (tmp_path / "damaged.gz").write_bytes(b"\x1f\x8bnothing")
    with contextlib.closing(sqlite3.connect(tmp_path / "some.db")) as connection:
        connection.execute("create table t (a blob)")
        connection.execute("insert into t values (?)", (zstandard.ZstdCompressor().compress(ANA.encode() * 3),))
        connection.commit()
    traces = erasure.proof(tmp_path, [ANA, "Íñigo"])
    assert {(trace.file, trace.place, trace.value_number) for trace in traces} >= {
        ("plain.txt", "bytes", 0),
        ("escaped.json", "bytes", 1),
        ("packed.gz", "decompressed", 0),
        ("some.db", "table t", 0),
    }
    assert erasure.proof(tmp_path, ["nobody@example.com"]) == []
