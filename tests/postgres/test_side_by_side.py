"""Several runners on one database: threads and processes that come, go and die; the state is that of one runner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest

from cauce.app import Platform, storage
from cauce.app.storage import at_rest
from cauce.app.verify import verified
from cauce.engines.api import LANES
from cauce.engines.postgres import Database, PostgresTables
from cauce.engines.postgres.session import Session, settings_of
from cauce.engines.postgres.turns import PostgresTurns
from cauce.errors import Busy
from cauce.model import DECISION
from cauce.profiles.parcels import Parcel
from cauce.runner import PARCELS, Laned, progress, rests, settled
from cauce.settings import Settings
from cauce.testing.simulate import SOURCES, traffic
from tests.postgres.engines import Pool

PATIENCE_SECONDS = 60.0
TAKEOVER_SECONDS_MAX = 10.0


def installation(url: str, folder: Path) -> Platform:
    return Platform.open(Settings({"data": str(folder), "tables": url, "batch_records": 3}))


def filled(platform: Platform, seed: int, events: int) -> None:
    """Puts simulated traffic into the log, record by record."""
    for source in SOURCES.values():
        platform.sources.add(source)
    for source, connector, _received, body in traffic(seed, events):
        platform.append(source, connector, [body])


def end_one_runner(url: str) -> int:
    """Cuts one runner's session, any of them; how many."""
    with psycopg.connect(url, autocommit=True) as connection:
        return len(
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cauce runner'"
                " and datname = current_database() order by random() limit 1"
            ).fetchall()
        )


