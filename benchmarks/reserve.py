"""reserve.*: durable reservations of stock by 64 clients, each with one in flight, beside two floors of the same run.

The floor is a bare single writer with group commit: the same 64 clients, one thread, and for each batch one balance
checked and changed, one row put down per reservation, one durable commit. The usual shape is the one of most shops:
`SELECT … FOR UPDATE` with the logic in the client, one transaction for each reservation, 16 connections.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import uvloop

from benchmarks.harness import Figure, folder, percentile
from cauce.commerce.ledger import api as ledger
from cauce.commerce.parts import ACTIONS, SHAPES
from cauce.commerce.stock import store
from cauce.commerce.stock.reserving import Line, Reserve
from cauce.commerce.transact.carrier import Action, Command
from cauce.commerce.transact.work import Work
from cauce.commerce.transact.writer import Writer
from cauce.engines.api import Tables
from cauce.engines.postgres import Database, PostgresTables
from cauce.engines.sqlite import SqliteTables
from cauce.testing.postgres import PrivateServer
from cauce.testing.storm.run import Storm

CLIENTS = 64
PLENTY = 10**12
PLACE = "store-1"

Once = Callable[[int, int], Awaitable[None]]
"""One reservation: number of the client, number of its try."""


class Fill(Command, frozen=True, kw_only=True):
    """Puts plenty of some products into a place, so that no reservation is refused."""

    skus: tuple[str, ...]


def fill(work: Work, command: Fill) -> int:
    for sku in command.skus:
        giver, taker = (store.place_of(sku, PLACE, name) for name in (store.SUPPLIER, store.FREE))
        ledger.move(work, giver, taker, PLENTY, "received")
    return len(command.skus)


def sku_of(number: int, skus: int) -> str:
    return f"sku-{number % skus}"


def writer_of(tables: Tables, skus: int) -> Writer:
    writer = Writer(tables, (*ACTIONS, Action(Fill, fill, int)), SHAPES)
    writer.do(Fill(skus=tuple(sku_of(number, skus) for number in range(skus))))
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


class Bare:
    """The floor: the least that a durable reservation can be."""

    def __init__(self, path: Path, skus: int) -> None:
        self._path = path
        self._waiting: deque[tuple[str, str, asyncio.Future[None]]] = deque()
        self._wakeup = threading.Condition()
        self._closing = False
        connection = self._opened()
        connection.execute("create table stock (sku text primary key, free integer check (free >= 0)) without rowid")
        connection.execute("create table hold (id integer primary key, key text unique, sku text, amount integer)")
        rows = [(sku_of(number, skus), PLENTY) for number in range(skus)]
        connection.execute("begin")
        connection.executemany("insert into stock values (?, ?)", rows)
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
            free: dict[str, int] = {}
            for _, sku, _ in batch:
                if sku not in free:
                    (free[sku],) = connection.execute("select free from stock where sku = ?", (sku,)).fetchone()
                free[sku] -= 1_000
            connection.executemany(
                "insert into hold (key, sku, amount) values (?, ?, 1000)", [one[:2] for one in batch]
            )
            connection.executemany(
                "update stock set free = ? where sku = ?", [(left, sku) for sku, left in free.items()]
            )
            connection.execute("commit")
            batch[0][2].get_loop().call_soon_threadsafe(self._tell, batch)

    @staticmethod
    def _tell(batch: list[tuple[str, str, asyncio.Future[None]]]) -> None:
        for _, _, done in batch:
            done.set_result(None)

    def close(self) -> None:
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        self._thread.join()


def floor(path: Path, skus: int, seconds: float) -> float:
    bare = Bare(path / "bare.db", skus)
    rate, _, _ = measured(
        lambda client, number: bare.reserve(f"{client}-{number}", sku_of(number * CLIENTS + client, skus)), seconds
    )
    bare.close()
    return rate


def figure(name: str, rates: list[float], floors: list[float], latencies: list[float], more: dict[str, Any]) -> Figure:
    value, bare = percentile(rates, 0.5), percentile(floors, 0.5)
    return Figure(
        name=name, value=value, unit="reservations/s", floor=bare, ratio=value / bare,
        p99_ms=percentile(latencies, 0.99) * 1e3,
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        parameters={"clients": CLIENTS, "median_ms": round(percentile(latencies, 0.5) * 1e3, 2), **more},
    )  # fmt: skip


def sqlite(name: str, skus: int, seconds: float, rounds: int) -> Iterator[Figure]:
    """The floor and Cauce in turns, so that a noisy moment meets both."""
    rates, floors, latencies, processor = [], [], [], []
    for _ in range(rounds):
        with folder() as scratch:
            floors.append(floor(scratch, skus, seconds))
            writer = writer_of(SqliteTables(scratch / "commerce.db", durable=True), skus)
            rate, found, spent = measured(reserving(writer, skus), seconds)
            writer.close()
            rates.append(rate)
            latencies += found
            processor.append(spent)
    more = {"skus": skus, "rates": [round(rate) for rate in rates], "processor_us": round(percentile(processor, 0.5))}
    yield figure(name, rates, floors, latencies, more)


def hot(*, seconds: float = 5.0, rounds: int = 3) -> Iterator[Figure]:
    """One product that everybody wants."""
    return sqlite("reserve.hot", 1, seconds, rounds)


def many(*, seconds: float = 5.0, rounds: int = 3) -> Iterator[Figure]:
    """10,000 products."""
    return sqlite("reserve.many", 10_000, seconds, rounds)


def postgres(*, seconds: float = 5.0, rounds: int = 3) -> Iterator[Figure]:
    """One product that everybody wants, on PostgreSQL; the floor is the usual shape on the same server."""
    rates, usual, latencies = [], [], []
    with PrivateServer.started() as server:
        url = server.fresh_database()
        database = Database(url)
        database.prepare("bench")
        writer = writer_of(PostgresTables(url, database.commerce), 1)
        _usual_tables(url)
        for turn in range(rounds):
            usual.append(_usual_shape(url, seconds))
            rate, found, _ = measured(_numbered(reserving(writer, 1), turn), seconds)
            rates.append(rate)
            latencies += found
        writer.close()
        database.close()
    more = {"skus": 1, "rates": [round(rate) for rate in rates], "usual_shape": [round(rate) for rate in usual]}
    yield figure("reserve.postgres", rates, usual, latencies, more)


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
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table usual_stock (sku text primary key, free bigint check (free >= 0))")
        connection.execute(
            "create table usual_hold (id bigserial primary key, key text unique, sku text, amount bigint)"
        )
        connection.execute("insert into usual_stock values ('sku-0', %s)", (PLENTY,))


def _usual_shape(url: str, seconds: float, connections: int = 16) -> float:
    """Reservations a second of `SELECT … FOR UPDATE` with the logic in the client."""
    until = time.perf_counter() + seconds

    def client(place: int) -> int:
        done = 0
        with psycopg.connect(url) as connection:
            while time.perf_counter() < until:
                (free,) = connection.execute("select free from usual_stock where sku = 'sku-0' for update").fetchone()
                assert free >= 1_000
                key = f"{place}-{time.perf_counter_ns()}"
                connection.execute("insert into usual_hold (key, sku, amount) values (%s, 'sku-0', 1000)", (key,))
                connection.execute("update usual_stock set free = %s where sku = 'sku-0'", (free - 1_000,))
                connection.commit()
                done += 1
        return done

    started = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        total = sum(pool.map(client, range(connections)))
    return total / (time.perf_counter() - started)
