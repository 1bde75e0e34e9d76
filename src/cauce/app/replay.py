"""Rebuilding all state from the log, and comparing two states row by row."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cauce.app.assembly import assemble
from cauce.engines.api import Reader
from cauce.engines.sqlite import SqliteReader, SqliteTables
from cauce.errors import Locked
from cauce.runner import Runner, contents, progress

if TYPE_CHECKING:
    from cauce.app.platform import Platform

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


def replayed(platform: Platform, *, apply: bool, on_progress: Callable[[int, int], None]) -> ReplayReport:
    """Rebuilds beside the present state up to the record where that stands, compares, and swaps when asked to."""
    folder = platform.settings.folder / "replay"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    present = SqliteReader(platform.settings.folder / "state.db")
    rebuilt = SqliteTables(folder / "state.db")
    try:
        runner = assemble(
            platform.log, rebuilt, platform.source_of, platform.settings, platform.secret, folder / "history"
        )
        with present.snapshot():
            until = progress(present)
            started = time.perf_counter()
            while runner.offset < until and runner.run_once(until):
                on_progress(runner.offset, until)
            seconds = time.perf_counter() - started
            tables = tuple(compared(runner, present, rebuilt))
        report = ReplayReport(until, all(table.equal for table in tables), seconds, tables)
    finally:
        present.close()
        rebuilt.close()
    if apply:
        _swap(platform, folder)
    shutil.rmtree(folder, ignore_errors=True)
    return report


def compared(runner: Runner, present: Reader, rebuilt: Reader) -> Iterator[TableReport]:
    """Every table of two states, row by row in key order, in constant memory."""
    ours, theirs = contents(runner, rebuilt), contents(runner, present)
    for name, rows in ours.items():
        count, differences = 0, []
        for mine, other in zip_longest(rows, theirs[name]):
            count += mine is not None
            if mine != other and len(differences) < DIFFERENCES_SHOWN:
                differences.append(f"rebuilt {_short(mine)}, present {_short(other)}")
        yield TableReport(name, count, not differences, tuple(differences))


def _short(row: Any) -> str:
    return "nothing" if row is None else repr(row)[:300]


def _swap(platform: Platform, folder: Path) -> None:
    """Puts the rebuilt files in the place of the old ones, while nobody runs the river."""
    try:
        with platform.holding_the_river():
            home = platform.settings.folder
            platform.forget_readers()
            for name in ("state.db", "state.db-wal", "state.db-shm"):
                (home / name).unlink(missing_ok=True)
            shutil.rmtree(home / "history", ignore_errors=True)
            if (folder / "history").exists():
                (folder / "history").rename(home / "history")
            (folder / "state.db").rename(home / "state.db")
    except Locked as fault:
        raise Locked(f"the rebuilt state was not put in place: {fault.message}", hint="Stop `cauce up` first") from None
