"""What the tests of the river share."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Gives a fresh folder at each call, also inside Hypothesis."""
    numbers = count()
    base = tmp_path_factory.mktemp("river")

    def fresh() -> Path:
        path = base / str(next(numbers))
        path.mkdir()
        return path

    return fresh
