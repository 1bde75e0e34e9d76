"""kill −9 of the real clerk under load: every fact arrives in the river once, and every receipt is sold once."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from cauce.app import Platform
from cauce.commerce.catalogue.nouns import Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.tills import api, relay
from cauce.model import Source
from tests.commerce.tills.river import receipt
from tests.commerce.tills.telling import Tell, fact, teller
from tests.river.test_kill import PROCESSES, KillableCauce, children_of

KILLS = 6
pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(240),
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
            platform.commerce.do(PutPlace(place=Place(id="S1")))
            platform.commerce.do(PutProduct(product=Product(sku="A", names={"en": "A"})))
            platform.sources.add(Source("pos", "store"))

            def tell() -> None:
                nonlocal told
                while not ending.wait(0.05):  # a steady load, that a busy machine can follow
                    numbers = range(told, told + 20)
                    writer.do(Tell(facts=tuple(map(fact, numbers))))
                    receipts = [{"event": "Receipt Issued", "id": f"r{n}", "properties": receipt(n)} for n in numbers]
                    platform.append("pos", "rows", [msgspec.json.encode(receipts)])
                    told += 20

            telling = threading.Thread(target=tell)
            telling.start()
            try:
                for number in range(KILLS):
                    before = told
                    cauce.wait(lambda before=before: told >= before + 60, "facts to be told")  # type: ignore[misc]
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
            last = platform.archive.last_position()
            cauce.wait(lambda: api.state(platform.commerce, 0).position >= last, "the river to be followed")
            sold = platform.commerce.select("select sum(posted) from account where book = 'stock' and name = 'sold'")
            found = [one.event for batch in platform.archive.scan() for one in batch]
            arrived = Counter(event.properties["order_id"] for event in found if event.source == "commerce")
    finally:
        cauce.close()
    assert sold == [(told * 2_000,)]
    assert arrived == Counter({f"o{number}": 1 for number in range(told)})
