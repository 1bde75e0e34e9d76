"""History: all stored events as Parquet files that any program can read while Cauce runs.

A file is written to `.pending/` first, listed in the table `history_file` by the commit that makes it valid, and only
then renamed into its place; replaced files are deleted after that. `recover` finishes or undoes what a crash left:
what the table lists is there, anything else is not. A file is a function of the archive (day of receipt, range of
positions), so one that a power loss took is made again from the blocks.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Executor, Future
from itertools import accumulate, chain, groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cauce.engines.api import Tables, Turns
from cauce.events import store
from cauce.events.rules import Row
from cauce.events.store import HISTORY_FILE, HistoryFile
from cauce.model import DAY, to_iso

SCHEMA_VERSION = 1
"""Grows when a column changes its meaning or goes away; new columns at the end do not count."""

_MOMENT = pa.timestamp("us", tz="UTC")
_IDENTIFIER = pa.struct([pa.field("kind", pa.string()), pa.field("value", pa.string())])

SCHEMA = pa.schema(
    [
        ("position", pa.int64()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("channel", pa.string()),
        ("type", pa.string()),
        ("name", pa.string()),
        ("occurred", _MOMENT),
        ("received", _MOMENT),
        ("subject", pa.int64()),
        ("identifier_ids", pa.list_(pa.int64())),
        ("identifiers", pa.list_(_IDENTIFIER)),
        ("traits", pa.string()),
        ("properties", pa.string()),
        ("context", pa.string()),
    ],
    metadata={"cauce.history.version": str(SCHEMA_VERSION)},
)

ROW_GROUP_ROWS = 32_768
"""Rows whose smallest and largest `occurred` let a reader skip them together."""

OVERLAP_MAX = 1.5
"""How much longer all row groups together may last than the file before its rows are sorted."""

SORTED_BYTES_MAX = 2**30

_DICTIONARY_COLUMNS = ["source", "channel", "type", "name", "identifiers.list.element.kind"]
_STATISTICS_COLUMNS = ["position", "source", "channel", "type", "name", "occurred", "received", "subject"]

FULL_ROWS = 1_000_000
"""A file of this size is not compacted again."""

LOOSE_EVENTS_MAX = 4_096
"""Events kept as objects before they are turned into columns, so that live batches of one event cost little."""

MAKING_HISTORY = -1
"""Stretch of the log (`Turns`) that stands for making history files."""

PENDING = ".pending"
MANIFEST = "manifest.json"


def columns_of(rows: Sequence[Row]) -> pa.RecordBatch:
    """Stored rows as columns of `SCHEMA`, in the order given."""
    identifiers = [row.identifiers for row in rows]
    flat = [identifier for group in identifiers for identifier in group]
    pairs = pa.StructArray.from_arrays(
        [pa.array([kind for kind, _ in flat], pa.string()), pa.array([value for _, value in flat], pa.string())],
        fields=list(_IDENTIFIER),
    )
    ids = [row.identifier_ids for row in rows]
    arrays = [
        pa.array([row.position for row in rows], pa.int64()),
        pa.array([row.id for row in rows], pa.string()),
        pa.array([row.source for row in rows], pa.string()),
        pa.array([row.channel for row in rows], pa.string()),
        pa.array([row.type for row in rows], pa.string()),
        pa.array([row.name for row in rows], pa.string()),
        pa.array([row.occurred for row in rows], pa.int64()).cast(_MOMENT),
        pa.array([row.received for row in rows], pa.int64()).cast(_MOMENT),
        pa.array([row.subject for row in rows], pa.int64()),
        pa.ListArray.from_arrays(_offsets(ids), pa.array(list(chain.from_iterable(ids)), pa.int64())),
        pa.ListArray.from_arrays(_offsets(identifiers), pairs),
        _texts([row.traits for row in rows]),
        _texts([row.properties for row in rows]),
        _texts([row.context for row in rows]),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _offsets(groups: Sequence[Sized]) -> pa.Array:
    return pa.array(list(accumulate(map(len, groups), initial=0)), pa.int32())


def _texts(values: Sequence[bytes]) -> pa.Array:
    """Encoded texts as one column without a detour over Python strings."""
    return pa.StringArray.from_buffers(len(values), _offsets(values).buffers()[1], pa.py_buffer(b"".join(values)))


class Folder:
    """The history folder of one installation; paths are relative to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pending(self, path: str) -> Path:
        return self.path / PENDING / path

    def write(self, batches: Iterable[pa.RecordBatch], day: int) -> HistoryFile | None:
        """Writes rows of one day as a pending file, synced to the disk; None when there are no rows."""
        (self.path / PENDING).mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".parquet", "draft-", self.path / PENDING)
        os.close(handle)
        draft = Path(name)
        draft.chmod(0o644)  # other programs read it once it is in its place
        facts = _write_parquet(draft, batches)
        if facts is None:
            draft.unlink()
            return None
        rows, first, last, occurred_min, occurred_max = facts
        path = f"day={to_iso(day * DAY)[:10]}/{first:016x}-{last:016x}-{rows}.parquet"
        target = self.pending(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = _sync(draft)
        draft.rename(target)
        return HistoryFile(first, last, path, day, rows, size, occurred_min, occurred_max)

    def read(self, file: HistoryFile) -> Iterator[pa.RecordBatch]:
        """The rows of a live or pending file, row group by row group."""
        with pq.ParquetFile(self.locate(file)) as opened:
            for group in range(opened.num_row_groups):
                yield from opened.read_row_group(group).to_batches()

    def locate(self, file: HistoryFile) -> Path:
        """Where a listed file lies now: in its place, or still pending in the moment after its commit."""
        place = self.path / file.path
        return place if place.exists() else self.pending(file.path)

    def publish(
        self, added: Iterable[HistoryFile], removed: Iterable[HistoryFile], live: Sequence[HistoryFile]
    ) -> None:
        """Makes committed files visible, then the manifest, then takes away what they replaced."""
        for file in added:
            self.place(file)
        self.write_manifest(live)
        for file in removed:
            (self.path / file.path).unlink(missing_ok=True)
            self.pending(file.path).unlink(missing_ok=True)

    def place(self, file: HistoryFile) -> None:
        target = self.path / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        self.pending(file.path).replace(target)

    def write_manifest(self, live: Sequence[HistoryFile]) -> None:
        """Replaces `manifest.json` at once: exactly the live files, for other programs."""
        self.path.mkdir(parents=True, exist_ok=True)
        manifest = {
            "version": SCHEMA_VERSION,
            "written_until": max((file.last_position for file in live), default=0),
            "files": [_manifest_entry(file) for file in live],
        }
        draft = self.path / f"{MANIFEST}.draft"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        draft.replace(self.path / MANIFEST)

    def sweep(self, live: Sequence[HistoryFile]) -> None:
        """Deletes every Parquet file that is not live."""
        wanted = {self.path / file.path for file in live}
        for found in self.path.glob("day=*/*.parquet"):
            if found not in wanted:
                found.unlink()
        shutil.rmtree(self.path / PENDING, ignore_errors=True)

    def is_whole(self, file: HistoryFile) -> bool:
        place = self.path / file.path
        return place.is_file() and place.stat().st_size == file.bytes


def _manifest_entry(file: HistoryFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "day": to_iso(file.day * DAY)[:10],
        "rows": file.rows,
        "bytes": file.bytes,
        "first_position": file.first_position,
        "last_position": file.last_position,
        "occurred_min": to_iso(file.occurred_min),
        "occurred_max": to_iso(file.occurred_max),
    }


def _write_parquet(path: Path, batches: Iterable[pa.RecordBatch]) -> tuple[int, int, int, int, int] | None:
    """Rows, first and last position, first and last `occurred` of what was written; None when it was nothing."""
    firsts: list[tuple[int, int]] = []
    lasts: list[tuple[int, int]] = []
    rows = 0
    with pq.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=_DICTIONARY_COLUMNS,
        write_statistics=_STATISTICS_COLUMNS,
    ) as writer:
        for group in _row_groups(batches):
            positions, moments = pc.min_max(group["position"]), pc.min_max(group["occurred"].cast(pa.int64()))
            firsts.append((positions["min"].as_py(), moments["min"].as_py()))
            lasts.append((positions["max"].as_py(), moments["max"].as_py()))
            rows += group.num_rows
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
    if not rows:
        return None
    return (
        rows,
        min(first for first, _ in firsts),
        max(last for last, _ in lasts),
        min(moment for _, moment in firsts),
        max(moment for _, moment in lasts),
    )


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows in their order, as tables of `ROW_GROUP_ROWS` rows (the last one fewer)."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting, SCHEMA)
            yield table.slice(0, ROW_GROUP_ROWS)
            waiting = table.slice(ROW_GROUP_ROWS).to_batches()
            count -= ROW_GROUP_ROWS
    if count:
        yield pa.Table.from_batches(waiting, SCHEMA)


