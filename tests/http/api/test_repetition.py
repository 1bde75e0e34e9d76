"""What is kept of requests with an `Idempotency-Key`: where, for how long, and what is never written down."""

from __future__ import annotations

import inspect

import pytest

from cauce.access.api import Control
from cauce.engines.memory import MemoryTables
from cauce.errors import Busy, Conflict, Unreadable
from cauce.http.api import repetition
from cauce.http.api.repetition import ANSWER_BYTES_MAX, KEPT_SECONDS, WORKING_SECONDS_MAX, Answered, Repetition
from cauce.model import SECOND
from tests.http.api.world import OPERATIONS, PERSONAL, Values, client_of, copied, send, token

SECRET = b"s" * 32
ANSWER = Answered(201, {"content-type": "application/json", "etag": '"1"'}, b'{"id": 1}')


class Clock:
    now = 1_000_000 * SECOND

    def __call__(self):
        return self.now


class Doors:
    """Several doors over one control database."""

    def __init__(self):
        self.clock = Clock()
        self.control = Control(MemoryTables())

    def door(self):
        return Repetition(self.control, SECRET, clock=self.clock)


@pytest.fixture
def doors():
    return Doors()


@pytest.mark.parametrize("again", ["here", "elsewhere"])
def test_an_answer_is_given_again_for_a_day(doors, again):
    first = doors.door()
    assert first.begin("ana", "k", b"1") is None
    other = first if again == "here" else doors.door()
    with pytest.raises(Busy):
        other.begin("ana", "k", b"1")
    first.end("ana", "k", ANSWER)
    assert other.begin("ana", "k", b"1") == ANSWER
    assert doors.door().begin("ana", "k", b"1") == ANSWER
    with pytest.raises(Conflict, match="another request"):
        other.begin("ana", "k", b"2")
    assert other.begin("eva", "k", b"2") is None
    doors.clock.now += KEPT_SECONDS * SECOND
    assert other.begin("ana", "k", b"2") is None


@pytest.mark.parametrize("kept", ["", "fact", "answer"])
def test_what_failed_is_forgotten_everywhere(doors, kept):
    first = doors.door()
    first.begin("ana", "k", b"1", kept)
    first.give_up("ana", "k", kept)
    assert doors.door().begin("ana", "k", b"2", kept) is None


def test_of_some_only_the_fact_is_written_down(doors):
    first = doors.door()
    first.begin("ana", "k", b"1", "fact")
    first.end("ana", "k", ANSWER, "fact")
    assert first.begin("ana", "k", b"1", "fact") == ANSWER
    with pytest.raises(Conflict, match="not written down"):
        doors.door().begin("ana", "k", b"1", "fact")
    assert b"id" not in doors.control.select("select body from api_repetition")[0][0]


def test_a_long_answer_is_not_written_down(doors):
    first, long = doors.door(), Answered(200, {}, b"x" * (ANSWER_BYTES_MAX + 1))
    first.begin("ana", "k", b"1")
    first.end("ana", "k", long)
    assert first.begin("ana", "k", b"1") == long
    with pytest.raises(Conflict):
        doors.door().begin("ana", "k", b"1")


def test_a_door_that_was_killed_at_work_is_not_waited_for_without_end(doors):
    doors.door().begin("ana", "k", b"1")
    doors.clock.now += (WORKING_SECONDS_MAX - 1) * SECOND
    with pytest.raises(Busy):
        doors.door().begin("ana", "k", b"1")
    doors.clock.now += SECOND
    assert doors.door().begin("ana", "k", b"1") is None


def test_what_commands_remember_themselves_is_not_written_down(doors):
    first = doors.door()
    first.begin("ana", "k", b"1", "")
    first.end("ana", "k", ANSWER, "")
    assert first.begin("ana", "k", b"1", "") == ANSWER
    assert doors.door().begin("ana", "k", b"1", "") is None
    assert doors.control.select("select count(*) from api_repetition") == [(0,)]


