"""What several groups of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cauce.testing import postgres
from tests.running import RunningCauce


@pytest.fixture
def running_cauce(tmp_path: Path) -> Iterator[RunningCauce]:
    """A real `cauce up` with an empty data folder."""
    cauce = RunningCauce(tmp_path / "cauce-data")
    try:
        yield cauce.start()
    finally:
        cauce.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PrivateServer]:
    """A PostgreSQL of this test process alone; skips without its programs, fails under CAUCE_REQUIRE=all."""
    if postgres.programs() is None:
        reason = "PostgreSQL's initdb and postgres were not found; install it, or the wheel `pgserver`"
        if os.environ.get("CAUCE_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    with postgres.PrivateServer.started() as server:
        yield server
