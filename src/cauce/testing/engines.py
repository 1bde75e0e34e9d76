"""The suites that judge every engine of a role; an engine is good when all checks pass on fresh instances.

Use: `for check in checks(TablesSuite): check(make)` with `make` a function that opens the same store again
(so that durability can be judged) — see `tests/engines`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from cauce.engines.api import Log, Table, Tables
from cauce.errors import StorageBroken

PERSON = Table("person", (("id", "integer"), ("name", "text"), ("body", "blob")), ("id",), indexes=(("name",),))
PAIR = Table("pair", (("low", "integer"), ("high", "integer"), ("weight", "real")), ("low", "high"))
BOND = Table(
    "bond", (("id", "integer"), ("low", "integer"), ("weight", "integer")), ("id",),
    indexes=(("low",),), fixed=("low",),
)  # fmt: skip
LEAF = Table(
    "leaf", (("id", "integer"), ("tree", "text"), ("body", "blob")), ("id",), layout="heap", indexes=(("tree",),)
)
TWIG = Table("twig", (("low", "integer"), ("high", "text"), ("weight", "integer")), ("low", "high"), layout="heap")
PURSE = Table(
    "purse", (("id", "integer"), ("coins", "integer")), ("id",), checks=("coins >= 0", "coins < 100 or id > 5")
)
STONE = Table("stone", (("id", "integer"), ("words", "text")), ("id",), sealed=True)
VISIT = Table(
    "visit", (("who", "integer"), ("at", "integer"), ("position", "integer"), ("note", "text")),
    ("who", "at", "position"), layout="runs",
)  # fmt: skip

Make = Callable[[], Any]


def checks(suite: type) -> list[Callable[[Make], None]]:
    """All checks of a suite, in the order of their names."""
    return [getattr(suite, name) for name in sorted(vars(suite)) if name.startswith("check_")]


def _is_refused(tables: Tables, change: Callable[[], object]) -> bool:
    """Whether a change ends its transaction with StorageBroken."""
    try:
        with tables.transaction():
            change()
    except StorageBroken:
        return True
    return False


class Interrupted(Exception):
    """Raised inside a transaction to see it undone."""


class TablesSuite:
    """What a Tables engine promises."""

    @staticmethod
    def check_create_is_idempotent(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, PAIR, VISIT))
        tables.create((PERSON, PAIR, VISIT))
        assert tables.select("select count(*) from person") == [(0,)]

    @staticmethod
    def check_upsert_replaces_by_key(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, PAIR))
        with tables.transaction():
            tables.upsert(PERSON, [(1, "Ana", b"a"), (2, "Luis", b"b")])
            tables.upsert(PERSON, [(2, "Luisa", None)])
            tables.upsert(PAIR, [(1, 2, 0.5), (1, 3, 0.25), (1, 2, 0.75)])
        assert tables.select("select id, name, body from person order by id") == [(1, "Ana", b"a"), (2, "Luisa", None)]
        assert tables.select("select * from pair order by low, high") == [(1, 2, 0.75), (1, 3, 0.25)]

    @staticmethod
    def check_rows_of_several_tables_are_written_together(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, PURSE, STONE, BOND))
        for count, name in ((3, "a"), (4_000, "b"), (2, "c")):
            people = [(number, f"{name}{number}", None) for number in range(count)]
            bonds = [(number, 7, count) for number in range(count)]
            with tables.transaction():
                tables.upsert_each([(PERSON, people), (BOND, bonds), (PURSE, []), (STONE, [(count, name)])])
        with tables.transaction():
            tables.upsert_each([])
        names: dict[int, str] = dict(tables.select("select id, name from person"))
        assert [names[place] for place in range(4)] == ["c0", "c1", "b2", "b3"]
        assert len(names) == 4_000
        counts = {"a": 3, "b": 4_000, "c": 2}
        weights: dict[int, int] = dict(tables.select("select id, weight from bond"))
        assert weights == {key: counts[name[0]] for key, name in names.items()}
        assert tables.select("select id, words from stone order by id") == [(2, "c"), (3, "a"), (4_000, "b")]
        assert _is_refused(tables, partial(tables.upsert_each, [(PERSON, [(9, "z", None)]), (PURSE, [(3, -1)])]))
        assert _is_refused(tables, partial(tables.upsert_each, [(BOND, [(9_999, 7, 1)]), (STONE, [(2, "x")])]))
        assert tables.select("select id, name from person where id = 9") == [(9, "b9")]
        assert tables.select("select id from bond where id = 9999") == []

    @staticmethod
    def check_rows_with_fixed_columns_are_rewritten(make: Make) -> None:
        tables: Tables = make()
        tables.create((BOND,))
        with tables.transaction():
            tables.upsert(BOND, [(1, 7, 1), (2, 7, 1), (3, 8, 1)])
        with tables.transaction():
            tables.upsert(BOND, [(2, 7, 5), (4, 7, 1), (2, 7, 6)])
        assert tables.select("select id, weight from bond where low = 7 order by id") == [(1, 1), (2, 6), (4, 1)]

    @staticmethod
    def check_rows_of_a_heap_are_found_and_replaced_by_key_in_whatever_order_they_came(make: Make) -> None:
        tables: Tables = make()
        tables.create((LEAF, TWIG))
        chance = random.Random(5)  # noqa: S311 - a test's dice
        leaves: dict[int, tuple[str, bytes]] = {}
        twigs: dict[tuple[int, str], int] = {}
        for batch in range(6):
            ids = [chance.randrange(-(2**63), 2**63) for _ in range(70)] + chance.sample(sorted(leaves), batch * 10)
            new = {id: (f"t{chance.randrange(9)}", bytes(chance.randrange(300))) for id in ids}
            pairs = {(chance.randrange(5), f"h{chance.randrange(5)}"): batch for _ in range(9)}
            with tables.transaction():
                tables.upsert(LEAF, [(id, *row) for id, row in new.items()])
                tables.upsert(TWIG, [(*key, weight) for key, weight in pairs.items()])
            leaves.update(new)
            twigs.update(pairs)
        gone = chance.sample(sorted(leaves), 40)
        with tables.transaction():
            tables.delete(LEAF, gone)
        for id in gone:
            del leaves[id]
        assert [row for rows in tables.scan_all(LEAF, 50) for row in rows] == [
            (id, *row) for id, row in sorted(leaves.items())
        ]
        assert [row for rows in tables.scan_all(TWIG) for row in rows] == [
            (*key, weight) for key, weight in sorted(twigs.items())
        ]
        asked = [*sorted(leaves)[::3], *gone]
        found = {
            row[0]: row[1:] for row in tables.select_keys("select id, tree, body from leaf where id in {keys}", asked)
        }
        assert found == {id: leaves[id] for id in asked if id in leaves}
        of_tree = {id for (id,) in tables.select("select id from leaf where tree = ?", ("t3",))}
        assert of_tree == {id for id, (tree, _) in leaves.items() if tree == "t3"}

    @staticmethod
    def check_a_row_that_breaks_a_condition_is_refused_with_all_that_came_with_it(make: Make) -> None:
        tables: Tables = make()
        tables.create((PURSE,))
        with tables.transaction():
            tables.upsert(PURSE, [(1, 5), (6, 500)])
        for row in ((1, -1), (2, 100)):
            assert _is_refused(tables, partial(tables.upsert, PURSE, [(3, 3), row]))
        assert tables.select("select id, coins from purse order by id") == [(1, 5), (6, 500)]

    @staticmethod
    def check_rows_of_a_sealed_table_are_only_added(make: Make) -> None:
        tables: Tables = make()
        tables.create((STONE,))
        with tables.transaction():
            tables.upsert(STONE, [(1, "thou shalt"), (2, "not")])
        for change in (
            lambda: tables.upsert(STONE, [(3, "x"), (1, "changed")]),
            lambda: tables.execute("update stone set words = 'changed' where id = 1"),
            lambda: tables.execute("delete from stone where id = 2"),
        ):
            assert _is_refused(tables, change)
        with tables.transaction():
            tables.upsert(STONE, [(3, "covet")])
        found = tables.select("select id, words from stone order by id")
        assert found == [(1, "thou shalt"), (2, "not"), (3, "covet")]

    @staticmethod
    def check_one_question_for_many_parameters_is_answered_in_their_order(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON,))
        with tables.transaction():
            tables.upsert(PERSON, [(number, f"n{number}", None) for number in range(5)])
            inside = tables.select_each("select name from person where id >= ? order by id limit 2", [(3,), (9,), (0,)])
        assert inside == [[("n3",), ("n4",)], [], [("n0",), ("n1",)]]
        assert tables.select_each("select name from person where id = ?", [(2,), (1,)]) == [[("n2",)], [("n1",)]]
        assert tables.select_each("select 1 where 1 = ?", []) == []

    @staticmethod
    def check_questions_with_keys_are_answered_in_their_order(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON,))
        by_id, all_ids = "select name from person where id in {keys}", "select id from person where id in {keys}"
        with tables.transaction():
            tables.upsert(PERSON, [(number, f"n{number}", None) for number in range(2_000)])
            inside = tables.select_keys_each([(by_id, {3}), (all_ids, range(1, 1_500)), (by_id, [])])
        assert inside[0] == [("n3",)]
        assert sorted(inside[1]) == [(number,) for number in range(1, 1_500)]
        assert inside[2] == []
        assert tables.select_keys_each([]) == []
        reader = tables.reader()
        assert reader.select_keys_each([(by_id, [7, 7])]) == [[("n7",)]]
        by_name = "select id from person where name in {keys}"
        assert reader.select_keys_each([(by_name, ["n9", "nobody", "n9"]), (by_name, []), (by_id, [8])]) == [
            [(9,)], [], [("n8",)],
        ]  # fmt: skip
        assert reader.select_keys(by_name, {"n5", "o'n\x00"}) == [(5,)]
        reader.close()

    @staticmethod
    def check_transaction_is_all_or_nothing(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, VISIT))
        try:
            with tables.transaction():
                tables.upsert(PERSON, [(1, "Ana", None)])
                tables.upsert(VISIT, [(1, 5, 1, "x")])
                raise Interrupted
        except Interrupted:
            pass
        assert tables.select("select * from person") == []
        assert tables.scan(VISIT, 1) == []
        with tables.transaction():
            tables.upsert(PERSON, [(1, "Ana", None)])
        assert len(tables.select("select * from person")) == 1

    @staticmethod
    def check_select_keys_takes_any_number(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON,))
        with tables.transaction():
            tables.upsert(PERSON, [(key, f"n{key}", None) for key in range(0, 6_000, 2)])
        for keys in ([], [0], [4, 4, 5], list(range(3_001))):
            found = tables.select_keys("select id from person where id in {keys}", keys)
            assert sorted(found) == sorted((key,) for key in set(keys) if key % 2 == 0)
        assert tables.select_keys("select id from person where name <> ? and id in {keys}", [2, 4], ["n4"]) == [(2,)]

    @staticmethod
    def check_numbers_and_texts_come_back_as_they_were(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, PAIR))
        texts = ["", "Zoë", "a", "Z", "\U0001f600", "%s ? {keys}", "x" * 100_000]
        numbers = [-(2**63), 2**63 - 1, 0, 1, -1, 2**31, 7]
        rows = [(number, text, text.encode() or None) for number, text in zip(numbers, texts, strict=True)]
        with tables.transaction():
            tables.upsert(PERSON, rows)
            tables.upsert(PAIR, [(2**62, 1, 0.1), (2**62, 2, None)])
        assert sorted(tables.select("select * from person")) == sorted(rows)
        assert [row[0] for row in tables.select("select name from person order by name")] == sorted(texts)
        assert tables.select("select id from person where name = '?' or name = ?", ["Zoë"]) == [(2**63 - 1,)]
        assert tables.select("select sum(high), count(weight) from pair") == [(3, 1)]
        assert tables.select("select weight from pair order by high") == [(0.1,), (None,)]

    @staticmethod
    def check_merge_puts_columns_together(make: Make) -> None:
        tables: Tables = make()
        tables.create((PAIR, PERSON))
        with tables.transaction():
            tables.merge(PAIR, [(1, 2, 0.5), (1, 3, 1.0)], {"weight": "sum"})
            tables.merge(PAIR, [(1, 2, 0.25), (9, 9, 0.0)], {"weight": "sum"})
            tables.merge(PAIR, [(1, 3, 0.5)], {"weight": "min"})
            tables.merge(PERSON, [(1, "m", b"first"), (2, "m", None)], {"name": "max"})
            tables.merge(PERSON, [(1, "z", b"second"), (2, "Z", b"second")], {"name": "max"})
            tables.merge(PERSON, [], {"name": "max"})
        assert tables.select("select * from pair order by low, high") == [(1, 2, 0.75), (1, 3, 0.5), (9, 9, 0.0)]
        assert tables.select("select * from person order by id") == [(1, "z", b"first"), (2, "m", None)]

    @staticmethod
    def check_a_large_batch_is_whole(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, VISIT))
        people = [(key, "n" * (key % 9), bytes([key % 256]) * 300) for key in range(45_000)]
        with tables.transaction():
            tables.upsert(PERSON, (row for row in people))
            tables.upsert(PERSON, [(key, "again", None) for key in range(0, 45_000, 1_000)])
            assert tables.execute("delete from person where id >= ?", [44_000]) == 1_000
        assert tables.select("select count(*), max(id) from person") == [(44_000, 43_999)]
        assert len(tables.select("select id from person where name = 'again'")) == 44
        found = [row for chunk in tables.scan_all(PERSON, 7_000) for row in chunk]
        assert [row[0] for row in found] == list(range(44_000))

    @staticmethod
    def check_a_failed_statement_undoes_the_transaction(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON,))
        try:
            with tables.transaction():
                tables.upsert(PERSON, [(1, "Ana", None)])
                tables.select("select nothing from nowhere")
        except Exception:  # noqa: S110 - each engine has its own fault for it
            pass
        else:
            raise AssertionError("a statement that makes no sense was carried out")
        assert tables.select("select * from person") == []
        with tables.transaction():
            tables.upsert(PERSON, [(2, "Luis", None)])
        assert tables.select("select id from person") == [(2,)]

    @staticmethod
    def check_scan_reads_runs_in_order(make: Make) -> None:
        tables: Tables = make()
        tables.create((VISIT,))
        chance = random.Random(5)  # noqa: S311 - a test's dice
        rows = [(chance.randrange(6), chance.randrange(90), position, f"v{position}") for position in range(3_000)]
        for start in range(0, len(rows), 37):
            with tables.transaction():
                tables.upsert(VISIT, rows[start : start + 37])
        for who in range(7):
            mine = sorted(row for row in rows if row[0] == who)
            assert tables.scan(VISIT, who) == mine
            assert tables.scan(VISIT, who, descending=True, limit=10) == mine[::-1][:10]
            assert tables.scan(VISIT, who, after=(40,)) == [row for row in mine if row[1] > 40]
            assert (
                tables.scan(VISIT, who, before=(40, 1_000), descending=True, limit=7)
                == ([row for row in mine[::-1] if row[1:3] < (40, 1_000)][:7])
            )
        assert [row for chunk in tables.scan_all(VISIT, 100) for row in chunk] == sorted(rows)

    @staticmethod
    def check_delete_by_first_key(make: Make) -> None:
        tables: Tables = make()
        tables.create((PERSON, VISIT))
        with tables.transaction():
            tables.upsert(PERSON, [(1, "a", None), (2, "b", None)])
            tables.upsert(VISIT, [(1, 1, 1, "a"), (2, 1, 2, "b")])
            tables.upsert(VISIT, [(1, 2, 3, "c")])
            tables.delete(PERSON, [1])
            tables.delete(VISIT, [1])
        assert tables.select("select id from person") == [(2,)]
        assert [row for chunk in tables.scan_all(VISIT) for row in chunk] == [(2, 1, 2, "b")]

    @staticmethod
    def check_reader_sees_commits_and_one_moment(make: Make) -> None:
        tables: Tables = make()
        if not tables.capabilities.shared_between_processes:
            return
        tables.create((PERSON, VISIT))
        reader = tables.reader()
        with tables.transaction():
            tables.upsert(PERSON, [(1, "a", None)])
        assert reader.select("select count(*) from person") == [(1,)]
        with reader.snapshot():
            assert reader.select("select count(*) from person") == [(1,)]
            with tables.transaction():
                tables.upsert(PERSON, [(2, "b", None)])
                tables.upsert(VISIT, [(2, 1, 1, "b")])
            assert reader.select("select count(*) from person") == [(1,)]
            assert reader.scan(VISIT, 2) == []
        assert reader.select("select count(*) from person") == [(2,)]
        assert reader.scan(VISIT, 2) == [(2, 1, 1, "b")]
        reader.close()

    @staticmethod
    def check_durable_after_reopening(make: Make) -> None:
        tables: Tables = make()
        if not tables.capabilities.durable:
            return
        tables.create((PERSON, VISIT))
        with tables.transaction():
            tables.upsert(PERSON, [(1, "a", b"x")])
            tables.upsert(VISIT, [(1, 1, 1, "a")])
        tables.close()
        again: Tables = make()
        again.create((PERSON, VISIT))
        assert again.select("select * from person") == [(1, "a", b"x")]
        assert again.scan(VISIT, 1) == [(1, 1, 1, "a")]
        again.scrub()
        assert again.scan(VISIT, 1) == [(1, 1, 1, "a")]


class LogSuite:
    """What a Log engine promises."""

    @staticmethod
    def check_append_and_read_in_order(make: Make) -> None:
        log: Log = make()
        assert (log.end(), log.read(0, records_max=5, bytes_max=99)) == (0, [])
        first = log.append([("web", "tracking", 10 + index, b"x" * index) for index in range(5)])
        assert first == 1
        assert log.append([("pos", "files", 99, b"last")]) == 6
        records = log.read(0, records_max=100, bytes_max=10_000)
        assert [record.offset for record in records] == [1, 2, 3, 4, 5, 6]
        assert (records[-1].source, records[-1].connector, records[-1].received, records[-1].body) == (
            "pos", "files", 99, b"last",
        )  # fmt: skip
        assert log.end() == 6

    @staticmethod
    def check_bounds_give_at_least_one(make: Make) -> None:
        log: Log = make()
        log.append([("s", "c", 1, b"x" * 100) for _ in range(4)])
        assert [record.offset for record in log.read(0, records_max=3, bytes_max=10**6)] == [1, 2, 3]
        assert [record.offset for record in log.read(1, records_max=9, bytes_max=10)] == [2]
        assert [record.offset for record in log.read(0, records_max=9, bytes_max=250)] == [1, 2]
        assert log.bytes_after(1) == 300

    @staticmethod
    def check_get_and_rewrite(make: Make) -> None:
        log: Log = make()
        log.append([("s", "c", 1, b"a"), ("s", "c", 2, b"b"), ("s", "c", 3, b"c")])
        log.rewrite(2, b"erased")
        assert [record.body for record in log.get([3, 2, 9])] == [b"erased", b"c"]
        log.scrub()
        assert log.append([("s", "c", 4, b"d")]) == 4

    @staticmethod
    def check_durable_after_reopening(make: Make) -> None:
        log: Log = make()
        if not log.capabilities.durable:
            return
        log.append([("s", "c", 1, b"a")])
        log.close()
        again: Log = make()
        assert again.end() == 1
        assert again.append([("s", "c", 2, b"b")]) == 2
