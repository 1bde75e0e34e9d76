"""One definition, two forms: live strands and bulk SQL give every person the same values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.model import DAY, Event
from cauce.profiles import bulk, strand
from cauce.profiles.computed import Traits
from cauce.profiles.definitions import Definition
from tests.profiles import world

PERSON_OF = st.fixed_dictionaries({subject: st.sampled_from([1, 2, 3]) for subject in (1, 2, 3, 4)})
COLUMNS = (
    "position bigint, id varchar, source varchar, channel varchar, type varchar, name varchar, occurred bigint, "
    "received bigint, subject bigint, traits varchar, properties varchar, context varchar"
)


def load(connection: duckdb.DuckDBPyConnection, owned: Iterable[tuple[int, Event]], person_of: dict[int, int]) -> None:
    """The two relations that the bulk form reads."""
    connection.execute(f"create or replace temp table events ({COLUMNS})")
    connection.execute("create or replace temp table identifiers (id bigint, person bigint)")
    rows = [
        (
            *(each.position, each.id, each.source, each.channel, each.type, each.name, each.occurred, each.received),
            *(subject, *(_json(part) for part in (each.traits, each.properties, each.context))),
        )
        for subject, each in owned
    ]
    if rows:
        connection.executemany(f"insert into events values ({','.join('?' * 12)})", rows)
    connection.executemany("insert into identifiers values (?, ?)", list(person_of.items()))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def live_values(
    definitions: tuple[Definition, ...], owned: Iterable[tuple[int, Event]], person_of: dict[int, int], now: int
) -> dict[int, dict[str, Any]]:
    """What strands say: folded by subject, added up by person."""
    traits = Traits(enumerate(definitions))
    pulses: dict[int, Any] = {}
    for subject, each in owned:
        pulses[subject] = strand.fold_pulse(
            pulses.get(subject), each.occurred, each.channel, traits.observe(each), traits.slots
        )
    people: dict[int, Any] = dict.fromkeys(person_of.values())
    for subject, pulse in pulses.items():
        stored = strand.decode(strand.encode_pulse(pulse))
        people[person_of[subject]] = strand.merge_pulses(people[person_of[subject]], stored, traits)
    return {
        person: {
            trait.definition.name: trait.finish(None if pulse is None else strand.partial_of(pulse, trait.slot), now)
            for trait in traits
        }
        for person, pulse in people.items()
    }


@pytest.fixture(scope="module")
def connection() -> Iterable[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def same(one: Any, other: Any) -> bool:
    """Equal values of equal type: true is not 1."""
    return json.dumps(one) == json.dumps(other)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definitions=world.definitions(), owned=world.events(), person_of=PERSON_OF, days=st.integers(-3, 4))
def test_live_and_bulk_agree(connection, definitions, owned, person_of, days) -> None:
    now = world.START + days * DAY
    load(connection, owned, person_of)
    live, in_bulk = live_values(definitions, owned, person_of, now), bulk.compute(connection, definitions, now)
    assert live.keys() == in_bulk.keys()
    for person, values in live.items():
        for name, value in values.items():
            assert same(value, in_bulk[person][name]), (person, name, value, in_bulk[person][name])
