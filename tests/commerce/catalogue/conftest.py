"""A catalogue in memory, and some things to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cauce.commerce.catalogue.api import ACTIONS, TABLES
from cauce.commerce.catalogue.nouns import Place, Product
from cauce.commerce.catalogue.places import PutPlace
from cauce.commerce.catalogue.products import PutProduct
from cauce.commerce.transact.writer import Command, Writer
from cauce.engines.api import Row, Tables

NOW = 1_790_000_000_000_000
"""2026-09-21, in microseconds."""


class Shop:
    """A writer over fresh tables, with a clock that stands until it is set; it can be asked like a reader."""

    def __init__(self, tables: Tables) -> None:
        self.now = NOW
        self._writer = Writer(tables, ACTIONS, TABLES, clock=lambda: self.now)
        self._tables = tables

    def do(self, command: Command) -> Any:
        return self._writer.do(command)

    def select(self, sql: str, parameters: Any = ()) -> list[Row]:
        return self._tables.select(sql, parameters)

    def product(self, sku: str, **fields: Any) -> Any:
        return self.do(PutProduct(product=Product(sku=sku, **{"names": {"es": f"Artículo {sku}"}, **fields})))

    def place(self, id_: str, **fields: Any) -> Any:
        return self.do(PutPlace(place=Place(id=id_, **fields)))

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def shop(memory: Tables) -> Iterator[Shop]:
    found = Shop(memory)
    yield found
    found.close()


@pytest.fixture
def stored(fresh: Callable[[], Callable[[], Tables]]) -> Iterator[Shop]:
    """As `shop`, on an engine that stores."""
    found = Shop(fresh()())
    yield found
    found.close()
