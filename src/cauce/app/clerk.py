"""The clerk: carries facts between commerce and the river, both ways, for one installation.

Each duty does a bounded piece of its work and says whether there was any. A duty that fails is tried again a little
later and keeps nobody else from working. Two clerks at a time would do no harm, only work for nothing, so one waits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from cauce.app.courier import Courier
from cauce.commerce.loyalty import following
from cauce.commerce.parts import CHORES
from cauce.commerce.tills.follower import Follower, Sight
from cauce.commerce.tills.relay import Relayed, waiting
from cauce.connectors import commerce as told
from cauce.errors import CauceError, Conflict, Locked, NotFound
from cauce.model import Source

if TYPE_CHECKING:
    from cauce.app.platform import Platform

SOURCE = Source("commerce", "commerce", mode="observe", event_bytes_max=4 * 2**20)
"""Who tells what commerce did: nobody else may send as it, because nobody knows its key."""
IDLE_SECONDS = 0.1
TURN_SECONDS = 0.5
"""How long a second clerk waits before it asks again whether the first one is gone."""
RETRY_SECONDS_MAX = 30.0
CHORE_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class Duty(NamedTuple):
    """A piece of work that is done again and again; `step` says whether there was any."""

    name: str
    step: Callable[[], bool]


class Clerk:
    """Does all duties over one open platform, in the calling thread."""

    def __init__(self, platform: Platform, duties: tuple[Duty, ...] | None = None) -> None:
        self._platform = platform
        self._follower = follower_of(platform)
        self._courier = Courier(platform, allow_private=platform.settings.hooks_private)
        self._duties = duties or (
            Duty("relay", self.relay),
            Duty("follow", self._follower.step),
            Duty("settle", self._follower.settle),
            Duty("reward", lambda: following.step(platform.commerce, sight_of(platform))),
            Duty("chores", self.chores),
            Duty("hooks", self._courier.step),
        )
        self._resting: dict[str, tuple[float, float]] = {}
        """Duties that failed: until when they rest, and for how long."""
        self._has_source = False
        self._chores_done = float("-inf")

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until `stopping()`; waits while another clerk is at work."""
        while not stopping():
            with suppress(Locked), self._platform.storage.clerking():
                while not stopping():
                    if not self.step():
                        time.sleep(IDLE_SECONDS)
                return
            time.sleep(TURN_SECONDS)

    def step(self) -> bool:
        """Gives every duty its turn; whether one of them had something to do."""
        return sum(self._done(duty) for duty in self._duties) > 0

    def drain(self) -> None:
        """Works until nothing is left; raises what a duty fails with."""
        while sum(duty.step() for duty in self._duties):
            pass

    def relay(self) -> bool:
        """Brings the next facts of commerce into the river."""
        commerce = self._platform.commerce
        facts = waiting(commerce.reader)
        if not facts:
            return False
        self._make_source()
        body = told.framed(told.Waiting(fact.id, fact.body) for fact in facts)
        self._platform.append(SOURCE.name, told.NAME, [body])
        commerce.do(Relayed(facts=tuple(fact.id for fact in facts)))
        return True

    def chores(self) -> bool:
        """Lets what has run out run out: holds, uncollected goods, points, cards; looks once a second."""
        if time.monotonic() - self._chores_done < CHORE_SECONDS:
            return False
        self._chores_done = time.monotonic()
        for answer in self._platform.commerce.writer.do_all(CHORES):
            if isinstance(answer, Exception):
                raise answer
        return False

    def _make_source(self) -> None:
        if self._has_source:
            return
        try:
            self._platform.sources.get(SOURCE.name)
        except NotFound:
            with suppress(Conflict):  # another process was quicker
                self._platform.sources.add(SOURCE)
        self._has_source = True

    def _done(self, duty: Duty) -> bool:
        until, pause = self._resting.get(duty.name, (0.0, 0.0))
        if time.monotonic() < until:
            return False
        try:
            found = duty.step()
        except CauceError as fault:
            pause = min(max(pause * 2, 1.0), RETRY_SECONDS_MAX)
            self._resting[duty.name] = (time.monotonic() + pause, pause)
            _logger.warning("%s failed and rests for %g s: %s", duty.name, pause, fault)
            return False
        self._resting.pop(duty.name, None)
        return found


def follower_of(platform: Platform) -> Follower:
    """What follows an installation's river for its commerce, in the calling thread."""
    return Follower(platform.commerce, lambda: sight_of(platform))


def sight_of(platform: Platform) -> Sight:
    """The river as the calling thread reads it."""
    views = platform.views
    return Sight(views.reader.snapshot, views.archive, views.people.identifiers_of)
