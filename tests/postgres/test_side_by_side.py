"""Several runners on one database: threads and processes that come, go and die; the state is that of one runner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from cauce.app import Platform
from cauce.runner import progress
from cauce.settings import Settings
from cauce.testing.simulate import SOURCES, traffic

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
    while (done := progress(platform.reader)) < platform.log.end():
        if done != seen:
            seen, moved = done, time.monotonic()
        assert time.monotonic() - moved < seconds, f"the river stands still at {done}"
        yield
        time.sleep(0.05)


def assert_as_one_runner(platform: Platform) -> None:
    report = platform.replay()
    assert report.equal, [table for table in report.tables if not table.equal]
    assert platform.status()["adds_up"]


def test_runners_in_threads_that_are_cut_come_to_the_state_of_one(url: str, tmp_path: Path) -> None:
    with installation(url, tmp_path / "data") as platform:
        filled(platform, 7, 200)
        stopping = threading.Event()

        def run() -> None:
            with installation(url, tmp_path / "data") as own:
                own.run(stopping.is_set)

        threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        cut = 0
        for number, _ in enumerate(wait_for_the_end(platform)):
            cut += end_one_runner(url) if number % 3 == 0 else 0
        stopping.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
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
