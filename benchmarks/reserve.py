"""reserve.*: durable reservations of stock by 64 clients, each with one in flight, beside floors of the same run.

The floor is a bare single writer with group commit that keeps the same promises in the fewest statements: the same 64
clients, one thread, and for each reservation a key that is looked up and kept with its answer, a balance that is
checked and changed, a hold with its end and a balanced entry. `rows_only` is one that promises nothing: it counts a
balance down in memory and puts one row down. The usual shape is the one of most shops: `SELECT … FOR UPDATE` with the
logic in the client, one transaction for each reservation, the same promises and the same 64 clients, each with a
connection of its own, on the same server. `pooled` is the same through a pool of 16 connections.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import uvloop

from benchmarks.harness import Figure, folder, percentile
from benchmarks.postgres import DURABLE
from cauce.commerce.parts import ACTIONS, SHAPES
from cauce.commerce.stock.counting import LINES_MAX
from cauce.commerce.stock.facts import Entry
from cauce.commerce.stock.keeping import Receive
from cauce.commerce.stock.reserving import Line, Reserve
from cauce.commerce.transact.writer import Writer
from cauce.engines.api import Tables
from cauce.engines.postgres import Database, PostgresTables
from cauce.engines.sqlite import SqliteTables
from cauce.testing.postgres import PrivateServer
from cauce.testing.storm.run import Storm

CLIENTS = 64
PLENTY = 10**12
POOL_CONNECTIONS = 16
PLACE = "store-1"

Once = Callable[[int, int], Awaitable[None]]
"""One reservation: number of the client, number of its try."""


def sku_of(number: int, skus: int) -> str:
    return f"sku-{number % skus}"


def writer_of(tables: Tables, skus: int) -> Writer:
    """A writer over a store that has received plenty of every product, so that no reservation is refused."""
    writer = Writer(tables, ACTIONS, SHAPES)
    lines = [Entry(sku_of(number, skus), PLACE, PLENTY) for number in range(skus)]
    for start in range(0, skus, LINES_MAX):
        writer.do(Receive(lines=tuple(lines[start : start + LINES_MAX])))
    return writer


def reserving(writer: Writer, skus: int) -> Once:
    async def once(client: int, number: int) -> None:
        line = Line(sku_of(number * CLIENTS + client, skus), PLACE, 1_000)
        await writer.ask(Reserve(key=f"{client}-{number}", lines=(line,), channel="web"))

    return once


def measured(once: Once, seconds: float) -> tuple[float, list[float], float]:
    """Reservations a second of all clients, their latencies in seconds, and processor time of one in microseconds."""
    latencies: list[float] = []

    async def client(place: int, until: float) -> None:
        number = 0
        while (started := time.perf_counter()) < until:
            await once(place, number)
            latencies.append(time.perf_counter() - started)
            number += 1

    async def all_clients() -> float:
        started = time.perf_counter()
        await asyncio.gather(*(client(place, started + seconds) for place in range(CLIENTS)))
        return time.perf_counter() - started

    processor = time.process_time()
    spent = uvloop.run(all_clients())
    return len(latencies) / spent, latencies, (time.process_time() - processor) / len(latencies) * 1e6


Batch = list[tuple[str, str, "asyncio.Future[None]"]]


class Bare:
    """A single writer with group commit over `create`d tables; `carry_out` puts one batch down."""

    def __init__(self, path: Path, skus: int, carry_out: Callable[[sqlite3.Connection, Batch], None]) -> None:
        self._path = path
        self._carry_out = carry_out
        self._waiting: deque[tuple[str, str, asyncio.Future[None]]] = deque()
        self._wakeup = threading.Condition()
        self._closing = False
        connection = self._opened()
        for statement in BARE_TABLES:
            connection.execute(statement)
        rows = [(sku_of(number, skus), PLENTY) for number in range(skus)]
        connection.execute("begin")
        connection.executemany("insert into stock values (?, ?, 0)", rows)
        connection.execute("commit")
        connection.close()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection

    async def reserve(self, key: str, sku: str) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._wakeup:
            self._waiting.append((key, sku, done))
            self._wakeup.notify()
        await done

    def _run(self) -> None:
        connection = self._opened()
        while True:
            with self._wakeup:
                while not self._waiting and not self._closing:
                    self._wakeup.wait()
                if not self._waiting:
                    return connection.close()
                batch = list(self._waiting)
                self._waiting.clear()
            connection.execute("begin immediate")
            self._carry_out(connection, batch)
            connection.execute("commit")
            batch[0][2].get_loop().call_soon_threadsafe(self._tell, batch)

    @staticmethod
    def _tell(batch: Batch) -> None:
        for _, _, done in batch:
            done.set_result(None)

    def close(self) -> None:
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        self._thread.join()


BARE_TABLES = (
    "create table stock (sku text primary key, free integer check (free >= 0), held integer) without rowid",
    "create table command (key text primary key, answer text) without rowid",
    "create table hold (id integer primary key, key text, sku text, amount integer, due integer, state text)",
    "create index hold_due on hold (due)",
    "create table entry (id integer primary key, hold integer, debit text, credit text, amount integer)",
)


def promised(connection: sqlite3.Connection, batch: Batch) -> None:
    """The same promises: a key is answered once, nothing is promised that is not there, entries balance."""
    due = time.time_ns() // 1_000 + 900_000_000
    for key, sku, _ in batch:
        if connection.execute("select answer from command where key = ?", (key,)).fetchone():
            continue
        taken = connection.execute(
            "update stock set free = free - 1000, held = held + 1000 where sku = ? and free >= 1000", (sku,)
        ).rowcount
        hold = None
        if taken:
            hold = connection.execute(
                "insert into hold values (null, ?, ?, 1000, ?, 'open')", (key, sku, due)
            ).lastrowid
            connection.execute("insert into entry values (null, ?, ?, ?, 1000)", (hold, f"{sku}/free", f"{sku}/held"))
        connection.execute("insert into command values (?, ?)", (key, json.dumps({"hold": hold, "due": due})))


def counted(connection: sqlite3.Connection, batch: Batch) -> None:
    """No promises: a balance for each product and batch, and a row for each reservation."""
    free: dict[str, int] = {}
    for _, sku, _ in batch:
        if sku not in free:
            (free[sku],) = connection.execute("select free from stock where sku = ?", (sku,)).fetchone()
        free[sku] -= 1_000
    connection.executemany(
        "insert into hold values (null, ?, ?, 1000, 0, 'open')", [(key, sku) for key, sku, _ in batch]
    )
    connection.executemany("update stock set free = ? where sku = ?", [(left, sku) for sku, left in free.items()])


def reserving_bare(bare: Bare, skus: int) -> Once:
    return lambda client, number: bare.reserve(f"{client}-{number}", sku_of(number * CLIENTS + client, skus))


def times(rates: list[float], others: list[float]) -> list[float]:
    """How many times the others' rate ours is, turn by turn."""
    return [ours / theirs for ours, theirs in zip(rates, others, strict=True)]


