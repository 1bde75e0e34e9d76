"""Where reference data lies, and what happens when something that a test needs is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def missing(what: str) -> NoReturn:
    """Skips the test, saying what is not there; fails it where everything must run (`CAUCE_REQUIRE=all`)."""
    if os.environ.get("CAUCE_REQUIRE") == "all":
        pytest.fail(f"{what} is required here (CAUCE_REQUIRE=all) and is not there")
    pytest.skip(f"{what} is not there")


def shared(relative: str) -> Path:
    """Path of a reference file or folder beside the project."""
    path = SHARED / relative
    if not path.exists():
        missing(f"reference data shared/{relative}")
    return path
