"""Runs one benchmark, or all: `python -m benchmarks [NAME …]`; `--quick` for a small run that only shows it works."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from benchmarks import availability, freshness, intake, paint, postgres, reads, reserve, reserve_http, river, search
from benchmarks.harness import Figure, show

BENCHMARKS: dict[str, tuple[Callable[..., Iterator[Figure]], dict[str, object]]] = {
    "intake.http20": (intake.run, {"seconds": 2.0, "rounds": 1}),
    "river.1m": (river.run, {"events": 20_000, "identifiers": 10_000}),
    "replay": (river.replay, {"events": 10_000, "identifiers": 5_000}),
    "freshness": (freshness.run, {"seconds": 4.0}),
    "profile.read": (reads.profile, {"people": 2_000, "events": 8_000}),
    "timeline.read": (reads.timeline, {"people": 2_000, "events": 8_000}),
    "search": (search.run, {"people": 2_000, "per_sort": 20}),
    "availability": (availability.run, {"skus": 4, "places": 50, "questions": 20}),
    "postgres": (postgres.run, {"events": 8_000, "identifiers": 4_000}),
    "postgres.runners": (postgres.runners, {"events": 8_000, "identifiers": 2_000}),
    "reserve.hot": (reserve.hot, {"seconds": 0.3, "rounds": 1}),
    "reserve.many": (reserve.many, {"seconds": 0.3, "rounds": 1}),
    "reserve.http": (reserve_http.run, {"seconds": 0.5, "rounds": 1}),
    "reserve.kill": (reserve.kill, {"kills": 1}),
    "reserve.postgres": (reserve.postgres, {"seconds": 0.3, "rounds": 1}),
    "console.paint": (paint.run, {"people": 1_000, "events": 2_000, "rounds": 1}),
    "memory.1m": (reads.memory, {"people": 2_000, "events": 8_000}),
}
"""Name → what measures it, and the options of a quick run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a small run: shows that it works, measures nothing")
    parser.add_argument("--json", action="store_true", help="accepted for symmetry: the output is always JSON lines")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    for name in options.names or BENCHMARKS:
        measure, quick = BENCHMARKS[name]
        for figure in measure(**(quick if options.quick else {})):
            show(figure)


if __name__ == "__main__":
    sys.exit(main())