def figure(name: str, rates: list[float], floors: list[float], latencies: list[float], more: dict[str, Any]) -> Figure:
    """The ratio is the middle one of those of a turn: what slows the machine down for a while meets both."""
    return Figure(
        name=name, value=percentile(rates, 0.5), unit="reservations/s", floor=percentile(floors, 0.5),
        ratio=percentile(times(rates, floors), 0.5),
        p99_ms=percentile(latencies, 0.99) * 1e3,
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        parameters={"clients": CLIENTS, "median_ms": round(percentile(latencies, 0.5) * 1e3, 2), **more},
    )  # fmt: skip


def sqlite(name: str, skus: int, seconds: float, rounds: int) -> Iterator[Figure]:
    """The floor and Cauce in turns of a second, over stores that are new in every round."""
    rates, floors, rows_only, latencies, processor = [], [], [], [], []
    turns = max(1, round(seconds))
    for _ in range(rounds):
        with folder() as scratch, ExitStack() as closing:
            bare = Bare(scratch / "bare.db", skus, promised)
            closing.callback(bare.close)
            rows = Bare(scratch / "rows.db", skus, counted)
            closing.callback(rows.close)
            writer = writer_of(SqliteTables(scratch / "commerce.db", durable=True), skus)
            closing.callback(writer.close)
            rows_only.append(measured(reserving_bare(rows, skus), seconds / turns)[0])
            for turn in range(turns):
                floors.append(measured(_numbered(reserving_bare(bare, skus), turn), seconds / turns)[0])
                rate, found, spent = measured(_numbered(reserving(writer, skus), turn), seconds / turns)
                rates.append(rate)
                latencies += found
                processor.append(spent)
    more = {
        "skus": skus, "rates": [round(rate) for rate in rates], "floors": [round(rate) for rate in floors],
        "rows_only": round(percentile(rows_only, 0.5)), "processor_us": round(percentile(processor, 0.5)),
    }  # fmt: skip
    yield figure(name, rates, floors, latencies, more)


def hot(*, seconds: float = 5.0, rounds: int = 3) -> Iterator[Figure]:
    """One product that everybody wants."""
    return sqlite("reserve.hot", 1, seconds, rounds)


def many(*, seconds: float = 5.0, rounds: int = 3) -> Iterator[Figure]:
    """10,000 products."""
    return sqlite("reserve.many", 10_000, seconds, rounds)


