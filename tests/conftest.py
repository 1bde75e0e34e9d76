"""What several groups of tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cauce.testing import postgres
from tests.reference import missing
from tests.running import RunningCauce

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# A machine that is busy with something else is no fault of what is tested.
settings.register_profile("patient", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The check of a change draws the same examples every time: it speaks of the change, not of luck. Every other run
# draws new ones.
settings.register_profile("repeatable", settings.get_profile("patient"), derandomize=True, database=None)
settings.load_profile("repeatable" if os.environ.get("CAUCE_REQUIRE") == "all" else "patient")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium without a window; one for each test process, which can have only one Playwright."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 only where there is a browser

    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        missing("Chromium (command chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the small world of the console, not to be changed; made once for each test process."""
    from tests.console.seat import make  # noqa: PLC0415 only who needs it waits for the console

    folder = tmp_path_factory.mktemp("world") / "data"
    make(folder)
    return folder


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
