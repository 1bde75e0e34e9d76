"""What the real clients need, and a clear word when it is not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.reference import missing
from tests.sdk.shop import PACKAGES


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
def browser(packages: Path, chromium: Any) -> Any:
    """A real Chromium without a window, and the SDKs for it."""
    return chromium
