"""The machines of stock, orders, pick-ups and points, which run in memory, once more over the engines that stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from cauce.engines.api import Tables
from cauce.engines.postgres import PostgresTables
from cauce.engines.sqlite import SqliteTables
from tests.commerce.fulfilment.test_always import DeskMachine
from tests.commerce.loyalty.test_invariants import Points
from tests.commerce.orders.test_machine import OrdersMachine
from tests.commerce.stock.test_always import Shelves
from tests.postgres.engines import Pool

Make = Callable[[], Tables]


@pytest.fixture(
    params=[pytest.param("sqlite", marks=pytest.mark.soak), pytest.param("postgres", marks=pytest.mark.postgres)]
)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Opens an empty store at every call; the one before is closed by then."""
    if request.param == "sqlite":
        numbers = count(1)
        yield lambda: SqliteTables(tmp_path / f"commerce-{next(numbers)}.db", cache_mb=4, durable=True)
        return
    pool: Pool = request.getfixturevalue("pool")
    database = pool.database()

    def emptied() -> Tables:
        with psycopg.connect(pool.url, autocommit=True) as connection:
            found = connection.execute(
                "select tablename from pg_tables where schemaname = %s", [database.commerce]
            ).fetchall()
            # Rows that are never changed are taken away by a server that looks away.
            emptying = [f'delete from "{database.commerce}"."{table}"' for (table,) in found]
            connection.execute("; ".join(["set session_replication_role = replica", *emptying]).encode())
        return PostgresTables(pool.url, database.commerce)

    yield emptied


@pytest.mark.timeout(300)
@pytest.mark.parametrize("machine", [Shelves, OrdersMachine, DeskMachine, Points])
def test_the_same_holds_on_engines_that_stay(machine: Any, make: Make) -> None:
    there = type(machine.__name__, (machine,), {"make": staticmethod(make)})
    run_state_machine_as_test(there, settings=settings(max_examples=8, stateful_step_count=20, deadline=None))
