from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cauce.engines.memory import MemoryLog
from cauce.engines.sqlite import SqliteLog
from cauce.errors import Busy, StorageBroken
from cauce.events.intake import GroupCommit
from tests.running import in_a_loop


class GatedLog(MemoryLog):
    """A log whose disk waits until the test lets it go on, and breaks when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.flushes: list[int] = []
        self.fault: Exception | None = None

    def append(self, records: Sequence[tuple[str, str, int, bytes]]) -> int:
        self.entered.release()
        assert self.gate.wait(30)
        if self.fault is not None:
            raise self.fault
        self.flushes.append(len(records))
        return super().append(records)


def bodies(log: Any) -> list[bytes]:
    return [record.body for record in log.read(0, records_max=10_000, bytes_max=2**30)]


async def entered(log: GatedLog) -> None:
    await asyncio.to_thread(log.entered.acquire)


def test_record_is_in_the_log_when_append_returns(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")

    async def run() -> None:
        commit = GroupCommit(log, 1_000_000)
        for number in range(5):
            await commit.append("web", "tracking", number, b"%d" % number)
            assert bodies(log)[-1] == b"%d" % number
        assert commit.queue_bytes == 0
        commit.close()

    in_a_loop(run())
    log.close()


def test_those_who_wait_share_one_flush_in_order() -> None:
    log = GatedLog()

    async def run() -> None:
        commit = GroupCommit(log, 1_000_000)
        tasks = [asyncio.create_task(commit.append("web", "tracking", 0, b"first"))]
        await entered(log)
        tasks += [asyncio.create_task(commit.append("web", "tracking", 0, b"%d" % number)) for number in range(50)]
        await asyncio.sleep(0)
        assert commit.queue_bytes > 5
        log.gate.set()
        await asyncio.gather(*tasks)
        commit.close()

    in_a_loop(run())
    assert log.flushes == [1, 50]
    assert bodies(log) == [b"first", *(b"%d" % number for number in range(50))]


def test_bound_of_the_queue_is_kept_and_freed() -> None:
    log = GatedLog()

    async def run() -> None:
        commit = GroupCommit(log, 100)
        waiting = asyncio.create_task(commit.append("web", "tracking", 0, b"x" * 90))
        await entered(log)
        with pytest.raises(Busy, match="wait for the disk") as refused:
            await commit.append("web", "tracking", 0, b"y" * 20)
        assert refused.value.retry_after_seconds > 0
        log.gate.set()
        await waiting
        await commit.append("web", "tracking", 0, b"y" * 20)
        await commit.append("web", "tracking", 0, b"z" * 500)  # alone it may be larger than the queue
        commit.close()

    in_a_loop(run())
    assert [len(body) for body in bodies(log)] == [90, 20, 500]


@pytest.mark.parametrize("fault", [StorageBroken("disk full"), RuntimeError("surprise")])
def test_failed_flush_acknowledges_nobody_and_the_next_succeeds(fault: Exception) -> None:
    log = GatedLog()
    log.fault = fault

    async def run() -> None:
        commit = GroupCommit(log, 1_000_000)
        tasks = [asyncio.create_task(commit.append("web", "tracking", 0, b"lost")) for _ in range(3)]
        await entered(log)
        log.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, Busy) for result in results)
        assert commit.fault
        assert commit.queue_bytes == 0
        log.fault = None
        await commit.append("web", "tracking", 0, b"kept")
        assert not commit.fault
        commit.close()

    in_a_loop(run())
    assert bodies(log) == [b"kept"]


def test_who_gives_up_does_not_stop_the_others() -> None:
    log = GatedLog()

    async def run() -> None:
        commit = GroupCommit(log, 1_000_000)
        tasks = [asyncio.create_task(commit.append("web", "tracking", 0, b"%d" % number)) for number in range(3)]
        await entered(log)
        tasks[1].cancel()
        log.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[0] is None
        assert isinstance(results[1], asyncio.CancelledError)
        assert results[2] is None
        commit.close()

    in_a_loop(run())
    assert len(bodies(log)) == 3


def test_closing_writes_what_waits_and_refuses_what_comes_after() -> None:
    log = GatedLog()

    async def run() -> None:
        commit = GroupCommit(log, 1_000_000)
        tasks = [asyncio.create_task(commit.append("web", "tracking", 0, b"%d" % number)) for number in range(3)]
        await entered(log)
        closing = asyncio.create_task(asyncio.to_thread(commit.close))
        log.gate.set()
        await asyncio.gather(*tasks, closing)
        with pytest.raises(Busy, match="shutting down"):
            await commit.append("web", "tracking", 0, b"late")

    in_a_loop(run())
    assert bodies(log) == [b"0", b"1", b"2"]


def test_large_bodies_are_compressed_when_asked() -> None:
    log = MemoryLog()
    body = b'{"event":"Viewed"}' * 1_000

    async def run() -> None:
        commit = GroupCommit(log, 1_000_000)
        await commit.append("web", "tracking", 0, body, compress=True)
        await commit.append("web", "tracking", 0, body)
        await commit.append("web", "tracking", 0, b"{}", compress=True)
        commit.close()

    in_a_loop(run())
    packed, plain, small = bodies(log)
    assert len(packed) < len(body) // 10
    assert zstandard.ZstdDecompressor().decompress(packed) == plain == body
    assert small == b"{}"


def test_flushes_are_observed() -> None:
    seen: list[int] = []

    async def run() -> None:
        commit = GroupCommit(MemoryLog(), 1_000_000, observe=lambda _seconds, records: seen.append(records))
        await commit.append("web", "tracking", 0, b"{}")
        commit.close()

    in_a_loop(run())
    assert seen == [1]
