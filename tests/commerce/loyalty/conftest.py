"""A programme for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commerce.loyalty.club import Club


@pytest.fixture
def club() -> Iterator[Club]:
    found = Club()
    yield found
    found.close()
