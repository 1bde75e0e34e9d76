"""Bounded patience with many clients at once, for a third of a microsecond each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SWEEPS = 4
"""How often within the time allowed the waiting are looked at; one waits at most a quarter longer than allowed."""


class Patience:
    """Ends blocks that take too long with TimeoutError. A timer for each request would cost more than the request.

    For one event loop.
    """

    def __init__(self, seconds_max: float) -> None:
        self.seconds_max = seconds_max
        self._since: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._is_sweeping = False

    @contextmanager
    def limit(self) -> Iterator[None]:
        """The block of the calling task, which must not nest another one."""
        task = asyncio.current_task()
        assert task is not None
        assert task not in self._since
        self._since[task] = time.monotonic()
        if not self._is_sweeping:
            self._sweep_later()
        try:
            yield
        except asyncio.CancelledError:
            if task in self._expired:
                task.uncancel()
                raise TimeoutError from None
            raise
        finally:
            del self._since[task]
            self._expired.discard(task)

    def _sweep_later(self) -> None:
        self._is_sweeping = True
        asyncio.get_running_loop().call_later(self.seconds_max / SWEEPS, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        for task, since in self._since.items():
            if now - since >= self.seconds_max and task not in self._expired:
                self._expired.add(task)
                task.cancel()
        self._is_sweeping = False
        if self._since:
            self._sweep_later()
