"""A seeded simulation of the whole river: random traffic of a few people who share devices, decisions in between,
batches cut anywhere, faults anywhere. It runs the real stages on any engines.

    river = River(seed_or_records)
    river.drain(batch_records=3)
    river.contents()      # everything the state says, independent of how it is stored
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from cauce.app import Parts, Views, assemble
from cauce.engines.api import Log, Tables, Turns
from cauce.engines.memory import Broken, Faults, MemoryLog, MemoryTables, MemoryTurns
from cauce.events import decisions
from cauce.model import DAY, DECISIONS, MINUTE, SECOND, Source, to_iso
from cauce.runner import Runner, contents, settled
from cauce.settings import Settings

START = 1_780_000_000 * SECOND
SECRET = b"simulation-secret-of-32-bytes!!!"

SOURCES = {
    source.name: source
    for source in (
        Source("web", "web"),
        Source("app", "app"),
        Source("pos", "pos", user_id_kind="pos_customer"),
        Source("tablet", "store", shared_device=True),
    )
}

MAIL_DOMAIN = "correo.example"
"""Not example.com, whose addresses are blocked: they would be evidence for nobody."""

Entry = tuple[str, str, int, bytes]


def traffic(
    seed: int, events: int, *, people: int = 5, with_decisions: bool = True, with_garbage: bool = False
) -> list[Entry]:
    """Log entries (source, connector, received, body) of about `events` events; the same seed gives the same.

    `with_garbage` adds items and whole bodies that are no events, some of which name a person.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation's dice
    entries: list[Entry] = []
    sent: list[dict[str, Any]] = []
    now = START
    while len(sent) < events:
        now += chance.randrange(1, 20) * MINUTE
        if with_decisions and chance.random() < 0.04:
            entries.append((DECISIONS, DECISIONS, now, _decision(chance, people, now)))
            continue
        source = chance.choice(list(SOURCES))
        batch = [_event(chance, source, people, now, len(sent) + index) for index in range(chance.randrange(1, 5))]
        if sent and chance.random() < 0.15:
            batch.append(chance.choice(sent))  # a retry: the same event again
        if with_garbage and chance.random() < 0.2:
            batch.insert(chance.randrange(len(batch) + 1), _garbage(chance, people, len(sent)))
        if with_garbage and chance.random() < 0.05:
            entries.append((source, "tracking", now, b'{"batch": [{"email": "person%d@' % chance.randrange(people)))
        sent += batch
        entries.append((source, "tracking", now, msgspec.json.encode({"batch": batch, "sentAt": to_iso(now)})))
    return entries


def _event(chance: random.Random, source: str, people: int, now: int, number: int) -> dict[str, Any]:
    who = chance.randrange(people)
    occurred = now - chance.choice((0, 0, 0, MINUTE, 3 * DAY, 40 * DAY))
    event: dict[str, Any] = {
        "messageId": f"{source}-{number}",
        "timestamp": to_iso(occurred),
        "anonymousId": f"device-{chance.randrange(people + 2)}",
    }
    if chance.random() < 0.4:
        event["userId"] = chance.choice((f"user-{who}", f"user-{who}", "null", ""))
    kind = chance.choice(("identify", "track", "track", "track", "page", "alias"))
    event["type"] = kind
    if kind == "identify":
        event["traits"] = chance.choice(
            (
                {"email": f"Person{who}@{MAIL_DOMAIN}", "firstName": chance.choice(("Ana", "ANA", "Anna"))},
                {"phone": f"+3461234567{who}", "city": chance.choice(("León", "Vigo", None))},
                {"loyalty_id": f"L-{who}", "points": chance.randrange(9)},
            )
        )
    elif kind == "track":
        event["event"] = chance.choice(("Product Viewed", "Order Completed", "Receipt Issued", "Consent Given", "Nope"))
        event["properties"] = _properties(chance, event["event"], number)
    elif kind == "page":
        event["name"] = chance.choice(("Home", "Jackets"))
    else:
        event["userId"] = f"user-{who}"
        event["previousId"] = event["anonymousId"]
    if chance.random() < 0.05:
        event.pop("anonymousId")
        event.pop("userId", None)
    return event


def _garbage(chance: random.Random, people: int, number: int) -> Any:
    who = chance.randrange(people)
    return chance.choice(
        (
            f"person{who}@{MAIL_DOMAIN}",
            {"type": "track", "messageId": f"bad-{number}", "userId": f"user-{who}", "timestamp": "never"},
            {"type": "greet", "messageId": f"bad-{number // 3}", "traits": {"email": f"person{who}@{MAIL_DOMAIN}"}},
            {"type": "track", "messageId": f"bad-{number}", "anonymousId": f"device-{who}", "quantity": who},
            [who, None],
        )
    )


