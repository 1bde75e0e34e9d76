"""The log under several writers, cut connections and restarts: nothing skipped, nothing lost that was acknowledged."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.engines.postgres import Database, PostgresLog
from cauce.errors import Busy
from tests.postgres.engines import Pool
from tests.postgres.proxy import Proxy


def test_a_reader_never_skips_a_record_that_becomes_visible_later(pool: Pool, database: Database) -> None:
    writers, rounds = 4, 40
    done = threading.Event()
    faults: list[BaseException] = []
    seen: list[tuple[int, bytes]] = []

    def write(writer: int) -> None:
        with closing(PostgresLog(pool.url, database.home)) as log:
            for number in range(rounds):
                log.append([("s", "c", writer, b"%d-%d-%d" % (writer, number, part)) for part in range(1 + number % 5)])

    def read() -> None:
        offset = 0
        try:
            with closing(PostgresLog(pool.url, database.home)) as log:
                while True:
                    is_last = done.is_set()
                    for record in log.read(offset, records_max=7, bytes_max=1_000):
                        assert record.offset == offset + 1, f"{record.offset} came after {offset}"
                        offset = record.offset
                        seen.append((record.received, record.body))
                    if is_last and offset == log.end():
                        return
        except BaseException as fault:
            faults.append(fault)

    reader = threading.Thread(target=read)
    reader.start()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert faults == []
    for writer in range(writers):  # whole, in the writer's order
        mine = [body for who, body in seen if who == writer]
        assert mine == [b"%d-%d-%d" % (writer, n, part) for n in range(rounds) for part in range(1 + n % 5)]


@settings(max_examples=25, deadline=None)
@given(
    appends=st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=6), min_size=1, max_size=8),
    after=st.integers(0, 30), records_max=st.integers(1, 9), bytes_max=st.integers(1, 120),
)  # fmt: skip
def test_bounds_are_those_of_a_list(
    pool: Pool, appends: list[list[bytes]], after: int, records_max: int, bytes_max: int
) -> None:
    log, _ = pool.engines()
    bodies = [body for bodies in appends for body in bodies]
    for some in appends:
        log.append([("s", "c", 1, body) for body in some])
    expected: list[int] = []
    size = 0
    for offset, body in list(enumerate(bodies, start=1))[after:][:records_max]:
        size += len(body)
        if expected and size > bytes_max:
            break
        expected.append(offset)
    found = log.read(after, records_max=records_max, bytes_max=bytes_max)
    assert [record.offset for record in found] == expected
    assert [record.body for record in found] == [bodies[offset - 1] for offset in expected]
    assert log.bytes_after(after) == sum(map(len, bodies[after:]))
    assert log.end() == len(bodies)
    pool.take_back()


def test_what_an_append_said_is_there_whatever_is_cut(pool: Pool, proxy: Proxy, database: Database) -> None:
    acknowledged: dict[int, bytes] = {}
    refused: list[Busy] = []
    with closing(PostgresLog(proxy.url, database.home)) as log:
        for number in range(60):
            body = b"%d" % number * 50
            if number % 3 == 0:
                proxy.cut_after(300 + 37 * number)
            try:
                acknowledged[log.append([("s", "c", number, body)])] = body
            except Busy as fault:
                refused.append(fault)
    assert refused
    assert all(fault.retry_after_seconds > 0 and fault.hint for fault in refused)
    with closing(PostgresLog(pool.url, database.home)) as log:
        stored = {record.offset: record.body for record in log.read(0, records_max=1_000, bytes_max=10**6)}
        assert acknowledged.items() <= stored.items()
        assert sorted(stored) == list(range(1, len(stored) + 1)), "what failed leaves no hole"


def test_a_reader_connects_again_by_itself(pool: Pool, proxy: Proxy, database: Database) -> None:
    with closing(PostgresLog(proxy.url, database.home)) as log:
        log.append([("s", "c", 1, b"a")])
        for cut in (proxy.cut, lambda: end_all_sessions(pool.url, "cauce log")):
            cut()
            assert [record.body for record in log.read(0, records_max=9, bytes_max=99)] == [b"a"]
            assert log.end() == 1


def test_an_append_is_durable_and_one_round_trip(pool: Pool, database: Database) -> None:
    with closing(PostgresLog(pool.url, database.home)) as log:
        for count in (1, 10, 5_000):
            before = log.round_trips
            log.append([("s", "c", 1, b"x")] * count)
            assert log.round_trips - before == 1
        assert log._session.ask(b"show synchronous_commit") == [("on",)]


def test_rewritten_bodies_are_gone_after_a_scrub(pool: Pool, database: Database) -> None:
    with closing(PostgresLog(pool.url, database.home)) as log:
        log.append([("s", "c", 1, b"secret" * 2_000), ("s", "c", 2, b"other")])
        log.rewrite(1, b"erased")
        log.scrub()
        assert [record.body for record in log.read(0, records_max=9, bytes_max=10**6)] == [b"erased", b"other"]
    with psycopg.connect(pool.url, autocommit=True) as connection:
        connection.execute("create extension if not exists pageinspect")
        pages = connection.execute(
            "select get_raw_page(c.oid::regclass::text, page::int) from pg_class c join pg_class t"
            " on t.relname = 'log' and t.relnamespace = %s::regnamespace and c.oid in (t.oid, t.reltoastrelid)"
            " cross join lateral generate_series(0, pg_relation_size(c.oid) / 8192 - 1) page",
            [database.home],
        ).fetchall()
    assert pages
    assert not any(b"secret" in page for (page,) in pages)


def test_nothing_is_appended_by_nothing(pool: Pool, database: Database) -> None:
    with closing(PostgresLog(pool.url, database.home)) as log:
        assert log.append([]) == 1
        log.append([("s", "c", 1, b"a")])
        assert log.append([]) == 2


def end_all_sessions(url: str, name: str) -> int:
    """Ends the sessions of a database that carry a name; how many."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = %s and datname = current_database()",
            [name],
        ).fetchall()
    return len(found)


def test_a_wrong_password_or_database_is_said_without_the_password(pool: Pool) -> None:
    for url in (pool.url + "_not", pool.url.replace("cauce@", "nobody:hush@")):
        with closing(PostgresLog(url)) as log, pytest.raises(Exception, match="lets nobody in") as caught:
            log.end()
        assert "hush" not in str(caught.value)
