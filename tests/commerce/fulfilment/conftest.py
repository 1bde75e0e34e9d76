"""Stores for the tests of fulfilment, in memory and on engines that store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cauce.engines.api import Tables
from tests.commerce.fulfilment.stores import Stores


@pytest.fixture
def stores(memory: Tables) -> Iterator[Stores]:
    found = Stores(memory)
    yield found
    found.close()


@pytest.fixture
def stored(fresh: Callable[[], Callable[[], Tables]]) -> Iterator[Stores]:
    """As `stores`, on an engine that stores."""
    found = Stores(fresh()())
    yield found
    found.close()