def _properties(chance: random.Random, name: str, number: int) -> dict[str, Any]:
    price = chance.choice((0.1, 19.99, 5, 7.333, -3.5))
    sku = f"sku-{chance.randrange(4)}"
    found: dict[str, dict[str, Any]] = {
        "Product Viewed": {"product_id": sku, "sku": sku, "price": price, "category": chance.choice(("a", "b"))},
        "Order Completed": {
            "order_id": f"o-{number}", "total": price, "revenue": price,
            "currency": chance.choice(("EUR", "EUR", "XXQ")),
            "products": [{"product_id": sku, "sku": sku, "price": price, "quantity": 1}],
        },
        "Receipt Issued": {"receipt_id": f"r-{number}", "total": price, "currency": "EUR", "store_id": "s1"},
        "Consent Given": {"purpose": "marketing", "channel": chance.choice(("email", "sms"))},
        "Nope": {"anything": [price, None, {"deep": True}]},
    }  # fmt: skip
    return found[name]


def _decision(chance: random.Random, people: int, now: int) -> bytes:
    one, other = chance.randrange(people), chance.randrange(people)
    pair = {"a": f"user_id:user-{one}", "b": f"email:person{other}@{MAIL_DOMAIN}", "why": "simulated"}
    name = chance.choice(("identity.refused", "identity.unrefused", "identity.joined", "identity.unjoined"))
    return decisions.encode(name, pair, "simulation", now)


Engines = tuple[Log, Callable[[], Tables]]
"""A log, and what opens the tables beside it (again)."""


def in_memory() -> Engines:
    """Fresh engines that vanish with the river."""
    tables = MemoryTables()
    return MemoryLog(), lambda: tables


class River:
    """The real stages over engines that can be killed and opened again. `history` is a folder for Parquet."""

    engines: Callable[[], Engines] = staticmethod(in_memory)
    """Gives the engines of a river that is told of none; a test replaces it to see its promises kept elsewhere."""

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        log: Log | None = None,
        tables: Callable[[], Tables] | None = None,
        history: Path,
        sources: Mapping[str, Source] = SOURCES,
        **settings: Any,
    ) -> None:
        if log is None or tables is None:
            fresh_log, fresh_tables = self.engines()
            log, tables = log or fresh_log, tables or fresh_tables
        self.log: Log = log
        if entries:
            self.log.append(entries)
        self._open = tables
        self._history = history
        self._sources = sources
        self._settings = settings
        self.tables = self._open()

    def runner(
        self, *, faults: Faults | None = None, turns: Turns | None = None, tables: Any = None, **settings: Any
    ) -> Runner:
        """A fresh runner over the committed state, as after a restart; with `turns`, beside others.

        `tables`: what stands before the river's own.
        """
        log: Any = faults.wrap(self.log) if faults else self.log
        tables = self.tables if tables is None else tables
        tables = faults.wrap(tables) if faults else tables
        return assemble(self._parts(log, **settings), tables, self._history, turns)

    def drain_side_by_side(
        self, seed: int, runners: int, *, faulty: bool = False, interrupted: bool = False, **settings: Any
    ) -> int:
        """Processes the whole log by several runners that come, go and die at random; how many died.

        `interrupted`: others act in the middle of what a runner does outside its turn, even while it is being made.
        """
        crew = Crew(self, random.Random(seed), runners, settings)  # noqa: S311 - a simulation's dice
        crew.is_faulty, crew.is_interrupted = faulty, interrupted
        try:
            while crew.is_empty or settled(self.tables) < self.log.end():
                crew.act()
        finally:
            crew.close()
        return crew.deaths

    def drain(self, **settings: Any) -> River:
        """Processes the whole log; `settings` such as `batch_records` as options."""
        runner = self.runner(**settings)
        try:
            runner.drain()
        finally:
            runner.close()
        return self

    def drain_with_faults(self, seed: int, **settings: Any) -> int:
        """Processes the whole log while operations fail at random and the runner starts again; how often it fell."""
        chance = random.Random(seed)  # noqa: S311 - a simulation's dice
        falls = 0
        while True:
            faults = Faults(chance.randrange(1, 120))
            runner = None
            try:
                runner = self.runner(faults=faults, **settings)
                runner.drain()
                return falls
            except Broken:
                falls += 1
                if runner is not None:
                    runner.close()
                if falls % 7 == 0:  # lets a run with little luck get through
                    self.runner(**settings).run_once()

    def _parts(self, log: Any, **settings: Any) -> Parts:
        return Parts(log, self._sources.get, Settings({**self._settings, **settings}), SECRET)

    def views(self) -> Views:
        return Views(self._parts(self.log), self.tables)

    def contents(self) -> dict[str, list[Any]]:
        """Everything the state says, by table, independent of batches, runs, blocks and files."""
        return {name: list(rows) for name, rows in contents(self.runner(), self.tables).items()}


