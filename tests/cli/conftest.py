"""What tests of the command line share."""

from __future__ import annotations

import pytest

from cauce.cli.main import PIPED_COLUMNS, console


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pipe, however wide the window is from which tests were started."""
    monkeypatch.setattr(console, "width", PIPED_COLUMNS)
