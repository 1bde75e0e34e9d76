"""`cauce up` keeps the index up to date by a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from cauce.search.store import Index
from tests.running import RunningCauce


def tell(running: RunningCauce, key: str, number: int, **traits: Any) -> None:
    body = {"type": "identify", "userId": f"u-{number}", "messageId": f"m-{number}", "traits": traits}
    answer = httpx.post(f"{running.url}/v1/batch", json={"batch": [body]}, auth=(key, ""), timeout=30)
    assert answer.status_code == 200, answer.text


def names_in(path: Path) -> set[str]:
    """Every name that the index file holds, read without asking the search, which would catch up by itself."""
    if not path.exists():
        return set()
    index = Index(path)
    try:
        return (
            {name for entry in index.between(0, 2**63 - 1).values() for name in entry.names}
            if index.is_usable
            else set()
        )
    finally:
        index.close()


@pytest.mark.soak
def test_the_index_follows_by_itself_also_after_a_kill(running_cauce: RunningCauce) -> None:
    running = running_cauce
    path = running.folder / "search.db"
    key = running.key("crm", "crm")
    tell(running, key, 1, name="Begoña Jiménez")
    running.wait(lambda: "Begoña Jiménez" in names_in(path), "the first name to be found")
    running.kill()
    running.start()
    tell(running, key, 2, name="Ximena Núñez")
    running.wait(lambda: "Ximena Núñez" in names_in(path), "the second name to be found")
