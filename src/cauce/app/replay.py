"""Rebuilding all state from the log, and comparing two states row by row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from cauce.app.assembly import Parts, assemble
from cauce.app.storage import Rebuilt, Storage, at_rest
from cauce.engines.api import Reader
from cauce.runner import Runner, contents, progress

DIFFERENCES_SHOWN = 5


class TableReport(msgspec.Struct, frozen=True):
    """How one table of two states compares; `rows` are those of the rebuilt one."""

    name: str
    rows: int
    equal: bool
    differences: tuple[str, ...] = ()


class ReplayReport(msgspec.Struct, frozen=True):
    """What a rebuild found."""

    records: int
    equal: bool
    rebuild_seconds: float
    tables: tuple[TableReport, ...]


def replayed(
    parts: Parts, storage: Storage, swap: Callable[[Rebuilt], None] | None, on_progress: Callable[[int, int], None]
) -> ReplayReport:
    """Rebuilds beside the present state up to the record where that stands, and compares.

    `swap` gets the new state.
    """
    with storage.rebuilding() as rebuilt:
        present = storage.reader()
        runner = assemble(parts, rebuilt.tables, rebuilt.history)
        try:
            with at_rest(storage, present):
                until = progress(present)
                started = time.perf_counter()
                while runner.offset < until and runner.run_once(until):
                    on_progress(runner.offset, until)
                seconds = time.perf_counter() - started
                tables = tuple(compared(runner, present, rebuilt.tables))
        finally:
            runner.close()
            present.close()
        if swap is not None:
            swap(rebuilt)
    return ReplayReport(until, all(table.equal for table in tables), seconds, tables)


def compared(runner: Runner, present: Reader, rebuilt: Reader) -> Iterator[TableReport]:
    """Every table of two states, row by row in key order, in constant memory."""
    ours, theirs = contents(runner, rebuilt), contents(runner, present)
    for name, rows in ours.items():
        yield matched(name, rows, theirs[name], ("rebuilt", "present"))


def matched(name: str, ours: Iterable[Any], theirs: Iterable[Any], names: tuple[str, str]) -> TableReport:
    """How two sequences of rows in key order compare; `names` call them in what is told of differences."""
    count = 0
    differences: list[str] = []
    for mine, other in zip_longest(ours, theirs):
        count += mine is not None
        if mine != other and len(differences) < DIFFERENCES_SHOWN:
            differences.append(f"{names[0]} {_short(mine)}, {names[1]} {_short(other)}")
    return TableReport(name, count, not differences, tuple(differences))


def _short(row: Any) -> str:
    return "nothing" if row is None else repr(row)[:300]
