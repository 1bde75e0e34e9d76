"""What the real clients need, and a clear word when it is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference import missing
from tests.sdk.shop import PACKAGES

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def node() -> str:
    """Path of the Node program, with the SDKs installed."""
    found = shutil.which("node")
    return found if found else missing("Node (command node)")


@pytest.fixture(scope="session")
def packages() -> Path:
    """Folder of the SDKs for Node and browsers."""
    if not (PACKAGES / "@segment/analytics-node").exists():
        missing("tests/sdk/node_modules (run: npm ci --prefix tests/sdk)")
    return PACKAGES


@pytest.fixture(scope="session")
def browser(packages: Path) -> Iterator[object]:
    """A real Chromium without a window."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 only those who test browsers need it

    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        missing("Chromium (command chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        yield chromium
        chromium.close()
