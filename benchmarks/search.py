"""search.build and search.find: an index over a million people with Spanish names, and questions as people type them.

The state is filled with identifiers and names directly, as the river would leave them; the index is built from it by
the real follower and asked through `platform.search`. The floor of a question is a plain FTS5 table over the same texts
in the same run, asked for the same words, whole: no beginnings, no errors, no order, no people.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.harness import Figure, kept_folder, percentile
from cauce.app import Platform
from cauce.identity.rules import identifier_id
from cauce.profiles import strand
from cauce.search.rules import folded, words_in
from cauce.settings import Settings
from cauce.testing.world.names import EMAIL_DOMAINS, GIVEN, SURNAMES

SYLLABLES = (
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "la",
    "me",
    "ni",
    "or",
    "pa",
    "qui",
    "ro",
    "sa",
    "te",
    "vu",
)
RARE_SURNAMES = 20_000
BATCH_PEOPLE = 10_000
WARM_UP_QUESTIONS = 200

Row = tuple[int, str, str, int]
"""An identifier: id, kind, value, person."""


class Town:
    """People with names as common as in Spain: half of all surnames are among the hundred most common ones."""

    def __init__(self, people: int, secret: bytes, seed: int = 7) -> None:
        self.people = people
        self._secret = secret
        self._seed = seed
        chance = random.Random(seed)
        made = ("".join(chance.choices(SYLLABLES, k=chance.choice((2, 3, 3, 4)))).title() for _ in range(RARE_SURNAMES))
        self._surnames = [*SURNAMES, *made]
        self._weights = [1 / (rank + 8) for rank in range(len(self._surnames))]

    def batches(self) -> Iterator[tuple[list[Row], list[tuple[int, str, str]]]]:
        """(identifiers, (identifier id, first name, last name)) of some thousand people at a time."""
        chance = random.Random(self._seed + 1)
        numbers = iter(range(self.people))
        while chunk := list(islice(numbers, BATCH_PEOPLE)):
            surnames = iter(chance.choices(self._surnames, self._weights, k=2 * len(chunk)))
            rows: list[Row] = []
            named = []
            for number in chunk:
                first = chance.choice(GIVEN).name
                last = f"{next(surnames)} {next(surnames)}"
                own = self._identifiers(chance, number, first, last)
                rows += own
                named.append((own[0][0], first, last))
            yield rows, named

    def _identifiers(self, chance: random.Random, number: int, first: str, last: str) -> list[Row]:
        mark = chance.choice(("", str(chance.randrange(100)), str(number)))
        local = chance.choice("._").join((words_in(first)[0], words_in(last)[0])) + mark
        values = [
            ("email", f"{local}@{chance.choice(EMAIL_DOMAINS)}"),
            ("phone", f"+34{chance.choice('67')}{chance.randrange(10**8):08}"),
        ]
        if chance.random() < 0.4:
            values.append(("loyalty", f"4{chance.randrange(10**11):012}"))
        ids = [identifier_id(kind, value, self._secret) for kind, value in values]
        return [(id, kind, value, ids[0]) for id, (kind, value) in zip(ids, values, strict=True)]


def filled(folder: Path, people: int) -> None:
    """An installation whose state knows that many people."""
    with Platform.open(Settings({"data": str(folder)})) as platform:
        town = Town(people, platform.secret)
    state = sqlite3.connect(folder / "state.db")
    for rows, named in town.batches():
        state.executemany(
            "insert or ignore into identifier values (?, ?, ?, 0, 0, 0, ?, ?)",
            [(id, kind, value, person, person) for id, kind, value, person in rows],
        )
        state.executemany("insert or ignore into ledger values (?, ?)", [(id, ledger(*name)) for id, *name in named])
        state.commit()
    state.close()


def ledger(first: str, last: str) -> bytes:
    """What a source told of a person's name."""
    told = strand.Told(
        1, "crm", "e", (("firstName", strand.canonical(first)), ("lastName", strand.canonical(last))), ()
    )
    return strand.encode_ledger(strand.fold_ledger(None, told))


def misspelt(chance: random.Random, text: str) -> str:
    """The text with one letter changed, left out, doubled or swapped, not the first of a word."""
    place = chance.randrange(1, max(2, len(text) - 1))
    before, here, after = text[:place], text[place : place + 1], text[place + 1 :]
    return chance.choice(
        (before + chance.choice("aeioubvsz") + after, before + after, before + here + here + after,
         before + after[:1] + here + after[1:])
    )  # fmt: skip


