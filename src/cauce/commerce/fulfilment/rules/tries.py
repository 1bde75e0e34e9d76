"""How often wrong codes may be tried: a few at once, then longer and longer pauses.

Somebody who tries codes at one desk under one name gets about 110 of 3.4 × 10⁹ tried in a day.
"""

from __future__ import annotations

from typing import NamedTuple

FREE = 5
"""Wrong codes in a row that cost nothing: people do err, though the check character notices most of it."""
PAUSE_SECONDS_MAX = 900
FORGET_SECONDS = 6 * 3_600
SECOND = 1_000_000


class Patience(NamedTuple):
    """Wrong codes in a row, the last of them, and until when no further one is looked at (microseconds)."""

    failures: int = 0
    last: int = 0
    until: int = 0


def failed(before: Patience, now: int) -> Patience:
    """After one more wrong code."""
    failures = 1 if now - before.last > FORGET_SECONDS * SECOND else before.failures + 1
    pause = 0 if failures < FREE else min(PAUSE_SECONDS_MAX, 1 << min(failures - FREE, 20))
    return Patience(failures, now, now + pause * SECOND)


def seconds_left(patience: Patience, now: int) -> int:
    """How long to wait before the next code is looked at; 0 when one may be."""
    return max(0, -(-(patience.until - now) // SECOND))
