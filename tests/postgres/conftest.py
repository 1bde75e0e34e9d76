"""What the tests of PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cauce.engines.postgres import Database
from cauce.testing.postgres import PrivateServer
from tests.postgres.engines import Pool
from tests.postgres.proxy import Proxy


@pytest.fixture(scope="module")
def pool(postgres_server: PrivateServer) -> Iterator[Pool]:
    found = Pool(postgres_server)
    yield found
    found.close()


@pytest.fixture
def database(pool: Pool) -> Database:
    """Empty schemas of their own."""
    return pool.database()


@pytest.fixture
def url(postgres_server: PrivateServer) -> str:
    """An empty database of its own, for a whole installation."""
    return postgres_server.fresh_database()


@pytest.fixture
def proxy(pool: Pool) -> Iterator[Proxy]:
    """A way to the pool's database that can be cut."""
    with Proxy(pool.url) as found:
        yield found
