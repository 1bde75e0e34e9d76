"""kill −9 of the real clerk, and of who sells beside it, while goods come and those who wait are served."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from cauce.app import Platform
from cauce.app.clerk import Clerk
from cauce.commerce.catalogue.nouns import Opening, Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.fulfilment.ruling import ApplyRules
from cauce.commerce.fulfilment.store import BACKORDERS
from cauce.commerce.orders.api import NewLine, PlaceOrder
from cauce.commerce.orders.store import HISTORY, LINES, Entry, Line
from cauce.commerce.proof import broken
from cauce.commerce.stock.facts import Entry as Goods
from cauce.commerce.stock.keeping import Receive

KILLS = 8
LIFE_SECONDS = (0.1, 0.8)
ROOT = Path(__file__).resolve().parents[3]
SKUS = ("A", "B")

RULES = """
rules:
  - name: Collect in the store
    when: {deliveries: [pick_up]}
    from: {roles: [picks_up], destination: only}
"""
"""However many orders are open: a store that has enough of them serves nobody more."""

CLERK = """
from cauce.app import clerk
clerk.CHORE_SECONDS = 0.0  # nothing but its pace is another one
from cauce.cli.main import main
main()
"""
SELLER = """
import sys
from tests.commerce.fulfilment.test_kill import sell
sell(sys.argv[1], int(sys.argv[2]))
"""


def pieces(number: int) -> int:
    """What the n-th order wants, in thousandths."""
    return (number % 3 + 1) * 1_000


def supply(number: int) -> int:
    """What comes after the n-th order: in the long run less than is wanted, so that many wait."""
    return (number * 7 % 4) * 1_000


def sku_of(number: int) -> str:
    """Products take turns, so that what came of one is not asked for at once by the next order."""
    return SKUS[number // 4 % len(SKUS)]


def sell(folder: str, number: int) -> None:
    """Takes orders and receives goods from the n-th on, each under its key, until killed; says what is durable."""
    with Platform.open(Path(folder)) as platform:
        say("ready")
        while True:
            platform.commerce.do(order_of(number))
            if supply(number):
                came = Goods(sku_of(number), "S1", supply(number))
                platform.commerce.do(Receive(key=f"came-{number}", lines=(came,)))
            say(str(number))
            number += 1


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def order_of(number: int) -> PlaceOrder:
    return PlaceOrder(
        key=f"order-{number}", lines=(NewLine(sku=sku_of(number), amount=pieces(number), price=1_000),), currency="EUR",
        kind="pick_up", place="S1", channel="web", backorder=True, pays_first=False, hold_seconds=0,
        number=f"N{number}", owners=("email:ana@tienda.es",),
    )  # fmt: skip


class Life:
    """A process that says a line when it is at work, and after each thing that is durable; killed, never stopped."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, "-c", script, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        self._out: IO[bytes] = self._process.stdout
        self.last = -1

    def hear(self) -> None:
        """Reads until the end of the life."""
        for line in self._out:
            if line.endswith(b"\n") and line[:-1].isdigit():
                self.last = int(line)

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._out.close()


# -- what must hold -----------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    order: int
    what: str


def faults(lines: Iterable[Line], history: Iterable[Entry]) -> list[Fault]:
    """Orders of one line each, collected in one place, that were served twice, in part, or before an older one."""
    found: list[Fault] = []
    amounts = {line.order_id: line for line in lines}
    skus = {id_: line.sku for id_, line in amounts.items()}
    got: Counter[int] = Counter()
    latest: dict[str, int] = {}
    for entry in sorted(history, key=lambda entry: entry.id):
        if entry.became != "allocated":
            continue
        id_, sku = entry.order_id, skus[entry.order_id]
        got[id_] += entry.amount
        before = latest.get(sku, id_)
        if id_ < before:
            found.append(Fault(id_, f"was served after the later order {before}"))
        elif id_ > before and got[before] < amounts[before].amount:
            found.append(Fault(id_, f"was served while {before} still waited"))
        latest[sku] = max(id_, before)
    for id_, line in amounts.items():
        if got[id_] != line.amount or line.allocated != line.amount:
            found.append(Fault(id_, f"got {got[id_]} of {line.amount}, {line.allocated} stand at its line"))
    return found


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_everybody_who_waits_is_served_once_and_in_turn_whatever_is_killed(tmp_path: Path) -> None:
    folder, chance, done = tmp_path / "cauce-data", random.Random(5), -1
    with Platform.open(folder) as platform:
        always = tuple(Opening(weekday=day, opens="00:00", closes="24:00") for day in range(1, 8))
        platform.commerce.do(PutPlace(place=Place(id="S1", roles=("sells", "picks_up"), hours=always)))
        platform.commerce.do(ApplyRules(document=RULES, by="eva"))
        for sku in SKUS:
            platform.commerce.do(PutProduct(product=Product(sku=sku, names={"en": sku})))
    waited = 0
    for _ in range(KILLS):
        seller = Life(SELLER, str(folder), str(done + 1))
        clerk = Life(CLERK, "--data", str(folder), "clerk")
        try:
            assert seller._out.readline() == b"ready\n"
            timer = threading.Timer(chance.uniform(*LIFE_SECONDS), seller.kill)
            timer.start()
            seller.hear()
            timer.join()
            assert not clerk.is_over(), "the clerk works on until it is killed"
        finally:
            seller.close()
            clerk.close()
        done = max(done, seller.last)
        with Platform.open(folder) as platform:
            assert broken(platform.commerce.reader, 0) == []
            waited += platform.commerce.select(f"select count(*) from {BACKORDERS.name}")[0][0]
    assert waited, "nobody had to wait"
    with Platform.open(folder) as platform:
        finished(platform, done)