def wait_for_the_end(platform: Platform, seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Yields now and then until the river has processed the whole log; fails when it stands still."""
    seen, moved = -1, time.monotonic()
    while (done := settled(platform.reader)) < platform.log.end():
        if done != seen:
            seen, moved = done, time.monotonic()
        assert time.monotonic() - moved < seconds, f"the river stands still at {done}"
        yield
        time.sleep(0.05)


def assert_as_one_runner(platform: Platform) -> None:
    report = platform.replay()
    assert report.equal, [table for table in report.tables if not table.equal]
    assert platform.status()["adds_up"]


@contextmanager
def four_runners(url: str, folder: Path) -> Iterator[None]:
    """Runners in threads of their own; at the end each ends what it is doing."""
    stopping = threading.Event()

    def run() -> None:
        with installation(url, folder) as own:
            own.run(stopping.is_set)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)


def test_runners_in_threads_that_are_cut_come_to_the_state_of_one(url: str, tmp_path: Path) -> None:
    with installation(url, tmp_path / "data") as platform:
        filled(platform, 7, 200)
        cut = 0
        with four_runners(url, tmp_path / "data"):
            for number, _ in enumerate(wait_for_the_end(platform)):
                cut += end_one_runner(url) if number % 3 == 0 else 0
        assert cut
        assert_as_one_runner(platform)


@contextmanager
def runner_process(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "CAUCE_TABLES": url, "CAUCE_BATCH_RECORDS": "3"}
    process = subprocess.Popen([sys.executable, "-m", "cauce", "--data", str(folder), "runner"], env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


@pytest.mark.postgres
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSTOP])
def test_a_runner_that_dies_is_taken_over_within_ten_seconds(url: str, tmp_path: Path, death: signal.Signals) -> None:
    """Runners are added and killed while events flow; nothing is lost or doubled, and the river never stands long."""
    folder = tmp_path / "data"
    with installation(url, folder) as platform, ExitStack() as stack:
        filled(platform, 11, 150)
        crew = [stack.enter_context(runner_process(url, folder)) for _ in range(4)]
        for _ in wait_for_the_end(platform):
            pass
        for entries in range(3):
            for source, connector, _received, body in traffic(100 + entries, 60):
                platform.append(source, connector, [body])
            victim = crew.pop(0)
            victim.send_signal(death)
            crew.append(stack.enter_context(runner_process(url, folder)))
            for _ in wait_for_the_end(platform, TAKEOVER_SECONDS_MAX):
                pass
        assert_as_one_runner(platform)


def test_two_runners_never_fold_one_lane_at_once(pool: Pool, database: Database) -> None:
    one, other, third = (tables_of(database) for _ in range(3))
    wanted = list(range(LANES))
    with one[0].transaction():
        mine = one[1].lanes(wanted, 16)
        assert len(mine) == 16
        with other[0].transaction():
            theirs = other[1].lanes(wanted, LANES)
            assert set(theirs) == set(wanted) - set(mine)
        with third[0].transaction():
            assert set(third[1].lanes(wanted, LANES)) == set(theirs), "what was let go is free"
    with third[0].transaction():
        assert third[1].lanes(wanted, LANES) == wanted
    for tables, _ in (one, other, third):
        tables.close()


def test_who_wants_all_lanes_waits_for_who_has_some(pool: Pool, database: Database) -> None:
    (one, mine), (other, theirs) = tables_of(database), tables_of(database)
    order: list[str] = []

    def decide() -> None:
        with other.transaction():
            theirs.all_lanes()
            order.append("all")

    with one.transaction():
        mine.lanes([LANES - 1], 1)
        waiting = threading.Thread(target=decide)
        waiting.start()
        time.sleep(0.3)
        order.append("some")
    waiting.join(PATIENCE_SECONDS)
    assert order == ["some", "all"]
    one.close()
    other.close()


def test_a_runner_knows_whether_others_are_there(url: str, tmp_path: Path) -> None:
    with installation(url, tmp_path / "data") as platform, platform.storage.running() as (_, turns):
        assert turns is not None
        assert turns.is_alone()
        with installation(url, tmp_path / "data") as other, other.storage.running():
            assert not turns.is_alone()
        assert turns.is_alone()


def tables_of(database: Database) -> tuple[PostgresTables, PostgresTurns]:
    session = Session(database.url, "cauce runner", settings_of(database.state), exclusive=True)
    return database.tables(database.state, session), database.turns(session)


def test_a_parcel_that_comes_while_its_lane_is_folded_waits_for_the_next(url: str, tmp_path: Path) -> None:
    with installation(url, tmp_path / "data") as platform, platform.running() as runner:
        profiles = next(stage for stage in runner.stages if isinstance(stage, Laned))
        fold, nothing = profiles.fold, msgspec.msgpack.encode(Parcel())
        other = platform.storage.running()
        came: list[int] = []

        def folding(bodies: Sequence[bytes]) -> None:
            if not came:
                came.append(1)
                with other as (tables, _turns):
                    tables.upsert(PARCELS, [(0, 1, "profiles", nothing)])
            fold(bodies)

        profiles.fold = folding  # type: ignore[method-assign]
        runner.tables.upsert(PARCELS, [(0, 0, "profiles", nothing)])
        runner.settle()
        assert platform.reader.select("select lane, after from parcel") == [(0, 1)]
        runner.settle()
        assert rests(platform.reader)


@pytest.mark.postgres
def test_the_state_is_proven_while_four_runners_work(url: str, tmp_path: Path) -> None:
    """A proof looks at a moment of rest, and finds one although there is always something to do."""
    with installation(url, tmp_path / "data") as platform:
        filled(platform, 5, 400)
        seen = []
        with four_runners(url, tmp_path / "data"):
            while settled(platform.reader) < platform.log.end():
                with at_rest(platform.storage, platform.reader):
                    done = progress(platform.reader)
                    assert settled(platform.reader) == done
                    told = platform.profiles.timeline_entries()
                    archived = {
                        stored.event.position
                        for chunk in platform.archive.scan()
                        for stored in chunk
                        if stored.subject and stored.event.type != DECISION
                    }
                    assert {position for _, _, position in told} == archived
                    seen.append(done)
        assert len(seen) > 2
        assert all(check.good for check in verified(platform))


def test_parcels_that_nobody_folds_are_no_rest(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PAUSE_SECONDS_MAX", 0.01)
    with installation(url, tmp_path / "data") as platform:
        with platform.running() as runner:
            runner.tables.upsert(PARCELS, [(0, 0, "profiles", msgspec.msgpack.encode(Parcel()))])
            with pytest.raises(Busy, match="no runner folds"), at_rest(platform.storage, platform.reader):
                pass
            runner.settle()
        with at_rest(platform.storage, platform.reader):
            assert rests(platform.reader)


@pytest.mark.postgres
def test_the_server_opens_a_gate_that_somebody_left_shut(url: str, tmp_path: Path) -> None:
    with installation(url, tmp_path / "data") as platform, platform.storage.pausing():
        filled(platform, 7, 20)
        with installation(url, tmp_path / "data") as other:
            other.drain()
            assert settled(other.reader) == other.log.end()