def clustered(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Rows sorted by when they happened, if the order of arrival would leave row groups whose times overlap much.

    Live events arrive nearly in order and stay as they are: sorting costs as much as writing.
    """
    table = pa.Table.from_batches(batches, SCHEMA)
    if table.num_rows <= ROW_GROUP_ROWS or table.nbytes > SORTED_BYTES_MAX:
        return batches
    moments = table["occurred"].cast(pa.int64()).to_numpy()
    spans = [int(np.ptp(moments[start : start + ROW_GROUP_ROWS])) for start in range(0, len(moments), ROW_GROUP_ROWS)]
    if sum(spans) <= OVERLAP_MAX * int(np.ptp(moments)):
        return batches
    order = pc.sort_indices(table, sort_keys=[("occurred", "ascending"), ("position", "ascending")])
    sorted_batches: list[pa.RecordBatch] = table.combine_chunks().take(order).to_batches()
    return sorted_batches


def _sync(path: Path) -> int:
    """Flushes a file to the disk; its size."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
        return os.fstat(handle.fileno()).st_size


def by_day(batches: Iterable[pa.RecordBatch]) -> dict[int, list[pa.RecordBatch]]:
    """Rows by day of receipt, in order."""
    days: dict[int, list[pa.RecordBatch]] = {}
    for batch in batches:
        numbers = pc.divide(batch["received"].cast(pa.int64()), pa.scalar(DAY, pa.int64()))
        distinct = numbers.unique().to_pylist()
        for day in distinct:
            rows = batch if len(distinct) == 1 else batch.filter(pc.equal(numbers, day))
            days.setdefault(day, []).append(rows)
    return days


def without_positions(batches: Iterable[pa.RecordBatch], positions: pa.Array) -> list[pa.RecordBatch]:
    """The rows whose position is not among `positions`."""
    kept = (batch.filter(pc.invert(pc.is_in(batch["position"], positions))) for batch in batches)
    return [batch for batch in kept if batch.num_rows]


def compaction_of(files: Iterable[HistoryFile], files_max: int) -> list[HistoryFile]:
    """Neighbours of one day to merge into one file: the first run of more than `files_max` that are not full."""
    ordered = sorted(files, key=lambda file: (file.day, file.first_position))
    for (_, full), group in groupby(ordered, key=lambda file: (file.day, file.rows >= FULL_ROWS)):
        run = list(group)
        if not full and len(run) > files_max:
            return run
    return []


class Options(msgspec.Struct, frozen=True):
    """When files are written; the settings of the same names."""

    history_rows: int = 100_000
    history_seconds: int = 60
    history_files_max: int = 8


class _Change(msgspec.Struct):
    """What one commit does to the files; `rows` are the unwritten rows after it, None when they stay.

    `columns` are the loose rows after it, when they are enough to become columns.
    """

    added: list[HistoryFile] = []
    removed: list[HistoryFile] = []
    written_batches: int = 0
    rows: list[Any] | None = None
    columns: pa.RecordBatch | None = None


class _Job(msgspec.Struct):
    """Files in the making: they replace `removed` and the first `written_batches` batches of unwritten rows."""

    future: Future[list[HistoryFile]]
    removed: list[HistoryFile]
    written_batches: int


class HistoryWriter:
    """Writes, compacts and rewrites the files of one installation; used by the archive stage alone.

    Files are made between commits, on `executor` when one is given (Parquet writing leaves the interpreter free), and
    listed by the next commit. Until then their rows are in the tail that readers take from the blocks.
    With `turns` there are other runners, one of which makes files at a time.
    """

    def __init__(
        self,
        folder: Folder,
        tables: Tables,
        options: Options,
        *,
        clock: Callable[[], float],
        executor: Executor | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.folder = folder
        self._turns = turns
        self._tables = tables
        self._options = options
        self._clock = clock
        self._executor = executor
        self._files: dict[int, HistoryFile] = {}
        self._unloaded = (0, 0)
        self._rows: list[pa.RecordBatch] = []
        self._loose: list[Row] = []
        self._row_count = 0
        self._oldest = 0.0
        self._job: _Job | None = None
        self._change = _Change()

    @property
    def files(self) -> list[HistoryFile]:
        """The live files in order of position."""
        return [self._files[first] for first in sorted(self._files)]

    def recover(self) -> None:
        """After a start: what the table lists is in its place, nothing else is, and the unwritten rows are known."""
        files = store.history_files(self._tables)
        if self._turns is None or self._turns.take(MAKING_HISTORY):  # else a runner that lives is about to do it
            self._mend(files)
            self._end_job()
        self._files = {file.first_position: file for file in files}
        self._rows, self._loose, self._job, self._change = [], [], None, _Change()
        self._unloaded, self._row_count = store.tail(self._tables)
        self._oldest = self._clock()

    def _mend(self, files: list[HistoryFile]) -> None:
        """Puts listed files into their place, makes those again that are lost, and takes everything else away."""
        for number, file in enumerate(files):
            if self.folder.is_whole(file):
                continue
            if self.folder.pending(file.path).is_file() and self.folder.pending(file.path).stat().st_size == file.bytes:
                self.folder.place(file)
            else:
                files[number] = self._made_again(file)
        self.folder.sweep(files)
        self.folder.write_manifest(files)

    def refresh(self, *, decided: bool) -> None:
        """Another runner has committed: its rows are in the blocks, and an erasure may have changed what files hold."""
        if decided and self._job is not None:
            self._give_up(self._job)
        making = self._job.written_batches if self._job is not None else 0
        del self._rows[making:]
        self._loose = []
        self._files = {file.first_position: file for file in store.history_files(self._tables)}
        (after, until), self._row_count = store.tail(self._tables)
        if self._rows:
            after = int(pc.max(self._rows[-1]["position"]).as_py())
        self._unloaded = (after, until)

    def flush(self, stored: Sequence[Row] = (), erased: Sequence[int] = ()) -> None:
        """Inside the transaction: lists finished files; with `erased` positions, rewrites the files that hold them.

        What the batch stored becomes columns here, where a remote engine is still at work on what it was sent.
        """
        change = self._change = _Change([], [])
        if self._job is not None and (erased or self._job.future.done()):
            change.added, change.removed = list(self._finished(self._job)), list(self._job.removed)
            change.written_batches = self._job.written_batches
        if erased:
            self._erase(pa.array(sorted(erased), pa.int64()), change)
        if change.removed:
            self._tables.delete(HISTORY_FILE, [file.first_position for file in change.removed])
        if change.added:
            self._tables.upsert(HISTORY_FILE, [file.as_row() for file in change.added])
        if not erased and len(self._loose) + len(stored) >= LOOSE_EVENTS_MAX:
            change.columns = columns_of([*self._loose, *stored])

    def committed(self, stored: Sequence[Row]) -> None:
        """After the commit: makes files visible, takes over the batch's events, starts what has become due."""
        change, self._change = self._change, _Change()
        if change.added or change.removed or change.written_batches:
            for file in change.removed:
                self._files.pop(file.first_position, None)
            self._files.update((file.first_position, file) for file in change.added)
            self._publish(change)
            del self._rows[: change.written_batches]
            self._end_job()
        if change.rows is not None:
            self._rows = change.rows
        if change.written_batches:
            self._row_count = store.tail(self._tables)[1] if self._turns else self._rows_in_memory()
        self._oldest = self._clock() if change.written_batches else self._oldest
        self._keep(stored, change.columns)
        self.start()

    def rolled_back(self) -> None:
        """Finished files stay pending and are listed by the next commit that succeeds."""
        self._change = _Change()

    def due(self) -> bool:
        """Whether a commit would list files."""
        self.start()
        return self._job is not None and self._job.future.done()

    def start(self) -> None:
        """Begins to write or compact files when enough has come together and nothing is under way."""
        if self._job is not None or not (self._is_full() or self._run()):
            return
        if self._turns is not None:
            if not self._turns.take(MAKING_HISTORY):
                return
            if self.files != store.history_files(self._tables):  # made by another since this runner last looked
                self.refresh(decided=False)
        if self._is_full():
            self._load()
            self._settle()
            rows = list(self._rows)
            self._job = _Job(self._submit(lambda: self._written(rows)), [], len(rows))
        elif run := self._run():
            self._job = _Job(self._submit(lambda: self._merged(run)), run, 0)
        else:
            self._end_job()

    def _is_full(self) -> bool:
        """Whether enough rows, or old enough ones, are in no file."""
        aged = self._row_count > 0 and self._clock() - self._oldest >= self._options.history_seconds
        return aged or self._row_count >= self._options.history_rows

    def _run(self) -> list[HistoryFile]:
        return compaction_of(self._files.values(), self._options.history_files_max)

    def wait(self) -> None:
        """Waits for a file in the making."""
        if self._job is not None:
            self._job.future.exception()

    def _publish(self, change: _Change) -> None:
        if self._turns is None:
            self.folder.publish(change.added, change.removed, self.files)
            return
        with self._turns.alone():  # the manifest must not go back to what this runner knew before another committed
            # A runner that began meanwhile has put them in their place, or an erasure has replaced them already.
            added = [file for file in change.added if self.folder.pending(file.path).exists()]
            self.folder.publish(added, change.removed, store.history_files(self._tables))

    def _rows_in_memory(self) -> int:
        rows: int = sum(batch.num_rows for batch in self._rows)
        return rows + len(self._loose)

    def _end_job(self) -> None:
        if self._turns is not None:
            self._turns.leave(MAKING_HISTORY)
        self._job = None

    def _give_up(self, job: _Job) -> None:
        """Takes back files in the making: they may hold what was erased meanwhile."""
        if job.future.exception() is None:
            for file in job.future.result():
                self.folder.pending(file.path).unlink(missing_ok=True)
        self._end_job()

    def _keep(self, stored: Sequence[Row], columns: pa.RecordBatch | None) -> None:
        if not stored:
            return
        if not self._row_count:
            self._oldest = self._clock()
        self._row_count += len(stored)
        if columns is None:
            self._loose += stored
        else:
            self._rows.append(columns)
            self._loose = []

    def _load(self) -> None:
        """Reads the tail that an earlier runner left, when it is to be written: most runs are too short for that."""
        after, until = self._unloaded
        if until > after:
            chunks = store.rows(self._tables, after, until, LOOSE_EVENTS_MAX)
            self._rows[:0] = [columns_of(chunk) for chunk in chunks]
        self._unloaded = (0, 0)

    def _settle(self) -> None:
        if self._loose:
            self._rows.append(columns_of(self._loose))
            self._loose = []

    def _submit(self, work: Callable[[], list[HistoryFile]]) -> Future[list[HistoryFile]]:
        if self._executor is not None:
            return self._executor.submit(work)
        future: Future[list[HistoryFile]] = Future()
        future.set_result(work())
        return future

    def _finished(self, job: _Job) -> list[HistoryFile]:
        try:
            return job.future.result()
        except BaseException:
            self._end_job()  # the rows are still here: the next start tries again
            raise

    def _written(self, batches: Sequence[pa.RecordBatch]) -> list[HistoryFile]:
        days = by_day(batches)
        return [file for day in sorted(days) if (file := self.folder.write(clustered(days[day]), day))]

    def _merged(self, run: Sequence[HistoryFile]) -> list[HistoryFile]:
        file = self.folder.write((batch for part in run for batch in self.folder.read(part)), run[0].day)
        return [file] if file else []

    def _made_again(self, file: HistoryFile) -> HistoryFile:
        """A listed file that is not there, written from the blocks: its content follows from its range and day."""
        chunks = store.rows(self._tables, file.first_position - 1, file.last_position, LOOSE_EVENTS_MAX)
        own = (batch for chunk in chunks for batch in by_day([columns_of(chunk)]).get(file.day, []))
        made = self.folder.write(own, file.day)
        assert made is not None, f"history file {file.path} lists {file.rows} rows, and the archive has none of them"
        with self._tables.transaction():
            self._tables.delete(HISTORY_FILE, [file.first_position])
            self._tables.upsert(HISTORY_FILE, [made.as_row()])
        self.folder.place(made)
        return made

    def _erase(self, positions: pa.Array, change: _Change) -> None:
        gone = {file.first_position for file in change.removed}
        live = [file for first, file in self._files.items() if first not in gone] + change.added
        smallest, largest = positions[0].as_py(), positions[-1].as_py()
        for file in live:
            if file.last_position < smallest or file.first_position > largest:
                continue
            kept = without_positions(self.folder.read(file), positions)
            if sum(batch.num_rows for batch in kept) == file.rows:
                continue
            if file in change.added:
                change.added.remove(file)
            change.removed.append(file)
            rewritten = self.folder.write(kept, file.day)
            if rewritten:
                change.added.append(rewritten)
        self._settle()
        change.rows = without_positions(self._rows[change.written_batches :], positions)