def questions(platform: Platform, count: int) -> dict[str, list[str]]:
    """Questions of each sort about people who are there."""
    chance = random.Random(11)
    found: dict[str, list[str]] = {sort: [] for sort in ("exact", "beginning", "name", "typing error", "last digits")}
    while len(found["exact"]) < count:
        for kind, value in platform.reader.select(
            "select kind, value from identifier where id >= ? and kind in ('email', 'phone') order by id limit 2",
            (chance.getrandbits(63),),
        ):
            found["exact"].append(value)
            found["beginning"].append(value[: chance.randrange(4, 9)] if kind == "phone" else value.partition("@")[0])
            if kind == "phone":
                found["last digits"].append(value[-chance.randrange(4, 7) :])
    town = Town(count, platform.secret)
    names = [f"{words_in(first)[0]} {folded(last)}" for _, named in town.batches() for _, first, last in named]
    found["name"] = [name.rsplit(" ", chance.randrange(2))[0] for name in names]
    found["typing error"] = [misspelt(chance, name.split(" ", 1)[chance.randrange(2)]) for name in names]
    return found


class Plain:
    """A plain FTS5 table over the same texts."""

    def __init__(self, path: Path, index: Path) -> None:
        self._connection = sqlite3.connect(path)
        if not self._connection.execute("select 1 from sqlite_master where name = 'plain'").fetchone():
            self._connection.execute(
                "create virtual table plain using fts5 (text, tokenize='unicode61 remove_diacritics 2')"
            )
            self._connection.execute("attach ? as search", (str(index),))
            self._connection.execute("insert into plain (text) select value || ' ' || names from search.entry")
            self._connection.commit()

    def find(self, text: str) -> None:
        words = " ".join(f'"{word}"' for word in words_in(text))
        self._connection.execute("select text from plain where plain match ? limit 20", (words,)).fetchall()


def timed(ask: object, texts: list[str]) -> list[float]:
    """Seconds of each question."""
    assert callable(ask)
    for text in texts[: WARM_UP_QUESTIONS // 5]:
        ask(text)
    seconds = []
    for text in texts:
        started = time.perf_counter()
        ask(text)
        seconds.append(time.perf_counter() - started)
    return seconds


def run(people: int = 1_000_000, per_sort: int = 300) -> Iterator[Figure]:
    """search.build in identifiers a second, then search.find in milliseconds, of all questions and of each sort."""
    with kept_folder(people, 0) as base:
        folder = base / "search"
        if not (folder / "state.db").exists():
            folder.mkdir(parents=True, exist_ok=True)
            filled(folder, people)
        with Platform.open(Settings({"data": str(folder)})) as platform:
            started = time.perf_counter()
            platform.search.refresh(anew=True)
            seconds = time.perf_counter() - started
            entries = platform.search.standing().entries
            size_mb = sum(path.stat().st_size for path in folder.glob("search.db*")) / 1e6
            parameters = {"people": people, "identifiers": entries, "index_mb": round(size_mb, 1)}
            yield Figure(name="search.build", value=entries / seconds, unit="identifiers/s", parameters=parameters)
            yield from asked(platform, Plain(base / "plain.db", folder / "search.db"), per_sort, parameters)


def asked(platform: Platform, plain: Plain, per_sort: int, parameters: dict[str, object]) -> Iterator[Figure]:
    """One figure of all questions mixed, and one of each sort: the median in milliseconds."""
    by_sort = questions(platform, per_sort)
    ours: dict[str, list[float]] = {}
    floors: dict[str, list[float]] = {}
    for sort, texts in by_sort.items():
        ours[sort] = timed(platform.search.find, texts)
        floors[sort] = timed(plain.find, texts)
    ours["all"] = [seconds for found in ours.values() for seconds in found]
    floors["all"] = [seconds for found in floors.values() for seconds in found]
    for sort in ("all", *by_sort):
        value, floor = (1e3 * percentile(seconds, 0.5) for seconds in (ours[sort], floors[sort]))
        yield Figure(
            name="search.find",
            value=value,
            unit="ms",
            floor=floor,
            ratio=value / floor,
            p99_ms=1e3 * percentile(ours[sort], 0.99),
            parameters={**parameters, "questions": sort, "asked": len(ours[sort])},
        )
