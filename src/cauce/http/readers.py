"""A few threads that answer questions about the state, so that a slow one does not hold up the intake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
READERS = 4
"""Threads that read the state, each with a connection of its own."""


class Readers:
    """Runs questions on a few threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, question)

    def close(self) -> None:
        self._pool.shutdown(wait=False)