def differing(state: Mapping[str, Sequence[Any]], expected: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Tables that are not as expected, each with the first pairs of rows (found, expected) that differ."""
    return {
        name: [pair for pair in zip_longest(state.get(name, ()), expected.get(name, ())) if pair[0] != pair[1]][:5]
        for name in state.keys() | expected.keys()
        if state.get(name) != expected.get(name)
    }


class Crew:
    """Several runners over one river in one thread, stepped by dice; in the middle of each other when interrupted."""

    def __init__(self, river: River, chance: random.Random, runners: int, settings: Mapping[str, Any]) -> None:
        self.deaths = 0
        self.alone = 0
        """How many are in a block in which nobody else may act."""
        self.is_faulty = self.is_interrupted = False
        self._river = river
        self._chance = chance
        self._settings = settings
        self._taken: dict[int, object] = {}
        self._runners: list[Runner | None] = [None] * runners
        self._turns = [_CrewTurns(self._taken, self) for _ in range(runners)]
        self._busy: set[int] = set()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is there, as at the beginning."""
        return not any(self._runners)

    def act(self) -> None:
        """One runner that is not in the middle of something begins, prepares, commits, makes files, or dies."""
        place = self._chance.choice([place for place in range(len(self._runners)) if place not in self._busy])
        self._busy.add(place)
        try:
            self._act(place)
        except Broken:
            self.deaths += 1
            self._end(place)
        finally:
            self._busy.discard(place)

    def _act(self, place: int) -> None:
        chance, runner = self._chance, self._runners[place]
        if runner is None:
            faults = Faults(chance.randrange(20, 140)) if self.is_faulty else None
            tables = Interrupted(self._river.tables, self._pause) if self.is_interrupted else None
            self._runners[place] = self._river.runner(
                faults=faults, turns=self._turns[place], tables=tables, **self._settings
            )
        elif chance.random() < 0.03:
            raise Broken(f"runner {place} is killed")
        elif chance.random() < 0.5:
            runner.prepare()
        elif not runner.run_once():
            runner.idle()

    def _pause(self) -> None:
        """Between two operations of one runner, another may come; never while one is alone."""
        if not self.alone and len(self._busy) < len(self._runners) and self._chance.random() < 0.1:
            self.act()

    def drawn(self, lanes: Sequence[int]) -> list[int]:
        """Those of the lanes that are free, as the dice have it."""
        return [lane for lane in lanes if self._chance.random() < 0.5]

    def _end(self, place: int) -> None:
        runner, self._runners[place] = self._runners[place], None
        self._turns[place].die()
        if runner is not None:
            runner.close()

    def close(self) -> None:
        """The end of all of them."""
        for place in range(len(self._runners)):
            self._end(place)


class _CrewTurns(MemoryTurns):
    """Turns of one of a crew, which knows when it must not be interrupted, and finds some lanes taken."""

    def __init__(self, taken: dict[int, object], crew: Crew) -> None:
        super().__init__(taken)
        self._crew = crew

    @contextmanager
    def alone(self) -> Iterator[None]:
        self._crew.alone += 1
        try:
            yield
        finally:
            self._crew.alone -= 1

    def is_alone(self) -> bool:
        """By chance: whoever believes it must come to the same state."""
        return not self._crew.drawn((0, 1))

    def lanes(self, wanted: Sequence[int], most: int) -> list[int]:
        """Some of them, or none: so parcels are left behind, as they are by who dies before it has folded them."""
        return self._crew.drawn(wanted)[:most]


class TakenLanes(MemoryTurns):
    """Turns of a runner that finds every lane taken while they `are_taken`, so that it leaves its parcels to others."""

    are_taken = True

    def lanes(self, wanted: Sequence[int], most: int) -> list[int]:
        return [] if self.are_taken else super().lanes(wanted, most)


class Interrupted:
    """Tables before each of whose operations others may act, outside transactions."""

    def __init__(self, tables: Any, pause: Callable[[], None]) -> None:
        self._tables = tables
        self._pause = pause
        self._is_inside = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tables, name)
        if name not in Faults.WATCHED:
            return found

        def interrupted(*arguments: Any, **options: Any) -> Any:
            if not self._is_inside:
                self._pause()
            return found(*arguments, **options)

        return interrupted

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Inside it nobody else acts: engines in memory have one connection."""
        self._pause()
        with self._tables.transaction():
            self._is_inside = True
            try:
                yield
            finally:
                self._is_inside = False


def shuffled(entries: Sequence[Entry], seed: int) -> Iterator[Entry]:
    """The same entries in another order of arrival."""
    chance = random.Random(seed)  # noqa: S311 - a simulation's dice
    mixed = list(entries)
    chance.shuffle(mixed)
    yield from mixed
