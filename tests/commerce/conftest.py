"""What the tests of commerce share: a store on each engine, and a clock that only moves when told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cauce.engines.api import Tables
from cauce.engines.postgres import PostgresTables
from cauce.engines.sqlite import SqliteTables
from tests.furnished import FurnishedTables
from tests.postgres.engines import Pool

Make = Callable[[], Tables]


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    found = Pool(request.getfixturevalue("postgres_server"))
    yield found
    found.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Make]:
    """Gives, at every call, what opens the tables of a new and empty store."""
    places = iter(range(10_000))

    def store() -> Make:
        if request.param == "sqlite":
            path = tmp_path / f"commerce-{next(places)}.db"
            return lambda: SqliteTables(path, cache_mb=4, durable=True)
        pool: Pool = request.getfixturevalue("pool")
        database = pool.database()
        return lambda: PostgresTables(pool.url, database.commerce)

    return store


@pytest.fixture
def memory() -> Tables:
    return FurnishedTables()
