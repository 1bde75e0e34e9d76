"""What several groups of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import RunningCauce


@pytest.fixture
def running_cauce(tmp_path: Path) -> Iterator[RunningCauce]:
    """A real `cauce up` with an empty data folder."""
    cauce = RunningCauce(tmp_path / "cauce-data")
    try:
        yield cauce.start()
    finally:
        cauce.close()
