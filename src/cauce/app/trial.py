"""The process that tries identity rules: `python -m cauce.app.trial`, with an `Order` on its standard input."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from cauce.app.platform import Platform
from cauce.app.trials import Order, Told
from cauce.errors import CauceError
from cauce.identity.api import Rules
from cauce.settings import Settings

NICENESS = 10
REPORT_SECONDS = 0.2


def main() -> None:
    """The process: compares, tells how far it is, and ends."""
    with suppress(OSError):
        os.nice(NICENESS)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        with Platform.open(Settings(order.settings)) as platform:
            batches = _counted(platform.archive.scan(), platform.archive.count())
            _tell(Told(report=platform.people.dry_run(Rules.from_dict(order.rules), batches)))
    except CauceError as fault:
        _tell(Told(fault=str(fault)))


def _tell(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _counted(batches: Iterable[list[Any]], total: int) -> Iterator[list[Any]]:
    """The batches as they are; tells now and then how many events went by."""
    done = 0
    told_at = 0.0
    for batch in batches:
        yield batch
        done += len(batch)
        if time.monotonic() - told_at > REPORT_SECONDS:
            told_at = time.monotonic()
            _tell(Told(done, total))
    _tell(Told(done, total))


if __name__ == "__main__":
    main()