def postgres(*, seconds: float = 5.0, rounds: int = 3) -> Iterator[Figure]:
    """One product that everybody wants, on PostgreSQL that syncs; and how many times the usual shape that is."""
    rates, usual, pooled, latencies = [], [], [], []
    with PrivateServer.started(**DURABLE) as server:
        url = server.fresh_database()
        database = Database(url)
        database.prepare("bench")
        writer = writer_of(PostgresTables(url, database.commerce), 1)
        _usual_tables(url)
        for turn in range(rounds):
            usual.append(_usual_shape(url, seconds, CLIENTS))
            pooled.append(_usual_shape(url, seconds, POOL_CONNECTIONS))
            rate, found, _ = measured(_numbered(reserving(writer, 1), turn), seconds)
            rates.append(rate)
            latencies += found
        writer.close()
        database.close()
    more = {
        "skus": 1, "rates": [round(rate) for rate in rates], "usual_shape": [round(rate) for rate in usual],
        "pooled": [round(rate) for rate in pooled],
    }  # fmt: skip
    yield figure("reserve.postgres", rates, usual, latencies, more)
    more = {
        "ratios": [round(ratio, 1) for ratio in times(rates, usual)], "connections": CLIENTS,
        "pooled": [round(ratio, 1) for ratio in times(rates, pooled)], "pool_connections": POOL_CONNECTIONS,
    }  # fmt: skip
    value = percentile(times(rates, usual), 0.5)
    yield Figure(name="reserve.ratio", value=value, unit="times the usual shape", parameters=more)


def kill(*, kills: int = 40) -> Iterator[Figure]:
    """kill -9 under load: what was acknowledged and is not there, came twice, or breaks an invariant; it must be 0."""
    with folder() as scratch:
        found = Storm(str(scratch), seed=1, clients=CLIENTS).rage(kills=kills)
    wrong = len(found.failed) + len(found.lost) + len(found.doubled) + len(found.broken)
    measured = {"kills": found.kills, "acknowledged": found.answers, "repeated": found.repeated, "clients": CLIENTS}
    yield Figure(name="reserve.kill", value=wrong, unit="broken promises", parameters=measured)


def _numbered(once: Once, turn: int) -> Once:
    """Fresh keys for another turn over the same store."""
    return lambda client, number: once(client, number + turn * 10**9)


def _usual_tables(url: str) -> None:
    tables = (
        "create table usual_stock (sku text primary key, free bigint check (free >= 0), held bigint)",
        "create table usual_command (key text primary key, answer text)",
        "create table usual_hold (id bigserial primary key, key text, sku text, amount bigint, due bigint, state text)",
        "create index usual_hold_due on usual_hold (due)",
        "create table usual_entry (id bigserial primary key, hold bigint, debit text, credit text, amount bigint)",
        f"insert into usual_stock values ('sku-0', {PLENTY}, 0)",
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in tables:
            connection.execute(statement)


def _usual_shape(url: str, seconds: float, connections: int) -> float:
    """Reservations a second of `SELECT … FOR UPDATE` with the logic in the client; it promises what `promised` does."""
    until = time.perf_counter() + seconds

    def client(place: int) -> int:
        done = 0
        with psycopg.connect(url) as connection:
            while time.perf_counter() < until:
                _usual_reservation(connection, f"{place}-{time.perf_counter_ns()}", "sku-0")
                done += 1
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        total = sum(pool.map(client, range(connections)))
    return total / (time.perf_counter() - started)


def _usual_reservation(connection: psycopg.Connection[Any], key: str, sku: str) -> None:
    due = time.time_ns() // 1_000 + 900_000_000
    if connection.execute("select answer from usual_command where key = %s", (key,)).fetchone():
        connection.rollback()
        return
    asked = "select free, held from usual_stock where sku = %s for update"
    free, held = connection.execute(asked, (sku,)).fetchone()
    hold = None
    if free >= 1_000:
        change = "update usual_stock set free = %s, held = %s where sku = %s"
        connection.execute(change, (free - 1_000, held + 1_000, sku))
        added = "insert into usual_hold (key, sku, amount, due, state) values (%s, %s, 1000, %s, 'open') returning id"
        (hold,) = connection.execute(added, (key, sku, due)).fetchone()
        entry = "insert into usual_entry (hold, debit, credit, amount) values (%s, %s, %s, 1000)"
        connection.execute(entry, (hold, f"{sku}/free", f"{sku}/held"))
    answer = json.dumps({"hold": hold, "due": due})
    connection.execute("insert into usual_command values (%s, %s)", (key, answer))
    connection.commit()
