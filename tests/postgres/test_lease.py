"""Who writes the state: one at a time, and who lost it commits nothing, however it was lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cauce.engines.postgres import Database, Lease, PostgresTables, Session
from cauce.errors import Busy, Locked
from cauce.runner import PROGRESS
from cauce.testing.postgres import PrivateServer
from tests.postgres.engines import Pool
from tests.postgres.proxy import Proxy
from tests.postgres.test_log import end_all_sessions

TAKEOVER_SECONDS_MAX = 10.0


def lease_of(url: str, database: Database) -> Lease:
    return Lease(url, database.state, database.home)


def tables_of(url: str, database: Database, session: Session) -> PostgresTables:
    tables = PostgresTables(url, database.state, session=session)
    tables.create((PROGRESS,))
    return tables


def positions(url: str, database: Database) -> list[int]:
    reader = PostgresTables(url, database.state)
    try:
        return [position for (position,) in reader.select("select position from progress order by id")]
    finally:
        reader.close()


@contextmanager
def taken_over(lease: Lease) -> Iterator[Session]:
    """The session of whoever tries until it is given; fails when that takes too long."""
    started = time.monotonic()
    while True:
        try:
            with lease.hold() as session:
                assert time.monotonic() - started < TAKEOVER_SECONDS_MAX
                yield session
                return
        except Locked:
            assert time.monotonic() - started < TAKEOVER_SECONDS_MAX, "nobody took over"
            time.sleep(0.1)


def test_one_at_a_time(pool: Pool, database: Database) -> None:
    one, other = lease_of(pool.url, database), lease_of(pool.url, database)
    assert not other.is_held()
    with one.hold():
        assert other.is_held()
        with pytest.raises(Locked, match="another process"), other.hold():
            pass
    assert not other.is_held()
    with other.hold():
        assert one.is_held()
    one.close()
    other.close()


def test_two_installations_do_not_wait_for_each_other(pool: Pool) -> None:
    first, second = (lease_of(pool.url, pool.database()) for _ in range(2))
    with first.hold(), second.hold():
        assert first.is_held()
        assert second.is_held()
    first.close()
    second.close()


@pytest.mark.parametrize("moment", ["before", "between", "at the commit"])
def test_who_was_cut_commits_nothing_after_another_took_over(
    pool: Pool, database: Database, proxy: Proxy, moment: str
) -> None:
    old, new = lease_of(proxy.url, database), lease_of(pool.url, database)
    with old.hold() as session:
        tables = tables_of(proxy.url, database, session)
        with tables.transaction():
            tables.upsert(PROGRESS, [(1, 1)])
        if moment == "before":
            proxy.cut()

        def write() -> None:
            with tables.transaction():
                tables.upsert(PROGRESS, [(1, 2)])
                assert tables.select("select position from progress") == [(2,)]
                if moment == "between":
                    proxy.cut()
                    assert tables.select("select 1")
                proxy.cut_after(1)

        with pytest.raises(Busy) as caught:
            write()
        assert caught.value.hint or "cut" in caught.value.message
        with taken_over(new) as mine:
            others = tables_of(pool.url, database, mine)
            with others.transaction():
                others.upsert(PROGRESS, [(1, 3)])
            with pytest.raises(Busy), tables.transaction():
                tables.upsert(PROGRESS, [(1, 4)])
            with pytest.raises(Busy):
                tables.execute("delete from progress")
            with pytest.raises(Busy):
                tables.select("select 1")
    assert positions(pool.url, database) == [3]
    old.close()
    new.close()


def test_a_session_that_was_ended_is_lost_for_good(pool: Pool, database: Database) -> None:
    lease = lease_of(pool.url, database)
    with lease.hold() as session:
        tables = tables_of(pool.url, database, session)

        def write() -> None:
            with tables.transaction():
                tables.upsert(PROGRESS, [(1, 1)])
                assert end_all_sessions(pool.url, "cauce runner")

        with pytest.raises(Busy):
            write()
        with pytest.raises(Busy, match="cut"):
            tables.select("select 1")
    assert positions(pool.url, database) == []
    lease.close()


STANDING = """
import sys
from cauce.engines.postgres import Lease, PostgresTables
from cauce.errors import CauceError
from cauce.runner import PROGRESS
url, state, home = sys.argv[1:]
with Lease(url, state, home).hold() as session:
    tables = PostgresTables(url, state, session=session)
    tables.create((PROGRESS,))
    print("held", flush=True)
    sys.stdin.readline()
    try:
        with tables.transaction():
            tables.upsert(PROGRESS, [(1, 666)])
        print("committed", flush=True)
    except CauceError as fault:
        print(type(fault).__name__, flush=True)
"""


@contextmanager
def standing(url: str, database: Database) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the river and, told to, writes once more."""
    process = subprocess.Popen(
        [sys.executable, "-c", STANDING, url, database.state, database.home],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_river_of_a_killed_process_is_free_at_once(pool: Pool, database: Database) -> None:
    lease = lease_of(pool.url, database)
    with standing(pool.url, database) as process:
        assert lease.is_held()
        process.kill()
        with taken_over(lease):
            pass
    lease.close()


@pytest.mark.postgres
def test_who_stands_still_is_cut_off_and_wakes_up_without_the_river(pool: Pool, database: Database) -> None:
    lease = lease_of(pool.url, database)
    with standing(pool.url, database) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with taken_over(lease) as session:
            tables = tables_of(pool.url, database, session)
            with tables.transaction():
                tables.upsert(PROGRESS, [(1, 7)])
            os.kill(process.pid, signal.SIGCONT)
            said, _ = process.communicate("go\n", timeout=30)
            assert said == "Busy\n"
    assert positions(pool.url, database) == [7]
    lease.close()


@pytest.mark.postgres
def test_who_is_behind_a_silent_network_is_cut_off(pool: Pool, database: Database, proxy: Proxy) -> None:
    lease = lease_of(pool.url, database)
    with standing(proxy.url, database):
        proxy.fall_silent()
        with taken_over(lease):
            pass
    lease.close()


@pytest.mark.postgres
def test_a_busy_holder_is_not_taken_for_dead(pool: Pool, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement that takes longer than the patience of others: the heart beats beside it."""
    lease, other = lease_of(pool.url, database), lease_of(pool.url, database)
    with lease.hold() as session:
        tables = tables_of(pool.url, database, session)
        with tables.transaction():
            tables.upsert(PROGRESS, [(1, 1)])
            tables.select("select pg_sleep(8)")
            with pytest.raises(Locked), other.hold():
                pass
    assert positions(pool.url, database) == [1]
    lease.close()
    other.close()


@pytest.mark.parametrize("how", [pytest.param("restart", marks=pytest.mark.postgres), "crash"])
def test_a_server_that_starts_again_frees_the_river(how: str) -> None:
    with PrivateServer.started() as server:
        url = server.fresh_database()
        database = Database(url)
        database.prepare("tests")
        lease, other = Lease(url, database.state), Lease(url, database.state)
        with lease.hold() as session:
            tables = tables_of(url, database, session)
            with tables.transaction():
                tables.upsert(PROGRESS, [(1, 1)])
            (server.stop if how == "restart" else server.kill)()
            with pytest.raises(Busy), other.hold():
                pass
            server.start()
            with taken_over(other) as mine:
                others = tables_of(url, database, mine)
                with others.transaction():
                    others.upsert(PROGRESS, [(1, 2)])
            with pytest.raises(Busy), tables.transaction():
                tables.upsert(PROGRESS, [(1, 3)])
        assert positions(url, database) == [2]
        for each in (lease, other, database):
            each.close()
