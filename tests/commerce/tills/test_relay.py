"""What commerce tells becomes events of the river: each once, in order, whoever dies in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.app import Platform
from cauce.app.clerk import SOURCE, Clerk, Duty
from cauce.commerce.tills import relay
from cauce.commerce.tills.relay import Relayed
from cauce.connectors import commerce
from cauce.errors import Busy, Locked
from cauce.model import Record, Source
from tests.commerce.tills.telling import Tell, fact, teller


def stored(platform: Platform) -> list[str]:
    """Orders that events of commerce name, in order of arrival."""
    platform.drain()
    found = [one.event for batch in platform.archive.scan() for one in batch]
    return [str(event.properties["order_id"]) for event in found if event.source == SOURCE.name]


def test_facts_become_events_in_order_and_leave_the_outbox(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform, teller(platform) as writer:
        writer.do(Tell(facts=tuple(fact(number) for number in range(1_200))))
        clerk = Clerk(platform)
        clerk.drain()
        assert stored(platform) == [f"o{number}" for number in range(1_200)]
        assert relay.waiting(platform.commerce.reader) == []
        assert not clerk.relay()
        person = platform.people.find("email", "p3@example.com")
        assert person
        event = platform.profiles.timeline(person.id, limit=1).events[0]
        assert (event.event.channel, event.event.name, event.event.source) == ("app", "Order Placed", "commerce")


def test_a_crash_between_telling_and_forgetting_doubles_nothing(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform, teller(platform) as writer:
        writer.do(Tell(facts=(fact(1), fact(2))))
        told = relay.waiting(platform.commerce.reader)
        body = commerce.framed(commerce.Waiting(one.id, one.body) for one in told)
        clerk = Clerk(platform)
        clerk._make_source()
        platform.append(SOURCE.name, commerce.NAME, [body])  # and then the power goes
        writer.do(Tell(facts=(fact(3),)))
        clerk.drain()
        assert stored(platform) == ["o1", "o2", "o3"]
        counts = {row["source"]: row for row in platform.status()["sources"]}[SOURCE.name]
        assert (counts["stored"], counts["duplicate"]) == (3, 2)


def test_numbers_that_begin_again_are_new_facts(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform, teller(platform) as writer:
        writer.do(Tell(facts=(fact(1),)))
        Clerk(platform).drain()
        (tmp_path / "commerce.db").unlink()
    for name in ("commerce.db-wal", "commerce.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with Platform.open(tmp_path) as platform, teller(platform) as writer:
        writer.do(Tell(facts=(fact(2),)))
        Clerk(platform).drain()
        assert stored(platform) == ["o1", "o2"]


def test_large_facts_are_told_in_several_records(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform, teller(platform) as writer:
        writer.do(Tell(facts=tuple(fact(number, note="x" * 700_000) for number in range(8))))
        assert len(relay.waiting(platform.commerce.reader)) == 5
        assert len(relay.waiting(platform.commerce.reader, bytes_max=1)) == 1
        Clerk(platform).drain()
        assert stored(platform) == [f"o{number}" for number in range(8)]


def test_forgetting_twice_is_no_fault(tmp_path: Path) -> None:
    with Platform.open(tmp_path) as platform, teller(platform) as writer:
        writer.do(Tell(facts=(fact(1),)))
        (one,) = relay.waiting(platform.commerce.reader)
        assert platform.commerce.do(Relayed(facts=(one.id,))) == 1
        assert platform.commerce.do(Relayed(facts=(one.id,))) == 0


def test_one_clerk_at_a_time(tmp_path: Path) -> None:
    with (
        Platform.open(tmp_path) as platform,
        platform.storage.clerking(),
        Platform.open(tmp_path) as other,
        pytest.raises(Locked),
        other.storage.clerking(),
    ):
        pytest.fail("two clerks")


def test_a_duty_that_fails_rests_and_the_others_go_on(tmp_path: Path) -> None:
    done: list[str] = []

    def failing() -> bool:
        done.append("failing")
        raise Busy("the disk is full")

    def working() -> bool:
        done.append("working")
        return True

    with Platform.open(tmp_path) as platform:
        clerk = Clerk(platform, (Duty("failing", failing), Duty("working", working)))
        assert clerk.step()
        assert clerk.step()
        assert done == ["failing", "working", "working"]


@pytest.mark.parametrize(
    ("item", "path", "code"),
    [
        ('{"messageId":"1","at":1,"channel":"app"}', "/name", "value_missing"),
        ('{"name":"Order Placed","at":1}', "/messageId", "value_missing"),
        ('{"messageId":"1","name":"Order Placed","at":"now"}', "/at", "value_unreadable"),
        ('{"messageId":"1","name":"Order Placed","at":1,"properties":[]}', "/properties", "object_expected"),
        ('{"messageId":"1","name":"Order Placed","at":1,"who":["nobody"]}', "/who", "identifier_unreadable"),
        ('{"messageId":"1","name":"Order Placed","at":1,"who":"email:a@b.es"}', "/who", "identifier_unreadable"),
    ],
)
def test_what_is_no_fact_of_commerce_says_why(item: str, path: str, code: str) -> None:
    record = Record(7, "commerce", "commerce", 1, b'{"batch":[' + item.encode() + b"]}")
    (found,) = commerce.decode(record, Source("commerce", "commerce"))
    assert found.event is None
    assert [(reason.path, reason.code) for reason in found.reasons] == [(path, code)]
