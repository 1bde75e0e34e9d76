"""What `compose.yaml` starts, started here as processes from the same commands: intakes and runners side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from cauce.app import Platform
from cauce.app.verify import verified
from cauce.model import Source
from cauce.settings import Settings
from cauce.testing.postgres import PrivateServer
from tests.postgres.test_installation import opened
from tests.river.test_kill import event_of
from tests.running import first_document

COMPOSE = Path(__file__).resolve().parents[2] / "compose.yaml"
PATIENCE_SECONDS = 60.0
TAKEOVER_SECONDS_MAX = 10.0


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def cauce_services() -> dict[str, list[str]]:
    """Commands of the services that are Cauce, by name."""
    return {name: service["command"] for name, service in services().items() if service.get("image") == "cauce"}


class Topology:
    """The processes of `compose.yaml`, with ports, folder and database of this test."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.addresses: dict[str, str] = {}

    def start(self, name: str) -> None:
        words = list(cauce_services()[name])
        for option, value in (("--host", "127.0.0.1"), ("--port", "0")):
            if option in words:
                words[words.index(option) + 1] = value
        given = services()[name]["environment"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("CAUCE_", "PG"))}
        environment |= {"CAUCE_DATA": str(self.folder), "CAUCE_TABLES": self.url, "CAUCE_BATCH_RECORDS": "20"}
        assert given.keys() - {"PGPASSWORD"} <= environment.keys(), "the test sets what compose.yaml sets"
        listens = "--port" in words
        process = subprocess.Popen(
            [sys.executable, "-m", "cauce", *words, *(["--json"] if listens else [])],
            env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.processes[name] = process
        if listens:
            assert process.stdout is not None
            self.addresses[name] = first_document(process.stdout)["url"]

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes.pop(name).communicate()
        self.addresses.pop(name, None)

    def revive(self) -> None:
        """Starts again what ended, as `restart: unless-stopped` does."""
        for name in [name for name, process in self.processes.items() if process.poll() is not None]:
            self.kill(name)
            self.start(name)

    def active_runner(self) -> str:
        """The runner whose process holds the river; waits until there is one."""
        found = ""

        def there() -> bool:
            nonlocal found
            with psycopg.connect(self.url, autocommit=True) as connection:
                rows = connection.execute(
                    "select split_part(b.holder, ':', 2)::int from cauce.lease b join pg_locks l on l.pid = b.pid"
                    " where l.locktype = 'advisory' and l.granted and l.objsubid = 1"
                ).fetchall()
            pids = {process.pid: name for name, process in self.processes.items()}
            found = next((pids[pid] for (pid,) in rows if pid in pids), "")
            return bool(found)

        wait(there, "an active runner")
        return found

    def send(self, key: str, numbers: range) -> list[str]:
        """Sends one event after the other, to the intakes in turn as the proxy does; ids of the acknowledged ones."""
        acknowledged = []
        for number in numbers:
            event = event_of(1, number)
            address = list(self.addresses.values())[number % len(self.addresses)]
            answer = httpx.post(f"{address}/v1/batch", json={"batch": [event]}, auth=(key, ""), timeout=30)
            if answer.status_code == 200:
                acknowledged.append(event["messageId"])
            else:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0
        return acknowledged

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.communicate(timeout=PATIENCE_SECONDS)
        self.processes = {}


def wait(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> float:
    """Seconds until the condition held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"waited for {what}"
        time.sleep(0.05)
    return time.monotonic() - started


@contextmanager
def running(folder: Path, url: str) -> Iterator[Topology]:
    topology = Topology(folder, url)
    try:
        for name in cauce_services():
            topology.start(name)
        yield topology
    finally:
        for process in topology.processes.values():
            process.kill()
            process.communicate()


def test_compose_describes_what_the_documentation_says() -> None:
    commands = cauce_services()
    assert sum("--no-runner" in words for words in commands.values()) == 2
    assert sum(words == ["runner"] for words in commands.values()) == 2
    for name in commands:
        service = services()[name]
        assert service["environment"]["CAUCE_TABLES"].startswith("postgresql://")
        assert "password" not in service["environment"]["CAUCE_TABLES"].lower(), "it comes from the surroundings"
        assert service["restart"] == "unless-stopped"
    targets = services()["proxy"]["command"]
    assert [name for name in commands if f"{name}:8080" in targets] == [name for name in commands if "intake" in name]
    settings = {f"CAUCE_{name.upper()}" for name in Settings().as_dict()}
    for service in services().values():
        names = {name for name in service.get("environment", {}) if name.startswith("CAUCE_")}
        assert names <= settings


@pytest.mark.postgres
@pytest.mark.timeout(240)
def test_two_intakes_and_two_runners_lose_and_double_nothing(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "data"
    with opened(folder, url) as platform:
        key = platform.sources.add(Source("shop", "web", mode="observe"))
        with running(folder, url) as topology:
            acknowledged = topology.send(key, range(60))
            wait_for(platform, len(acknowledged))
            first = topology.active_runner()
            acknowledged += topology.send(key, range(60, 90))
            topology.kill(first)
            acknowledged += topology.send(key, range(90, 120))
            took = wait(lambda: platform.health()["lag_records"] == 0, "the other runner")
            assert took < TAKEOVER_SECONDS_MAX
            second = topology.active_runner()
            assert second != first
            topology.start(first)
            topology.kill(next(name for name in topology.addresses))
            acknowledged += topology.send(key, range(120, 150))
            assert len(acknowledged) == 150
            topology.kill(second)
            acknowledged += topology.send(key, range(150, 170))
            wait_for(platform, len(acknowledged))
            topology.stop()
        ids = [one.event.id for chunk in platform.archive.scan() for one in chunk if one.event.source == "shop"]
        assert sorted(ids) == sorted(acknowledged)
        assert platform.status()["adds_up"]
        assert [check for check in verified(platform) if not check.good] == []
        report = platform.replay()
        assert report.equal, [table for table in report.tables if not table.equal]


@pytest.mark.postgres
@pytest.mark.timeout(240)
def test_intake_acknowledges_nothing_while_the_server_is_away(tmp_path: Path) -> None:
    with PrivateServer.started() as server:
        url = server.fresh_database()
        with opened(tmp_path / "data", url) as platform:
            key = platform.sources.add(Source("shop", "web", mode="observe"))
            with running(tmp_path / "data", url) as topology:
                acknowledged = topology.send(key, range(20))
                wait_for(platform, len(acknowledged))
                server.kill()
                assert topology.send(key, range(20, 30)) == []
                server.start()
                topology.revive()
                wait(lambda: bool(topology.send(key, range(30, 31))), "the intake to go on")
                acknowledged += [f"s1-{30}"]
                acknowledged += topology.send(key, range(31, 50))
                wait(lambda: stored(platform) >= set(acknowledged), "all that was acknowledged")
                topology.stop()
            assert platform.status()["adds_up"]


def wait_for(platform: Platform, count: int) -> None:
    wait(lambda: len(stored(platform)) >= count, f"{count} stored events")


def stored(platform: Platform) -> set[str]:
    return {one.event.id for chunk in platform.archive.scan() for one in chunk if one.event.source == "shop"}
