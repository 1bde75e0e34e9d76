"""The index follows the river: however it was brought up to date, it says what one built at once would say."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cauce.engines.sqlite import SqliteTables
from cauce.events import decisions
from cauce.model import DECISIONS
from cauce.search import api as search_api
from cauce.search import follower as following
from cauce.search import store
from cauce.search.api import Sight
from cauce.search.follower import Follower
from cauce.search.rules import terms_of
from cauce.testing.simulate import Entry, River, TakenLanes, traffic
from tests.river.test_erasure_river import erased
from tests.river.test_promises import NOW, SEEDS, examples

Dumped = dict[str, list[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Gives a fresh folder at each call, also inside Hypothesis."""
    numbers, base = count(), tmp_path_factory.mktemp("search")
    return lambda: _made(base / str(next(numbers)))


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def sight_of(river: River) -> Sight:
    views = river.views()
    return Sight(views.reader, views.people, views.profiles, views.archive)


def dumped(path: Path) -> Dumped:
    """Everything an index says, without the numbers that the order of arrival gives."""
    connection = sqlite3.connect(path)
    try:
        entries = connection.execute("select id, kind, value, names from entry order by id").fetchall()
        connection.execute("create virtual table temp.vocabulary using fts5vocab(main, term, instance)")
        terms = connection.execute(
            "select vocabulary.term, entry.id from temp.vocabulary join entry on entry.number = vocabulary.doc "
            "order by 1, 2"
        ).fetchall()
        strays = connection.execute(
            "select count(*) from temp.vocabulary where doc not in (select number from entry)"
        ).fetchone()
        near = connection.execute("select key, word from near order by 1, 2").fetchall()
        return {"entries": entries, "terms": terms, "strays": [strays], "near": near}
    finally:
        connection.close()


def built_at_once(path: Path, river: River) -> Dumped:
    with store.writer(path) as index:
        while Follower(index, sight_of(river)).step():
            pass
    return dumped(path)


def decided(chance: random.Random, people: int) -> Entry:
    """A decision that the index must take notice of."""
    who = chance.randrange(people)
    if chance.random() < 0.5:
        return erased(who, suppress=chance.random() < 0.3)
    kind = {"kinds": {"email": {"priority": chance.randrange(40, 99)}, "loyalty": {"device": chance.random() < 0.5}}}
    name, properties = chance.choice(
        (
            ("identity.rules_applied", {"rules": kind}),
            ("trait.set", {"identifier": f"user_id:user-{who}", "trait": "lastName", "value": "Núñez", "why": "said"}),
        )
    )
    return (DECISIONS, DECISIONS, NOW, decisions.encode(name, properties, "steward", NOW))


def interleaved(seed: int) -> Iterator[Entry]:
    chance = random.Random(seed)
    for entry in traffic(seed, 60, with_garbage=True):
        yield entry
        if chance.random() < 0.08:
            yield decided(chance, 5)


@examples(4)
@given(seed=SEEDS)
def test_any_interleaving_is_the_same_as_built_at_once(folder: Any, seed: int) -> None:
    chance = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "EVENTS_PER_STEP", chance.choice((1, 3, 50)))
        patch.setattr(following, "IDENTIFIERS_PER_STEP", chance.choice((2, 7, 500)))
        path = folder()
        river = River([], tables=lambda: SqliteTables(path / "state.db"), history=path / "history")
        waiting = list(interleaved(seed))
        while waiting:
            size = chance.randrange(1, 12)
            river.log.append(waiting[:size])
            del waiting[:size]
            river.drain(batch_records=chance.randrange(1, 9))
            with store.writer(path / "search.db") as index:  # a new follower each time: a restart
                follower = Follower(index, sight_of(river))
                for _ in range(chance.randrange(12)):
                    follower.step()
        with store.writer(path / "search.db") as index:
            follower = Follower(index, sight_of(river))
            while follower.step():
                pass
        followed = dumped(path / "search.db")
        river.tables.close()
        again = River([], log=river.log, tables=lambda: SqliteTables(path / "again.db"), history=path / "again").drain()
        assert followed == built_at_once(path / "once.db", again)
        assert followed["strays"] == [(0,)]
        again.tables.close()


class Fallen(Exception):
    pass