def finished(platform: Platform, done: int) -> None:
    """The last order is taken, what is missing comes, everybody is served, and the books and the river agree."""
    last = done + 1  # it may have been carried out, and its seller killed before it could say so
    platform.commerce.do(order_of(last))
    wanted = Counter[str]()
    for number in range(last + 1):
        wanted[sku_of(number)] += pieces(number)
        if number < last:
            wanted[sku_of(number)] -= supply(number)
    if supply(last):
        platform.commerce.do(Receive(key=f"came-{last}", lines=(Goods(sku_of(last), "S1", supply(last)),)))
        wanted[sku_of(last)] -= supply(last)
    for sku in SKUS:
        assert wanted[sku] > 0, "more came than was wanted"
        platform.commerce.do(Receive(key=f"rest-{sku}", lines=(Goods(sku, "S1", wanted[sku]),)))
    clerk = Clerk(platform)
    for _ in range(last):  # each look serves a hundred orders
        clerk.chores()
        clerk._chores_done = float("-inf")
        if not platform.commerce.select(f"select 1 from {BACKORDERS.name} limit 1"):
            break
    clerk.drain()
    platform.drain()
    select = platform.commerce.select
    lines = [LINES.of(row) for row in select(f"select {LINES.columns} from {LINES.name}")]
    history = [HISTORY.of(row) for row in select(f"select {HISTORY.columns} from {HISTORY.name}")]
    assert len(lines) == last + 1, "each order once"
    assert faults(lines, history) == []
    assert broken(platform.commerce.reader, 0) == []
    free = select("select sum(posted), sum(pending) from account where book = 'stock' and name = 'free'")
    assert free == [(sum(pieces(number) for number in range(last + 1)),) * 2], "all that came is held for somebody"
    assert select("select 1 from account where name = 'oversold' and posted <> 0") == []
    told = Counter[str]()
    for batch in platform.archive.scan():
        for one in batch:
            if one.event.name == "Order Allocated":
                goods = one.event.properties["products"]
                told[one.event.properties["order_id"]] += round(sum(each["quantity"] for each in goods) * 1_000)
    assert told == {f"N{number}": pieces(number) for number in range(last + 1)}


# -- the judge is judged ------------------------------------------------------------------------------------------

Plant = Callable[[list[Entry]], list[Entry]]
ALLOCATED = Entry(0, 0, 1, "placed", "allocated", 0, "S1", "S1", "", 0, "cauce", "")
SERVED = [
    ALLOCATED._replace(id=number, order_id=order, amount=amount)
    for number, (order, amount) in enumerate(((1, 2_000), (2, 1_000), (2, 1_000), (3, 3_000)), 1)
]
PLANTED: dict[str, Plant] = {
    "got 4000 of 2000": lambda served: [*served, served[0]._replace(id=9)],
    "was served after the later order": lambda served: [*served[1:3], served[0]._replace(id=9), served[3]],
    "was served while 2 still waited": lambda served: [served[0], served[1], served[3], served[2]._replace(id=9)],
    "got 1000 of 2000": lambda served: [*served[:2], served[3]],
}
"""What the judge should say, and the history of which it should."""


def lines_of(history: Iterable[Entry]) -> list[Line]:
    """The lines of the sound history."""
    amounts = Counter[int]()
    for entry in history:
        amounts[entry.order_id] += entry.amount
    blank = dict.fromkeys(Line._fields, 0) | {"line": 1, "sku": "A", "places": "[]"}
    return [
        Line(**(blank | {"order_id": id_, "amount": amount, "allocated": amount}))  # type: ignore[arg-type]
        for id_, amount in amounts.items()
    ]


def test_a_sound_history_is_found_sound() -> None:
    assert faults(lines_of(SERVED), SERVED) == []


@pytest.mark.parametrize("said", PLANTED)
def test_a_planted_fault_is_found(said: str) -> None:
    assert said in "; ".join(fault.what for fault in faults(lines_of(SERVED), PLANTED[said](SERVED)))
