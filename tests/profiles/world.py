"""What the tests of profiles share: events, strategies, and the real stage on tables in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from cauce.model import DAY, DECISION, Event, Passage, Received
from cauce.profiles import store
from cauce.profiles.api import Profiles
from cauce.profiles.definitions import COMPUTES, OPERATORS, WITHOUT_PROPERTY, Definition, read_definitions
from cauce.profiles.stage import ProfilesStage
from tests.furnished import FurnishedTables

START = 20_000 * DAY
NAMES = ("Order Completed", "Product Viewed", "Store Visited")
CHANNELS = ("web", "store", "app")
PATHS = ("total", "sku", "deep.er", "products[].sku", "products[].price", "tags[]", "context.page", "traits.age")


class Owned(NamedTuple):
    """A stored event: whose it is, and what it said."""

    subject: int
    identifier_ids: tuple[int, ...]
    event: Event


def event(number: int, name: str = "Order Completed", **changes: Any) -> Event:
    """A track event; `number` makes its id, position and (unless given) its time."""
    fields: dict[str, Any] = {
        "id": f"e{number}",
        "source": "shop",
        "channel": "web",
        "type": "track",
        "name": name,
        "occurred": START + number * 1_000_000,
        "received": START + number * 1_000_000,
        "position": number << 20,
    }
    return Event(**{**fields, **changes})


def decision(verb: str, number: int = 1, **properties: Any) -> Event:
    return event(
        number,
        verb,
        id=f"decision-{number}",
        source="cauce",
        channel="cauce",
        type=DECISION,
        properties=properties,
        context={"by": "ana"},
    )


def passage(subject: int, happened: Event, identifier_ids: tuple[int, ...] = ()) -> Passage:
    found = Passage(Received(happened.position, happened.source, happened.channel, happened.received, None, happened))
    found.subject = subject
    found.identifier_ids = identifier_ids or ((subject,) if subject else ())
    return found


class Name(NamedTuple):
    """An identifier, as identity gives it."""

    id: int
    kind: str = "crm"
    value: str = "1"


class Groups:
    """People by hand: each a group of identifiers."""

    def __init__(self, groups: dict[int, Sequence[int]]) -> None:
        self.groups = groups

    def members(self, person: int) -> list[Name]:
        return [Name(id, value=str(id)) for id in self.groups.get(person, ())]


class River:
    """The real stage on tables in memory, with an archive of what went through."""

    def __init__(self, definitions: Iterable[Definition] = ()) -> None:
        self.tables = FurnishedTables()
        self.archived: list[Owned] = []
        self.stage = ProfilesStage(self.tables, lambda: iter([self.archived]))
        definitions = tuple(definitions)
        if definitions:
            self.decide("trait.applied", definitions=msgspec.to_builtins(definitions))

    def send(self, owned: Sequence[tuple[int, Event]]) -> None:
        """One batch."""
        passages = [passage(subject, happened) for subject, happened in owned]
        self.pass_all(passages)

    def decide(self, verb: str, identifier_ids: tuple[int, ...] = (), **properties: Any) -> None:
        number = 1_000_000 + len(self.archived)
        self.pass_all([passage(0, decision(verb, number, **properties), identifier_ids)])

    def pass_all(self, passages: Sequence[Passage]) -> None:
        self.stage.prefetch(passages)
        for each in passages:
            assert self.stage.apply(each)
        with self.tables.transaction():
            self.stage.flush()
        self.stage.committed()
        for each in passages:
            assert each.event is not None
            self.archived.append(Owned(each.subject, each.identifier_ids, each.event))

    def bodies(self, positions: Iterable[int]) -> dict[int, Owned]:
        """What an archive gives."""
        wanted = set(positions)
        return {owned.event.position: owned for owned in self.archived if owned.event.position in wanted}

    def profiles(self, groups: dict[int, Sequence[int]]) -> Profiles:
        """Profiles of people who are these groups of identifiers."""
        return Profiles(self.tables, Groups(groups), self, now=lambda: START)

    def state(self) -> dict[str, list[Any]]:
        """Everything in the tables of profiles."""
        return {table.name: [row for rows in self.tables.scan_all(table) for row in rows] for table in store.TABLES}


texts = st.text(max_size=6) | st.sampled_from(["a", "b", "c", '"', "'", "\x00", "é", "e-6", "true", "12", "ñ" * 300])
numbers = (
    st.integers(-5, 5)
    | st.integers(-(2**66), 2**66)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e3, 1e3)
    | st.sampled_from([0.1, -0.0, 4.0, 1e12, -1e12, 1e12 + 0.5, 10**12, 10**12 + 1, 2**63 - 1, 0.0000005, -0.0000005])
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sku", "price", "er"]), inner, max_size=3)
    ),
    max_leaves=6,
)
few = st.sampled_from([1, 2, 2.5, "a", "b", True])
products = st.lists(
    st.fixed_dictionaries({}, optional={"sku": few | scalars, "price": numbers | few}) | scalars, max_size=4
)
properties = st.fixed_dictionaries(
    {},
    optional={
        "total": few | values,
        "sku": few | values,
        "deep": st.fixed_dictionaries({"er": few | scalars}) | values,
        "products": products | values,
        "tags": st.lists(few | scalars, max_size=4),
    },
)


@st.composite
def events(draw: st.DrawFn, *, most: int = 12) -> list[tuple[int, Event]]:
    """(subject, event), with few subjects and few moments so that ties happen."""
    count = draw(st.integers(0, most))
    found = []
    for number in range(count):
        moment = START + draw(st.integers(-4, 4)) * DAY // 2 + draw(st.integers(0, 1))
        happened = event(
            number,
            draw(st.sampled_from(NAMES)),
            channel=draw(st.sampled_from(CHANNELS)),
            type=draw(st.sampled_from(["track", "page"])),
            source=draw(st.sampled_from(["shop", "till"])),
            occurred=moment,
            properties=draw(properties),
            context=draw(st.fixed_dictionaries({}, optional={"page": few})),
            traits=draw(st.fixed_dictionaries({}, optional={"age": few | st.none(), "email": texts | st.none()})),
        )
        found.append((draw(st.integers(1, 4)), happened))
    return found


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(OPERATORS))
    value: Any = draw(few | texts | st.integers(-3, 3) | st.floats(-2, 2))
    if op in ("in", "not_in"):
        value = [value, draw(few)]
    elif op == "exists":
        value = draw(st.booleans())
    elif op == "contains":
        value = draw(st.sampled_from(["a", "b", "c", "'", "\x00"]))
    elif op in ("gt", "gte", "lt", "lte") and isinstance(value, bool):
        value = 1
    return {"property": draw(st.sampled_from((*PATHS, "event.name"))), "op": op, "value": value}


@st.composite
def definitions(draw: st.DrawFn, *, most: int = 4) -> tuple[Definition, ...]:
    found = []
    for number in range(draw(st.integers(1, most))):
        compute = draw(st.sampled_from(COMPUTES))
        entry: dict[str, Any] = {"name": f"t{number}", "compute": compute}
        if compute not in WITHOUT_PROPERTY or draw(st.booleans()):
            entry["property"] = draw(st.sampled_from((*PATHS, "event.channel")))
        for key, choices in (("events", NAMES), ("channels", CHANNELS), ("types", ("track", "page"))):
            if draw(st.integers(0, 3)) == 0:
                entry[key] = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=2))
        if draw(st.integers(0, 2)) == 0:
            entry["where"] = draw(st.lists(conditions(), min_size=1, max_size=2))
        if draw(st.booleans()):
            entry["window_days"] = draw(st.integers(1, 3))
        if compute == "list":
            entry["limit"] = draw(st.integers(1, 3))
        found.append(entry)
    return read_definitions(found)
