"""Long calls do not hold up quick ones, and nobody waits in a queue without end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cauce.errors import Busy
from cauce.http.api.door import THREADS, WAITING_MAX, Lanes
from tests.running import in_a_loop


def test_a_full_lane_asks_to_come_again_and_leaves_the_others_free():
    async def ask():
        lanes, gate = Lanes(), threading.Event()
        waiting = [asyncio.create_task(lanes.ask("heavy", gate.wait)) for _ in range(WAITING_MAX + THREADS["heavy"])]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as fault:
            await lanes.ask("heavy", lambda: 1)
        assert fault.value.retry_after_seconds
        assert await lanes.ask("read", lambda: 2) == 2
        gate.set()
        assert all(await asyncio.gather(*waiting))
        assert await lanes.ask("heavy", lambda: 3) == 3
        lanes.close()

    in_a_loop(ask())