@examples(4)
@given(seed=SEEDS, falls_at=st.integers(0, 30))
def test_a_fall_in_the_middle_of_a_step_changes_nothing(folder: Any, seed: int, falls_at: int) -> None:
    path = folder()
    river = River(list(interleaved(seed)), tables=lambda: SqliteTables(path / "state.db"), history=path / "h").drain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "IDENTIFIERS_PER_STEP", 3)
        moved, calls = store.Index.move, count()

        def falling(self: store.Index, place: store.Place) -> None:
            moved(self, place)
            if next(calls) == falls_at:
                raise Fallen

        patch.setattr(store.Index, "move", falling)
        for _ in range(2):
            with store.writer(path / "search.db") as index:
                follower = Follower(index, sight_of(river))
                try:
                    while follower.step():
                        pass
                except Fallen:
                    before = index.place()
                    assert before.position <= sight_of(river).archive.last_position()
    assert dumped(path / "search.db") == built_at_once(path / "once.db", river)
    river.tables.close()


def test_a_step_that_finds_nothing_to_do_says_so(folder: Any) -> None:
    path = folder()
    river = River([], tables=lambda: SqliteTables(path / "state.db"), history=path / "history").drain()
    with store.writer(path / "search.db") as index:
        follower = Follower(index, sight_of(river))
        assert [follower.step(), follower.step()] == [True, False], "it looks once at nobody"
    river.tables.close()


def test_what_was_seen_costs_no_look(folder: Any) -> None:
    """An event of somebody known that tells nothing must not be looked up: that is what keeps the follower cheap."""
    path = folder()
    told, plain = (
        [
            (
                "web",
                "tracking",
                NOW,
                b'{"batch":[{"type":"%s","userId":"u-1","messageId":"%d"%s}]}' % (kind, number, more),
            )
        ]
        for kind, number, more in ((b"identify", 1, b',"traits":{"name":"Ana"}'), (b"page", 2, b""))
    )
    river = River(told, tables=lambda: SqliteTables(path / "state.db"), history=path / "history").drain()
    sight = sight_of(river)
    asked: list[list[int]] = []
    people: Any = SimpleNamespace(
        rules=sight.people.rules,
        identifiers_after=sight.people.identifiers_after,
        identifiers_of=lambda ids: asked.append(sorted(ids)) or sight.people.identifiers_of(ids),
    )
    with store.writer(path / "search.db") as index:
        follower = Follower(index, sight._replace(people=people))
        while follower.step():
            pass
        for body in (plain, [(*plain[0][:3], plain[0][3].replace(b'"2"', b'"3"'))]):
            river.log.append(body)
            river.drain()
            while follower.step():
                pass
    assert [len(ids) for ids in asked] == [1, 0]
    river.tables.close()


@pytest.mark.parametrize("damage", ["entry", "names", "term", "stray"])
def test_an_index_that_says_something_else_is_found_out(folder: Any, damage: str) -> None:
    path = folder()
    river = River(list(traffic(3, 60)), tables=lambda: SqliteTables(path / "state.db"), history=path / "h").drain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_api, "LOOKED_UP_EVERY", 1)
        patch.setattr(search_api, "IDENTIFIERS_PER_STEP", 7)
        search = search_api.Search(path / "search.db", sight_of(river))
        compared, differing = search.differing()
        assert compared > 7
        assert differing == []
        connection = sqlite3.connect(path / "search.db")
        id, number, value = connection.execute("select id, number, value from entry where value <> ''").fetchone()
        with connection:
            if damage == "entry":
                connection.execute("delete from entry where id = ?", (id,))
            elif damage == "names":
                connection.execute("update entry set names = ? where id = ?", ('["Nobody"]', id))
            elif damage == "stray":
                connection.execute("insert into entry (id, kind, value, names) values (7, 'email', 'a@b.example', '')")
                id = 7
            else:
                (words,) = (" ".join(sorted(terms_of(search._reading().entries([id])[id]))),)
                connection.execute("insert into term (term, rowid, words) values ('delete', ?, ?)", (number, words))
        connection.close()
        assert search.differing() == (compared + (damage == "stray"), [id]), value
        search.refresh(anew=True)
        assert search.differing() == (compared, [])
        search.close()
    river.tables.close()


def test_a_name_is_looked_for_when_the_strand_says_it_not_when_the_archive_has_it(folder: Any) -> None:
    """Several runners: what a batch tells its subjects is folded after the batch has passed the gate."""
    path = folder()
    river = River(traffic(3, 60, with_decisions=False), history=path / "history")
    turns = TakenLanes({})
    runner = river.runner(turns=turns, batch_records=4)
    with store.writer(path / "search.db") as index:
        follower = Follower(index, sight_of(river))
        while runner.run_once():
            while follower.step():
                pass
        assert not any(entry.names for entry in index.between(0, store.LAST_ID).values())
        turns.are_taken = False
        runner.run_once()
        while follower.step():
            pass
        assert any(entry.names for entry in index.between(0, store.LAST_ID).values())
    assert dumped(path / "search.db") == built_at_once(path / "once.db", river)