@pytest.mark.parametrize(("name", "most"), [("KEPT_MAX", 3), ("KEPT_BYTES_MAX", 30)])
def test_it_keeps_no_more_than_it_may(monkeypatch, doors, name, most):
    monkeypatch.setattr(repetition, name, most)
    monkeypatch.setattr(repetition, "TRIMMED_EVERY", 1)
    first = doors.door()
    for number in range(10):
        doors.clock.now += 1
        first.begin("ana", f"k{number}", b"1")
        first.end("ana", f"k{number}", Answered(200, {}, b"0123456789"))
    for door in (first, doors.door()):
        assert door.begin("ana", "k9", b"1").body == b"0123456789"
        assert door.begin("ana", "k0", b"1") is None
        door.give_up("ana", "k0")
    assert doors.control.select("select count(*) from api_repetition")[0][0] <= 4


def test_keys_stand_in_the_database_as_hashes(doors):
    doors.door().begin("ana", "my-key", b"1")
    assert "my-key" not in str(doors.control.select("select * from api_repetition"))


@pytest.mark.parametrize("key", ["x" * 256, "a\tb", "\x7f"])
def test_a_key_is_short_and_printable(doors, key):
    with pytest.raises(Unreadable):
        doors.door().begin("ana", key, b"1")


# --- over HTTP -----------------------------------------------------------------------------------------------------


def test_a_repetition_after_a_restart_gets_the_same_answer(world, tmp_path):
    key = {"idempotency-key": "once"}
    with copied(world, tmp_path / "data") as platform:
        who = token(platform, "owner")
        with client_of(platform) as client:
            client.headers["authorization"] = f"Bearer {who}"
            first = client.post("/v1/sql/saved", json={"name": "a", "statement": "select 1"}, headers=key)
            client.delete(f"/v1/sql/saved/{first.json()['id']}").raise_for_status()
            made = client.post("/v1/sources", json={"name": "kiosk", "channel": "store"}, headers={**key, **key})
            assert made.status_code == 409  # another request with that key
            made = client.post("/v1/sources", json={"name": "kiosk", "channel": "store"}, headers=OTHER)
            assert client.post("/v1/sources", json={"name": "kiosk", "channel": "store"}, headers=OTHER).json() == (
                made.json()
            )
        with client_of(platform) as client:  # a door that knows nothing of the one before
            client.headers["authorization"] = f"Bearer {who}"
            again = client.post("/v1/sql/saved", json={"name": "a", "statement": "select 1"}, headers=key)
            assert again.headers["idempotent-replayed"] == "true"
            assert (again.status_code, again.json()) == (first.status_code, first.json())
            assert client.get("/v1/sql/saved").json()["items"] == []  # it was not carried out again
            secret = client.post("/v1/sources", json={"name": "kiosk", "channel": "store"}, headers=OTHER)
            assert (secret.status_code, secret.json()["code"]) == (409, "conflict")
            assert "not written down" in secret.json()["message"]


OTHER = {"idempotency-key": "another"}


def test_every_change_says_what_is_kept_of_it():
    """Whatever a command of commerce does not remember itself."""
    forgotten = [
        operation.name
        for operation in OPERATIONS
        if operation.changes and not operation.kept and not hands_on_its_key(operation)
    ]
    assert not forgotten


def hands_on_its_key(operation):
    return ".key" in inspect.getsource(inspect.getmodule(operation.handle))


ENDING = {"people.erase", "sources.revoke"}
"""Operations after which others have nothing to do."""


def test_neither_secrets_nor_personal_values_are_written_down(world, tmp_path):
    with copied(world, tmp_path / "data") as platform, client_of(platform, "owner") as client:
        secrets, values = [], Values(platform)
        for number, operation in enumerate(operation for operation in OPERATIONS if operation.kept):
            if operation.name in ENDING:
                continue
            answer = send(client, operation, values, headers={"idempotency-key": f"k{number}"})
            assert answer.status_code < 500, (operation.name, answer.text)
            told = answer.json() if answer.content else {}
            secrets += [told[name] for name in ("key", "secret", "link") if told.get(name) and operation.kept == "fact"]
        written = str(platform.control.select("select headers, body from api_repetition"))
    assert len(secrets) >= 3
    assert not [value for value in [*PERSONAL, *secrets] if value in written]
