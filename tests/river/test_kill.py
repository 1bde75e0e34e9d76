"""kill −9 of the real thing under load: what was acknowledged is stored exactly once, whatever was killed."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from cauce.app import Platform
from cauce.app.verify import verified
from cauce.model import DECISION
from cauce.settings import Settings
from tests.running import RunningCauce, http_client

PROCESSES = Path("/proc")
pytestmark = pytest.mark.skipif(not PROCESSES.exists(), reason="finds the runner's process in /proc")


class KillableCauce(RunningCauce):
    """A `cauce up` whose processes can be killed one by one."""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def runner_pid(self) -> int:
        """The runner that `up` has started; waits until there is one."""
        found: list[int] = []

        def there() -> bool:
            found[:] = children_of(self.pid, b"runner")
            return bool(found)

        self.wait(there, "the runner's process")
        return found[0]

    def kill_runner(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.runner_pid(), signal.SIGKILL)

    def kill_everything(self) -> None:
        """Both processes, as when the machine loses power; `up` first, so that it starts no other runner."""
        runners = children_of(self.pid)
        self.kill()
        for runner in runners:
            with suppress(ProcessLookupError):
                os.kill(runner, signal.SIGKILL)


def children_of(pid: int, named: bytes = b"") -> list[int]:
    """Processes whose parent is `pid` and that have not ended; those that carry out the command, when given."""
    found = []
    for status in PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            fits = not named or named in (status.parent / "cmdline").read_bytes().split(b"\0")
            if int(parent) == pid and state != "Z" and fits:
                found.append(int(status.parent.name))
    return found


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return (PROCESSES / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Senders:
    """Threads that send batches until told to stop, through every death of the server."""

    def __init__(self, url: str, key: str, count: int = 3) -> None:
        self.sent: set[str] = set()
        self.acknowledged: Counter[str] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._address = (url, key)
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in self._threads)

    def _run(self, sender: int) -> None:
        chance = random.Random(sender)
        url, key = self._address
        mine: list[dict[str, Any]] = []
        with http_client(url, auth=(key, ""), timeout=30) as client:
            while not self._stopping.is_set():
                batch = [event_of(sender, len(mine) + number) for number in range(chance.randrange(1, 20))]
                mine += batch
                if chance.random() < 0.3:
                    batch = [*batch, *chance.choices(mine, k=3)]  # what a client repeats that is not sure
                with self._lock:
                    self.sent.update(event["messageId"] for event in batch)
                self._send(client, batch)

    def _send(self, client: httpx.Client, batch: list[dict[str, Any]]) -> None:
        try:
            answer = client.post("/v1/batch", json={"batch": batch})
        except httpx.TransportError:
            self._stopping.wait(0.05)
            return
        with self._lock:
            if answer.status_code == 200:
                self.acknowledged.update(event["messageId"] for event in batch)
            elif answer.status_code not in (429, 503):
                self.failures.append(f"{answer.status_code} {answer.text}")

    def enough(self, running: KillableCauce, more: int) -> None:
        """Returns when so many more events were acknowledged."""
        target = self.acknowledged.total() + more
        running.wait(lambda: self.acknowledged.total() >= target, f"{more} more acknowledged events")


def event_of(sender: int, number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"s{sender}-{number}",
        "anonymousId": f"device-{sender}-{number % 50}",
        "userId": f"user-{sender}-{number % 40}",
        "properties": {"product_id": f"sku-{number % 7}", "price": 1.5},
    }


@pytest.fixture
def running(tmp_path: Path) -> Iterator[KillableCauce]:
    cauce = KillableCauce(tmp_path / "data", batch_records=20)
    yield cauce
    cauce.close()


def kill_at_random(running: KillableCauce, chance: random.Random, rounds: list[str]) -> Senders:
    """Sends while one process after the other is killed; the senders, when everything was sent."""
    running.start()
    with Senders(running.url, running.key("shop")) as senders:
        for what in rounds:
            senders.enough(running, chance.randrange(20, 400))
            if what == "runner":
                running.kill_runner()
                continue
            running.kill() if what == "http" else running.kill_everything()
            running.start()
        senders.enough(running, 200)
    assert senders.failures == []
    return senders


def check(running: KillableCauce, senders: Senders) -> None:
    """Everything that was promised, asked of the folder itself."""
    running.stop()
    with Platform.open(Settings({"data": str(running.folder)})) as platform:
        platform.drain()
        stored = Counter(
            one.event.id
            for chunk in platform.archive.scan()
            for one in chunk
            if one.event.type != DECISION
        )  # fmt: skip
        assert max(stored.values()) == 1, "nothing is stored twice"
        assert senders.acknowledged.keys() <= stored.keys(), "what was acknowledged is stored"
        assert stored.keys() <= senders.sent
        (row,) = platform.quality.balance()
        assert row.adds_up
        assert (row.stored, row.quarantined, row.suppressed) == (len(stored), 0, 0)
        assert row.received >= senders.acknowledged.total()
        assert [check for check in verified(platform) if not check.good] == []
        report = platform.replay()
        assert [table for table in report.tables if not table.equal] == []


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_acknowledged_events_are_stored_once_whatever_is_killed(running: KillableCauce) -> None:
    check(running, kill_at_random(running, random.Random(5), ["runner", "everything"]))


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_an_orphaned_runner_ends_and_a_dead_one_is_replaced(running: KillableCauce) -> None:
    running.start()
    key = running.key("shop")
    first = running.runner_pid()
    os.kill(first, signal.SIGKILL)
    running.wait(lambda: children_of(running.pid) not in ([], [first]), "another runner")
    second = running.runner_pid()
    send(running, key, 1)
    running.wait_for_events(1)

    running.kill()
    running.start()
    send(running, key, 2)
    assert [row["id"] for row in running.wait_for_events(2)] == ["s0-1", "s0-2"]
    running.wait(lambda: not is_alive(second), "the orphan to end")
    assert running.runner_pid() not in (first, second)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_many_deaths(running: KillableCauce, seed: int) -> None:
    chance = random.Random(seed)
    rounds = [chance.choice(("runner", "http", "everything")) for _ in range(8)]
    check(running, kill_at_random(running, chance, rounds))


def send(running: KillableCauce, key: str, number: int) -> None:
    answer = httpx.post(f"{running.url}/v1/batch", json={"batch": [event_of(0, number)]}, auth=(key, ""), timeout=30)
    assert answer.status_code == 200, answer.text
