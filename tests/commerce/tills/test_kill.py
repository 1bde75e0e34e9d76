"""kill −9 of the real clerk under load: every fact of commerce arrives in the river exactly once."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from cauce.app import Platform
from cauce.commerce.tills import relay
from tests.commerce.tills.telling import Tell, fact, teller
from tests.river.test_kill import PROCESSES, KillableCauce, children_of

KILLS = 8
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not PROCESSES.exists(), reason="finds processes in /proc"),
]


def test_every_fact_arrives_exactly_once_whatever_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "cauce-data"
    cauce = KillableCauce(folder)
    told = 0
    ending = threading.Event()
    try:
        cauce.start()
        with Platform.open(folder) as platform, teller(platform) as writer:

            def tell() -> None:
                nonlocal told
                while not ending.is_set():
                    writer.do(Tell(facts=tuple(fact(number) for number in range(told, told + 20))))
                    told += 20

            telling = threading.Thread(target=tell)
            telling.start()
            try:
                for number in range(KILLS):
                    before = told
                    cauce.wait(lambda before=before: told >= before + 200, "facts to be told")  # type: ignore[misc]
                    if number % 4 == 3:
                        cauce.kill_everything()
                        cauce.start()
                        continue
                    with suppress(ProcessLookupError):
                        for pid in children_of(cauce.pid, b"clerk"):
                            os.kill(pid, signal.SIGKILL)
            finally:
                ending.set()
                telling.join()
            cauce.wait(lambda: not relay.waiting(platform.commerce.reader), "the outbox to be empty")
            platform.drain()
            found = [one.event for batch in platform.archive.scan() for one in batch]
            arrived = Counter(event.properties["order_id"] for event in found if event.source == "commerce")
    finally:
        cauce.close()
    assert arrived == Counter({f"o{number}": 1 for number in range(told)})
