"""One definition, two forms: live strands and bulk SQL give every person the same values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cauce.model import DAY, Event
from cauce.profiles import bulk, rules, strand
from cauce.profiles.computed import Traits
from cauce.profiles.definitions import Definition, default_definitions, read_definitions
from tests.profiles import world

PERSON_OF = st.fixed_dictionaries({subject: st.sampled_from([1, 2, 3]) for subject in (1, 2, 3, 4)})
TEXTS = ("id", "source", "channel", "type", "name", "traits", "properties", "context")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in TEXTS]
    + [(name, pa.int64()) for name in ("position", "occurred", "received", "subject")]
)


def load(connection: duckdb.DuckDBPyConnection, owned: Iterable[tuple[int, Event]], person_of: dict[int, int]) -> None:
    """The two relations that the bulk form reads."""
    rows = [
        {
            **{name: getattr(each, name) for name in SCHEMA.names if name != "subject"},
            **{name: _json(getattr(each, name)) for name in ("traits", "properties", "context")},
            "subject": subject,
        }
        for subject, each in owned
    ]
    connection.register("events", pa.Table.from_pylist(rows, SCHEMA))
    people = {"id": list(person_of.keys()), "person": list(person_of.values())}
    connection.register("identifiers", pa.table(people))


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


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definitions=world.definitions(), owned=world.events(), person_of=PERSON_OF, days=st.integers(-3, 4))
def test_live_and_bulk_agree(connection, definitions, owned, person_of, days) -> None:
    now = world.START + days * DAY
    load(connection, owned, person_of)
    live, in_bulk = live_values(definitions, owned, person_of, now), bulk.compute(connection, definitions, now)
    assert live.keys() == in_bulk.keys()
    for person, values in live.items():
        for name, value in values.items():
            assert same(value, in_bulk[person][name]), (person, name, value, in_bulk[person][name])


def test_they_agree_on_very_many_values_and_very_large_sums(connection) -> None:
    definitions = read_definitions(
        [
            {"name": "unique", "compute": "unique_count", "property": "sku"},
            {"name": "frequent", "compute": "most_frequent", "property": "sku"},
            {"name": "unique_lately", "compute": "unique_count", "property": "sku", "window_days": 2},
            {"name": "money", "compute": "sum", "property": "total"},
            {"name": "mean", "compute": "average", "property": "total"},
        ]
    )
    owned = [
        (
            number % 4 + 1,
            world.event(
                number,
                occurred=world.START + number % 5 * DAY,
                properties={"sku": f"sku {number * number % 997}", "total": 10**12 - 0.1 * number},
            ),
        )
        for number in range(600)
    ]
    person_of, now = {1: 1, 2: 1, 3: 2, 4: 2}, world.START + 4 * DAY
    load(connection, owned, person_of)
    live = live_values(definitions, owned, person_of, now)
    assert live == bulk.compute(connection, definitions, now)
    assert live[1]["unique"] > rules.SAMPLE_VALUES
    assert live[1]["money"] > 2**63 / rules.MILLION


def test_traits_of_all_people_are_one_query(connection) -> None:
    owned = [(1, world.event(1, properties={"total": 2})), (2, world.event(2, "Product Viewed"))]
    load(connection, owned, {1: 7, 2: 8})
    bulk.prepare(connection)
    rows = connection.execute(bulk.traits_sql(default_definitions(), world.START)).fetchall()
    assert (7, "orders_count", "1") in rows
    assert (7, "first_order_channel", '"web"') in rows
    assert {person for person, _, _ in rows} == {7, 8}
    assert connection.execute(bulk.traits_sql((), world.START)).fetchall() == []


def test_decisions_are_no_events_of_customers(connection) -> None:
    load(connection, [(1, world.decision("trait.set"))], {1: 1})
    found = bulk.compute(connection, read_definitions({"name": "events", "compute": "count"}), world.START)
    assert found == {1: {"events": 0}}
